"""What a volume comes to: profiles from the surface inwards, fractions, sizes of particles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from liscope.figures.style import BLUE, GREY, ORANGE
from liscope.figures.volume_style import band, channel_title, colour_of, line_colour

if TYPE_CHECKING:
    from liscope.volume.depletion import Depletion


def edge_profile_figure(
    profile: pd.DataFrame,
    lost: Depletion | None = None,
    ion: str = "6Li+",
    depth: float | None = None,
) -> Figure:
    """Draw quantities against the distance from the particles' surface, and the fitted law.

    Parameters
    ----------
    profile
        From :func:`liscope.volume.edge_table`: one row a quantity and distance, with ``quantity``
        (what stands at the axis, with its unit), ``distance_um`` (positive inwards), ``value``,
        ``low`` and ``high``. With columns ``product``, ``product_low`` and ``product_high`` these
        are a further quantity; ``attrs["product"]`` names it with its unit.
    lost
        From :func:`liscope.volume.depletion`: its law is drawn over the counts of the ion, with the
        level that these have farthest inside. No law where it cannot be told.
    ion
        Of which ``lost`` tells.
    depth
        Of the depletion, um, where there is no ``lost``; marked.
    """
    profile = _with_product(profile)
    quantities = list(dict.fromkeys(profile["quantity"]))
    depth = lost.depth / 1e3 if lost is not None else depth
    figure, axes = _panels(len(quantities))
    for axis, name in zip(axes, quantities, strict=True):
        part = profile[profile["quantity"] == name]
        band(axis, part["distance_um"], part, BLUE, "mean of all particles, 95 % band")
        if lost is not None and np.isfinite(lost.depth) and name == f"{ion} / counts":
            law = law_of(lost, part["distance_um"].to_numpy(float), part["value"].to_numpy(float))
            axis.plot(*law, "--", color=ORANGE, lw=1.6, label=_told(lost))
        if depth is not None and np.isfinite(depth):
            axis.axvline(depth, color=GREY, lw=0.9, ls=":", label=f"depth {1e3 * depth:.0f} nm")
        axis.axvline(0, color=GREY, lw=0.6)
        axis.set(xlabel="distance from the surface / um (inwards)", ylabel=_written(str(name)))
    lines = [line for axis in axes for line in axis.get_lines()]
    told = {str(line.get_label()): line for line in lines if str(line.get_label())[0] != "_"}
    figure.legend(handles=list(told.values()), loc="outside lower left", ncols=3, frameon=False,
                  fontsize=8)  # fmt: skip
    return figure


def _with_product(profile: pd.DataFrame) -> pd.DataFrame:
    """Return the profile with rows for the product in place of its columns."""
    columns = {"product": "value", "product_low": "low", "product_high": "high"}
    if not set(columns) <= set(profile):
        return profile
    product = profile[["distance_um", *columns]].drop_duplicates("distance_um")
    name = str(profile.attrs.get("product", "product / counts^2"))
    return pd.concat(
        [profile.drop(columns=list(columns)), product.rename(columns=columns).assign(quantity=name)]
    )


def _written(quantity: str) -> str:
    """Return how a quantity stands at an axis."""
    words = [channel_title(word.replace("^2", "$^2$")) for word in quantity.split(" ")]
    return " ".join(words)


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    """Return a figure with so many panels, at most three in a row, and four in two rows."""
    columns = 2 if count == 4 else min(count, 3)
    rows = -(-count // columns)
    figure = Figure(figsize=(9.6 if columns > 1 else 4.8, 2.7 * rows + 0.3), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axis in axes[count:]:
        axis.remove()
    return figure, axes[:count]


def law_of(
    lost: Depletion, distance: np.ndarray, value: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return distances inside a particle, um, and the counts by the fitted law there.

    The fit leaves the level free; here it is that of the farther half of the distances.
    """
    from liscope.volume.depletion import RIM  # only here, as it compiles kernels

    inside = np.isfinite(value) & (distance > RIM / 1e3)
    if not inside.any():
        return np.array([]), np.array([])
    shape = 1 - lost.amplitude * np.exp(-1e3 * distance / lost.depth)
    far = inside & (distance >= np.median(distance[inside]))
    fine = np.linspace(RIM / 1e3, distance[inside].max(), 100)
    level = value[far].sum() / shape[far].sum()
    return fine, level * (1 - lost.amplitude * np.exp(-1e3 * fine / lost.depth))


def _told(lost: Depletion) -> str:
    return (
        f"fit: depth {lost.depth:.0f} nm ({lost.depth_low:.0f} to {lost.depth_high:.0f}, 95 %), "
        f"{100 * lost.amplitude:.0f} % lost at the surface"
    )


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
        ends = np.array([bins[by] - bins[f"{by}_low"], bins[f"{by}_high"] - bins[by]])
        told = np.isfinite(ends).all(0)
        if told.any():
            axis.errorbar(middle[told], 100 * bins[by][told], 100 * np.maximum(ends[:, told], 0),
                          fmt="none", ecolor="black", lw=0.9, capsize=2, label="95 %")  # fmt: skip
        if by == "by_number" and "law" in bins:
            axis.plot(middle, 100 * bins["law"], "--", color=ORANGE, lw=1.4, label="log-normal law")
        axis.set(
            xlabel="diameter of a sphere of equal volume / um", title=f"{name}, whole particles"
        )
        axis.set_ylabel(f"share {by.replace('_', ' ')} / %")
        if axis.get_legend_handles_labels()[0]:
            axis.legend(frameon=False, fontsize=7)
    return figure
