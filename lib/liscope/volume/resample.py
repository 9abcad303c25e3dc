"""A stack of slices onto a regular grid, by one interpolation, in blocks of a few planes."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError, ParameterError
from liscope.history import noted
from liscope.volume._places import Floats, Places, Planes
from liscope.volume.frames import AXES, Frames, Grid

Method = Literal["linear", "lanczos"]

BLOCK = 16e6  # bytes of a block of the volume


def variance_share(
    stack: xr.DataArray,
    frames: Frames,
    grid: Grid,
    method: Method = "linear",
    lobes: int = 3,
) -> xr.DataArray:
    """Return which share of the counts' variance is left in each plane of :func:`onto_grid`, (z,).

    It is the sum of squared weights of the pixels that a voxel is made of, in the mean over the
    plane: 4/9 where pixels of the pictures and of the grid have nothing to do with each other, and
    2/3 of this between slices. What is lost is shared with neighbouring voxels, which are no longer
    independent. Parameters as :func:`onto_grid`; NaN in planes outside of the stack.
    """
    places = Places.of(_ordered(stack), frames, grid, lobes if method == "lanczos" else 0)
    planes = Planes.of(frames, grid)
    squares = np.array([places.squares(number) for number in range(len(frames.depth))])
    lower, upper = squares[planes.lower], squares[planes.upper]
    share = (1 - planes.weight) ** 2 * lower + planes.weight**2 * upper
    return xr.DataArray(share, {"z": grid.coordinates()["z"]}, attrs={"units": "1"})


def onto_grid(
    stack: xr.DataArray,
    frames: Frames,
    grid: Grid,
    method: Method = "linear",
    lobes: int = 3,
) -> xr.DataArray:
    """Bring a stack onto a grid: all that moves it is composed, and it is interpolated once.

    In the plane between the four nearest pixels, or by Lanczos' window; in depth between the two
    neighbouring slices, at the depths they have. A missing slice is bridged by its neighbours; no
    plane is filled that lies more than two usual distances of slices from any of them. Counts stay
    those of a *recorded* pixel, whatever the grid's voxel measures; multiply by the ratio of the
    areas for counts of a voxel.

    Parameters
    ----------
    stack
        (channel or element or ion, slice, y, x), y and x in units of length.
    frames
        Where its slices lie, as many as it has.
    grid
        Where it is brought to.
    method
        ``"linear"`` never turns counts negative. ``"lanczos"`` is sharper, does, and is
        anti-aliased where the grid is coarser than the pictures.
    lobes
        Of Lanczos' window: 3, or 5.

    Returns
    -------
    (channel, z, y, x), float32, lazily where the stack is. NaN outside the pictures, whose pixels
    reach half a pixel beyond their centres; more than half a slice above the first or below the
    last one, and more than two usual distances of slices from any; and where a pixel that has a
    weight is NaN.

    Raises
    ------
    DataError
        If there are more or fewer frames than slices, or a dimension is missing.
    ParameterError
        If there is no such method, or no such window.
    """
    if method not in ("linear", "lanczos"):
        raise ParameterError(f"method '{method}' is not known: 'linear' or 'lanczos'")
    if not 1 <= lobes <= 8:
        raise ParameterError(f"lobes: {lobes} is no window of Lanczos; 3 is usual, or 5")
    stack = _ordered(stack)
    if len(frames.depth) != stack.sizes["slice"]:
        raise DataError(f"{len(frames.depth)} frames for {stack.sizes['slice']} slices")
    places = Places.of(stack, frames, grid, lobes if method == "lanczos" else 0)
    made = _planned(stack, Planes.of(frames, grid), places)
    names = {"channel": stack["channel"].to_numpy()}
    volume = xr.DataArray(
        made if stack.chunks else made.compute(),
        {**names, **grid.coordinates()},
        ("channel", "z", "y", "x"),
        stack.name,
    )
    how = f"{method}, {lobes} lobes" if method == "lanczos" else method
    nm = " x ".join(f"{1e3 * step:.4g}" for step in grid.step)
    return noted(volume, stack, f"onto a grid of {nm} nm (z, y, x): {how}, linear in depth")


def _ordered(stack: xr.DataArray) -> xr.DataArray:
    """Return the stack with its dimension of channels first, and named so."""
    others = [str(dim) for dim in stack.dims if dim not in ("slice", *AXES)]
    if stack.ndim != 4 or len(others) != 1:
        raise DataError(f"a stack is (channel, slice, y, x); this one is {stack.dims}")
    stack = stack.rename({others[0]: "channel"}) if others[0] != "channel" else stack
    if "channel" not in stack.coords:
        stack = stack.assign_coords(channel=np.arange(stack.sizes["channel"]))
    return stack.transpose("channel", "slice", *AXES)


def _planned(stack: xr.DataArray, planes: Planes, places: Places) -> Any:
    """Return the dask array whose blocks ask for the slices about them, and no others."""
    import dask.array as da
    from dask.base import tokenize
    from dask.highlevelgraph import HighLevelGraph

    whole = {0: 1, 1: "auto", 2: -1, 3: -1}
    source = stack.data if stack.chunks else da.from_array(stack.data, whole)
    source = source.rechunk({2: -1, 3: -1})
    channels, recorded = source.chunks[:2]
    edges = np.concatenate([[0], np.cumsum(recorded)])
    depth = len(planes.weight)
    thick = max(1, int(BLOCK / (4 * max(channels) * max(1, int(np.prod(places.shape))))))
    starts = range(0, depth, thick)
    parts = [planes.part(start, start + thick) for start in starts]
    name = f"onto_grid-{tokenize(source.name, planes, places)}"
    graph: dict[Any, Any] = {}
    for k, part in enumerate(parts):
        needed = np.unique(np.searchsorted(edges, part.slices(), side="right") - 1).tolist()
        begins = edges[needed].tolist()
        for c, count in enumerate(channels):
            blocks = [(source.name, c, n, 0, 0) for n in needed]
            graph[(name, c, k, 0, 0)] = (_block, blocks, begins, part, places, count)
    chunks = (
        channels,
        tuple(len(part.weight) for part in parts),
        *((side,) for side in places.shape),
    )
    layers = HighLevelGraph.from_collections(name, graph, dependencies=[source])
    return da.Array(layers, name, chunks, dtype=np.float32)


def _block(
    blocks: list[NDArray[Any]], begins: list[int], planes: Planes, places: Places, channels: int
) -> Floats:
    """Return some planes of some channels, from the blocks of slices about them."""
    out = np.zeros((channels, len(planes.weight), *places.shape), np.float32)
    out[:, np.isnan(planes.weight)] = np.nan
    for number in planes.slices().tolist():
        of = int(np.searchsorted(begins, number, side="right")) - 1
        for channel, pictures in enumerate(blocks[of]):
            picture = np.ascontiguousarray(pictures[number - begins[of]], np.float32)
            places.add(picture, number, out[channel], *planes.beside(number))
    return out
