"""Figures of I-V curves: all of them small, typical ones with all areas, definitions, rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from liscope.figures.maps import in_jupyterlab
from liscope.figures.style import BLUE, GREEN, GREY, ORANGE, axes_row
from liscope.spectroscopy.displacement import PICOFARAD, Displacement
from liscope.spectroscopy.loops import DEFINITIONS, branch_currents

if TYPE_CHECKING:
    import holoviews as hv

GROUPS = (GREEN, ORANGE, BLUE, "#CC79A7", "#56B4E9")  # in the order in which groups appear
MOST_TILES = 150
LETTERS = {"clipped": "C", "contact_lost": "L", "incomplete": "I", "no_signal": "N"}


def _colours(groups: Sequence[str]) -> dict[str, str]:
    return {name: GROUPS[i % len(GROUPS)] for i, name in enumerate(dict.fromkeys(groups))}


def tiles_figure(loops: xr.Dataset, quality: pd.DataFrame) -> Figure:
    """Draw every loop small, scaled to itself, in the colour of its group; flagged ones grey.

    Of more than 150 loops, as many are drawn, evenly chosen. Letters tell the flags.

    Parameters
    ----------
    loops
        Bias and current (curve, point).
    quality
        One row a loop, with ``group`` and the flags.
    """
    chosen = np.unique(np.linspace(0, len(quality) - 1, min(MOST_TILES, len(quality))).astype(int))
    columns = min(20, len(chosen))
    rows = -(-len(chosen) // columns)
    figure, (axis,) = axes_row(0.38 * max(columns, 8) + 0.2, 0.42 * max(rows, 3) + 0.5)
    colours = _colours(list(quality["group"]))
    lines, shades = [], []
    for i, row in enumerate(chosen):
        flags = [letter for flag, letter in LETTERS.items() if quality[flag].iloc[row]]
        corner = np.array([1.15 * (i % columns), -1.15 * (i // columns)])
        lines.append(corner + _unit(loops.isel(curve=row)))
        shades.append(GREY if flags else colours[quality["group"].iloc[row]])
        axis.text(
            *(corner + np.array([0.02, 0.72])), " ".join(flags), fontsize=7, weight="bold",
            path_effects=[withStroke(linewidth=1.6, foreground="white")],
        )  # fmt: skip
    axis.add_collection(LineCollection(lines, colors=shades, linewidths=0.7))
    axis.set(xlim=(-0.1, 1.15 * columns), ylim=(-1.15 * rows + 0.9, 1.2), xticks=[], yticks=[])
    axis.set_title(f"{len(chosen)} of {len(quality)} loops", loc="left")
    axis.axis("off")
    handles = [Line2D([], [], color=colour, label=name) for name, colour in colours.items()]
    told = ", ".join(f"{letter} {flag.replace('_', ' ')}" for flag, letter in LETTERS.items())
    handles.append(Line2D([], [], color=GREY, label=f"flagged: {told}"))
    figure.legend(handles=handles, loc="outside lower left", ncols=len(handles), frameon=False)
    return figure


def _unit(loop: xr.Dataset) -> np.ndarray:
    """Return bias and current of a loop (point, 2), each from 0 to 1."""
    points = np.stack([loop["bias"].to_numpy(), loop["current"].to_numpy()], axis=1)
    points = points[np.isfinite(points).all(axis=1)]
    width = np.ptp(points, axis=0)
    return np.asarray((points - points.min(axis=0)) / np.where(width > 0, width, 1))


def hysteresis_figure(
    loops: xr.Dataset, areas: pd.DataFrame, column: str, picked: Mapping[str, int]
) -> Figure:
    """Draw a loop of each group, and the relative loop areas of all curves with boxes.

    Parameters
    ----------
    loops
        Bias (V) and current (nA), (curve, point).
    areas
        One row a loop that is shown, with ``group``, ``place`` and ``column``.
    column
        The area, such as ``enclosed_V``.
    picked
        Of each group the row of the loop to draw.
    """
    both = bool(areas[column].notna().any())
    figure, axes = axes_row(7.6 if both else 4.2, 3.4, 2 if both else 1)
    colours = _colours(list(picked))
    for name, row in picked.items():
        _draw_loop(axes[0], loops.isel(curve=[row]), colours[name], name)
    axes[0].set(xlabel="bias / V", ylabel="current / nA")
    axes[0].legend(frameon=False, fontsize=8, loc="upper left")
    if both:
        _draw_areas(axes[1], areas, column, colours)
        axes[0].set_title("a   one loop each")
        axes[1].set_title("b   all good curves")
    return figure


def _draw_loop(axis: Axes, loop: xr.Dataset, colour: str, name: str) -> None:
    """Draw one loop (1, point), with 1 at its trace and 2 at its retrace where it is widest."""
    bias, current = loop["bias"].to_numpy()[0], loop["current"].to_numpy()[0]
    axis.plot(bias, current, color=colour, lw=1.2, label=name)
    ways = branch_currents(loop).isel(curve=0)
    opening = ways["down"] - ways["up"]
    if not np.isfinite(opening).any():
        return
    at = int(np.nanargmax(np.abs(opening.to_numpy())))
    # A sweep from an end is trace on its whole first way; one from zero is wherever it leads away.
    from_end = abs(bias[0]) > np.nanmax(np.abs(bias)) / 2
    away = float(loop["direction"][0, 0]) if from_end else float(ways["bias"][at])
    order = ("up", "down") if away >= 0 else ("down", "up")
    for number, way in zip("12", order, strict=True):
        upper = (way == "down") == (float(opening[at]) > 0)
        axis.annotate(
            number, (float(ways["bias"][at]), float(ways[way][at])),
            (-5, 6) if upper else (5, -6), textcoords="offset points",
            color=colour, fontsize=8, ha="center", va="center",
        )  # fmt: skip


def _draw_areas(axis: Axes, areas: pd.DataFrame, column: str, colours: Mapping[str, str]) -> None:
    """Draw violins, boxes and all points; the points of one place stand in one column."""
    names = [name for name in colours if (areas["group"] == name).any()]
    values = {name: areas.loc[areas["group"] == name, column].dropna() for name in names}
    several = {at: one for at, one in enumerate(values.values()) if len(one) > 2}
    if several:
        parts: Any = axis.violinplot(
            list(several.values()), list(several), widths=0.9, showextrema=False
        )
        for body, at in zip(parts["bodies"], several, strict=True):
            body.set(facecolor=colours[names[at]], alpha=0.2)
        axis.boxplot(
            list(several.values()), positions=list(several), widths=0.14, showfliers=False,
            medianprops={"color": "black"}, manage_ticks=False,
        )  # fmt: skip
    for at, name in enumerate(names):
        places = areas.loc[values[name].index, "place"]
        order = pd.factorize(places)[0]
        across = at + 0.12 + 0.26 * order / max(order.max(), 1)
        axis.plot(across, values[name], ".", color=colours[name], ms=4, mew=0)
    labels = [
        f"{name}\n{len(values[name])} curves, "
        f"{areas.loc[values[name].index, 'place'].nunique()} places"
        for name in names
    ]
    axis.set(xticks=range(len(names)), xticklabels=labels, ylabel=_label(column))
    axis.set_xlim(-0.6, len(names) - 0.4)
    axis.set_ylim(bottom=min(0, axis.get_ylim()[0]))


def _label(column: str) -> str:
    unit = "1" if column == "dimensionless" else "V"
    return f"relative area, {DEFINITIONS[column]} / {unit}"


def definitions_figure(areas: pd.DataFrame) -> Figure:
    """Draw the unsigned against the enclosed area, and the two lobes against each other."""
    figure, (left, right) = axes_row(7.2, 3.4, 2)
    for name, colour in _colours(list(areas["group"])).items():
        part = areas[areas["group"] == name]
        left.plot(part["unsigned_V"], part["enclosed_V"], ".", color=colour, label=name)
        right.plot(part["positive_V"], part["negative_V"], ".", color=colour)
    end = float(areas["unsigned_V"].max()) * 1.05
    left.plot([0, end], [0, end], color=GREY, lw=0.8, ls=":")
    left.set(
        xlabel=_label("unsigned_V"), ylabel=_label("enclosed_V"), title="a pinched loop cancels"
    )
    left.legend(frameon=False)
    right.axhline(0, color=GREY, lw=0.8, ls=":")
    right.axvline(0, color=GREY, lw=0.8, ls=":")
    right.set(xlabel=_label("positive_V"), ylabel=_label("negative_V"), title="its two lobes")
    return figure


def displacement_figure(gaps: pd.DataFrame, found: Displacement) -> Figure:
    """Draw half the gap at zero bias against the sweep's speed, a line a place, and the mean."""
    figure, (axis,) = axes_row(4.8, 3.0)
    for _, part in gaps.sort_values("speed_V_per_s").groupby("place"):
        axis.plot(
            part["speed_V_per_s"], 1000 * part["gap_nA"], "o-", color=BLUE, alpha=0.4, ms=3, lw=0.7
        )
    speed = np.array([0, gaps["speed_V_per_s"].max()])
    line = 1000 * (found.rest + PICOFARAD * found.capacitance * speed)
    axis.plot(speed, line, color=ORANGE, label=f"{found.capacitance:.2f} pF")
    axis.set(xlabel="speed of the sweep / (V/s)", ylabel="half gap at zero bias / pA")
    axis.legend(frameon=False)
    return figure


def reversal_figure(loops: xr.Dataset, table: pd.DataFrame, column: str = "unsigned_V") -> Figure:
    """Draw the loops of one place, and the mean area against the maximal bias.

    Parameters
    ----------
    loops
        With the coordinates ``place`` and ``maximal_bias``.
    table
        As :func:`liscope.spectroscopy.reversal_table` returns it.
    """
    figure, (left, right) = axes_row(7.2, 3.0, 2)
    one = loops.isel(curve=np.flatnonzero(loops["place"] == loops["place"][0]))
    biases = one["maximal_bias"].to_numpy()
    for i in np.argsort(biases)[::-1]:
        loop, colour = one.isel(curve=i), colormaps["viridis"](0.9 * biases[i] / biases.max())
        left.plot(loop["bias"], loop["current"], color=colour, lw=1)
    left.set(xlabel="bias / V", ylabel="current / nA", title="one place, rising maximal bias")
    bias = table["maximal_bias_V"]
    low, high = table[column] - table[f"{column}_low"], table[f"{column}_high"] - table[column]
    right.errorbar(bias, table[column], [low, high], fmt="o-", color=BLUE, capsize=2, ms=4)
    right.axhline(0, color=GREY, lw=0.8, ls=":")
    right.set(xlabel="maximal bias / V", ylabel=_label(column), title="mean over places, 95 %")
    return figure


def explore_loops(loops: xr.Dataset, areas: pd.DataFrame) -> hv.Layout | None:
    """Return the areas of all loops, where a click shows the loop behind; None outside JupyterLab.

    Parameters
    ----------
    loops
        Bias (V) and current (nA), (curve, point).
    areas
        One row a loop, whose index is the row in ``loops``.
    """
    if not in_jupyterlab():
        return None
    import hvplot

    hvplot.extension("bokeh", inline=True)  # from this machine: works without a network
    return browser(loops, areas)


def browser(loops: xr.Dataset, areas: pd.DataFrame) -> hv.Layout:
    """Return points, one a loop, and beside them the loop of the point that was clicked."""
    import holoviews as hv

    hv.extension("bokeh")
    told = ["curve", "place", "group", "peak_nA"]
    points = hv.Points(areas, ["unsigned_V", "enclosed_V"], told).opts(
        tools=["hover", "tap"], size=6, color=BLUE, frame_width=290, frame_height=290
    )

    def loop(index: list[int]) -> hv.Curve:
        row = areas.index[index[0] if index else 0]
        one = loops.isel(curve=row)
        title = f"curve {areas['curve'][row]}"
        curve = hv.Curve(
            (one["bias"].to_numpy(), one["current"].to_numpy()), "bias / V", "current / nA"
        )
        return curve.opts(title=title, framewise=True, frame_width=290, frame_height=290)

    chosen = hv.streams.Selection1D(source=points)
    return points + hv.DynamicMap(loop, streams=[chosen])
