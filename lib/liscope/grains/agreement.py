"""Two orientation maps of the same points beside each other: another program's, or the truth."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.sparse import coo_matrix

from liscope.errors import DataError
from liscope.grains.disorientation import angle_between, operators
from liscope.grains.maps import Pixels, pixels_of

WITHIN = 2.5  # degrees
SURE = 0.95


def agreement(one: xr.Dataset, two: xr.Dataset, within_deg: float = WITHIN) -> dict[str, float]:
    """Return in how many points two maps agree, where the second has a crystal.

    Parameters
    ----------
    one, two
        Orientation maps with the same phases in the same order. The second may say which other
        crystals the beam meets at a point (``crystal_phase`` and ``crystal_orientation``, and the
        same of ``second``), as the truth about a lamella does.
    within_deg
        Degrees to which orientations are the same.

    Returns
    -------
    dict
        Shares of points: ``same phase``, ``same orientation``, the latter also of those that the
        first map is surer of than 0.95, if it says how sure it is; of all points of the map of
        which it is so sure, how many have the orientation of a crystal that the beam meets there;
        and the ``median angle`` in degrees where the phase is the same.

    Raises
    ------
    DataError
        If the maps are of different size, have different phases, or the second has no crystal.
    """
    first, second = pixels_of(one), pixels_of(two)
    if first.phase.shape != second.phase.shape or first.names != second.names:
        raise DataError("the two maps differ in size or phases; they can not be compared")
    there = second.phase >= 0
    if not there.any():
        raise DataError("the second map has no crystal; there is nothing to compare with")
    angle = _between(first, second.phase, second.quaternion)
    near, known = angle < within_deg, angle[there & np.isfinite(angle)]
    out = {
        "same phase": float((first.phase == second.phase)[there].mean()),
        "same orientation": float(near[there].mean()),
        "median angle": float(np.median(known)) if known.size else np.nan,
    }
    if "reliability" in one:
        every = one["reliability"].transpose("y", "x").values >= SURE
        sure = there & every
        out["surer than 0.95"] = float(sure[there].mean())
        out["same orientation of those"] = float(near[sure].mean()) if sure.any() else np.nan
        met = near | (_others(first, two) < within_deg)
        out["a crystal's in the beam, of all so sure"] = (
            float(met[every].mean()) if every.any() else np.nan
        )
    return out


def _between(one: Pixels, phase: np.ndarray, quaternion: np.ndarray) -> np.ndarray:
    """Return the disorientation (y, x) in degrees; infinite where the phases differ."""
    angle = np.full(phase.shape, np.inf)
    for i, group in enumerate(one.groups):
        at = (one.phase == i) & (phase == i)
        angle[at] = angle_between(one.quaternion[at], quaternion[at], operators(group))
    return angle


def _others(one: Pixels, two: xr.Dataset) -> np.ndarray:
    """Return the angle (y, x) in degrees to the nearest other crystal that ``two`` knows of."""
    nearest = np.full(one.phase.shape, np.inf)
    for name in ("crystal", "second"):
        if f"{name}_phase" in two:
            phase = two[f"{name}_phase"].transpose("y", "x").values
            quaternion = two[f"{name}_orientation"].transpose("y", "x", "quaternion").values
            nearest = np.minimum(nearest, _between(one, phase, quaternion))
    return nearest


def rand_index(one: xr.DataArray, two: xr.DataArray) -> float:
    """Return the adjusted Rand index of two divisions into grains, where both have a grain.

    1 if they are the same, about 0 if they have nothing to do with each other, NaN where there are
    no two points with a grain in both. L. Hubert and P. Arabie, J. Classif. 2, 193 (1985), eq. 5,
    doi:10.1007/BF01908075.

    Raises
    ------
    DataError
        If the divisions are of different size.
    """
    if dict(one.sizes) != dict(two.sizes):
        raise DataError("the two divisions differ in size; they can not be compared")
    a, b = one.values.ravel(), two.transpose(*one.dims).values.ravel()
    both = (a > 0) & (b > 0)
    total = both.sum() * (both.sum() - 1) / 2
    if total == 0:
        return np.nan
    table = coo_matrix((np.ones(both.sum()), (a[both], b[both]))).tocsr()
    counts = (table.data, np.asarray(table.sum(0)), np.asarray(table.sum(1)))
    pairs = [float((n * (n - 1) / 2).sum()) for n in counts]
    if pairs[0] == pairs[1] == pairs[2]:  # the same, be it one grain or a grain a point
        return 1.0
    expected = pairs[1] * pairs[2] / total
    return float((pairs[0] - expected) / ((pairs[1] + pairs[2]) / 2 - expected))
