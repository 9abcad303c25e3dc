"""Which curves can be trusted: clipped, contact lost, sweep incomplete, nothing but noise.

Each flag but *incomplete*, which compares sweeps, is a test against what noise alone would do, with
one chance of error for all curves of a file together (:data:`CHANCE`), rather than a threshold that
suits one sample.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from liscope.spectroscopy.branches import GAP

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

CHANCE = 0.01  # that noise alone flags any curve of a file, for each flag that tests against it
SAME = 1e-6  # relative: values of an amplifier at its limit
FLAGS = ("clipped", "contact_lost", "incomplete", "no_signal")


def quality(loops: xr.Dataset, like: str = "cycle") -> pd.DataFrame:
    r"""Return what is wrong with each loop.

    - *noise*: from third differences in the order of acquisition (robustly, over those points that
      do not clip); a smooth curve leaves nothing in them.
    - *clipped*: a run of neighbouring points at exactly the same extreme value, so long that the
      share of equal neighbours elsewhere in the file makes it impossible; other curves that end
      at the same value are clipped, too. Each polarity has its own limit.
    - *contact lost*: a run of at least two points without current (within the noise of the current
      at zero bias on the same way), whose neighbours outside, continued along a straight line,
      would not have come near it. A switch that turns off at once looks the same.
    - *incomplete*: the loop does not close, or does not reach the turning points that most loops
      of the same group and ``like`` reach, by more than the steps of the bias allow.
    - *no signal*: neighbouring points are no more alike than those of white noise (von Neumann's
      ratio, without the mean of each way, which may be displacement current), or the largest
      current is one that noise reaches.

    Parameters
    ----------
    loops
        As :func:`liscope.spectroscopy.cycles` returns them.
    like
        Coordinate whose equal values name loops of a group with the same sweep.

    Returns
    -------
    One row a loop: ``curve``, ``cycle``, ``place``, ``group`` if known, ``noise_nA``,
    ``clipped_percent`` and ``lost_percent`` of its points, the flags, and ``good``: none of them.
    """
    current = loops["current"].to_numpy()
    clipped = clipped_points(current)
    noise = noise_of(np.where(clipped, np.nan, current))
    level = zero_level(loops)
    lost = lost_points(current, level, noise)
    points = np.isfinite(current).sum(axis=1)
    names = {"of_curve": "curve", "cycle": "cycle", "place": "place", "group": "group"}
    table = pd.DataFrame(
        {to: loops[name].to_numpy() for name, to in names.items() if name in loops.coords}
        | {
            "noise_nA": noise,
            "clipped_percent": 100 * clipped.sum(axis=1) / points,
            "lost_percent": 100 * lost.sum(axis=1) / points,
            "clipped": clipped.any(axis=1),
            "contact_lost": lost.any(axis=1),
            "incomplete": ~loops["complete"].to_numpy() | _short(loops, like),
            "no_signal": _silent(loops, level, noise),
        }
    )
    return table.assign(good=~table[list(FLAGS)].any(axis=1))


def noise_of(current: Floats) -> Floats:
    """Return the noise of one point, nA (curve,): robust, from third differences."""
    if current.shape[1] < 4:
        return np.full(len(current), np.nan)
    third = np.abs(np.diff(current, 3, axis=1))
    return np.asarray(1.4826 * _median(third) / np.sqrt(20))


def clipped_points(current: Floats) -> Flags:
    """Return where (curve, point) the amplifier was at its limit."""
    chance = CHANCE / len(current)
    return np.asarray(_at_limit(current, chance) | _at_limit(-current, chance))


def _at_limit(current: Floats, chance: float) -> Flags:
    """Return where the current is at its upper limit."""
    top = np.where(np.isfinite(current), current, -np.inf).max(axis=1, keepdims=True)
    at_top = current >= top - SAME * np.abs(top)
    step = np.diff(current, axis=1)
    elsewhere = np.isfinite(step) & ~(at_top[:, 1:] & at_top[:, :-1])
    # One more tie than was seen: none seen does not mean that there can be none.
    tie = (np.sum((step == 0) & elsewhere) + 1) / (elsewhere.sum() + 1)
    points = np.isfinite(current).sum(axis=1)
    clipped = (points * tie ** (_longest_run(at_top) - 1) < chance) & (top[:, 0] > 0)
    limits = np.unique(top[clipped, 0])
    if limits.size:
        away = np.abs(top - limits).min(axis=1)
        clipped |= away <= SAME * np.abs(top[:, 0])
    return np.asarray(at_top & clipped[:, None])


def _longest_run(flags: Flags) -> NDArray[np.int_]:
    """Return the length of the longest run of True in each row."""
    at = np.arange(1, flags.shape[1] + 1)
    before = np.maximum.accumulate(np.where(flags, 0, at), axis=1)
    return np.asarray((at - before).max(axis=1))


def zero_level(loops: xr.Dataset) -> Floats:
    """Return the current without conduction, nA (curve, point): offset and displacement current.

    It is the current at zero bias on the same way: the median of the points within two steps of
    it, as the current may have a kink there. Where a way does not pass there, it is that of the
    other way; where none does, nothing.
    """
    bias, current = loops["bias"].to_numpy(), loops["current"].to_numpy()
    direction = loops["direction"].to_numpy()
    step = np.nanmedian(np.abs(np.diff(bias, axis=1)), axis=1)[:, None]
    near = np.abs(bias) <= 2.01 * step
    medians = [_median(np.where(near & (direction == sign), current, np.nan)) for sign in (1, -1)]
    up, down = (np.where(np.isnan(a), b, a) for a, b in (medians, medians[::-1]))
    return np.nan_to_num(np.where(direction > 0, up[:, None], down[:, None]))


def _median(values: Floats) -> Floats:
    """Return the median of each row's finite values; NaN where there are none."""
    some = np.isfinite(values).any(axis=1)
    found = np.full(len(values), np.nan)
    found[some] = np.nanmedian(values[some], axis=1)
    return found


def lost_points(current: Floats, level: Floats, noise: Floats) -> Flags:
    """Return where (curve, point) the contact was lost (see :func:`quality`)."""
    reach = stats.norm.isf(CHANCE / 2 / max(np.isfinite(current).sum(), 1))
    signal = np.nan_to_num(current - level)
    scale = (np.nan_to_num(noise) * reach)[:, None]
    quiet = (np.abs(signal) <= scale) & np.isfinite(current)
    falls = quiet & _jump(signal, scale)
    rises = quiet & _jump(signal[:, ::-1], scale)[:, ::-1]
    run = np.cumsum(np.diff(quiet.astype(int), prepend=0, axis=1) == 1, axis=1) * quiet
    width = int(run.max()) + 1
    label = np.where(quiet, run + width * np.arange(len(run))[:, None], 0)
    length = np.bincount(label.ravel(), minlength=width * len(run))
    jumps = np.bincount(label.ravel(), (falls | rises).ravel(), minlength=length.size)
    chosen = (jumps > 0) & (length >= 2)
    chosen[np.arange(len(run)) * width] = False
    return np.asarray(chosen[label] & quiet)


def _jump(signal: Floats, scale: Floats) -> Flags:
    """Return where a straight line through the four points before stays away from zero."""
    weights = np.array([-0.5, 0.0, 0.5, 1.0])  # of such a line, one step ahead
    before = np.stack([np.roll(signal, 4 - i, axis=1) for i in range(4)])
    away = np.sign(before[-1]) * (np.tensordot(weights, before, axes=1) - signal)
    carried = np.sign(before[-1]) * before > scale  # all four, in the same direction
    jump = (away > np.sqrt(1 + weights @ weights) * scale) & carried.all(axis=0)
    jump[:, :4] = False
    return np.asarray(jump)


def _short(loops: xr.Dataset, like: str) -> Flags:
    """Return which loops do not reach the turning points that most of the same sweep reach."""
    ends, slack = _ends(loops)
    alike = [loops[name].to_numpy() for name in (like, "group") if name in loops.coords]
    short = ends.groupby(alike).transform("median") - ends
    return np.asarray((short.to_numpy() > slack[:, None]).any(axis=1))


def _ends(loops: xr.Dataset) -> tuple[pd.DataFrame, Floats]:
    """Return how far each loop goes down and up, V, and by how much its steps may miss that."""
    bias = loops["bias"].to_numpy()
    step = np.nanmax(np.abs(np.diff(bias, axis=1)), axis=1)
    ends = {"down": -np.nanmin(bias, axis=1), "up": np.nanmax(bias, axis=1)}
    return pd.DataFrame(ends), GAP * step


def differing_sweeps(loops: xr.Dataset) -> dict[str, tuple[float, float]]:
    """Return from where to where each group is swept, V (medians); nothing if all go as far.

    Parameters
    ----------
    loops
        As :func:`liscope.spectroscopy.cycles` returns them, with the coordinate ``group``.
    """
    ends, slack = _ends(loops)
    groups = ends.groupby(loops["group"].to_numpy(), sort=False).median()
    if (np.ptp(groups.to_numpy(), axis=0) <= np.median(slack)).all():
        return {}
    return {str(name): (-row["down"], row["up"]) for name, row in groups.iterrows()}


def _silent(loops: xr.Dataset, level: Floats, noise: Floats) -> Flags:
    """Return which curves carry nothing but noise."""
    current, direction = loops["current"].to_numpy(), loops["direction"].to_numpy()
    chance = CHANCE / len(current)
    steps, squares, number = np.zeros((3, len(current)))
    for sign in (1, -1):
        here = direction == sign
        count = here.sum(axis=1)
        mean = np.where(here, current, 0).sum(axis=1) / np.maximum(count, 1)
        rest = np.where(here, current - mean[:, None], 0)
        pairs = here[:, 1:] & here[:, :-1]
        steps += (np.diff(rest, axis=1) ** 2 * pairs).sum(axis=1)
        squares += (rest**2).sum(axis=1)
        number += count
    # Von Neumann's ratio of white noise: 2, with a variance of 4 / n.
    smallest = 2 - stats.norm.isf(chance) * 2 / np.sqrt(np.maximum(number, 1))
    alike = steps < smallest * squares
    largest = np.nanmax(np.abs(current - level), axis=1)
    above = largest > np.nan_to_num(noise) * stats.norm.isf(chance / 2 / np.maximum(number, 1))
    return np.asarray(~(alike & above))


def flag_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return how many loops carry each flag, in each group and together.

    Parameters
    ----------
    table
        As :func:`quality` returns it.
    """
    columns = [*FLAGS, "good"]
    parts = dict(iter(table.groupby("group", sort=False))) if "group" in table else {}
    counts = {name: part[columns].sum() for name, part in parts.items()} | {
        "all": table[columns].sum()
    }
    counted = pd.DataFrame(counts)
    counted.loc["loops"] = {**{name: len(part) for name, part in parts.items()}, "all": len(table)}
    return counted.rename_axis("flag")
