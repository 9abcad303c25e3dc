"""Sums over a volume's blocks that are added up in a tree: moments, and joint histograms."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError
from liscope.volume._alone import Unseen, on_workers

FAN = 8  # partial sums that are added up at once
HELD = 1 << 28  # bytes of a slab that one task computes by itself
PIECE = 1 << 18  # voxels that are brought side by side at once

Array = NDArray[np.float64]


def blocks_of(volume: xr.DataArray, mask: xr.DataArray | None) -> tuple[Any, Any]:
    """Return the values (channel, z, y, x) and the mask (z, y, x), if any, in blocks alike."""
    import dask.array as da

    dims = [dim for dim in volume.dims if dim != "channel"]
    volume = volume.transpose("channel", *dims)
    lazy = (
        volume.data
        if volume.chunks
        else da.from_array(volume.data, (-1, "auto", -1, -1)[: volume.ndim])
    )
    if mask is None:
        return lazy, None
    if set(mask.dims) != set(dims) or any(mask.sizes[dim] != volume.sizes[dim] for dim in dims):
        raise DataError(f"a mask {dict(mask.sizes)} does not fit a volume {dict(volume.sizes)}")
    inside = mask.transpose(*dims).data
    inside = inside if mask.chunks else da.from_array(inside, lazy.chunks[1:])
    return lazy, inside.rechunk(lazy.chunks[1:])


def reduced_alone(
    lazy: Any, inside: Any, pairs: NDArray[np.int64], limits: Array, bins: int
) -> Any:
    """Return :func:`reduced`, slab by slab: for a volume that is made while it is read."""
    from dask.delayed import delayed

    count, thick = lazy.shape[0], _thickness(lazy)
    states = []
    for start in range(0, lazy.shape[1], thick):
        here = slice(start, start + thick)
        mask = None if inside is None else Unseen(inside[None, here])
        states.append(delayed(_slab)(Unseen(lazy[:, here]), mask, pairs, limits, bins))
    while len(states) > 1:
        groups = [states[i : i + FAN] for i in range(0, len(states), FAN)]
        states = [delayed(_joined)(group, count) for group in groups]
    return states[0]


def may_be_alone(lazy: Any) -> bool:
    """Tell whether slabs of a volume (channel, z, y, x) can be computed without each other.

    Not where its blocks are deeper than a slab: each would be read again and again.
    """
    return lazy.ndim == 4 and max(lazy.chunks[1]) <= _most(lazy) and not on_workers(lazy)


def _most(lazy: Any) -> int:
    plane = int(lazy.shape[0] * np.prod(lazy.shape[2:]) * lazy.dtype.itemsize)
    return max(1, HELD // max(1, plane))


def _thickness(lazy: Any) -> int:
    """Return a slab's slices: whole blocks, so that none is read twice."""
    own: int = max(lazy.chunks[1])
    return max(1, _most(lazy) // own) * own


def _slab(
    part: Unseen, mask: Unseen | None, pairs: NDArray[np.int64], limits: Array, bins: int
) -> Array:
    inside = None if mask is None else mask.channels()[0][0]
    return _partial(part.channels(), inside, pairs, limits, bins).ravel()


def _joined(states: list[Array], channels: int) -> Array:
    return _merged(np.array(states), (0,), False, channels)


def reduced(lazy: Any, inside: Any, pairs: NDArray[np.int64], limits: Array, bins: int) -> Any:
    """Return the state of all voxels, lazily, in the last axis: moments, then histograms."""
    import dask.array as da

    axes = tuple("zyxwvu"[: lazy.ndim - 1])
    count = lazy.shape[0]
    size = 1 + count + count**2 + len(pairs) * bins**2
    states = da.blockwise(
        _partial,
        (*axes, "m"),
        lazy,
        ("c", *axes),
        *((inside, axes) if inside is not None else (None, None)),
        new_axes={"m": size},
        adjust_chunks=dict.fromkeys(axes, 1),
        align_arrays=False,
        dtype=float,
        meta=np.empty((0,) * (len(axes) + 1)),
        pairs=pairs,
        limits=limits,
        bins=bins,
    )
    return da.reduction(
        states,
        _as_it_is,
        partial(_merged, channels=count),
        axis=tuple(range(len(axes))),
        dtype=float,
        split_every={axis: 2 if axis else FAN for axis in range(len(axes))},
        meta=np.empty((0,)),
    )


def _partial(
    blocks: list[NDArray[Any]] | NDArray[Any],
    inside: NDArray[np.bool_] | None,
    pairs: NDArray[np.int64],
    limits: Array,
    bins: int,
) -> Array:
    """Return the state of one block, given in one array or one for some channels each."""
    from liscope.volume import _kernels_moments as kernels  # compiling takes its time

    parts = blocks if isinstance(blocks, list) else [blocks]
    voxels = [plane.reshape(-1) for part in parts for plane in part]
    mask = np.empty(0, bool) if inside is None else np.ascontiguousarray(inside, bool).ravel()
    moments = np.zeros(1 + len(voxels) + len(voxels) ** 2)
    edges = np.linspace(limits[:, 0], limits[:, 1], bins + 1, axis=1)
    histograms = np.zeros((len(pairs), bins, bins))
    for start in range(0, voxels[0].size, PIECE):
        piece = np.stack([channel[start : start + PIECE] for channel in voxels])
        within = mask[start : start + PIECE]
        kernels.block(piece, within, pairs, edges, moments, histograms)
    state = np.concatenate([moments, histograms.ravel()])
    return state.reshape((1,) * (parts[0].ndim - 1) + (-1,))


def _as_it_is(state: Array, axis: object, keepdims: bool) -> Array:
    return state


def _merged(state: Array, axis: tuple[int, ...], keepdims: bool, channels: int) -> Array:
    """Return the state of the voxels of several blocks: (block, ..., m) or, in the end, (m,)."""
    from liscope.volume import _kernels_moments as kernels

    states = state.reshape(-1, state.shape[-1])
    held = 1 + channels + channels**2
    out = np.zeros(state.shape[-1])
    out[held:] = states[:, held:].sum(0)
    mean, product = out[1 : 1 + channels], out[1 + channels : held].reshape(channels, channels)
    for one in states:
        out[0] = kernels.merge(out[0], mean, product, one[:held])
    return out.reshape((1,) * (state.ndim - 1) + (-1,)) if keepdims else out
