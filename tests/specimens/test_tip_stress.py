"""A specimen is what its seed says, and every defect in it can be switched off alone."""

from dataclasses import fields, replace

import numpy as np
import pytest
import xarray as xr

from liscope import probe, specimens
from liscope.errors import ReaderError
from liscope.specimens import tip_stress
from liscope.specimens.tip_stress import IDEAL, Instrument

NODES = ("pristine", "stressed")
PIXEL = tip_stress.FIELD / tip_stress.PIXELS  # um
PROGRESS = np.arange(tip_stress.PIXELS)[:, None] / tip_stress.PIXELS


def scans(instrument: Instrument, film: str = "lmo", seed: int = 3) -> list[xr.Dataset]:
    tree = tip_stress.simulate(film, seed, instrument)
    return [tree[node].to_dataset() for node in NODES]


@pytest.fixture(scope="module")
def ideal() -> list[xr.Dataset]:
    return scans(IDEAL)


def only(**defect: object) -> list[xr.Dataset]:
    return scans(replace(IDEAL, **defect))


@pytest.mark.parametrize("film", list(tip_stress.FILMS))
def test_same_seed_gives_the_same_bytes_and_another_seed_another_film(film: str) -> None:
    one, same, other = (tip_stress.simulate(film, seed) for seed in (5, 5, 6))
    for node in NODES:
        for channel in ("z", "current"):
            values, again, others = (tree[node][channel].values for tree in (one, same, other))
            assert values.tobytes() == again.tobytes()
            steps = [np.diff(image).ravel() for image in (values, others)]
            assert abs(np.corrcoef(*steps)[0, 1]) < 0.1
    xr.testing.assert_identical(one, same)


def test_the_films_are_two() -> None:
    lmo, mno2 = (tip_stress.simulate(film, 0)["pristine"].to_dataset() for film in tip_stress.FILMS)
    assert float(lmo.current.median()) > 3 * float(mno2.current.median())


def test_every_defect_is_off_in_the_ideal_instrument() -> None:
    for defect in fields(Instrument):
        off = np.inf if defect.name == "range" else 0
        assert np.all(np.asarray(getattr(IDEAL, defect.name)) == off), defect.name
        assert np.all(np.asarray(defect.default) != off), defect.name


def test_an_ideal_map_is_current_through_film_and_nothing_else(ideal: list[xr.Dataset]) -> None:
    film = tip_stress.FILMS["lmo"]
    for scan in ideal:
        inactive = (scan.current == 0).mean()
        assert inactive == pytest.approx(film.inactive, abs=0.1)
        assert float(scan.current.min()) == 0
        assert 0 < float(np.ptp(scan.z.values)) < 1.5 * film.relief
        slopes = np.polyfit(scan.x, scan.z.mean("y"), 1), np.polyfit(scan.y, scan.z.mean("x"), 1)
        assert np.abs([slope[0] for slope in slopes]).max() < 0.2  # nm/um
    unstressed = ideal[0].z.to_numpy()[:130]
    np.testing.assert_allclose(ideal[1].z.to_numpy()[:130], unstressed, atol=1e-5)


@pytest.mark.parametrize(
    ("defect", "value", "channel", "maps"),
    [
        ("contact", 0.02, "current", NODES),
        ("coupling", 0.15, "current", NODES),
        ("wear", 0.1, "current", NODES),
        ("stress_wear", 0.1, "current", ("stressed",)),
        ("line_gain", 0.02, "current", NODES),
        ("shift", (0.1, 0.05), "both", ("pristine",)),
        ("creep", (0.1, 0.05), "both", ("pristine",)),
        ("tilt", (25.0, -40.0), "z", NODES),
        ("line_step", 0.6, "z", NODES),
        ("height_noise", 0.15, "z", NODES),
        ("offset", 0.006, "current", NODES),
        ("noise", 0.003, "current", NODES),
        ("range", 1.0, "current", NODES),
    ],
)
def test_one_defect_alone_changes_only_its_channel_and_map(
    defect: str, value: object, channel: str, maps: tuple[str, ...], ideal: list[xr.Dataset]
) -> None:
    for node, with_it, without in zip(NODES, only(**{defect: value}), ideal, strict=True):
        for name in ("z", "current"):
            same = with_it[name].equals(without[name])
            assert same != (node in maps and channel in (name, "both")), (node, name)


def test_all_defects_are_tested() -> None:
    (mark,) = test_one_defect_alone_changes_only_its_channel_and_map.pytestmark
    assert {case[0] for case in mark.args[1]} == {defect.name for defect in fields(Instrument)}


def difference(with_it: list[xr.Dataset], without: list[xr.Dataset], name: str) -> list[np.ndarray]:
    pairs = zip(with_it, without, strict=True)
    return [(one[name] - other[name]).to_numpy() for one, other in pairs]


def test_contact_blurs_and_keeps_the_current(ideal: list[xr.Dataset]) -> None:
    blurred = only(contact=0.02)[0].current
    assert float(blurred.mean()) == pytest.approx(float(ideal[0].current.mean()), rel=0.01)
    assert float(blurred.max()) < 0.8 * float(ideal[0].current.max())


def test_coupling_gives_more_current_in_valleys(ideal: list[xr.Dataset]) -> None:
    coupled, plain = only(coupling=0.3)[0].current.values, ideal[0].current.values
    gain, height = np.log(coupled[plain > 0] / plain[plain > 0]), ideal[0].z.values[plain > 0]
    low, high = (gain[height < np.quantile(height, 0.1)], gain[height > np.quantile(height, 0.9)])
    assert low.mean() > high.mean() + 0.1


def test_the_tip_wears_line_by_line_and_between_the_maps(ideal: list[xr.Dataset]) -> None:
    first, second = (
        one.current / other.current for one, other in zip(only(wear=0.1), ideal, strict=True)
    )
    expected = np.broadcast_to(np.exp(-0.1 * PROGRESS), first.shape)
    seen = np.isfinite(first.to_numpy())
    np.testing.assert_allclose(first.to_numpy()[seen], expected[seen])
    seen = np.isfinite(second.to_numpy())
    np.testing.assert_allclose(second.to_numpy()[seen], (np.exp(-0.1) * expected)[seen])
    later = only(stress_wear=0.2)[1].current
    np.testing.assert_allclose(later, np.exp(-0.2) * ideal[1].current)


def test_gain_differs_from_line_to_line_only(ideal: list[xr.Dataset]) -> None:
    for with_it, without in zip(only(line_gain=0.05), ideal, strict=True):
        gain = np.log(with_it.current / without.current)
        np.testing.assert_allclose(gain.max("x"), gain.min("x"), atol=1e-9)
        assert float(gain.mean("x").std()) == pytest.approx(0.05, rel=0.15)


def test_shift_and_creep_move_the_first_map_by_what_they_say(ideal: list[xr.Dataset]) -> None:
    still = ideal[0]
    moved = only(shift=(8 * PIXEL, -4 * PIXEL))[0]
    for name in ("z", "current"):
        np.testing.assert_allclose(
            moved[name].values[:-4, 8:], still[name].values[4:, :-8], atol=1e-9
        )
    crept = only(creep=(16 * PIXEL, 0.0))[0]
    for line, pixels in ((0, 0), (192, 8), (96, 4)):
        expected = still.z.values[line, : 384 - pixels]
        np.testing.assert_allclose(crept.z.values[line, pixels:], expected, atol=1e-9)


def test_tilt_steps_and_height_noise_add_what_they_say(ideal: list[xr.Dataset]) -> None:
    for scan, added in zip(ideal, difference(only(tilt=(25.0, -40.0)), ideal, "z"), strict=True):
        plane = (25 * scan.x.values[None, :] - 40 * scan.y.values[:, None]) / tip_stress.FIELD
        np.testing.assert_allclose(added, plane, atol=1e-9)
    for added in difference(only(line_step=0.6), ideal, "z"):
        np.testing.assert_allclose(np.ptp(added, axis=1), 0, atol=1e-9)
        assert added[:, 0].std() == pytest.approx(0.6, rel=0.15)
    for added in difference(only(height_noise=0.15), ideal, "z"):
        assert added.std() == pytest.approx(0.15, rel=0.02)


def test_amplifier_adds_offset_and_noise_and_clips(ideal: list[xr.Dataset]) -> None:
    for added in difference(only(offset=-0.02), ideal, "current"):
        np.testing.assert_allclose(added, -0.02, atol=1e-12)
    for added in difference(only(noise=0.003), ideal, "current"):
        assert added.std() == pytest.approx(0.003, rel=0.02)
        assert abs(added.mean()) < 4 * 0.003 / np.sqrt(added.size)
    for clipped, scan in zip(only(range=1.0), ideal, strict=True):
        np.testing.assert_array_equal(clipped.current, np.minimum(scan.current, 1.0))


@pytest.mark.parametrize("film", list(tip_stress.FILMS))
def test_current_of_an_ideal_specimen_changes_by_the_truth(film: str) -> None:
    errors = []
    for seed in range(6):
        tree = tip_stress.simulate(film, seed, IDEAL)
        before, after = (tree[node].to_dataset().current for node in NODES)
        truth = tree["truth"].to_dataset()
        np.testing.assert_allclose(
            truth["same_place"], truth["stress"] * tip_stress.FILMS[film].readout
        )
        for name in truth["area"].values:
            at = truth.sel(area=name)
            area = probe.Area(name, float(at["left"]), float(at["top"]), *[float(at["side"])] * 2)
            inside = area.mask(before, 0.08)
            ratio = after.values[inside].sum() / before.values[inside].sum()
            errors.append(np.log(ratio / float(at["same_place"])))
    spread = np.std(errors) / np.sqrt(len(errors))
    assert abs(np.mean(errors)) < 4 * spread < 0.04


def test_truth_tells_the_papers_numbers() -> None:
    truth = specimens.truth("lmo/stressed")
    percent = dict(zip(truth["area"].values, truth["stress_percent"].values, strict=True))
    assert percent["3 V"] == pytest.approx(69) and percent["5 V"] == pytest.approx(160)
    assert percent["10 V"] < 0
    mno2 = specimens.truth("mno2/stressed")["stress"].values
    assert list(mno2[:2]) == [1, 1] and mno2[2] > 5


def test_a_measurement_has_its_name_and_seed() -> None:
    expected = tip_stress.simulate("lmo", 7)["stressed"].to_dataset()
    xr.testing.assert_identical(specimens.measurement("lmo#7/stressed"), expected)
    assert not specimens.measurement("lmo/stressed").equals(expected)
    assert specimens.check("mno2#12/pristine") == ("mno2", 12, "pristine")


def test_a_measurement_carries_units_and_no_truth() -> None:
    scan = specimens.measurement("mno2/pristine")
    assert {name: scan[name].attrs["units"] for name in scan.variables} == {
        "z": "nm", "current": "nA", "y": "um", "x": "um"
    }  # fmt: skip
    assert set(scan.data_vars) == {"z", "current"}
    assert (scan.bias, scan.bias_units, scan.bias_side) == (1.5, "V", "sample")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nmc/stressed", "no specimen 'nmc'; there are lmo, mno2"),
        ("lmo/truth", "'lmo/truth' is no measurement"),
        ("lmo#3/truth", "is no measurement"),
        ("lmo", "such as 'lmo#7/stressed'"),
        ("lmo#/stressed", "is no measurement"),
        ("lmo#-1/stressed", "is no measurement"),
        ("lmo#x/stressed", "is no measurement"),
        ("lmo/first", "specimen 'lmo' has no 'first'; it has pristine, stressed"),
        ("", "no specimen ''"),
    ],
)
def test_wrong_names_are_refused(name: str, message: str) -> None:
    with pytest.raises(ReaderError, match=message):
        specimens.measurement(name)


def test_films_and_lamellae_are_named_as_their_simulations_have_them() -> None:
    from liscope.specimens import FILMS, LAMELLAE, lamella, tip_stress

    assert set(FILMS) == set(tip_stress.FILMS)
    assert set(LAMELLAE) == set(lamella.LAMELLAE)
