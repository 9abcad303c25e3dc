"""The order in a sweep: turning points, whole cycles, and the way up and down, from the bias alone.

A sweep may start anywhere (at zero, at an end), go once or many times around, and its bias may be
measured, with noise. Nothing is taken from file names or from a number of points a branch.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError
from liscope.units import to_units

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

UNITS = {"bias": "V", "current": "nA", "time": "s"}
COORDINATES = ("of_curve", "cycle", "complete", "place", "group")
NOISE_REACH = 6.0  # standard deviations of the bias by which a sweep must come back to have turned
FEWEST_POINTS = 4
GAP = 2.0  # steps of the bias by which the two ends of a loop may miss each other


def cycles(curves: xr.Dataset) -> xr.Dataset:
    """Cut curves into whole cycles of their bias: one loop a row.

    A cycle ends where the bias comes back to where the sweep started, in the direction in which it
    started. What follows the last whole cycle is left out; a curve without any is kept as it is,
    as not complete. Curves of fewer than four points are left out, and counted in the attribute
    ``empty_curves``.

    Parameters
    ----------
    curves
        ``bias`` and ``current`` (curve, point) with units, in the order of acquisition; ``time``
        (curve, point) if known. NaN where there is no point. Coordinates of each curve are kept.

    Returns
    -------
    Dataset of the same form, in V, nA and s, a row a cycle, with these coordinates of each:

    - ``of_curve`` and ``cycle``: the curve's name in the file (else its number), and the number of
      the cycle in it;
    - ``complete``: whether the loop closes;
    - ``place``: as given; else curves at one ``x, y`` are one place; else each is its own.

    and ``direction`` (curve, point): 1 up, -1 down, 0 without a point; ``turn`` (curve, point):
    where the direction changes, a point of both.

    Raises
    ------
    DataError
        If bias or current is missing or without units, or no curve has four points.
    """
    arrays = _compact(curves)
    some = np.isfinite(arrays["bias"]).sum(axis=1) >= FEWEST_POINTS
    if not some.any():
        raise DataError(f"no curve has {FEWEST_POINTS} points with bias and current")
    curves = curves.assign_coords(curve=curves["curve"]).isel(curve=np.flatnonzero(some))
    arrays = {name: values[some] for name, values in arrays.items()}
    bias = arrays["bias"]
    turn, start = turning_points(bias)
    turns = np.cumsum(turn.astype(int), axis=1)
    rows, begin, end, complete = _bounds(bias, turns, start)
    at = begin[:, None] + np.arange(int((end - begin).max()) + 1)
    inside = at <= end[:, None]
    at = np.minimum(at, bias.shape[1] - 1)
    direction = start[:, None] * np.where(turns % 2 == 0, 1, -1)
    dims = ("curve", "point")
    taken = {
        name: (dims, np.where(inside, values[rows[:, None], at], np.nan), {"units": UNITS[name]})
        for name, values in arrays.items()
    }
    step = f"cut into {len(rows)} loops, {int((~some).sum())} empty curves left out"
    history = [line for line in (curves.attrs.get("history", ""), step) if line]
    loops = xr.Dataset(
        taken
        | {
            "direction": (dims, np.where(inside, direction[rows[:, None], at], 0)),
            "turn": (dims, inside & turn[rows[:, None], at]),
        },
        attrs=curves.attrs | {"empty_curves": int((~some).sum()), "history": "\n".join(history)},
    )
    return _with_coordinates(loops, curves, rows, complete)


def _compact(curves: xr.Dataset) -> dict[str, Floats]:
    """Return bias (V), current (nA) and time (s) without points that lack bias or current."""
    missing = {"bias", "current"} - set(curves.data_vars)
    if missing:
        raise DataError(f"curves have no '{sorted(missing)[0]}'; they need 'bias' and 'current'")
    arrays = {
        name: to_units(curves[name], units).transpose("curve", "point").to_numpy().astype(float)
        for name, units in UNITS.items()
        if name in curves
    }
    valid = np.isfinite(arrays["bias"]) & np.isfinite(arrays["current"])
    order = np.argsort(~valid, axis=1, kind="stable")[:, : max(valid.sum(1).max(), 1)]
    kept = np.take_along_axis(valid, order, 1)
    return {
        name: np.where(kept, np.take_along_axis(values, order, 1), np.nan)
        for name, values in arrays.items()
    }


def turning_points(bias: Floats) -> tuple[Flags, NDArray[np.int_]]:
    """Return where the bias turns (curve, point), and the direction (curve,) in which it starts.

    A turn counts once the bias has come back by more than its noise, which second differences
    show: in a steady sweep they hold nothing else.
    """
    count, points = bias.shape
    reach = NOISE_REACH * _bias_noise(bias) + 1e-9 * np.ptp(np.nan_to_num(bias), axis=1)
    turn = np.zeros(bias.shape, bool)
    start, way = np.zeros(count, int), np.zeros(count, int)
    extreme, at = bias[:, 0].copy(), np.zeros(count, int)
    for i in range(1, points):
        beyond = bias[:, i] - extreme
        begins = (way == 0) & (np.abs(beyond) > reach)
        start[begins] = way[begins] = np.sign(beyond[begins]).astype(int)
        turns = (way != 0) & (-way * beyond > reach)
        turn[turns, at[turns]] = True
        way[turns] *= -1
        farther = (way * beyond > 0) | turns
        extreme[farther], at[farther] = bias[farther, i], i
    return turn, start


def _bias_noise(bias: Floats) -> Floats:
    """Return the standard deviation (curve,) of a measured bias; 0 for a calculated one."""
    second = np.abs(np.diff(bias, 2, axis=1))
    return np.asarray(1.4826 * np.nanmedian(second, axis=1) / np.sqrt(6))


def _bounds(
    bias: Floats, turns: NDArray[np.intp], start: NDArray[np.int_]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], Flags]:
    """Return of each cycle its curve, first and last point, and whether it is complete."""
    count, points = bias.shape
    curve = np.arange(count)
    last = np.isfinite(bias).sum(axis=1) - 1
    ahead = start[:, None] * (bias - bias[:, :1])
    slack = NOISE_REACH * _bias_noise(bias) + 1e-9
    parts = []
    begin = np.zeros(count, int)
    for number in range(1, int(turns.max()) // 2 + 1):
        back = (turns >= 2 * number) & (ahead >= -slack[:, None])
        end = np.where(back.any(axis=1), back.argmax(axis=1), points)
        whole = (end < points) & (end > begin)
        parts.append(np.stack([curve, begin, end, np.ones(count, int)], axis=1)[whole])
        begin = np.where(whole, end, begin)
    step = np.nanmedian(np.abs(np.diff(bias, axis=1)), axis=1)
    gap = np.abs(ahead[curve, last])
    turned = turns[curve, last] > turns[curve, begin]
    closes = turned & (gap <= np.maximum(GAP * step, 2 * slack))
    rest = (begin == 0) | (closes & (last - begin > 2))
    parts.append(np.stack([curve, begin, last, closes], axis=1)[rest])
    table = np.concatenate(parts)
    table = table[np.lexsort((table[:, 1], table[:, 0]))]
    return table[:, 0], table[:, 1], table[:, 2], table[:, 3].astype(bool)


def _with_coordinates(
    loops: xr.Dataset, curves: xr.Dataset, rows: NDArray[np.intp], complete: Flags
) -> xr.Dataset:
    kept = {
        name: ("curve", one.to_numpy()[rows], one.attrs)
        for name, one in curves.coords.items()
        if one.dims == ("curve",) and name != "curve"
    }
    first = np.flatnonzero(np.diff(rows, prepend=-1))
    counted = np.arange(len(rows)) - np.repeat(first, np.diff(np.append(first, len(rows))))
    return loops.assign_coords(
        kept
        | {
            "place": ("curve", _places(curves)[rows]),
            "of_curve": ("curve", curves["curve"].to_numpy()[rows]),
            "cycle": ("curve", counted),
            "complete": ("curve", complete),
        }
    )


def _places(curves: xr.Dataset) -> NDArray[np.generic]:
    if "place" in curves.coords:
        return np.asarray(curves["place"].to_numpy())
    if {"x", "y"} <= set(curves.coords):
        where = np.stack([curves["x"].to_numpy(), curves["y"].to_numpy()], axis=1)
        if np.isfinite(where).all():
            return np.asarray(np.unique(where, axis=0, return_inverse=True)[1].ravel())
    return np.arange(curves.sizes["curve"])


def merge(loops: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Return loops from several files as one, each file a group of that name and places of its own.

    Parameters
    ----------
    loops
        As :func:`cycles` returns them, by the name of their group.
    """
    parts = [
        one.drop_vars(set(one.coords) - set(COORDINATES)).assign_coords(
            group=("curve", np.full(one.sizes["curve"], name)),
            place=("curve", [f"{name} {place}" for place in one["place"].to_numpy()]),
            curve=[f"{name} {curve}" for curve in one["curve"].to_numpy()],
            point=np.arange(one.sizes["point"]),  # so that the shorter one is padded
        )
        for name, one in loops.items()
    ]
    return xr.concat(
        parts, "curve", join="outer", combine_attrs="drop_conflicts",
        fill_value={"direction": 0, "turn": False} | dict.fromkeys(UNITS, np.nan),
    ).drop_vars("point")  # fmt: skip


def swept_at(curves: xr.Dataset, rate: float) -> xr.Dataset:
    """Return curves swept at ``rate`` cycles a second, Hz, whatever their file says of time."""
    step = f"sweep rate of {rate:g} Hz given"
    history = [line for line in (curves.attrs.get("history", ""), step) if line]
    bare = curves.drop_vars(["time", "sweep_rate"], errors="ignore")
    return bare.assign_attrs(sweep_rate=rate, history="\n".join(history))


def sweep_rates(loops: xr.Dataset) -> Floats:
    """Return how often each loop goes around in a second, Hz (curve,).

    From ``time``, NaN for a loop that is not complete; else from ``sweep_rate``; NaN where neither
    is known.
    """
    if _timed(loops):
        period = (loops["time"].max("point") - loops["time"].min("point")).to_numpy()
        return 1 / np.where(loops["complete"].to_numpy() & (period > 0), period, np.nan)
    if "sweep_rate" in loops.coords:
        return np.asarray(to_units(loops["sweep_rate"], "Hz").to_numpy(), float)
    return np.full(loops.sizes["curve"], float(loops.attrs.get("sweep_rate", np.nan)))


def speed(loops: xr.Dataset) -> Floats:
    """Return how fast the bias is swept, V/s (curve,): from ``time``, else from ``sweep_rate``.

    By time it is the slope of a straight line through each way; by the rate, twice the span of the
    bias in a cycle: a sum over the steps of a measured bias would count its noise.

    Raises
    ------
    DataError
        If there is neither.
    """
    bias = loops["bias"].to_numpy()
    if _timed(loops):
        return _slope(bias, loops["time"].to_numpy(), loops["turn"].to_numpy())
    rate = sweep_rates(loops)
    if np.isnan(rate).all():
        raise DataError(
            "curves have neither 'time' nor 'sweep_rate': give the sweep rate in Hz (several "
            "rates: in the file)"
        )
    return np.asarray(2 * rate * (np.nanmax(bias, axis=1) - np.nanmin(bias, axis=1)))


def _slope(bias: Floats, time: Floats, turn: Flags) -> Floats:
    """Return the size of the slope (curve,) that the ways between the turns have in common."""
    way = np.cumsum(turn, axis=1)
    rise, square = np.zeros((2, len(bias)))
    for number in range(int(way.max()) + 1):
        here = (way == number) & np.isfinite(bias) & np.isfinite(time)
        volts, seconds = (_centred(values, here) for values in (bias, time))
        rise += np.abs((volts * seconds).sum(axis=1))
        square += (seconds**2).sum(axis=1)
    return np.asarray(rise / np.where(square > 0, square, np.nan))


def _timed(loops: xr.Dataset) -> bool:
    return "time" in loops and bool(np.isfinite(loops["time"]).any())


def _centred(values: Floats, here: Flags) -> Floats:
    """Return the values less each row's mean of those that are ``here``; 0 elsewhere."""
    kept = np.where(here, values, 0)
    mean = kept.sum(axis=1) / np.maximum(here.sum(axis=1), 1)
    return np.asarray(np.where(here, kept - mean[:, None], 0))
