"""Amorphous is not porous: glass scatters into halos, an empty place shows the window alone.

What lies between the spots of a pattern is a radial profile. Its first halo, measured above what
falls from the centre, is as strong as there is glass under the beam; the window's own is always
there. Two levels among the patterns without a crystal, many times apart, are glass and window, and
a pattern between them is part of each. One level alone cannot be told: it is left as not known.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.special import expit
from scipy.stats import median_abs_deviation
from skimage.filters import threshold_otsu

from liscope.conventions import AMORPHOUS, EMPTY, UNKNOWN
from liscope.diffraction import polar
from liscope.diffraction.polar import Geometry
from liscope.diffraction.virtual import pattern_by_pattern, ring_means
from liscope.errors import DataError
from liscope.history import noted
from liscope.units import to_units

HALO = (0.36, 0.44)  # 1/angstrom: first halo of glass with neighbours some 2.5 A apart, not silica
BESIDE = ((0.25, 0.29), (0.53, 0.58))  # 1/angstrom, where they have none
INNER = 0.15  # 1/angstrom, where profiles begin
APART = 3.0  # ratio of the levels from which they are two
CLEAR = 2.0  # ratio of their distance to their spreads, lest noise about nothing be two levels
SOFT = 0.085  # of the distance of both levels, over which glass goes over into empty
SURE = 0.95  # probability from which a pattern is called one or the other
FAINT = 0.01  # of the highest halo, below which there is none, be it noise
FEWEST = 20  # patterns without a crystal, to find levels


def radial_profiles(scan: xr.Dataset, centres: xr.Dataset, geometry: Geometry) -> xr.DataArray:
    """Return the mean of each pattern over its rings, without spots, (y, x, k), lazily.

    Parameters
    ----------
    scan, centres
        ``pattern`` (y, x, ky, kx), and ``centre_x``, ``centre_y`` (y, x) in pixels.
    geometry
        The camera's, for ``k`` in 1/angstrom.
    """
    grid = polar.grid(geometry, INNER, geometry.reach)

    def rings(patterns: np.ndarray, at: np.ndarray) -> np.ndarray:
        return ring_means(polar.unrolled(patterns, at, grid))

    found = pattern_by_pattern(rings, scan, centres, "k", grid.radius)
    found["k"].attrs["units"] = "1/angstrom"
    return noted(found.assign_attrs(units="grey level"), scan["pattern"], "radial profiles")


def halo(profiles: xr.DataArray) -> xr.DataArray:
    """Return the height of the first halo (y, x) above the background, in grey levels.

    The background between the bands beside it is taken to fall exponentially.

    Raises
    ------
    DataError
        If the profiles do not reach far enough, or are too coarse.
    """
    k = to_units(profiles["k"], "1/angstrom").values
    bands = [np.flatnonzero((k >= low) & (k < high)) for low, high in (*BESIDE, HALO)]
    if k.min() > BESIDE[0][0] or k.max() < BESIDE[1][1] or not all(map(np.size, bands)):
        raise DataError(
            f"{k.size} rings from {k.min():.2f} to {k.max():.2f} 1/angstrom show no halo: it takes "
            f"one every 0.04 from {BESIDE[0][0]} to {BESIDE[1][1]}; check the pixel's size"
        )
    first, second, top = (profiles.isel(k=band).mean("k") for band in bands)
    left, right, middle = (k[band].mean() for band in bands)
    way = (middle - left) / (right - left)
    background: xr.DataArray = first.clip(1e-3) ** (1 - way) * second.clip(1e-3) ** way
    return top - background


def with_glass(orientations: xr.Dataset, profiles: xr.DataArray) -> xr.Dataset:
    """Return an orientation map in which patterns without a crystal are glass, empty, or unknown.

    Parameters
    ----------
    orientations
        As :func:`~liscope.diffraction.decision.decide` returns it.
    profiles
        Computed, as :func:`radial_profiles` returns them.

    Returns
    -------
    Dataset
        With ``phase`` -1 where glass is surer than 0.95, -2 where the place is empty, -3 in
        between; and ``glass`` (y, x), the probability of glass in patterns without a crystal, NaN
        elsewhere, where one level alone is there, and if the camera does not reach the halo.
    """
    crystal = orientations["phase"].values >= 0
    try:
        height = halo(profiles).values.astype(float)
    except DataError:  # a camera that does not reach the halo leaves all of it not known
        height = np.full(crystal.shape, np.nan)
    share = _share(height, ~crystal)
    glass = np.where(crystal, np.nan, expit((share - 0.5) / SOFT))
    phase = np.where(crystal, orientations["phase"].values, UNKNOWN)
    phase[glass >= SURE] = AMORPHOUS
    phase[glass <= 1 - SURE] = EMPTY
    out = orientations.assign(
        phase=(("y", "x"), phase.astype(np.int8), orientations["phase"].attrs),
        glass=(("y", "x"), glass, {"units": "1", "long_name": "probability of glass"}),
    )
    return out.assign_attrs(
        noted(out["score"], orientations["score"], "glass told from empty").attrs
        | orientations.attrs
    )


def _share(height: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return where between window (0) and glass (1) halos lie; NaN if there are no two levels."""
    nothing = np.full(height.shape, np.nan)
    some = height[chosen]
    if some.size < FEWEST or not some.max() > 0 or np.ptp(some) == 0:
        return nothing
    log = np.log(np.clip(some, FAINT * some.max(), None))
    bright = log > threshold_otsu(log)
    parts = (some[~bright], some[bright])
    low, high = map(np.median, parts)
    spread = sum(median_abs_deviation(part, scale="normal") for part in parts)
    two = high > APART * low and high - low > CLEAR * spread
    return (height - low) / (high - low) if two else nothing
