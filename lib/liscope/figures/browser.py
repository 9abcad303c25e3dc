"""The pattern behind each pixel of an orientation map, in JupyterLab."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from liscope.figures.maps import in_jupyterlab
from liscope.figures.orientations import orientation_colours
from liscope.figures.patterns import CRYSTALS, area_of, brightest, centre_of, on_camera
from liscope.units import to_units

if TYPE_CHECKING:
    import holoviews as hv

    from liscope.diffraction.polar import Geometry


def explore_patterns(
    om: xr.Dataset,
    scan: xr.Dataset,
    geometry: Geometry,
    spots_of: Callable[[int, int], Sequence[xr.Dataset]],
    axis: str = "y",
) -> hv.Layout | None:
    """Return the orientation map, where pointing shows the pattern; None outside JupyterLab.

    Parameters
    ----------
    om
        Orientation map.
    scan
        ``pattern`` (y, x, ky, kx) of the same pixels, with ``centre_x`` and ``centre_y`` (y, x).
    geometry
        How reciprocal space lies on the camera.
    spots_of
        Returns the spots of each crystal in a row and column, as :func:`pattern_figure` needs them.
    axis
        Of the sample whose directions colour the map.
    """
    if not in_jupyterlab():
        return None
    import hvplot

    hvplot.extension("bokeh", inline=True)  # from this machine: works without a network
    return pattern_browser(om, scan, geometry, spots_of, axis)


def pattern_browser(
    om: xr.Dataset,
    scan: xr.Dataset,
    geometry: Geometry,
    spots_of: Callable[[int, int], Sequence[xr.Dataset]],
    axis: str = "y",
) -> hv.Layout:
    """Return the orientation map and beside it the pattern of the pixel under the pointer."""
    import holoviews as hv

    hv.extension("bokeh")
    places = {name: to_units(om[name], "nm").to_numpy() for name in ("x", "y")}
    labels, rgb = ["x / nm", "y / nm"], np.moveaxis(orientation_colours(om, axis), -1, 0)
    colours = hv.RGB((*places.values(), *rgb), labels)
    colours = colours.opts(
        invert_yaxis=True, data_aspect=1, frame_width=380,
        title=f"along {axis}; point at a pixel (needs a kernel)",
    )  # fmt: skip
    start = np.argwhere(om["phase"].transpose("y", "x").to_numpy() >= 0)
    row, column = start[len(start) // 2] if len(start) else (0, 0)

    def shown(x: float, y: float) -> hv.Overlay:
        at = int(np.abs(places["y"] - y).argmin()), int(np.abs(places["x"] - x).argmin())
        pattern = scan[["pattern", "centre_x", "centre_y"]].isel(y=at[0], x=at[1]).compute()
        return _interactive(pattern, geometry, spots_of(*at), f"row {at[0]}, column {at[1]}")

    def mark(x: float, y: float) -> hv.Points:
        return hv.Points([(x, y)], labels).opts(size=9, marker="cross", color="black")

    pointer = hv.streams.PointerXY(source=colours, x=places["x"][column], y=places["y"][row])
    marked, behind = (hv.DynamicMap(one, streams=[pointer]) for one in (mark, shown))
    return colours * marked + behind


def _interactive(
    pattern: xr.Dataset, geometry: Geometry, spots: Sequence[xr.Dataset], title: str
) -> hv.Overlay:
    """Return a pattern with its spots, whose indices show where the pointer is."""
    import holoviews as hv

    image = pattern["pattern"].transpose("ky", "kx").to_numpy().astype(float)
    centre, (rows, columns) = centre_of(pattern), image.shape
    dims: list[Any] = ["kx / pixel", "ky / pixel"]
    grey = np.sqrt(np.minimum(image, brightest(image, centre)))
    drawn = hv.Image((np.arange(columns), np.arange(rows), grey), dims, "root of intensity")
    drawn = drawn.opts(
        cmap="gray_r", invert_yaxis=True, data_aspect=1, frame_width=380, framewise=True,
        title=title,
    )  # fmt: skip
    told = [row for i, one in enumerate(spots) for row in _told(one, i, geometry, centre)]
    return drawn * hv.Points(told, dims, ["hkl", "phase", "width", "colour"]).opts(
        size="width", fill_alpha=0, line_color="colour", line_width=1.5, tools=["hover"]
    )


def _told(
    spots: xr.Dataset, number: int, geometry: Geometry, centre: np.ndarray
) -> list[tuple[Any, ...]]:
    """Return of each spot its place, indices, phase, and the width and colour of its circle."""
    places = on_camera(spots, geometry, centre)
    widths = 1.4 * np.sqrt(area_of(spots["intensity"].to_numpy().astype(float)))
    indices = np.stack([spots[name].to_numpy() for name in "hkl"], axis=1).astype(int)
    colour, phase = CRYSTALS[number % len(CRYSTALS)], str(spots.attrs["phase"])
    return [
        (*place, " ".join(map(str, hkl)), phase, width, colour)
        for place, hkl, width in zip(places, indices, widths, strict=True)
    ]
