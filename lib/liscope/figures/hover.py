"""Maps to hover over in a page: they show numbers, and need neither a kernel nor a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.colors import LogNorm, to_hex

from liscope.errors import DataError
from liscope.figures.maps import label_of, norm_of, quantity_of
from liscope.figures.style import COLOURS

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM, Range1d

WIDTH = 340  # px of a map on the screen
NOTHING = "#bbbbbb"  # where a map did not look, as on paper


def hover_maps(panels: Mapping[str, xr.DataArray]) -> LayoutDOM:
    """Return maps (y, x) that pan and zoom together, with one cursor that reads all of them.

    The same colours as :func:`~liscope.figures.maps.maps`; an object of bokeh alone, which is quick
    to make and can be written into a page by itself.

    Parameters
    ----------
    panels
        Images of one grid by title, with units, and coordinates in one unit of length.

    Raises
    ------
    DataError
        If the images do not lie on one grid.
    """
    # Imported here, as bokeh is slow to import.
    from bokeh.layouts import gridplot
    from bokeh.models import ColumnDataSource, CrosshairTool, Range1d, Span

    first, *others = panels.values()
    if any(one.shape != first.shape for one in others):
        raise DataError("maps to hover over must lie on one grid; place one on the other first")
    # 2D columns of one source: a tooltip reads all of them at the same pixel.
    values = {title: [one.to_numpy().astype(np.float32)] for title, one in panels.items()}
    images = ColumnDataSource(values)
    (left, right), (top, bottom) = (_extent(first[dim]) for dim in ("x", "y"))
    ranges = Range1d(left, right), Range1d(bottom, top)  # rows are counted downwards
    cross = [Span(dimension=side, line_color="#56B4E9") for side in ("width", "height")]
    unit = str(first["x"].attrs.get("units", "pixel"))
    tips = [(f"x, y / {unit}", "$x{0.000}, $y{0.000}")]
    tips += [(label, f"@{{{title}}}") for title, label in _labels(panels).items()]
    plots = []
    for title, one in panels.items():
        plot = _panel(title, one, ranges, unit, tips)
        plot.add_tools(CrosshairTool(overlay=cross))
        box = {"x": left, "y": top, "dw": right - left, "dh": bottom - top}
        drawn = plot.image(image=title, source=images, color_mapper=_colours(one), **box)
        plot.add_layout(drawn.construct_color_bar(title=_scale(title, one), padding=4), "right")
        plots.append(plot)
    return gridplot(plots, ncols=2, toolbar_location="above")


def _labels(panels: Mapping[str, xr.DataArray]) -> dict[str, str]:
    """Return how the tooltip names each map: by its title with the unit, or what a number means."""
    return {title: title + _meaning(one) for title, one in panels.items()}


def _meaning(image: xr.DataArray) -> str:
    unit, name = (str(image.attrs.get(key, "")) for key in ("units", "long_name"))
    if unit not in ("", "1"):
        return f" / {unit}"
    return f" ({name})" if name else ""


def _scale(title: str, image: xr.DataArray) -> str:
    """Return what stands beside the colours."""
    return label_of(image) if "quantity" in image.attrs else _labels({title: image})[title]


def _panel(
    title: str,
    image: xr.DataArray,
    ranges: tuple[Range1d, Range1d],
    unit: str,
    tips: list[tuple[str, str]],
) -> Any:
    from bokeh.plotting import figure

    rows, columns = image.shape
    return figure(
        title=title,
        x_range=ranges[0],
        y_range=ranges[1],
        frame_width=WIDTH,
        frame_height=round(WIDTH * rows / columns),
        match_aspect=True,
        tools="pan,wheel_zoom,box_zoom,reset,hover",
        tooltips=tips,
        x_axis_label=f"x / {unit}",
        y_axis_label=f"y / {unit}",
        background_fill_color=NOTHING,
    )


def _colours(image: xr.DataArray) -> Any:
    from bokeh.models import LinearColorMapper, LogColorMapper

    norm = norm_of(image)
    kind = LogColorMapper if isinstance(norm, LogNorm) else LinearColorMapper
    steps = colormaps[COLOURS.get(quantity_of(image), "cividis")](np.linspace(0, 1, 256))
    palette = [to_hex(colour) for colour in steps]
    return kind(palette=palette, low=norm.vmin, high=norm.vmax, nan_color=NOTHING)


def _extent(centres: xr.DataArray) -> tuple[float, float]:
    """Return the outer sides of the first and the last pixel."""
    values = centres.to_numpy().astype(float)
    half = 0.5 * (values[-1] - values[0]) / max(len(values) - 1, 1)
    return float(values[0] - half), float(values[-1] + half)
