"""Two maps beside each other: what agrees is counted by hand, pairs one by one."""

from itertools import combinations

import numpy as np
import pytest
import xarray as xr
from grain_maps import dataset, random, turned

from liscope.errors import DataError
from liscope.grains import agreement, rand_index


@pytest.fixture
def truth() -> xr.Dataset:
    """Ten columns of two rows: six LMNO, two Pt, one of glass, one empty."""
    phase = np.tile([0, 0, 0, 0, 0, 0, 1, 1, -1, -2], (2, 1))
    return dataset(random(20, 3).reshape(2, 10, 4), phase)


def tilted(truth: xr.Dataset, column: int, degrees: float) -> None:
    """Turn what was found in a column, by what lies between one crystal and the other."""
    from orix.quaternion import Rotation

    old = Rotation(truth["orientation"].values[:, column])
    new = Rotation(turned((1.0, 2.0, 3.0), degrees)) * old
    truth["orientation"].values[:, column] = new.data


def test_a_map_agrees_with_itself(truth: xr.Dataset) -> None:
    assert agreement(truth, truth) == {
        "same phase": 1.0, "same orientation": 1.0, "median angle": pytest.approx(0, abs=1e-5),
    }  # fmt: skip


def test_shares_are_those_of_the_truths_crystals(truth: xr.Dataset) -> None:
    found = truth.copy(deep=True)
    tilted(found, 0, 2.0)  # within 2.5 degrees
    tilted(found, 1, 3.0)
    tilted(found, 2, 30.0)
    found["phase"].values[:, 3] = -3  # overlooked
    found["phase"].values[:, 6] = 0  # of the wrong phase
    found["phase"].values[:, 8] = 0  # glass called a crystal: no part of the comparison
    result = agreement(found, truth)
    assert result["same phase"] == pytest.approx(6 / 8)
    assert result["same orientation"] == pytest.approx(4 / 8)
    assert result["median angle"] == pytest.approx(1.0, abs=1e-4)  # of 2, 3, 30, 0, 0, 0
    assert agreement(found, truth, 3.5)["same orientation"] == pytest.approx(5 / 8)
    assert agreement(found, truth, 1.5)["same orientation"] == pytest.approx(3 / 8)


def test_equivalents_are_the_same(truth: xr.Dataset) -> None:
    from orix.quaternion import Rotation

    found = truth.copy(deep=True)
    quarter = Rotation(turned((0.0, 1.0, 0.0), 90))
    found["orientation"].values[:] = (quarter * Rotation(truth["orientation"].values)).data
    assert agreement(found, truth)["same orientation"] == 1.0
    trigonal = found.assign(point_group=("phase_id", ["-3m", "-3m"]))
    assert agreement(trigonal, truth)["same orientation"] == 0.0


def test_those_that_are_sure_are_counted_apart(truth: xr.Dataset) -> None:
    sure = np.tile([0.99, 0.96, 0.5, 0.9, 0.9, 0.9, 0.97, np.nan, 1.0, 1.0], (2, 1))
    found = truth.copy(deep=True).assign(reliability=(("y", "x"), sure))
    tilted(found, 1, 20.0)
    result = agreement(found, truth)
    assert result["surer than 0.95"] == pytest.approx(3 / 8)
    assert result["same orientation of those"] == pytest.approx(2 / 3)
    assert result["same orientation"] == pytest.approx(7 / 8)
    doubtful = agreement(found.assign(reliability=0 * found["reliability"]), truth)
    assert doubtful["surer than 0.95"] == 0 and np.isnan(doubtful["same orientation of those"])


def test_other_crystals_in_the_beam_count_for_points_called_sure(truth: xr.Dataset) -> None:
    sure = xr.DataArray(np.tile([0.99] * 4 + [0.5] * 4 + [0.99, 0.5], (2, 1)), dims=("y", "x"))
    found = truth.copy(deep=True).assign(reliability=sure)
    tilted(found, 0, 20.0)  # a crystal behind the thicker one
    tilted(found, 1, 20.0)  # nothing of the kind is there
    found["phase"].values[:, 8] = 1  # a crystal in front of more glass
    found["orientation"].values[:, 8] = found["orientation"].values[:, 7]
    beside = {
        "second_phase": found["phase"].where(found["x"] == found["x"][0], -3),
        "second_orientation": found["orientation"],
        "crystal_phase": found["phase"].where(found["x"] == found["x"][8], -3),
        "crystal_orientation": found["orientation"],
    }
    key = "a crystal's in the beam, of all so sure"
    assert agreement(found, truth)[key] == pytest.approx(2 / 5)
    assert agreement(found, truth.assign(beside))[key] == pytest.approx(4 / 5)
    assert agreement(found, truth.assign(beside))["same orientation"] == pytest.approx(6 / 8)


def test_the_order_of_dimensions_does_not_matter(truth: xr.Dataset) -> None:
    sure = np.tile(np.linspace(0.9, 1, 10), (2, 1))
    found = truth.assign(reliability=(("y", "x"), sure))
    swapped = found.transpose("quaternion", "x", "y", ...)
    assert agreement(swapped, truth) == agreement(found, truth)


def test_a_phase_without_an_orientation_is_no_angle(truth: xr.Dataset) -> None:
    found = truth.copy(deep=True)
    found["orientation"].values[:, :5] = np.nan
    tilted(found, 5, 1.0)
    result = agreement(found, truth)
    assert result["same phase"] == 1 and result["same orientation"] == pytest.approx(3 / 8)
    assert result["median angle"] == pytest.approx(0, abs=1e-5)  # of 1, 0, 0
    nothing = agreement(truth.assign(phase=0 * truth["phase"] - 3), truth)
    assert nothing["same phase"] == 0 and np.isnan(nothing["median angle"])


def test_what_cannot_be_compared_is_refused(truth: xr.Dataset) -> None:
    renamed = truth.assign(phase_name=("phase_id", ["Pt", "LMNO"]))
    for other in (truth.isel(x=slice(4)), renamed):
        with pytest.raises(DataError, match="differ in size or phases"):
            agreement(other, truth)
    with pytest.raises(DataError, match="no crystal"):
        agreement(truth, truth.assign(phase=0 * truth["phase"] - 1))


# ---------------------------------------------------------------------------------- Rand index


def labels(values: object) -> xr.DataArray:
    return xr.DataArray(np.atleast_2d(values), dims=("y", "x"))


def by_pairs(one: np.ndarray, two: np.ndarray) -> float:
    """Hubert and Arabie's index, each pair of points looked at."""
    points = [(a, b) for a, b in zip(one.ravel(), two.ravel(), strict=True) if a > 0 and b > 0]
    same = [(p[0] == q[0], p[1] == q[1]) for p, q in combinations(points, 2)]
    together, first, second = (
        sum(chosen) for chosen in ([a and b for a, b in same], *zip(*same, strict=True))
    )
    chance = first * second / len(same)
    return (together - chance) / ((first + second) / 2 - chance)


@pytest.mark.parametrize("seed", range(6))
def test_the_rand_index_counts_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, noise = rng.integers(0, 4, (5, 9)), rng.integers(0, 6, (5, 9))
    two = np.where(rng.random((5, 9)) < 0.2 * seed, noise, one)
    assert rand_index(labels(one), labels(two)) == pytest.approx(by_pairs(one, two))


def test_known_values() -> None:
    """Table of counts (1 1 0; 1 2 1; 0 0 4): the example of Yeung and Ruzzo (2001), 0.313."""
    one = [1, 1, 2, 2, 2, 2, 3, 3, 3, 3]
    two = [1, 2, 1, 2, 2, 3, 3, 3, 3, 3]
    assert rand_index(labels(one), labels(two)) == pytest.approx(0.313, abs=5e-4)


def test_names_of_grains_do_not_matter() -> None:
    one = np.random.default_rng(0).integers(0, 30, (40, 40))
    new = np.r_[0, 1 + np.random.default_rng(1).permutation(60)[:29]]
    assert rand_index(labels(one), labels(new[one])) == pytest.approx(1)
    turned_round = labels(one).transpose("x", "y")
    assert rand_index(labels(one), turned_round) == pytest.approx(1)


def test_independent_divisions_agree_by_chance_only() -> None:
    rng = np.random.default_rng(2)
    found = [
        rand_index(labels(rng.integers(1, 8, (30, 30))), labels(rng.integers(1, 8, (30, 30))))
        for _ in range(20)
    ]
    assert np.mean(found) == pytest.approx(0, abs=0.002)


def test_trivial_divisions() -> None:
    one, each = labels(np.ones((3, 4), int)), labels(np.arange(1, 13).reshape(3, 4))
    assert rand_index(one, one) == rand_index(each, each) == 1
    assert rand_index(one, each) == 0
    assert np.isnan(rand_index(one, 0 * one))
    with pytest.raises(DataError, match="differ in size"):
        rand_index(one, labels(np.ones((4, 3), int)))
