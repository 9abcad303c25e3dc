"""Figures of the C-AFM/SIMS overlay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from liscope.colocalisation import KINDS, Null, Thresholds
from liscope.figures.maps import count_um, draw_map, in_jupyterlab, interactive, norm_of, outline
from liscope.figures.style import BLUE, GREEN, GREY, ORANGE, axes_row
from liscope.probe.areas import Area
from liscope.registration import Placement, Registration

if TYPE_CHECKING:
    import panel

LITHIUM = "#56B4E9"  # outlines of what is rich in lithium
KIND_COLOURS = dict(zip(KINDS, (GREEN, ORANGE, GREY, "#F0E442", LITHIUM), strict=True))


def search_figure(found: Registration) -> Figure:
    """Draw how well the maps agree at each rotation, and how well mirrored ones do by chance."""
    figure, (left, right) = axes_row(8.0, 2.8, 2)
    start = found.start
    left.plot(start.angles, start.scores, "o-", color=BLUE, ms=3, label="as they are")
    for i, scores in enumerate(start.scores_of_mirrored):
        label = "mirrored" if not i else None
        left.plot(start.mirrored_angles, scores, color=GREY, lw=0.8, label=label)
    left.legend(frameon=False)
    left.set(xlabel="rotation / degree", ylabel="best score of all shifts", title="unaided start")
    _drift(right, found.placement)
    return figure


def _drift(axis: Axes, placement: Placement) -> None:
    lines = np.linspace(*placement.slow)
    if len(placement.drift):
        drift = 1000 * placement.drift_at(lines)
        axis.plot(lines, drift[:, 1], color=ORANGE, label="x")
        axis.plot(lines, drift[:, 0], color=BLUE, label="y")
        axis.legend(frameon=False)
    else:
        axis.text(0.5, 0.5, "no drift fitted", ha="center", transform=axis.transAxes)
        axis.set_axis_off()
    axis.set(
        xlabel="scan line of the C-AFM / um", ylabel="drift / nm", title="beyond a steady drift"
    )


def overlay_figure(
    lithium: xr.DataArray,
    current: xr.DataArray,
    masks: tuple[xr.DataArray, xr.DataArray],
    boxes: Sequence[Area],
) -> Figure:
    """Draw current and lithium on one grid, each with the outline of the other's places.

    Parameters
    ----------
    masks
        Where it is conductive, and where it is rich in lithium (y, x; bool).
    """
    figure = Figure(figsize=(9.0, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_map(left, current, "current; lines: rich in lithium")
    draw_map(right, lithium, "lithium; lines: conductive")
    _contour(left, masks[1], LITHIUM)
    _contour(right, masks[0], ORANGE)
    for axis in (left, right):
        count_um(axis)
        for box in boxes:
            outline(axis, replace(box, name=box.name.partition(":")[0]))
    return figure


def _contour(axis: Axes, mask: xr.DataArray, colour: str) -> None:
    """Outline a mask in the frame of :func:`draw_map`, which begins at the upper left corner."""
    if mask.any() and not mask.all():
        x, y = (
            axis_of - axis_of[0] + (axis_of[1] - axis_of[0]) / 2 for axis_of in (mask.x, mask.y)
        )
        axis.contour(x, y, mask, levels=[0.5], colors=[colour], linewidths=0.8)


def zoom_figure(
    lithium: xr.DataArray,
    current: xr.DataArray,
    masks: tuple[xr.DataArray, xr.DataArray],
    boxes: Sequence[Area],
) -> Figure:
    """Draw each box twice: current and counts, each with the outline of the other's places.

    Parameters
    ----------
    current
        In the frame of the lithium, on a grid of its own.
    """
    figure = Figure(figsize=(3.0 * max(1, len(boxes)), 5.2), layout="constrained")
    axes = figure.subplots(2, max(1, len(boxes)), squeeze=False)
    rows = ((current, masks[1], LITHIUM), (lithium, masks[0], ORANGE))
    for row, (image, mask, colour) in zip(axes, rows, strict=True):
        for axis, box in zip(row, boxes, strict=False):
            title = box.name if image is current else ""
            draw_map(axis, _part(image, box), title, norm_of(image))
            _contour(axis, _part(mask, box), colour)
    return figure


def _part(image: xr.DataArray, box: Area) -> xr.DataArray:
    across, down = slice(box.left, box.left + box.width), slice(box.top, box.top + box.height)
    return image.sel(x=across, y=down)


def joint_figure(counts: xr.DataArray, current: xr.DataArray, limits: Thresholds) -> Figure:
    """Draw how often each pair of current and counts occurs, with both thresholds."""
    figure, (axis,) = axes_row(4.6, 3.4)
    both = np.isfinite(current.to_numpy()) & (current.to_numpy() > 0)
    x, y = current.to_numpy()[both], counts.to_numpy()[both]
    low, high = np.quantile(x, [0.001, 1])
    most = max(np.quantile(y, 0.9995), 1.0)
    step = max(1.0, np.ceil(most / 60))  # whole counts; more of them in one where there are many
    edges = np.geomspace(low, high, 60), np.arange(-0.5, most + step + 0.5, step)
    _, _, _, drawn = axis.hist2d(x, y, edges, norm=LogNorm(), cmap="cividis")
    axis.set_xscale("log")
    axis.axvline(limits.current, color=ORANGE, lw=1)
    axis.axhline(limits.counts, color=LITHIUM, lw=1)
    axis.set(xlabel="current averaged over the beam / nA", ylabel="lithium / counts per pixel")
    figure.colorbar(drawn, ax=axis, label="pixels")
    return figure


def null_figure(null: Null) -> Figure:
    """Draw the correlations of shifted maps, and the observed one."""
    figure, (axis,) = axes_row(5.6, 2.8)
    axis.hist(null.shifted, bins=80, density=True, color=GREY, alpha=0.6, label="shifted maps")
    axis.axvline(null.observed, color=ORANGE, lw=2, label="observed")
    axis.legend(frameon=False)
    axis.set(xlabel="|Pearson's r|", ylabel="density")
    return figure


def places_figure(current: xr.DataArray, objects: pd.DataFrame) -> Figure:
    """Draw the places by kind, and the counts of conductive ones against those expected."""
    figure, (left, right) = axes_row(9.4, 3.8, 2, width_ratios=[1.25, 1])
    draw_map(left, current, "places by kind")
    corner = [float(current[d][0] - (current[d][1] - current[d][0]) / 2) for d in ("x", "y")]
    for kind, part in objects.groupby("kind", sort=False):
        if kind == KINDS[3]:
            continue  # the same places as the first kind, seen from the other side
        x, y = part["x_um"] - corner[0], part["y_um"] - corner[1]
        left.plot(x, y, "o", mfc="none", color=KIND_COLOURS[str(kind)], ms=8, mew=1.4, label=kind)
    if len(objects):
        left.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(0, -0.02), ncols=2)
    seen = objects.dropna(subset=["counts_if_rich"])
    for kind, part in seen.groupby("kind", sort=False):
        density = part["counts"] / part["counts_if_rich"]
        right.plot(part["area_um2"], density, "o", color=KIND_COLOURS[str(kind)], ms=4)
    right.axhline(1, color=GREY, lw=0.8, ls=":")
    right.set_xscale("log")
    right.set(xlabel="area / um$^2$", ylabel="counts / those at the lithium threshold")
    return figure


def compare(lithium: xr.DataArray, current: xr.DataArray) -> panel.Column | None:
    """Return both maps in one frame with a slider between them; None outside JupyterLab."""
    if not in_jupyterlab():
        return None
    import hvplot

    hvplot.extension("bokeh", inline=True)  # from this machine: works without a network
    return slider(lithium, current)


def slider(lithium: xr.DataArray, current: xr.DataArray) -> panel.Column:
    """Return the current over the lithium, and a slider that moves its opacity in the browser."""
    import hvplot.xarray  # noqa: F401  registers .hvplot
    import panel

    below, above = interactive(lithium, "lithium"), interactive(current, "current over lithium")
    opacity = panel.widgets.FloatSlider(  # type: ignore[no-untyped-call]
        label="opacity of the current", start=0, end=1, value=0.5
    )
    above = above.opts(alpha=0.5, colorbar=False)
    code: dict[str, Any] = {"value": "glyph.global_alpha = source.value"}
    opacity.jslink(above, code=code)
    return panel.Column(
        opacity, (below * above).opts(frame_width=480, title="current over lithium")
    )
