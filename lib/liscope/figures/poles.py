"""Pole figures and inverse pole figures: grains as points, and their density.

Grains count by their areas; densities are those of :mod:`liscope.figures.density`. The line on a
scale is the height that random crystals seldom reach: few grains make high densities by chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from liscope.errors import DataError, ParameterError
from liscope.figures.density import density, in_sector, random_maximum, spread
from liscope.figures.keys import border, points, small_labels
from liscope.figures.style import ORANGE
from liscope.grains.disorientation import Floats
from liscope.grains.maps import orix_phase
from liscope.grains.table import quaternions
from liscope.grains.texture import along, family

POINTS = 61  # across a figure, between which densities are interpolated
LARGEST, MANY = 60.0, 60  # points^2 of the largest grain, as long as there are not more than these
RIM = [withStroke(linewidth=1.6, foreground="white")]
# What points right, up and at the reader, for the sample axis in the middle.
FRAMES = {
    "x": {"z": (0, 0, 1), "-y": (0, -1, 0), "x": (1, 0, 0)},
    "y": {"x": (1, 0, 0), "z": (0, 0, 1), "-y": (0, -1, 0)},
    "z": {"x": (1, 0, 0), "-y": (0, -1, 0), "-z": (0, 0, -1)},
}


@dataclass(frozen=True)
class Panel:
    """Axes with what is drawn in them.

    ``vectors`` (grain, n, 3) are all equivalents of each grain, ``areas`` (grain,) their weights,
    and ``chance`` is the density that random sets seldom reach.
    """

    axes: Any
    vectors: Floats
    areas: Floats
    chance: float


def pole_figures(
    table: pd.DataFrame,
    om: xr.Dataset,
    phases: Sequence[str],
    directions: Sequence[tuple[int, int, int]] = ((1, 1, 1), (0, 0, 1)),
    axis: str = "y",
) -> Figure:
    """Draw where crystal directions of all grains point, with a sample axis in the middle.

    Stereographic projection of the half of the sphere that faces the reader; for ``y`` that is the
    film seen from its surface. Points are as large as the grains.

    Parameters
    ----------
    table
        From :func:`liscope.grains.grain_table`.
    om
        Orientation map.
    phases
        One row each.
    directions
        Crystal directions [uvw], one column each.
    axis
        ``x``, ``y`` or ``z``.

    Raises
    ------
    ParameterError
        If there is no such phase or axis, or a direction is [000].
    DataError
        If a phase has no grain.
    """
    import orix.plot  # noqa: F401  here: it takes its time to load; registers the projection

    if axis not in FRAMES:
        raise ParameterError(f"axis: '{axis}' is none of x, y, z")
    frame = np.array(list(FRAMES[axis].values()), dtype=float)
    figure = Figure(figsize=(3.5 * len(directions), 3.1 * len(phases)), layout="constrained")
    grid = figure.add_gridspec(len(phases), len(directions))
    for row, phase in enumerate(phases):
        own, panels = _grains(table, phase), []
        for column, direction in enumerate(directions):
            drawn: Any = figure.add_subplot(grid[row, column], projection="stereographic")
            of = partial(_poles, every=family(om, phase, direction), frame=frame)
            areas = own["area_nm2"].to_numpy(float)
            chance = random_maximum(spread(), areas, of)
            panels.append(Panel(drawn, of(quaternions(own)), areas, chance))
            name = "".join(map(str, direction))
            drawn.set_title(f"{phase}, ⟨{name}⟩ of {len(own)} grains", loc="center", pad=14)
            _name_axes(drawn, axis)
        _draw_row(panels)
    return figure


def inverse_pole_density(
    table: pd.DataFrame,
    om: xr.Dataset,
    phases: Sequence[str],
    axes: Sequence[str] = ("x", "y", "z"),
) -> Figure:
    """Draw which crystal directions lie along axes of the sample, in each phase's sector.

    Parameters
    ----------
    table
        From :func:`liscope.grains.grain_table`.
    om
        Orientation map.
    phases
        One row each.
    axes
        Of the sample, one column each.

    Raises
    ------
    ParameterError
        If there is no such phase or axis.
    DataError
        If a phase has no grain.
    """
    import orix.plot  # noqa: F401  here: it takes its time to load; registers the projection

    figure = Figure(figsize=(3.1 * len(axes), 2.6 * len(phases)), layout="constrained")
    grid = figure.add_gridspec(len(phases), len(axes))
    for row, phase in enumerate(phases):
        laue = orix_phase(om, phase).point_group.laue
        own, panels = _grains(table, phase), []
        areas = own["area_nm2"].to_numpy(float)
        chance = random_maximum(in_sector(laue), areas, partial(_random_equivalents, laue=laue))
        for column, axis in enumerate(axes):
            drawn: Any = figure.add_subplot(grid[row, column], projection="ipf", symmetry=laue)
            panels.append(Panel(drawn, _equivalents(along(own, axis), laue), areas, chance))
            small_labels(drawn)
            drawn.set_title(f"{phase}, {axis} of {len(own)} grains", loc="center", pad=14)
        _draw_row(panels)
    return figure


def _grains(table: pd.DataFrame, phase: str) -> pd.DataFrame:
    own = table[table["phase"] == phase]
    if own.empty:
        raise DataError(f"the map shows no grain of '{phase}'")
    return own


def _poles(orientations: Floats, every: Floats, frame: Floats) -> Floats:
    """Return where directions (n, 3) of crystals (grain, 4) point in a frame, (grain, n, 3)."""
    from orix.quaternion import Rotation  # here: they take their time to load
    from orix.vector import Vector3d

    seen: Any = (~Rotation(orientations)).outer(Vector3d(every))
    return np.asarray(seen.data, dtype=float) @ frame.T


def _equivalents(vectors: Floats, laue: Any) -> Floats:
    """Return all equivalents (grain, n, 3) of directions (grain, 3), opposite ones once."""
    from orix.vector import Vector3d  # here: it takes its time to load

    every = laue.proper_subgroup.outer(Vector3d(vectors).unit).data
    return np.moveaxis(np.asarray(every, dtype=float), 0, 1)


def _random_equivalents(orientations: Floats, laue: Any) -> Floats:
    # The vector part of a random quaternion points anywhere.
    return _equivalents(orientations[:, 1:], laue)


def _name_axes(drawn: Any, axis: str) -> None:
    """Name the axes of the sample that point right, up and at the reader."""
    right, up, middle = FRAMES[axis]
    Axes.text(drawn, 1.05, 0, right, va="center", fontsize=8)
    Axes.text(drawn, 0, 1.04, up, ha="center", fontsize=8)
    Axes.plot(drawn, 0, 0, "+", color="black", ms=7, zorder=10, path_effects=RIM)
    Axes.text(drawn, 0.05, 0.05, middle, fontsize=8, zorder=10, path_effects=RIM)


def _draw_row(panels: Sequence[Panel]) -> None:
    """Draw densities on one scale, from 0 to the maximum of all, and the grains over them."""
    from orix.projections import InverseStereographicProjection  # here: it takes its time to load
    from orix.vector import Vector3d

    ends, (x, y) = points(panels[0].axes, POINTS)
    at: Any = InverseStereographicProjection().xy2vector(x.ravel(), y.ravel())
    images = [density(at.data, one.vectors, one.areas).reshape(x.shape) for one in panels]
    top = max(*(one.chance for one in panels), *(image.max() for image in images))
    for panel, image in zip(panels, images, strict=True):
        axes = panel.axes
        drawn = axes.imshow(
            image, extent=ends, origin="lower", cmap="cividis", norm=Normalize(0, 1.02 * top),
            zorder=0, interpolation="bilinear",
        )  # fmt: skip
        drawn.set_clip_path(border(axes))
        axes.set(xlim=ends[:2], ylim=ends[2:])
        size = LARGEST * min(1, MANY / panel.areas.size) * panel.areas / panel.areas.max()
        shown = panel.vectors[:, :1] if axes.name == "ipf" else panel.vectors  # a sector has one
        axes.scatter(
            Vector3d(shown.reshape(-1, 3)), s=np.repeat(size, shown.shape[1]),
            c="white", ec="black", lw=0.5 if panel.areas.size < 2 * MANY else 0,
        )  # fmt: skip
        bar = axes.figure.colorbar(drawn, ax=axes, shrink=0.7, label="density / m.u.d.")
        bar.ax.axhline(panel.chance, color=ORANGE, lw=2)
