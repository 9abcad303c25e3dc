"""What a volume comes to: profiles from the surface inwards, fractions, sizes of particles."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from liscope.figures.style import BLUE, GREY, ORANGE
from liscope.figures.volume_style import band, colour_of, line_colour


def edge_profile_figure(
    profile: pd.DataFrame, model: pd.DataFrame | None = None, depth: float | None = None
) -> Figure:
    """Draw quantities against the distance from the particles' surface, and the fitted law.

    Parameters
    ----------
    profile
        One row a quantity and distance: ``quantity`` (what stands at the axis, with its unit),
        ``distance_um`` (positive inwards), ``value``, ``low`` and ``high``.
    model
        The same without an interval: ``quantity``, ``distance_um``, ``value``.
    depth
        Of the depletion, um; marked.
    """
    quantities = list(dict.fromkeys(profile["quantity"]))
    figure = Figure(figsize=(4.4 * len(quantities), 3.1), layout="constrained")
    for axis, name in zip(
        figure.subplots(1, len(quantities), squeeze=False)[0], quantities, strict=True
    ):
        part = profile[profile["quantity"] == name]
        band(axis, part["distance_um"], part, BLUE, "mean of all particles, 95 % band")
        if model is not None and (model["quantity"] == name).any():
            law = model[model["quantity"] == name]
            axis.plot(law["distance_um"], law["value"], "--", color=ORANGE, lw=1.4, label="fit")
        if depth is not None and np.isfinite(depth):
            axis.axvline(depth, color=GREY, lw=0.9, ls=":", label=f"depth {1e3 * depth:.0f} nm")
        axis.axvline(0, color=GREY, lw=0.6)
        axis.set(xlabel="distance from the surface / um (inwards)", ylabel=name)
        axis.legend(frameon=False, fontsize=7)
    return figure


def fraction_figure(fractions: pd.DataFrame, truth: pd.Series | None = None) -> Figure:
    """Draw each phase's share of the volume.

    Parameters
    ----------
    fractions
        From :func:`liscope.volume.fraction_table`: by phase ``fraction``, ``low``, ``high`` and,
        if there, ``inner``.
    truth
        Shares by phase, where they are known.
    """
    figure = Figure(figsize=(4.6, 3.1), layout="constrained")
    _bars(figure.subplots(), fractions, truth, [str(name) for name in fractions.index])
    return figure


def convergence_figure(early: pd.DataFrame) -> Figure:
    """Draw the shares of the volume that a milling stopped early would have given.

    Parameters
    ----------
    early
        From :func:`liscope.volume.convergence_table`: ``phase``, ``depth_um``, ``fraction``,
        ``low`` and ``high``.
    """
    table = early.reset_index()
    names = [str(name) for name in dict.fromkeys(table["phase"])]
    figure = Figure(figsize=(2.1 * len(names) + 0.3, 2.4), layout="constrained")
    axes = figure.subplots(1, len(names), squeeze=False, sharex=True)[0]
    for axis, name in zip(axes, names, strict=True):
        part = table[table["phase"] == name].rename(columns={"fraction": "value"})
        shares = 100 * part[["value", "low", "high"]]
        band(axis, part["depth_um"], shares, line_colour(name), name)
        axis.axhline(shares["value"].iloc[-1], color=GREY, lw=0.7, ls="--")
        axis.set(title=name, xlabel="depth milled / um", ylim=(0, None))
    axes[0].set_ylabel("share of the volume / %")
    return figure


def _bars(axis: Axes, table: pd.DataFrame, truth: pd.Series | None, names: list[str]) -> None:
    value = 100 * table["fraction"].to_numpy(float)
    ends = np.nan_to_num(
        [value - 100 * table["low"].to_numpy(float), 100 * table["high"].to_numpy(float) - value]
    )
    place = np.arange(len(names))
    colours = [colour_of(name, names) for name in names]
    axis.bar(place, value, 0.7, color=colours, edgecolor=GREY, lw=0.6)
    axis.errorbar(place, value, np.maximum(ends, 0), fmt="none", ecolor=ORANGE, lw=1.4, capsize=3,
                  label="95 %")  # fmt: skip
    if "inner" in table:
        axis.plot(place, 100 * table["inner"], "D", mfc="white", mec="black", ms=4,
                  label="without the rim")  # fmt: skip
    if truth is not None:
        axis.plot(place, 100 * truth.reindex(names), "_", color="black", ms=16, label="truth")
    axis.set(ylabel="share of the volume / %", ylim=(0, None))
    axis.set_xticks(place, names, rotation=20)
    axis.legend(frameon=False, fontsize=7)


def particle_size_figure(distributions: dict[str, pd.DataFrame], by: str = "by_volume") -> Figure:
    """Draw the diameters of whole particles of each phase, with intervals and the log-normal law.

    Parameters
    ----------
    distributions
        By phase, from :func:`liscope.volume.size_distribution`: ``from_um``, ``to_um``, the column
        ``by`` with ``_low`` and ``_high``, and ``law`` (of the shares by number).
    by
        ``by_number`` or ``by_volume``.
    """
    figure = Figure(figsize=(4.2 * len(distributions), 2.9), layout="constrained")
    axes = figure.subplots(1, len(distributions), squeeze=False)[0]
    names = list(distributions)
    for axis, (name, bins) in zip(axes, distributions.items(), strict=True):
        middle = (bins["from_um"] + bins["to_um"]) / 2
        width = bins["to_um"] - bins["from_um"]
        axis.bar(middle, 100 * bins[by], width, color=colour_of(name, names), alpha=0.45, lw=0)
        ends = [bins[by] - bins[f"{by}_low"], bins[f"{by}_high"] - bins[by]]
        axis.errorbar(middle, 100 * bins[by], 100 * np.maximum(np.nan_to_num(ends), 0), fmt="none",
                      ecolor="black", lw=0.9, capsize=2, label="95 %")  # fmt: skip
        if by == "by_number" and "law" in bins:
            axis.plot(middle, 100 * bins["law"], "--", color=ORANGE, lw=1.4, label="log-normal law")
        axis.set(
            xlabel="diameter of a sphere of equal volume / um", title=f"{name}, whole particles"
        )
        axis.set_ylabel(f"share {by.replace('_', ' ')} / %")
        axis.legend(frameon=False, fontsize=7)
    return figure
