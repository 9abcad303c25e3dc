"""Each flag on curves with one thing wrong, and on curves with nothing wrong."""

import numpy as np
import pytest
from curves_of import curves_of, sweep

from liscope import data
from liscope import spectroscopy as iv
from liscope.specimens import ionic_loops
from liscope.spectroscopy.quality import noise_of

NOISE = 0.003
BIAS = sweep(0, 5, -5, 0)


def plain(number: int = 40, noise: float = NOISE, seed: int = 0) -> np.ndarray:
    """Return currents (curve, point) of films that differ in conductance, with an offset."""
    rng = np.random.default_rng(seed)
    factor = np.exp(rng.uniform(-1.5, 1.5, (number, 1)))
    return factor * np.sinh(BIAS / 2) / 3 + 0.006 + noise * rng.standard_normal((number, BIAS.size))


def flags(current: np.ndarray, bias: np.ndarray = BIAS) -> dict[str, np.ndarray]:
    table = iv.quality(iv.cycles(curves_of(np.broadcast_to(bias, current.shape), current)))
    return {name: table[name].to_numpy() for name in [*iv.FLAGS, "good"]}


def only(found: dict[str, np.ndarray], flag: str, rows: list[int]) -> None:
    """Assert that these rows carry this flag, and nothing else is flagged."""
    for name in iv.FLAGS:
        assert list(np.flatnonzero(found[name])) == (rows if name == flag else []), name


def test_nothing_is_wrong_with_good_curves() -> None:
    wrong = [(~flags(plain(seed=seed))["good"]).sum() for seed in range(50)]
    # Four flags, each with one chance in a hundred for the whole file.
    assert sum(wrong) <= 6  # P(more) < 0.5 % for a mean of 2


def test_clipped_at_either_end_even_by_one_point_where_others_share_the_limit() -> None:
    current = plain()
    current[3] = np.clip(current[3], -np.inf, 0.9 * current[3].max())
    current[5] = np.clip(current[5], 0.9 * current[5].min(), np.inf)
    current[7] = current[7] * current[3].max() / current[7].max()  # one point at that limit
    only(flags(current), "clipped", [3, 5, 7])


def test_two_equal_neighbours_are_no_limit_and_a_coarse_converter_is_none_either() -> None:
    current = plain()
    top = current[0].argmax()
    current[0, top + 1] = current[0, top]
    assert not flags(current)["clipped"].any()
    stairs = 0.02 * np.round(plain(noise=0.003) / 0.02)  # many neighbours are equal
    assert not flags(stairs)["clipped"].any()


@pytest.mark.parametrize("first", [30, 90, 120, 270])
def test_lost_contact_is_seen_wherever_current_flowed(first: int) -> None:
    current = plain()
    rng = np.random.default_rng(1)
    current[4, first : first + 25] = 0.006 + NOISE * rng.standard_normal(25)
    only(flags(current), "contact_lost", [4])


def test_contact_is_not_lost_where_a_rectifier_does_not_conduct() -> None:
    one_way = np.where(plain(noise=0) > 0.006, plain(noise=0), 0.006)
    noisy = one_way + NOISE * np.random.default_rng(2).standard_normal(one_way.shape)
    assert flags(noisy)["good"].all()


def test_sweeps_that_do_not_come_back_or_not_from_as_far_are_incomplete() -> None:
    current, bias = plain(), np.tile(BIAS, (40, 1))
    bias[2, 250:] = np.nan  # after the way down has begun
    bias[6, 201:] = np.nan  # when it is back at zero: a whole loop of one polarity
    bias[8] *= 0.9
    only(flags(current, bias), "incomplete", [2, 6, 8])


def test_a_group_that_is_swept_less_far_is_complete_and_a_short_sweep_of_it_is_not() -> None:
    current, bias = plain(22), np.tile(BIAS, (22, 1))
    bias[12:] *= 0.6  # to 3 V, not 5
    bias[15] *= 0.9
    loops = iv.cycles(curves_of(bias, current, group=["far"] * 12 + ["near"] * 10))
    assert list(np.flatnonzero(iv.quality(loops)["incomplete"])) == [15]
    ends = iv.differing_sweeps(loops)
    assert ends == {"far": pytest.approx((-5, 5)), "near": pytest.approx((-3, 3))}


def test_noise_of_the_bias_makes_no_differing_sweeps() -> None:
    bias = BIAS + 0.02 * np.random.default_rng(5).standard_normal((6, BIAS.size))
    loops = iv.cycles(curves_of(bias, plain(6), group=["a", "a", "a", "b", "b", "b"]))
    assert iv.differing_sweeps(loops) == {}


def test_noise_and_displacement_current_are_no_signal() -> None:
    current = plain()
    rng = np.random.default_rng(3)
    step = np.where(np.gradient(BIAS) > 0, 0.01, -0.01)
    current[1] = 0.006 + NOISE * rng.standard_normal(BIAS.size)
    current[2] = 0.006 + NOISE * rng.standard_normal(BIAS.size) + step
    current[3] = 0.0
    only(flags(current), "no_signal", [1, 2, 3])


def test_a_weak_signal_is_a_signal() -> None:
    rng = np.random.default_rng(4)
    weak = 30 * NOISE * np.sinh(BIAS / 2) / np.sinh(2.5)
    assert flags(weak + NOISE * rng.standard_normal((40, BIAS.size)))["good"].all()


def test_noise_is_told_from_a_steep_curve() -> None:
    found = noise_of(plain(400))
    assert np.mean(found) == pytest.approx(NOISE, rel=0.03)  # curvature adds a little


def test_flags_are_counted_in_each_group() -> None:
    current = plain(6)
    current[1] = np.clip(current[1], -np.inf, 0.5 * current[1].max())
    bias = np.broadcast_to(BIAS, current.shape)
    loops = iv.cycles(curves_of(bias, current, group=["a", "a", "a", "b", "b", "b"]))
    table = iv.flag_table(iv.quality(loops))
    assert table.loc["clipped"].to_dict() == {"a": 1, "b": 0, "all": 1}
    assert table.loc["good"].to_dict() == {"a": 2, "b": 3, "all": 5}
    assert table.loc["loops"].to_dict() == {"a": 3, "b": 3, "all": 6}


@pytest.mark.parametrize("seed", range(4))
def test_bad_curves_of_the_specimen_are_flagged_and_good_ones_are_not(seed: int) -> None:
    tree = ionic_loops.simulate(seed)
    truth = tree["truth"].to_dataset()
    table = iv.quality(iv.cycles(tree["curves"].to_dataset()))
    assert not (table["good"] & truth["bad"].values).any()
    assert table["good"][truth["good"].values].all()
    for flag, name in (("clipped", "clipped"), ("incomplete", "broken_off")):
        np.testing.assert_array_equal(table[flag], truth[name])


@pytest.mark.usefixtures("real")
def test_a_real_clipped_curve_and_a_real_grid_without_retrace() -> None:
    pair = iv.quality(iv.cycles(data.open_curves("real:Bias-Spectroscopy041.dat"))).iloc[0]
    assert pair["clipped"] and not (pair["contact_lost"] or pair["no_signal"])
    assert pair["clipped_percent"] == pytest.approx((80.08 + 75.78) / 2, abs=0.1)
    grid = iv.quality(iv.cycles(data.open_curves("real:STS_grid_lockin.3ds")))
    assert len(grid) == 900 and grid["incomplete"].all()
    assert not grid[["clipped", "contact_lost", "no_signal"]].any(axis=None)
