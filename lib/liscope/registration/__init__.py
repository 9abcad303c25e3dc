"""Registration of two maps of one area, in physical units, with its uncertainty and a verdict.

The fixed map is the coarser one, the moving map is placed on it. A start is searched without help,
or taken from landmarks; SimpleITK then finds the affine map of greatest mutual information; what is
left along the scan lines may be taken out. ``register`` says *not found* where nothing tells that
the two maps show one place.
"""

from liscope.registration.contrast import blurred, contrast, standing_out
from liscope.registration.placement import Field, Placement, finer, onto
from liscope.registration.register import Registration, register
from liscope.registration.report import (
    corner_table,
    distance,
    draws,
    landmark_table,
    transform_table,
)

__all__ = [
    "Field",
    "Placement",
    "Registration",
    "blurred",
    "contrast",
    "corner_table",
    "distance",
    "draws",
    "finer",
    "landmark_table",
    "onto",
    "register",
    "standing_out",
    "transform_table",
]
