"""More than chance: every shift against numpy, and how often chance is called correspondence."""

from dataclasses import replace

import numpy as np
import pytest
from counted_maps import IN_PLACE, PIXEL, image, smooth
from scipy import stats

from liscope.colocalisation import shift_null
from liscope.statistics import correlation_length

LEVEL = 0.05


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_every_shifted_correlation_is_that_of_numpy() -> None:
    rng = np.random.default_rng(0)
    a, b = smooth(rng, 24, 1), smooth(rng, 24, 1)
    found = shift_null(image(a), image(b), IN_PLACE)
    reach = 2 * max(correlation_length(a), correlation_length(b))
    expected = []
    for down, across in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        for y in range(24):
            for x in range(24):
                length = np.hypot(min(y, 24 - y), min(x, 24 - x))
                if (down, across) != (1, 1) or length > reach:
                    rolled = np.roll(b[::down, ::across], (y, x), (0, 1))
                    expected.append(abs(correlation(a, rolled)))
    # Single precision is enough for a place in an order.
    np.testing.assert_allclose(np.sort(found.shifted), np.sort(expected), atol=2e-4)
    assert found.observed == pytest.approx(abs(correlation(a, b)), abs=2e-4)
    as_large = np.mean(np.array(expected) >= abs(correlation(a, b)))
    assert found.chance == pytest.approx(max(as_large, 1 / (found.independent + 1)), abs=2e-3)


def test_a_map_that_was_rolled_corresponds_at_that_shift_only() -> None:
    rng = np.random.default_rng(1)
    a = smooth(rng)
    found = shift_null(image(a), image(np.roll(a, (20, 25), (0, 1))), IN_PLACE)
    assert found.shifted.max() == pytest.approx(1, abs=0.01)
    assert found.observed < 0.3 and found.chance > LEVEL


def test_a_chance_is_never_said_to_be_smaller_than_one_in_the_independent_shifts() -> None:
    rng = np.random.default_rng(2)
    chances = []
    for length in (1.5, 3.0, 6.0):
        a = image(smooth(rng, 48, length))
        found = shift_null(a, a, IN_PLACE)
        assert found.observed == pytest.approx(1, abs=1e-2)
        assert found.chance == pytest.approx(1 / (found.independent + 1))
        chances.append(found.chance)
    assert chances[0] < chances[1] < chances[2]  # the smoother, the fewer are independent


def test_of_unrelated_maps_five_in_a_hundred_are_called_related() -> None:
    """Within what a binomial of 150 pairs scatters in 999 of 1000 cases."""
    pairs, chances = 150, []
    for seed in range(pairs):
        rng = np.random.default_rng(seed)
        a, b = (image(smooth(rng, 48, 2.0)) for _ in range(2))
        chances.append(shift_null(a, b, IN_PLACE).chance)
    low, high = stats.binom.interval(0.999, pairs, LEVEL)
    assert low <= np.sum(np.array(chances) < LEVEL) <= high
    low, high = stats.binom.interval(0.999, pairs, 0.5)
    assert low <= np.sum(np.array(chances) < 0.5) <= high


def best_shift(a: np.ndarray, b: np.ndarray, reach: int) -> tuple[int, int]:
    """Return the shift (pixels) within a reach at which two maps correlate most."""
    side = len(a)
    scores = {}
    for y in range(-reach, reach + 1):
        for x in range(-reach, reach + 1):
            if np.hypot(y, x) <= reach:
                here = tuple(slice(max(0, -s), side - max(0, s)) for s in (y, x))
                there = tuple(slice(max(0, s), side - max(0, -s)) for s in (y, x))
                scores[y, x] = abs(correlation(a[here], b[there]))
    return max(scores, key=lambda shift: scores[shift])


def test_maps_aligned_by_what_is_compared_are_judged_against_maps_aligned_likewise() -> None:
    """Unrelated maps, each pair in the best of some hundred places: too good for plain shifts."""
    pairs, reach = 40, 6
    plain, aligned = [], []
    for seed in range(pairs):
        rng = np.random.default_rng(1000 + seed)
        a, b = smooth(rng, 48, 1.5), smooth(rng, 48, 1.5)
        placed = replace(IN_PLACE, offset=PIXEL * np.array(best_shift(a, b, reach)))
        maps = image(a), image(b)
        plain.append(shift_null(*maps, placed).chance)
        aligned.append(shift_null(*maps, placed, window=reach * PIXEL).chance)
    high = stats.binom.interval(0.999, pairs, LEVEL)[1]
    assert np.sum(np.array(plain) < LEVEL) > 2 * high
    assert np.sum(np.array(aligned) < LEVEL) <= high
    assert np.all(np.array(aligned) >= np.array(plain))


def test_freedom_to_turn_makes_chance_larger() -> None:
    rng = np.random.default_rng(4)
    common, *rest = (smooth(rng, 48, 1.5) for _ in range(3))
    maps = [image(0.5 * common + one) for one in rest]
    still, turning = (shift_null(*maps, IN_PLACE, 0.1, angle) for angle in (0.0, 6.0))
    assert turning.observed == pytest.approx(still.observed)
    assert np.all(np.sort(turning.shifted)[::50] >= np.sort(still.shifted)[::50])
    assert turning.chance >= still.chance


def test_related_maps_are_called_related() -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        common = smooth(rng)
        maps = [image(common + smooth(rng)) for _ in range(2)]
        assert shift_null(*maps, IN_PLACE).chance < 0.01


def test_places_outside_the_fixed_map_take_no_part() -> None:
    rng = np.random.default_rng(5)
    a, b = smooth(rng, 40), smooth(rng, 40)
    gap = a.copy()
    gap[:, :15] = np.nan
    found = shift_null(image(gap), image(b), IN_PLACE)
    assert found.observed == pytest.approx(abs(correlation(a[:, 15:], b[:, 15:])), abs=2e-3)
    assert np.isfinite(found.shifted).all()
