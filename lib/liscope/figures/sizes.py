"""Distributions of grain sizes, by number and by area, with what a map cannot show of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from liscope.figures.style import BLUE, GREEN, GREY, ORANGE
from liscope.grains.sizes import LogNormal, Sizes

WAYS = {"by_number": "by number", "by_area": "by area"}
OF_MAPS = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9")  # in the order of the maps


def size_figure(
    sizes: Mapping[str, Sizes],
    distributions: Mapping[str, pd.DataFrame],
    numbers: Mapping[str, pd.DataFrame],
) -> Figure:
    """Draw the distributions of grain sizes of each map, with the log-normal law and the mode.

    What is grey cannot be seen: grains of fewer pixels than the segmentation keeps.

    Parameters
    ----------
    sizes, distributions, numbers
        Of each map, from :func:`liscope.grains.sizes_of`, :func:`liscope.grains.size_distribution`
        and :func:`liscope.grains.size_table`.
    """
    figure = Figure(figsize=(7.6, 0.6 + 2.5 * len(sizes)), layout="constrained")
    axes = figure.subplots(len(sizes), 2, squeeze=False, sharex=True, sharey="col")
    for row, name in zip(axes, sizes, strict=True):
        for axis, way in zip(row, WAYS, strict=True):
            draw_sizes(axis, sizes[name], distributions[name], numbers[name], way, BLUE)
            axis.set_title(f"{name}: {sizes[name].phase} grains {WAYS[way]}", pad=18)
        _limits(row[0], sizes[name])
        row[0].set_ylabel("share of grains")
        row[1].set_ylabel("share of area")
    handles, told = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, told, loc="outside lower center", ncols=3, frameon=False)
    for axis in axes[-1]:
        axis.set_xlabel("diameter / nm")
    return figure


def draw_sizes(
    axis: Axes, sizes: Sizes, bins: pd.DataFrame, numbers: pd.DataFrame, way: str, colour: str
) -> None:
    """Draw one distribution: bars with 95 % intervals, the law, and the mode with its interval."""
    width = bins["to_nm"] - bins["from_nm"]
    axis.bar(bins["from_nm"], bins[way], width, align="edge", color=colour, alpha=0.3)
    ends = [bins[way] - bins[f"{way}_low"], bins[f"{way}_high"] - bins[way]]
    middle = (bins["from_nm"] + bins["to_nm"]) / 2
    seen = (bins[way] > 0).to_numpy()
    axis.errorbar(
        middle[seen],
        bins[way][seen],
        [end[seen] for end in ends],
        fmt="none",
        ecolor=colour,
        lw=0.8,
    )
    diameter = np.linspace(sizes.floor, float(bins["to_nm"].max()), 200)
    axis.plot(
        diameter, law(numbers, way, sizes.floor, diameter) * float(width.iloc[0]),
        color="black", lw=1, label="log-normal law",
    )  # fmt: skip
    axis.axvspan(0, sizes.floor, color="#dddddd", lw=0, label=f"below {sizes.floor:.1f} nm: unseen")
    mark_mode(axis, numbers, way, 0.94, "black", "mode, 95 %")
    axis.set_xlim(left=0)
    axis.set_ylim(bottom=0, top=1.25 * float(bins[f"{way}_high"].fillna(bins[way]).max()))
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def law(numbers: pd.DataFrame, way: str, floor: float, diameter: np.ndarray) -> np.ndarray:
    """Return the density (1/nm) of the log-normal law, as part of what it has above the floor.

    By area, the law of the same spread s has the median exp(2 ln2 s) times as large (Hatch and
    Choate, J. Franklin Inst. 207, 369 (1929)).
    """
    spread = float(numbers["value"]["geometric standard deviation"])
    middle = float(numbers["value"]["median of log-normal law"])
    if way == "by_area":
        middle *= float(np.exp(2 * np.log(spread) ** 2))
    width, unseen = np.log(spread), LogNormal(middle, spread).below(floor)
    density = np.exp(-((np.log(diameter / middle) / width) ** 2) / 2) / np.sqrt(2 * np.pi) / width
    return np.asarray(density / diameter / (1 - unseen))


def mark_mode(
    axis: Axes, numbers: pd.DataFrame, way: str, height: float, colour: str, label: str
) -> None:
    """Mark the mode of the density with its interval, at a share of the axis' height."""
    value, low, high = mode_of(numbers, way)
    place = axis.get_xaxis_transform()
    axis.plot([low, high], [height] * 2, color=colour, lw=1.6, transform=place)
    axis.plot(value, height, "o", color=colour, ms=5, transform=place, label=label)


def mode_of(numbers: pd.DataFrame, way: str) -> tuple[float, float, float]:
    """Return the mode of the density with the ends of its interval, nm."""
    row = f"mode of density {WAYS[way]}"
    return float(numbers["value"][row]), float(numbers["low"][row]), float(numbers["high"][row])


def told_mode(numbers: pd.DataFrame, way: str) -> str:
    """Return the mode in words; without an interval where there is none, or it is but a bound."""
    value, low, high = mode_of(numbers, way)
    if not np.isfinite(low):
        return f"{value:.0f} nm (interval unknown)"
    return f"at most {high:.0f} nm" if low == 0 else f"{value:.0f} nm ({low:.0f} to {high:.0f})"


def _limits(axis: Axes, sizes: Sizes) -> None:
    """Tell step and number of grains, and how many of them the edge cuts."""
    told = axis.text(
        0, 1.04, f"{sizes.diameter.size} whole ones, {sizes.cut} cut by the edge "
        f"({100 * sizes.cut_share:.0f} % of the area); step {sizes.step:.3g} nm",
        transform=axis.transAxes, fontsize=8, color=GREY,
    )  # fmt: skip
    told.set_in_layout(False)  # it may reach over the gap, which is empty at its height


def draw_together(
    axis: Axes,
    sizes: Mapping[str, Sizes],
    distributions: Mapping[str, pd.DataFrame],
    numbers: Mapping[str, pd.DataFrame],
    way: str = "by_number",
) -> None:
    """Draw the distributions of several maps into one: steps, laws, and modes with intervals."""
    for i, (name, bins) in enumerate(distributions.items()):
        colour = OF_MAPS[i % len(OF_MAPS)]
        width = float(bins["to_nm"].iloc[0] - bins["from_nm"].iloc[0])
        edges = [*bins["from_nm"], bins["to_nm"].iloc[-1]]
        axis.stairs(bins[way] / width, edges, color=colour, fill=True, alpha=0.2)
        diameter = np.linspace(sizes[name].floor, edges[-1], 200)
        density = law(numbers[name], way, sizes[name].floor, diameter)
        axis.plot(diameter, density, color=colour, lw=1.4)
        told = f"{name}: mode {told_mode(numbers[name], way)}"
        mark_mode(axis, numbers[name], way, 0.96 - 0.06 * i, colour, told)
    floor = max(one.floor for one in sizes.values())
    axis.axvspan(0, floor, color="#dddddd", lw=0, zorder=0, label=f"below {floor:.1f} nm: unseen")
    axis.set(xlabel="diameter / nm", ylabel="share of grains / (1/nm)")
    axis.set_xlim(left=0)
    axis.set_ylim(0, axis.get_ylim()[1] * (1.1 + 0.08 * len(sizes)))
    axis.legend(frameon=False, fontsize=8, loc="upper right")
