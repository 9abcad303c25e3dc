"""Counts on other scales: the paper's two to 8 bit, and one that respects counting statistics.

Sources: Y. Sun et al., Micron, 103746 (online 2024), doi:10.1016/j.micron.2024.103746, Eqs. 1 and
2; F. J. Anscombe, Biometrika 35, 246 (1948), doi:10.1093/biomet/35.3-4.246.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError
from liscope.history import noted
from liscope.volume.moments import Pair, moments_of

LEVELS = 255  # the brightest grey of 8 bit
MOST = 1 << 24  # counts, beyond which a table of how often each occurs is absurd
BRIGHT = 0.999  # of voxels: what is brighter is an outlier


def limits(volume: xr.DataArray) -> xr.DataArray:
    """Return least and largest value of each channel, (channel, end), in one pass."""
    from dask.base import compute

    dims = [dim for dim in volume.dims if dim != "channel"]
    low, high = compute(volume.min(dims), volume.max(dims))
    both: xr.DataArray = xr.concat([low, high], xr.Variable("end", ["low", "high"]))
    return both.transpose(..., "end")


def min_max(volume: xr.DataArray, ends: xr.DataArray | None = None) -> xr.DataArray:
    """Return Eq. 1, (x - x_min) / (x_max - x_min), in 256 levels of grey.

    Parameters
    ----------
    volume
        (channel, ...), counts.
    ends
        From :func:`limits`, which is called (one pass over the volume) where it is not given.

    Returns
    -------
    Whole numbers from 0 to 255, float32 since NaN stays; lazily where the volume is.
    """
    low, high = _ends(volume, ends)
    span = high - low
    return _levels((volume - low) / span.where(span > 0, 1.0), volume, "min-max to 8 bit (Eq. 1)")


def log_scaled(volume: xr.DataArray, ends: xr.DataArray | None = None) -> xr.DataArray:
    """Return Eq. 2, log10 x / log10 x_max, in 256 levels of grey.

    It has no value (NaN) where nothing was counted, nor where interpolation made counts negative,
    and is 0 for one count and, clipped, for interpolated counts below one. Parameters and form as
    :func:`min_max`.
    """
    high = _ends(volume, ends)[1]
    positive = volume.where(volume > 0)
    return _levels(
        xr.ufuncs.log10(positive) / xr.ufuncs.log10(high.where(high > 1)),
        volume,
        "log10 to 8 bit (Eq. 2)",
    )


def log_levels(stack: xr.DataArray) -> xr.DataArray:
    """Return recorded counts as the paper's pictures of 8 bit have them: Eq. 2, 0 for none.

    A whole number has no NaN. The brightest pixel of all slices sets the scale. To be interpolated
    afterwards, in the paper's order.

    Parameters
    ----------
    stack
        (channel or element or ion, ...), counts.

    Returns
    -------
    Levels of grey 0 to 255, its first dimension called ``channel``; NaN where the stack is.
    """
    named = _channels(stack)
    return log_scaled(named).fillna(0.0).where(named.notnull())


def anscombe(volume: xr.DataArray, share: float | xr.DataArray = 1.0) -> xr.DataArray:
    """Return 2 sqrt(x / share + 3/8), in which counting noise has a standard deviation of one.

    Interpolation is a weighted mean of pixels, so that the variance of what it returns is the
    mean's ``share``, the sum of squared weights: x / share then is as variable as a count. Within 3
    % for four counts (x / share) and more; below, noise is less than one.

    Parameters
    ----------
    volume
        Counts; negative ones, as Lanczos' window makes, are taken as none.
    share
        1 for recorded counts; for interpolated ones from :func:`liscope.volume.variance_share`.
    """
    made = 2 * ((volume / share).clip(min=0) + 0.375) ** 0.5
    made = (
        made.transpose(*volume.dims).astype(np.float32).assign_attrs(volume.attrs | {"units": "1"})
    )
    return noted(made, volume, "Anscombe's root of counts")


def _channels(counts: xr.DataArray) -> xr.DataArray:
    """Return counts whose first dimension is called ``channel``."""
    first = next(iter(counts.dims))
    return counts if first == "channel" else counts.rename({first: "channel"})


def _ends(volume: xr.DataArray, ends: xr.DataArray | None) -> tuple[xr.DataArray, xr.DataArray]:
    ends = limits(volume) if ends is None else ends
    return ends.sel(end="low", drop=True), ends.sel(end="high", drop=True)


def _levels(scaled: xr.DataArray, volume: xr.DataArray, step: str) -> xr.DataArray:
    made = (LEVELS * scaled.clip(0.0, 1.0)).round().astype(np.float32)
    made = made.transpose(*volume.dims).assign_attrs(volume.attrs | {"units": "1"})
    return noted(made, volume, step)


def normalisation_table(counts: xr.DataArray) -> pd.DataFrame:
    """Return, for each channel, what both normalisations to 8 bit do to its voxels (Figs. 2, 3).

    Parameters
    ----------
    counts
        (channel or element or ion, ...), whole numbers: as recorded.

    Returns
    -------
    Index ``channel``; columns

    - ``counts_max``: counts of the brightest pixel, x_max of both equations.
    - ``bright_max``: counts that 99.9 % of pixels do not exceed; what is brighter is an outlier.
    - ``none_percent``: pixels without a count, for which Eq. 2 has no value.
    - ``min_max_black_percent``: something was counted, yet Eq. 1 makes it level 0: falsely removed,
      as Fig. 3g says of Eq. 1. Where the least count is 0, Eq. 1 only rescales, and one count comes
      to 0 by rounding where counts_max is above 510, and never below.
    - ``log_black_percent``: likewise by Eq. 2, which gives one count level 0 always.
    - ``min_max_merged_percent``, ``log_merged_percent``: share their level with another number of
      counts, so that 8 bit cannot tell the two apart; Eq. 1 merges none where counts span 255 or
      fewer.
    - ``min_max_levels``, ``log_levels``: width of the range of levels that all but the outliers lie
      in, of 256.

    Raises
    ------
    DataError
        If the counts are not whole, or absurdly many.
    """
    ends = limits(_channels(counts))
    highest = float(ends.max())
    if not 0 < highest < MOST or float(ends.min()) < 0:
        raise DataError(
            f"counts reach from {float(ends.min()):g} to {highest:g}, no counts as recorded"
        )
    often = _often(counts, int(highest) + 1)
    names = [str(name) for name in counts[counts.dims[0]].to_numpy()]
    rows = [_row(one, ends.isel(channel=n).to_numpy()) for n, one in enumerate(often)]
    return pd.DataFrame(rows, pd.Index(names, name="channel"))


def _often(counts: xr.DataArray, size: int) -> NDArray[np.int64]:
    """Return how often each number of counts occurs, (channel, number)."""
    import dask.array as da

    lazy = counts.data if counts.chunks else da.from_array(counts.data, "auto")
    axes = "czyxwv"[: lazy.ndim]
    parts = da.blockwise(
        _numbers, f"{axes}n", lazy, axes, new_axes={"n": size}, dtype=np.int64, size=size,
        adjust_chunks={axis: 1 for axis in axes[1:]}, meta=np.empty((0,) * (lazy.ndim + 1), int),
    )  # fmt: skip
    return np.asarray(parts.sum(tuple(range(1, lazy.ndim)), split_every=8).compute())


def _numbers(block: NDArray[Any], size: int) -> NDArray[np.int64]:
    found = []
    for channel in block:
        values = channel[np.isfinite(channel)]
        whole = values.astype(np.int64)
        if not np.array_equal(whole, values):
            raise DataError("counts are not whole numbers; give them as recorded")
        found.append(np.bincount(whole, minlength=size))
    return np.array(found).reshape(len(block), *(1,) * (block.ndim - 1), size)


def _row(often: NDArray[np.int64], ends: NDArray[Any]) -> dict[str, float]:
    low, high = (int(end) for end in ends)
    number = np.flatnonzero(often)
    share = 100 * often[number] / often.sum()
    grey = np.round(LEVELS * (number - low) / max(high - low, 1))
    logs = np.log10(np.maximum(number, 1)) / max(np.log10(max(high, 1)), 1e-9)
    dark = np.round(LEVELS * logs)
    bright = number[np.searchsorted(np.cumsum(share), 100 * BRIGHT)]
    within, seen = number <= bright, number > 0
    return {
        "counts_max": high,
        "bright_max": int(bright),
        "none_percent": float(share[~seen].sum()),
        "min_max_black_percent": float(share[seen & (grey == 0)].sum()),
        "log_black_percent": float(share[seen & (dark == 0)].sum()),
        "min_max_merged_percent": _merged(grey, share),
        "log_merged_percent": _merged(dark[seen], share[seen]),
        "min_max_levels": float(np.ptp(grey[within]) + 1),
        "log_levels": float(np.ptp(dark[within & seen]) + 1) if (within & seen).any() else 0.0,
    }


def _merged(level: NDArray[Any], share: NDArray[Any]) -> float:
    """Return the share of voxels whose level belongs to several numbers of counts."""
    _, back, times = np.unique(level, return_inverse=True, return_counts=True)
    return float(share[times[back] > 1].sum())


def normalised_correlations(
    volume: xr.DataArray,
    pair: Pair,
    noise: xr.DataArray | None = None,
    normalised_first: xr.DataArray | None = None,
) -> pd.DataFrame:
    """Return Pearson's correlation of two channels on each scale, from the same voxels' counts.

    Only counts and min-max, which is affine, give the correlation of what was counted. The
    logarithm and, less so, Anscombe's root stretch few counts, and answer another question.

    Parameters
    ----------
    volume
        (channel, z, y, x), counts.
    pair
        Names of the channels.
    noise
        Counting noise left by interpolation, for Anscombe's root: (channel) or (channel, z), from
        :func:`liscope.volume.noise_left`; of channels that it does not name 1: recorded counts.
    normalised_first
        The channels in the paper's order: :func:`log_levels` of what was recorded, brought onto the
        same grid afterwards.

    Returns
    -------
    Index ``scale``: counts, min-max, log (voxels without a value left out), log with 0 for none
    (as an image of 8 bit must have it), Anscombe, and where it is given ``log before
    interpolation``. Columns ``correlation`` and ``voxels``. For an interval and a null, give a
    volume from :func:`scales_of` to :func:`liscope.volume.correlation_table`.
    """
    scales = scales_of(volume.sel(channel=list(pair)), noise)
    if normalised_first is not None:
        scales["log before interpolation"] = normalised_first.sel(channel=list(pair))
    found = moments_of(list(scales.values()))
    rows = {
        name: {"correlation": float(one["correlation"][0, 1]), "voxels": int(one["count"])}
        for name, one in zip(scales, found, strict=True)
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("scale")


def scales_of(volume: xr.DataArray, noise: xr.DataArray | None = None) -> dict[str, xr.DataArray]:
    """Return the volume on each scale by name, lazily but for one pass for the limits.

    Parameters as :func:`normalised_correlations`.
    """
    share = 1.0 if noise is None else noise.reindex(channel=volume["channel"], fill_value=1.0)
    ends = limits(volume)
    log = log_scaled(volume, ends)
    return {
        "counts": volume,
        "min-max": min_max(volume, ends),
        "log": log,
        "log, none as 0": log.fillna(0.0).where(volume.notnull()),
        "Anscombe": anscombe(volume, share),
    }
