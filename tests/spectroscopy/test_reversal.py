"""Loops of rising maximal bias, in one curve and in many."""

import numpy as np
import pytest
from curves_of import curves_of, sweep

from liscope import spectroscopy as iv

NOISE = 1e-4


def opening(bias: np.ndarray, from_bias: float) -> np.ndarray:
    """Return a current whose way back carries more where the loop reached beyond `from_bias`."""
    loops = iv.cycles(curves_of(bias, bias))
    current, at = [], 0
    for row in range(loops.sizes["curve"]):
        volts = loops["bias"].values[row]
        volts = volts[np.isfinite(volts)]
        back = np.gradient(volts) < 0
        reach = volts.max()
        excess = max(reach - from_bias, 0) * volts * (reach - volts) * (volts > 0)
        part = volts + np.where(back, excess, 0)
        current.append(part if at == 0 else part[1:])
        at += len(part)
    return np.concatenate(current)


@pytest.mark.parametrize("turns", [[0, 1, 0, 2, 0, 3, 0, 4, 0], [0, 1, -1, 2, -2, 3, -3, 4, -4, 0]])
def test_areas_and_onset_of_a_train(turns: list[float]) -> None:
    bias = sweep(*turns, step=0.02)
    rng = np.random.default_rng(0)
    rows = opening(bias, 2.0) * np.exp(rng.uniform(-1, 1, (6, 1)))
    rows = rows + NOISE * rng.standard_normal(rows.shape)
    table = iv.reversal_table(iv.cycles(curves_of(np.tile(bias, (6, 1)), rows)))
    assert table["maximal_bias_V"].to_numpy() == pytest.approx([1, 2, 3, 4])
    assert (table["places"] == 6).all() and (table["loops"] == 6).all()
    # The integral of (m - 2) v (m - v) from 0 to m is (m - 2) m^3 / 6.
    reach = np.array([3.0, 4.0])
    volts = np.linspace(0, 4, 4001)
    peaks = [(volts + (m - 2) * volts * (m - volts))[volts <= m].max() for m in reach]
    expected = (reach - 2) * reach**3 / 6 / peaks
    np.testing.assert_allclose(table["unsigned_V"][2:], expected, rtol=5e-3)
    np.testing.assert_allclose(table["enclosed_V"][2:], expected, rtol=5e-3)
    assert np.abs(table["unsigned_V"][:2]).max() < 1e-3
    assert iv.onset(table) == pytest.approx(3)


def test_curves_of_their_own_are_a_series_too() -> None:
    waves = [sweep(0, reach, 0) for reach in (1.0, 1.5, 2.0) for _ in range(3)]
    length = max(map(len, waves))
    bias = np.array([np.pad(one, (0, length - len(one)), constant_values=np.nan) for one in waves])
    noise = NOISE * np.random.default_rng(1).standard_normal(bias.shape)
    curves = curves_of(bias, bias + noise, place=[0, 1, 2] * 3)
    table = iv.reversal_table(iv.cycles(curves))
    assert table["maximal_bias_V"].to_numpy() == pytest.approx([1, 1.5, 2])
    assert (table["places"] == 3).all()
    assert np.isnan(iv.onset(table))


def test_noise_of_the_bias_does_not_part_loops_of_one_maximal_bias() -> None:
    """Their largest biases differ by noise, much less than a step: all get their median."""
    tops = np.array([1.0, 1.012, 0.99, 1.5, 1.51, 1.497])
    waves = np.array([top * sweep(0, 1, 0) for top in tops])
    found = iv.maximal_bias(iv.cycles(curves_of(waves, waves)))["maximal_bias"].to_numpy()
    assert found == pytest.approx([1.0] * 3 + [1.5] * 3)


def test_a_single_place_has_no_interval_and_no_onset() -> None:
    bias = sweep(0, 1, 0, 2, 0)
    table = iv.reversal_table(
        iv.cycles(curves_of(bias, bias + NOISE * np.sin(np.arange(bias.size))))
    )
    assert (table["unsigned_V_low"] == -np.inf).all() and (table["unsigned_V_high"] == np.inf).all()
    assert np.isnan(iv.onset(table))


def test_onset_is_the_bias_from_which_on_all_are_told() -> None:
    import pandas as pd

    table = pd.DataFrame(
        {"maximal_bias_V": [1.0, 2, 3, 4], "unsigned_V_low": [0.1, -0.1, 0.2, 0.3]}
    )
    assert iv.onset(table) == 3
    assert np.isnan(iv.onset(table.assign(unsigned_V_low=[0.1, 0.1, 0.1, -0.1])))
    assert iv.onset(table.assign(unsigned_V_low=0.1)) == 1
