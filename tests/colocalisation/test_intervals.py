"""Intervals hold the truth, are as wide as films scatter, and know of the registration."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from counted_maps import IN_PLACE, counts_of, film, seen_of, smooth
from scipy import stats

from liscope.colocalisation import (
    KINDS,
    Thresholds,
    correspondence,
    find_objects,
    intervals,
    measures,
    object_table,
    pair_of,
)

LIMITS, BEAM = Thresholds(current=1.0, counts=3.0, width=0.1), 0.1


@pytest.fixture(autouse=True)
def _fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "DRAWS", 50)


def tables(seed: int, shift_error: float = 0.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables of a film that was placed with an error (um) in x and in y."""
    covariance = np.diag([shift_error**2] * 2 + [0.0] * 4)
    return correspondence(*film(seed), replace(IN_PLACE, covariance=covariance), LIMITS, BEAM)


def test_values_are_those_of_the_place_that_was_found() -> None:
    counts, seen = film(0)
    pair = pair_of(counts, seen, LIMITS)
    numbers, places = tables(0)
    assert numbers["value"].to_dict() == pytest.approx(measures(pair, LIMITS))
    expected = object_table(find_objects(pair, LIMITS, BEAM))
    pd.testing.assert_frame_equal(places[list(expected)], expected)
    assert list(places.index) == list(KINDS)
    pd.testing.assert_frame_equal(numbers, tables(0)[0])  # drawn alike each time


def test_intervals_lie_around_the_values_where_values_can_lie() -> None:
    numbers, places = tables(1, 0.05)
    assert (numbers["low"] < numbers["value"]).all() and (numbers["value"] < numbers["high"]).all()
    lowest = np.where(numbers.index.isin(["pearson", "spearman"]), -1, 0)
    assert (numbers["low"] > lowest).all() and (numbers["high"] < 1).all()
    for name, highest in (("number", np.inf), ("area_um2", np.inf), ("current_share_percent", 100)):
        some = places[places[name] > 0]
        assert len(some) >= 3
        assert ((some[f"{name}_low"] >= 0) & (some[f"{name}_low"] < some[name])).all()
        assert ((some[f"{name}_high"] <= highest) & (some[f"{name}_high"] > some[name])).all()


def test_an_uncertain_registration_widens_the_intervals() -> None:
    """An error of a correlation length: what is correlated there falls to a third or so."""
    sure, unsure = (tables(2, error)[0] for error in (0.0, 0.1))
    for name in ("pearson", "spearman", "dice", "manders_lithium"):
        widths = [one.loc[name, "high"] - one.loc[name, "low"] for one in (sure, unsure)]
        assert widths[1] > 1.3 * widths[0], name
    pd.testing.assert_series_equal(sure["value"], unsure["value"])


def test_intervals_hold_the_truth_and_are_as_wide_as_films_scatter() -> None:
    """Truth and scatter are those of 300 other films.

    Of 12 intervals that hold it in 95 of 100 cases, fewer than 8 do in no case of 1000. Their
    mean width is known to 10 % or so; from pixels as if these were independent, that of Pearson's
    correlation would come out less than half as large.
    """
    others = pd.DataFrame(
        [measures(pair_of(*film(seed), LIMITS), LIMITS) for seed in range(1000, 1300)]
    )
    truth, scatter = others.mean(), others.std()
    found = [tables(seed)[0] for seed in range(12)]
    fewest = stats.binom.ppf(0.001, 12, 0.95)
    for name in truth.index:
        one = pd.DataFrame([table.loc[name] for table in found])
        assert ((one["low"] < truth[name]) & (truth[name] < one["high"])).sum() >= fewest, name
        deviations = ((one["high"] - one["low"]) / scatter[name]).mean()
        assert 0.75 * 2 * 1.96 < deviations < 1.5 * 2 * 1.96, (name, deviations)


def test_maps_without_places_have_no_intervals_of_places() -> None:
    rng = np.random.default_rng(0)
    counts, seen = counts_of(rng.poisson(1, (40, 40))), seen_of(rng.uniform(0.01, 0.02, (40, 40)))
    _, places = correspondence(counts, seen, IN_PLACE, Thresholds(1.0, 50.0, 0.1), BEAM)
    assert (places["number"] == 0).all()
    # Where none is seen, up to 3 are expected with a chance of 5 %: exp(-3).
    np.testing.assert_allclose(places["number_high"], 3)
    assert places[["area_um2_high", "current_share_percent_high"]].isna().all(axis=None)


def test_too_few_blocks_give_no_interval() -> None:
    """Two maps as smooth as their field is wide: one place says nothing about the next."""
    rng = np.random.default_rng(0)
    counts, seen = (
        counts_of(rng.poisson(5 + smooth(rng, 40, 9))),
        seen_of(np.exp(smooth(rng, 40, 9))),
    )
    measured, _ = correspondence(counts, seen, IN_PLACE, Thresholds(1.0, 5.0, 0.1), BEAM)
    assert measured["value"].notna().all() and measured[["low", "high"]].isna().all(axis=None)
