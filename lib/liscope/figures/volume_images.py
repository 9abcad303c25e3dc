"""Pictures of one slice: all channels side by side, the maps of Eq. 3 with a profile, phases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from liscope.figures.style import ORANGE
from liscope.figures.volume_style import (
    COUNTS,
    NO_VALUE,
    TERMS,
    band,
    bare,
    blank_handles,
    channel_title,
    draw_slice,
    legend_below,
    map_of,
    names_of,
    phase_colours,
    phase_handles,
    scale_of,
    sides,
    unit_label,
)

RIM = [withStroke(linewidth=2.6, foreground="black")]


def channel_plate(panels: Mapping[str, xr.DataArray]) -> Figure:
    """Draw pictures of several channels, each in its own scale of colours; as Fig. 4 of the paper.

    Parameters
    ----------
    panels
        Images (y, x) by the name of the channel, coordinates in um, attribute ``units``. One called
        "bse" is drawn in grey, as microscopists are used to.
    """
    figure, axes = grid_of_pictures(list(panels.values()), 3 if len(panels) > 4 else 2)
    drawn = []
    for letter, axis, (name, image) in zip("abcdefghijkl", axes, panels.items(), strict=False):
        bare(axis, f"{letter}   {channel_title(name)}")
        drawn.append(draw_slice(axis, image, scale_of(image), map_of(name)))
        colour_bar(axis, drawn[-1], unit_label(image))
    legend_below(figure, blank_handles(drawn))
    return figure


def grid_of_pictures(images: list[xr.DataArray], columns: int) -> tuple[Figure, list[Axes]]:
    """Return a figure with a place of the right shape for each picture."""
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    high, wide = (np.ptp(one) for one in sides(images[0]).values())
    side = 9.6 / columns
    height = rows * ((side - 0.7) * high / wide + 0.4)
    figure = Figure(figsize=(9.6, height), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axis in axes[len(images) :]:
        axis.remove()
    return figure, axes[: len(images)]


def colour_bar(axis: Axes, drawn: Any, label: str) -> None:
    """Add a scale of colours as high as the picture."""
    bar = axis.figure.colorbar(drawn, ax=axis, shrink=0.9, pad=0.02, aspect=25)
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=7)


def product_figure(
    channels: Mapping[str, xr.DataArray], terms: xr.DataArray, profile: pd.DataFrame
) -> Figure:
    """Draw two channels, the maps that Eq. 3 may mean, and one line across them; as Fig. 6.

    Parameters
    ----------
    channels
        Images (y, x) of two channels by name.
    terms
        (term, y, x): a slice of what :func:`liscope.volume.covariance_terms` returns. Those called
        "product" are drawn from nothing on, others around zero.
    profile
        One row a place and term on the line: ``term``, ``y_um``, ``x_um``, ``distance_um``,
        ``value``, ``low`` and ``high``. Each term is drawn as share of its largest value.
    """
    maps = {name: (image, scale_of(image), COUNTS) for name, image in channels.items()}
    for name in terms["term"].to_numpy():
        image = terms.sel(term=name)
        product = str(name) == "product"
        scale = scale_of(image) if product else around_zero(image)
        maps[str(name)] = image, scale, COUNTS if product else TERMS
    images = [image for image, _, _ in maps.values()]
    high, wide = (np.ptp(one) for one in sides(images[0]).values())
    figure = Figure(figsize=(9.6, 2 * (2.5 * high / wide + 0.45) + 0.35), layout="constrained")
    axes = list(figure.subplots(2, 3).ravel())
    drawn = []
    for letter, axis, (name, (image, norm, colours)) in zip(
        "abcdefgh", axes, maps.items(), strict=False
    ):
        bare(axis, f"{letter}   {TITLES.get(name, channel_title(name))}")
        drawn.append(draw_slice(axis, image, norm, colours))
        colour_bar(axis, drawn[-1], unit_label(image))
        line = profile.drop_duplicates("distance_um")
        axis.plot(line["x_um"], line["y_um"], color="white", lw=1.2, path_effects=RIM)
    _draw_profile(axes[len(maps)], profile, "abcdefgh"[len(maps)])
    for axis in axes[len(maps) + 1 :]:
        axis.remove()
    legend_below(figure, blank_handles(drawn))
    return figure


def around_zero(image: xr.DataArray) -> Normalize:
    """Return a scale of colours whose middle is zero."""
    values = np.abs(image.to_numpy())
    seen = values[np.isfinite(values)]
    reach = (float(np.quantile(seen, 0.99)) if seen.size else 0.0) or 1.0
    return TwoSlopeNorm(0, -reach, reach)


TITLES = {
    "as printed": "Eq. 3 as printed",
    "as meant": "Eq. 3 as meant",
    "product": "plain product",
}
LINES = (("#0072B2", "-"), ("#D55E00", "--"), ("#222222", "-."), ("#009E73", ":"))


def _draw_profile(axis: Axes, profile: pd.DataFrame, letter: str) -> None:
    for (colour, dashes), (name, part) in zip(
        LINES, profile.groupby("term", sort=False), strict=False
    ):
        most = float(part["value"].abs().max()) or 1.0
        scaled = part[["value", "low", "high"]] / most
        band(axis, part["distance_um"], scaled, colour, str(name), dashes)
    axis.axhline(0, color="#666666", lw=0.6)
    axis.set(xlabel="along the line / um", ylabel="share of the largest", box_aspect=0.62)
    axis.set_title(f"{letter}   profile, two standard errors", pad=18)
    axis.legend(
        frameon=False, fontsize=7, ncols=4, loc="lower left", bbox_to_anchor=(0, 1),
        borderaxespad=0.2, columnspacing=1.0,
    )  # fmt: skip  # above the axis: curves may run anywhere in it


def phase_figure(phases: xr.Dataset, z: float | None = None) -> Figure:
    """Draw the phases in one slice, and how sure each voxel's phase is.

    Parameters
    ----------
    phases
        ``label`` (z, y, x), coordinate ``phase``; with ``probability`` (phase, z, y, x) a second
        picture shows that of the most probable phase.
    z
        Depth, um; None: the middle.
    """
    depths = phases["z"].to_numpy()
    number = len(depths) // 2 if z is None else int(np.abs(depths - z).argmin())
    one, names = phases.isel(z=number).compute(), names_of(phases)
    colours, norm = phase_colours(names)
    sure = "probability" in phases
    figure, axes = grid_of_pictures([one["label"]] * (1 + sure), 2)
    draw_slice(axes[0], one["label"], norm, colours)
    bare(axes[0], f"phase at z = {depths[number]:.2f} um")
    nothing = bool((one["label"] == 0).any())
    figure.legend(
        handles=phase_handles(names, nothing), loc="outside lower left", ncols=6, frameon=False,
        fontsize=8,
    )  # fmt: skip
    if sure:
        best = one["probability"].max("phase").where(one["label"] > 0)
        drawn = draw_slice(axes[1], best, Normalize(1 / len(names), 1), "magma")
        bare(axes[1], "probability of that phase")
        colour_bar(axes[1], drawn, "probability / 1")
    return figure


def greyscale_figure(
    counts: xr.DataArray, scaled: Mapping[str, xr.DataArray], zoom: tuple[slice, slice]
) -> Figure:
    """Draw counts, their 8-bit versions, a part of each, and the differences; as Fig. 3.

    A difference is that of the grey levels with those of the counts shown plainly, black for none
    and white for the brightest but for one pixel in a thousand. Titles tell how many pixels were
    counted in but come out black or without a value. The latter are blue: in grey, noise of no
    counts would look as bright as a phase.

    Parameters
    ----------
    counts
        Image (y, x).
    scaled
        The same in levels from 0 to 255 by the name of the normalisation; NaN: no value.
    zoom
        The part that is drawn larger: slices along y and x, um.
    """
    plain = shown_plainly(counts)
    whole = {"raw": plain, **scaled}
    parts = {name: image.sel(y=zoom[0], x=zoom[1]) for name, image in whole.items()}
    figure, axes = _rows_of(len(whole), [counts, parts["raw"], parts["raw"]])
    for axis, letter, (name, image) in zip(axes[0], "abc", whole.items(), strict=False):
        draw_slice(axis, image, Normalize(0, 255), "gray")
        bare(axis, f"{letter}   {name}")
        _frame(axis, parts[name])
    for axis, letter, image in zip(axes[1], "def", parts.values(), strict=False):
        drawn = draw_slice(axis, image, Normalize(0, 255), "gray")
        bare(axis, f"{letter}   part")
    colour_bar(axes[1][-1], drawn, "grey level")
    for axis, letter, (name, image) in zip(axes[2][1:], "ghi", scaled.items(), strict=False):
        change = parts[name] - parts["raw"]
        drawn = draw_slice(axis, change, Normalize(-255, 255), TERMS)
        axis.set_facecolor(NO_VALUE)
        lost = float(((image.fillna(0) == 0) & (counts > counts.min())).mean())
        bare(axis, f"{letter}   {name} \N{MINUS SIGN} raw; {100 * lost:.1f} % lost")
    colour_bar(axes[2][-1], drawn, "grey levels")
    _tell(axes[2][0], any(bool(image.isnull().any()) for image in scaled.values()))
    return figure


def _tell(axis: Axes, without: bool) -> None:
    """Make an axis the legend of the grey pictures."""
    handles: list[Artist] = [Line2D([], [], color=ORANGE, lw=1.2, label="part, drawn larger")]
    handles += [Patch(fc=NO_VALUE, label="no value (0 counts)")] if without else []
    axis.axis("off")
    axis.legend(handles=handles, loc="upper left", frameon=False, fontsize=8)


def shown_plainly(counts: xr.DataArray) -> xr.DataArray:
    """Return counts as a screen shows them: from black for none to white for the brightest."""
    brightest = float(counts.quantile(0.999, skipna=True)) or 1.0
    return (255 * counts / brightest).clip(0, 255).round()


def _rows_of(columns: int, images: list[xr.DataArray]) -> tuple[Figure, list[list[Axes]]]:
    shapes = [[np.ptp(side) for side in sides(one).values()] for one in images]
    heights = [high / wide for high, wide in shapes]
    side = 9.6 / columns
    figure = Figure(
        figsize=(9.6, (side - 0.4) * sum(heights) + 0.3 * len(images)), layout="constrained"
    )
    axes = figure.subplots(len(images), columns, squeeze=False, height_ratios=heights)
    return figure, [list(row) for row in axes]


def _frame(axis: Axes, part: xr.DataArray) -> None:
    (top, bottom), (left, right) = (sides(part)[dim] for dim in "yx")
    axis.plot(
        [left, right, right, left, left], [top, top, bottom, bottom, top], color=ORANGE, lw=1.2
    )
