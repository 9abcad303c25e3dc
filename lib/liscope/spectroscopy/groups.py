"""Two groups of curves compared, pristine and preconditioned, when curves share their places.

Curves measured at one place are alike. Intervals therefore come from resampling places with all
their curves, and the test has one value a place, the median of its curves.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from liscope.errors import DataError
from liscope.statistics import LEVEL, Estimate

Floats = NDArray[np.float64]

FEWEST_PLACES = 5  # in each group; below this an interval would rest on too few samples
MOST_CLIPPED = 10.0  # per cent of a group's curves
RESAMPLES = 1999


def compare_groups(
    table: pd.DataFrame, names: Sequence[str], columns: Sequence[str]
) -> pd.DataFrame:
    """Return how the second group of curves differs from the first.

    - *shift*: Hodges and Lehmann's, the median of the differences of all pairs of curves;
    - *Cliff's delta*: the share of pairs in which the second is larger less the share in which it
      is smaller: 1 where all are larger, 0 where the groups do not differ;
    - *p*: of Mann and Whitney's two-sided test with one value a place; and, for comparison, with
      one value a curve, which counts curves of one place as independent and is too small.

    The 95 % intervals are bias-corrected bootstrap intervals over places (BCa), widened as a
    Student interval is against a normal one (Hesterberg, Am. Stat. 69, 371 (2015)), which few
    places need. Where all pairs agree, a bootstrap has no spread; then Cliff's bound
    (n - z^2) / (n + z^2) for the n places of the smaller group stands (Ordinal Methods for
    Behavioral Data Analysis, 1996).

    Parameters
    ----------
    table
        One row a good curve: ``group``, ``place``, and the columns to compare.
    names
        The two groups; the second is compared with the first.
    columns
        What to compare, such as ``enclosed_V``.

    Returns
    -------
    One row a column: curves, places and median of each group, ``shift`` and ``cliffs_delta`` with
    their intervals, ``p_places`` and ``p_curves``. NaN where a group has fewer than five places,
    or where there is nothing to tell apart, as in the lobe at negative bias of a sweep without one.

    Raises
    ------
    DataError
        If one of the groups has no curve.
    """
    groups = [table[table["group"] == name] for name in names]
    for name, group in zip(names, groups, strict=True):
        if group.empty:
            there = ", ".join(map(str, table["group"].unique()))
            raise DataError(f"no good curve belongs to the group '{name}'; groups are: {there}")
    rows = {column: _row(column, names, groups) for column in columns}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("area")


def _row(column: str, names: Sequence[str], groups: Sequence[pd.DataFrame]) -> dict[str, float]:
    row: dict[str, float] = {}
    for name, group in zip(names, groups, strict=True):
        row |= {
            f"{name}_curves": len(group),
            f"{name}_places": group["place"].nunique(),
            f"{name}_median": group[column].median(),
        }
    first, second = (group[column].to_numpy(float) for group in groups)
    medians = [group.groupby("place")[column].median() for group in groups]
    pairs = Pairs.of(groups, column)
    for name, value in (("shift", pairs.shift), ("cliffs_delta", pairs.delta)):
        row[name] = value(*pairs.places)
        agree = name == "cliffs_delta" and abs(row[name]) == 1
        interval = _all_agree(row[name], pairs.places) if agree else _interval(value, pairs.places)
        row[f"{name}_low"], row[f"{name}_high"] = interval
    row["p_places"] = _p(*(one.to_numpy(float) for one in medians))
    row["p_curves"] = _p(first, second)
    return row


def _all_agree(delta: float, places: Sequence[NDArray[np.intp]]) -> tuple[float, float]:
    """Return Cliff's interval of a delta of 1 or -1."""
    number, square = min(map(len, places)), float(stats.norm.ppf((1 + LEVEL) / 2)) ** 2
    if number < FEWEST_PLACES:
        return np.nan, np.nan
    bound = delta * (number - square) / (number + square)
    return min(delta, bound), max(delta, bound)


def _p(first: Floats, second: Floats) -> float:
    if np.ptp(np.append(first, second)) == 0:
        return np.nan
    return float(stats.mannwhitneyu(first, second).pvalue)


class Pairs:
    """The differences of all pairs of two groups' curves, sorted once for all resamplings."""

    def __init__(self, differences: Floats, at: tuple[NDArray[np.intp], NDArray[np.intp]]) -> None:
        self.places = [np.unique(one) for one in at]
        order = np.argsort(differences, axis=None)
        self._sorted = differences.ravel()[order]
        # The place of each sorted pair's two curves.
        self._at = [one.ravel()[order] for one in np.meshgrid(at[1], at[0])][::-1]

    @classmethod
    def of(cls, groups: Sequence[pd.DataFrame], column: str) -> Pairs:
        """Return the pairs of a column's values."""
        first, second = (group[column].to_numpy(float) for group in groups)
        at = [np.unique(group["place"], return_inverse=True)[1] for group in groups]
        return cls(second[None, :] - first[:, None], (at[0], at[1]))

    def _weights(self, first: NDArray[np.intp], second: NDArray[np.intp]) -> Floats:
        """Return how often each sorted pair occurs when these places are drawn."""
        drawn = [
            np.bincount(one, minlength=len(places))
            for one, places in zip((first, second), self.places, strict=True)
        ]
        return np.asarray(drawn[0][self._at[0]] * drawn[1][self._at[1]], dtype=float)

    def shift(self, first: NDArray[np.intp], second: NDArray[np.intp]) -> float:
        """Return the median difference when these places are drawn."""
        count = np.cumsum(self._weights(first, second))
        middle = np.searchsorted(count, [count[-1] / 2, np.nextafter(count[-1] / 2, np.inf)])
        return float(self._sorted[middle].mean())

    def delta(self, first: NDArray[np.intp], second: NDArray[np.intp]) -> float:
        """Return Cliff's delta when these places are drawn."""
        return float(np.average(np.sign(self._sorted), weights=self._weights(first, second)))


def _interval(
    statistic: Callable[..., float], places: Sequence[NDArray[np.intp]]
) -> tuple[float, float]:
    number = [len(one) for one in places]
    if min(number) < FEWEST_PLACES:
        return np.nan, np.nan
    # The normal quantile that reaches as far as Student's does, and the factor n / (n - 1) that
    # the bootstrap's variance lacks.
    reach = stats.t.ppf((1 + LEVEL) / 2, sum(number) - 2) * np.sqrt(min(number) / (min(number) - 1))
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)  # it is NaN, which says so
        found = stats.bootstrap(
            tuple(places), statistic, n_resamples=RESAMPLES, vectorized=False, method="BCa",
            confidence_level=2 * stats.norm.cdf(reach) - 1, rng=np.random.default_rng(0),
        )  # fmt: skip
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def check_groups(loops: xr.Dataset, groups: Sequence[str]) -> None:
    """Refuse groups that are none of the file's.

    Raises
    ------
    DataError
        If a file that names groups has not the ones asked for.
    """
    there = list(dict.fromkeys(loops["group"].to_numpy().astype(str)))
    missing = [name for name in groups if name not in there]
    if missing:
        raise DataError(f"groups: the curves have no '{missing[0]}'; they have {', '.join(there)}")


def mean_of_places(values: pd.Series[float]) -> tuple[float, float, float]:
    """Return the mean of one value a place, and its 95 % interval.

    The interval is Student's; infinite for a single place.
    """
    error = float(values.std()) / np.sqrt(values.count())
    return Estimate(float(values.mean()), error, values.count() - 1).through(float)


def typical(table: pd.DataFrame, names: Sequence[str], column: str) -> dict[str, int]:
    """Return of each group the row of the curve whose area is nearest to the group's median."""
    groups = {name: table.loc[table["group"] == name, column].dropna() for name in names}
    return {
        name: int(str((values - values.median()).abs().idxmin()))
        for name, values in groups.items()
        if len(values)
    }


def verdict(low: float, high: float, clipped_percent: float) -> str:
    """Return what an interval of the shift allows to say: larger, smaller, or cannot tell.

    Where more than 10 % of a group's curves clipped, the strongest places are missing from it, and
    no interval knows of it.
    """
    if clipped_percent > MOST_CLIPPED:
        return "cannot tell"
    if low > 0:
        return "larger"
    return "smaller" if high < 0 else "cannot tell"
