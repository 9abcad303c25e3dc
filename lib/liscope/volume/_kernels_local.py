"""Sums over a box that slides through a block; compiled when first called.

Rows are taken from whole arrays, so that they are known to be contiguous, and loops over them
vectorise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

SUMS = 6  # number, a, b, aa, bb, ab
FEWEST = 3  # voxels in a box, for a covariance
FLAT = 1e-9  # of the mean square: below it a variance is rounding


@njit(nogil=True, cache=True, error_model="numpy")
def _count(pair: Floats, z: int, y: int, sign: float, sums: Doubles, start: int) -> None:
    """Add the products of a row of two channels to sums (6, start + x), or take them away."""
    one, other = pair[0, z, y], pair[1, z, y]
    number, first, second = sums[0][start:], sums[1][start:], sums[2][start:]
    ones, others, both = sums[3][start:], sums[4][start:], sums[5][start:]
    for x in range(len(one)):
        a, b = np.float64(one[x]), np.float64(other[x])
        valid = np.isfinite(a + b)
        weight = sign if valid else 0.0
        a, b = a if valid else np.float64(0.0), b if valid else np.float64(0.0)
        number[x] += weight
        first[x] += weight * a
        second[x] += weight * b
        ones[x] += weight * a * a
        others[x] += weight * b * b
        both[x] += weight * a * b


@njit(nogil=True, cache=True, error_model="numpy")
def _slide(column: Doubles, reach: int, boxes: Doubles) -> None:
    """Fill in sums (6, x) over the columns within reach of each, of those with nothing around them.

    What enters and leaves first, and then the six running sums side by side: each alone would wait
    for its last addition.
    """
    columns = boxes.shape[1]
    for s in range(SUMS):
        box, leaving, entering = boxes[s], column[s], column[s][2 * reach + 1 :]
        for x in range(columns):
            box[x] = entering[x] - leaving[x]
        for x in range(reach + 1, 2 * reach + 1):
            box[0] += leaving[x]
    n, a, b, aa, bb, ab = boxes
    for x in range(1, columns):
        n[x] += n[x - 1]
        a[x] += a[x - 1]
        b[x] += b[x - 1]
        aa[x] += aa[x - 1]
        bb[x] += bb[x - 1]
        ab[x] += ab[x - 1]


@njit(nogil=True, cache=True, error_model="numpy")
def _found(boxes: Doubles, pair: Floats, z: int, y: int, out: Floats) -> None:
    """Fill in covariance and correlation of a row."""
    number, first, second, ones, others, both = boxes
    one, other, covariance, correlation = pair[0, z, y], pair[1, z, y], out[0, z, y], out[1, z, y]
    for x in range(len(one)):
        n = number[x]
        cov = both[x] - first[x] * second[x] / n
        a, b = ones[x] - first[x] * first[x] / n, others[x] - second[x] * second[x] / n
        seen = np.isfinite(one[x] + other[x]) and n > FEWEST - 0.5
        varied = seen and a > FLAT * ones[x] and b > FLAT * others[x]
        r = min(1.0, max(-1.0, cov / np.sqrt(a * b)))
        covariance[x] = cov / (n - 1) if seen else np.nan
        correlation[x] = r if varied else np.nan


@njit(nogil=True, cache=True, error_model="numpy")
def _plane(pair: Floats, z: int, reach: Any, sums: Doubles, out: Floats) -> None:
    """Fill in a plane, given sums (y, 6, x) through the depth of a box that has one."""
    rows, columns = pair.shape[2:]
    start = reach[2] + 1
    column, boxes = np.zeros((SUMS, columns + 2 * reach[2] + 1)), np.empty((SUMS, columns))
    for y in range(-reach[1], rows):
        for at, sign in ((y + reach[1], 1.0), (y - reach[1] - 1, -1.0)):
            if 0 <= at < rows and reach[0] == 0:
                _count(pair, z, at, sign, column, start)
            elif 0 <= at < rows:
                for s in range(SUMS):
                    line, part = column[s][start:], sums[at, s]
                    for x in range(columns):
                        line[x] += sign * part[x]
        if y >= 0:
            _slide(column, reach[2], boxes)
            _found(boxes, pair, z, y, out)


@njit(nogil=True, cache=True, error_model="numpy")
def box(pair: Floats, reach: Any, out: Floats) -> None:
    """Fill in covariance and correlation of the box around each voxel.

    ``pair`` (2, z, y, x), best about zero; ``reach`` (z, y, x) of the box to either side; ``out``
    (2, z, y, x).
    """
    depth, rows, columns = pair.shape[1:]
    sums = np.zeros((rows if reach[0] else 0, SUMS, columns))
    for z in range(-reach[0], depth):
        for at, sign in ((z + reach[0], 1.0), (z - reach[0] - 1, -1.0)):
            if 0 <= at < depth and reach[0]:
                for y in range(rows):
                    _count(pair, at, y, sign, sums[y], 0)
        if z >= 0:
            _plane(pair, z, reach, sums, out)


@njit(nogil=True, cache=True, error_model="numpy")
def centred(pair: Floats) -> Floats:
    """Return two channels (2, z, y, x) about a value near their means: sums lose fewer digits."""
    made = np.empty_like(pair)
    for c in range(len(pair)):
        values, out = pair[c].ravel(), made[c].ravel()
        total, count = 0.0, 0
        for n in range(0, len(values), 7):
            valid = np.isfinite(values[n])
            total += values[n] if valid else 0.0
            count += valid
        middle = np.float32(total / max(count, 1))
        for n in range(len(values)):
            out[n] = values[n] - middle
    return made
