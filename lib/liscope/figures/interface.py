"""The interface of film and collector: which grains continue the grain below, and if by chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import PercentFormatter

from liscope.errors import DataError
from liscope.figures.grains import edge_lines
from liscope.figures.keys import draw_key, key_groups
from liscope.figures.orientations import draw_orientations, without_crystal
from liscope.figures.style import BLUE, GREY, ORANGE
from liscope.grains.maps import pixels_of
from liscope.units import to_units

AROUND = 25.0  # nm of film and collector that are shown on both sides
STRIP = 8.0  # width of a strip over its height
WIDTH = 7.4  # inches of a strip
LINES = {
    "": ("black", "neither"),
    "cube": ("white", "cube on cube"),
    "twin": ("#F0E442", "twinned"),
}
LINE, RIM = 2.4, 4.2  # widths in points
NULLS = {
    "exchanged": (BLUE, "film grains exchanged"),
    "random": (GREY, "film grains turned at random"),
}


def interface_figure(
    om: xr.Dataset,
    label: xr.DataArray,
    segments: pd.DataFrame,
    pairs: pd.DataFrame,
    relation: pd.DataFrame,
    nulls: Mapping[str, pd.DataFrame] | None = None,
    tolerance_deg: float = 5.0,
    axis: str = "y",
) -> Figure:
    """Draw the grains along the whole interface, in strips, and how often they match by chance.

    Parameters
    ----------
    om
        Orientation map.
    label, segments
        From :func:`liscope.grains.segment` and :func:`liscope.grains.boundary_segments`.
    pairs, relation
        From :func:`liscope.grains.interface` and :func:`liscope.grains.relationship`.
    nulls
        Shares of the length in each draw, one column a relationship, for film grains that were
        ``exchanged`` and turned at ``random``; without them only their means are drawn.
    tolerance_deg
        Degrees within which a relationship holds.
    axis
        Of the sample whose directions colour the grains.

    Raises
    ------
    DataError
        If no segment lies between grains of the pairs.
    """
    kinds = _kinds(segments, pairs, tolerance_deg)
    parts, height, width = _strips(om, segments[kinds.notna()])
    tall = len(parts) * (WIDTH * height / width + 0.12) + 0.2
    figure = Figure(figsize=(WIDTH + 0.2, tall + 2.4), layout="constrained")
    parts_of: Any = figure.subfigures(2, 1, height_ratios=[tall, 2.4])
    above, below = parts_of
    step = pixels_of(om).step
    for part, drawn in zip(parts, above.subplots(len(parts), squeeze=False)[:, 0], strict=True):
        title = f"film on collector, orientation along {axis}" if part is parts[0] else None
        draw_orientations(drawn, part, axis, label.sel(y=part["y"], x=part["x"]), title)
        _draw_kinds(drawn, segments, kinds, step)
        left = drawn.get_xlim()[0]
        drawn.set(xlim=(left, left + width), facecolor="white", anchor="W")
    grid = below.add_gridspec(1, 3, width_ratios=[3.6, 1.6, 1.8])
    _draw_shares(below.add_subplot(grid[0]), relation, nulls or {})
    keys = grid[1].subgridspec(len(key_groups(om)), 1)
    for row, group in enumerate(key_groups(om)):
        draw_key(below, keys[row], om, group)
    legend = below.add_subplot(grid[2])
    legend.axis("off")
    handles = [*_of_lines(tolerance_deg), *without_crystal(om), *_of_shares()]
    legend.legend(handles=handles, loc="upper left", frameon=False, fontsize=8)
    return figure


def _kinds(segments: pd.DataFrame, pairs: pd.DataFrame, tolerance: float) -> pd.Series[Any]:
    """Return of each segment ``cube``, ``twin``, an empty string for neither; NaN elsewhere."""
    ends = np.sort(pairs[["film", "collector"]].to_numpy(int), axis=1)
    kind = np.where(pairs["twin_deg"] < tolerance, "twin", "")
    kind = np.where(pairs["cube_deg"] < tolerance, "cube", kind)
    known = pd.Series(kind, pd.MultiIndex.from_arrays([ends[:, 0], ends[:, 1]]))
    found = known.reindex(pd.MultiIndex.from_frame(segments[["one", "other"]]))
    if found.notna().sum() == 0:
        raise DataError("no segment lies between film and collector; were they of another map?")
    return found.set_axis(segments.index)


def _strips(om: xr.Dataset, met: pd.DataFrame) -> tuple[list[xr.Dataset], float, float]:
    """Return the map around the interface in strips, their height and width in nm."""
    y, x = (to_units(om[axis], "nm").to_numpy() for axis in ("y", "x"))
    rows = (y > met["y_nm"].min() - AROUND) & (y < met["y_nm"].max() + AROUND)
    step = float(x[-1] - x[0]) / (len(x) - 1)
    height = float(np.ptp(y[rows])) + float(y[1] - y[0])
    count = int(np.ceil(len(x) * step / (STRIP * height)))
    columns = -(-len(x) // count)
    near = om.isel(y=rows)
    parts = [near.isel(x=slice(i, i + columns)) for i in range(0, len(x), columns)]
    return parts, height, columns * step


def _draw_kinds(
    axes: Axes, segments: pd.DataFrame, kinds: pd.Series[Any], step: tuple[float, float]
) -> None:
    lines = edge_lines(segments, step)
    for kind, (colour, _) in LINES.items():
        at = list(lines[(kinds == kind).to_numpy()])
        axes.add_collection(LineCollection(at, colors="black", lw=RIM, capstyle="projecting"))
        axes.add_collection(
            LineCollection(at, colors=colour, lw=LINE, capstyle="projecting", zorder=3)
        )


def _of_lines(tolerance: float) -> list[Line2D]:
    rim = [withStroke(linewidth=RIM, foreground="black")]
    return [
        Line2D(
            [], [], color=colour, lw=LINE, path_effects=rim,
            label=f"{text}, within {tolerance:g}°" if kind else text,
        )
        for kind, (colour, text) in LINES.items()
    ]  # fmt: skip


def _of_shares() -> list[Line2D]:
    chance = [
        Line2D([], [], ls="", marker="|", color=colour, ms=9, mew=2, label=text)
        for colour, text in NULLS.values()
    ]
    return [Line2D([], [], marker="o", color=ORANGE, ms=5, label="observed, 95 %"), *chance]


def _draw_shares(axes: Axes, relation: pd.DataFrame, nulls: Mapping[str, pd.DataFrame]) -> None:
    """Draw the share of each relationship with its interval, and what chance makes of it."""
    names = list(relation.index)[::-1]
    for name, shift in zip(NULLS, (-0.15, -0.35), strict=True):
        colour = NULLS[name][0]
        for at, kind in enumerate(names):
            if name in nulls:
                _violin(axes, nulls[name][kind].to_numpy(), at + shift, colour)
            axes.plot(relation.loc[kind, name], at + shift, "|", color=colour, ms=9, mew=2)
    for at, kind in enumerate(names):
        share, low, high = relation.loc[kind, ["share", "share_low", "share_high"]].astype(float)
        axes.plot([low, high], [at + 0.15] * 2, color=ORANGE, lw=1.6)
        axes.plot(share, at + 0.15, "o", color=ORANGE, ms=5)
    verdicts = [f"{kind}:\n{relation.loc[kind, 'verdict']}" for kind in names]
    axes.set(yticks=range(len(names)), xlim=(-0.02, 1), xlabel="share of the interface / %")
    axes.set_yticklabels(verdicts, fontsize=8)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    axes.set_ylim(-0.6, len(names) - 0.5)


def _violin(axes: Axes, drawn: np.ndarray, at: float, colour: str) -> None:
    if np.ptp(drawn) == 0:
        return
    parts: Any = axes.violinplot(
        drawn, [at], orientation="horizontal", widths=0.3, showextrema=False
    )
    for body in parts["bodies"]:
        body.set(facecolor=colour, alpha=0.3)
