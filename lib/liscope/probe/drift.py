"""Drift between two maps of one area, found from their topography.

Within a map the slow axis is time, so a steady drift shows as a shift that grows from line to line.
The shift is measured in strips of lines by phase correlation and fitted by a straight line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from liscope.errors import DataError
from liscope.history import noted
from liscope.units import to_units

STRIPS = 8
FEWEST_STRIPS = 3
UPSAMPLE = 20  # 1/20 pixel
LOST = 3.0  # residual, in pixels, beyond which the strips do not agree on a place


@dataclass(frozen=True)
class Drift:
    """Where the moving map's places lie in the fixed one: ``fixed = moving - shift - rate * t``.

    ``shift`` and ``rate`` are (y, x) in pixels, ``t`` runs from -0.5 to 0.5 along the slow axis
    of the fixed map;
    ``strips`` holds (strip, 2) measured shifts and ``residual`` their root mean square distance
    from the fitted line, in pixels.
    """

    shift: tuple[float, float]
    rate: tuple[float, float]
    strips: NDArray[np.float64]
    centres: NDArray[np.float64]
    residual: float

    def at(self, time: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the shift (..., 2) at times from -0.5 to 0.5."""
        return np.asarray(self.shift) + np.asarray(self.rate) * np.asarray(time)[..., None]


def find_drift(fixed: xr.DataArray, moving: xr.DataArray) -> Drift:
    """Return the drift of ``moving`` against ``fixed``, two levelled heights (y, x) of one grid.

    Raises
    ------
    DataError
        If the maps differ in shape or pixel size, or one is flat or mostly empty.
    """
    check_same_grid(fixed, moving)
    a, b = (_centred(image.to_numpy()) for image in (fixed, moving))
    if not (a.std() > 0 and b.std() > 0):
        raise DataError("the maps cannot be matched: one of them is flat")
    coarse = _shift(a, b)
    strips_of_rows = np.array_split(np.arange(a.shape[0]), STRIPS)
    rows = [part for part in strips_of_rows if _scanned(fixed, part) and _scanned(moving, part)]
    if len(rows) < FEWEST_STRIPS:
        raise DataError("the maps cannot be matched: too few scan lines hold values in both")
    centres = np.array([part.mean() / a.shape[0] - 0.5 for part in rows])
    strips = np.array([coarse + _strip_shift(a, b, part, coarse) for part in rows])
    line, residual = _robust_line(centres, strips)
    shift, rate = ((float(row[0]), float(row[1])) for row in line)
    return Drift(shift, rate, strips, centres, residual)


def _centred(image: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.nan_to_num(image - np.nanmean(image))


def _scanned(image: xr.DataArray, rows: NDArray[np.intp]) -> bool:
    return bool(np.isfinite(image.to_numpy()[rows]).mean() > 0.9)


def _shift(fixed: NDArray[np.float64], moving: NDArray[np.float64]) -> NDArray[np.float64]:
    window = np.outer(*(np.hanning(n) for n in fixed.shape))
    # Unnormalised correlation: grains decide, not the white noise at high frequencies.
    shift, *_ = phase_cross_correlation(
        fixed * window, moving * window, upsample_factor=UPSAMPLE, normalization=None
    )
    return np.asarray(-shift)


def _strip_shift(
    fixed: NDArray[np.float64],
    moving: NDArray[np.float64],
    rows: NDArray[np.intp],
    coarse: NDArray[np.float64],
) -> NDArray[np.float64]:
    back = ndimage.shift(moving, -coarse, order=1, mode="nearest")
    return _shift(fixed[rows], back[rows])


def _robust_line(
    time: NDArray[np.float64], shifts: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Fit ``shift + rate * time`` by iteratively reweighted least squares (Cauchy weights)."""
    terms = np.stack([np.ones_like(time), time], -1)
    weight = np.ones(len(time))
    for _ in range(20):
        root = np.sqrt(weight)[:, None]
        line, *_ = np.linalg.lstsq(terms * root, shifts * root, rcond=None)
        distance = np.linalg.norm(shifts - terms @ line, axis=1)
        scale = max(float(np.median(distance)), 0.02)
        weight = 1 / (1 + (distance / (2 * scale)) ** 2)
    return line, float(np.sqrt(np.mean(distance**2)))


def onto(image: xr.DataArray, drift: Drift, order: int = 1) -> xr.DataArray:
    """Return the moving map's ``image`` (y, x) on the fixed map's grid; NaN where it did not look.

    Linear interpolation (``order`` 1) neither overshoots at steep edges nor invents negative
    currents, but it smooths. Where that matters, take a cubic spline (3) for a difference of
    heights and the nearest pixel (0) for their roughness.
    """
    rows, columns = np.indices(image.shape).astype(float)
    time = rows / image.shape[0] - 0.5
    dy, dx = np.moveaxis(drift.at(time), -1, 0)
    where = [rows + dy, columns + dx]
    values = image.to_numpy()
    holes = np.isnan(values)
    if holes.any():  # one NaN would spread over the whole spline
        nearest = ndimage.distance_transform_edt(holes, return_distances=False, return_indices=True)
        values = values[tuple(nearest)]
    moved = ndimage.map_coordinates(values, where, order=order, mode="constant", cval=np.nan)
    moved[ndimage.map_coordinates(holes.astype(float), where, order=min(order, 1)) > 0] = np.nan
    step = "moved by drift ({:.2f}, {:.2f}) px (y, x)".format(*drift.shift)
    return noted(image.copy(data=moved), image, step)


def check_same_place(drift: Drift, image: xr.DataArray) -> None:
    """Raise a :class:`DataError` where the two maps do not show the same place.

    Either the strips of lines disagree on the shift, or the shift leaves less than half of the map.
    """
    overlap = np.prod(
        [1 - min(1, abs(s) / n) for s, n in zip(drift.shift, image.shape, strict=True)]
    )
    if drift.residual > LOST or overlap < 0.5:
        raise DataError(
            f"the two maps do not show the same place: strips of lines disagree on the shift by "
            f"{drift.residual:.1f} pixels, {100 * overlap:.0f} % would overlap; compare the names"
        )


def pixel_size(image: xr.DataArray) -> tuple[float, float]:
    """Return (y, x) pixel size in um.

    Raises
    ------
    DataError
        If a coordinate is missing, has no units or is not evenly spaced.
    """
    sizes = []
    for axis in ("y", "x"):
        if axis not in image.coords:
            raise DataError(f"'{image.name}' has no coordinate '{axis}'")
        steps = np.diff(to_units(image[axis], "um").to_numpy())
        if not np.allclose(steps, steps.mean(), rtol=1e-3):
            raise DataError(f"coordinate '{axis}' of '{image.name}' is not evenly spaced")
        sizes.append(float(abs(steps.mean())))
    return sizes[0], sizes[1]


def check_same_grid(one: xr.DataArray, other: xr.DataArray) -> None:
    """Raise a :class:`DataError` unless both maps have the same shape and pixel size."""
    if one.shape != other.shape:
        raise DataError(f"the maps differ in shape: {one.shape} and {other.shape} pixels")
    if not np.allclose(pixel_size(one), pixel_size(other), rtol=0.01):
        raise DataError(f"the maps differ in pixel size: {pixel_size(one)} and {pixel_size(other)}")
