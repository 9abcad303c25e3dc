"""Every definition of a loop's area, on loops whose areas are known in closed form."""

import numpy as np
import pytest
from curves_of import curves_of, phase, sweep

from liscope import data
from liscope import spectroscopy as iv

POINTS = 800


def row(bias: np.ndarray, current: np.ndarray) -> dict[str, float]:
    return iv.loop_areas(iv.cycles(curves_of(bias, current))).iloc[0].to_dict()


@pytest.mark.parametrize("start", [0.0, np.pi / 2, 2.0])
@pytest.mark.parametrize("sense", [1, -1])
def test_ellipse(start: float, sense: int) -> None:
    """V = a sin x, I = b sin(x - d): the area is pi a b sin d, the same in each half."""
    at, lag = phase(POINTS) + start, 0.4 * sense
    found = row(2 * np.sin(at), 3 * np.sin(at - lag))
    area = np.pi * 2 * np.sin(lag)
    assert found["signed_V"] == pytest.approx(area, rel=1e-3)
    assert found["enclosed_V"] == pytest.approx(abs(area), rel=1e-3)
    assert found["unsigned_V"] == pytest.approx(abs(area), rel=1e-3)
    assert found["positive_V"] == pytest.approx(area / 2, rel=1e-3)
    assert found["negative_V"] == pytest.approx(area / 2, rel=1e-3)
    assert found["dimensionless"] == pytest.approx(abs(area) / 4, rel=1e-3)
    assert found["peak_nA"] == pytest.approx(3, rel=1e-3)
    assert found["area_nAV"] == pytest.approx(3 * abs(area), rel=1e-3)


def test_parallelogram() -> None:
    """A conductor with a capacitor beside it: I = G V +- C r, clockwise, 2 C r wide everywhere."""
    bias = sweep(-5, 5, -5)
    rising = np.arange(bias.size) < bias.size // 2
    found = row(bias, 0.2 * bias + np.where(rising, 0.1, -0.1))
    assert found["signed_V"] == pytest.approx(-2 * 0.1 * 10 / 1.1, rel=5e-3)  # corners of one step
    assert found["unsigned_V"] == pytest.approx(found["enclosed_V"], rel=5e-3)
    fine = sweep(-5, 5, -5, step=0.005)
    rising = np.arange(fine.size) < fine.size // 2
    found = row(fine, 0.2 * fine + np.where(rising, 0.1, -0.1))
    assert found["signed_V"] == pytest.approx(-2 * 0.1 * 10 / 1.1, rel=1e-3)
    assert found["unsigned_V"] == pytest.approx(2 * 0.1 * 10 / 1.1, rel=1e-3)


@pytest.mark.parametrize("start", [0.0, np.pi / 2])
def test_lemniscate(start: float) -> None:
    """V = a sin x, I = b sin 2x: two lobes of 4 a b / 3 in opposite senses."""
    at = phase(POINTS) + start
    found = row(2 * np.sin(at), np.sin(2 * at))
    lobe = 4 * 2 / 3
    assert found["signed_V"] == pytest.approx(0, abs=1e-12)
    assert found["enclosed_V"] == pytest.approx(0, abs=1e-12)
    assert found["unsigned_V"] == pytest.approx(2 * lobe, rel=1e-3)
    assert abs(found["positive_V"]) == pytest.approx(lobe, rel=1e-3)
    assert found["negative_V"] == pytest.approx(-found["positive_V"], rel=1e-9)


def test_offset_is_no_part_of_the_peak() -> None:
    at = phase(POINTS)
    found = row(2 * np.sin(at), 3 * np.sin(at - 0.4) + 7)
    assert found["offset_nA"] == pytest.approx(7, abs=1e-3)
    assert found["peak_nA"] == pytest.approx(3, rel=1e-3)
    assert found["signed_V"] == pytest.approx(2 * np.pi * np.sin(0.4), rel=1e-3)


def test_ways_at_different_biases_give_the_same_areas() -> None:
    """Up and down in different steps: 7/40 V and 9/40 V."""
    up, down = np.linspace(-2, 2, 161), np.linspace(2, -2, 143)
    bias = np.concatenate([up, down[1:]])
    current = np.concatenate([up, (down + (4 - down**2) / 10)[1:]])
    found = row(bias, current)
    area = (16 - 2 * 8 / 3) / 10  # the integral of (4 - V^2) / 10 from -2 to 2, peak 2 nA
    assert found["signed_V"] == pytest.approx(area / found["peak_nA"], rel=1e-3)
    assert found["positive_V"] + found["negative_V"] == pytest.approx(found["signed_V"], rel=1e-3)


def noisy(lag: float, noise: float, number: int = 200) -> tuple[np.ndarray, np.ndarray]:
    at = np.tile(phase(400), (number, 1))
    rng = np.random.default_rng(0)
    return 2 * np.sin(at), np.sin(at - lag) + noise * rng.standard_normal(at.shape)


def test_unsigned_area_of_a_closed_loop_is_zero_although_noise_opens_it() -> None:
    table = iv.loop_areas(iv.cycles(curves_of(*noisy(0.0, 0.02))))
    raw = (table["unsigned_V"] + table["pedestal_V"]) * table["peak_nA"]
    # Where noise of 0.02 nA alone parts two points, their distance has a mean of 0.02 x 2/sqrt(pi).
    # Nodes are evenly spaced, points lie closer at the turns: interpolation takes some of it away.
    assert 0.6 < raw.mean() / (4 * 0.02 * 2 / np.sqrt(np.pi)) < 1.0
    assert abs(table["unsigned_V"].mean()) < 4 * table["unsigned_V"].std() / np.sqrt(200)
    assert table["pedestal_V"].min() > 0


@pytest.mark.parametrize("lag", [0.1, 0.3])
def test_unsigned_area_of_an_open_loop_keeps_its_value(lag: float) -> None:
    table = iv.loop_areas(iv.cycles(curves_of(*noisy(lag, 0.02))))
    found = table["unsigned_V"] * table["peak_nA"]
    assert found.mean() == pytest.approx(2 * np.pi * np.sin(lag), rel=5e-3)


def test_standard_error_is_that_of_repeated_curves() -> None:
    loops = iv.cycles(curves_of(*noisy(0.3, 0.02, 400)))
    table = iv.loop_areas(loops, np.full(400, 0.02))
    spread = (table["signed_V"] * table["peak_nA"]).std()
    expected = (table["error_V"] * table["peak_nA"]).mean()
    assert spread == pytest.approx(expected, rel=4 / np.sqrt(2 * 400))


def test_a_curve_without_retrace_has_no_area() -> None:
    bias = sweep(-1, 1)
    table = iv.loop_areas(iv.cycles(curves_of([bias] * 2, [bias] * 2)))
    assert table[["peak_nA", *iv.DEFINITIONS]].isna().all(axis=None)


@pytest.mark.usefixtures("real")
def test_a_real_pinched_loop_by_another_programs_numbers() -> None:
    """Signed 0.036 V, unsigned 0.173 V, lobes of 0.104 and 0.068 V in opposite senses."""
    loops = iv.cycles(data.open_curves("real:Bias-Spectroscopy041.dat"))
    found = iv.loop_areas(loops).iloc[0]
    assert found["enclosed_V"] == pytest.approx(0.036, abs=0.001)
    assert found["unsigned_V"] == pytest.approx(0.173, abs=0.001)
    assert found["negative_V"] == pytest.approx(0.104, abs=0.001)
    assert found["positive_V"] == pytest.approx(-0.068, abs=0.001)
