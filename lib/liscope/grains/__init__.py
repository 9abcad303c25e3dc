"""Grains of an orientation map: found, measured, compared.

Segmentation by disorientation, boundaries and coincidence lattices, sizes without what edge and
step hide, intercepts, connection to the collector, texture over grains, orientation relationships.
"""

from liscope.grains.agreement import agreement, rand_index
from liscope.grains.areas import area_shares
from liscope.grains.boundaries import boundary_image, boundary_pairs, boundary_segments
from liscope.grains.coincidence import coincidences, sigma_of
from liscope.grains.comparison import (
    cliffs_delta,
    compare_amorphous,
    compare_fibres,
    compare_sizes,
    difference,
)
from liscope.grains.connectivity import Connectivity, connectivity
from liscope.grains.disorientation import angle_between, operators
from liscope.grains.intercepts import mean_intercepts
from liscope.grains.misorientations import angle_distribution, boundary_shares
from liscope.grains.relationship import interface, relationship
from liscope.grains.segmentation import keep_mask, segment
from liscope.grains.shares import Share
from liscope.grains.sizes import (
    LogNormal,
    Sizes,
    density_mode,
    fit_lognormal,
    size_distribution,
    size_table,
    sizes_of,
)
from liscope.grains.table import grain_table, kernel_average
from liscope.grains.texture import fibre, inverse_poles, poles, texture_index

__all__ = [
    "Connectivity",
    "LogNormal",
    "Share",
    "Sizes",
    "agreement",
    "angle_between",
    "angle_distribution",
    "area_shares",
    "boundary_image",
    "boundary_pairs",
    "boundary_segments",
    "boundary_shares",
    "cliffs_delta",
    "coincidences",
    "compare_amorphous",
    "compare_fibres",
    "compare_sizes",
    "connectivity",
    "density_mode",
    "difference",
    "fibre",
    "fit_lognormal",
    "grain_table",
    "interface",
    "inverse_poles",
    "keep_mask",
    "kernel_average",
    "mean_intercepts",
    "operators",
    "poles",
    "rand_index",
    "relationship",
    "segment",
    "sigma_of",
    "size_distribution",
    "size_table",
    "sizes_of",
    "texture_index",
]
