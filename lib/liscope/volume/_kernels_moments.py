"""Kernels that sum over a block, some thousand voxels at a time; compiled when first called."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

TILE = 512  # voxels, whose values of all channels stay in the innermost cache

_MATH = {"reassoc", "contract", "arcp", "nsz"}  # NaN keeps its meaning


@njit(nogil=True, cache=True)
def merge(count: float, mean: Doubles, product: Doubles, other: Doubles) -> float:
    """Add a state of other voxels (count, means, products of deviations); return the count."""
    size = len(mean)
    if other[0] == 0:
        return count
    total = float(count + other[0])
    share = other[0] / total
    for a in range(size):
        for b in range(size):
            apart = (other[1 + a] - mean[a]) * (other[1 + b] - mean[b])
            product[a, b] += other[1 + size + a * size + b] + apart * count * share
    for a in range(size):
        mean[a] += (other[1 + a] - mean[a]) * share
    return total


@njit(nogil=True, cache=True, fastmath=_MATH)
def _sum(one: Doubles) -> float:
    total = 0.0
    for n in range(len(one)):
        total += one[n]
    return total


@njit(nogil=True, cache=True, fastmath=_MATH)
def _dot(one: Doubles, other: Doubles) -> float:
    total = 0.0
    for n in range(len(one)):
        total += one[n] * other[n]
    return total


@njit(nogil=True, cache=True, fastmath=_MATH)
def _tile(values: Doubles, used: Doubles, held: float, state: Doubles) -> None:
    """Fill in the state of one tile: (channel, voxel), 0 unless ``used``; changes the values."""
    size = len(values)
    state[:] = 0.0
    state[0] = held
    if held == 0:
        return
    for a in range(size):
        line = values[a]
        middle = _sum(line) / held
        state[1 + a] = middle
        for n in range(len(line)):
            line[n] -= used[n] * middle
    for a in range(size):
        for b in range(a + 1):
            total = _dot(values[a], values[b])
            state[1 + size + a * size + b] = total
            state[1 + size + b * size + a] = total


@njit(nogil=True, cache=True)
def _load(voxels: Any, mask: Any, start: int, values: Doubles, used: Doubles) -> float:
    """Fill in a tile's values, 0 where any is NaN, and where none is; return how many these are.

    Rows of whole arrays, cut along one axis, are known to be contiguous: loops over them vectorise.
    """
    length = min(voxels.shape[1] - start, len(used))
    used[:] = 0.0
    for n in range(length):
        used[n] = 1.0
    for n in range(min(length, len(mask) - start)):
        used[n] = 1.0 if mask[start + n] else 0.0
    for a in range(len(values)):
        line, here = values[a], voxels[a][start : start + length]
        line[:] = 0.0
        for n in range(length):
            line[n] = here[n]
            used[n] = used[n] if np.isfinite(line[n]) else 0.0
    held = _sum(used)
    if held < length:
        for a in range(len(values)):
            line = values[a]
            for n in range(length):
                line[n] = line[n] if used[n] > 0 else 0.0
    return held


@njit(nogil=True, cache=True)
def block(
    voxels: Any,
    mask: Any,
    pairs: Any,
    edges: Doubles,
    moments: Doubles,
    histograms: Doubles,
) -> None:
    """Add moments and joint histograms of a block.

    ``voxels`` (channel, voxel); ``mask`` (voxel,), or empty: all. ``pairs`` (pair, 2) are channels,
    ``edges`` (channel, bin + 1) of the bins,
    equally wide. ``moments`` is a state as
    :func:`merge` takes it, ``histograms`` (pair, bin, bin). Voxels with a NaN take no part.
    """
    size, total = voxels.shape
    values, used, codes = np.empty((size, TILE)), np.empty(TILE), np.empty((2, TILE), np.int32)
    part = np.empty(len(moments))
    mean, product = moments[1 : 1 + size], moments[1 + size :].reshape(size, size)
    for start in range(0, total, TILE):
        held = _load(voxels, mask, start, values, used)
        for p in range(len(pairs)):
            for k in range(2):
                _codes(values[pairs[p, k]], edges[pairs[p, k]], codes[k])
            for n in range(TILE):
                if used[n] > 0 and codes[0, n] >= 0 and codes[1, n] >= 0:
                    histograms[p, codes[0, n], codes[1, n]] += 1
        _tile(values, used, held, part)
        moments[0] = merge(moments[0], mean, product, part)


@njit(nogil=True, cache=True)
def _codes(values: Doubles, edges: Doubles, codes: Any) -> None:
    """Fill in the bin of each value; -1: outside. The range's end belongs to the last bin."""
    bins = len(edges) - 1
    low, high = edges[0], edges[bins]
    scale = bins / (high - low)
    for n in range(len(values)):
        value = values[n]
        if not low <= value <= high:
            codes[n] = -1
            continue
        code = min(int((value - low) * scale), bins - 1)
        # Whole counts often lie on an edge, where rounding must not decide.
        code -= value < edges[code]
        codes[n] = code + (code < bins - 1 and value >= edges[code + 1])
