"""Intervals of shares, where what is counted is not independent."""

import numpy as np
import pytest
from scipy import stats

from liscope.grains.shares import of_estimate, of_pairs, of_things
from liscope.statistics import Estimate


@pytest.mark.parametrize(("hits", "count"), [(0, 12), (3, 40), (40, 40)])
def test_even_things_have_clopper_and_pearsons_interval(hits: int, count: int) -> None:
    found = of_things(np.arange(count) < hits)
    ideal = stats.binomtest(hits, count).proportion_ci(method="exact")
    assert found.value == hits / count
    # Somewhat wider where a variance is estimated, as Student's interval is.
    assert found.low == pytest.approx(ideal.low, abs=0.01)
    assert found.high == pytest.approx(ideal.high, abs=0.012)


def test_one_large_thing_leaves_few_samples() -> None:
    hit, weight = np.arange(30) == 0, np.append(30.0, np.ones(29))
    assert np.isnan(of_things(hit, weight).low)
    assert np.isfinite(of_things(hit).low)
    assert of_things(hit[:0]).number == 0


def test_pairs_that_share_a_member_are_not_counted_as_samples() -> None:
    """Thirty grains with twelve boundaries each; which kind these are of is the grain's doing."""
    one, other = np.repeat(np.arange(30), 12), np.arange(30, 390)
    length = np.ones(360)
    held, narrow = [], []
    for seed in range(300):
        hit = (np.random.default_rng(seed).random(30) < 0.3)[one]
        found = of_pairs(hit, length, one, other)
        held.append(found.low <= 0.3 <= found.high)
        alone = stats.binomtest(int(hit.sum()), 360).proportion_ci(method="exact")
        narrow.append(alone.low <= 0.3 <= alone.high)
    assert np.mean(held) >= 0.9
    assert np.mean(narrow) < 0.6


def test_blocks_give_the_interval_and_things_its_limit() -> None:
    found = of_estimate(Estimate(0.2, 0.05, 60), 1000)
    assert found.low == pytest.approx(0.2 - 2 * 0.05, abs=0.02)
    assert found.high == pytest.approx(0.2 + 2 * 0.05, abs=0.03)
    none = of_estimate(Estimate(0.0, 0.0, 60), 10)
    assert (none.low, none.high) == (0, pytest.approx(1 - 0.025**0.1))
    assert np.isnan(of_estimate(Estimate(0.2, np.inf, 0), 10).high)
