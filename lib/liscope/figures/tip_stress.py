"""Figures of the tip-stress maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from liscope.figures.maps import draw_map
from liscope.figures.style import BLUE, GREY, ORANGE, axes_row
from liscope.probe.amplifier import Amplifier
from liscope.probe.areas import Area
from liscope.probe.drift import Drift, pixel_size
from liscope.probe.paths import Paths


def drift_figure(drift: Drift, pixel: tuple[float, float]) -> Figure:
    """Draw the shift of each strip of lines, and the line fitted to them."""
    figure, (axis,) = axes_row(5.2, 2.6)
    time = np.linspace(-0.5, 0.5)
    for i, (name, colour) in enumerate((("slow axis (y)", BLUE), ("fast axis (x)", ORANGE))):
        scale = 1000 * pixel[i]
        axis.plot(
            100 * (drift.centres + 0.5), scale * drift.strips[:, i], "o", color=colour, label=name
        )
        axis.plot(100 * (time + 0.5), scale * drift.at(time)[:, i], color=colour)
    axis.set(xlabel="lines scanned / %", ylabel="shift of the first map / nm")
    axis.legend(frameon=False)
    return figure


def amplifier_figure(currents: Mapping[str, xr.DataArray], found: Sequence[Amplifier]) -> Figure:
    """Draw the smallest currents with the noise floor read off them, and the whole distribution."""
    figure, (low, whole) = axes_row(7.2, 2.8, 2)
    colours = (BLUE, ORANGE)
    for (name, current), floor, colour in zip(currents.items(), found, colours, strict=False):
        values = current.to_numpy()[np.isfinite(current.to_numpy())]
        _histogram(whole, np.log10(np.maximum(np.abs(values), 1e-4)), colour, name)
        if np.isfinite(floor.offset):
            reach = floor.offset + floor.noise * np.array([-6, 12])
            inside = values[(values > reach[0]) & (values < reach[1])]
            _histogram(low, 1000 * inside, colour, name)
            low.axvline(1000 * floor.offset, color=colour, lw=1)
    if not low.has_data():
        low.text(0.5, 0.5, "no place without current:\noffset cannot be told", ha="center")
    low.set(xlabel="current / pA", ylabel="pixels", title="around the offset (line)")
    whole.set(xlabel="log10(|current| / nA)", ylabel="pixels", title="all pixels")
    whole.legend(frameon=False)
    return figure


def _histogram(axis: Axes, values: np.ndarray, colour: str, name: str) -> None:
    axis.hist(values, bins=120, histtype="step", color=colour, label=name)


def line_graph_figure(graph: pd.DataFrame, areas: Sequence[Area]) -> Figure:
    """Draw the change of the current along the fast axis, with its 95 % band (Fig. S1)."""
    figure, (axis,) = axes_row(6.4, 2.8)
    for area in areas:
        axis.axvspan(area.left, area.left + area.width, color="#eeeeee", zorder=0)
        axis.text(
            area.left + area.width / 2,
            1.01,
            area.name,
            ha="center",
            transform=axis.get_xaxis_transform(),
        )
    ratio = {end: 1 + graph[f"change_percent{end}"] / 100 for end in ("", "_low", "_high")}
    told = np.isfinite(ratio["_high"])  # a point of too few places has no interval
    width = float(np.diff(graph.x_um[:2])[0]) if len(graph) > 1 else 1.0
    axis.bar(
        graph.x_um[told],
        (ratio["_high"] - ratio["_low"])[told],
        width,
        ratio["_low"][told],
        color=BLUE,
        alpha=0.25,
    )
    axis.step(graph.x_um, ratio[""], where="mid", color=BLUE)
    axis.axhline(1, color=GREY, lw=0.8, ls=":")
    axis.set_yscale("log")
    _ratio_ticks(axis.yaxis)
    axis.set(xlabel="x / um", ylabel="current after / before")
    return figure


def _ratio_ticks(axis: XAxis | YAxis) -> None:
    """Mark round ratios in words that need no powers of ten."""
    axis.set_major_locator(FixedLocator([0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 20, 30]))
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_locator(NullLocator())


def changes_figure(changes: pd.DataFrame, quoted: Mapping[str, float | None]) -> Figure:
    """Draw each area's changes with 95 % intervals, and what the paper quotes."""
    figure, (axis,) = axes_row(6.4, 0.9 + 0.6 * max(1, len(changes)))
    kinds = (
        ("same_place", BLUE, "same place", 0.14),
        ("stress", ORANGE, "against surroundings", -0.14),
    )
    for i, (name, line) in enumerate(changes.iterrows()):
        for key, colour, label, shift in kinds:
            value, low, high = (
                1 + line[f"{key}_percent{end}"] / 100 for end in ("", "_low", "_high")
            )
            axis.plot([low, high], [i + shift] * 2, color=colour, lw=2)
            axis.plot(value, i + shift, "o", color=colour, label=label if i == 0 else None)
        if (said := quoted.get(str(name))) is not None:
            axis.plot(
                1 + said / 100,
                i,
                "D",
                color="black",
                mfc="none",
                ms=9,
                label="paper" if i == 0 else None,
            )
    axis.axvline(1, color=GREY, lw=0.8, ls=":")
    axis.set_xscale("log")
    _ratio_ticks(axis.xaxis)
    axis.set(
        yticks=range(len(changes)), yticklabels=list(changes.index), xlabel="current after / before"
    )
    axis.set_ylim(len(changes) - 0.5, -0.5)
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def paths_figure(current: xr.DataArray, paths: Paths) -> Figure:
    """Draw the conductive paths on their map, and the distribution of their sizes."""
    figure, (left, right) = axes_row(7.2, 3.2, 2, width_ratios=[1.25, 1])
    draw_map(left, current, f"{len(paths.table)} paths above {paths.threshold:.3g} nA")
    height, width = pixel_size(current)
    rows, columns = current.shape
    x, y = (np.arange(columns) + 0.5) * width, (np.arange(rows) + 0.5) * height
    if paths.mask.any():
        left.contour(x, y, paths.mask, levels=[0.5], colors=["#00FFFF"], linewidths=0.8)
        right.hist(paths.table["diameter_nm"], bins=25, color=BLUE)
    right.set(xlabel="diameter of a path / nm", ylabel="number of paths", title="sizes")
    return figure
