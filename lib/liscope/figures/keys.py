"""Colour keys of orientations, in the projections of orix."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.gridspec import SubplotSpec

from liscope.errors import DataError
from liscope.grains.disorientation import orix_group
from liscope.grains.maps import pixels_of

KEY = 240  # points across a colour key


def key_groups(om: xr.Dataset) -> dict[str, list[str]]:
    """Return the Laue groups of the phases that the map shows, each with the names of its phases.

    Raises
    ------
    DataError
        If the map shows no crystal.
    """
    pixels = pixels_of(om)
    found: dict[str, list[str]] = {}
    for number in np.unique(pixels.phase[pixels.indexed]):
        laue = str(orix_group(pixels.groups[number]).laue.name)
        found.setdefault(laue, []).append(pixels.names[number])
    if not found:
        raise DataError("the orientation map shows no crystal to colour")
    return found


def draw_key(figure: FigureBase, place: Any, om: xr.Dataset, group: str) -> None:
    """Draw the colour key of a Laue group in a place of the figure's grid."""
    import orix.plot  # here: they take their time to load
    from orix.projections import InverseStereographicProjection

    laue = orix_group(group)
    drawn: Any = figure.add_subplot(place, projection="ipf", symmetry=laue)
    ends, (across, up) = points(drawn, KEY)
    vectors: Any = InverseStereographicProjection().xy2vector(across.ravel(), up.ravel())
    colours = orix.plot.DirectionColorKeyTSL(laue).direction2color(vectors)
    image = drawn.imshow(np.reshape(colours, (KEY, KEY, 3)), extent=ends, origin="lower", zorder=0)
    image.set_clip_path(border(drawn))
    drawn.set(xlim=ends[:2], ylim=ends[2:])
    small_labels(drawn)
    drawn.set_title(", ".join(key_groups(om)[group]), loc="center", pad=14)


def points(drawn: Axes, count: int) -> tuple[tuple[float, ...], tuple[np.ndarray, np.ndarray]]:
    """Return left, right, bottom and top of a projection, and x and y of points all over it."""
    (left, right), (bottom, top) = drawn.get_xlim(), drawn.get_ylim()
    x, y = np.meshgrid(np.linspace(left, right, count), np.linspace(bottom, top, count))
    return (left, right, bottom, top), (x, y)


def border(drawn: Axes) -> Any:
    """Return the border of a projection of orix: the sector, or else the circle."""
    return drawn.patches[:2][-1]


def small_labels(drawn: Axes) -> None:
    """Give the corners of a sector labels of the figure's size, with overlines for minus."""
    for text in drawn.texts:
        text.set_fontsize(8)


def grid_of(axes: Axes) -> SubplotSpec:
    """Return the place of axes in the grid of their figure."""
    place = axes.get_subplotspec()
    assert place is not None  # of axes that stand in a grid
    return place
