"""One row a connected component or particle, in one pass over slabs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError
from liscope.units import to_units
from liscope.volume._alone import Unseen, on_workers
from liscope.volume._cells import total
from liscope.volume._voxels import (
    DIMS,
    blocks_of,
    labels_of,
    names_of,
    pairs_of_slabs,
    slabs,
    steps_of,
)

Labels = NDArray[np.integer[Any]]


def component_table(
    numbers: xr.DataArray, source: xr.Dataset | xr.DataArray | None = None
) -> pd.DataFrame:
    """Return one row a component or particle, in one pass over slabs.

    Parameters
    ----------
    numbers
        (z, y, x), from :func:`liscope.volume.labels.label_components` or
        :func:`liscope.volume.separation.separate`; 0: none.
    source
        The phases they come from, or their labels: adds ``phase``, and ``cut_unmeasured``.

    Returns
    -------
    DataFrame
        Indexed by number: ``voxels``, ``volume_um3``, ``diameter_um`` of the sphere of that volume;
        the centroid ``z_um``, ``y_um``, ``x_um``; the bounding box ``z_from``, ``z_to`` (and y, x)
        in voxels, the last one not in it, and its sides ``extent_z_um`` ...; whether it lies at the
        volume's first or last voxels, ``cut_z_first``, ``cut_z_last`` ..., at a voxel that was not
        measured, ``cut_unmeasured``, and whether any of these cuts it, ``cut``.

    Raises
    ------
    DataError
        If numbers and source differ in shape.
    """
    return tables([numbers], source)[0]


def tables(
    numbers: list[xr.DataArray], source: xr.Dataset | xr.DataArray | None
) -> list[pd.DataFrame]:
    """Return the :func:`component_table` of each, in one computation."""
    from dask.base import compute

    label = None if source is None else labels_of(source)
    arrays = [labels_of(one) for one in numbers]
    for array in arrays:
        if label is not None and label.shape != array.shape:
            raise DataError(f"numbers {array.shape} and labels {label.shape} differ")
    found = compute([total(_parts(array, label), _together) for array in arrays])[0]
    names = np.array([""] if source is None else ["", *names_of(source)], dtype=object)
    return [_measured(rows, array, names) for rows, array in zip(found, arrays, strict=True)]


def _parts(number: xr.DataArray, label: xr.DataArray | None) -> list[Any]:
    from dask.delayed import delayed

    data = slabs(number)
    starts = np.concatenate([[0], np.cumsum(data.chunks[0])])
    if label is None:
        return [delayed(_part)(b, int(z)) for b, z in zip(blocks_of(data), starts, strict=False)]
    return [
        delayed(_part)(block, int(z), beside, int(after - z))
        for block, beside, z, after in zip(
            pairs_of_slabs(data),
            _beside_each(label, data.chunks[0]),
            starts,
            starts[1:],
            strict=False,
        )
    ]


def _beside_each(label: xr.DataArray, thick: tuple[int, ...]) -> list[Any]:
    """Return the labels of each slab and of the slice below it, to be read when its turn comes.

    Numbers of components come from all of their source; its blocks, if they were shared with the
    table, would wait in memory until the last of them was seen.
    """
    data = slabs(label).rechunk({0: thick})
    if on_workers(data):
        return pairs_of_slabs(data)
    ends = np.cumsum(thick)
    return [Unseen(data[None, end - n : end + 1]) for n, end in zip(thick, ends, strict=True)]


def _part(
    block: Labels,
    start: int,
    label: Labels | Unseen | None = None,
    depth: int | None = None,
) -> pd.DataFrame:
    """Return what a slab from slice ``start`` on, ``depth`` deep, adds to each component's row."""
    import cc3d

    seen = np.zeros(int(block.max()) + 1, bool)
    seen[block.ravel()] = True
    seen[0] = True
    present = np.flatnonzero(seen)
    dense = (np.cumsum(seen, dtype=np.uint32) - 1).astype(np.uint32)
    local = dense[block]
    facts = cc3d.statistics(np.ascontiguousarray(local[:depth]), no_slice_conversion=True)
    count = np.zeros(present.size, np.int64)
    boxes, centroid = np.zeros((present.size, 6), np.int64), np.zeros((present.size, 3))
    used = slice(0, len(facts["voxel_counts"]))
    count[used] = facts["voxel_counts"]
    boxes[used], centroid[used] = facts["bounding_boxes"], facts["centroids"]
    centroid[:, 0] += start
    columns: dict[str, Any] = {"voxels": count}
    for axis, dim in enumerate(DIMS):
        shift = start if dim == "z" else 0
        columns[f"{dim}_from"] = boxes[:, 2 * axis] + shift
        columns[f"{dim}_to"] = boxes[:, 2 * axis + 1] + shift + 1
        columns[f"sum_{dim}"] = np.where(count > 0, centroid[:, axis], 0) * count
    if label is not None:
        beside = label.channels()[0][0] if isinstance(label, Unseen) else label
        columns |= _beside(local, beside, present.size)
    table = pd.DataFrame(columns, index=pd.Index(present, name="number")).iloc[1:]
    empty = (table["voxels"] == 0).to_numpy()  # only in the slice below; it has a row of its own
    for dim in DIMS:
        table.loc[empty, f"{dim}_from"] = np.iinfo(np.int64).max
        table.loc[empty, f"{dim}_to"] = 0
    return table


def _beside(local: Labels, label: Labels, count: int) -> dict[str, Any]:
    """Return each component's label, and whether a voxel beside it was not measured."""
    own, cut = np.zeros(count, np.int64), np.zeros(count, bool)
    own[local.ravel()] = label.ravel()
    hidden = label == 0
    if hidden.any():
        for axis in range(3):
            here = (slice(None),) * axis + (slice(None, -1),)
            there = (slice(None),) * axis + (slice(1, None),)
            cut[local[here][hidden[there]]] = True
            cut[local[there][hidden[here]]] = True
    return {"label": own, "cut_unmeasured": cut}


def _together(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Return one row a component of the slabs' rows."""
    every = pd.concat(parts)
    how = {"voxels": "sum"} | {f"sum_{dim}": "sum" for dim in DIMS}
    how |= {f"{dim}_from": "min" for dim in DIMS} | {f"{dim}_to": "max" for dim in DIMS}
    how |= {name: "max" for name in ("label", "cut_unmeasured") if name in every}
    return every.groupby(level="number", sort=True).agg(how)


def _measured(rows: pd.DataFrame, number: xr.DataArray, names: NDArray[np.object_]) -> pd.DataFrame:
    """Return the table of components from their added rows."""
    steps = steps_of(number)
    columns: dict[str, Any] = {}
    if "label" in rows:
        columns["phase"] = names[rows["label"].to_numpy(int)]
    columns["voxels"] = rows["voxels"]
    columns["volume_um3"] = rows["voxels"] * float(np.prod(steps))
    columns["diameter_um"] = np.cbrt(6 / np.pi * columns["volume_um3"])
    for dim, step in zip(DIMS, steps, strict=True):
        start = float(to_units(number[dim], "um")[0])
        columns[f"{dim}_um"] = start + step * rows[f"sum_{dim}"] / rows["voxels"]
    columns |= {f"{dim}_{end}": rows[f"{dim}_{end}"] for dim in DIMS for end in ("from", "to")}
    for dim, step in zip(DIMS, steps, strict=True):
        columns[f"extent_{dim}_um"] = (rows[f"{dim}_to"] - rows[f"{dim}_from"]) * step
    cuts = {}
    for dim in DIMS:
        cuts[f"cut_{dim}_first"] = rows[f"{dim}_from"] == 0
        cuts[f"cut_{dim}_last"] = rows[f"{dim}_to"] == number.sizes[dim]
    if "cut_unmeasured" in rows:
        cuts["cut_unmeasured"] = rows["cut_unmeasured"].astype(bool)
    columns |= cuts | {"cut": np.logical_or.reduce([np.asarray(one) for one in cuts.values()])}
    return pd.DataFrame(columns, index=rows.index)
