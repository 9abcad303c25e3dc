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
from scipy import ndimage

from liscope.progress import track
from liscope.registration.correlation import (
    Spectra,
    averaged,
    correlation,
    spectra,
    square_points,
)
from liscope.registration.placement import Array, Field, Placement
from liscope.registration.search import MIRRORS, STEP
from liscope.statistics import correlation_length

APART = 2.0  # correlation lengths within which shifted maps still overlap with themselves
PIXELS = 128  # of the field's side, at most


@dataclass(frozen=True)
class Null:
    """The observed correlation, those of shifted maps, and the chance of the observed one.

    ``independent`` is the number of shifts that have nothing in common; ``chance`` is never said to
    be smaller than one in as many.
    """

    observed: float
    pixel: float  # um, on which the maps were compared
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
    around = spectra(still, (still.shape[0], still.shape[1]))
    length = APART * max(correlation_length(still), correlation_length(other))
    reach = window / pixel
    distance = _distance((still.shape[0], still.shape[1]))
    surfaces = [
        _realigned(around, other[::y, ::x], angles, reach)
        for y, x in track(((1, 1), *MIRRORS), "null model")
    ]
    observed = _at_shifts(around, other)[0, 0]
    far = distance > length + np.sqrt(2) * reach
    shifted = np.concatenate([surfaces[0][far], *(one.ravel() for one in surfaces[1:])])
    alike = max(length + 2 * reach, 1.0) ** 2  # shifts whose best correlations are much the same
    independent = max(1.0, len(shifted) / alike)
    beyond = float(np.mean(shifted >= observed))
    return Null(float(observed), pixel, shifted, independent, max(beyond, 1 / (independent + 1)))


def _in_one_frame(
    fixed: xr.DataArray, moving: xr.DataArray, placement: Placement
) -> tuple[Array, Array]:
    """Return both maps on square pixels over the field of the moving one; NaN: nothing there."""
    there, here = Field.of(moving), Field.of(fixed)
    step = max(max(here.pixel), max(there.size) / PIXELS)
    points = square_points(there, step)
    still = averaged(fixed.to_numpy().astype(float), here, placement.inverse(points), step)
    other = averaged(moving.to_numpy().astype(float), there, points, step)
    return _standard(still), np.where(np.isfinite(other), _standard(other), 0.0)


def _standard(image: Array) -> Array:
    return np.asarray((image - np.nanmean(image)) / (np.nanstd(image) or 1.0))


def _distance(shape: tuple[int, int]) -> Array:
    """Return the length of each shift around the torus, pixels."""
    rows, columns = (np.minimum(np.arange(n), n - np.arange(n)) for n in shape)
    return np.asarray(np.hypot(rows[:, None], columns[None, :]))


def _at_shifts(still: Spectra, other: Array) -> Array:
    """Return |Pearson's correlation| with a map (NaN takes no part) at each shift."""
    shape = (other.shape[0], other.shape[1])
    return np.abs(correlation(still, spectra(other, shape), shape)[0])


def _realigned(still: Spectra, other: Array, angles: Array, reach: float) -> Array:
    """Return, for each shift, the best correlation that aligning within the window would find."""
    best = np.max([_at_shifts(still, _turned(other, angle)) for angle in angles], axis=0)
    side = 2 * int(reach) + 1  # a square window: somewhat more freedom than a round one
    return np.asarray(ndimage.maximum_filter(best, side, mode="wrap"))


def _turned(image: Array, angle: float) -> Array:
    return np.asarray(
        image if angle == 0 else ndimage.rotate(image, angle, reshape=False, order=1, cval=np.nan)
    )
