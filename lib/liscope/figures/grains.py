"""Maps of phase, index and grain boundaries."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from liscope import statistics
from liscope.conventions import AMORPHOUS
from liscope.errors import DataError
from liscope.figures.orientations import (
    NOTHING,
    beside,
    extent_of,
    frame,
    greys,
    hatch_empty,
    map_size,
    outline_grains,
    thin,
    without_crystal,
)
from liscope.figures.style import GREEN, ORANGE
from liscope.grains.maps import Pixels, pixels_of

PHASES = (GREEN, "#222222", ORANGE, "#CC79A7", "#F0E442")  # in the order of the map's phases
GLASS = "#56B4E9"  # amorphous, where phases have colours
INDICES = {
    "score": ("correlation index", "correlation / 1"),
    "reliability": ("reliability of the orientation", "probability / 1"),
    "phase_reliability": ("reliability of the phase", "probability / 1"),
}
# Yellow, which white paper swallows, is left out.
ANGLES = ListedColormap(colormaps["viridis_r"](np.linspace(0.12, 1, 256)), "angles")
SIGMA3, PHASE = ORANGE, "black"


def phase_map(om: xr.Dataset, label: xr.DataArray | None = None) -> Figure:
    """Draw the phases, with their shares of the area and 95 % intervals from blocks of the map.

    Parameters
    ----------
    om
        Orientation map.
    label
        Grains (y, x), outlined.
    """
    figure, drawn, side = beside(om, 2.6)
    draw_phases(drawn, om, label)
    side.legend(handles=phase_legend(om, shares=True), loc="upper left", frameon=False)
    return figure


def draw_phases(
    axes: Axes, om: xr.Dataset, label: xr.DataArray | None = None, title: str = "phase"
) -> None:
    """Draw the colour of each pixel's phase."""
    pixels = pixels_of(om)
    colours = np.full((*pixels.phase.shape, 3), to_rgb(NOTHING[-3][0]))
    for number, (colour, _) in _classes(pixels).items():
        colours[pixels.phase == number] = to_rgb(colour)
    axes.imshow(colours, extent=extent_of(om))
    hatch_empty(axes, om)
    if label is not None:
        outline_grains(axes, om, label)
    frame(axes, om, title)


def _classes(pixels: Pixels) -> dict[int, tuple[str, str]]:
    """Return colour and name of every value that a phase map can have."""
    phases = {i: (PHASES[i % len(PHASES)], name) for i, name in enumerate(pixels.names)}
    return phases | {**NOTHING, AMORPHOUS: (GLASS, NOTHING[AMORPHOUS][1])}


def phase_legend(om: xr.Dataset, shares: bool = False) -> list[Patch]:
    """Return what a legend says about phases, and about what is none; with shares or without."""
    pixels = pixels_of(om)
    handles = [
        Patch(fc=colour, ec="none", label=name)
        for number, (colour, name) in _classes(pixels).items()
        if number >= 0 and (pixels.phase == number).any()
    ]
    handles += without_crystal(om, GLASS)
    for handle in handles if shares else []:
        (number,) = [n for n, (_, name) in _classes(pixels).items() if name == handle.get_label()]
        handle.set_label(f"{handle.get_label()}  {_share(pixels.phase == number)}")
    return handles


def _share(image: np.ndarray) -> str:
    found = statistics.mean(image.astype(float), np.ones(image.shape, dtype=bool))
    low, high = (100 * end for end in found.interval())
    text = f"{100 * found.value:.0f} %"
    if not np.isfinite(low):
        return f"{text} (interval unknown)"
    return f"{text} ({max(low, 0):.0f} to {min(high, 100):.0f})"


def index_map(om: xr.Dataset) -> Figure:
    """Draw how well patterns and templates agree, and how reliable phase and orientation are.

    Raises
    ------
    DataError
        If the map has neither a score nor a reliability.
    """
    names = indices_of(om)
    width, height = map_size(om)
    wide = width > 1.7 * height
    rows, columns = (len(names), 1) if wide else (1, len(names))
    figure = Figure(
        figsize=(columns * (0.75 * width + 0.9), rows * (0.75 * height + 0.3)),
        layout="constrained",
    )
    for axes, name in zip(
        figure.subplots(rows, columns, squeeze=False).ravel(), names, strict=True
    ):
        draw_index(axes, om, name)
    return figure


def indices_of(om: xr.Dataset) -> list[str]:
    """Return which of score and reliabilities a map has.

    Raises
    ------
    DataError
        If it has none.
    """
    names = [name for name in INDICES if name in om]
    if not names:
        raise DataError(f"the orientation map has none of {', '.join(INDICES)}")
    return names


def draw_index(
    axes: Axes, om: xr.Dataset, name: str, title: str = "", bar: Axes | None = None
) -> None:
    """Draw a reliability from 0 to 1, or a score up to its highest; scale beside or in an axis."""
    values = om[name].transpose("y", "x")
    top = float(values.max()) if name == "score" and values.notnull().any() else 1.0
    drawn = axes.imshow(values, extent=extent_of(om), cmap="cividis", vmin=0, vmax=top)
    frame(axes, om, title or INDICES[name][0])
    place = {"cax": bar} if bar is not None else {"ax": axes, "shrink": 0.85, "pad": 0.02}
    axes.figure.colorbar(drawn, label=INDICES[name][1], **place)


def boundary_map(om: xr.Dataset, segments: pd.DataFrame, pairs: pd.DataFrame) -> Figure:
    """Draw grain boundaries by angle, Sigma 3 and phase boundaries apart.

    Parameters
    ----------
    om
        Orientation map.
    segments, pairs
        From :func:`liscope.grains.boundary_segments` and :func:`liscope.grains.boundary_pairs`.
    """
    figure, drawn, side = beside(om, 1.9)
    draw_boundaries(drawn, om, segments, pairs)
    handles = [*boundary_legend(segments), *without_crystal(om)]
    side.legend(handles=handles, loc="upper left", frameon=False)
    angle_bar(side, pairs)
    return figure


def draw_boundaries(
    axes: Axes,
    om: xr.Dataset,
    segments: pd.DataFrame,
    pairs: pd.DataFrame,
    title: str = "grain boundaries",
) -> None:
    """Draw every pixel edge between two grains with the mean angle of its pair."""
    pixels = pixels_of(om)
    colours = greys(pixels)
    colours[pixels.indexed] = 1
    axes.imshow(colours, extent=extent_of(om))
    hatch_empty(axes, om)
    frame(axes, om, title)
    known = segments[["one", "other"]].merge(
        pairs[["one", "other", "angle_deg", "sigma"]], how="left", on=["one", "other"]
    )
    lines, kind = edge_lines(segments, pixels.step), segments["kind"].to_numpy()
    twin = (known["sigma"] == "3").to_numpy() & (kind == "grain")
    scale = angle_scale(pairs)
    plain = (kind == "grain") & ~twin
    by_angle = ANGLES(scale(known["angle_deg"].to_numpy()[plain]))
    for at, colour, width in ((plain, by_angle, 1.0), (kind == "phase", PHASE, 1.2),
                              (twin, SIGMA3, 1.4)):  # fmt: skip
        axes.add_collection(
            LineCollection(
                list(lines[at]), colors=colour, linewidths=width * thin(om), capstyle="projecting"
            )
        )


def edge_lines(segments: pd.DataFrame, step: tuple[float, float]) -> np.ndarray:
    """Return the two ends (segment, 2, 2: x, y) of pixel edges, nm."""
    middle = segments[["x_nm", "y_nm"]].to_numpy(float)
    level = (segments["normal"] == "y").to_numpy()[:, None]
    half = np.where(level, (step[1] / 2, 0.0), (0.0, step[0] / 2))
    return np.stack([middle - half, middle + half], axis=1)


def angle_scale(pairs: pd.DataFrame) -> Normalize:
    """Return the scale of disorientation angles, from 0 to beyond the largest, in tens."""
    angles = pairs.loc[pairs["kind"] == "grain", "angle_deg"]
    most = angles.max() if angles.notna().any() else 60.0
    return Normalize(0, 10 * np.ceil(most / 10))


def angle_bar(side: Axes, pairs: pd.DataFrame, height: float = 0.3) -> None:
    """Draw the scale of angles at a height of an axis without a frame."""
    inset = side.inset_axes((0.02, height, 0.9, 0.06))
    scale = ScalarMappable(angle_scale(pairs), ANGLES)
    bar = side.figure.colorbar(scale, cax=inset, orientation="horizontal")
    bar.set_label("disorientation / degree")


def boundary_legend(segments: pd.DataFrame) -> list[Line2D]:
    """Return what a legend says about boundaries that have no colour of an angle."""
    handles = [Line2D([], [], color=SIGMA3, lw=1.8, label="Σ3 boundary")]
    if (segments["kind"] == "phase").any():
        handles.append(Line2D([], [], color=PHASE, lw=1.6, label="phase boundary"))
    return handles
