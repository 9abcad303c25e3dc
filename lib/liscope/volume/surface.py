"""Distance from the surface of a phase's particles, where the volume is large enough to know it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError, ParameterError
from liscope.volume.response import AXES, steps_of

Floats = NDArray[np.float32]
Labels = NDArray[np.uint8]
Cells = tuple[tuple[int, int, int], tuple[int, int, int]]  # how many blocks, and their voxels

SLAB = 16  # slices that are visited together
TILE = 256  # voxels along y and x that are worked on at once
BLOCK = 4.0  # um, side of the blocks that are the samples of an interval


@dataclass(frozen=True)
class Visit:
    """Part of a volume: what of it counts, and what surrounds it.

    Attributes
    ----------
    label
        (z, y, x) with ``margin`` voxels around, as far as there are any.
    inner
        Which of ``label`` counts.
    core
        The same voxels in the arrays of the slab.
    start
        Of the slab, the number of its first slice.
    """

    label: Labels
    inner: tuple[slice, slice, slice]
    core: tuple[slice, slice, slice]
    start: int


def signed_distance(
    label: Labels, number: int, voxel: tuple[float, float, float]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the distance from a phase's surface, and where it is known.

    The centre of the nearest voxel on the other side is farther than the surface: of centres strewn
    over the far side of a plane, one a voxel's volume V, the nearest to a place at distance d
    lies on average sqrt(V / d) / 2 beyond d. That is taken off.

    The distance is known where the border of the volume, or a voxel in which nothing was measured,
    is farther away than the surface: else a nearer surface might lie beyond.

    Parameters
    ----------
    label
        (z, y, x), 0 where nothing was measured.
    number
        Of the phase.
    voxel
        (z, y, x), nm.

    Returns
    -------
    (z, y, x), nm, above 0 within the phase; and a mask.
    """
    import edt

    inside = label == number
    spaced: dict[str, Any] = {"anisotropy": voxel, "parallel": 1}
    within = edt.edt(np.ascontiguousarray(inside), **spaced)
    outside = edt.edt(np.ascontiguousarray(~inside), **spaced)
    border = edt.edt(np.ascontiguousarray(label != 0), black_border=True, **spaced)
    to_surface = np.where(inside, within, outside)
    known = (border > to_surface) & (label != 0)
    beyond = 0.5 * np.sqrt(float(np.prod(voxel)) / np.maximum(to_surface, min(voxel)))
    away = to_surface - beyond
    return np.asarray(np.where(inside, away, -away), np.float32), known


def visited(
    volume: xr.DataArray,
    phases: xr.Dataset,
    reach: float,
    work: Callable[..., Any],
    names: list[str],
    shares: bool = False,
) -> list[Any]:
    """Return ``work(counts, shares, visits, **model)`` of all slabs, computed together.

    ``counts`` are the named channels' (channel, z, y, x), ``shares`` the probabilities
    (phase, z, y, x) or None, of the slab; ``visits`` go over its parts with ``reach`` nm around.
    """
    from dask.base import compute
    from dask.delayed import delayed

    if volume.sizes["z"] != phases.sizes["z"]:
        raise DataError("the volume and its phases are not on the same grid")
    margin = [int(np.ceil(reach / step)) + 1 for step in steps_of(volume)]
    counts = volume.transpose("channel", "z", "y", "x").sel(channel=names).data
    label = phases["label"].transpose("z", "y", "x").data
    share = phases["probability"].transpose("phase", "z", "y", "x").data if shares else None
    depth = label.shape[0]
    tasks = []
    for start in range(0, depth, SLAB):
        stop, low = min(start + SLAB, depth), max(0, start - margin[0])
        around = label[low : min(depth, stop + margin[0])]
        of = None if share is None else share[:, start:stop]
        tasks.append(
            delayed(_worked)(
                work, _whole(counts[:, start:stop]), _whole(of), _whole(around), start, low, margin
            )
        )
    return list(compute(*tasks))


def _whole(array: Any) -> Any:
    return array.rechunk(array.shape) if hasattr(array, "rechunk") else array


def _worked(
    work: Callable[..., Any],
    counts: Floats,
    shares: Floats | None,
    label: Labels,
    start: int,
    low: int,
    margin: list[int],
) -> Any:
    return work(
        np.asarray(counts, np.float32), shares, _visits(counts.shape[1], label, start, low, margin)
    )


def _visits(depth: int, label: Labels, start: int, low: int, margin: list[int]) -> Iterator[Visit]:
    slab = slice(start - low, start - low + depth)
    for y in range(0, label.shape[1], TILE):
        for x in range(0, label.shape[2], TILE):
            read, inner, core = [], [slab], [slice(0, depth)]
            for at, size, more in zip((y, x), label.shape[1:], margin[1:], strict=True):
                stop, first = min(at + TILE, size), max(0, at - more)
                read.append(slice(first, min(size, stop + more)))
                inner.append(slice(at - first, stop - first))
                core.append(slice(at, stop))
            part = np.ascontiguousarray(label[:, read[0], read[1]])
            yield Visit(part, (inner[0], inner[1], inner[2]), (core[0], core[1], core[2]), start)


def number_of(phases: xr.Dataset, phase: str) -> int:
    """Return the label of a phase.

    Raises
    ------
    ParameterError
        If there is no such phase.
    """
    names = [str(name) for name in phases["phase"].to_numpy()]
    if phase not in names:
        raise ParameterError(f"phase '{phase}' is none of {names}")
    return names.index(phase) + 1


def blocks_in(volume: xr.DataArray, side: float) -> Cells:
    """Return how many blocks of about ``side`` um there are along z, y and x, and their voxels."""
    counts, voxels = [], []
    for axis, step in zip(AXES, steps_of(volume), strict=True):
        size = volume.sizes[axis]
        count = max(1, round(size * step / 1e3 / side))
        counts.append(count)
        voxels.append(-(-size // count))
    return (counts[0], counts[1], counts[2]), (voxels[0], voxels[1], voxels[2])


def columns_in(volume: xr.DataArray, side: float) -> Cells:
    """Return blocks as :func:`blocks_in` that go through the whole depth.

    Slabs of one volume are alike in their particles, and are no samples of their own.
    """
    (_, rows, columns), (_, y, x) = blocks_in(volume, side)
    return (1, rows, columns), (volume.sizes["z"], y, x)


def block_of(visit: Visit, size: Cells) -> NDArray[np.int64]:
    """Return the number of the block of each voxel of a visit's core (z, y, x)."""
    counts, voxels = size
    z, y, x = (
        np.arange(part.start, part.stop) // n
        for part, n in zip(_placed(visit), voxels, strict=True)
    )
    return np.asarray((z[:, None, None] * counts[1] + y[:, None]) * counts[2] + x)


def _placed(visit: Visit) -> tuple[slice, slice, slice]:
    z, y, x = visit.core
    return slice(visit.start + z.start, visit.start + z.stop), y, x
