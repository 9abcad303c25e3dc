"""One look for all figures: static ones for paper and pages, linked ones for JupyterLab.

Colour maps are perceptually even and readable with colour-blind eyes; every map has a scale bar and
a colour bar with units, every axis a unit. A figure function takes arrays and returns a figure; it
computes nothing that a result rests on.
"""

from liscope.figures.loops import (
    definitions_figure,
    displacement_figure,
    explore_loops,
    hysteresis_figure,
    reversal_figure,
    tiles_figure,
)
from liscope.figures.maps import as_dataset, explore, linked, maps
from liscope.figures.overlay import (
    compare,
    joint_figure,
    null_figure,
    overlay_figure,
    places_figure,
    search_figure,
    slider,
    zoom_figure,
)
from liscope.figures.style import BLUE, GREEN, GREY, ORANGE, show
from liscope.figures.tip_stress import (
    amplifier_figure,
    changes_figure,
    drift_figure,
    line_graph_figure,
    paths_figure,
)

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "amplifier_figure",
    "as_dataset",
    "changes_figure",
    "compare",
    "definitions_figure",
    "displacement_figure",
    "drift_figure",
    "explore",
    "explore_loops",
    "hysteresis_figure",
    "joint_figure",
    "line_graph_figure",
    "linked",
    "maps",
    "null_figure",
    "overlay_figure",
    "paths_figure",
    "places_figure",
    "reversal_figure",
    "search_figure",
    "show",
    "slider",
    "tiles_figure",
    "zoom_figure",
]
