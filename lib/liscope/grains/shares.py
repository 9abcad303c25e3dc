"""Shares with intervals that know how few independent things they rest on.

A share of 3 of 100 grains, or of an area of which one grain holds a third, has no symmetric
interval. Each share here comes with the number of independent trials that would scatter as much,
and with Clopper and Pearson's interval for these (Korn and Graubard, Surv. Methodol. 24, 193
(1998)), which holds at 0 and 1, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from liscope.statistics import FEWEST_BLOCKS, LEVEL, Estimate

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Share:
    """A share with its 95 % interval, and the number of independent trials it rests on.

    NaN as ``low`` and ``high``: there are too few for an interval.
    """

    value: float
    low: float
    high: float
    number: float

    def columns(self, name: str) -> dict[str, float]:
        """Return value, low and high as columns of a table."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}


NO_SHARE = Share(np.nan, np.nan, np.nan, 0.0)


def share(value: float, variance: float, freedom: float, most: float) -> Share:
    """Return a share with its interval.

    Parameters
    ----------
    variance, freedom
        Of the share, and the degrees of freedom that the variance rests on.
    most
        Independent things that were counted: as many trials are claimed at most, and all of them
        where the share is 0 or 1, so that no variance can be seen.
    """
    if freedom + 1 < FEWEST_BLOCKS or not np.isfinite(variance):
        return Share(value, np.nan, np.nan, 0.0)
    trials, tail = float(most), (1 - LEVEL) / 2
    if 0 < value < 1 and variance > 0:
        student = float(stats.t.ppf(tail, freedom) / stats.norm.ppf(tail))
        trials = min(trials, value * (1 - value) / variance / student**2)
    hits = float(np.clip(value, 0, 1)) * trials
    low = float(stats.beta.ppf(tail, hits, trials - hits + 1)) if hits > 0 else 0.0
    high = float(stats.beta.ppf(1 - tail, hits + 1, trials - hits)) if hits < trials else 1.0
    return Share(value, low, high, trials)


def of_things(hit: NDArray[np.bool_], weight: Floats | None = None) -> Share:
    """Return the share of independent things, or of their weights (such as grains' areas)."""
    if hit.size == 0:
        return NO_SHARE
    w = np.ones(hit.size) if weight is None else weight
    value = float(np.average(hit, weights=w))
    variance = float(np.sum((w * (hit - value)) ** 2) / w.sum() ** 2)
    crowd = float(w.sum() ** 2 / np.sum(w**2))  # as many even weights scatter as much
    return share(value, variance, crowd - 1, crowd)


def of_pairs(hit: NDArray[np.bool_], weight: Floats, one: Numbers, other: Numbers) -> Share:
    """Return the share of the weight of pairs, where pairs that have a member in common are alike.

    The residuals of all pairs of a member are summed before they are squared, less what is counted
    twice by that (Fafchamps and Gubert, J. Dev. Econ. 83, 326 (2007), doi:10.1016/j.jdeveco
    .2006.05.005).

    Parameters
    ----------
    one, other
        The two members of each pair, as numbers; different ones on both sides, or of one kind.
    """
    if hit.size == 0 or weight.sum() == 0:
        return NO_SHARE
    value = float(np.average(hit, weights=weight))
    rest = weight * (hit - value) / weight.sum()
    members, at = np.unique(np.concatenate([one, other]), return_inverse=True)
    of_member = np.bincount(at, np.tile(rest, 2), members.size)
    dyadic = float(np.sum(of_member**2) - np.sum(rest**2))
    variance = max(dyadic, float(np.sum(rest**2)))
    return share(value, variance, min(hit.size, members.size) - 1, float(members.size))


def of_estimate(estimate: Estimate, things: float) -> Share:
    """Return the share that :func:`liscope.statistics.mean` estimates from blocks of the map.

    Parameters
    ----------
    things
        How many independent ones were counted, such as grains.
    """
    return share(estimate.value, estimate.error**2, estimate.freedom, things)
