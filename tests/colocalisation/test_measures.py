"""Measures of correspondence, against scikit-image, SciPy and pixels that are really repeated."""

from dataclasses import replace

import numpy as np
import pytest
from counted_maps import IN_PLACE, PIXEL, counts_of, image, random_pair, seen_of, smooth
from scipy import stats
from skimage.measure import intersection_coeff, manders_coloc_coeff, pearson_corr_coeff

from liscope.colocalisation import (
    Pair,
    Thresholds,
    detection_width,
    measures,
    on_grid,
    pair_of,
    seen_by_beam,
    thresholds,
)
from liscope.errors import DataError
from liscope.registration import Field

LIMITS = Thresholds(current=1.5, counts=2.5, width=0.1)


@pytest.mark.parametrize("seed", range(3))
def test_measures_are_those_of_other_programs(seed: int) -> None:
    pair = random_pair(seed)
    found = measures(pair, LIMITS)
    valid = np.isfinite(pair.typical)
    log, counts = np.log10(pair.typical[valid]), pair.counts[valid]
    conductive, rich = pair.typical[valid] > LIMITS.current, pair.smooth[valid] > LIMITS.counts
    assert found["pearson"] == pytest.approx(pearson_corr_coeff(log, counts)[0])
    assert found["spearman"] == pytest.approx(stats.spearmanr(log, counts)[0])
    assert found["manders_lithium"] == pytest.approx(manders_coloc_coeff(counts, conductive))
    carried = np.maximum(pair.current[valid], 0)
    assert found["manders_current"] == pytest.approx(manders_coloc_coeff(carried, rich))
    shares = [intersection_coeff(*two) for two in ((conductive, rich), (rich, conductive))]
    assert found["dice"] == pytest.approx(stats.hmean(shares))
    assert found["area_conductive"] == pytest.approx(conductive.mean())
    assert found["area_lithium"] == pytest.approx(rich.mean())
    assert 0.2 < found["pearson"] < 0.7 and len(np.unique(counts)) < 40  # related; many ties


def flat_pair(*columns: np.ndarray) -> Pair:
    rows = [column[None, :] for column in columns]
    return Pair(*rows, Field((0.0, 0.0), (PIXEL, PIXEL), rows[0].shape))


def test_a_weight_is_so_many_pixels() -> None:
    pair = random_pair(4)
    weight = np.random.default_rng(0).integers(0, 4, pair.counts.shape)
    columns = (pair.counts, pair.smooth, pair.current, pair.typical)
    repeated = flat_pair(*(np.repeat(one.ravel(), weight.ravel()) for one in columns))
    weighted = measures(pair, LIMITS, weight.astype(float))
    assert weighted == pytest.approx(measures(repeated, LIMITS))
    assert weighted != pytest.approx(measures(pair, LIMITS))
    ones = np.ones(pair.counts.shape)
    assert measures(pair, LIMITS, ones) == pytest.approx(measures(pair, LIMITS))


def test_maps_that_agree_perfectly_and_not_at_all() -> None:
    current = np.repeat([0.1, 10.0], 50)
    lithium = np.where(current > 1, 8.0, 0.0)
    limits = Thresholds(1.0, 4.0, 0.1)
    same = measures(flat_pair(lithium, lithium, current, current), limits)
    assert [same[name] for name in ("pearson", "spearman", "manders_lithium", "dice")] == (
        pytest.approx([1, 1, 1, 1])
    )
    assert same["manders_current"] == pytest.approx(10 / 10.1)
    turned = measures(flat_pair(lithium[::-1], lithium[::-1], current, current), limits)
    assert [turned[name] for name in ("pearson", "spearman", "manders_lithium", "dice")] == (
        pytest.approx([-1, -1, 0, 0])
    )


def test_a_correlation_with_what_is_the_same_everywhere_is_none() -> None:
    current = np.linspace(0.1, 1, 30)
    even = np.full(30, 3.0)
    found = measures(flat_pair(even, even, current, current), Thresholds(5.0, 9.0, 0.1))
    assert np.isnan([found["pearson"], found["spearman"], found["dice"]]).all()
    assert found["manders_lithium"] == found["area_lithium"] == 0


def test_what_a_beam_sees_of_a_current() -> None:
    """Columns of 1 and 100 nA, finer than the beam: 50.5 in the mean, 10 typically."""
    stripes = np.where(np.arange(80) % 2, 1.0, 100.0) * np.ones((80, 1))
    seen = seen_by_beam(image(stripes, 0.01, units="nA", quantity="current"), 0.1)
    inner = seen.isel(x=slice(30, 50), y=slice(30, 50))
    np.testing.assert_allclose(inner["mean"], 50.5, rtol=1e-3)
    np.testing.assert_allclose(inner["typical"], 10, rtol=1e-3)
    assert {one.attrs["units"] for one in seen.values()} == {"nA"}
    floor = seen_by_beam(image(stripes - 50, 0.01, units="nA", quantity="current"), 0.1, 0.5)
    np.testing.assert_allclose(floor["typical"][40, 40], np.sqrt(0.5 * 50), rtol=1e-3)


def test_pair_holds_what_lies_on_the_pixels_of_the_counts() -> None:
    rng = np.random.default_rng(0)
    counts, current = counts_of(rng.poisson(3, (30, 40))), rng.uniform(1, 2, (25, 40))
    pair = pair_of(counts, on_grid(seen_of(current), counts, IN_PLACE), LIMITS)
    np.testing.assert_array_equal(pair.counts, counts)
    np.testing.assert_allclose(pair.current[:25], current, atol=1e-5)
    np.testing.assert_array_equal(pair.valid, np.arange(30)[:, None] * np.ones((1, 40)) < 25)
    conductive, rich = pair.masks(LIMITS)
    np.testing.assert_array_equal(conductive[:25], pair.typical[:25] > 1.5)
    np.testing.assert_array_equal(rich[:25], pair.smooth[:25] > 2.5)
    assert not conductive[25:].any() and not rich[25:].any()


# ---------------------------------------------------------------------------------- thresholds


def test_thresholds_are_those_given() -> None:
    counts = counts_of(np.random.default_rng(0).poisson(200, (30, 30)))
    found = thresholds(counts, seen_of(np.ones((30, 30))), 0.1, 0.25, 7.0)
    assert (found.current, found.counts, found.width) == (0.25, 7.0, 0.1)


def test_thresholds_lie_between_two_kinds_of_places() -> None:
    rng = np.random.default_rng(0)
    rich = smooth(rng, 100, 4) > 0.5
    conductive = smooth(rng, 100, 4) > 0.8
    counts = counts_of(rng.poisson(np.where(rich, 60, 3)))
    current = np.where(conductive, 1.0, 0.01) * np.exp(0.3 * rng.standard_normal(rich.shape))
    found = thresholds(counts, seen_of(current), 0.1)
    assert 0.01 < found.current < 1 and 3 < found.counts < 60
    pair = pair_of(counts, seen_of(current), found)
    assert (pair.masks(found)[0] == conductive).mean() > 0.99
    assert (pair.masks(found)[1] == rich).mean() > 0.93  # the beam rounds the rims


@pytest.mark.parametrize("current", [-np.ones((20, 20)), np.full((20, 20), np.nan)])
def test_maps_with_too_little_in_common_have_no_thresholds(current: np.ndarray) -> None:
    with pytest.raises(DataError, match="fewer than 100 pixels"):
        thresholds(counts_of(np.ones((20, 20))), seen_of(current), 0.1)


@pytest.mark.parametrize("mean", [0.3, 1.0])
def test_counts_are_averaged_until_a_place_collects_twelve(mean: float) -> None:
    """Their relative variance is then one in twelve, wherever the counts are the same."""
    counts = counts_of(np.random.default_rng(1).poisson(mean, (400, 400)))
    beam = 0.08
    width = detection_width(counts, beam)
    averaged = pair_of(counts, seen_of(np.ones(counts.shape)), replace(LIMITS, width=width)).smooth
    inner = averaged[20:-20, 20:-20]
    # The richest places are richer than the mean by noise, so that somewhat fewer are collected.
    assert 12 * 0.6 < inner.mean() ** 2 / inner.var() < 12 * 1.02
    assert width > beam


def test_many_counts_need_no_more_than_the_beam() -> None:
    assert detection_width(counts_of(np.full((50, 50), 40.0)), 0.1) == 0.1
