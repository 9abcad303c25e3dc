"""Maps side by side, on paper and linked in JupyterLab."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from matplotlib_scalebar.scalebar import ScaleBar

from liscope.figures.style import COLOURS
from liscope.probe.areas import Area
from liscope.probe.drift import pixel_size

if TYPE_CHECKING:
    import holoviews as hv


def maps(
    panels: Mapping[str, xr.DataArray], areas: Sequence[Area] = (), ticks: bool = False
) -> Figure:
    """Draw images (y, x) side by side; the attribute ``quantity`` decides on the colours.

    Parameters
    ----------
    panels
        Images by title, with units and coordinates in um.
    areas
        Rectangles drawn on each of them, with their names.
    ticks
        Whether to count um from the upper left corner along the sides.
    """
    columns = 2 if len(panels) == 4 else len(panels)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(3.4 * columns, 3.0 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    norms = _shared_norms(panels.values())
    for axis, (title, image) in zip(axes, panels.items(), strict=True):
        draw_map(axis, image, title, norms[quantity_of(image)])
        if ticks:
            count_um(axis)
        for area in areas:
            outline(axis, area)
    return figure


def quantity_of(image: xr.DataArray) -> str:
    """Return what an image shows, which decides on its colours."""
    return str(image.attrs.get("quantity", "height"))


def _shared_norms(images: Iterable[xr.DataArray]) -> dict[str, Normalize]:
    """Return one scale of colours for all images of a quantity, so that they can be compared."""
    values: dict[str, list[Any]] = {}
    for image in images:
        values.setdefault(quantity_of(image), []).append(image.to_numpy().ravel())
    return {quantity: _norm(np.concatenate(parts), quantity) for quantity, parts in values.items()}


def draw_map(axis: Axes, image: xr.DataArray, title: str, norm: Normalize | None = None) -> None:
    """Draw one image (y, x) with scale bar and colour bar."""
    quantity = quantity_of(image)
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
    axis.figure.colorbar(drawn, ax=axis, shrink=0.85, pad=0.02, label=label_of(image))


def count_um(axis: Axes) -> None:
    """Count um from the upper left corner along the sides of a map, for places to be read off."""
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axis.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axis.tick_params(labelsize=7)
    axis.set(xlabel="x / um", ylabel="y / um")


def label_of(image: xr.DataArray) -> str:
    """Return what stands beside the colours: the quantity with its unit."""
    quantity = quantity_of(image)
    if quantity == "change" and "long_name" in image.attrs:
        return str(image.attrs["long_name"])
    counted = quantity in ("counts", "ions")
    return f"{quantity} per pixel" if counted else f"{quantity} / {image.attrs['units']}"


def norm_of(image: xr.DataArray) -> Normalize:
    """Return the scale of colours of a whole map (y, x), for parts of it."""
    return _norm(image.to_numpy(), quantity_of(image))


def _norm(values: np.ndarray, quantity: str) -> Normalize:
    finite = values[np.isfinite(values)]
    if quantity == "current":
        high = np.quantile(finite, 0.999)
        return LogNorm(max(np.quantile(finite, 0.02), high / 3e3), high, clip=True)
    if quantity == "change":
        reach = float(np.quantile(np.abs(finite), 0.995))
        return TwoSlopeNorm(0, -reach, reach)
    return Normalize(*np.quantile(finite, [0.005, 0.995]))


def outline(axis: Axes, area: Area) -> None:
    """Mark an area in white with a dark rim, which shows on any colour map."""
    rim = [withStroke(linewidth=2.6, foreground="black")]
    corner = (area.left, area.top)
    axis.add_patch(
        Rectangle(
            corner, area.width, area.height, fill=False, color="white", lw=1.2, path_effects=rim
        )
    )
    below = area.top < 0.05 * axis.get_ylim()[0]  # above the frame would be in the title
    offset, side = ((2, -2), "top") if below else ((0, 2), "bottom")
    axis.annotate(
        area.name, corner, offset, textcoords="offset points", color="white", va=side,
        fontsize=8, path_effects=[withStroke(linewidth=1.6, foreground="black")],
    )  # fmt: skip


def as_dataset(panels: Mapping[str, xr.DataArray]) -> xr.Dataset:
    """Return images (y, x) of one grid as one Dataset, each under a plain name."""
    return xr.Dataset({re.sub(r"\W+", "_", title): image for title, image in panels.items()})


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
        interactive(image, title).opts(tools=["hover", CrosshairTool(overlay=(across, down))])
        for title, image in panels.items()
    ]
    return hv.Layout(plots).cols(2)


def interactive(image: xr.DataArray, title: str) -> hv.Image:
    """Return one image (y, x) for JupyterLab, in the colours of :func:`maps`."""
    quantity = quantity_of(image)
    norm = _norm(image.to_numpy(), quantity)
    return image.rename(quantity).hvplot.image(
        x="x",
        y="y",
        title=title,
        cmap=COLOURS.get(quantity, "cividis"),
        clim=(norm.vmin, norm.vmax),
        cnorm="log" if quantity == "current" else "linear",
        clabel=label_of(image),
        flip_yaxis=True,
        data_aspect=1,
        frame_width=290,
        xlabel="x / um",
        ylabel="y / um",
    )
