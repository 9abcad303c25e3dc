"""From two maps to a placement that is either trusted or called not found."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from liscope.errors import DataError
from liscope.registration.landmarks import Landmarks, start_from
from liscope.registration.linearised import with_covariance, with_drift
from liscope.registration.placement import Field, Placement
from liscope.registration.refine import refine
from liscope.registration.search import STEP, Start, find_start
from liscope.units import to_units

CHANCE = 0.001  # of an equally good place where there is none, above which none is called found
AROUND = 0.1  # of the moving map: how far from landmarks it is looked for
STRETCH = 0.15  # scale and shear beyond which a placement is not believed
WANDER = 0.18  # of half the moving map's diagonal: finer steps may move a corner as far


@dataclass(frozen=True)
class Registration:
    """A placement, and whether it is to be believed; ``reason`` says why not."""

    placement: Placement
    found: bool
    reason: str
    start: Start
    information: float  # nats

    def trusted(self) -> Placement:
        """Return the placement.

        Raises
        ------
        DataError
            If it was not found.
        """
        if not self.found:
            raise DataError(f"the maps cannot be placed on each other: {self.reason}")
        return self.placement


def register(
    fixed: xr.DataArray,
    moving: xr.DataArray,
    *,
    rotation: float = 30.0,
    shift: float | None = None,
    landmarks: Landmarks = (),
    drift_orders: int = 0,
) -> Registration:
    """Place ``moving`` on ``fixed``.

    Parameters
    ----------
    fixed, moving
        Contrasts (y, x) with coordinates in um, see :func:`contrast`; the moving one as smooth as
        the fixed one. How their values are related does not matter.
    rotation
        Degrees to either side that are searched.
    shift
        um by which the centres of the maps may differ; None: as long as 40 % overlap.
    landmarks
        x, y in the fixed and x, y in the moving map (um), two or more: they replace the start,
        and around them it is asked whether chance would find a place as good.
    drift_orders
        Polynomials of the drift along the moving map's scan lines, beyond the straight line.

    Raises
    ------
    DataError
        If a map is flat, or has no coordinates in a unit of length.
    """
    fixed, moving = (_in_um(image) for image in (fixed, moving))
    still, other = ((image.to_numpy().astype(float), Field.of(image)) for image in (fixed, moving))
    if landmarks:
        first = start_from(landmarks, other[1])
        start = find_start(still, other, STEP, AROUND * max(other[1].size), first)
    else:
        start = find_start(still, other, rotation, shift)
        first = start.placement
    first = replace(first, slow=_scanned(moving))
    if start.chance > CHANCE:
        return Registration(first, False, _why_not(start), start, np.nan)
    placement, information = refine(still, other, first)
    if reason := _doubt(first, placement, other[1]):
        return Registration(placement, False, reason, start, information)
    if drift_orders:
        placement = with_drift(fixed, moving, placement, drift_orders)
    placement = with_covariance(fixed, moving, placement)
    return Registration(placement, True, "", start, information)


def _why_not(start: Start) -> str:
    reason = f"a place as good is found by chance with probability {start.chance:.2g}"
    mirrored = start.fits_mirrored(CHANCE)
    return f"{reason}; it fits mirrored {mirrored}: check the file" if mirrored else reason


def _scanned(moving: xr.DataArray) -> tuple[float, float]:
    """Return the first and the last line (y, um) that hold values."""
    lines = moving["y"].to_numpy()[np.isfinite(moving.to_numpy()).any(1)]
    return float(lines[0]), float(lines[-1])


def _in_um(image: xr.DataArray) -> xr.DataArray:
    if "pixel" in (image.x.attrs.get("units"), image.y.attrs.get("units")):
        raise DataError(f"'{image.name}' has no size: give the width of its field in um")
    image = image.assign_coords({dim: to_units(image[dim], "um") for dim in ("y", "x")})
    if not np.nanstd(image.to_numpy()) > 0:
        raise DataError(f"'{image.name}' is flat or empty: there is nothing to register")
    return image


def _doubt(start: Placement, end: Placement, moving: Field) -> str:
    """Return why the finer steps are not believed, or nothing."""
    largest, smallest = end.scales
    if not (largest < 1 + STRETCH and smallest > 1 - STRETCH):
        return f"the best affine map stretches by {largest:.2f} and {smallest:.2f}"
    wander = _wander(start, end, moving)
    if wander > WANDER * np.hypot(*moving.size) / 2:
        return f"the finer steps wandered {wander:.2f} um away from the start"
    return ""


def _wander(start: Placement, end: Placement, moving: Field) -> float:
    corners = moving.corners()
    return float(np.hypot(*(end(start.inverse(corners)) - corners).T).max())
