"""Cycles and branches found from the bias alone, whatever the waveform."""

import numpy as np
import pytest
import xarray as xr
from curves_of import curves_of, sweep

from liscope import spectroscopy as iv
from liscope.errors import DataError
from liscope.specimens import ionic_loops

WAVEFORMS = {
    "from zero": ([0, 5, -5, 0], 1, True),
    "from zero, down first": ([0, -5, 5, 0], 1, True),
    "from an end": ([-5, 5, -5], 1, True),
    "one polarity": ([0, 5, 0], 1, True),
    "from the middle": ([2, 5, -5, 2], 1, True),
    "three cycles from zero": ([0, 5, -5, 5, -5, 5, -5, 0], 3, True),
    "two cycles from an end": ([5, -5, 5, -5, 5], 2, True),
    "one and a half": ([-5, 5, -5, 5], 1, True),
    "rising maximal bias": ([0, 1, -1, 2, -2, 3, -3, 0], 3, True),
    "rising, one polarity": ([0, 1, 0, 2, 0, 3, 0], 3, True),
    "one way only": ([-5, 5], 1, False),
    "broken off": ([0, 5, -5, -3], 1, False),
}


@pytest.mark.parametrize("name", WAVEFORMS)
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_cycles_of_every_waveform(name: str, noise: float) -> None:
    turns, number, complete = WAVEFORMS[name]
    bias = sweep(*turns)
    bias = bias + noise * np.random.default_rng(0).standard_normal(bias.size)
    loops = iv.cycles(curves_of(bias, bias))
    assert loops.sizes["curve"] == number
    assert list(loops["cycle"].values) == list(range(number))
    assert set(loops["complete"].values) == {complete}


def test_noise_of_a_measured_bias_is_no_turning_point() -> None:
    bias = sweep(0, 5, -5, 0)
    noisy = bias + 0.03 * np.random.default_rng(1).standard_normal(bias.size)  # steps are 0.05 V
    loops = iv.cycles(curves_of(noisy, bias))
    turns = np.flatnonzero(loops["turn"].values[0])
    assert len(turns) == 2
    np.testing.assert_allclose(bias[turns], [5, -5], atol=0.15)


def test_a_bias_in_stairs_has_two_turning_points() -> None:
    bias = np.repeat(sweep(0, 5, -5, 0), 3)
    loops = iv.cycles(curves_of(bias, bias))
    assert (loops.sizes["curve"], loops["turn"].values.sum()) == (1, 2)


def test_a_cycle_goes_from_where_the_sweep_started_back_to_there() -> None:
    bias = sweep(2, 5, -5, 5, -5, 2)
    loops = iv.cycles(curves_of(bias, np.arange(bias.size)))
    for row in range(2):
        one = loops.isel(curve=row)
        volts = one["bias"].values[np.isfinite(one["bias"].values)]
        assert volts[0] == volts[-1] == pytest.approx(2)
        assert (volts.min(), volts.max()) == (-5, 5)
    ends = loops["current"].isel(point=[0, -1]).values
    assert ends[0, 1] == ends[1, 0]  # the point between two cycles belongs to both


def test_ways_up_and_down_are_told_apart_and_meet_at_the_same_biases() -> None:
    bias = sweep(0, 4, -4, 0)
    up = np.gradient(bias) > 0
    loops = iv.cycles(curves_of(bias, np.where(up, 2 * bias, 3 * bias)))
    ways = iv.branch_currents(loops).isel(curve=0)
    inside = np.abs(ways["bias"]) < 3.9
    np.testing.assert_allclose(ways["up"][inside], 2 * ways["bias"][inside], atol=1e-12)
    np.testing.assert_allclose(ways["down"][inside], 3 * ways["bias"][inside], atol=1e-12)
    assert 0.0 in ways["bias"]


def test_missing_points_are_bridged_and_padding_is_ignored() -> None:
    bias = sweep(0, 5, -5, 0)
    holed = np.where(np.arange(bias.size) % 7 == 3, np.nan, bias)
    rows = [np.append(one, [np.nan] * 30) for one in (bias, holed)]
    table = iv.loop_areas(iv.cycles(curves_of(rows, [np.abs(rows[0]), np.abs(rows[0])])))
    assert table["signed_V"].to_numpy() == pytest.approx([0, 0], abs=1e-12)
    assert table["span_V"].to_numpy() == pytest.approx([10, 10])


def test_curves_at_one_spot_are_one_place() -> None:
    bias = sweep(0, 1, 0)
    rows = [bias] * 3
    at = {"x": [0.0, 0.0, 1.0], "y": [2.0, 2.0, 2.0]}
    assert list(iv.cycles(curves_of(rows, rows, **at))["place"].values) == [0, 0, 1]
    assert list(iv.cycles(curves_of(rows, rows))["place"].values) == [0, 1, 2]
    named = curves_of(rows, rows, place=["a", "b", "b"], **at)
    assert list(iv.cycles(named)["place"].values) == ["a", "b", "b"]


def test_two_files_become_two_groups_with_places_of_their_own() -> None:
    short, long = sweep(0, 1, 0), sweep(0, 2, 0)
    loops = {name: iv.cycles(curves_of([v, v], [v, v])) for name, v in (("a", short), ("b", long))}
    both = iv.merge(loops)
    assert list(both["group"].values) == ["a", "a", "b", "b"]
    assert len(set(both["place"].values)) == 4
    assert iv.loop_areas(both)["peak_nA"].to_numpy() == pytest.approx([1, 1, 2, 2])


def test_speed_from_time_or_rate() -> None:
    bias = sweep(0, 5, -5, 0)
    plain = curves_of(bias, bias)
    seconds = 5.0 * np.arange(bias.size)[None, :] / (bias.size - 1)
    timed = plain.assign(time=(("curve", "point"), 1000 * seconds, {"units": "ms"}))
    assert iv.speed(iv.cycles(timed)) == pytest.approx([4.0])
    assert iv.speed(iv.cycles(plain.assign_attrs(sweep_rate=0.2))) == pytest.approx([4.0])
    with pytest.raises(DataError, match="give the sweep rate"):
        iv.speed(iv.cycles(plain))


@pytest.mark.parametrize("timed", [True, False])
def test_noise_of_a_measured_bias_is_no_speed(timed: bool) -> None:
    """Noise as large as a step, 0.05 V: what it adds up to, step by step, would be 5.5 V/s."""
    bias = np.tile(sweep(0, 5, -5, 0), (40, 1))
    noisy = bias + 0.05 * np.random.default_rng(2).standard_normal(bias.shape)
    curves = curves_of(noisy, bias).assign_attrs(sweep_rate=0.2)
    if timed:
        time = np.broadcast_to(np.linspace(0, 5, bias.shape[1]), bias.shape)
        curves = curves.assign(time=(("curve", "point"), time, {"units": "s"}))
    found = iv.speed(iv.cycles(curves))
    assert found.mean() == pytest.approx(4.0, rel=0.01)
    assert found == pytest.approx(4.0, rel=0.02)


def test_speed_of_stairs_is_that_of_the_sweep() -> None:
    """Most neighbouring points of stairs do not differ at all."""
    bias = np.repeat(sweep(0, 5, -5, 0), 3)
    time = 5.0 * np.arange(bias.size)[None, :] / (bias.size - 1)
    curves = curves_of(bias, bias).assign(time=(("curve", "point"), time, {"units": "s"}))
    assert iv.speed(iv.cycles(curves)) == pytest.approx([4.0], rel=0.01)


def test_a_given_rate_stands_in_place_of_what_the_file_says() -> None:
    """20 V a cycle: 4 V/s at 0.2 Hz, 100 V/s at 5 Hz."""
    bias = sweep(0, 5, -5, 0)
    time = (("curve", "point"), np.linspace(0, 5, bias.size)[None, :], {"units": "s"})
    own = {"sweep_rate": ("curve", [0.2], {"units": "Hz"})}
    curves = curves_of(bias, bias).assign(time=time).assign_coords(own)
    loops = iv.cycles(iv.swept_at(curves, 5.0))
    assert iv.speed(loops) == pytest.approx([100.0])
    assert iv.sweep_rates(loops) == pytest.approx([5.0])
    assert "sweep rate of 5 Hz given" in loops.attrs["history"]
    assert iv.speed(iv.cycles(curves)) == pytest.approx([4.0])


def test_sweep_rate_is_that_of_each_cycle() -> None:
    """Nine cycles of 5 s in one curve, whose time runs on."""
    loops = iv.cycles(ionic_loops.simulate(0)["reversal"].to_dataset())
    assert loops.sizes["curve"] == 8 * 9
    assert iv.sweep_rates(loops) == pytest.approx(0.2)
    bias = sweep(0, 5, -5)
    part = curves_of(bias, bias)
    timed = part.assign(time=(("curve", "point"), np.arange(bias.size)[None, :], {"units": "s"}))
    assert np.isnan(iv.sweep_rates(iv.cycles(timed))).all()
    assert np.isnan(iv.sweep_rates(iv.cycles(part))).all()
    rate = {"sweep_rate": ("curve", [200.0], {"units": "mHz"})}
    assert iv.sweep_rates(iv.cycles(part.assign_coords(rate))) == pytest.approx([0.2])


def test_what_is_no_curve_is_refused() -> None:
    bias = sweep(0, 1, 0)
    with pytest.raises(DataError, match="curves have no 'current'"):
        iv.cycles(curves_of(bias, bias).drop_vars("current"))
    with pytest.raises(DataError, match="no curve has 4 points"):
        iv.cycles(curves_of(bias, np.full(bias.size, np.nan)))
    bare = curves_of(bias, bias)
    bare["current"].attrs.clear()
    with pytest.raises(DataError, match="'current' has no units"):
        iv.cycles(bare)


def test_empty_curves_are_left_out_and_counted() -> None:
    bias = np.tile(sweep(0, 1, 0), (3, 1))
    bias[1] = np.nan
    loops = iv.cycles(curves_of(bias, bias, group=["a", "b", "c"]))
    assert (loops.sizes["curve"], loops.attrs["empty_curves"]) == (2, 1)
    assert "cut into 2 loops, 1 empty curves left out" in loops.attrs["history"]
    assert list(loops["group"].values) == ["a", "c"]
    assert list(loops["of_curve"].values) == [0, 2]


def test_units_are_converted() -> None:
    bias = sweep(0, 1, 0)
    millivolt = xr.Dataset(
        {
            "bias": (("curve", "point"), 1000 * bias[None, :], {"units": "mV"}),
            "current": (("curve", "point"), 1e-9 * bias[None, :], {"units": "A"}),
        }
    )
    loops = iv.cycles(millivolt)
    np.testing.assert_allclose(loops["bias"], bias[None, :])
    np.testing.assert_allclose(loops["current"], bias[None, :])
