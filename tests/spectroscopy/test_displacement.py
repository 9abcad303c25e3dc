"""A capacitance put beside a film, found from several sweep rates and taken off."""

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from curves_of import curves_of, sweep

from liscope import spectroscopy as iv
from liscope.errors import DataError
from liscope.specimens import ionic_loops

BIAS = sweep(0, 5, -5, 0)
RATES = np.array([0.1, 0.5, 1.0, 5.0])


def rates(
    capacitance: float, rest: float = 0.0, places: int = 3, noise: float = 0.0
) -> iv.Displacement:
    """Fit curves of places with open, pinched loops, a capacitance (pF) and a gap at rest (nA)."""
    rng = np.random.default_rng(0)
    rising = np.sign(np.gradient(BIAS))
    rows, speeds, names = [], [], []
    for place in range(places):
        for rate in RATES:
            loop = (1 + place) * BIAS * (2 - rising * 0.3 / (1 + rate))  # not in proportion to it
            rows.append(loop + rising * (1e-3 * capacitance * 20 * rate + rest))
            speeds.append(rate)
            names.append(place)
    rows = np.array(rows) + noise * rng.standard_normal((len(rows), BIAS.size))
    curves = curves_of(np.broadcast_to(BIAS, rows.shape), rows, place=names)
    curves = curves.assign_coords(sweep_rate=("curve", speeds, {"units": "Hz"}))
    return iv.displacement(iv.zero_bias_gaps(iv.cycles(curves)))


@pytest.mark.parametrize("capacitance", [0.0, 2.5, -1.0])
def test_capacitance_is_found_beside_a_wide_open_loop(capacitance: float) -> None:
    found = rates(capacitance)
    assert found.capacitance == pytest.approx(capacitance, abs=1e-9)
    assert found.rest == pytest.approx(0, abs=1e-9)
    assert found.places == 3


def test_a_gap_at_rest_is_no_capacitance() -> None:
    found = rates(2.5, rest=0.02)
    assert found.capacitance == pytest.approx(2.5, abs=1e-9)
    assert found.rest == pytest.approx(0.02)


def test_interval_holds_the_capacitance_of_the_specimen_over_seeds() -> None:
    """95 % intervals: of 20, fewer than 15 would hold it once in 1000."""
    found = [
        iv.displacement(
            iv.zero_bias_gaps(iv.cycles(ionic_loops.simulate(seed)["rates"].to_dataset()))
        )
        for seed in range(20)
    ]
    held = sum(one.capacitance_interval[0] <= 1 <= one.capacitance_interval[1] for one in found)
    assert held >= 15
    values = [one.capacitance for one in found]
    assert np.mean(values) == pytest.approx(1.0, abs=4 * np.std(values) / np.sqrt(20))


def test_one_place_has_no_interval() -> None:
    assert rates(1.0, places=1).capacitance_interval == (-np.inf, np.inf)


def test_one_rate_separates_nothing() -> None:
    curves = curves_of(BIAS, BIAS).assign_attrs(sweep_rate=0.2)
    with pytest.raises(DataError, match="displacement current cannot be separated"):
        iv.displacement(iv.zero_bias_gaps(iv.cycles(curves)))


def test_what_was_found_is_taken_off() -> None:
    """4 V/s through 2 pF are 8 pA, which close a loop by 2 x 8 pA x 10 V."""
    rising = np.sign(np.gradient(BIAS))
    curves = curves_of(BIAS, BIAS + 0.008 * rising).assign_attrs(sweep_rate=0.2)
    loops = iv.cycles(curves)
    before = iv.loop_areas(loops).iloc[0]
    assert before["signed_V"] * before["peak_nA"] == pytest.approx(-0.16, rel=0.02)
    after = iv.without_displacement(loops, 2.0)
    assert abs(iv.loop_areas(after)["signed_V"][0]) < 2e-3 * 0.16
    assert "displacement current of 2 pF" in after["current"].attrs["history"]


def test_the_benchmark_leaves_flagged_rates_out_as_the_notebook_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One of the 36 curves at several rates of this specimen is flagged."""
    path = Path(__file__).parents[2] / "benchmarks" / "iv_curve_flags.py"
    benchmark = runpy.run_path(str(path))
    given = []

    def found(gaps: pd.DataFrame) -> None:
        given.append(len(gaps))
        raise StopIteration

    monkeypatch.setattr(iv, "displacement", found)
    with pytest.raises(StopIteration):
        benchmark["one_seed"](18)
    assert given == [35]
