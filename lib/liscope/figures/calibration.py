"""Whether the camera is known, and whether stated reliabilities hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from liscope import statistics
from liscope.figures.patterns import CRYSTALS
from liscope.figures.style import BLUE, GREY
from liscope.grains.shares import of_estimate

if TYPE_CHECKING:
    from liscope.diffraction.calibration import RingFit

NAMED = 0.025  # share of all rings' intensity from which a ring is named
APART = 2.5  # pixels between named rings
BINS = 10


def calibration_figure(total: xr.DataArray, fit: RingFit) -> Figure:
    """Draw the sum of patterns in polar coordinates with the rings, and how far each is off.

    Parameters
    ----------
    total
        (azimuth, radius) in degrees and pixels, from
        :func:`liscope.diffraction.calibration.spot_sum` or ``ring_sum``.
    fit
        From :func:`liscope.diffraction.calibration.fit_rings`.
    """
    rings = fit.rings[fit.rings["weight"] > 0]
    names = dict(zip(dict.fromkeys(rings["crystal"]), CRYSTALS, strict=False))
    figure = Figure(figsize=(7.4, 4.8), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    _draw_sum(above, total)
    azimuth = np.radians(total["azimuth"].to_numpy())
    seen = [
        _places(fit, c, r, azimuth) for c, r in zip(rings["crystal"], rings["radius"], strict=True)
    ]
    rings = rings.assign(at=np.mean(seen, axis=1))
    for place, crystal in zip(seen, rings["crystal"], strict=True):
        above.plot(place, np.degrees(azimuth), color=names[crystal], lw=0.7, ls=(0, (6, 6)))
    for crystal, own in rings.groupby("crystal", sort=False):
        below.errorbar(
            own["at"], own["off"], 1.96 * own["off_error"], fmt="o", color=names[crystal], ms=4,
            lw=1, label=str(crystal),
        )  # fmt: skip
    _name_rings(below, rings)
    below.axhline(0, color=GREY, lw=0.8, ls=":")
    below.set(xlabel="radius / pixel", ylabel="off the fit / pixel")
    above.set_xlim(float(total["radius"][0]), float(rings["at"].max()) + 2)
    below.margins(y=0.25)
    below.legend(frameon=False, ncols=len(names), loc="lower right")
    above.set_title(
        f"pixel {10 * fit.pixel.value:.4f} ± {10 * fit.pixel.error:.4f} 1/nm, "
        f"ellipticity {100 * fit.ellipticity:.2f} %, residual {fit.residual:.2f} pixel"
    )
    return figure


def _draw_sum(axis: Axes, total: xr.DataArray) -> None:
    shown = total.transpose("azimuth", "radius")
    norm = PowerNorm(0.5, 0, float(shown.quantile(0.998)), clip=True)
    axis.pcolormesh(shown["radius"], shown["azimuth"], shown, cmap="gray_r", norm=norm)
    axis.set(ylabel="azimuth / degree", yticks=range(0, 361, 90))


def _places(fit: RingFit, crystal: str, radius: float, azimuth: np.ndarray) -> np.ndarray:
    """Return the radius in pixels of a ring along azimuths (radians), as fitted."""
    grown = 1 + (fit.strain[crystal].value if crystal in fit.strain else 0.0)
    bent = fit.along.value * np.cos(2 * azimuth) + fit.across.value * np.sin(2 * azimuth)
    shift = fit.offset[0].value * np.cos(azimuth) + fit.offset[1].value * np.sin(azimuth)
    return np.asarray(radius * grown / fit.pixel.value * (1 + bent / 2) + shift)


def _name_rings(axis: Axes, rings: pd.DataFrame) -> None:
    """Name the strong rings that leave room for each other's names."""
    last = -np.inf
    for _, ring in rings.sort_values("at").iterrows():
        if ring["weight"] > NAMED and ring["at"] > last + APART:
            last = ring["at"]
            axis.annotate(
                ring["hkl"].replace(" ", ""), (ring["at"], ring["off"]), (0, 9),
                textcoords="offset points", ha="center", fontsize=7,
            )  # fmt: skip


def reliability_figure(stated: xr.DataArray, right: xr.DataArray) -> Figure:
    """Draw how often pixels are right of which a reliability was stated, beside how many there are.

    Intervals (95 %) are from blocks of the map, since neighbouring pixels are right together.

    Parameters
    ----------
    stated
        Reliability (y, x) from 0 to 1; NaN where nothing is stated.
    right
        (y, x), whether the orientation, or the phase, is right.
    """
    figure = Figure(figsize=(4.2, 4.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    value = stated.transpose("y", "x").to_numpy().astype(float)
    truth = right.transpose("y", "x").to_numpy().astype(float)
    edges = np.linspace(0, 1, BINS + 1)
    group = np.where(np.isfinite(value), np.clip(np.digitize(value, edges) - 1, 0, BINS - 1), -1)
    for number in range(BINS):
        inside = group == number
        if inside.any():
            found = statistics.mean(truth, inside)
            share = of_estimate(found, found.freedom + 1)
            at = float(value[inside].mean())
            above.plot([at, at], [share.low, share.high], color=BLUE, lw=1.4)
            above.plot(at, share.value, "o", color=BLUE, ms=5)
    above.plot([0, 1], [0, 1], color=GREY, lw=0.8, ls=":")
    above.set(ylabel="share that is right", ylim=(-0.03, 1.03), xlim=(-0.02, 1.02))
    above.set_aspect("auto")
    below.hist(value[np.isfinite(value)], edges, color=BLUE, alpha=0.4)
    below.set(xlabel="stated reliability", ylabel="pixels")
    return figure
