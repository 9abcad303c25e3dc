"""Means, covariances and joint histograms of a volume's channels, in one pass over its blocks."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import xarray as xr

from liscope.errors import DataError, ParameterError
from liscope.volume._states import Array, blocks_of, may_be_alone, reduced, reduced_alone

BINS = 256

Pair = tuple[str, str]
Ranges = dict[str, tuple[float, float]]


def joint_moments(volume: xr.DataArray, mask: xr.DataArray | None = None) -> xr.Dataset:
    """Return how many voxels there are, the channels' means, and their covariance.

    Only voxels in which every channel has a value take part, so that all numbers are of the same
    ones. Sums of blocks are joined by their means, in double precision: no difference of large
    sums occurs.

    Parameters
    ----------
    volume
        (channel, ...), any unit; read once where it is lazy.
    mask
        (...), true for the voxels that take part; None: all.

    Returns
    -------
    ``count``, ``mean`` (channel), ``covariance`` (channel, other) with n - 1, ``correlation``
    (channel, other); NaN where there are too few voxels, or no variance.

    Source: T. F. Chan, G. H. Golub, R. J. LeVeque, Am. Stat. 37, 242 (1983),
    doi:10.1080/00031305.1983.10483115.
    """
    return moments_of([volume], mask)[0]


def moments_of(
    volumes: Sequence[xr.DataArray], mask: xr.DataArray | None = None
) -> list[xr.Dataset]:
    """Return :func:`joint_moments` of several volumes; what they share is computed once."""
    from dask.base import compute

    none, nothing = np.empty((0, 2), np.int64), np.empty((0, 2))
    states = compute(*(reduced(*blocks_of(one, mask), none, nothing, 1) for one in volumes))
    return [_moments(state, one) for state, one in zip(states, volumes, strict=True)]


def joint_histogram(
    volume: xr.DataArray,
    pair: Pair,
    bins: int = BINS,
    ranges: Ranges | None = None,
    mask: xr.DataArray | None = None,
) -> xr.DataArray:
    """Return how many voxels have which values of two channels.

    Parameters
    ----------
    volume, mask
        As :func:`joint_moments`; voxels in which one of the two has no value take no part.
    pair
        Names of the channels.
    bins
        Along each axis.
    ranges
        (low, high) of channels by name; what lies outside is not counted, the high end is inside.
        Those not given are found by a pass of its own.

    Returns
    -------
    Dims as the pair's names, coordinates the middles of bins, attrs ``outside``: voxels with values
    that lie in no bin.
    """
    chosen = volume.sel(channel=list(pair))
    return joint_statistics(chosen, [pair], bins, ranges, mask)[1][0]


def joint_statistics(
    volume: xr.DataArray,
    pairs: Sequence[Pair] = (),
    bins: int = BINS,
    ranges: Ranges | None = None,
    mask: xr.DataArray | None = None,
) -> tuple[xr.Dataset, list[xr.DataArray]]:
    """Return :func:`joint_moments` and, for each pair, :func:`joint_histogram`, in one pass.

    Voxels in which any of the volume's channels has no value take no part in any of them.

    Raises
    ------
    DataError
        If the volume has no such channel, or the mask is of another shape.
    ParameterError
        If there are no bins, or a range is empty.
    """
    if bins < 1:
        raise ParameterError(f"bins: {bins}, at least 1")
    lazy, inside = blocks_of(volume, mask)
    names = [str(name) for name in volume["channel"].to_numpy()]
    missing = {name for pair in pairs for name in pair} - set(names)
    if missing or any(one == other for one, other in pairs):
        raise DataError(f"pairs {list(pairs)} are not of two channels each of {', '.join(names)}")
    binned = sorted({name for pair in pairs for name in pair})
    limits = np.full((len(names), 2), (0.0, 1.0))
    if binned:
        found = (ranges or {}) | _ranges(volume, [n for n in binned if n not in (ranges or {})])
        limits[[names.index(name) for name in binned]] = [_range(name, found) for name in binned]
    numbers = np.array([[names.index(name) for name in pair] for pair in pairs], np.int64)
    work = reduced_alone if may_be_alone(lazy) else reduced
    state = work(lazy, inside, numbers.reshape(-1, 2), limits, bins).compute()
    moments = _moments(state, volume)
    axes = {
        name: xr.DataArray(
            low + (high - low) / bins * (np.arange(bins) + 0.5), dims=name, attrs=_units(volume)
        )
        for name, (low, high) in zip(names, limits, strict=True)
    }
    counted = state[len(state) - len(pairs) * bins**2 :].reshape(len(pairs), bins, bins)
    total = int(moments["count"])
    return moments, [_histogram(*one, axes, total) for one in zip(counted, pairs, strict=True)]


def _units(array: xr.DataArray) -> dict[str, str]:
    return {"units": array.attrs["units"]} if "units" in array.attrs else {}


def _ranges(volume: xr.DataArray, names: Sequence[Hashable]) -> Ranges:
    """Return least and largest value of channels; one pass over these."""
    from dask.base import compute

    if not names:
        return {}
    chosen = volume.sel(channel=list(names))
    dims = [dim for dim in volume.dims if dim != "channel"]
    low, high = compute(chosen.min(dims), chosen.max(dims))
    return {
        str(name): (float(a), float(b) if b > a else float(a) + 1)
        for name, a, b in zip(names, low, high, strict=True)
    }


def _range(name: str, ranges: Ranges) -> tuple[float, float]:
    low, high = ranges[name]
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ParameterError(f"range of {name}: ({low}, {high}) is empty; low must be below high")
    return low, high


def _moments(state: Array, volume: xr.DataArray) -> xr.Dataset:
    """Return count, mean, covariance and correlation of a state."""
    names = volume["channel"].to_numpy()
    size = len(names)
    enough = state[0] > 1
    product = state[1 + size : 1 + size + size**2].reshape(size, size)
    covariance = product / (state[0] - 1) if enough else np.full((size, size), np.nan)
    scale = np.sqrt(np.diag(covariance))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = covariance / (scale[:, None] * scale)
    both = ("channel", "other")
    return xr.Dataset(
        {
            "count": ((), int(state[0])),
            "mean": ("channel", state[1 : 1 + size] if state[0] else np.full(size, np.nan)),
            "covariance": (both, covariance),
            "correlation": (both, correlation),
        },
        {"channel": names, "other": names},
    )


def _histogram(
    counted: Array, pair: Pair, axes: dict[str, xr.DataArray], total: int
) -> xr.DataArray:
    return xr.DataArray(
        counted.astype(np.int64),
        {name: axes[name] for name in pair},
        pair,
        "voxels",
        {"units": "voxel", "outside": total - int(counted.sum())},
    )
