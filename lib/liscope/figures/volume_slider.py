"""Three cuts through a volume with sliders, in a page that has neither kernel nor network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from matplotlib.colors import Normalize, to_hex

from liscope.figures.hover import NOTHING, WIDTH
from liscope.figures.volume_3d import coarsening
from liscope.figures.volume_sections import VIEWS, colouring, image_of
from liscope.figures.volume_style import COUNTS, between, names_of, palette, sides
from liscope.units import to_units

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM

BUDGET = 3_000_000  # voxels, a byte each
UNSEEN = 255  # the byte of what was not measured
# A cut is copied into the array that is drawn; the bytes of the volume stay where they are.
MOVE = """
const [nz, ny, nx] = shape, volume = stack.data.volume[0];
const k = slider.value, out = shown.data.image[0];
if (view === "xy") for (let i = 0; i < ny * nx; i++) out[i] = volume[k * ny * nx + i];
if (view === "xz") for (let j = 0; j < nz; j++)
  for (let i = 0; i < nx; i++) out[j * nx + i] = volume[(j * ny + k) * nx + i];
if (view === "yz") for (let j = 0; j < ny; j++)
  for (let i = 0; i < nz; i++) out[j * nz + i] = volume[(i * ny + j) * nx + k];
shown.change.emit();
for (const mark of marks) mark.location = places[k];
slider.title = `${through} = ${places[k].toFixed(2)} um`;
"""


def volume_slider(volume: xr.DataArray | xr.Dataset, budget: int = BUDGET) -> LayoutDOM:
    """Return three cuts, each with a slider, as an object of bokeh that needs no kernel.

    Colours are in 254 steps. Where there are more voxels than ``budget``, every second or third
    along the finest axes is shown, which the title tells.

    Parameters
    ----------
    volume
        One channel of a volume (z, y, x), or phases with ``label`` and coordinate ``phase``. All of
        what is shown is read.
    budget
        Largest number of voxels in the page.
    """
    from bokeh.layouts import column, gridplot
    from bokeh.models import Div

    image, (norm, colours) = image_of(volume), colouring(volume)
    factors = coarsening(image, budget)
    thin = image.isel({dim: slice(step // 2, None, step) for dim, step in factors.items()})
    codes = _codes(thin, norm, isinstance(volume, xr.Dataset))
    mapper, bar = _mappers(volume, norm, colours)
    plots = _plots(sides(image))
    plots["xy"].add_layout(bar, "right")
    sliders = _sliders(plots, codes, _places(thin), mapper, sides(image))
    cells = {view: column(sliders[view], plots[view]) for view in VIEWS}
    told = ", ".join(f"every {n} of {dim}" for dim, n in factors.items() if n > 1)
    note = Div(text=f"Shown: {told}." if told else "All voxels are shown.")
    return column(
        gridplot([[cells["xy"], cells["yz"]], [cells["xz"]]], toolbar_location="above"), note
    )


def _codes(image: xr.DataArray, norm: Normalize, phases: bool) -> np.ndarray:
    """Return a byte for each voxel (z, y, x)."""
    values = image.to_numpy()
    if phases:
        return np.asarray(values.astype(np.uint8))
    steps = between(values, norm) * (UNSEEN - 1)
    return np.where(np.isfinite(steps), np.round(np.nan_to_num(steps)), UNSEEN).astype(np.uint8)


def _places(image: xr.DataArray) -> dict[str, list[float]]:
    return {dim: to_units(image[dim], "um").to_numpy().astype(float).tolist() for dim in "zyx"}


def _mappers(volume: xr.DataArray | xr.Dataset, norm: Normalize, colours: Any) -> tuple[Any, Any]:
    """Return the colours of the bytes, and a bar that tells what they mean."""
    from bokeh.models import ColorBar, FixedTicker, LinearColorMapper

    if isinstance(volume, xr.Dataset):
        names = ["not measured", *names_of(volume)]
        steps = [to_hex(colour) for colour in colours.colors]
        mapper = LinearColorMapper(palette=steps, low=-0.5, high=len(names) - 0.5)
        bar = ColorBar(
            color_mapper=mapper, ticker=FixedTicker(ticks=list(range(len(names)))),
            major_label_overrides=dict(enumerate(names)), padding=4, bar_line_color="#999999",
        )  # fmt: skip
        return mapper, bar
    steps = palette(COUNTS)[:UNSEEN]
    mapper = LinearColorMapper(palette=[*steps, NOTHING], low=-0.5, high=UNSEEN + 0.5)
    scale = LinearColorMapper(palette=steps, low=norm.vmin, high=norm.vmax)
    label = f"{_plain(volume)} / {volume.attrs.get('units', '1')}"
    return mapper, ColorBar(color_mapper=scale, title=label, padding=4)


def _plain(channel: xr.DataArray) -> str:
    """Return the name of a channel without the marks that only matplotlib reads."""
    return str(channel["channel"].item() if "channel" in channel.coords else channel.name or "")


def _plots(faces: dict[str, tuple[float, float]]) -> dict[str, Any]:
    """Return three empty plots of one scale, which move together where they share an axis."""
    from bokeh.models import BasicTicker, Range1d
    from bokeh.plotting import figure

    length = {dim: high - low for dim, (low, high) in faces.items()}
    scale = 1.4 * WIDTH / max(length.values())
    across = {dim: Range1d(*faces[dim]) for dim in "xz"}
    down = {dim: Range1d(*faces[dim][::-1]) for dim in "yz"}
    plots = {}
    for view, (lower, right) in VIEWS.items():
        plot = figure(
            x_range=across[right], y_range=down[lower], tools="pan,wheel_zoom,reset",
            frame_width=max(20, round(scale * length[right])),
            frame_height=max(20, round(scale * length[lower])),
            x_axis_label=f"{right} / um", y_axis_label=f"{lower} / um",
            background_fill_color=NOTHING,
        )  # fmt: skip
        for axis, dim in ((plot.xaxis, right), (plot.yaxis, lower)):
            ticks = max(1, round(8 * length[dim] / max(length.values())))
            axis.ticker = BasicTicker(desired_num_ticks=ticks)
            axis.minor_tick_line_color = None
        plots[view] = plot
    return plots


def _sliders(
    plots: dict[str, Any],
    codes: np.ndarray,
    places: dict[str, list[float]],
    mapper: Any,
    faces: dict[str, tuple[float, float]],
) -> dict[str, Any]:
    """Draw the middle cuts, and return the sliders that put others in their place."""
    from bokeh.models import ColumnDataSource, CustomJS, Slider

    stack = ColumnDataSource({"volume": [codes.ravel()]})
    marks = _marks(plots, places)
    sliders = {}
    for view, (down, across) in VIEWS.items():
        (through,) = set("xyz") - set(view)
        middle = len(places[through]) // 2
        plane = np.take(codes, middle, "zyx".index(through))
        plane = np.ascontiguousarray(plane if view != "yz" else plane.T)
        shown = ColumnDataSource({"image": [plane]})
        (top, bottom), (left, right) = faces[down], faces[across]
        box = {"x": left, "y": top, "dw": right - left, "dh": bottom - top}
        plots[view].image(image="image", source=shown, color_mapper=mapper, **box)
        slider = Slider(
            start=0, end=len(places[through]) - 1, value=middle, step=1, show_value=False,
            width=max(160, plots[view].frame_width), title=_told(through, places[through][middle]),
        )  # fmt: skip
        known = {
            "stack": stack, "shown": shown, "slider": slider, "view": view, "through": through,
            "places": places[through], "shape": list(codes.shape), "marks": marks[through],
        }  # fmt: skip
        slider.js_on_change("value", CustomJS(args=known, code=MOVE))
        sliders[view] = slider
    return sliders


def _marks(plots: dict[str, Any], places: dict[str, list[float]]) -> dict[str, list[Any]]:
    """Draw in each plot where the other two cuts run; return these lines by axis."""
    from bokeh.models import Span

    marks: dict[str, list[Any]] = {dim: [] for dim in "zyx"}
    for view, sides_of in VIEWS.items():
        for dim, way in zip(sides_of, ("width", "height"), strict=True):
            place = places[dim][len(places[dim]) // 2]
            line = Span(location=place, dimension=way, line_color="white", line_dash="dashed")
            plots[view].add_layout(line)
            marks[dim].append(line)
    return marks


def _told(dim: str, place: float) -> str:
    return f"{dim} = {place:.2f} um"
