"""Slices seen in the section's frame: pictures brought there one by one, and their means."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from liscope.registration.placement import Array, Field
from liscope.units import to_units
from liscope.volume.frames import Frames, Grid


def plane(stack: xr.DataArray, frames: Frames, step: float) -> xr.DataArray:
    """Return an empty map (y, x) over what a stack shows, in pixels of ``step`` um."""
    coords = Grid.over(stack, frames, (1.0, step, step)).coordinates()
    sides = [len(coords[dim]) for dim in "yx"]
    return xr.DataArray(np.full(sides, np.nan), {d: coords[d] for d in "yx"}, ("y", "x"))


def extent(stack: xr.DataArray, frames: Frames) -> Array:
    """Return height and width of what a stack shows of the section, um."""
    return np.asarray(np.abs(np.linalg.inv(frames.matrix.mean(0)) @ field(stack).size))


def means(
    stack: xr.DataArray, frames: Frames, groups: Sequence[NDArray[np.intp]], onto: xr.DataArray
) -> list[Any]:
    """Return, lazily, the mean counts (channel, y, x) of each group of slices on a plane's pixels.

    NaN where no slice of the group shows anything.
    """
    from dask.delayed import delayed

    data = lazily(stack)
    here, there = field(stack), Field.of(onto)
    add, end = delayed(partial(_added, here=here, onto=there)), delayed(_mean)
    out = []
    for group in groups:
        total = None
        for i in group:
            total = add(total, data[:, i], frames.matrix[i], frames.offset[i])
        out.append(end(total))
    return out


def lazily(stack: xr.DataArray) -> Any:
    """Return the counts (channel, slice, y, x) as a dask array, pictures whole."""
    import dask.array as da

    data = stack.transpose(..., "slice", "y", "x").data
    if not isinstance(data, da.Array):
        return da.from_array(np.asarray(data), (-1, 1, -1, -1))
    return data.rechunk({2: -1, 3: -1})


def field(stack: xr.DataArray) -> Field:
    """Return the field of a stack's pictures, um."""
    picture = stack.isel({dim: 0 for dim in stack.dims if dim not in ("y", "x")}, drop=True)
    return Field.of(picture.assign_coords({dim: to_units(stack[dim], "um") for dim in ("y", "x")}))


def brought(
    pictures: NDArray[np.generic], here: Field, matrix: Array, offset: Array, onto: Field
) -> NDArray[np.float32]:
    """Return pictures (channel, y, x) on a field of the section; NaN beyond them.

    Where that field's pixels are larger, blocks of the pictures' are averaged first.
    """
    if (times := int(min(onto.pixel) / max(here.pixel))) > 1:
        pictures, here = _binned(pictures, here, times)
    where = np.moveaxis(here.indices(onto.points() @ matrix.T + offset), -1, 0)
    seen = [
        ndimage.map_coordinates(one.astype(np.float32), where, order=1, cval=np.nan)
        for one in pictures
    ]
    return np.asarray(seen, np.float32)


def _binned(
    pictures: NDArray[np.generic], here: Field, times: int
) -> tuple[NDArray[np.float32], Field]:
    y, x = (n // times for n in here.shape)
    blocks = pictures[:, : y * times, : x * times].reshape(-1, y, times, x, times)
    first = [o + (times - 1) / 2 * p for o, p in zip(here.origin, here.pixel, strict=True)]
    larger = Field((first[0], first[1]), (here.pixel[0] * times, here.pixel[1] * times), (y, x))
    return blocks.mean((2, 4), dtype=np.float32), larger


def _added(
    total: tuple[Array, Array] | None,
    pictures: NDArray[np.generic],
    matrix: Array,
    offset: Array,
    *,
    here: Field,
    onto: Field,
) -> tuple[Array, Array]:
    seen = brought(pictures, here, matrix, offset, onto)
    there = np.isfinite(seen[0])
    values = np.where(there, seen, 0)
    return (values, there) if total is None else (total[0] + values, total[1] + there)


def _mean(total: tuple[Array, Array]) -> Array:
    values, count = total
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, values / count, np.nan)
