"""Maps of orientation, and what all maps of crystals share: frame, outlines, greys, colour keys.

Where there is no crystal a map tells why: glass is dark grey, a pore hatched, and what is not known
light grey. Shares and reliabilities come from the analysis, colours of orientations from orix.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path
from matplotlib_scalebar.scalebar import ScaleBar

from liscope.conventions import AMORPHOUS, EMPTY, UNKNOWN
from liscope.errors import ParameterError
from liscope.figures.keys import draw_key, grid_of, key_groups
from liscope.figures.style import GREY
from liscope.grains.disorientation import orix_group
from liscope.grains.maps import Pixels, pixels_of
from liscope.grains.texture import AXES
from liscope.units import to_units

Colours = np.ndarray

NOTHING: Mapping[int, tuple[str, str]] = {
    AMORPHOUS: ("#777777", "amorphous"),
    EMPTY: ("#ffffff", "empty"),
    UNKNOWN: ("#c8c8c8", "not known"),
}
DARKEST = 0.3  # of a colour where its orientation is certainly wrong; black would be a colour more


def orientation_map(om: xr.Dataset, axis: str = "y", label: xr.DataArray | None = None) -> Figure:
    """Draw which crystal direction lies along a sample axis, with the colour key beside.

    Parameters
    ----------
    om
        Orientation map. Where it has a ``reliability``, colours darken as it falls.
    axis
        ``x``, ``y`` or ``z``.
    label
        Grains (y, x), outlined.
    """
    keys = list(key_groups(om))
    figure, drawn, side = beside(om, 1.6)
    draw_orientations(drawn, om, axis, label, f"orientation along {axis}")
    below = grid_of(side).subgridspec(len(keys) + 1, 1)
    for row, group in enumerate(keys):
        draw_key(figure, below[row], om, group)
    legend = figure.add_subplot(below[-1])
    legend.axis("off")
    legend.legend(handles=without_crystal(om), loc="upper left", frameon=False)
    return figure


def beside(om: xr.Dataset, width: float) -> tuple[Figure, Axes, Axes]:
    """Return a figure with axes of the map's shape and an empty column of that width (inches)."""
    size = map_size(om)
    figure = Figure(figsize=(size[0] + width, max(size[1] + 0.3, 2.7)), layout="constrained")
    drawn, side = figure.subplots(1, 2, width_ratios=[size[0], width])
    side.axis("off")
    return figure, drawn, side


def map_size(om: xr.Dataset) -> tuple[float, float]:
    """Return width and height in inches at which a map reads well beside its legend."""
    left, right, bottom, top = extent_of(om)
    shape = (right - left) / (bottom - top)
    width = float(np.clip(4.2 * shape, 3.2, 6.4))
    return width, width / shape


def extent_of(om: xr.Dataset) -> tuple[float, float, float, float]:
    """Return left, right, bottom and top of a map in nm."""
    sides = []
    for name in ("x", "y"):
        places = to_units(om[name], "nm").to_numpy()
        half = (places[-1] - places[0]) / (len(places) - 1) / 2
        sides.append((float(places[0] - half), float(places[-1] + half)))
    return (*sides[0], *sides[1][::-1])


def frame(axis: Axes, om: xr.Dataset, title: str | None) -> None:
    """Give a map its title, scale bar and limits, and no ticks."""
    left, right, bottom, top = extent_of(om)
    axis.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[], title=title or "")
    axis.set_aspect("equal")
    axis.set_facecolor(NOTHING[UNKNOWN][0])
    for spine in axis.spines.values():
        spine.set_visible(False)
    axis.add_artist(
        ScaleBar(
            1, "nm", location="lower left", box_alpha=0.8, border_pad=0.3,
            length_fraction=0.2, width_fraction=0.015, font_properties={"size": 8},
        )
    )  # fmt: skip


# ---------------------------------------------------------------------------------- orientations


def draw_orientations(
    axes: Axes, om: xr.Dataset, axis: str, label: xr.DataArray | None, title: str | None
) -> None:
    """Draw the colours of orientations along a sample axis, darker where less reliable."""
    axes.imshow(orientation_colours(om, axis), extent=extent_of(om))
    hatch_empty(axes, om)
    if label is not None:
        outline_grains(axes, om, label)
    frame(axes, om, title)


def orientation_colours(om: xr.Dataset, axis: str) -> Colours:
    """Return the colour (y, x, 3) of each pixel: orix' key for a sample axis, greys without one.

    Raises
    ------
    ParameterError
        If there is no such axis.
    """
    from orix.plot import IPFColorKeyTSL  # here: they take their time to load
    from orix.quaternion import Orientation
    from orix.vector import Vector3d

    pixels = pixels_of(om)
    colours = greys(pixels)
    for number, name in enumerate(pixels.groups):
        at = pixels.indexed & (pixels.phase == number)
        if at.any():
            group = orix_group(name)
            turned: Any = Orientation(pixels.quaternion[at], symmetry=group)
            key = IPFColorKeyTSL(group, direction=Vector3d(_sample(axis)))
            colours[at] = key.orientation2color(turned) * _shade(om)[at, None]
    return colours


def _sample(axis: str) -> tuple[float, float, float]:
    if axis not in AXES:
        raise ParameterError(f"axis: '{axis}' is none of x, y, z")
    return AXES[axis]


def _shade(om: xr.Dataset) -> Colours:
    """Return by how much (y, x) colours darken."""
    if "reliability" not in om:
        return np.ones(om["phase"].transpose("y", "x").shape)
    known = om["reliability"].transpose("y", "x").fillna(0).clip(0, 1)
    return np.asarray(DARKEST + (1 - DARKEST) * known)


def greys(pixels: Pixels) -> Colours:
    """Return what is drawn (y, x, 3) where there is no crystal."""
    colours = np.full((*pixels.phase.shape, 3), to_rgb(NOTHING[UNKNOWN][0]))
    for number, (colour, _) in NOTHING.items():
        colours[pixels.phase == number] = to_rgb(colour)
    return colours


def without_crystal(om: xr.Dataset, glass: str = NOTHING[AMORPHOUS][0]) -> list[Patch]:
    """Return what a legend says about pixels without a crystal, as far as there are any."""
    pixels = pixels_of(om)
    there = set(np.unique(pixels.phase)) | ({UNKNOWN} if _unindexed(pixels) else set())
    return [
        Patch(
            fc=glass if number == AMORPHOUS else colour, ec=GREY, lw=0.5, label=text,
            hatch="/////" if number == EMPTY else None,
        )
        for number, (colour, text) in NOTHING.items() if number in there
    ]  # fmt: skip


def _unindexed(pixels: Pixels) -> bool:
    return bool(((pixels.phase >= 0) & ~pixels.indexed).any())


def hatch_empty(axes: Axes, om: xr.Dataset) -> None:
    """Hatch the pixels in which there is nothing, each run along a row as one rectangle."""
    pixels = pixels_of(om)
    empty = np.pad(pixels.phase == EMPTY, ((0, 0), (1, 1))).astype(int)
    steps = np.diff(empty, axis=1)
    rows, starts = np.nonzero(steps == 1)
    ends = np.nonzero(steps == -1)[1]
    if not rows.size:
        return
    height, width = pixels.step
    left, top = pixels.x[0] - width / 2, pixels.y[0] - height / 2
    boxes = [
        Path(
            [(left + width * (c if i in (0, 3, 4) else d), top + height * (r + (i in (2, 3))))
             for i in range(5)],
            closed=True,
        )
        for r, c, d in zip(rows, starts, ends, strict=True)
    ]  # fmt: skip
    patch = PathPatch(Path.make_compound_path(*boxes), fc="none", ec="#999999", lw=0, hatch="/////")
    axes.add_patch(patch)


def outline_grains(axes: Axes, om: xr.Dataset, label: xr.DataArray) -> None:
    """Draw a thin line along every pixel edge between two grains, or a grain and none."""
    pixels, grain = pixels_of(om), label.transpose("y", "x").to_numpy()
    height, width = pixels.step
    left, top = pixels.x[0] - width / 2, pixels.y[0] - height / 2
    lines = []
    y, x = np.nonzero(grain[:, 1:] != grain[:, :-1])
    upright = left + (x + 1) * width
    lines.append(np.stack([upright, top + y * height, upright, top + (y + 1) * height], 1))
    y, x = np.nonzero(grain[1:] != grain[:-1])
    level = top + (y + 1) * height
    lines.append(np.stack([left + x * width, level, left + (x + 1) * width, level], 1))
    every = np.concatenate(lines).reshape(-1, 2, 2)
    axes.add_collection(
        LineCollection(
            list(every), colors="black", linewidths=0.3 * thin(om), capstyle="projecting"
        )
    )


def thin(om: xr.Dataset) -> float:
    """Return a width of lines in points that leaves room between them on a map of many pixels."""
    return float(np.clip(150 / om.sizes["x"], 0.7, 1.4))
