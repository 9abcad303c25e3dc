"""Kernels that bring one picture onto the target's pixels; compiled when first called.

Places are in pixels of the picture, ``matrix @ (row, column) + offset`` of the target. What is
found is added to every target plane that lies next to the slice, with the plane's weight.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Indices = NDArray[np.int64]

# Sums may be reordered; NaN keeps its meaning.
_MATH = {"reassoc", "contract", "arcp", "nsz"}


@njit(nogil=True, cache=True, fastmath=_MATH)
def _add(line: Floats, out: Floats, row: int, planes: Indices, weights: Floats) -> None:
    for n in range(len(planes)):
        target = out[planes[n], row]
        weight = weights[n]
        for i in range(len(line)):
            target[i] += weight * line[i]


@njit(nogil=True, cache=True)
def _span(step: float, start: float, size: int, count: int) -> tuple[int, int]:
    """Return from which to which column ``start + step * column`` lies within half a pixel."""
    low, high = -0.5 - start, size - 0.5 - start
    if step == 0.0:
        return (0, count) if low <= 0.0 <= high else (0, 0)
    ends = (low / step, high / step) if step > 0 else (high / step, low / step)
    first = int(np.ceil(min(max(ends[0] - 1e-9, 0.0), float(count))))
    last = int(np.floor(min(max(ends[1] + 1e-9, -1.0), count - 1.0))) + 1
    return first, max(first, last)


@njit(nogil=True, cache=True, fastmath=_MATH)
def linear(
    picture: Floats,
    matrix: Doubles,
    offset: Doubles,
    out: Floats,
    planes: Indices,
    weights: Floats,
) -> None:
    """Add the picture (y, x), interpolated between four pixels, to planes of ``out`` (z, y, x)."""
    rows, columns = picture.shape
    line = np.empty(out.shape[2], np.float32)
    for j in range(out.shape[1]):
        y0, x0 = matrix[0, 0] * j + offset[0], matrix[1, 0] * j + offset[1]
        first_y, last_y = _span(matrix[0, 1], y0, rows, len(line))
        first_x, last_x = _span(matrix[1, 1], x0, columns, len(line))
        first, last = max(first_y, first_x), min(last_y, last_x)
        line[:] = np.nan
        for i in range(first, last):
            y = min(max(y0 + matrix[0, 1] * i, 0.0), rows - 1.0)
            x = min(max(x0 + matrix[1, 1] * i, 0.0), columns - 1.0)
            r, c = int(y), int(x)
            below, beside = min(r + 1, rows - 1), min(c + 1, columns - 1)
            v, u = np.float32(y - r), np.float32(x - c)
            up = picture[r, c] + u * (picture[r, beside] - picture[r, c])
            down = picture[below, c] + u * (picture[below, beside] - picture[below, c])
            line[i] = up + v * (down - up)
        _add(line, out, j, planes, weights)


@njit(nogil=True, cache=True, fastmath=_MATH)
def _taps(table: Floats, place: float, weights: Floats) -> int:
    """Fill in the weights of the pixels about a place; return the first of these pixels."""
    phases, count = table.shape
    whole = int(np.floor(place))
    at = (place - whole) * (phases - 1)
    phase = min(int(at), phases - 2)
    part = np.float32(at - phase)
    one, other = table[phase], table[phase + 1]
    for t in range(count):
        weights[t] = one[t] + part * (other[t] - one[t])
    return int(whole - count // 2 + 1)


@njit(nogil=True, cache=True, fastmath=_MATH)
def windowed(
    picture: Floats,
    matrix: Doubles,
    offset: Doubles,
    out: Floats,
    planes: Indices,
    weights: Floats,
    across: Floats,
    along: Floats,
) -> None:
    """Add the picture (y, x), seen through tables of weights, to planes of ``out`` (z, y, x).

    ``across`` (phase, tap) belongs to y and ``along`` to x. At the picture's edge the taps inside
    share the whole weight.
    """
    rows, columns = picture.shape
    line = np.empty(out.shape[2], np.float32)
    wy, wx = np.empty(across.shape[1], np.float32), np.empty(along.shape[1], np.float32)
    for j in range(out.shape[1]):
        y0, x0 = matrix[0, 0] * j + offset[0], matrix[1, 0] * j + offset[1]
        first_y, last_y = _span(matrix[0, 1], y0, rows, len(line))
        first_x, last_x = _span(matrix[1, 1], x0, columns, len(line))
        line[:] = np.nan
        for i in range(max(first_y, first_x), min(last_y, last_x)):
            top = _taps(across, y0 + matrix[0, 1] * i, wy)
            left = _taps(along, x0 + matrix[1, 1] * i, wx)
            line[i] = _weighted(picture, top, left, wy, wx)
        _add(line, out, j, planes, weights)


@njit(nogil=True, cache=True, fastmath=_MATH)
def _weighted(picture: Floats, top: int, left: int, wy: Floats, wx: Floats) -> np.float32:
    rows, columns = picture.shape
    if top >= 0 and left >= 0 and top + len(wy) <= rows and left + len(wx) <= columns:
        total = np.float32(0.0)
        for t in range(len(wy)):
            pixels = picture[top + t][left : left + len(wx)]
            inner = np.float32(0.0)
            for s in range(len(wx)):
                inner += wx[s] * pixels[s]
            total += wy[t] * inner
        return total
    total, share = np.float32(0.0), np.float32(0.0)
    for t in range(max(0, -top), min(len(wy), rows - top)):
        for s in range(max(0, -left), min(len(wx), columns - left)):
            total += wy[t] * wx[s] * picture[top + t, left + s]
            share += wy[t] * wx[s]
    return total / share
