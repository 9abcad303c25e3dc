"""Maps of current and counts whose relation is known, on one grid."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from liscope.colocalisation import Pair
from liscope.registration import Field, Placement

Array = NDArray[np.float64]

PIXEL = 0.05  # um
IN_PLACE = Placement(np.eye(2), np.zeros(2), np.zeros(2), 1.0, covariance=np.zeros((6, 6)))


def image(values: Array, pixel: float = PIXEL, **attrs: object) -> xr.DataArray:
    """Values (y, x) as a map with coordinates in um."""
    coords = {
        axis: (axis, (np.arange(n) + 0.5) * pixel, {"units": "um"})
        for axis, n in zip(("y", "x"), values.shape, strict=True)
    }
    return xr.DataArray(values, coords, ("y", "x"), "map", {"units": "1"} | attrs)


def counts_of(values: Array) -> xr.DataArray:
    return image(np.asarray(values, float), units="count", quantity="counts")


def seen_of(current: Array) -> xr.Dataset:
    """Return a current (nA) that is as smooth as the beam already: mean and typical are alike."""
    seen = image(current, units="nA", quantity="current")
    return xr.Dataset({"mean": seen, "typical": seen})


def smooth(rng: np.random.Generator, side: int = 64, length: float = 2.0) -> Array:
    """Return a smooth random map (y, x) that does not go on beyond its border; length in pixels."""
    field = ndimage.gaussian_filter(rng.standard_normal((3 * side, 3 * side)), length)
    field = field[side : 2 * side, side : 2 * side]
    return (field - field.mean()) / field.std()


def random_pair(seed: int = 0, side: int = 40) -> Pair:
    """Return counts (with ties) and current that have something in common, and a gap."""
    rng = np.random.default_rng(seed)
    common = smooth(rng, side)
    counts = rng.poisson(2 * np.exp(0.6 * common)).astype(float)
    typical = np.exp(0.8 * common + rng.standard_normal(common.shape))
    current = typical * rng.uniform(0.8, 1.5, common.shape) - 0.1
    typical[:5, 3:9] = current[:5, 3:9] = np.nan
    field = Field((PIXEL / 2, PIXEL / 2), (PIXEL, PIXEL), common.shape)
    return Pair(counts, ndimage.gaussian_filter(counts, 1), current, typical, field)


def film(seed: int, side: int = 64) -> tuple[xr.DataArray, xr.Dataset]:
    """Return counts and current of a film of which half the current's variance is the lithium's."""
    rng = np.random.default_rng(seed)
    common, own = (_of_unit_variance_in_the_mean(rng, side) for _ in range(2))
    return counts_of(rng.poisson(3 * np.exp(0.5 * common))), seen_of(np.exp(0.7 * (common + own)))


def _of_unit_variance_in_the_mean(rng: np.random.Generator, side: int) -> Array:
    length = 1.5  # pixels; white noise blurred by it has a standard deviation of 1 / (2 l sqrt(pi))
    noise = rng.standard_normal((side, side))
    return ndimage.gaussian_filter(noise, length, mode="wrap") * 2 * length * np.sqrt(np.pi)
