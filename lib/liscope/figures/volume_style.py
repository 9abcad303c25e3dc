"""What the figures of a volume share: colours of phases, proportions, how a slice is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, Normalize, to_hex
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch
from matplotlib_scalebar.scalebar import ScaleBar

from liscope.errors import DataError
from liscope.units import to_units

NOTHING = "#bbbbbb"  # where nothing was measured
NO_VALUE = "#2f73d9"  # the same in grey pictures, where a grey would look like many counts
# Told apart by eyes that lack one kind of cone, and by their lightness in print.
PHASE_COLOURS = {
    "carbon": "#2b2b2b",
    "LLZTO": "#0072B2",
    "LCO": "#E69F00",
    "alumina": "#AA2200",
    "crack": "#ffffff",
}
OTHERS = ("#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")  # phases of other electrodes
COUNTS = "cividis"
TERMS = "PuOr_r"  # around zero


def colour_of(phase: str, among: Sequence[str] = ()) -> str:
    """Return the colour of a phase, the same in all figures; others follow in their order."""
    if phase in PHASE_COLOURS:
        return PHASE_COLOURS[phase]
    rest = [name for name in among if name not in PHASE_COLOURS]
    return OTHERS[rest.index(phase) % len(OTHERS)] if phase in rest else OTHERS[0]


def line_colour(phase: str, among: Sequence[str] = ()) -> str:
    """Return the colour of a phase as a line on white."""
    return "#CC79A7" if phase == "crack" else colour_of(phase, among)


def names_of(phases: xr.Dataset) -> list[str]:
    """Return the names of the phases, in the order of their labels 1, 2, ..."""
    return [str(name) for name in phases["phase"].to_numpy()]


def phase_colours(names: Sequence[str]) -> tuple[ListedColormap, Normalize]:
    """Return the colours of labels 0 (nothing measured), 1, 2, ... as a map and its scale."""
    colours = [NOTHING, *(colour_of(name, names) for name in names)]
    return ListedColormap(colours, "phases"), Normalize(-0.5, len(names) + 0.5)


def phase_handles(names: Iterable[str], nothing: bool = False) -> list[Patch]:
    """Return what a legend says about the phases."""
    names = list(names)
    told = {name: colour_of(name, names) for name in names}
    told |= {"not measured": NOTHING} if nothing else {}
    return [Patch(fc=colour, ec="#666666", lw=0.5, label=name) for name, colour in told.items()]


def blank(colours: Any) -> str:
    """Return what a picture in a map of colours has where there is no value."""
    return NO_VALUE if getattr(colours, "name", colours) == "gray" else NOTHING


def blank_handles(drawn: Iterable[AxesImage]) -> list[Patch]:
    """Return what a legend says about pixels without a value; nothing where all have one."""
    seen = {blank(one.get_cmap()) for one in drawn if np.ma.is_masked(one.get_array())}
    told = {NOTHING: "not measured", NO_VALUE: "not measured (in grey pictures)"}
    return [
        Patch(fc=colour, ec="#666666", lw=0.5, label=text)
        for colour, text in told.items() if colour in seen
    ]  # fmt: skip


def legend_below(figure: Figure, handles: Sequence[Artist]) -> None:
    """Add a legend below all pictures, if there is anything to tell."""
    if handles:
        figure.legend(handles=handles, loc="outside lower left", ncols=6, frameon=False, fontsize=8)


def sides(volume: xr.DataArray | xr.Dataset) -> dict[str, tuple[float, float]]:
    """Return the outer faces of the first and last voxels along each axis that it has, um.

    Raises
    ------
    DataError
        If a coordinate is missing or in no unit of length.
    """
    return {str(dim): _faces(volume, str(dim)) for dim in ("z", "y", "x") if dim in volume.dims}


def _faces(volume: xr.DataArray | xr.Dataset, dim: str) -> tuple[float, float]:
    if dim not in volume.coords:
        raise DataError(f"the volume has no coordinate '{dim}'; give it one in um")
    centres = to_units(volume[dim], "um").to_numpy().astype(float)
    half = 0.5 * step_of(centres)
    return float(centres[0] - half), float(centres[-1] + half)


def step_of(centres: np.ndarray) -> float:
    """Return the mean distance of neighbours; 1 of a single one."""
    return float(centres[-1] - centres[0]) / (len(centres) - 1) if len(centres) > 1 else 1.0


def scale_of(volume: xr.DataArray, quantiles: tuple[float, float] = (0.005, 0.995)) -> Normalize:
    """Return a scale of colours over a volume, from slices spread through it."""
    every = volume.isel(z=spread(volume.sizes["z"], 9)) if "z" in volume.dims else volume
    values = every.to_numpy()
    finite = values[np.isfinite(values)]
    if not finite.size:
        return Normalize(0, 1)
    low, high = np.quantile(finite, quantiles)
    return Normalize(low, high if high > low else low + 1)


def between(values: np.ndarray, norm: Normalize) -> np.ndarray:
    """Return values as part of the way through a scale of colours; NaN stays."""
    return np.asarray(np.clip(np.ma.getdata(norm(values)), 0, 1))


def spread(count: int, most: int) -> np.ndarray:
    """Return at most so many indices, evenly spread from the first to the last."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def draw_slice(
    axis: Axes,
    image: xr.DataArray,
    norm: Normalize,
    colours: Any = COUNTS,
    bar: bool = True,
) -> Any:
    """Draw a cut through a volume, its second dimension to the right, in um, with a scale bar."""
    faces = sides(image)
    down, across = (faces[str(dim)] for dim in image.dims)
    drawn = axis.imshow(
        image.to_numpy(), cmap=colours, norm=norm, extent=(*across, *down[::-1]), aspect="equal"
    )
    axis.set_facecolor(blank(colours))
    for spine in axis.spines.values():
        spine.set_visible(False)
    if bar:
        add_scale_bar(axis)
    return drawn


def add_scale_bar(axis: Axes, place: str = "lower left") -> None:
    """Add a bar that tells the scale of an axis in um."""
    axis.add_artist(
        ScaleBar(
            1,
            "um",
            location=place,
            box_alpha=0.7,
            length_fraction=0.25,
            font_properties={"size": 8},
        )
    )


def bare(axis: Axes, title: str = "") -> None:
    """Leave out the ticks of a picture, which has a scale bar."""
    axis.set(title=title, xticks=[], yticks=[])


def palette(name: str) -> list[str]:
    """Return the 256 colours of a map."""
    return [to_hex(colour) for colour in colormaps[name](np.linspace(0, 1, 256))]


def channel_title(channel: str) -> str:
    """Return how a channel is called above a picture: ions as a chemist writes them."""
    ion = channel.rstrip("+-")
    if ion == channel:
        return {"bse": "BSE"}.get(channel, channel)
    mass = ion[: len(ion) - len(ion.lstrip("0123456789"))]
    charge = channel[len(ion) :]
    return f"$^{{{mass}}}${ion[len(mass) :]}$^{{{charge}}}$" if mass else f"{ion}$^{{{charge}}}$"


def map_of(channel: str) -> str:
    """Return the colours of a channel: electrons in grey, as microscopists are used to."""
    return "gray" if channel.lower() == "bse" else COUNTS


def unit_label(image: xr.DataArray) -> str:
    """Return the unit of an image as it is printed."""
    return str(image.attrs.get("units", "1")).replace("^2", "$^2$")


def title_of(image: xr.DataArray, given: Mapping[str, str] | None = None) -> str:
    """Return the name of a volume or of one of its channels."""
    named = image.coords["channel"].item() if "channel" in image.coords else image.name
    name = str(named or "")
    return (given or {}).get(name, channel_title(name))


def band(
    axis: Axes, x: Any, table: pd.DataFrame, colour: str, label: str, dashes: str = "-"
) -> None:
    """Draw ``value`` against x, with ``low`` to ``high`` behind it."""
    axis.fill_between(x, table["low"], table["high"], color=colour, alpha=0.22, lw=0)
    axis.plot(x, table["value"], color=colour, ls=dashes, lw=1.3, label=label)
