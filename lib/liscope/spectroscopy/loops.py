r"""Loop areas: one word, several numbers.

With :math:`I_\uparrow(V)` and :math:`I_\downarrow(V)` the current while the bias rises and falls,
and :math:`\hat I = \max|I - I_0|` the peak current without the amplifier's offset:

- *signed*, :math:`A = -\frac{1}{\hat I}\oint I\,dV
  = \frac{1}{\hat I}\int (I_\downarrow - I_\uparrow)\,dV`, in volt: positive where the
  loop runs counter-clockwise. A loop that is pinched, with lobes in opposite senses, cancels
  itself.
- *enclosed*, :math:`|A|`: "area enclosed by the loop and divided by the peak current magnitude".
- *positive* and *negative*: the part of :math:`A` at :math:`V > 0` and at :math:`V < 0`.
- *unsigned*, :math:`\frac{1}{\hat I}\int |I_\downarrow - I_\uparrow|\,dV`: nothing cancels, noise
  included; its pedestal is taken out, see :func:`loop_areas`.
- *dimensionless*: :math:`|A|` over the span of the bias.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# What a column is called, and how it is said.
DEFINITIONS = {
    "enclosed_V": "enclosed, |signed|",
    "signed_V": "signed",
    "unsigned_V": "unsigned",
    "positive_V": "at positive bias",
    "negative_V": "at negative bias",
    "dimensionless": "enclosed / span",
}


def branch_currents(loops: xr.Dataset) -> xr.Dataset:
    """Return the current on the way up and down at the same biases.

    Parameters
    ----------
    loops
        As :func:`liscope.spectroscopy.cycles` returns them.

    Returns
    -------
    ``bias`` (V), ``up`` and ``down`` (nA), all (curve, node): evenly spaced over the range that
    both ways share, with as many nodes as a way has points, and one more at zero where that lies
    inside. NaN for loops that are not complete.
    """
    bias, current = loops["bias"].to_numpy(), loops["current"].to_numpy()
    ways = [(loops["direction"] == sign).to_numpy() | loops["turn"].to_numpy() for sign in (1, -1)]
    ways = [way & np.isfinite(bias) for way in ways]
    low = np.max([np.where(way, bias, np.inf).min(1) for way in ways], axis=0)
    high = np.min([np.where(way, bias, -np.inf).max(1) for way in ways], axis=0)
    usable = loops["complete"].to_numpy() & (high > low)
    low, high = (np.where(usable, edge, np.nan) for edge in (low, high))
    number = max(5, int(np.median(ways[0].sum(1)))) if usable.any() else 5
    nodes = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, number)
    nodes = np.sort(np.append(nodes, np.clip(0, low, high)[:, None], axis=1), axis=1)
    up, down = (_interpolated(nodes, bias, current, way, usable) for way in ways)
    dims = ("curve", "node")
    return xr.Dataset(
        {
            "bias": (dims, nodes, {"units": "V"}),
            "up": (dims, up, {"units": "nA"}),
            "down": (dims, down, {"units": "nA"}),
        },
        coords=loops.drop_vars(["point"], errors="ignore").coords,
    )


def _interpolated(
    nodes: Floats, bias: Floats, current: Floats, way: NDArray[np.bool_], usable: NDArray[np.bool_]
) -> Floats:
    """Return the current of each row at its nodes, in one call for all rows.

    Each row's biases are moved to an interval of their own, 0 to 1 behind twice the row's number,
    so that all rows together are one rising axis.
    """
    low, width = nodes[:, :1], np.ptp(nodes, axis=1, keepdims=True)
    width = np.where(width > 0, width, 1)
    ahead = 2.0 * np.arange(len(bias))[:, None]
    used = way & usable[:, None]
    axis = (np.clip((bias - low) / width, -0.4, 1.4) + ahead)[used]
    order = np.argsort(axis, kind="stable")
    wanted = (nodes - low) / width + ahead
    found = np.full(nodes.shape, np.nan)
    if len(axis):
        found[usable] = np.interp(wanted[usable], axis[order], current[used][order])
    return found


def loop_areas(loops: xr.Dataset, noise: Floats | None = None) -> pd.DataFrame:
    r"""Return the areas of all loops, by every definition in this module's head.

    The noise of the two ways makes :math:`\int |I_\downarrow - I_\uparrow|` positive even where
    they agree. Here each difference counts with the sign that its neighbours have, three and four
    nodes away on both sides (nearer ones can share an interpolated point): where the loop is open
    that is its own sign; where noise alone opens it the signs are independent of the value, and it
    averages to nothing. No noise level needs to be known; noise that is alike in neighbouring
    points does leave some of the pedestal.

    Parameters
    ----------
    loops
        As :func:`liscope.spectroscopy.cycles` returns them.
    noise
        Of one point, nA (curve,), for ``error_V``; see :func:`liscope.spectroscopy.quality`.

    Returns
    -------
    One row a loop: ``curve``, ``cycle``, ``place`` and ``group`` if known, ``peak_nA``,
    ``offset_nA`` (mean of both ways at zero bias), ``span_V``, the areas by all definitions,
    ``pedestal_V`` (what was taken off the unsigned one), ``error_V`` (standard error of the
    enclosed one by noise), ``area_nAV`` (enclosed, not divided by the peak). NaN where a loop is
    not complete.
    """
    ways = branch_currents(loops)
    volts, opening = ways["bias"].to_numpy(), (ways["down"] - ways["up"]).to_numpy()
    offset = at_zero(volts, (ways["down"] + ways["up"]).to_numpy() / 2)
    current = loops["current"].to_numpy()
    peak = _largest(np.abs(current - np.nan_to_num(offset)[:, None]))
    peak = np.where((peak > 0) & loops["complete"].to_numpy(), peak, np.nan)
    signed = _closed_integral(loops["bias"].to_numpy(), current) / peak
    raw, unsigned = (
        np.trapezoid(values, volts, axis=1) / peak
        for values in (np.abs(opening), opening * _sign_of_neighbours(opening))
    )
    # On the other side of zero all steps are of no width.
    sides = [
        np.trapezoid(opening, side(volts, 0), axis=1) / peak for side in (np.maximum, np.minimum)
    ]
    table = _names(loops) | {
        "peak_nA": peak,
        "offset_nA": offset,
        "span_V": np.ptp(volts, axis=1),
        "enclosed_V": np.abs(signed),
        "signed_V": signed,
        "unsigned_V": unsigned,
        "pedestal_V": raw - unsigned,
        "positive_V": sides[0],
        "negative_V": sides[1],
        "dimensionless": np.abs(signed) / np.ptp(volts, axis=1),
        "error_V": _error(loops["bias"].to_numpy(), noise) / peak,
        "area_nAV": np.abs(signed) * peak,
    }
    return pd.DataFrame(table)


def _names(loops: xr.Dataset) -> dict[str, NDArray[np.generic]]:
    names = {"of_curve": "curve", "cycle": "cycle", "place": "place", "group": "group"}
    return {to: loops[name].to_numpy() for name, to in names.items() if name in loops.coords}


def _largest(values: Floats) -> Floats:
    return np.asarray(np.where(np.isfinite(values), values, -np.inf).max(axis=1))


def _closed_integral(bias: Floats, current: Floats) -> Floats:
    """Return minus the integral of I dV along each loop, closed by its last step, nA V."""
    total = np.nansum((current[:, 1:] + current[:, :-1]) / 2 * np.diff(bias, axis=1), axis=1)
    end = np.isfinite(bias).sum(axis=1) - 1, np.arange(len(bias))
    last_bias, last_current = bias[end[1], end[0]], current[end[1], end[0]]
    return np.asarray(-total - (current[:, 0] + last_current) / 2 * (bias[:, 0] - last_bias))


def _error(bias: Floats, noise: Floats | None) -> Floats:
    """Return the standard error of the closed integral by white noise, nA V."""
    if noise is None:
        return np.full(len(bias), np.nan)
    step = np.diff(bias, axis=1)
    weight = (np.pad(step, ((0, 0), (0, 1))) + np.pad(step, ((0, 0), (1, 0)))) / 2
    return np.asarray(noise * np.sqrt(np.nansum(weight**2, axis=1)))


def at_zero(volts: Floats, values: Floats) -> Floats:
    """Return the values at zero bias (curve,); NaN where zero lies outside of a loop."""
    row, at = np.arange(len(volts)), np.abs(np.nan_to_num(volts, nan=np.inf)).argmin(axis=1)
    return np.where(volts[row, at] == 0, values[row, at], np.nan)


def _sign_of_neighbours(opening: Floats) -> Floats:
    """Return the sign of the mean three and four nodes away; beyond the ends it is mirrored."""
    padded = np.pad(opening, ((0, 0), (4, 4)), mode="reflect")
    number = opening.shape[1]
    around = sum(padded[:, 4 + away : 4 + away + number] for away in (-4, -3, 3, 4))
    return np.asarray(np.sign(around))
