"""Connected components of volumes larger than memory.

Slabs of slices are labelled one at a time by ``cc3d``; what touches across the faces between slabs
is united afterwards. The components and their numbers, by the first voxel in the order z, y, x, are
those of labelling the whole at once, however the volume is cut into chunks.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import ParameterError
from liscope.history import noted
from liscope.volume._kernels_labels import renumber
from liscope.volume._voxels import DIMS, blocks_of, labels_of, slabs

Labels = NDArray[np.integer[Any]]
Slab = tuple[int, Labels, Labels]  # count, components' numbers, labels of the first and last slice
Face = tuple[Labels, Labels]  # components' numbers and labels of one slice
Faces = tuple[int, Face, Face]  # count, first and last slice of a slab
Packed = tuple[bytes, np.dtype[Any], tuple[int, ...]]  # a slab's numbers, their type and shape
JOIN = np.uint64(2**32)  # more than a slab has components
# Steps between neighbouring slices along y and x, by connectivity.
ACROSS = {
    6: [(0, 0)],
    18: [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)],
    26: [(j, i) for j in (-1, 0, 1) for i in (-1, 0, 1)],
}


def label_components(source: xr.Dataset | xr.DataArray, connectivity: int = 6) -> xr.DataArray:
    """Return the number of the connected component of each voxel, lazily.

    Neighbours belong together where their labels are the same; label 0 (or False) belongs to none.
    The source is read once; until all slabs were seen their numbers are kept compressed, in some
    hundredths of the memory that they will take.

    Parameters
    ----------
    source
        Phases, or labels or a mask (z, y, x).
    connectivity
        6 (faces), 18 (and edges) or 26 (and corners).

    Returns
    -------
    DataArray
        (z, y, x), dask, int32 (int64 beyond 2^31 voxels): 1, 2, ... in order of the components'
        first voxels; 0 where there is none.

    Raises
    ------
    ParameterError
        If ``connectivity`` is another number.
    """
    import dask.array as da
    from dask.delayed import delayed

    if connectivity not in ACROSS:
        raise ParameterError(f"connectivity {connectivity}; 6, 18 or 26 is needed")
    label = labels_of(source)
    data = slabs(label)
    labelled = [delayed(_labelled)(block, connectivity) for block in blocks_of(data)]
    united = _united(labelled, connectivity)
    dtype = np.dtype(np.int32 if label.size < 2**31 else np.int64)
    parts = [
        da.from_delayed(
            delayed(_numbered)(delayed(_packed)(slab), united, i, dtype),
            (depth, *data.shape[1:]),
            dtype,
        )
        for i, (slab, depth) in enumerate(zip(labelled, data.chunks[0], strict=True))
    ]
    found = xr.DataArray(da.concatenate(parts), dims=DIMS, coords=_coordinates(label))
    found = found.rename("component").assign_attrs(connectivity=connectivity)
    return noted(found, xr.DataArray(attrs=_history(label)), f"label_components({connectivity=})")


def _coordinates(label: xr.DataArray) -> dict[str, xr.DataArray]:
    return {dim: label[dim] for dim in DIMS}


def _history(label: xr.DataArray) -> dict[str, str]:
    return {"history": label.attrs.get("history", "")}


def _united(labelled: list[Any], connectivity: int) -> Any:
    """Return, delayed, the final numbers of all slabs' components and where each slab's start."""
    from dask.delayed import delayed

    faces = [delayed(_faces)(slab) for slab in labelled]
    touching = [delayed(_touching)(above, below, connectivity) for above, below in pairwise(faces)]
    return delayed(_union)([delayed(_count)(face) for face in faces], touching)


def _labelled(block: Labels, connectivity: Literal[6, 18, 26]) -> Slab:
    import cc3d

    block = np.ascontiguousarray(block)
    found, count = cc3d.connected_components(
        block, connectivity=connectivity, return_N=True, out_dtype=np.uint32
    )
    return int(count), found, block[[0, -1]]


def _faces(slab: Slab) -> Faces:
    count, found, ends = slab
    return count, (found[0].copy(), ends[0]), (found[-1].copy(), ends[1])


def _count(faces: Faces) -> int:
    return faces[0]


def _packed(slab: Slab) -> Packed:
    """Return a slab's numbers compressed, for they are kept until all slabs were seen."""
    count, found, _ = slab
    short = np.dtype(np.uint16 if count < 2**16 else np.uint32)
    return bytes(compressor().encode(found.astype(short))), short, found.shape


def compressor() -> Any:
    """Return what packs labels that wait for a result of the whole volume."""
    from numcodecs import Blosc

    return Blosc("zstd", clevel=1, shuffle=Blosc.NOSHUFFLE)


def _touching(above: Faces, below: Faces, connectivity: int) -> NDArray[np.int64]:
    """Return pairs (2, n) of components that touch across the face between two slabs."""
    (number, label), (other, other_label) = above[2], below[1]
    found = []
    for step in ACROSS[connectivity]:
        here, there = _overlaps(step, label.shape)
        joined = (label[here] == other_label[there]) & (label[here] != 0)
        # Both numbers in one, for sorting pairs is much slower.
        found.append(np.unique(number[here][joined] * JOIN + other[there][joined]))
    pairs = np.unique(np.concatenate(found))
    return np.stack([pairs // JOIN, pairs % JOIN]).astype(np.int64)


def _overlaps(
    step: tuple[int, int], shape: tuple[int, ...]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return where voxels (y, x) have a neighbour at a step, and where these neighbours are."""
    here = tuple(slice(max(0, -s), n - max(0, s)) for s, n in zip(step, shape, strict=True))
    there = tuple(slice(max(0, s), n - max(0, -s)) for s, n in zip(step, shape, strict=True))
    return here, there


def _union(
    counts: list[int], touching: list[NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    pairs = [pair - 1 + starts[i : i + 2, None] for i, pair in enumerate(touching)]
    one, other = np.concatenate([np.zeros((2, 0), np.int64), *pairs], axis=1)
    graph = sparse.coo_array((np.ones(one.size, bool), (one, other)), (starts[-1], starts[-1]))
    _, group = connected_components(graph, directed=False)
    # Slabs' components come in order of their first voxels, so that the first of a group is its.
    _, first, member = np.unique(group, return_index=True, return_inverse=True)
    rank = np.empty(first.size, np.int64)
    rank[np.argsort(first)] = np.arange(1, first.size + 1)
    return rank[member], starts


def _numbered(
    packed: Packed,
    united: tuple[NDArray[np.int64], NDArray[np.int64]],
    slab: int,
    dtype: np.dtype[Any],
) -> Labels:
    final, starts = united
    own = np.append(0, final[starts[slab] : starts[slab + 1]]).astype(dtype)
    code, short, shape = packed
    number = compressor().decode(code, np.empty(shape, short))
    out = np.empty(shape, dtype)
    renumber(number.reshape(-1), own, out.reshape(-1))
    return out
