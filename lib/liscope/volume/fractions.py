"""Volume fractions of phases, and what an early stop of the milling or the border does to them.

Voxels are not the samples, for a particle fills thousands of them and slices repeat each other. The
samples are blocks of columns through all slices, several correlation lengths wide; intervals are
for the material that the volume was cut from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError, ParameterError
from liscope.grains.shares import share
from liscope.statistics import sum_ratio
from liscope.volume._cells import Cells, limits, ratio, total
from liscope.volume._voxels import DIMS, blocks_of, labels_of, names_of, slabs, steps_of

Counts = NDArray[np.int64]
RIM = 0.25  # um


def fraction_table(phases: xr.Dataset | xr.DataArray, rim_um: float = RIM) -> pd.DataFrame:
    """Return each phase's share of the measured volume, with 95 % intervals.

    Parameters
    ----------
    phases
        Phases, or labels (z, y, x) with ``attrs["phase_names"]``; 0: not measured.
    rim_um
        Depth of the rim that ``inner`` leaves out on all six sides, where interpolation and drift
        leave their traces; at least one voxel, at most a quarter of each side.

    Returns
    -------
    DataFrame
        Indexed by phase: ``fraction``, ``low``, ``high`` of the labels; ``independent``, how many
        independent voxels would scatter as much; ``inner``, without the rim; ``at_interface``, the
        share of the phase's voxels beside another phase, whose label a shift of half a voxel may
        change; with probabilities also ``expected``, ``expected_low`` and ``expected_high``, their
        mean. NaN where the volume holds fewer than five blocks.

    Raises
    ------
    DataError
        If nothing was measured.
    """
    from dask.base import compute

    label, names = labels_of(phases), names_of(phases)
    cells, rim = Cells.over(label), _rim(label, rim_um)
    counted = total(_parts(label, len(names), cells, rim))
    (columns, inner, beside), expected = compute(counted, _expected(phases, label, cells))
    if not columns[1:].any():
        raise DataError("nothing was measured: all labels are 0")
    rows = [_row(columns, inner, beside, i) for i in range(1, len(names) + 1)]
    table = pd.DataFrame(rows, index=pd.Index(names, name="phase"))
    if expected is not None:
        found = [ratio(image, expected.sum(0)) for image in expected]
        table[["expected", "expected_low", "expected_high"]] = found
    return table


def _rim(label: xr.DataArray, rim_um: float) -> list[slice]:
    if not rim_um > 0:
        raise ParameterError(f"a rim of {rim_um} um; it must be above 0")
    deep = [
        min(max(1, round(rim_um / step)), count // 4)
        for step, count in zip(steps_of(label), label.shape, strict=True)
    ]
    return [slice(n, count - n) for n, count in zip(deep, label.shape, strict=True)]


def _row(columns: Counts, inner: Counts, beside: Counts, number: int) -> dict[str, float]:
    value, low, high, independent = _fraction(columns, number)
    measured, own = inner[1:].sum(), columns[number].sum()
    return {
        "fraction": value, "low": low, "high": high, "independent": independent,
        "inner": float(inner[number] / measured) if measured else np.nan,
        "at_interface": float(beside[number] / own) if own else np.nan,
    }  # fmt: skip


def _fraction(columns: Counts, number: int) -> tuple[float, float, float, float]:
    """Return share, low, high and number of independent voxels of a phase, from cells' counts."""
    measured = columns[1:].sum(0).astype(float)
    own = columns[number].astype(float)
    value = float(own.sum() / measured.sum())
    log = sum_ratio(own, measured, measured > 0)
    if not np.isfinite(log.error):
        return value, *limits(value, log), np.nan
    found = share(value, (value * log.error) ** 2, log.freedom, float(measured.sum()))
    return found.value, found.low, found.high, found.number


def _parts(label: xr.DataArray, count: int, cells: Cells, rim: list[slice]) -> list[Any]:
    import dask.array as da
    from dask.delayed import delayed

    data = slabs(label)
    wide = da.overlap.overlap(data, {0: 1}, {0: "nearest"})
    starts = np.cumsum(data.chunks[0]) - data.chunks[0]
    return [
        delayed(_counted)(block, int(start), count, cells, rim)
        for block, start in zip(blocks_of(wide), starts, strict=True)
    ]


def _counted(
    wide: NDArray[Any], start: int, count: int, cells: Cells, rim: list[slice]
) -> tuple[Counts, Counts, Counts]:
    """Return of a slab, with a slice more at either side, the voxels of each label.

    By cells (label, y, x), without the rim (label,), and beside another phase (label,).
    """
    block = wide[1:-1]
    deep = slice(max(rim[0].start - start, 0), max(rim[0].stop - start, 0))
    inner = block[deep, rim[1], rim[2]]
    beside = np.zeros(wide.shape, bool)
    for axis in range(3):
        here = (slice(None),) * axis + (slice(None, -1),)
        there = (slice(None),) * axis + (slice(1, None),)
        other = (wide[here] != wide[there]) & (wide[here] != 0) & (wide[there] != 0)
        beside[here] |= other
        beside[there] |= other
    return (
        _by_cells(block, count, cells),
        np.bincount(inner.ravel(), minlength=count + 1),
        np.bincount(block[beside[1:-1]], minlength=count + 1),
    )


def _by_cells(block: NDArray[Any], count: int, cells: Cells) -> Counts:
    return np.stack([cells.sums(np.count_nonzero(block == i, axis=0)) for i in range(count + 1)])


def _expected(phases: xr.Dataset | xr.DataArray, label: xr.DataArray, cells: Cells) -> Any:
    """Return, delayed, the summed probabilities by cells (phase, y, x); None without any."""
    import dask.array as da
    from dask.delayed import delayed

    if not isinstance(phases, xr.Dataset) or "probability" not in phases:
        return None
    given = phases["probability"].transpose("phase", *DIMS).data
    sums = da.where(da.asarray(label.data) != 0, given, 0).sum(axis=1, dtype=float)
    return delayed(cells.sums)(sums)


def convergence_table(
    phases: xr.Dataset | xr.DataArray, slices: Sequence[int] | None = None
) -> pd.DataFrame:
    """Return the volume fractions that a milling stopped early would have given.

    Parameters
    ----------
    phases
        Phases, or labels (z, y, x) with ``attrs["phase_names"]``.
    slices
        Numbers of slices, from the first on; None: one, two, and so on in a dozen even steps of
        the logarithm up to all.

    Returns
    -------
    DataFrame
        One row a phase and number of slices: ``depth_um``, ``fraction``, ``low``, ``high``,
        ``independent`` as in :func:`fraction_table`, and whether the interval holds the fraction of
        all slices, ``holds_final``.

    Raises
    ------
    ParameterError
        If a number of slices is not within 1 and all.
    """
    from dask.base import compute
    from dask.delayed import delayed

    label, names = labels_of(phases), names_of(phases)
    every = label.sizes["z"]
    stops = sorted(set(_stops(every) if slices is None else slices))
    if not stops or stops[0] < 1 or stops[-1] > every:
        raise ParameterError(f"numbers of slices {stops}; there are 1 to {every}")
    cells = Cells.over(label)
    parts = [
        total([delayed(_by_cells)(b, len(names), cells) for b in blocks_of(slabs(part))], sum)
        for part in (
            label.isel(z=slice(start, stop))
            for start, stop in zip([0, *stops[:-1]], stops, strict=True)
        )
    ]
    columns = np.cumsum(compute(parts)[0], axis=0)
    depth = steps_of(label)[0] * np.array(stops)
    rows = [
        {"phase": name, "slices": n, "depth_um": d}
        | dict(zip(("fraction", "low", "high", "independent"), _fraction(c, i), strict=True))
        for i, name in enumerate(names, 1)
        for n, d, c in zip(stops, depth, columns, strict=True)
    ]
    table = pd.DataFrame(rows)
    final = table.groupby("phase")["fraction"].transform("last")
    table["holds_final"] = (table["low"] <= final) & (final <= table["high"])
    return table.set_index(["phase", "slices"])


def _stops(every: int) -> list[int]:
    return [int(n) for n in np.unique(np.geomspace(1, every, 12).round().astype(int))]
