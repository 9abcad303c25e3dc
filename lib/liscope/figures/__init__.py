"""One look for all figures: static ones for paper and pages, linked ones for JupyterLab.

Colour maps are perceptually even and readable with colour-blind eyes; every map has a scale bar and
a colour bar with units, every axis a unit. A figure function takes arrays and returns a figure; it
computes nothing that a result rests on.
"""

from liscope.figures.browser import explore_patterns
from liscope.figures.calibration import calibration_figure, reliability_figure
from liscope.figures.grains import boundary_map, index_map, phase_map
from liscope.figures.hover import hover_maps
from liscope.figures.interface import interface_figure
from liscope.figures.loops import (
    definitions_figure,
    displacement_figure,
    explore_loops,
    hysteresis_figure,
    reversal_figure,
    tiles_figure,
)
from liscope.figures.maps import as_dataset, explore, linked, maps
from liscope.figures.orientations import orientation_map
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
from liscope.figures.patterns import pattern_figure
from liscope.figures.plates import comparison_plate, orientation_plate
from liscope.figures.poles import inverse_pole_density, pole_figures
from liscope.figures.sizes import size_figure
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
    "boundary_map",
    "calibration_figure",
    "changes_figure",
    "compare",
    "comparison_plate",
    "definitions_figure",
    "displacement_figure",
    "drift_figure",
    "explore",
    "explore_loops",
    "explore_patterns",
    "hover_maps",
    "hysteresis_figure",
    "index_map",
    "interface_figure",
    "inverse_pole_density",
    "joint_figure",
    "line_graph_figure",
    "linked",
    "maps",
    "null_figure",
    "orientation_map",
    "orientation_plate",
    "overlay_figure",
    "paths_figure",
    "pattern_figure",
    "phase_map",
    "places_figure",
    "pole_figures",
    "reliability_figure",
    "reversal_figure",
    "search_figure",
    "show",
    "size_figure",
    "slider",
    "tiles_figure",
    "zoom_figure",
]
