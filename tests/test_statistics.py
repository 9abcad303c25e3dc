"""Intervals and correlations against fields whose truth is known."""

import numpy as np
import pytest
from scipy import integrate, ndimage, stats

from liscope import statistics
from liscope.statistics import Estimate, Image


def smooth(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> Image:
    """A stationary Gaussian field of variance 1: its autocorrelation is exp(-d^2 / 4 sigma^2)."""
    edge = int(4 * sigma) + 1
    wide = ndimage.gaussian_filter(rng.standard_normal([n + 2 * edge for n in shape]), sigma)
    return wide[edge:-edge, edge:-edge] * 2 * np.sqrt(np.pi) * sigma


def at_least_90_percent(held: list[bool]) -> bool:
    """Whether so few hits would come up by chance once in 1000 times if 90 % were right."""
    return sum(held) >= stats.binom.ppf(0.001, len(held), 0.9)


def contains(interval: tuple[float, float], truth: float) -> bool:
    return interval[0] <= truth <= interval[1]


@pytest.mark.parametrize("sigma", [2.0, 4.0])
@pytest.mark.parametrize("masked", [False, True])
def test_correlation_length_of_smoothed_noise_is_two_sigma(sigma: float, masked: bool) -> None:
    rng = np.random.default_rng(1)
    image = smooth(rng, (400, 300), sigma)
    mask = None
    if masked:
        mask = rng.random(image.shape) < 0.7
        image = np.where(mask, image, 1e6)
    assert statistics.correlation_length(image, mask) == pytest.approx(2 * sigma, rel=0.08)


def test_correlation_length_of_white_noise_is_that_of_a_line_from_one_to_zero() -> None:
    image = np.random.default_rng(2).standard_normal((500, 500))
    image[::7, ::11] = np.nan
    assert statistics.correlation_length(image) == pytest.approx(1 - np.exp(-1), abs=0.01)


def test_correlation_length_of_every_second_pixel_is_that_of_all(
    recwarn: pytest.WarningsRecorder,
) -> None:
    image = smooth(np.random.default_rng(15), (300, 300), 4)
    mask = np.zeros(image.shape, bool)
    mask[::2, ::2] = True
    assert statistics.correlation_length(image, mask) == pytest.approx(8, rel=0.08)
    assert np.isfinite(statistics.sum_ratio(np.exp(image), np.ones(image.shape), mask).error)
    assert not [str(warning.message) for warning in recwarn]


def test_correlation_length_does_not_depend_on_offset_and_scale() -> None:
    image = smooth(np.random.default_rng(3), (100, 120), 3)
    length = statistics.correlation_length(image)
    assert statistics.correlation_length(1e4 - 1e3 * image) == pytest.approx(length, rel=1e-6)


@pytest.mark.parametrize(("shape", "side"), [((30, 41), 7.0), ((10, 10), 99.0), ((9, 8), 0.1)])
def test_blocks_are_rectangles_at_least_as_wide_as_asked(
    shape: tuple[int, int], side: float
) -> None:
    label = statistics.blocks(shape, side)
    assert set(label.ravel()) == set(range(label.max() + 1))
    for number in range(label.max() + 1):
        rows, columns = np.nonzero(label == number)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert len(rows) == height * width
        assert height >= min(side, shape[0]) - 1e-9 and width >= min(side, shape[1]) - 1e-9


@pytest.mark.parametrize("side", [1.6, 2.5, 10.0])
def test_held_variance_is_that_of_a_triangular_autocorrelation(side: float) -> None:
    width = 1 / (1 - np.exp(-1))  # of the triangle that falls to 1/e at 1
    within, _ = integrate.quad(lambda d: 2 * (side - d) * (1 - d / width), 0, width)
    everything = side * width  # variance of a very long sum, for each piece of this length
    assert statistics.held_variance(np.array([side])) == pytest.approx(within / everything)


def test_held_variance_agrees_with_sums_over_simulated_grains() -> None:
    rng = np.random.default_rng(4)
    grain, side, count = 20, 50, 40
    sums = []
    for _ in range(2000):
        line = np.repeat(rng.standard_normal(side * count // grain + 2), grain)
        line = line[(start := rng.integers(grain)) : start + side * count]
        sums.append(line.reshape(count, side).sum(1))
    within, whole = np.var(sums), np.var(np.sum(sums, 1)) / count
    scale = grain * (1 - np.exp(-1))
    assert statistics.held_variance(np.array([side / scale])) == pytest.approx(
        within / whole, rel=0.1
    )


def _responding_film(rng: np.random.Generator, factor: float) -> tuple[Image, Image]:
    before = np.exp(0.7 * smooth(rng, (96, 96), 2.5))
    response = np.exp(0.3 * smooth(rng, (96, 96), 2.5) - 0.3**2 / 2)
    return before, factor * before * response


def test_ratio_of_sums_holds_the_known_ratio_of_lognormal_fields() -> None:
    rng = np.random.default_rng(5)
    mask = np.full((96, 96), True)
    mask[:10, :30] = False
    held, values = [], []
    for _ in range(200):
        before, after = _responding_film(rng, 1.7)
        estimate = statistics.sum_ratio(after, before, mask)
        held.append(contains(estimate.interval(), np.log(1.7)))
        values.append(estimate.value)
    assert at_least_90_percent(held)
    assert np.mean(values) == pytest.approx(np.log(1.7), abs=4 * np.std(values) / np.sqrt(200))


def test_ratio_of_sums_is_no_wider_than_the_scatter_asks_for() -> None:
    rng = np.random.default_rng(6)
    mask = np.full((96, 96), True)
    found = [statistics.sum_ratio(*_responding_film(rng, 1.0)[::-1], mask) for _ in range(150)]
    scatter = np.std([estimate.value for estimate in found])
    assert np.mean([estimate.error for estimate in found]) == pytest.approx(scatter, rel=0.25)


def test_ratio_of_sums_does_not_depend_on_units_and_reverses() -> None:
    before, after = _responding_film(np.random.default_rng(7), 2.0)
    mask = np.full(before.shape, True)
    estimate = statistics.sum_ratio(after, before, mask)
    assert estimate.value == pytest.approx(np.log(after.sum() / before.sum()), rel=1e-12)
    scaled = statistics.sum_ratio(1e-9 * after, 1e-9 * before, mask)
    assert scaled.interval() == pytest.approx(estimate.interval(), rel=1e-9)
    low, high = statistics.sum_ratio(before, after, mask).interval()
    assert (-high, -low) == pytest.approx(estimate.interval(), rel=1e-9)


def test_pixels_outside_the_mask_do_not_count() -> None:
    before, after = _responding_film(np.random.default_rng(8), 2.0)
    mask = np.full(before.shape, False)
    mask[10:80, 20:90] = True
    spoilt = np.where(mask, after, np.nan)
    expected = statistics.sum_ratio(after, before, mask)
    assert statistics.sum_ratio(spoilt, before, mask) == expected
    assert statistics.mean(spoilt, mask) == statistics.mean(after, mask)


def test_too_few_independent_places_give_an_infinite_interval() -> None:
    before, after = _responding_film(np.random.default_rng(9), 2.0)
    mask = np.full(before.shape, False)
    mask[40:52, 40:52] = True  # two correlation lengths wide
    estimate = statistics.sum_ratio(after, before, mask)
    assert np.isfinite(estimate.value)
    assert estimate.interval() == (-np.inf, np.inf)
    assert statistics.mean(before, mask).interval() == (-np.inf, np.inf)


@pytest.mark.parametrize("current", [0.0, -1.0])
def test_no_pixels_or_no_current_say_nothing(current: float) -> None:
    image = np.full((40, 40), current)
    for estimate in (
        statistics.sum_ratio(image, image, np.full(image.shape, True)),
        statistics.sum_ratio(image + 2, image + 2, np.full(image.shape, False)),
        statistics.mean(image * np.nan, np.full(image.shape, True)),
    ):
        assert np.isnan(estimate.value)
        assert estimate.interval() == (-np.inf, np.inf)


def test_mean_holds_the_expectation_of_a_smooth_field() -> None:
    rng = np.random.default_rng(10)
    mask = np.full((90, 110), True)
    mask[30:50, 40:70] = False
    held = []
    for _ in range(200):
        image = 3 + smooth(rng, mask.shape, 2.5)
        image[60, 60] = np.nan
        estimate = statistics.mean(image, mask)
        held.append(contains(estimate.interval(), 3))
        assert estimate.value == pytest.approx(np.nanmean(image[mask]), rel=1e-12)
    assert at_least_90_percent(held)


def test_difference_of_estimates_is_welchs_interval() -> None:
    rng = np.random.default_rng(11)
    one, other = rng.normal(5, 3, 12), rng.normal(4, 0.7, 30)
    a, b = (Estimate(x.mean(), stats.sem(x), len(x) - 1) for x in (one, other))
    welch = stats.ttest_ind(one, other, equal_var=False)
    assert a.minus(b).freedom == pytest.approx(welch.df)
    for level in (0.95, 0.5):
        interval = welch.confidence_interval(level)
        assert a.minus(b).interval(level) == pytest.approx((interval.low, interval.high))


def test_difference_to_nothing_is_unknown() -> None:
    known = Estimate(1.0, 0.1, 20)
    for difference in (known.minus(statistics.NOTHING), statistics.NOTHING.minus(known)):
        assert difference.interval() == (-np.inf, np.inf)


def test_interval_through_a_rising_function_keeps_its_order() -> None:
    estimate = Estimate(0.3, 0.2, 9)
    low, high = estimate.interval()
    assert estimate.through(np.exp) == (np.exp(0.3), np.exp(low), np.exp(high))


def test_unrelated_smooth_images_are_called_correlated_in_five_of_a_hundred_cases() -> None:
    rng = np.random.default_rng(12)
    pairs = 400
    p = [
        statistics.shift_test(*(smooth(rng, (72, 64), 2.5) for _ in range(2)))[1]
        for _ in range(pairs)
    ]
    few, many = stats.binom.ppf([0.001, 0.999], pairs, 0.05)
    assert few <= np.sum(np.array(p) < 0.05) <= many


def test_related_smooth_images_are_found_by_spearmans_correlation() -> None:
    rng = np.random.default_rng(13)
    one, noise = (smooth(rng, (72, 64), 2.5) for _ in range(2))
    for sign in (1, -1):
        other = np.exp(sign * 0.5 * one + noise)
        correlation, p = statistics.shift_test(one, other)
        assert correlation == pytest.approx(stats.spearmanr(one.ravel(), other.ravel()).statistic)
        assert p < 0.01


def test_an_image_that_is_the_same_everywhere_follows_nothing() -> None:
    image = smooth(np.random.default_rng(14), (10, 100), 2)
    assert np.isnan(statistics.shift_test(np.ones(image.shape), image)).all()
    assert np.isnan(statistics.shift_test(image, np.zeros(image.shape))).all()
