r"""Contact areas between phases, by Crofton's formula on the lattice of voxels.

Adding up voxels' faces overestimates every surface that is tilted against the lattice, on average
by half. Crofton's formula counts instead how often lines cross the interface: per volume its area
is twice the mean number of crossings per length over all directions,

.. math:: S_V = 2 \sum_d w_d \frac{N_d}{n_d \, |v_d|}

with N_d changes of label among n_d pairs of voxels at the distance v_d, in the 13 directions of a
voxel's 26 neighbours. The weights w_d are the shares of the unit sphere that lie nearest to each
direction, in um, so that voxels need not be cubes (J. Ohser, F. Muecklich, Statistical Analysis of
Microstructures in Materials Science (2000); D. Legland, K. Kieu, M.-F. Devaux, Image Anal. Stereol.
26, 83 (2007), doi:10.5566/ias.v26.p83-92). Only pairs of measured voxels count, so that the border
cuts nothing off. The surface of a sphere of six voxels' radius comes out within 1 %; a single
plane, which has but one direction, within 10 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError, ParameterError
from liscope.volume._cells import Cells, ratio, total
from liscope.volume._voxels import labels_of, names_of, pairs_of_slabs, slabs, steps_of

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
STEPS: Numbers = np.array([d for d in product((0, 1, -1), repeat=3) if d > (0, 0, 0)])
COARSER = (1, 2, 3)
FINEST = 2**30  # steps in which the largest weight is counted
ANY = "any other"


def direction_weights(steps: Sequence[float]) -> Floats:
    """Return the shares (13,) of the sphere nearest to each of ``STEPS``, both ways; sum 1.

    Parameters
    ----------
    steps
        Voxel's sides (z, y, x), um.
    """
    from scipy.spatial import SphericalVoronoi

    ways = STEPS * np.asarray(steps, float)
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    areas = SphericalVoronoi(np.concatenate([ways, -ways])).calculate_areas()
    return np.asarray(areas.reshape(2, -1).sum(0) / areas.sum())


@dataclass(frozen=True)
class _Counted:
    """Crossings by cells (label, label, y, x), um2, and by direction; measured volume by cells."""

    cells: Floats
    changes: Numbers
    pairs: Numbers
    measured: Floats
    steps: tuple[float, float, float]

    def row(self, one: int, other: int | None) -> dict[str, float]:
        """Return the row of a phase and another, or of a phase and all others."""
        others = [i for i in range(1, len(self.changes)) if i != one]
        named = others if other is None else [other]
        changes = sum((self._between(self.changes, one, i) for i in named), np.zeros(len(STEPS)))
        cells, surface = (
            sum((self._between(self.cells, one, i) for i in which), np.zeros(self.measured.shape))
            for which in (named, others)
        )
        value = self._density(changes, direction_weights(self.steps))
        rough, low, high = ratio(cells, self.measured)
        scale = value / rough if rough else np.nan  # the border's pairs are missing in the cells
        share = ratio(cells, surface)
        return {
            "per_volume_per_um": value, "low": low * scale, "high": high * scale,
            "area_um2": float(cells.sum()),
            "share": share[0], "share_low": share[1], "share_high": min(share[2], 1.0),
            "faces_per_um": self._faces(changes),
        }  # fmt: skip

    @staticmethod
    def _between(counts: NDArray[Any], one: int, other: int) -> NDArray[Any]:
        return np.asarray(counts[min(one, other), max(one, other)])

    def _density(self, changes: Floats, weight: Floats) -> float:
        length = np.linalg.norm(STEPS * np.array(self.steps), axis=1)
        return float(2 * np.sum(weight * changes / (self.pairs * length)))

    def _faces(self, changes: Floats) -> float:
        along = [np.flatnonzero((row == STEPS).all(1))[0] for row in np.eye(3)]
        return float(np.sum(changes[along] / (self.pairs[along] * np.array(self.steps))))


def contact_table(phases: xr.Dataset | xr.DataArray) -> pd.DataFrame:
    """Return the interfaces' areas between phases, with 95 % intervals.

    Parameters
    ----------
    phases
        Phases, or labels (z, y, x) with ``attrs["phase_names"]``; 0: not measured.

    Returns
    -------
    DataFrame
        One row a phase and another (``one``, ``other``; each pair both ways), and a phase and
        ``any other``: ``per_volume_per_um``, um2 of interface per um3 of measured volume, with
        ``low`` and ``high``; ``area_um2`` that was seen; ``share`` of the surface of
        ``one`` (its interfaces with any measured phase), ``share_low`` and ``share_high``; and
        ``faces_per_um``, which adding up voxels' faces would give. Intervals are NaN where the
        volume holds fewer than five blocks.

    Raises
    ------
    DataError
        If no two voxels were measured in one of the directions.
    """
    names, found = names_of(phases), _counted(labels_of(phases), len(names_of(phases)))
    numbers = range(1, len(names) + 1)
    rows = [
        {"one": names[one - 1], "other": ANY if other is None else names[other - 1]}
        | found.row(one, other)
        for one in numbers
        for other in [*(i for i in numbers if i != one), None]
    ]
    return pd.DataFrame(rows).set_index(["one", "other"])


def coarsening_table(
    phases: xr.Dataset | xr.DataArray, factors: Sequence[int] = COARSER
) -> pd.DataFrame:
    """Return the interfaces' areas on coarser voxels: every second voxel, every third.

    A smooth interface has the same area on all; what a finer voxel still adds is roughness, noise
    of the labels, or layers thinner than the voxel, and has no area of its own.

    Returns
    -------
    DataFrame
        One row a pair and factor: ``voxel_um`` (the geometric mean of its sides) and
        ``per_volume_per_um``, ``low``, ``high`` as in :func:`contact_table`.

    Raises
    ------
    ParameterError
        If a factor leaves fewer than two voxels along an axis.
    """
    label, names = labels_of(phases), names_of(phases)
    tables = {}
    for factor in factors:
        if factor < 1 or min(label.shape) < factor + 1:
            raise ParameterError(f"every voxel number {factor} of {label.shape} leaves too few")
        coarse = label[(slice(None, None, factor),) * 3].assign_attrs(phase_names=names)
        table = contact_table(coarse)[["per_volume_per_um", "low", "high"]]
        table.insert(0, "voxel_um", float(np.cbrt(np.prod(steps_of(coarse)))))
        tables[factor] = table
    return (
        pd.concat(tables, names=["factor"]).reorder_levels(["one", "other", "factor"]).sort_index()
    )


def _counted(label: xr.DataArray, count: int) -> _Counted:
    from dask.base import compute
    from dask.delayed import delayed

    steps, cells = steps_of(label), Cells.over(label)
    length = np.linalg.norm(STEPS * np.array(steps), axis=1)
    weight = 2 * direction_weights(steps) / length * float(np.prod(steps))
    unit = weight.max() / FINEST
    data = slabs(label)
    parts = [
        delayed(_crossings)(
            block, int(depth), count, np.rint(weight / unit).astype(np.int64), cells
        )
        for block, depth in zip(pairs_of_slabs(data), data.chunks[0], strict=True)
    ]
    areas, changes, pairs, measured = compute(total(parts))[0]
    if not pairs.all():
        raise DataError("too few measured voxels: no two lie side by side in some direction")
    return _Counted(areas * unit, changes, pairs, measured * float(np.prod(steps)), steps)


def _crossings(
    block: NDArray[Any], depth: int, count: int, weight: Numbers, cells: Cells
) -> tuple[NDArray[Any], ...]:
    from liscope.volume._kernels_crossings import crossings

    areas = np.zeros((count + 1, count + 1, *cells.counts), np.int64)
    changes = np.zeros((count + 1, count + 1, len(STEPS)), np.int64)
    pairs = np.zeros(len(STEPS), np.int64)
    block = np.ascontiguousarray(block)
    crossings(block, depth, STEPS, weight, cells.side, areas, changes, pairs)
    measured = cells.sums(np.count_nonzero(block[:depth], axis=0)).astype(float)
    return areas, changes, pairs, measured
