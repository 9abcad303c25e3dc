"""Particles that touch, told apart where the phase narrows between them.

The distance of each voxel to the phase's surface has a maximum in each particle. Two maxima are of
one particle where the neck between them is nearly as wide as the smaller of both; this is the
h-maxima transform (P. Soille, Morphological Image Analysis (2003), 6.3.4) of the distance's
logarithm, with h = -ln(neck), so that it means the same for small and for large particles. The
maxima that last are the markers of a watershed. Volumes that do not fit are done in tiles that
overlap by ``reach``; the tiles depend on the volume's shape alone, not on its chunks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError, ParameterError
from liscope.history import noted
from liscope.volume._voxels import DIMS, blocks_of, labels_of, number_of, steps_of
from liscope.volume.labels import compressor

TILE = 192  # voxels along a side of a tile, at least, without the overlap
NECK = 0.9
REACH = 4.0  # um
Labels = NDArray[np.integer[Any]]
Corner = tuple[int, ...]


def separate(
    phases: xr.Dataset | xr.DataArray, phase: str, neck: float = NECK, reach_um: float = REACH
) -> xr.DataArray:
    """Return the number of the particle of each voxel of a phase, lazily.

    Parameters
    ----------
    phases
        Phases, or labels (z, y, x) with ``attrs["phase_names"]``. Voxels that were not measured
        (0) are no surface: a particle goes on behind them.
    neck
        Narrower necks part particles: width of the neck over that of the smaller of both, within 0
        and 1. Rough surfaces cut particles at 0.95, touching ones stay together at 0.8.
    reach_um
        Overlap of tiles, um: no less than the largest particle's radius.

    Returns
    -------
    DataArray
        (z, y, x), dask, int32: 1, 2, ... in order of the particles' deepest voxels; 0 elsewhere.

    Raises
    ------
    ParameterError
        If there is no such phase, ``neck`` is not within 0 and 1, or ``reach_um`` not above 0.
    DataError
        On computing, if a tile holds a part of a particle whose deepest voxel lies beyond the
        overlap.
    """
    import dask.array as da
    from dask.delayed import delayed

    if not (0 < neck < 1 and reach_um > 0):
        raise ParameterError(f"neck={neck} must be within 0 and 1, reach_um={reach_um} above 0")
    label, number = labels_of(phases), number_of(phases, phase)
    steps = steps_of(label)
    tiles, halo = _tiles(label.shape, steps, reach_um)
    whole = da.asarray(label.data)
    state = da.where(whole == number, 1, da.where(whole == 0, 2, 0)).astype(np.uint8)
    wide = da.overlap.overlap(
        state.rechunk(tiles), dict(enumerate(halo)), dict.fromkeys(range(3), "none"),
        allow_rechunk=False,
    )  # fmt: skip
    packed = [delayed(_packed)(block) for block in blocks_of(wide)]
    places = _places(tiles, halo)
    peaks = delayed(_joined)(
        [
            delayed(_peaks)(block, place, label.shape, steps, neck)
            for block, place in zip(packed, places, strict=True)
        ]
    )
    parts = [
        da.from_delayed(
            delayed(_flooded)(block, place, label.shape, steps, peaks),
            tuple(place[2]), np.int32,
        )
        for block, place in zip(packed, places, strict=True)
    ]  # fmt: skip
    grid = np.empty([len(t) for t in tiles], dtype=object)
    for at, part in zip(np.ndindex(grid.shape), parts, strict=True):
        grid[at] = part
    found = xr.DataArray(
        da.block(grid.tolist()), dims=DIMS, coords={dim: label[dim] for dim in DIMS}
    )
    found = found.rename("particle").assign_attrs(phase=phase, neck=neck)
    history = xr.DataArray(attrs={"history": label.attrs.get("history", "")})
    return noted(found, history, f"separate({phase!r}, {neck=}, {reach_um=})")


def _tiles(
    shape: tuple[int, ...], steps: tuple[float, ...], reach_um: float
) -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]:
    """Return the sides of the tiles, and how far they overlap, in voxels."""
    halo = [int(np.ceil(reach_um / step)) for step in steps]
    tiles = []
    for axis, count in enumerate(shape):
        parts = max(1, count // max(TILE, halo[axis]))
        edges = np.arange(parts + 1) * count // parts
        tiles.append(tuple(int(n) for n in np.diff(edges)))
        if parts == 1:
            halo[axis] = 0
    return tuple(tiles), tuple(halo)


def _places(
    tiles: tuple[tuple[int, ...], ...], halo: tuple[int, ...]
) -> list[tuple[Corner, Corner, Corner]]:
    """Return of each tile where it starts with the overlap, without it, and its sides."""
    starts = [np.concatenate([[0], np.cumsum(t)[:-1]]).astype(int) for t in tiles]
    places = []
    for at in np.ndindex(*(len(t) for t in tiles)):
        core = tuple(int(starts[k][i]) for k, i in enumerate(at))
        wide = tuple(max(0, c - h) for c, h in zip(core, halo, strict=True))
        places.append((wide, core, tuple(tiles[k][i] for k, i in enumerate(at))))
    return places


def _packed(state: NDArray[np.uint8]) -> tuple[bytes, tuple[int, ...]]:
    """Return a tile compressed, for it is kept until all peaks are known."""
    return bytes(compressor().encode(np.ascontiguousarray(state))), state.shape


def _distance(
    packed: tuple[bytes, tuple[int, ...]], steps: tuple[float, ...]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return each voxel's distance from the surface, um, and which voxels are of the phase."""
    import edt

    state = np.frombuffer(compressor().decode(packed[0]), np.uint8).reshape(packed[1])
    own = state == 1
    depth = edt.edt(state > 0, anisotropy=steps, black_border=False, parallel=1)
    if np.isinf(depth).any():  # no surface at all in this tile
        depth[np.isinf(depth)] = np.float32(np.linalg.norm(np.multiply(state.shape, steps)))
    return np.where(own, depth, np.float32(0)), own


def _peaks(
    packed: tuple[bytes, tuple[int, ...]],
    place: tuple[Corner, Corner, Corner],
    shape: tuple[int, ...],
    steps: tuple[float, ...],
    neck: float,
) -> NDArray[np.int64]:
    """Return the markers within a tile, as places in the flattened volume."""
    import cc3d
    from skimage.morphology import local_maxima
    from skimage.segmentation import watershed

    depth, own = _distance(packed, steps)
    tops = np.ascontiguousarray(local_maxima(depth, connectivity=1, allow_borders=True) & own)
    top, count = cc3d.connected_components(tops, connectivity=6, return_N=True)
    if not count:
        return np.zeros(0, np.int64)
    basin = watershed(-depth, top.astype(np.int32), mask=own)
    flat = np.flatnonzero(top)
    first = np.full(count + 1, -1, np.int64)
    first[top.ravel()[flat[::-1]]] = flat[::-1]
    kept = _lasting(basin, depth, depth.ravel()[first[1:]], neck)
    at = np.stack(np.unravel_index(first[1:][kept], depth.shape)) + np.array(place[0])[:, None]
    core, sides = (np.array(p)[:, None] for p in place[1:])
    inside = ((at >= core) & (at < core + sides)).all(0)
    return np.asarray(np.ravel_multi_index(tuple(at[:, inside]), shape), np.int64)


def _lasting(
    basin: Labels, depth: NDArray[np.float32], peak: NDArray[np.float32], neck: float
) -> NDArray[np.bool_]:
    """Return which basins have no pass to a higher one as wide as ``neck`` of their peak."""
    one, other, height = _passes(basin, depth)
    parent, lasting = np.arange(peak.size), np.ones(peak.size, bool)

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i in np.argsort(-height, kind="stable"):
        low, high = sorted((root(one[i]), root(other[i])), key=lambda b: (peak[b], -b))
        if low != high and height[i] > neck * peak[low]:
            parent[low], lasting[low] = high, False
    return lasting


def _passes(
    basin: Labels, depth: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return pairs of touching basins, from 0, and the height of the pass between them."""
    count = int(basin.max()) + 1
    codes, heights = [], []
    for axis in range(3):
        here = (slice(None),) * axis + (slice(None, -1),)
        there = (slice(None),) * axis + (slice(1, None),)
        touch = (basin[here] != basin[there]) & (basin[here] > 0) & (basin[there] > 0)
        a, b = basin[here][touch].astype(np.int64), basin[there][touch].astype(np.int64)
        codes.append(np.minimum(a, b) * count + np.maximum(a, b))
        heights.append(np.minimum(depth[here][touch], depth[there][touch]))
    code, height = np.concatenate(codes), np.concatenate(heights)
    order = np.lexsort((-height, code))
    code, height = code[order], height[order]
    first = np.append(True, code[1:] != code[:-1])[: code.size]
    return code[first] // count - 1, code[first] % count - 1, height[first]


def _joined(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.sort(np.concatenate(parts))


def _flooded(
    packed: tuple[bytes, tuple[int, ...]],
    place: tuple[Corner, Corner, Corner],
    shape: tuple[int, ...],
    steps: tuple[float, ...],
    peaks: NDArray[np.int64],
) -> NDArray[np.int32]:
    """Return the particles' numbers within a tile."""
    from skimage.segmentation import watershed

    depth, own = _distance(packed, steps)
    at = np.stack(np.unravel_index(peaks, shape)) - np.array(place[0])[:, None]
    there = ((at >= 0) & (at < np.array(depth.shape)[:, None])).all(0)
    marker = np.zeros(depth.shape, np.int32)
    marker[tuple(at[:, there])] = np.flatnonzero(there) + 1
    found = watershed(-depth, marker, mask=own) if there.any() else marker
    core = tuple(slice(c - w, c - w + n) for w, c, n in zip(*place, strict=True))
    if (own[core] & (found[core] == 0)).any():
        raise DataError(
            "a particle reaches further than the tiles overlap; give a larger radius (reach_um)"
        )
    return np.ascontiguousarray(found[core], np.int32)
