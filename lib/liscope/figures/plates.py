"""Plates: the maps and distributions of one film, or of several, as the paper shows them."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from liscope.conventions import AMORPHOUS
from liscope.figures.grains import (
    INDICES,
    angle_bar,
    boundary_legend,
    draw_boundaries,
    draw_index,
    draw_phases,
    phase_legend,
)
from liscope.figures.keys import draw_key, grid_of, key_groups
from liscope.figures.orientations import NOTHING, draw_orientations, map_size
from liscope.figures.sizes import draw_sizes, draw_together, told_mode
from liscope.figures.style import BLUE, GREY
from liscope.grains.sizes import Sizes

WIDE = 1.7  # width over height from which maps stand in two columns instead of three


def orientation_plate(
    om: xr.Dataset,
    label: xr.DataArray,
    segments: pd.DataFrame,
    pairs: pd.DataFrame,
    sizes: Sizes,
    distribution: pd.DataFrame,
    numbers: pd.DataFrame,
    axis: str = "y",
) -> Figure:
    """Draw orientation (b), index (c), phase (d), boundaries (e) and grain sizes (k) of one map.

    The letters are those of Fig. 4 of Bhatia et al. (doi:10.1002/smtd.202100891).

    Parameters
    ----------
    om
        Orientation map with a score or a reliability.
    label, segments, pairs
        From :func:`liscope.grains.segment`, :func:`liscope.grains.boundary_segments` and
        :func:`liscope.grains.boundary_pairs`.
    sizes, distribution, numbers
        From :func:`liscope.grains.sizes_of`, :func:`liscope.grains.size_distribution` and
        :func:`liscope.grains.size_table`.
    axis
        Of the sample: ``x``, ``y`` or ``z``.

    """
    width, height = map_size(om)
    wide = width > WIDE * height
    side = 4.6 if wide else 3.1
    tall, rows = side * height / width, ("bc", "de", "kl") if wide else ("bcd", "ekl")
    figure = Figure(
        figsize=(side * len(rows[0]), (len(rows) - wide) * (tall + 0.3) + wide * 2.6),
        layout="constrained",
    )
    heights = [tall, tall, 2.3] if wide else [1, 1]
    axes = figure.subplot_mosaic("\n".join(rows), height_ratios=heights)
    draw_orientations(axes["b"], om, axis, label, f"b   orientation along {axis}")
    _index(axes["c"], om, 0, "c   ")
    draw_phases(axes["d"], om, title="d   phase")
    draw_boundaries(axes["e"], om, segments, pairs, "e   grain boundaries")
    draw_sizes(axes["k"], sizes, distribution, numbers, "by_number", BLUE)
    mode = f"mode {told_mode(numbers, 'by_number')}"
    axes["k"].set(title=f"k   {sizes.phase} grains, {mode}", xlabel="diameter / nm")
    axes["k"].set_ylabel("share of grains")
    _keys(figure, axes["l"], om, segments, pairs)
    return figure


def _keys(
    figure: Figure, place: Axes, om: xr.Dataset, segments: pd.DataFrame, pairs: pd.DataFrame
) -> None:
    """Draw the colour keys of all maps of a plate in one place."""
    groups = list(key_groups(om))
    grid = grid_of(place).subgridspec(2, len(groups))
    place.remove()
    for column, group in enumerate(groups):
        draw_key(figure, grid[0, column], om, group)
    below = figure.add_subplot(grid[1, :])
    below.axis("off")
    handles = [*_two_glasses(phase_legend(om), "d", "b, e"), *boundary_legend(segments)]
    below.legend(handles=handles, loc="upper center", ncols=2, frameon=False, fontsize=8)
    angle_bar(below, pairs, 0.05)


def _two_glasses(handles: list[Patch], here: str, elsewhere: str) -> list[Patch]:
    """Tell the colour of glass beside phases from its grey beside orientations."""
    colour, name = NOTHING[AMORPHOUS]
    for at, handle in enumerate(handles):
        if handle.get_label() == name:
            handle.set_label(f"{name} ({here})")
            grey = Patch(fc=colour, ec=GREY, lw=0.5, label=f"{name} ({elsewhere})")
            return [*handles[: at + 1], grey, *handles[at + 1 :]]
    return handles


def comparison_plate(
    maps: Mapping[str, xr.Dataset],
    labels: Mapping[str, xr.DataArray],
    sizes: Mapping[str, Sizes],
    distributions: Mapping[str, pd.DataFrame],
    numbers: Mapping[str, pd.DataFrame],
    axis: str = "y",
) -> Figure:
    """Draw orientation, reliability and phase of several maps, and below all their grain sizes.

    After Fig. 7 of Bhatia et al. (doi:10.1002/smtd.202100891).

    Parameters
    ----------
    maps, labels
        Orientation maps and their grains, by the name of the map.
    sizes, distributions, numbers
        As for :func:`size_figure`.
    axis
        Of the sample: ``x``, ``y`` or ``z``.

    """
    tall = max(3.0 * height / width for width, height in map(map_size, maps.values()))
    figure = Figure(figsize=(3.0 * len(maps) + 1.5, 3 * (tall + 0.3) + 2.8), layout="constrained")
    grid = figure.add_gridspec(
        4, len(maps) + 1, width_ratios=[3.0] * len(maps) + [1.5], height_ratios=[tall] * 3 + [2.6]
    )
    bar = figure.add_subplot(grid[1, -1].subgridspec(1, 6)[0])
    for column, (name, om) in enumerate(maps.items()):
        top, middle, low = (figure.add_subplot(grid[row, column]) for row in range(3))
        draw_orientations(top, om, axis, labels[name], f"{name}: orientation along {axis}")
        bar.clear()
        _index(middle, om, -1, bar=bar)
        draw_phases(low, om)
    first = next(iter(maps.values()))
    keys = grid[0, -1].subgridspec(len(key_groups(first)), 1)
    for row, group in enumerate(key_groups(first)):
        draw_key(figure, keys[row], first, group)
    legend = figure.add_subplot(grid[2, -1])
    legend.axis("off")
    legend.legend(handles=_legend_of_all(maps), loc="upper left", frameon=False, fontsize=8)
    draw_together(figure.add_subplot(grid[3, :]), sizes, distributions, numbers)
    return figure


def _index(axes: Axes, om: xr.Dataset, which: int, mark: str = "", bar: Axes | None = None) -> None:
    """Draw one of the map's indices; a map of another program may have none that is known."""
    names = [name for name in INDICES if name in om]
    if names:
        name = names[which]
        title = f"{mark}{name.replace('_', ' ')}" if mark else ""
        draw_index(axes, om, name, title, bar)
        return
    axes.set_title(f"{mark}no index known")
    for each in (axes, bar):
        if each is not None:
            each.axis("off")


def _legend_of_all(maps: Mapping[str, xr.Dataset]) -> list[Patch]:
    every = {one.get_label(): one for om in maps.values() for one in phase_legend(om)}
    return _two_glasses(list(every.values()), "phase", "orientation")
