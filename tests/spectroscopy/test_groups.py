"""Two groups compared: by hand, against scipy, and over repeated experiments with known truth."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from liscope import spectroscopy as iv
from liscope.errors import DataError
from liscope.spectroscopy.groups import mean_of_places

NAMES = ("pristine", "preconditioned")


def table(
    first: np.ndarray, second: np.ndarray, curves: int = 1, names: tuple[str, str] = NAMES
) -> pd.DataFrame:
    """Return a table of values, so many curves in a row from one place."""
    values = np.concatenate([first, second])
    return pd.DataFrame(
        {
            "group": np.repeat(names, [len(first), len(second)]),
            "place": np.arange(len(values)) // curves,
            "enclosed_V": values,
        }
    )


def compared(values: pd.DataFrame) -> pd.Series:
    return iv.compare_groups(values, NAMES, ["enclosed_V"]).loc["enclosed_V"]


def test_shift_and_delta_are_those_of_all_pairs() -> None:
    first, second = np.array([1.0, 2, 3, 7, 8]), np.array([2.5, 4, 5, 6, 9])
    pairs = second[None, :] - first[:, None]
    row = compared(table(first, second))
    assert row["shift"] == np.median(pairs)
    assert row["cliffs_delta"] == pytest.approx(np.sign(pairs).mean())
    assert (row["pristine_median"], row["preconditioned_median"]) == (3, 5)


def test_p_of_places_is_the_one_of_their_medians() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((2, 40))
    row = compared(table(first, second + 0.5, curves=5))
    assert row["p_curves"] == stats.mannwhitneyu(first, second + 0.5).pvalue
    medians = [np.median(one.reshape(8, 5), axis=1) for one in (first, second + 0.5)]
    assert row["p_places"] == stats.mannwhitneyu(*medians).pvalue
    assert (row["pristine_curves"], row["pristine_places"]) == (40, 8)


def test_delta_is_that_of_mann_and_whitneys_u() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.standard_normal(30), rng.standard_normal(25) + 0.3
    u = stats.mannwhitneyu(second, first).statistic
    assert compared(table(first, second))["cliffs_delta"] == pytest.approx(2 * u / (30 * 25) - 1)


def test_intervals_hold_the_truth_although_curves_of_a_place_are_alike() -> None:
    """Normal places and curves: 15 and 14 places of 5, shift 1, delta 2 Phi(shift / sd sqrt 2) - 1.

    Of 40 intervals of 95 %, fewer than 33 hold the truth once in 1000. Taking curves for
    independent would make them a factor of two too narrow, and hold it in some 65 %.
    """
    rng = np.random.default_rng(2)
    delta = 2 * stats.norm.cdf(1 / np.sqrt(2 * 1.04)) - 1
    held = np.zeros(2)
    for _ in range(40):
        first, second = (
            np.repeat(rng.standard_normal(places), 5) + 0.2 * rng.standard_normal(5 * places)
            for places in (15, 14)
        )
        row = compared(table(first, second + 1, curves=5))
        held += [
            row["shift_low"] <= 1 <= row["shift_high"],
            row["cliffs_delta_low"] <= delta <= row["cliffs_delta_high"],
        ]
    assert (held >= 33).all(), held


def test_where_all_pairs_agree_cliffs_bound_stands() -> None:
    first, second = np.arange(10.0), np.arange(20.0, 30)
    row = compared(table(first, second))
    square = 1.959964**2
    assert row["cliffs_delta"] == row["cliffs_delta_high"] == 1
    assert row["cliffs_delta_low"] == pytest.approx((10 - square) / (10 + square), rel=1e-6)
    back = compared(table(second, first))
    assert (back["cliffs_delta_low"], back["cliffs_delta_high"]) == (-1, -row["cliffs_delta_low"])


def test_few_places_have_no_interval() -> None:
    rng = np.random.default_rng(3)
    row = compared(table(*rng.standard_normal((2, 20)), curves=5))  # four places each
    ends = [f"{name}_{end}" for name in ("shift", "cliffs_delta") for end in ("low", "high")]
    assert row[ends].isna().all() and np.isfinite(row["shift"])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("other", [0, 1])
def test_a_column_without_differences_tells_nothing_and_warns_of_nothing(other: int) -> None:
    """As the lobe at negative bias of sweeps from 0 V up; or with one curve that is not 0."""
    first = np.zeros(10)
    first[:other] = 1e-6
    row = compared(table(first, np.zeros(8)))
    assert row["shift"] == 0
    assert row[["shift_low", "shift_high"]].isna().all()
    if not other:
        nothing = ["cliffs_delta_low", "cliffs_delta_high", "p_places", "p_curves"]
        assert row["cliffs_delta"] == 0 and row[nothing].isna().all()


def test_the_interval_of_a_mean_is_scipys() -> None:
    values = np.array([1.0, 2, 4, 8, 9])
    mean, low, high = mean_of_places(pd.Series(values))
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (mean, low, high) == pytest.approx((4.8, expected.low, expected.high))
    assert mean_of_places(pd.Series([3.0])) == (3, -np.inf, np.inf)


def test_a_missing_group_is_refused_by_name() -> None:
    values = table(np.arange(5.0), np.arange(5.0), names=("a", "b"))
    with pytest.raises(DataError, match="group 'pristine'; groups are: a, b"):
        compared(values)


@pytest.mark.parametrize(
    ("interval", "clipped", "expected"),
    [
        ((0.1, 0.2), 0.0, "larger"),
        ((-0.2, -0.1), 0.0, "smaller"),
        ((-0.1, 0.2), 0.0, "cannot tell"),
        ((0.1, 0.2), 11.0, "cannot tell"),
        ((np.nan, np.nan), 0.0, "cannot tell"),
    ],
)
def test_verdict(interval: tuple[float, float], clipped: float, expected: str) -> None:
    assert iv.verdict(*interval, clipped) == expected


def test_the_typical_curve_is_nearest_to_the_median() -> None:
    values = table(np.array([1.0, 2, 9]), np.array([5.0, 6, 8]))
    assert iv.typical(values, NAMES, "enclosed_V") == {"pristine": 1, "preconditioned": 4}
    assert iv.typical(values.iloc[:0], NAMES, "enclosed_V") == {}


def test_groups_that_the_file_has_not_are_named_with_those_it_has() -> None:
    loops = xr.Dataset(coords={"group": ("curve", ["pristine", "delithiated", "pristine"])})
    iv.check_groups(loops, ["delithiated", "pristine"])
    with pytest.raises(DataError, match="no 'preconditioned'; they have pristine, delithiated"):
        iv.check_groups(loops, ["pristine", "preconditioned"])
