"""A flight through the slices of a volume, as a file that every browser and slide program plays."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from liscope.errors import DataError
from liscope.figures.style import ORANGE
from liscope.figures.volume_sections import colouring, image_of
from liscope.figures.volume_style import (
    NOTHING,
    draw_slice,
    names_of,
    phase_handles,
    sides,
    spread,
    title_of,
    unit_label,
)
from liscope.units import to_units

if TYPE_CHECKING:
    from PIL import Image

MOST = 4_500_000  # bytes
FRAMES, PAUSE = 60, 120  # at most so many, so many ms each
WIDTHS = (560, 420, 320, 240, 180, 130)  # px, the first that keeps within MOST
SHADES = 96  # steps of the colours: more make a larger file of the same noise


def animation(volume: xr.DataArray | xr.Dataset) -> bytes:
    """Return a GIF that runs through the slices in the specimen's proportions, with their depth.

    Above is the slice, with its scale bar; below is the cut along x and z through the middle, with
    a line where the slice lies. At most 60 slices are shown, evenly spread, each with its own
    depth. The same volume gives the same bytes, at most 4.5 MB. ``deliver`` takes it as a figure.

    Parameters
    ----------
    volume
        One channel of a volume (z, y, x), or phases with ``label`` and coordinate ``phase``. Of a
        lazy one only what is shown is kept.

    Raises
    ------
    DataError
        If it has other axes, or no coordinates in a unit of length.
    """
    thin = _thinned(volume)
    for width in WIDTHS:
        gif = _gif(thin, width)
        if len(gif) <= MOST:
            return gif
    raise DataError("the slices do not fit into a film of 4.5 MB; choose a part of the volume")


def _thinned(volume: xr.DataArray | xr.Dataset) -> xr.DataArray | xr.Dataset:
    """Return the slices that are shown, with no more voxels across than a screen has room for."""
    image = image_of(volume)
    image = image.isel(z=spread(image.sizes["z"], FRAMES))
    step = max(1, max(image.sizes["x"], image.sizes["y"]) // WIDTHS[0])
    if isinstance(volume, xr.Dataset):
        label = image.isel(y=slice(None, None, step), x=slice(None, None, step)).compute()
        return xr.Dataset({"label": label, "phase": volume["phase"]})
    return image.coarsen(y=step, x=step, boundary="trim").mean().compute()


def _gif(volume: xr.DataArray | xr.Dataset, width: int) -> bytes:
    from PIL import Image

    palette = _palette(volume)
    frames = [
        frame.quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in _frames(volume, width)
    ]
    buffer = io.BytesIO()
    frames[0].save(
        buffer, "GIF", save_all=True, append_images=frames[1:], duration=PAUSE, loop=0,
        optimize=False,
    )  # fmt: skip
    return buffer.getvalue()


def _palette(volume: xr.DataArray | xr.Dataset) -> Image.Image:
    """Return the colours of all frames, so that none flickers."""
    from PIL import Image

    _, colours = colouring(volume)
    drawn = colours if not isinstance(colours, str) else colormaps[colours]
    steps = np.linspace(0, 1, drawn.N if drawn.N < SHADES else SHADES)
    greys = np.repeat(np.linspace(0, 1, 24)[:, None], 3, axis=1)
    extra = np.array([to_rgb(NOTHING), to_rgb(ORANGE)])
    every = np.concatenate([drawn(steps)[:, :3], greys, extra])
    image = Image.new("P", (1, 1))
    image.putpalette(np.round(255 * every).astype(np.uint8).ravel().tolist())
    return image


def _frames(volume: xr.DataArray | xr.Dataset, width: int) -> Iterator[Image.Image]:
    """Yield the picture of each slice."""
    from PIL import Image

    image = image_of(volume)
    figure, drawn, line, told = _stage(volume, width)
    canvas: Any = FigureCanvasAgg(figure)
    for depth, one in zip(to_units(image["z"], "um").to_numpy(), image, strict=True):
        drawn.set_data(one.to_numpy())
        line.set_ydata([depth, depth])
        told.set_text(f"z = {depth:.2f} um")
        canvas.draw()
        yield Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def _stage(volume: xr.DataArray | xr.Dataset, width: int) -> tuple[Figure, Any, Any, Any]:
    """Return a figure with a slice above and a cut below, and what of it moves."""
    image, (norm, colours) = image_of(volume), colouring(volume)
    faces = sides(image)
    x, y, z = (faces[dim][1] - faces[dim][0] for dim in "xyz")
    inch = width / 100
    scale = inch / x
    high = scale * (y + z) + 0.75
    figure = Figure(figsize=(inch, high), dpi=100, facecolor="white")
    top = figure.add_axes((0, (high - 0.3 - scale * y) / high, 1, scale * y / high))
    low = figure.add_axes((0, 0.38 / high, 1, scale * z / high))
    drawn = draw_slice(top, image.isel(z=0), norm, colours)
    cut = image.isel(y=image.sizes["y"] // 2).transpose("z", "x")
    draw_slice(low, cut, norm, colours, bar=False)
    line = low.axhline(faces["z"][0], color=ORANGE, lw=1.5)
    for axis in (top, low):
        axis.set(xticks=[], yticks=[])
    told = figure.text(0.01, 1 - 0.08 / high, "", fontsize=9, va="top")
    if isinstance(volume, xr.Dataset):
        figure.legend(
            handles=phase_handles(names_of(volume)), loc="lower left", ncols=6, frameon=False,
            fontsize=min(8, width / 65), borderaxespad=0.1, columnspacing=1.0, handlelength=1.2,
        )  # fmt: skip
    else:
        label = f"{title_of(image)}, {norm.vmin:.3g} to {norm.vmax:.3g} {unit_label(image)}"
        figure.text(0.01, 0.08 / high, label, fontsize=8)
    return figure, drawn, line, told
