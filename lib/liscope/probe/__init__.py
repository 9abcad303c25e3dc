"""Scanning-probe maps: levelling, amplifier, drift, stressed areas, trends, conductive paths."""

from liscope.probe.amplifier import Amplifier, amplifier, conduction
from liscope.probe.areas import (
    Area,
    Comparison,
    change_map,
    change_table,
    compare,
    find_areas,
    named_areas,
    overlap,
    per_cent,
    unstressed,
    verdict,
    without,
)
from liscope.probe.drift import Drift, check_same_place, find_drift, onto, pixel_size
from liscope.probe.levelling import level
from liscope.probe.morphology import morphology_table
from liscope.probe.paths import Paths, find_paths, path_threshold, paths_table
from liscope.probe.trends import line_graph, wear_table

__all__ = [
    "Amplifier",
    "Area",
    "Comparison",
    "Drift",
    "Paths",
    "amplifier",
    "change_map",
    "change_table",
    "check_same_place",
    "compare",
    "conduction",
    "find_areas",
    "find_drift",
    "find_paths",
    "level",
    "line_graph",
    "morphology_table",
    "named_areas",
    "onto",
    "overlap",
    "path_threshold",
    "paths_table",
    "per_cent",
    "pixel_size",
    "unstressed",
    "verdict",
    "wear_table",
    "without",
]
