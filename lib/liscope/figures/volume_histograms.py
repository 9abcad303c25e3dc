"""How often which counts occur: raw and in 8 bit, and of two channels together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from liscope.figures.style import BLUE, GREEN, ORANGE
from liscope.figures.volume_style import channel_title, line_colour

# From a light grey on: a bin of one voxel is told from an empty one.
FEW_TO_MANY = ListedColormap(colormaps["Greys"](np.linspace(0.18, 1, 256)), "few to many")
ENCLOSED = 0.8  # of a phase's voxels, by its contour


def normalisation_figure(
    counts: Mapping[str, xr.DataArray], scaled: Mapping[str, Mapping[str, xr.DataArray]]
) -> Figure:
    """Draw how often each number of counts, and each grey level, occurs; as Fig. 2.

    Parameters
    ----------
    counts
        Recorded counts by channel, of any shape; an EDS map and a SIMS map.
    scaled
        By the name of a normalisation, the same in levels 0 to 255 by channel; NaN: no value.
    """
    figure = Figure(figsize=(9.6, 2.5 * len(counts)), layout="constrained")
    axes = figure.subplots(len(counts), 1 + len(scaled), squeeze=False)
    for letter, row, (channel, raw) in zip("abcdef", axes, counts.items(), strict=False):
        _bars(row[0], raw, BLUE, "counts per pixel")
        row[0].set_title(f"{letter}1   {channel_title(channel)}, raw")
        row[0].set_ylabel("pixels")
        kinds = zip(row[1:], (ORANGE, GREEN, "#222222"), scaled.items(), strict=False)
        for number, (axis, colour, (name, images)) in enumerate(kinds, 2):
            _bars(axis, images[channel], colour, "grey level")
            none = float(images[channel].isnull().mean()) - float(raw.isnull().mean())
            told = f"; {100 * none:.0f} % without a value" if none > 0 else ""
            axis.set_title(f"{letter}{number}   {name}{told}")
    return figure


def _bars(axis: Axes, values: xr.DataArray, colour: str, label: str) -> None:
    finite = values.to_numpy()[np.isfinite(values.to_numpy())]
    most = 255 if label == "grey level" else int(finite.max(initial=1))
    width = max(1, -(-(most + 1) // 300))
    often, edges = np.histogram(finite, np.arange(-0.5, most + width + 0.5, width))
    axis.stairs(often, edges, color=colour, fill=True)
    axis.set_yscale("log", nonpositive="clip")
    axis.set(xlabel=label, ylim=(0.7, None), xlim=(edges[0], edges[-1]))


def joint_histogram_figure(
    histogram: xr.DataArray, by_phase: Mapping[str, xr.DataArray] | None = None
) -> Figure:
    """Draw how many voxels have which values of two channels, and each channel's own distribution.

    Parameters
    ----------
    histogram
        From :func:`liscope.volume.joint_histogram`: two dims named as the channels, their
        coordinates the middles of the bins; the second is drawn to the right.
    by_phase
        The same of each phase's voxels alone, by its name and in the same bins: a contour encloses
        four fifths of them.
    """
    figure = Figure(figsize=(5.6, 5.0), layout="constrained")
    axes = figure.subplot_mosaic(
        [["top", "."], ["joint", "side"]], width_ratios=[4, 1], height_ratios=[1, 4]
    )
    up, right = map(str, histogram.dims)
    y, x = (histogram[dim].to_numpy() for dim in (up, right))
    often = np.ma.masked_equal(histogram.to_numpy(), 0)
    drawn = axes["joint"].pcolormesh(x, y, often, norm=LogNorm(), cmap=FEW_TO_MANY, rasterized=True)
    handles = []
    for name, one in (by_phase or {}).items():
        colour = line_colour(name, list(by_phase or {}))
        enclose(axes["joint"], x, y, one.to_numpy(), colour)
        handles.append(Line2D([], [], color=colour, lw=1.6, label=name))
    axes["joint"].set(xlabel=_axis(histogram, right), ylabel=_axis(histogram, up))
    if handles:
        axes["joint"].legend(
            handles=handles, fontsize=7, frameon=False, loc="upper right",
            title=f"{100 * ENCLOSED:.0f} % of the voxels", title_fontsize=7,
        )  # fmt: skip
    _margins(axes["top"], axes["side"], x, y, histogram.to_numpy())
    figure.colorbar(
        drawn, ax=axes["joint"], label="voxels in a bin", location="bottom", aspect=40, pad=0.02
    )
    return figure


def _axis(histogram: xr.DataArray, dim: str) -> str:
    return f"{channel_title(dim)} / {histogram[dim].attrs.get('units', 'count')}"


def enclose(axis: Axes, x: np.ndarray, y: np.ndarray, often: np.ndarray, colour: str) -> None:
    """Draw the line within which the densest bins hold four fifths of all voxels."""
    from scipy.ndimage import gaussian_filter

    # Smoothed, else each lonely voxel has a ring; with empty bins around, else it stays open.
    smooth = np.pad(gaussian_filter(often.astype(float), 1.0), 1)
    x, y = (np.concatenate([[2 * a[0] - a[1]], a, [2 * a[-1] - a[-2]]]) for a in (x, y))
    if smooth.max() <= 0:
        return
    falling = np.sort(smooth.ravel())[::-1]
    level = falling[np.searchsorted(np.cumsum(falling), ENCLOSED * falling.sum())]
    if level < smooth.max():
        axis.contour(x, y, smooth, [level], colors=[colour], linewidths=1.6)


def _margins(top: Axes, side: Axes, x: np.ndarray, y: np.ndarray, often: np.ndarray) -> None:
    top.fill_between(x, often.sum(0), step="mid", color="#999999", lw=0)
    side.fill_betweenx(y, often.sum(1), step="mid", color="#999999", lw=0)
    top.set(yscale="log", xlim=(x[0], x[-1]))
    side.set(xscale="log", ylim=(y[0], y[-1]))
    top.tick_params(labelbottom=False, labelsize=7)
    side.tick_params(labelleft=False, labelsize=7)
    top.set_ylabel("voxels", fontsize=7)
    side.set_xlabel("voxels", fontsize=7)
