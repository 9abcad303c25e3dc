"""The paper's two scales and Anscombe's, by hand and by what they are for."""

import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

sys.path.append(str(Path(__file__).parent))
from counted_volumes import smooth, stack, volume
from scipy import ndimage

from liscope.errors import DataError
from liscope.volume.moments import joint_moments
from liscope.volume.normalise import (
    anscombe,
    limits,
    log_levels,
    log_scaled,
    min_max,
    normalisation_table,
    normalised_correlations,
)

COUNTS = np.array([0, 1, 2, 3, 4, 5, 10, 34])  # 34 counts: log levels of the peers' table, at most


def test_equation_1_by_hand() -> None:
    values = np.stack([COUNTS, COUNTS + 100]).reshape(2, 2, 2, 2)
    expected = np.round(255 * COUNTS / 34)
    for found in (min_max(volume(values)), min_max(volume(values).chunk({"z": 1}))):
        np.testing.assert_array_equal(found.to_numpy().reshape(2, 8), [expected, expected])
        assert found.dims == ("channel", "z", "y", "x")
        assert found.dtype == np.float32


def test_equation_2_has_no_value_for_none_and_0_for_one() -> None:
    """Counts 1, 2, 3, 4, 5, 10 become 0, 50, 79, 100, 116, 167 where the brightest is 34."""
    found = log_scaled(volume(COUNTS.reshape(1, 2, 2, 2), "a")).to_numpy().ravel()
    np.testing.assert_array_equal(found, [np.nan, 0, 50, 79, 100, 116, 167, 255])
    below = volume(np.array([[-1.0, 0.5, 34, 1]]).reshape(1, 1, 2, 2), "a")
    np.testing.assert_array_equal(log_scaled(below).to_numpy().ravel(), [np.nan, 0, 255, 0])


def test_limits_given_are_those_used_and_nothing_is_computed() -> None:
    values = volume(COUNTS.reshape(1, 2, 2, 2), "a")
    wide = limits(values * 2)
    lazy = log_scaled(values.chunk({"z": 1}), wide)
    assert lazy.chunks is not None
    np.testing.assert_allclose(lazy.max(), np.round(255 * np.log10(34) / np.log10(68)))


@pytest.mark.parametrize("mean", [4, 10, 100])
def test_anscombes_root_of_counts_has_a_variance_of_one(mean: float) -> None:
    rng = np.random.default_rng(0)
    found = anscombe(volume(rng.poisson(mean, (1, 20, 100, 100)), "a"))
    assert float(found.std()) == pytest.approx(1, abs=0.03)


def test_of_interpolated_counts_too_given_what_is_left_of_their_variance() -> None:
    rng = np.random.default_rng(1)
    weights = np.array([0.1, 0.4, 0.3, 0.2])
    mixed = ndimage.convolve1d(rng.poisson(15, (1, 20, 100, 100)).astype(float), weights)
    found = anscombe(volume(mixed, "a"), float(np.sum(weights**2)))
    assert float(found.std()) == pytest.approx(1, abs=0.03)
    assert float(anscombe(volume(mixed, "a")).std()) < 0.6


def test_a_table_of_what_is_clipped_and_merged() -> None:
    """Ten voxels, and an outlier that leaves four levels of grey for all the others.

    255 x / 1000 is 0, 0.255, 0.51, 1.3, 2.3, 3.1, 255: 1 comes to 0 though it was counted, and 2
    and 5 are merged.
    """
    counts = np.array([0, 0, 1, 1, 1, 2, 5, 9, 12, 1000]).reshape(1, 1, 2, 5)
    found = normalisation_table(stack(counts, 0.1)).loc["ion0"]
    assert found["counts_max"] == 1000
    assert found["none_percent"] == pytest.approx(20)
    assert found["log_black_percent"] == pytest.approx(30)
    assert found["min_max_black_percent"] == pytest.approx(30)
    assert found["min_max_merged_percent"] == pytest.approx(20 + 30 + 10 + 10)
    assert found["log_merged_percent"] == 0
    lazy = normalisation_table(stack(counts, 0.1).chunk({"x": 2}))
    np.testing.assert_array_equal(lazy.loc["ion0"], found)


@pytest.mark.parametrize(("most", "lost"), [(255, 0.0), (509, 0.0), (511, 25.0)])
def test_equation_1_loses_single_counts_only_beside_an_outlier(most: int, lost: float) -> None:
    counts = np.array([0, 1, 2, most]).reshape(1, 1, 2, 2)
    found = normalisation_table(stack(counts, 0.1)).loc["ion0"]
    assert found["min_max_black_percent"] == lost
    assert found["log_black_percent"] == 25
    # The same from the scaled pictures themselves.
    for name, scale in (("min_max", min_max), ("log", log_scaled)):
        black = (scale(volume(counts, "a")) == 0).to_numpy() & (counts > 0)
        assert found[f"{name}_black_percent"] == 100 * black.mean()


def test_where_no_pixel_is_empty_equation_1_makes_the_darkest_black() -> None:
    counts = np.array([7, 7, 9, 30]).reshape(1, 1, 2, 2)
    found = normalisation_table(stack(counts, 0.1)).loc["ion0"]
    assert found["min_max_black_percent"] == 50 and found["log_black_percent"] == 0


def test_levels_of_recorded_pictures_are_whole_and_0_for_none() -> None:
    made = stack(COUNTS.reshape(1, 2, 2, 2), 0.1)
    for counts in (made, made.chunk({"slice": 1})):
        found = log_levels(counts)
        assert found.dims == ("channel", "slice", "y", "x")
        expected = [0, 0, 50, 79, 100, 116, 167, 255]
        np.testing.assert_array_equal(found.to_numpy().ravel(), expected)
    gap = made.astype(float).where(made != 3)
    assert np.isnan(log_levels(gap).to_numpy().ravel()[3])


def test_interpolated_counts_are_not_counted() -> None:
    with pytest.raises(DataError, match="not whole"):
        normalisation_table(stack(np.full((1, 1, 2, 2), 0.5) + np.eye(2), 0.1))
    with pytest.raises(DataError, match="no counts as recorded"):
        normalisation_table(stack(np.full((1, 1, 2, 2), -1), 0.1))


def test_each_scales_correlation_is_numpys() -> None:
    rng = np.random.default_rng(2)
    base = smooth(rng, (6, 40, 50))
    counts = np.stack([rng.poisson(np.exp(base)), rng.poisson(np.exp(0.5 - base))])
    found = normalised_correlations(volume(counts).chunk({"z": 2}), ("a", "b"))["correlation"]
    a, b = counts.reshape(2, -1).astype(float)
    logs = [np.round(255 * np.log10(np.maximum(c, 1)) / np.log10(c.max())) for c in (a, b)]
    seen = (a > 0) & (b > 0)
    roots = [2 * np.sqrt(c + 0.375) for c in (a, b)]
    expected = {
        "counts": np.corrcoef(a, b),
        "log": np.corrcoef(logs[0][seen], logs[1][seen]),
        "log, none as 0": np.corrcoef(*logs),
        "Anscombe": np.corrcoef(*roots),
    }
    for name, matrix in expected.items():
        assert found[name] == pytest.approx(matrix[0, 1], abs=1e-5)
    assert found["min-max"] == pytest.approx(found["counts"], abs=0.01)  # affine but for rounding
    assert joint_moments(volume(counts))["correlation"][0, 1] == pytest.approx(found["counts"])


def test_the_papers_order_and_the_noise_left_by_interpolation() -> None:
    """Levels averaged over two pixels are not the level of the two pixels' average."""
    rng = np.random.default_rng(3)
    base = np.exp(smooth(rng, (6, 40, 50)))
    recorded = rng.poisson(np.stack([2 * base, 3 / base]))
    levels = log_levels(volume(recorded))

    def mixed(values: np.ndarray) -> np.ndarray:
        return np.asarray(0.5 * (values[..., 1:] + values[..., :-1]))

    counts, first = (volume(mixed(np.asarray(one, float))) for one in (recorded, levels))
    noise = xr.DataArray([[0.5] * 6] * 2, {"channel": ["a", "b"]}, ("channel", "z"))
    found = normalised_correlations(counts, ("a", "b"), noise, first)["correlation"]
    grey = [np.round(255 * np.log10(np.maximum(one, 1)) / np.log10(one.max())) for one in recorded]
    expected = np.corrcoef(*(mixed(one).ravel() for one in grey))[0, 1]
    assert found["log before interpolation"] == pytest.approx(expected, abs=1e-5)
    assert abs(found["log before interpolation"] - found["log, none as 0"]) > 0.01
    roots = [np.sqrt(mixed(one).ravel() / 0.5 + 0.375) for one in recorded.astype(float)]
    assert found["Anscombe"] == pytest.approx(np.corrcoef(*roots)[0, 1], abs=1e-5)
    alone = normalised_correlations(counts, ("a", "b"))
    assert "log before interpolation" not in alone.index
