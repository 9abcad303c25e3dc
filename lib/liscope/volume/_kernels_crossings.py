"""Compiled loops over voxels' neighbours and over rows: interfaces and chords."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(nogil=True, cache=True)
def crossings(
    label: NDArray[Any],
    depth: int,
    steps: NDArray[np.int64],
    weight: NDArray[np.int64],
    side: int,
    cells: NDArray[np.int64],
    changes: NDArray[np.int64],
    pairs: NDArray[np.int64],
) -> None:
    """Add how often labels (z, y, x) change between voxels and their neighbours.

    Parameters
    ----------
    depth
        Slices that count; the ones below them are only neighbours.
    steps
        (direction, 3): to the neighbours, z >= 0.
    weight
        (direction,): of a change; whole numbers, so that the order of adding changes nothing.
    cells
        (label, label, cells y, cells x): weights of changes, by the lower label first; cells are
        ``side`` pixels wide.
    changes, pairs
        (label, label, direction) changes, and (direction,) pairs of measured voxels.
    """
    slices, rows, columns = label.shape
    for z in range(depth):
        for y in range(rows):
            for x in range(columns):
                here = label[z, y, x]
                if here == 0:
                    continue
                for d in range(len(steps)):
                    k, j, i = z + steps[d, 0], y + steps[d, 1], x + steps[d, 2]
                    if k >= slices or j < 0 or j >= rows or i < 0 or i >= columns:
                        continue
                    there = label[k, j, i]
                    if there == 0:
                        continue
                    pairs[d] += 1
                    if there != here:
                        low, high = min(here, there), max(here, there)
                        changes[low, high, d] += 1
                        cells[low, high, y // side, x // side] += weight[d]


@numba.njit(nogil=True, cache=True)
def chords(
    number: NDArray[Any],
    measured: NDArray[np.bool_],
    side: int,
    sums: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> None:
    """Add the chords that rows of particle numbers (slice, row, column) cut out of particles.

    Parameters
    ----------
    sums
        (4, cells of rows, cells of columns) at chords' middles: ends / 2 and length of all; length
        and its fourth power of the whole ones, weighted by the inverse of the chance not to be cut,
        1 / (1 - (length + 1) / row's measured length).
    counts
        (3,): chords of which two, one and none of the ends were seen.
    """
    slices, rows, columns = number.shape
    for z in range(slices):
        for y in range(rows):
            seen = 0
            for x in range(columns):
                seen += measured[z, y, x]
            x = 0
            while x < columns:
                here = number[z, y, x]
                start = x
                while x < columns and number[z, y, x] == here:
                    x += 1
                if here == 0:
                    continue
                length = float(x - start)
                ends = int(start > 0 and measured[z, y, start - 1])
                ends += int(x < columns and measured[z, y, x])
                row, column = y // side, (start + x) // 2 // side
                counts[2 - ends] += 1
                sums[0, row, column] += ends / 2
                sums[1, row, column] += length
                if ends == 2:
                    weight = seen / max(seen - length - 1, 1)
                    sums[2, row, column] += weight * length
                    sums[3, row, column] += weight * length**4
