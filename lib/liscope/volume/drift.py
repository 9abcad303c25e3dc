"""Drift from slice to slice, from the shifts between slices one to several apart.

Neighbours alone would let the errors add up like a random walk. Features last for several slices,
so every slice is compared with several before it; the shifts overdetermine the places, and a robust
least-squares network gives these with what the shifts leave open.

**What no registration inside a stack can tell**: particles whose boundaries lean all to one side
look, slice by slice, like a steady drift. The shift per slice that is common to all slices is
reported with how far the structure itself may lean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from liscope import progress
from liscope.errors import DataError, ParameterError
from liscope.units import to_units
from liscope.volume import _lean, _network, _shifts
from liscope.volume._network import Pairs
from liscope.volume._shifts import Array, Optics, Peak, Spectra, View
from liscope.volume.frames import Frames

REACH = 3  # slices between two that are compared, unless said otherwise
CLEAR = 6.0  # standard deviations above which a correlation is none by chance
FEW = 0.5  # of the usual counts
UNLIKE = 0.6  # of the usual correlation with neighbours
KEPT = 0.2  # of a pair's weight, below which its shift contradicts the others
BATCH = 16  # slices measured in one task

FEW_COUNTS, UNLIKE_OTHERS, CONTRADICTED = (
    "few counts",
    "unlike its neighbours",
    "its shifts contradict each other",
)


@dataclass(frozen=True)
class Drift:
    """Where each picture of a stack lies against the mean of all.

    Attributes
    ----------
    slices
        (slice,) numbers.
    shift, sigma
        (slice, 2: y, x), um in the picture's frame, and its standard deviation, the steady part
        left aside.
    reason
        Why a slice is bad; "" if it is not. The place of a bad one rests on its neighbours'.
    steady, steady_error
        (2,) um per slice: the drift common to all slices, and how far the lean of the structure may
        have been taken for it.
    pairs
        The measured shifts (um), for inspection.
    """

    slices: NDArray[np.int64]
    shift: Array
    sigma: Array
    reason: tuple[str, ...]
    steady: Array
    steady_error: Array
    pairs: Pairs

    @property
    def bad(self) -> NDArray[np.bool_]:
        """Which slices are bad, (slice,)."""
        return np.array([bool(reason) for reason in self.reason])

    def moved(self, frames: Frames) -> Frames:
        """Return the frames with the drift in them."""
        return frames.moved(self.shift)

    def table(self) -> pd.DataFrame:
        """Return one row a slice: shifts and errors in nm, and why it is bad."""
        columns = {
            f"{name}_{axis}_nm": 1000 * values[:, i]
            for name, values in (("shift", self.shift), ("error", self.sigma))
            for i, axis in enumerate("yx")
        }
        index = pd.Index(self.slices, name="slice")
        return pd.DataFrame(columns | {"reason": self.reason}, index=index)


def slice_drift(stack: xr.DataArray, *, reach: int = REACH) -> Drift:
    """Return the drift of a stack's pictures.

    Parameters
    ----------
    stack
        Counts (channel, slice, y, x), all channels of which are used together; lazily read once, in
        batches of slices. Coordinate ``slice`` numbers the slices; missing ones may be absent.
    reach
        By how many numbers two slices may differ to be compared; consecutive ones always are.

    Raises
    ------
    DataError
        If there are fewer than two slices, they are not in order, all are flat, or no two of them
        are alike.
    ParameterError
        If ``reach`` is below 1.
    """
    from dask.base import compute
    from dask.delayed import delayed

    if reach < 1:
        raise ParameterError(f"reach: {reach}; compare slices with one before them at least")
    numbers, pixel = _numbers(stack), _pixel(stack)
    optics = Optics((stack.shape[-2], stack.shape[-1]))
    _sizeable(optics)
    counts = _chunked(stack)
    pictures = counts.map_blocks(
        _shifts.spectra,
        optics,
        dtype=np.complex64,
        chunks=(*counts.chunks[:2], (optics.kept[0],), (optics.kept[1] // 2 + 1,)),
    )
    compare = delayed(_compared)
    tasks = [
        compare(pictures[:, start:end], start, stop - start, numbers[start:end], reach, optics)
        for start, stop, end in _batches(numbers, reach)
    ]
    with progress.watch("drift"):
        measured, level = compute(tasks, counts.mean((-2, -1)))
    pairs = _joined(measured, pixel * optics.times)
    if not len(pairs.first):
        raise DataError("no slice is like another one: flat, or nothing but noise")
    return _drift(pairs, np.asarray(level), numbers)


def _numbers(stack: xr.DataArray) -> NDArray[np.int64]:
    numbers = stack["slice"].to_numpy()
    if len(numbers) < 2 or not np.all(np.diff(numbers) > 0):
        raise DataError("drift needs two slices or more, in order of their numbers ('slice')")
    return np.asarray(numbers, np.int64)


def _pixel(stack: xr.DataArray) -> Array:
    axes = [to_units(stack[dim], "um").to_numpy() for dim in ("y", "x")]
    return np.array([(axis[-1] - axis[0]) / (len(axis) - 1) for axis in axes])


def _sizeable(optics: Optics) -> None:
    if min(optics.reduced) < 32:
        raise DataError(f"pictures of {optics.shape} pixels are too small to find their drift")


def _chunked(stack: xr.DataArray) -> Any:
    """Return the counts as a dask array, pictures whole."""
    import dask.array as da

    stack = stack.transpose(..., "slice", "y", "x")
    data = stack.data
    if not isinstance(data, da.Array):
        return da.from_array(np.asarray(data), (1, BATCH, -1, -1))
    return data.rechunk({2: -1, 3: -1})


def _batches(numbers: NDArray[np.int64], reach: int) -> list[tuple[int, int, int]]:
    """Return first and last slice (after it) of each batch, and how far its partners go."""
    ends = np.searchsorted(numbers, numbers + reach, "right")
    ends = np.minimum(np.maximum(ends, np.arange(len(numbers)) + 2), len(numbers))
    starts = range(0, len(numbers), BATCH)
    stops = [min(start + BATCH, len(numbers)) for start in starts]
    return [(a, b, int(ends[b - 1])) for a, b in zip(starts, stops, strict=True)]


def _compared(
    pictures: Spectra,
    start: int,
    firsts: int,
    numbers: NDArray[np.int64],
    reach: int,
    optics: Optics,
) -> list[tuple[int, int, Peak]]:
    """Return the places in the stack, and the peak, of each pair whose first is in a batch."""
    weight = _shifts.weights(pictures, optics)
    power = np.sqrt(_shifts.powers(pictures, weight))
    found = []
    for i in range(firsts):
        view = View.of(pictures[:, i], weight, optics)
        for j in range(i + 1, len(numbers)):
            if power[i] * power[j] > 0 and (j == i + 1 or numbers[j] - numbers[i] <= reach):
                peak = view.peak(pictures[:, j], power[i] * power[j], optics)
                found.append((start + i, start + j, peak))
    return found


def _joined(measured: Sequence[list[tuple[int, int, Peak]]], scale: Array) -> Pairs:
    """Return the pairs with a clear peak, in um."""
    rows = [row for part in measured for row in part if row[2].clear > CLEAR]
    peaks = [peak for _, _, peak in rows]
    return Pairs(
        np.array([first for first, _, _ in rows], np.intp),
        np.array([second for _, second, _ in rows], np.intp),
        np.array([peak.shift * scale for peak in peaks]).reshape(-1, 2),
        np.array([np.outer(scale, scale) * peak.covariance for peak in peaks]).reshape(-1, 2, 2),
        np.array([peak.correlation for peak in peaks]),
    )


def _drift(pairs: Pairs, level: Array, numbers: NDArray[np.int64]) -> Drift:
    solved = _network.solve(pairs, numbers.astype(float))
    lean, lasting = _lean.laws(pairs, numbers)
    wander = _lean.wander(lean, lasting, numbers)
    own = [np.diag(one) for one in wander]
    sigma = np.sqrt(solved.sigma**2 + _lean.noise(pairs, numbers, lean) + np.stack(own, -1))
    place = solved.place
    away = numbers - numbers.mean()
    slope = away / (away @ away)
    error = np.sqrt([slope @ one @ slope for one in wander])
    reason = _reasons(pairs, solved.weight, level, numbers)
    return Drift(numbers, place, sigma, reason, slope @ place, error, pairs)


def _reasons(
    pairs: Pairs, weight: Array, level: Array, numbers: NDArray[np.int64]
) -> tuple[str, ...]:
    """Return why each slice is bad."""
    gap = numbers[pairs.second] - numbers[pairs.first]
    usual = {one: np.median(pairs.correlation[gap == one]) for one in np.unique(gap)}
    like = pairs.correlation / np.maximum([usual[one] for one in gap], 1e-9)
    few = np.all(level < FEW * np.median(level, 1, keepdims=True), 0).tolist()
    reasons = []
    for i in range(len(numbers)):
        mine = (pairs.first == i) | (pairs.second == i)
        alike, kept = (float(np.median(v[mine])) if mine.any() else 0.0 for v in (like, weight))
        checks = (few[i], FEW_COUNTS), (alike < UNLIKE, UNLIKE_OTHERS), (kept < KEPT, CONTRADICTED)
        reasons.append(next((reason for bad, reason in checks if bad), ""))
    return tuple(reasons)
