"""One look for all figures: static ones for paper and pages, linked ones for JupyterLab.

Colour maps are perceptually even and readable with colour-blind eyes; every map has a scale bar and
a colour bar with units, every axis a unit. A figure function takes arrays and returns a figure; it
computes nothing that a result rests on.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.colors import LogNorm, Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, NullLocator
from matplotlib_scalebar.scalebar import ScaleBar

from liscope.probe.amplifier import Amplifier
from liscope.probe.areas import Area
from liscope.probe.drift import Drift, pixel_size
from liscope.probe.paths import Paths

if TYPE_CHECKING:
    import holoviews as hv

BLUE, ORANGE, GREY, GREEN = "#0072B2", "#D55E00", "#666666", "#009E73"  # Okabe & Ito

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "figure.dpi": 100,
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "image.interpolation": "nearest",
}
mpl.rcParams.update(STYLE)

COLOURS = {"height": "cividis", "current": "inferno", "change": "PuOr_r"}


def show(figure: Figure, caption: str) -> tuple[Figure, str]:
    """Display a figure with its caption below, and return both for `deliver`."""
    from IPython.display import Image, Markdown, display

    buffer = io.BytesIO()
    # Without the version of matplotlib, the same figure is the same bytes.
    figure.savefig(buffer, dpi=100, bbox_inches="tight", metadata={"Software": None})
    display(Image(_small(buffer.getvalue())))  # type: ignore[no-untyped-call]
    display(Markdown(f"*{caption}*"))  # type: ignore[no-untyped-call]
    return figure, caption


def _small(png: bytes) -> bytes:
    """Return a PNG with a palette of 256 colours: a third of the size, the same to the eye."""
    from PIL import Image

    buffer = io.BytesIO()
    image = Image.open(io.BytesIO(png)).convert("RGB")
    # Maximum coverage keeps rare colours, which a median cut would merge into other hues.
    palette = image.quantize(
        256, method=Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE
    )
    palette.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _figure(width: float, height: float, columns: int = 1, **ratios: Any) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(1, columns, squeeze=False, gridspec_kw=ratios)[0]


def maps(panels: Mapping[str, xr.DataArray], areas: Sequence[Area] = ()) -> Figure:
    """Draw images (y, x) side by side; the attribute ``quantity`` decides on the colours.

    Parameters
    ----------
    panels
        Images by title, with units and coordinates in um.
    areas
        Rectangles drawn on each of them, with their names.
    """
    columns = 2 if len(panels) == 4 else len(panels)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(3.4 * columns, 3.0 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    norms = _shared_norms(panels.values())
    for axis, (title, image) in zip(axes, panels.items(), strict=True):
        _map(axis, image, title, norms[_quantity(image)])
        for area in areas:
            _outline(axis, area)
    return figure


def _quantity(image: xr.DataArray) -> str:
    return str(image.attrs.get("quantity", "height"))


def _shared_norms(images: Iterable[xr.DataArray]) -> dict[str, Normalize]:
    """Return one scale of colours for all images of a quantity, so that they can be compared."""
    values: dict[str, list[Any]] = {}
    for image in images:
        values.setdefault(_quantity(image), []).append(image.to_numpy().ravel())
    return {quantity: _norm(np.concatenate(parts), quantity) for quantity, parts in values.items()}


def _map(axis: Axes, image: xr.DataArray, title: str, norm: Normalize | None = None) -> None:
    quantity = _quantity(image)
    height, width = pixel_size(image)
    rows, columns = image.shape
    drawn = axis.imshow(
        image.to_numpy(),
        cmap=COLOURS.get(quantity, "cividis"),
        norm=norm or _norm(image.to_numpy(), quantity),
        extent=(0, columns * width, rows * height, 0),
    )
    axis.set(title=title, xticks=[], yticks=[])
    axis.set_facecolor("#bbbbbb")  # where a map did not look
    for spine in axis.spines.values():
        spine.set_visible(False)
    axis.add_artist(ScaleBar(1, "um", location="lower left", box_alpha=0.7, length_fraction=0.25))
    label = image.attrs.get("long_name") if quantity == "change" else None
    label = label or f"{quantity} / {image.attrs['units']}"
    axis.figure.colorbar(drawn, ax=axis, shrink=0.85, pad=0.02, label=label)


def _norm(values: np.ndarray, quantity: str) -> Normalize:
    finite = values[np.isfinite(values)]
    if quantity == "current":
        high = np.quantile(finite, 0.999)
        return LogNorm(max(np.quantile(finite, 0.02), high / 3e3), high, clip=True)
    if quantity == "change":
        reach = float(np.quantile(np.abs(finite), 0.995))
        return TwoSlopeNorm(0, -reach, reach)
    return Normalize(*np.quantile(finite, [0.005, 0.995]))


def _outline(axis: Axes, area: Area) -> None:
    """Mark an area in white with a dark rim, which shows on any colour map."""
    rim = [withStroke(linewidth=2.6, foreground="black")]
    corner = (area.left, area.top)
    axis.add_patch(
        Rectangle(
            corner, area.width, area.height, fill=False, color="white", lw=1.2, path_effects=rim
        )
    )
    axis.annotate(
        area.name, corner, (0, 2), textcoords="offset points", color="white", va="bottom",
        fontsize=8, path_effects=[withStroke(linewidth=1.6, foreground="black")],
    )  # fmt: skip


def as_dataset(panels: Mapping[str, xr.DataArray]) -> xr.Dataset:
    """Return images (y, x) of one grid as one Dataset, each under a plain name."""
    return xr.Dataset({re.sub(r"\W+", "_", title): image for title, image in panels.items()})


def drift_figure(drift: Drift, pixel: tuple[float, float]) -> Figure:
    """Draw the shift of each strip of lines, and the line fitted to them."""
    figure, (axis,) = _figure(5.2, 2.6)
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
    figure, (low, whole) = _figure(7.2, 2.8, 2)
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
    figure, (axis,) = _figure(6.4, 2.8)
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
    figure, (axis,) = _figure(6.4, 0.9 + 0.6 * max(1, len(changes)))
    kinds = (
        ("same_place", BLUE, "same place", 0.14),
        ("stress", ORANGE, "against surroundings", -0.14),
    )
    for i, (name, row) in enumerate(changes.iterrows()):
        for key, colour, label, shift in kinds:
            value, low, high = (
                1 + row[f"{key}_percent{end}"] / 100 for end in ("", "_low", "_high")
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
    figure, (left, right) = _figure(7.2, 3.2, 2, width_ratios=[1.25, 1])
    _map(left, current, f"{len(paths.table)} paths above {paths.threshold:.3g} nA")
    height, width = pixel_size(current)
    rows, columns = current.shape
    x, y = (np.arange(columns) + 0.5) * width, (np.arange(rows) + 0.5) * height
    if paths.mask.any():
        left.contour(x, y, paths.mask, levels=[0.5], colors=["#00FFFF"], linewidths=0.8)
        right.hist(paths.table["diameter_nm"], bins=25, color=BLUE)
    right.set(xlabel="diameter of a path / nm", ylabel="number of paths", title="sizes")
    return figure


def in_jupyterlab() -> bool:
    """Tell whether somebody sits in front of the notebook, rather than papermill."""
    return "JPY_SESSION_NAME" in os.environ and "LISCOPE_RUN" not in os.environ


def explore(panels: Mapping[str, xr.DataArray]) -> hv.Layout | None:
    """Return maps that pan and zoom together, with one cursor on all; None outside JupyterLab.

    Bokeh and HoloViews take seconds to load and their output is large, so that batches and pages
    do without them: there the static figures stand.
    """
    if not in_jupyterlab():
        return None
    import hvplot

    hvplot.extension("bokeh", inline=True)  # from this machine: works without a network
    return linked(panels)


def linked(panels: Mapping[str, xr.DataArray]) -> hv.Layout:
    """Return hvplot images (y, x) with shared axes and a cross-hair that runs on all of them."""
    import holoviews as hv
    import hvplot.xarray  # noqa: F401  registers .hvplot
    from bokeh.models import CrosshairTool
    from bokeh.models.annotations import Span

    across, down = (Span(dimension=side, line_color="#56B4E9") for side in ("width", "height"))
    plots = [
        _interactive(image, title).opts(tools=["hover", CrosshairTool(overlay=(across, down))])
        for title, image in panels.items()
    ]
    return hv.Layout(plots).cols(2)


def _interactive(image: xr.DataArray, title: str) -> hv.Image:
    quantity = _quantity(image)
    norm = _norm(image.to_numpy(), quantity)
    return image.rename(quantity).hvplot.image(
        x="x",
        y="y",
        title=title,
        cmap=COLOURS.get(quantity, "cividis"),
        clim=(norm.vmin, norm.vmax),
        cnorm="log" if quantity == "current" else "linear",
        clabel=f"{quantity} / {image.attrs['units']}",
        flip_yaxis=True,
        data_aspect=1,
        frame_width=290,
        xlabel="x / um",
        ylabel="y / um",
    )
