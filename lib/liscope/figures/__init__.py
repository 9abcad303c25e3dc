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
from liscope.figures.maps import as_dataset, explore, in_jupyterlab, linked, maps
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
from liscope.figures.volume_3d import render_volume
from liscope.figures.volume_animation import animation
from liscope.figures.volume_blocks import block_figure, surface_figure
from liscope.figures.volume_checks import depth_figure, registration_figure, slice_drift_figure
from liscope.figures.volume_histograms import joint_histogram_figure, normalisation_figure
from liscope.figures.volume_images import (
    channel_plate,
    greyscale_figure,
    phase_figure,
    product_figure,
)
from liscope.figures.volume_local import local_correlation_figure
from liscope.figures.volume_results import (
    convergence_figure,
    edge_profile_figure,
    fraction_figure,
    particle_size_figure,
)
from liscope.figures.volume_sections import explore_volume, section_figure
from liscope.figures.volume_slider import volume_slider

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "amplifier_figure",
    "animation",
    "as_dataset",
    "block_figure",
    "boundary_map",
    "calibration_figure",
    "changes_figure",
    "channel_plate",
    "compare",
    "comparison_plate",
    "convergence_figure",
    "definitions_figure",
    "depth_figure",
    "displacement_figure",
    "drift_figure",
    "edge_profile_figure",
    "explore",
    "explore_loops",
    "explore_patterns",
    "explore_volume",
    "fraction_figure",
    "greyscale_figure",
    "hover_maps",
    "hysteresis_figure",
    "in_jupyterlab",
    "index_map",
    "interface_figure",
    "inverse_pole_density",
    "joint_figure",
    "joint_histogram_figure",
    "line_graph_figure",
    "linked",
    "local_correlation_figure",
    "maps",
    "normalisation_figure",
    "null_figure",
    "orientation_map",
    "orientation_plate",
    "overlay_figure",
    "particle_size_figure",
    "paths_figure",
    "pattern_figure",
    "phase_figure",
    "phase_map",
    "places_figure",
    "pole_figures",
    "product_figure",
    "registration_figure",
    "reliability_figure",
    "render_volume",
    "reversal_figure",
    "search_figure",
    "section_figure",
    "show",
    "size_figure",
    "slice_drift_figure",
    "slider",
    "surface_figure",
    "tiles_figure",
    "volume_slider",
    "zoom_figure",
]
