"""Orientation and phase from diffraction patterns."""

from liscope.diffraction.calibration import beam_centres, drift, fit_rings, ring_sum, spot_sum
from liscope.diffraction.decision import decide
from liscope.diffraction.halo import radial_profiles, with_glass
from liscope.diffraction.library import Library, library
from liscope.diffraction.polar import Geometry
from liscope.diffraction.scan import match, match_second
from liscope.diffraction.setup import beam_of, calibration_table, geometry, nominal_pixel
from liscope.diffraction.spots import expected_spots
from liscope.diffraction.structures import Crystal, open_crystal
from liscope.diffraction.summary import index_summary, shown_points, spots_at, typical_points
from liscope.diffraction.templates import Beam
from liscope.diffraction.virtual import virtual_images

__all__ = [
    "Beam",
    "Crystal",
    "Geometry",
    "Library",
    "beam_centres",
    "beam_of",
    "calibration_table",
    "decide",
    "drift",
    "expected_spots",
    "fit_rings",
    "geometry",
    "index_summary",
    "library",
    "match",
    "match_second",
    "nominal_pixel",
    "open_crystal",
    "radial_profiles",
    "ring_sum",
    "shown_points",
    "spot_sum",
    "spots_at",
    "typical_points",
    "virtual_images",
    "with_glass",
]
