"""The simulated I-V curves: physics against closed forms, each defect alone, names and truth."""

from dataclasses import fields, replace

import numpy as np
import pytest
import xarray as xr
from scipy import integrate

from liscope import specimens
from liscope.specimens import ionic_loops
from liscope.specimens.ionic_loops import IDEAL, Film, Instrument

FILM = Film()
NODES = ("curves", "rates", "reversal")


def curves(instrument: Instrument, seed: int = 3) -> xr.Dataset:
    return ionic_loops.simulate(seed, instrument)["curves"].to_dataset()


@pytest.fixture(scope="module")
def ideal() -> xr.Dataset:
    return curves(IDEAL)


def one_place(**values: float) -> ionic_loops._Curves:
    """Return the film under one tip, with these of its properties."""
    usual = {
        "conductance": 1.0, "mobility": FILM.mobility, "relaxation": FILM.relaxation,
        "rectification": 1.0, "start": 1.0,
    } | values  # fmt: skip
    return ionic_loops._Curves(
        place=np.array([0]), depleted=np.array([False]),
        **{name: np.array([value]) for name, value in usual.items()},
    )  # fmt: skip


def test_same_seed_gives_the_same_bytes_and_another_seed_other_places() -> None:
    one, same, other = (ionic_loops.simulate(seed) for seed in (5, 5, 6))
    xr.testing.assert_identical(one, same)
    for node in NODES:
        values = [np.nan_to_num(tree[node]["current"].values) for tree in (one, other)]
        assert not np.allclose(*values)


def test_the_papers_numbers() -> None:
    found = specimens.measurement("rf_lmo_iv/curves")
    assert found.sizes["curve"] == 145
    group = found["group"].values
    assert (group == "preconditioned").mean() == pytest.approx(0.5, abs=0.03)
    assert float(found["time"].max()) == pytest.approx(1 / 0.2)
    truth = specimens.truth("rf_lmo_iv/curves")
    assert float(truth["shift"].sel(area="enclosed_V")) > 0.1
    assert 0.5 < float(truth["cliffs_delta"].sel(area="enclosed_V")) < 1


def test_concentration_follows_its_equation_of_motion() -> None:
    """Against a general solver of ordinary differential equations."""
    bias = np.append(ionic_loops.triangle(5.0, 3200), 0)
    place = one_place(start=0.4)
    found = ionic_loops.concentration(place, FILM, bias, np.array([5.0 / 3200]))[0]

    def moves(time: float, n: np.ndarray) -> np.ndarray:
        volts = 5 * (abs((4 * time / 5 - 1) % 4 - 2) - 1)
        sites = FILM.sites - n if volts > 0 else n
        drift = FILM.mobility * np.sinh(volts / FILM.ionic_bias) * sites
        return np.asarray(drift - (n - 1) / FILM.relaxation)

    at = np.linspace(0, 5, 3201)
    solved = integrate.solve_ivp(moves, (0, 5), [0.4], t_eval=at, rtol=1e-9, max_step=0.01)
    np.testing.assert_allclose(found, solved.y[0], rtol=1e-4)


def test_without_bias_the_concentration_relaxes_exponentially() -> None:
    found = ionic_loops.concentration(one_place(start=0.2), FILM, np.zeros(101), np.array([0.1]))
    expected = 1 - 0.8 * np.exp(-0.1 * np.arange(101) / FILM.relaxation)
    np.testing.assert_allclose(found[0], expected, rtol=1e-12)


def test_ions_that_cannot_move_open_no_loop() -> None:
    bias, current = ionic_loops._sweep(one_place(mobility=0.0), FILM, (5.0,), np.array([0.2]))
    areas = ionic_loops.relative_areas(bias, current)
    assert all(abs(area[0]) < 1e-12 for area in areas.values())
    np.testing.assert_allclose(current[0], 2 * np.sinh(bias / 2), atol=1e-12)


def test_areas_of_a_known_loop() -> None:
    """V triangular, I = V on the way up and V + (25 - V^2) / 25 on the way down."""
    bias = np.append(ionic_loops.triangle(5.0, 40000), 0)
    down = np.gradient(bias) < 0
    current = bias + np.where(down, 1 - bias**2 / 25, 0)
    areas = ionic_loops.relative_areas(bias, current[None])
    expected = (10 - 250 / 75) / current.max()
    for name in ("enclosed", "signed", "unsigned"):
        assert areas[name][0] == pytest.approx(expected, rel=1e-3)
    assert areas["positive"][0] == pytest.approx(expected / 2, rel=1e-3)


def test_loops_are_pinched_and_their_lobes_may_run_in_opposite_senses(ideal: xr.Dataset) -> None:
    at_zero = ideal["current"].values[np.abs(ideal["bias"].values) < 1e-9]
    np.testing.assert_allclose(at_zero, 0, atol=1e-12)
    truth = ionic_loops.simulate(3, IDEAL)["truth"].to_dataset()
    opposite = truth["positive_V"] * truth["negative_V"] < 0
    assert opposite.mean() > 0.5
    cancels = (truth["unsigned_V"] - truth["enclosed_V"]) / truth["unsigned_V"]
    assert (cancels > 0.3).mean() > 0.1


def test_preconditioned_places_start_depleted_and_open_farther(ideal: xr.Dataset) -> None:
    truth = ionic_loops.simulate(3, IDEAL)["truth"].to_dataset()
    group = truth["group"].values
    medians = [
        np.nanmedian(truth["enclosed_V"].values[group == name]) for name in ionic_loops.GROUPS
    ]
    assert medians[1] > 1.5 * medians[0]


def test_every_defect_is_off_in_the_ideal_instrument() -> None:
    for defect in fields(Instrument):
        off = np.inf if defect.name == "range" else 0
        assert getattr(IDEAL, defect.name) == off != defect.default, defect.name


@pytest.mark.parametrize("defect", [one.name for one in fields(Instrument)])
def test_one_defect_alone_changes_the_curves(defect: str, ideal: xr.Dataset) -> None:
    value = 0.5 if defect == "range" else getattr(Instrument(), defect)
    changed = curves(replace(IDEAL, **{defect: value}))
    assert not changed["current"].equals(ideal["current"])
    assert changed["bias"].equals(ideal["bias"]) == (defect != "broken_off")


def added(ideal: xr.Dataset, **defect: float) -> np.ndarray:
    return (curves(replace(IDEAL, **defect))["current"] - ideal["current"]).to_numpy()


def test_a_capacitance_adds_its_displacement_current(ideal: xr.Dataset) -> None:
    """20 V a cycle, 0.2 cycles a second: 4 V/s, through 2 pF 8 pA."""
    rising = np.gradient(ideal["bias"].values, axis=1)
    inside = np.abs(rising) > 0.04
    found = added(ideal, capacitance=2.0)
    np.testing.assert_allclose(found[inside], 0.008 * np.sign(rising[inside]), rtol=1e-6)


def test_amplifier_and_contact_add_what_they_say(ideal: xr.Dataset) -> None:
    np.testing.assert_allclose(added(ideal, offset=-0.02), -0.02, atol=1e-12)
    assert added(ideal, noise=0.003).std() == pytest.approx(0.003, rel=0.02)
    share = added(ideal, contact_noise=0.01)
    with np.errstate(invalid="ignore"):
        relative = share / ideal["current"].to_numpy()
    assert np.nanstd(relative) == pytest.approx(0.01, rel=0.02)
    clipped = curves(replace(IDEAL, range=1.0))["current"]
    np.testing.assert_array_equal(clipped, np.clip(ideal["current"], -1, 1))


def test_lost_contacts_and_broken_sweeps_are_as_many_as_said(ideal: xr.Dataset) -> None:
    lost = (added(ideal, contact_lost=1.0) != 0).sum(axis=1)
    conducting = np.abs(ideal["current"]).max("point").values > 0
    assert (lost[conducting] > 0).all()
    assert 0.03 * 400 - 2 <= lost[conducting].max() <= 0.15 * 400 + 1
    broken = curves(replace(IDEAL, broken_off=1.0))["bias"]
    kept = np.isfinite(broken).sum("point") / 401
    assert 0.29 < float(kept.min()) < float(kept.max()) < 0.91


def test_truth_tells_what_went_wrong() -> None:
    tree = ionic_loops.simulate(0)
    truth, found = tree["truth"].to_dataset(), tree["curves"].to_dataset()
    np.testing.assert_array_equal(truth["broken_off"], np.isnan(found["bias"]).any("point"))
    np.testing.assert_array_equal(truth["clipped"], np.abs(found["current"]).max("point") == 10)
    assert not (truth["bad"] & truth["good"]).any()
    clean = ionic_loops.simulate(0, IDEAL)["truth"].to_dataset()
    assert clean["bad"].sum() == clean["insulating"].sum() > 0
    np.testing.assert_array_equal(clean["bad"], ~clean["good"])


def test_measurements_carry_units_places_and_no_truth() -> None:
    for node in NODES:
        found = specimens.measurement(f"rf_lmo_iv/{node}")
        assert {name: found[name].attrs["units"] for name in found.data_vars} == {
            "bias": "V", "current": "nA", "time": "s"
        }  # fmt: skip
        assert set(found.coords) == {"place", "group", "sweep_rate", "x", "y"}
    rates = specimens.measurement("rf_lmo_iv#4/rates")
    assert sorted(set(rates["sweep_rate"].values)) == list(ionic_loops.RATES)
    reversal = specimens.measurement("rf_lmo_iv#4/reversal")
    assert reversal.sizes == {"curve": 8, "point": 9 * 400 + 1}
