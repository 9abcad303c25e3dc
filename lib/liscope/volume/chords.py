"""Chords of particles: what lines through a volume tell of their sizes, however thin it is.

The mean chord follows from the phase's volume and the number of chords' ends alone, whatever the
border cuts. The chords within the slices, which are wide, give the volume-weighted mean volume,
pi/3 of the mean cubed chord through a point of a particle (H. J. G. Gundersen, E. B. Jensen, J.
Microsc. 138, 127 (1985), doi:10.1111/j.1365-2818.1985.tb02607.x); there whole chords count, each by
the inverse of the chance not to be cut. Both suppose that the particles point nowhere in
particular.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from liscope.volume._cells import Cells, ratio, total
from liscope.volume._voxels import DIMS, labels_of, pairs_of_slabs, slabs, steps_of

Floats = NDArray[np.float64]


def chord_table(
    numbers: xr.DataArray, source: xr.Dataset | xr.DataArray | None = None
) -> pd.DataFrame:
    """Return the mean chords of particles along z, y and x, with 95 % intervals.

    Parameters
    ----------
    numbers
        (z, y, x), from :func:`liscope.volume.separation.separate`.
    source
        The phases, to know what was not measured; None: everything was.

    Returns
    -------
    DataFrame
        Indexed by ``along``: ``mean_um``, ``low_um``, ``high_um``, volume by half the number of
        ends of chords, which the border does not bias; ``sauter_um`` (1.5 mean chords: the diameter
        of the sphere of equal volume per surface) with low and high; along y and x also
        ``by_volume_um``, the diameter of the sphere of the volume-weighted mean volume, with low
        and high, the number of ``chords`` and of ``cut`` ones. ``by_volume_um`` is NaN where a
        chord reaches through the volume, so that longer ones cannot be told.
    """
    from dask.base import compute
    from dask.delayed import delayed

    label = labels_of(numbers)
    measured = xr.ones_like(label, dtype=bool) if source is None else labels_of(source) != 0
    cells = Cells.over(label)
    data = slabs(label)
    seen = slabs(measured).rechunk(data.chunks)
    parts = [
        delayed(_chords)(block, inside, int(depth), cells)
        for block, inside, depth in zip(
            pairs_of_slabs(data), pairs_of_slabs(seen), data.chunks[0], strict=True
        )
    ]
    sums, counts = compute(total(parts))[0]
    rows = {
        dim: _chord_row(sums[i], counts[i], step)
        for i, (dim, step) in enumerate(zip(DIMS, steps_of(label), strict=True))
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("along")


def _chords(
    block: NDArray[Any], measured: NDArray[np.bool_], depth: int, cells: Cells
) -> tuple[Floats, NDArray[np.int64]]:
    """Return sums (axis, 4, cells y, cells x) and counts (axis, 3), as the kernel has them."""
    from liscope.volume._kernels_crossings import chords

    sums, counts = np.zeros((3, 4, *cells.counts)), np.zeros((3, 3), np.int64)
    changed = (block[1:] != block[:-1]) & measured[1:] & measured[:-1]
    ends = (changed & (block[1:] > 0)).sum(0) + (changed & (block[:-1] > 0)).sum(0)
    own, inside = np.ascontiguousarray(block[:depth]), np.ascontiguousarray(measured[:depth])
    sums[0, 0], sums[0, 1] = cells.sums(ends / 2), cells.sums((own > 0).sum(0).astype(float))
    chords(own, inside, cells.side, sums[2], counts[2])
    turned = [np.ascontiguousarray(a.transpose(0, 2, 1)) for a in (own, inside)]
    along_y = np.zeros((4, *cells.counts[::-1]))
    chords(turned[0], turned[1], cells.side, along_y, counts[1])
    sums[1] = along_y.transpose(0, 2, 1)
    return sums, counts


def _chord_row(sums: Floats, counts: NDArray[np.int64], step: float) -> dict[str, float]:
    ends, length, whole, fourth = sums
    mean = step * np.array(ratio(length, ends))
    row = dict(zip(("mean_um", "low_um", "high_um"), mean, strict=True))
    row |= dict(zip(("sauter_um", "sauter_low_um", "sauter_high_um"), 1.5 * mean, strict=True))
    cubed = step**3 * np.array(ratio(fourth, whole))
    if counts[2] or not counts.any():  # longer ones than can be seen, or along z
        cubed[:] = np.nan
    # A sphere has the volume pi/6 d^3 = pi/3 of the mean cubed chord.
    names = ("by_volume_um", "by_volume_low_um", "by_volume_high_um")
    row |= dict(zip(names, np.cbrt(2 * cubed), strict=True))
    told = counts.any()
    return row | {
        "chords": float(counts.sum()) if told else np.nan,
        "cut": float(counts[1:].sum()) if told else np.nan,
    }
