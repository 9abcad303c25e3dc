"""Diffraction patterns with the spots that an orientation should show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib_scalebar.scalebar import ScaleBar

from liscope.figures.style import GREEN, ORANGE
from liscope.units import to_units

if TYPE_CHECKING:
    from liscope.diffraction.polar import Geometry

CRYSTALS = (GREEN, ORANGE, "#CC79A7", "#56B4E9")  # in the order in which phases appear
BEAM = 6  # pixels about the direct beam, which do not set the scale of greys
FAINTEST = 0.01  # of the strongest spot, below which none is drawn
MARGIN = 12  # pixels from the edge of the camera, within which no spot is named
NAMED = 6  # spots of a crystal with Miller indices
APART = 14.0  # pixels between named spots


def pattern_figure(
    patterns: Mapping[str, xr.DataArray],
    geometry: Geometry,
    spots: Mapping[str, Sequence[xr.Dataset]] | None = None,
) -> Figure:
    """Draw patterns as recorded, on a square-root scale of greys, with the spots of crystals.

    Circles are as large as a spot should be strong; the strongest are named.

    Parameters
    ----------
    patterns
        By title, (ky, kx) with the scalar coordinates ``centre_x`` and ``centre_y``, the pixel of
        the direct beam.
    geometry
        How reciprocal space lies on the camera.
    spots
        By the same titles, of each crystal ``kx``, ``ky`` (with units), ``intensity`` and
        ``h``, ``k``, ``l`` along one dimension, and the attribute ``phase``.

    Raises
    ------
    DataError
        If ``kx`` or ``ky`` of spots have no units.
    """
    every = spots or {}
    names = dict.fromkeys(str(one.attrs["phase"]) for some in every.values() for one in some)
    colours = {name: CRYSTALS[i % len(CRYSTALS)] for i, name in enumerate(names)}
    columns = min(len(patterns), 4)
    rows = -(-len(patterns) // columns)
    figure = Figure(figsize=(2.5 * columns, 2.75 * rows + 0.3), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(patterns) :]:
        axis.axis("off")
    for axis, (title, pattern) in zip(axes, patterns.items(), strict=False):
        _draw_pattern(axis, pattern, geometry, title)
        for one in every.get(title, ()):
            _draw_spots(axis, one, geometry, centre_of(pattern), colours[str(one.attrs["phase"])])
    handles = [
        Line2D([], [], ls="", marker="o", mfc="none", mec=colour, ms=8, mew=1.2, label=name)
        for name, colour in colours.items()
    ]
    if handles:
        figure.legend(handles=handles, loc="outside lower left", ncols=4, frameon=False)
    return figure


def centre_of(pattern: xr.DataArray | xr.Dataset) -> np.ndarray:
    """Return the pixel (x, y) of a pattern's direct beam."""
    return np.array([float(pattern["centre_x"]), float(pattern["centre_y"])])


def brightest(image: np.ndarray, centre: np.ndarray) -> float:
    """Return the grey level at which spots are white, whatever the direct beam has."""
    y, x = np.indices(image.shape)
    beyond = np.hypot(x - centre[0], y - centre[1]) > BEAM
    return max(float(np.quantile(image[beyond], 0.999)), 1.0)


def _draw_pattern(axis: Axes, pattern: xr.DataArray, geometry: Geometry, title: str) -> None:
    image, centre = pattern.transpose("ky", "kx").to_numpy().astype(float), centre_of(pattern)
    norm = PowerNorm(0.5, 0, brightest(image, centre), clip=True)
    axis.imshow(image, cmap="gray_r", norm=norm)
    axis.plot(*centre, "+", color="white", ms=5, mew=0.8)
    axis.set(title=title, xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set(visible=True, color="#999999", lw=0.6)
    bar = ScaleBar(
        10 * geometry.pixel, "1/nm", dimension="si-length-reciprocal", location="lower left",
        box_alpha=0.8, length_fraction=0.25, width_fraction=0.015, font_properties={"size": 8},
    )  # fmt: skip
    axis.add_artist(bar)


def on_camera(spots: xr.Dataset, geometry: Geometry, centre: np.ndarray) -> np.ndarray:
    """Return the pixels (spot, 2: x, y) on which spots lie."""
    k = np.stack([to_units(spots[name], "1/angstrom").to_numpy() for name in ("kx", "ky")], axis=1)
    return np.asarray(centre + k @ geometry.matrix.T)


def _draw_spots(
    axis: Axes, spots: xr.Dataset, geometry: Geometry, centre: np.ndarray, colour: str
) -> None:
    places, intensity = (
        on_camera(spots, geometry, centre),
        spots["intensity"].to_numpy().astype(float),
    )
    sides = np.array(geometry.size[::-1])
    on = np.all((places > -0.5) & (places < sides - 0.5), axis=1)
    on &= intensity > FAINTEST * intensity.max(initial=0)
    inside = np.all((places > MARGIN) & (places < sides - MARGIN), axis=1)
    axis.scatter(
        places[on, 0],
        places[on, 1],
        s=area_of(intensity[on]),
        fc="none",
        ec=colour,
        lw=0.9,
        clip_on=True,
    )
    for at in _named(places, intensity, on & inside, centre):
        away = (places[at] - centre) / np.hypot(*(places[at] - centre))
        axis.annotate(
            miller(*(int(spots[name][at]) for name in "hkl")), places[at], 12 * away * (1, -1),
            textcoords="offset points", color=colour, fontsize=8, ha="center", va="center",
            bbox={"fc": "white", "alpha": 0.75, "pad": 0.4, "lw": 0},
        )  # fmt: skip


def area_of(intensity: np.ndarray) -> np.ndarray:
    """Return the areas of circles in points^2, from the weakest spot to the strongest."""
    strongest = max(float(intensity.max(initial=0)), 1e-12)
    return 12 + 100 * np.sqrt(np.clip(intensity / strongest, 0, 1))


def _named(
    places: np.ndarray, intensity: np.ndarray, on: np.ndarray, centre: np.ndarray
) -> list[int]:
    """Return the strongest spots that leave room for each other's names, one of each pair."""
    chosen: list[int] = []
    for at in np.argsort(-intensity, kind="stable"):
        here = places[at]
        taken = [places[i] for i in chosen] + [2 * centre - places[i] for i in chosen]
        free = all(np.hypot(*(here - one)) > APART for one in taken)
        if on[at] and free and np.hypot(*(here - centre)) > BEAM:
            chosen.append(int(at))
        if len(chosen) == NAMED:
            break
    return chosen


def miller(*indices: int) -> str:
    """Return Miller indices as they are printed, with bars for minus."""
    return "".join(rf"$\bar{{{-i}}}$" if i < 0 else f"${i}$" for i in indices)
