"""Displacement current: what a capacitance adds to a loop, told by its proportionality to the rate.

A passive film carries no current at zero bias, however much its resistance has changed: there the
way up and the way down meet. What still parts them is displacement current C dV/dt. Its half gap
grows in proportion to the sweep rate, so a straight line through the gaps at several rates has the
slope C and passes through zero. A gap that is left at rest (the line's intercept) is something
else, such as a battery that the sweep has charged.

A slow amplifier delays the current by a fixed time, which parts the two ways in proportion to rate
and conductance: it cannot be told from a negative capacitance here.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import xarray as xr
from scipy import stats

from liscope.errors import DataError
from liscope.history import noted
from liscope.spectroscopy.branches import speed
from liscope.spectroscopy.groups import mean_of_places
from liscope.spectroscopy.loops import at_zero, branch_currents

PICOFARAD = 1e-3  # nA at 1 V/s
FEWEST_RATES = 3  # a line through two points always fits


@dataclass(frozen=True)
class Displacement:
    """A stray capacitance, pF, and the half gap that is left at rest, nA; with 95 % intervals.

    The intervals are of the mean over places (Student); infinite where there is one place only.
    """

    capacitance: float
    capacitance_interval: tuple[float, float]
    rest: float
    rest_interval: tuple[float, float]
    places: int


def zero_bias_gaps(loops: xr.Dataset) -> pd.DataFrame:
    """Return half the gap between the way up and the way down at zero bias.

    Parameters
    ----------
    loops
        As :func:`liscope.spectroscopy.cycles` returns them, with ``time`` or ``sweep_rate``.

    Returns
    -------
    One row a complete loop: ``place``, ``speed_V_per_s``, ``gap_nA``.

    Raises
    ------
    DataError
        If the speed of the sweep is not known.
    """
    ways = branch_currents(loops)
    half = ((ways["up"] - ways["down"]) / 2).to_numpy()
    gaps = pd.DataFrame(
        {
            "place": loops["place"].to_numpy(),
            "speed_V_per_s": speed(loops),
            "gap_nA": at_zero(ways["bias"].to_numpy(), half),
        }
    )
    return gaps.dropna().reset_index(drop=True)


def displacement(gaps: pd.DataFrame) -> Displacement:
    """Fit the gaps of each place by a line in the sweep rate, and average over the places.

    Parameters
    ----------
    gaps
        As :func:`zero_bias_gaps` returns them, of good curves.

    Raises
    ------
    DataError
        If no place has been swept at three rates or more.
    """
    lines = []
    for _, part in gaps.groupby("place"):
        if part["speed_V_per_s"].round(6).nunique() >= FEWEST_RATES:
            fit = stats.linregress(part["speed_V_per_s"], part["gap_nA"])
            lines.append((fit.slope / PICOFARAD, fit.intercept))
    if not lines:
        raise DataError(
            f"no place has been swept at {FEWEST_RATES} rates or more: displacement current cannot "
            "be separated"
        )
    slopes, rests = (pd.Series(values) for values in zip(*lines, strict=True))
    slope, slope_low, slope_high = mean_of_places(slopes)
    rest, rest_low, rest_high = mean_of_places(rests)
    return Displacement(slope, (slope_low, slope_high), rest, (rest_low, rest_high), len(lines))


def without_displacement(loops: xr.Dataset, capacitance: float) -> xr.Dataset:
    """Return the loops with C dV/dt taken off the current.

    Parameters
    ----------
    loops
        As :func:`liscope.spectroscopy.cycles` returns them, with ``time`` or ``sweep_rate``.
    capacitance
        pF.
    """
    slope = loops["direction"] * xr.DataArray(speed(loops), dims="curve")
    current = loops["current"] - PICOFARAD * capacitance * slope
    step = f"displacement current of {capacitance:.4g} pF subtracted"
    return loops.assign(current=noted(current, loops["current"], step))
