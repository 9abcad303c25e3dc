"""Correspondence of two maps that were placed on each other: never a bare correlation.

Measures with intervals that include the registration's error, places one by one with what the
counts allow to say about them, a null model that respects smoothness and alignment, and the ceiling
that the repeatability of both measurements sets.
"""

from liscope.colocalisation.ceiling import ceiling_table
from liscope.colocalisation.intervals import correspondence
from liscope.colocalisation.measures import (
    Pair,
    Thresholds,
    detection_width,
    measures,
    on_grid,
    pair_of,
    seen_by_beam,
    thresholds,
)
from liscope.colocalisation.null import Null, shift_null
from liscope.colocalisation.objects import KINDS, examples, find_objects, object_table

__all__ = [
    "KINDS",
    "Null",
    "Pair",
    "Thresholds",
    "ceiling_table",
    "correspondence",
    "detection_width",
    "examples",
    "find_objects",
    "measures",
    "object_table",
    "on_grid",
    "pair_of",
    "seen_by_beam",
    "shift_null",
    "thresholds",
]
