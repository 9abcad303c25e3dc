"""Is the correspondence more than chance? Toroidal shifts, each aligned as the maps were.

Both maps are smooth, so that pixels are no independent samples: one map is therefore shifted around
the other, which leaves in each what neighbours have in common. If the maps were aligned by the very
values that are compared, the best of many places was taken, and the same must be allowed to every
shift. Mirrored and turned maps, shifted likewise, add places that are unrelated for certain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy import fft, ndimage

from liscope.progress import track
from liscope.registration.placement import Array, Field, Placement
from liscope.statistics import correlation_length

MIRRORS = ((-1, 1), (1, -1), (-1, -1))
STEP = 3.0  # degrees between the rotations that are tried
APART = 2.0  # correlation lengths within which shifted maps still overlap with themselves
PIXELS = 128  # of the field's side, at most


@dataclass(frozen=True)
class Null:
    """The observed correlation, those of shifted maps, and the chance of the observed one.

    ``independent`` is the number of shifts that have nothing in common; ``chance`` is never said to
    be smaller than one in as many.
    """

    observed: float
    shifted: Array
    independent: float
    chance: float


def shift_null(
    fixed: xr.DataArray,
    moving: xr.DataArray,
    placement: Placement,
    window: float = 0.0,
    rotation: float = 0.0,
) -> Null:
    """Compare Pearson's correlation at the placement with that of shifted maps.

    Parameters
    ----------
    fixed, moving
        Contrasts (y, x), see :func:`liscope.registration.contrast`.
    window, rotation
        um and degrees to either side within which the maps were aligned by the values that are
        compared; zero if they were aligned by others. What stretching them brought on top is left
        out then, since the shifted maps are not stretched either.
    """
    aligned_by_itself = window > 0 or rotation > 0
    still, other = _in_one_frame(
        fixed, moving, placement.rigid() if aligned_by_itself else placement
    )
    pixel = max(Field.of(moving).size) / max(still.shape)
    angles = np.linspace(-rotation, rotation, 2 * int(np.ceil(rotation / STEP)) + 1)
    torus = _Torus(still)
    length = APART * max(correlation_length(still), correlation_length(other))
    reach = window / pixel
    distance = torus.distance()
    surfaces = [
        _realigned(torus, other[::y, ::x], angles, reach)
        for y, x in track(((1, 1), *MIRRORS), "null model")
    ]
    observed = torus.correlation(other)[0, 0]
    far = distance > length + reach
    shifted = np.concatenate([surfaces[0][far], *(one.ravel() for one in surfaces[1:])])
    alike = np.pi * max(length / 2 + reach, 1.0) ** 2
    independent = max(1.0, len(shifted) / alike)
    beyond = float(np.mean(shifted >= observed))
    return Null(float(observed), shifted, independent, max(beyond, 1 / (independent + 1)))


def _in_one_frame(
    fixed: xr.DataArray, moving: xr.DataArray, placement: Placement
) -> tuple[Array, Array]:
    """Return both maps on square pixels over the field of the moving one; NaN: nothing there."""
    there, here = Field.of(moving), Field.of(fixed)
    step = max(max(here.pixel), max(there.size) / PIXELS)
    shape = np.maximum((there.size / step).astype(int), 8)
    axes = [
        c - n * step / 2 + step / 2 + step * np.arange(n)
        for c, n in zip(there.centre, shape, strict=True)
    ]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    still = _averaged(fixed, here, placement.inverse(points), step)
    other = _averaged(moving, there, points, step)
    return still, np.where(np.isfinite(other), other, np.nanmean(other))


def _averaged(image: xr.DataArray, field: Field, points: Array, step: float) -> Array:
    values = image.to_numpy().astype(float)
    valid = np.isfinite(values)
    blur = np.maximum(step / np.asarray(field.pixel) - 1, 0) / 2
    where = np.moveaxis(field.indices(points), -1, 0)
    weight, mean = (
        ndimage.map_coordinates(ndimage.gaussian_filter(a, blur), where, order=1, cval=0.0)
        for a in (valid.astype(float), np.where(valid, values, 0.0))
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight > 0.5, mean / weight, np.nan)


class _Torus:
    """One map on a torus, to be correlated with others at every shift."""

    def __init__(self, still: Array) -> None:
        self.shape = still.shape
        valid = np.isfinite(still)
        filled = np.where(valid, still - np.nanmean(still), 0.0)
        self.parts = [fft.rfft2(a) for a in (valid.astype(float), filled, filled**2)]

    def distance(self) -> Array:
        """Return the length of each shift around the torus, pixels."""
        rows, columns = (np.minimum(np.arange(n), n - np.arange(n)) for n in self.shape)
        return np.asarray(np.hypot(rows[:, None], columns[None, :]))

    def correlation(self, other: Array) -> Array:
        """Return |Pearson's correlation| with a map (NaN takes no part) at each shift."""
        valid = np.isfinite(other)
        filled = np.where(valid, other, 0.0)
        parts = [np.conj(fft.rfft2(a)) for a in (valid.astype(float), filled, filled**2)]
        pairs = ((0, 0), (1, 0), (2, 0), (0, 1), (0, 2), (1, 1))
        n, sf, sff, sm, smm, sfm = (
            fft.irfft2(self.parts[i] * parts[j], self.shape) for i, j in pairs
        )
        n = np.maximum(n, 1.0)
        spread = np.maximum(sff - sf**2 / n, 1e-9) * np.maximum(smm - sm**2 / n, 1e-9)
        return np.asarray(np.abs(sfm - sf * sm / n) / np.sqrt(spread))


def _realigned(torus: _Torus, other: Array, angles: Array, reach: float) -> Array:
    """Return, for each shift, the best correlation that aligning within the window would find."""
    best = np.max([torus.correlation(_turned(other, angle)) for angle in angles], axis=0)
    if reach < 1:
        return np.asarray(best)
    side = np.arange(-int(reach), int(reach) + 1)
    disc = np.hypot(side[:, None], side[None, :]) <= reach
    return np.asarray(ndimage.maximum_filter(best, footprint=disc, mode="wrap"))


def _turned(image: Array, angle: float) -> Array:
    return np.asarray(
        image if angle == 0 else ndimage.rotate(image, angle, reshape=False, order=1, cval=np.nan)
    )
