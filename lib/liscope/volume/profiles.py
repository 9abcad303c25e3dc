"""Counts along lines through particles, and by distance from the surface of all particles."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError, ParameterError
from liscope.statistics import LEVEL
from liscope.units import to_units
from liscope.volume.response import AXES, steps_of
from liscope.volume.surface import (
    BLOCK,
    Cells,
    block_of,
    blocks_in,
    number_of,
    signed_distance,
    visited,
)

Array = NDArray[np.float64]

WIDTH = 0.5  # um
REACH = (600.0, 1200.0)  # nm outside and inside
RESAMPLED = 500
FEWEST = 5  # blocks; fewer give no interval
SLACK = 1e-6  # of a part of a line: no part of rounding alone


def line_profile(
    volume: xr.DataArray,
    start: Sequence[float] | Array,
    end: Sequence[float] | Array,
    width: float = WIDTH,
    step: float | None = None,
) -> xr.Dataset:
    """Return the mean counts along lines, of the voxels that lie around them.

    No voxel is interpolated: each belongs to the part of the line that is nearest to it.

    Parameters
    ----------
    volume
        (channel, z, y, x), counts.
    start, end
        (z, y, x) of one line, or (line, 3) of several, um.
    width
        Diameter of the cylinder around a line in which voxels count, um.
    step
        Length of a part of a line, um; None: the longest side of a voxel.

    Returns
    -------
    xr.Dataset
        ``mean`` (line, channel, distance), counts a voxel, with ``counting``, its standard error by
        the counts alone, and ``across``, by the scatter of the voxels across the line; ``error`` is
        the larger one. ``voxels`` (line, distance). NaN beyond the end of a line, and where
        there is no voxel.

    Raises
    ------
    ParameterError
        If a line has no length, or the width is not above 0.
    DataError
        If a line misses the volume.
    """
    from dask.base import compute

    starts, ends = (np.atleast_2d(np.asarray(points, float)) for points in (start, end))
    length = np.linalg.norm(ends - starts, axis=1)
    if width <= 0 or not np.all(length > 0) or starts.shape[1] != 3:
        raise ParameterError("a line needs two different ends (z, y, x) in um, and a width above 0")
    step = max(steps_of(volume)) / 1e3 if step is None else step
    volume = volume.transpose("channel", *AXES)
    boxes = [_box(volume, a, b, width) for a, b in zip(starts, ends, strict=True)]
    data = compute(*(box.data for box in boxes))
    count = int(np.ceil(length.max() / step - SLACK))
    rows = [
        _along(box.copy(data=values), a, b, width, step, count)
        for box, values, a, b in zip(boxes, data, starts, ends, strict=True)
    ]
    return _profiles(rows, volume, np.asarray(step * (np.arange(count) + 0.5), float))


def _box(volume: xr.DataArray, start: Array, end: Array, width: float) -> xr.DataArray:
    at = {}
    for axis, a, b in zip(AXES, start, end, strict=True):
        place = to_units(volume[axis], "um").to_numpy()
        inside = (place >= min(a, b) - width / 2) & (place <= max(a, b) + width / 2)
        if not inside.any():
            raise DataError(f"the line from {start} to {end} um misses the volume along {axis}")
        first = int(np.argmax(inside))
        at[axis] = slice(first, first + int(inside.sum()))
    return volume.isel(at)


def _along(
    box: xr.DataArray, start: Array, end: Array, width: float, step: float, count: int
) -> tuple[Array, Array, Array]:
    """Return voxels (distance,), sums and sums of squares (channel, distance)."""
    places = [to_units(box[axis], "um").to_numpy() for axis in AXES]
    grid = np.stack(np.meshgrid(*places, indexing="ij"), -1) - start
    length = float(np.linalg.norm(end - start))
    along = grid @ ((end - start) / length)
    aside = np.sqrt(np.maximum((grid**2).sum(-1) - along**2, 0))
    values = box.to_numpy().astype(float)
    near = (aside <= width / 2) & (along >= 0) & (along < length) & np.isfinite(values).all(0)
    part = np.minimum((along[near] / step + SLACK).astype(int), count - 1)
    sums = [np.bincount(part, v[near], count) for v in values]
    squares = [np.bincount(part, v[near] ** 2, count) for v in values]
    return np.bincount(part, minlength=count).astype(float), np.array(sums), np.array(squares)


def _profiles(
    rows: list[tuple[Array, Array, Array]], volume: xr.DataArray, distance: Array
) -> xr.Dataset:
    voxels, sums, squares = (np.stack(part) for part in zip(*rows, strict=True))
    number = np.where(voxels > 0, voxels, np.nan)[:, None]
    mean = sums / number
    counting = np.sqrt(np.maximum(sums, 1)) / number
    scatter = np.maximum(squares / number - mean**2, 0) / np.where(number > 1, number - 1, np.nan)
    across = np.sqrt(scatter)
    dims = ("line", "channel", "distance")
    units = {"units": "count"}
    return xr.Dataset(
        {
            "mean": (dims, mean, units),
            "counting": (dims, counting, units),
            "across": (dims, across, units),
            "error": (dims, np.fmax(counting, across), units),
            "voxels": (("line", "distance"), voxels.astype(int)),
        },
        {
            "channel": volume["channel"].to_numpy(),
            "distance": ("distance", distance, {"units": "um", "long_name": "along the line"}),
        },
    )


def edge_profile(
    volume: xr.DataArray,
    phases: xr.Dataset,
    phase: str = "LLZTO",
    channels: Sequence[str] | None = None,
    ratio: tuple[str, str] | None = ("Zr", "6Li+"),
    reach: tuple[float, float] = REACH,
    step: float | None = None,
    block: float = BLOCK,
    seed: int = 0,
) -> xr.Dataset:
    """Return the mean counts by distance from the surface of all particles of a phase.

    Only voxels count of which it is known that no surface beyond the border is nearer; intervals
    come from drawing whole blocks of the volume again and again, as neighbours are alike.

    Parameters
    ----------
    volume, phases
        (channel, z, y, x), counts, and its phases with ``label`` (z, y, x).
    phase
        Whose surface.
    channels
        None: all of them.
    ratio
        Two channels, whose sums' ratio is given as well; None: no ratio.
    reach
        Farthest outside and inside, nm.
    step
        Width of a class of distance, nm; None: the longest side of a voxel.
    block
        Side of the blocks, um; several times what is alike.
    seed
        Of the drawing.

    Returns
    -------
    xr.Dataset
        ``mean``, ``low`` and ``high`` (channel, distance), counts a voxel; ``voxels`` (distance,);
        ``ratio``, ``ratio_low`` and ``ratio_high`` (distance,). ``distance``, nm, is above 0
        within the phase. Limits are of 95 %, and NaN of fewer than five blocks.

    Raises
    ------
    ParameterError
        If there is no such phase or channel.
    """
    names = [str(name) for name in (volume["channel"].to_numpy() if channels is None else channels)]
    used = list(dict.fromkeys([*names, *(ratio or ())]))
    missing = set(used) - {str(name) for name in volume["channel"].to_numpy()}
    if missing:
        raise ParameterError(f"channels: the volume has no {sorted(missing)}")
    voxel = steps_of(volume)
    step = max(voxel) if step is None else step
    edges = step * np.arange(-np.ceil(reach[0] / step), np.ceil(reach[1] / step) + 1)
    size = blocks_in(volume, block)
    work = partial(
        _by_distance, number=number_of(phases, phase), voxel=voxel, edges=edges, size=size
    )
    sums = np.sum(visited(volume, phases, max(reach) + max(voxel), work, used), axis=0)
    return _edge_table(sums, used, names, ratio, edges, np.random.default_rng(seed))


def _by_distance(
    counts: NDArray[np.float32],
    _: None,
    visits: Any,
    number: int,
    voxel: tuple[float, float, float],
    edges: Array,
    size: Cells,
) -> Array:
    """Return the number of voxels, and the sums of channels, (block, 1 + channel, distance)."""
    bins, blocks = len(edges) - 1, int(np.prod(size[0]))
    total = np.zeros((blocks, 1 + len(counts), bins))
    for visit in visits:
        distance, known = signed_distance(visit.label, number, voxel)
        distance, known = distance[visit.inner], known[visit.inner]
        values = counts[(slice(None), *visit.core)]
        use = known & np.isfinite(values).all(0)
        use &= (distance >= edges[0]) & (distance < edges[-1])
        at = np.searchsorted(edges, distance[use], side="right") - 1
        key = block_of(visit, size)[use] * bins + at
        total[:, 0] += np.bincount(key, minlength=blocks * bins).reshape(blocks, bins)
        for c, of_one in enumerate(values):
            total[:, c + 1] += np.bincount(key, of_one[use], blocks * bins).reshape(blocks, bins)
    return total


def _edge_table(
    sums: Array,
    used: list[str],
    names: list[str],
    ratio: tuple[str, str] | None,
    edges: Array,
    random: np.random.Generator,
) -> xr.Dataset:
    held = sums[sums[:, 0].sum(-1) > 0]
    drawn = random.multinomial(len(held), np.full(len(held), 1 / max(len(held), 1)), RESAMPLED)
    again = np.einsum("rb,bck->rck", drawn.astype(float), held)
    whole = held.sum(0)
    units = {"units": "count"}
    at = [1 + used.index(name) for name in names]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, means = whole[at] / whole[0], again[:, at] / again[:, :1]
    low, high = _limits(means, len(held))
    table = xr.Dataset(
        {
            "mean": (("channel", "distance"), mean, units),
            "low": (("channel", "distance"), low, units),
            "high": (("channel", "distance"), high, units),
            "voxels": ("distance", whole[0].astype(int)),
        },
        {
            "channel": names,
            "distance": ("distance", (edges[1:] + edges[:-1]) / 2, {"units": "nm"}),
        },
        {"blocks": len(held)},
    )
    if ratio is None:
        return table
    one, two = (1 + used.index(name) for name in ratio)
    with np.errstate(invalid="ignore", divide="ignore"):
        value, values = whole[one] / whole[two], again[:, one] / again[:, two]
    below, above = _limits(values, len(held))
    found = {"ratio": value, "ratio_low": below, "ratio_high": above}
    return table.assign({name: ("distance", of) for name, of in found.items()}).assign_attrs(
        ratio=f"{ratio[0]} / {ratio[1]}"
    )


def _limits(drawn: Array, blocks: int) -> tuple[Array, Array]:
    if blocks < FEWEST:
        return np.full(drawn.shape[1:], np.nan), np.full(drawn.shape[1:], np.nan)
    tail = (1 - LEVEL) / 2
    centre, wider = (
        drawn.mean(0),
        np.sqrt(blocks / (blocks - 1)),
    )  # they scatter less than blocks do
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return centre + wider * (low - centre), centre + wider * (high - centre)
