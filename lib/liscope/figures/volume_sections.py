"""Orthogonal sections through a volume, on paper and with sliders in JupyterLab."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, to_hex
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from liscope.errors import DataError
from liscope.figures.maps import in_jupyterlab
from liscope.figures.volume_style import (
    COUNTS,
    NOTHING,
    blank_handles,
    draw_slice,
    names_of,
    phase_colours,
    phase_handles,
    scale_of,
    sides,
    title_of,
)
from liscope.units import to_units

if TYPE_CHECKING:
    import holoviews as hv

WIDTH, HEIGHT = 6.2, 6.6  # inches that two pictures, side by side or stacked, take at most
VIEWS = {"xy": ("y", "x"), "xz": ("z", "x"), "yz": ("y", "z")}  # down and to the right
FRAME = 320  # pixels of the widest cut in JupyterLab: two fit side by side
CUT = "#ffffff"  # the line where another cut runs


def section_figure(
    volume: xr.DataArray | xr.Dataset, at: Mapping[str, float] | None = None
) -> Figure:
    """Draw three cuts through one point, in the specimen's proportions, with the cuts as lines.

    Parameters
    ----------
    volume
        One channel of a volume (z, y, x), or phases: a Dataset with ``label`` (z, y, x) and the
        coordinate ``phase``. Of a lazy one only the three cuts are read, and nine slices for the
        scale of colours.
    at
        Where the cuts go through, um, by axis; what is not told is the middle.

    Raises
    ------
    DataError
        If the volume has other axes, or coordinates in no unit of length.
    """
    image = image_of(volume)
    places = places_of(image, at)
    norm, colours = colouring(volume)
    figure, axes = _frames(sides(image))
    for view, image_cut in cuts_of(image, dict.fromkeys(VIEWS, places)).items():
        (through,), axis = set("xyz") - set(view), axes[view]
        drawn = draw_slice(axis, image_cut, norm, colours, bar=view == "xy")
        _mark(axis, view, places)
        axis.set_title(f"{through} = {places[through]:.2f} um", fontsize=8, color="black")
    axes["xy"].set(ylabel="y / um", xticks=[])
    axes["xz"].set(ylabel="z / um", xlabel="x / um")
    axes["yz"].set(xlabel="z / um", yticks=[])
    if isinstance(volume, xr.Dataset):
        handles = phase_handles(names_of(volume), nothing=True)
        figure.legend(handles=handles, loc="lower center", ncols=6, frameon=False, fontsize=8)
    else:
        place = figure.add_axes(
            (0.3, 0.24 / figure.get_figheight(), 0.4, 0.1 / figure.get_figheight())
        )
        label = f"{title_of(image)} / {image.attrs.get('units', '1')}"
        figure.colorbar(drawn, cax=place, orientation="horizontal")
        place.set_title(label, fontsize=8)
        place.tick_params(labelsize=7)
        blank = blank_handles(image for axis in axes.values() for image in axis.images)
        figure.legend(handles=blank, loc="lower left", frameon=False, fontsize=7)
    return figure


def image_of(volume: xr.DataArray | xr.Dataset) -> xr.DataArray:
    """Return the values (z, y, x) that are drawn of a channel or of phases."""
    if isinstance(volume, xr.Dataset):
        if not {"label", "phase"} <= set(volume.variables):
            raise DataError("these are no phases: they need 'label' (z, y, x) and 'phase'")
        volume = volume["label"]
    if set(volume.dims) != set("zyx"):
        raise DataError(f"a cut needs the axes z, y, x, not {volume.dims}; choose one channel")
    return volume.transpose("z", "y", "x")


def places_of(image: xr.DataArray, at: Mapping[str, float] | None = None) -> dict[str, float]:
    """Return the centres of the voxels next to a point, um; the middle where nothing is told."""
    places = {}
    for dim in "zyx":
        centres = to_units(image[dim], "um").to_numpy().astype(float)
        wanted = (at or {}).get(dim, float(centres.mean()))
        places[dim] = float(centres[np.abs(centres - wanted).argmin()])
    return places


def cut(image: xr.DataArray, view: str, places: Mapping[str, float]) -> xr.DataArray:
    """Return one cut, its rows downwards."""
    (through,) = set("xyz") - set(view)
    centres = to_units(image[through], "um").to_numpy()
    number = int(np.abs(centres - places[through]).argmin())
    return image.isel({through: number}).transpose(*VIEWS[view])


def cuts_of(
    image: xr.DataArray, places: Mapping[str, Mapping[str, float]]
) -> dict[str, xr.DataArray]:
    """Return a cut of each view, all read in one pass."""
    from dask.base import compute

    lazy = [cut(image, view, at) for view, at in places.items()]
    return dict(zip(places, compute(*lazy), strict=True))


def colouring(volume: xr.DataArray | xr.Dataset) -> tuple[Normalize, Any]:
    """Return scale and colours of a channel or of phases."""
    if isinstance(volume, xr.Dataset):
        colours, norm = phase_colours(names_of(volume))
        return norm, colours
    return scale_of(image_of(volume)), COUNTS


def _frames(faces: dict[str, tuple[float, float]]) -> tuple[Figure, dict[str, Axes]]:
    """Return a figure whose three pictures have one scale: as many um in an inch everywhere."""
    length = {dim: high - low for dim, (low, high) in faces.items()}
    scale = min(WIDTH / (length["x"] + length["z"]), HEIGHT / (length["y"] + length["z"]))
    x, y, z = (scale * length[dim] for dim in "xyz")
    left, middle = 0.6, 1.15 + z + 0.28  # inches; below the upper pictures stand cut and legend
    width, height = left + x + 0.15 + max(z, 0.8) + 0.2, middle + y + 0.3
    figure = Figure(figsize=(width, height))
    boxes = {
        "xy": (left, middle, x, y),
        "xz": (left, 1.0, x, z),
        "yz": (left + x + 0.15, middle, z, y),
    }
    axes = {
        view: figure.add_axes((a / width, b / height, w / width, h / height))
        for view, (a, b, w, h) in boxes.items()
    }
    for axis in axes.values():
        axis.tick_params(labelsize=7)
        axis.yaxis.set_major_locator(MaxNLocator(4))
        axis.xaxis.set_major_locator(MaxNLocator(6))
    axes["yz"].xaxis.set_major_locator(MaxNLocator(2, steps=[1, 2, 5, 10]))
    axes["xz"].yaxis.set_major_locator(MaxNLocator(2, steps=[1, 2, 5, 10]))
    return figure, axes


def _mark(axis: Axes, view: str, places: Mapping[str, float]) -> None:
    """Draw where the two other cuts run."""
    down, across = VIEWS[view]
    rim = [withStroke(linewidth=2.0, foreground="black", alpha=0.5)]
    axis.axvline(places[across], color=CUT, lw=0.9, ls="--", path_effects=rim)
    axis.axhline(places[down], color=CUT, lw=0.9, ls="--", path_effects=rim)


def explore_volume(volume: xr.DataArray | xr.Dataset) -> hv.Layout | None:
    """Return three cuts with a slider for each, in JupyterLab; None elsewhere.

    Each picture is read when its slider moves, so that a volume may be larger than memory.

    Parameters
    ----------
    volume
        As for :func:`section_figure`.
    """
    if not in_jupyterlab():
        return None
    import holoviews as hv
    import hvplot

    hvplot.extension("bokeh", inline=True)  # from this machine: works without a network
    hv.output(widget_location="top_left")  # beside wide pictures they would lie out of sight
    return sliding(volume)


def sliding(volume: xr.DataArray | xr.Dataset) -> hv.Layout:
    """Return three cuts as HoloViews draws them, each with a slider through the third axis."""
    import holoviews as hv

    hv.extension("bokeh")
    image, (norm, colours) = image_of(volume), colouring(volume)
    faces = sides(image)
    name = title_of(image) or "label"

    def shown(view: str, place: float) -> hv.Image:
        (through,) = set("xyz") - set(view)
        down, across = VIEWS[view]
        values = cut(image, view, {through: place}).to_numpy().astype(np.float32)
        box = (faces[across][0], faces[down][0], faces[across][1], faces[down][1])
        # HoloViews counts rows from the lowest coordinate, which stands last in its arrays.
        return hv.Image(
            values[::-1], bounds=box, kdims=[f"{across} / um", f"{down} / um"], vdims=name
        )

    def slider(view: str) -> hv.DynamicMap:
        (through,) = set("xyz") - set(view)
        places = to_units(image[through], "um").to_numpy().astype(float).tolist()
        dimension = hv.Dimension(f"{through} / um", values=places, default=places[len(places) // 2])
        lengths = {dim: high - low for dim, (low, high) in faces.items()}
        wide = round(FRAME * lengths[VIEWS[view][1]] / max(lengths["x"], lengths["z"]))
        return hv.DynamicMap(partial(shown, view), kdims=[dimension]).opts(
            cmap=colours if isinstance(colours, str) else [to_hex(c) for c in colours.colors],
            clim=(norm.vmin, norm.vmax), invert_yaxis=True, data_aspect=1, tools=["hover"],
            frame_width=wide, colorbar=view == "xy", framewise=False, bgcolor=NOTHING,
        )  # fmt: skip

    return hv.Layout([slider(view) for view in VIEWS]).cols(2)
