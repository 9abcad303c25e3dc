"""Is a correlation more than chance, and how well is it known? Voxels are not independent.

A particle fills thousands of voxels, so that few of them say something new. What two unrelated
channels would show is found by shifting one around the other in the plane, all slices alike: what
neighbours have in common within each channel, in the plane and through slices, stays as it is. The
interval comes from leaving out blocks several correlation lengths wide, as in
:mod:`liscope.statistics`.

Sources: P. Dutilleul, Biometrics 49, 305 (1993), doi:10.2307/2532625 (effective sample size);
C. Spearman, Am. J. Psychol. 15, 72 (1904), doi:10.2307/1412159 (attenuation).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage, stats

from liscope.errors import DataError
from liscope.statistics import (
    BLOCK,
    FEWEST_BLOCKS,
    LEVEL,
    Estimate,
    blocks,
    held_variance,
)
from liscope.units import to_units
from liscope.volume._spectra import centred, distance, shifted, spectra
from liscope.volume.moments import Pair, moments_of

APART = 2.0  # correlation lengths within which shifted channels still overlap with themselves
DIRECTIONS = 16  # in which one channel is moved by the registration's error
CELLS = 48  # along the longer side of a slice, of which blocks are made

Array = NDArray[np.float64]


def correlation_table(
    volume: xr.DataArray,
    pairs: Sequence[Pair],
    noise: xr.DataArray | None = None,
    error_nm: float | None = None,
) -> pd.DataFrame:
    """Return Pearson's correlation of pairs of channels, with an interval and a null: a row each.

    Interval and p answer different questions. The interval is what other parts of the same specimen
    would give: it rests on how much blocks of this one differ. p is how often channels that have
    nothing to do with each other, but keep their own structure, come as far from 0. Near their
    limits they can disagree, p below 0.05 with an interval that holds 0: the places where channels
    are related differ more than shifted ones do. Then nothing is settled.

    Parameters
    ----------
    volume
        (channel, z, y, x), any unit, coordinates in units of length. Read three times where it is
        lazy: means, what is needed of the field, and the shifts.
    pairs
        Names of channels.
    noise
        Counting noise of channels that are counts, variance over mean: (channel) or (channel, z), 1
        for recorded counts, for interpolated ones from :func:`liscope.volume.noise_left`. Channels
        that it does not name are taken to have none.
    error_nm
        By how much one channel may lie beside the other (the registration's error), nm.

    Returns
    -------
    Index ``pair``; columns

    - ``value``, ``low`` and ``high``: 95 %, by blocks; by the effective number where there are too
      few blocks.
    - ``without_noise``, ``without_noise_low``, ``without_noise_high``, only with ``noise``: these
      over the root of both reliabilities (Spearman 1904), what they would be if counting had no
      noise. Both reliabilities are taken as known: above 1 the noise was told too large. NaN where
      noise explains all variance.
    - ``null_sd``: standard deviation over shifts by more than two correlation lengths.
    - ``p``: two-sided. ``p_is_floor``: fewer shifts reach the value than can be told, for a field
      has only so many that have nothing in common; p is this or less.
    - ``n`` voxels, ``n_effective`` independent ones (1 + 1 / null_sd^2), ``length_um`` of
      correlation (the longer of both), ``blocks``.
    - ``error_nm`` and ``change_by_error``, only with ``error_nm``: by how much the correlation is
      another where one channel is moved this far, in the mean over directions in the plane. It is
      what a misplacement of this size costs (for a positive value, below 0).

    Raises
    ------
    DataError
        If fewer than 100 voxels have both values, or one channel does not vary in them.
    """
    chosen = [volume.sel(channel=list(pair)).transpose("channel", "z", "y", "x") for pair in pairs]
    moments = moments_of(chosen)
    rows = {}
    for pair, both, known in zip(pairs, chosen, moments, strict=True):
        row = _row(_field(both, known), known, error_nm)
        freed = {} if noise is None else _freed(row, _reliable(known, pair, noise))
        rows[f"{pair[0]}-{pair[1]}"] = row | freed
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("pair")


def _field(both: xr.DataArray, known: xr.Dataset) -> xr.DataArray:
    """Return the part of the field in which both channels have values."""
    if int(known["count"]) < 100 or not np.isfinite(known["correlation"][0, 1]):
        raise DataError(
            f"{' and '.join(map(str, both['channel'].to_numpy()))} cannot be correlated: they have "
            f"{int(known['count'])} voxels in common (100 are needed), or do not vary there"
        )
    if int(known["count"]) == both[0].size:
        return both
    seen = both.notnull().all("channel").any("z").to_numpy()
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    return both.isel(y=slice(rows[0], rows[-1] + 1), x=slice(columns[0], columns[-1] + 1))


def _row(both: xr.DataArray, known: xr.Dataset, error_nm: float | None) -> dict[str, float]:
    from dask.base import compute

    full = int(known["count"]) == both[0].size
    lazy = _lazy(both)
    middle = known["mean"].to_numpy()
    side = -(-max(lazy.shape[2:]) // CELLS)
    summed, cells = compute(spectra(lazy, middle, full), _cells(lazy, middle, side))
    at_shift, length = shifted(summed, (lazy.shape[2], lazy.shape[3]), lazy[0].size, full)
    value, n = float(known["correlation"][0, 1]), int(known["count"])
    chance = _by_chance(at_shift, value, length)
    effective = float(np.minimum(n, 1 + 1 / chance["null_sd"] ** 2))
    step = [_step(both, dim) for dim in ("z", "y", "x")]
    estimate, count = _by_blocks(cells, side, length, step)
    low, high = _interval(value, estimate, effective)
    return {
        "value": value,
        "low": low,
        "high": high,
        **chance,
        "n": n,
        "n_effective": effective,
        "length_um": length * max(step[1:]),
        "blocks": count,
        **_moved(at_shift, step[1:], error_nm),
    }


def _by_chance(at_shift: Array, value: float, length: float) -> dict[str, float]:
    """Return the spread of the correlations at shifts far away, and how many are as large."""
    every = np.isfinite(at_shift)
    far = at_shift[every & (distance(at_shift.shape) > APART * length)]
    # Of all shifts, none among them too: without a relation, that one is as good as any other.
    beyond = float(np.mean(np.abs(at_shift[every]) >= abs(value) * (1 - 1e-6)))
    floor = 1 / (max(1.0, every.sum() / length**2) + 1)
    spread = float(np.std(far)) if far.size else np.nan
    return {"null_sd": spread, "p": max(beyond, floor), "p_is_floor": beyond <= floor}


def _moved(at_shift: Array, step: list[float], error_nm: float | None) -> dict[str, float]:
    """Return the correlation at shifts by the error, all directions alike, less that at none."""
    if error_nm is None:
        return {}
    error = error_nm / 1e3 / np.array(step)
    size = np.array(at_shift.shape)
    reach = np.minimum(np.ceil(error).astype(int) + 3, (size - 1) // 2)
    rows, columns = (np.arange(-r, r + 1) for r in reach)
    # Shifts go around: pixels beyond the border meet others far away, which adds nothing.
    inside = np.outer(1 - abs(rows) / size[0], 1 - abs(columns) / size[1])
    near = at_shift[np.ix_(rows, columns)] / inside
    angle = np.linspace(0, 2 * np.pi, DIRECTIONS, endpoint=False)
    at = reach[:, None] + error[:, None] * np.stack([np.sin(angle), np.cos(angle)])
    there = ndimage.map_coordinates(near, at, order=3, mode="nearest").mean()
    return {"error_nm": error_nm, "change_by_error": float(there - at_shift[0, 0])}


def _lazy(both: xr.DataArray) -> Any:
    import dask.array as da

    lazy = both.data if both.chunks else da.from_array(both.data, (2, "auto", -1, -1))
    return lazy.rechunk({0: 2, 2: -1, 3: -1})


def _step(volume: xr.DataArray, dim: str) -> float:
    place = to_units(volume[dim], "um").to_numpy()
    return float(place[-1] - place[0]) / max(len(place) - 1, 1) or 1.0


def _reliable(known: xr.Dataset, pair: Pair, noise: xr.DataArray) -> float:
    """Return the product of both channels' reliabilities: what of their variance is no noise."""
    told = {str(name) for name in noise["channel"].to_numpy()}
    reliable = 1.0
    for n, name in enumerate(pair):
        share = float(noise.sel(channel=name).mean()) if name in told else 0.0
        reliable *= max(0.0, 1 - share * float(known["mean"][n] / known["covariance"][n, n]))
    return reliable


def _freed(row: dict[str, float], reliable: float) -> dict[str, float]:
    """Return value and limits over the root of the reliabilities."""
    root = np.sqrt(reliable) if reliable > 0 else np.nan
    names = {"value": "", "low": "_low", "high": "_high"}
    return {f"without_noise{end}": float(row[name] / root) for name, end in names.items()}


def _cells(lazy: Any, middle: Array, side: int) -> Any:
    """Return number, a, b, aa, bb, ab (z, sum, cell y, cell x), summed over cells, lazily."""
    count = tuple(-(-n // side) for n in lazy.shape[2:])
    return lazy.map_blocks(
        partial(_cell_sums, middle=middle, side=side),
        dtype=float,
        chunks=(lazy.chunks[1], (6,), *((n,) for n in count)),
        drop_axis=0,
        new_axis=1,
        meta=np.empty((0,) * 4),
    )


def _cell_sums(block: NDArray[Any], middle: Array, side: int) -> Array:
    values, valid = centred(block, middle)
    rows, columns = (np.arange(0, n, side) for n in valid.shape[1:])
    found = []
    for z in range(len(valid)):
        a, b = values[:, z].astype(float)
        sums = np.stack([valid[z].astype(float), a, b, a * a, b * b, a * b])
        found.append(np.add.reduceat(np.add.reduceat(sums, rows, 1), columns, 2))
    return np.array(found).reshape(len(valid), 6, len(rows), len(columns))


def _by_blocks(cells: Array, side: int, length: float, step: list[float]) -> tuple[Estimate, int]:
    """Return Fisher's z of the correlation with its delete-one-block jackknife error."""
    wide = BLOCK * length
    depth = len(cells) * step[0] / max(step[1:])  # in pixels of the plane
    slabs = max(1, int(depth // wide))
    label = blocks((cells.shape[2], cells.shape[3]), wide / side)
    where = np.arange(len(cells)) * slabs // len(cells)
    place = where[:, None, None] * (label.max() + 1) + label
    sums = np.stack([np.bincount(place.ravel(), cells[:, n].ravel()) for n in range(6)])
    sums = sums[:, sums[0] > 0]
    value = float(_fisher(sums.sum(1)))
    without = _fisher(sums.sum(1)[:, None] - sums)
    count = sums.shape[1]
    if count < FEWEST_BLOCKS or not np.isfinite(without).all():
        return Estimate(value, np.inf, 0), count
    size = np.array([depth / slabs, *(_mean_side(label, axis) * side for axis in (0, 1))])
    held = float(np.prod(held_variance(size[1:] / length)))
    if slabs > 1:
        held *= float(held_variance(size[:1] / length)[0])
    error = np.sqrt((count - 1) / count / held * np.sum((without - without.mean()) ** 2))
    return Estimate(value, float(error), count - 1), count


def _mean_side(label: NDArray[np.intp], axis: int) -> float:
    """Return how many cells a block is wide along an axis."""
    along = label[:, 0] if axis == 0 else label[0]
    return len(along) / len(np.unique(along))


def _fisher(sums: Array) -> Array:
    n, a, b, aa, bb, ab = sums
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (ab - a * b / n) / np.sqrt((aa - a**2 / n) * (bb - b**2 / n))
    return np.asarray(np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12)))


def _interval(value: float, estimate: Estimate, effective: float) -> tuple[float, float]:
    """Return the interval by blocks or, where there are too few, by the effective number."""
    low, high = estimate.interval()
    if not np.isfinite([low, high]).all():
        if not effective > 3:
            return np.nan, np.nan
        reach = float(stats.norm.ppf((1 + LEVEL) / 2)) / np.sqrt(effective - 3)
        low, high = np.arctanh(value) - reach, np.arctanh(value) + reach
    return float(np.tanh(low)), float(np.tanh(high))
