"""Offset, noise and clipping that were put in are read off; signs decide nothing."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from measured_maps import analysed, image, measured
from scipy import ndimage

from liscope import probe
from liscope.errors import DataError
from liscope.specimens import tip_stress

OFFSET, NOISE = -0.02, 0.004  # nA


def current(seed: int = 0, insulating: float = 0.4, ceiling: float = np.inf) -> xr.DataArray:
    """Grains of log-normal current, a share of them without any, seen by an amplifier."""
    rng = np.random.default_rng(seed)
    label = np.kron(np.arange(30 * 30).reshape(30, 30), np.ones((8, 8), int))
    grains = np.exp(rng.normal(-1, 0.6, 900)) * (rng.random(900) >= insulating)
    blurred = ndimage.gaussian_filter(grains[label], 0.5)
    seen = blurred + OFFSET + NOISE * rng.standard_normal(label.shape)
    return image(np.clip(seen, -ceiling, ceiling), "nA")


def turned_round(recorded: xr.DataArray) -> xr.DataArray:
    """Return the map as an amplifier of the other polarity records it."""
    return recorded.copy(data=-recorded.to_numpy())


@pytest.mark.parametrize("insulating", [0.25, 0.4])
@pytest.mark.parametrize("seed", range(4))
def test_offset_and_noise_are_those_put_in(insulating: float, seed: int) -> None:
    found = probe.amplifier(current(seed, insulating))
    assert found.offset == pytest.approx(OFFSET, abs=min(4 * found.offset_error, NOISE / 4))
    assert found.noise == pytest.approx(NOISE, rel=0.1)


@pytest.mark.parametrize("insulating", [0.05, 0.1, 0.8])
@pytest.mark.parametrize("seed", range(5))
def test_offset_of_a_lopsided_map_is_right_or_cannot_be_told(insulating: float, seed: int) -> None:
    found = probe.amplifier(current(seed, insulating))
    assert np.isnan(found.offset) or abs(found.offset - OFFSET) < NOISE


@pytest.mark.parametrize("film", ["lmo", "mno2"])
@pytest.mark.parametrize("seed", range(4))
def test_offset_and_noise_of_specimens_are_those_put_in(film: str, seed: int) -> None:
    specimen = measured(film, seed)
    for scan in specimen.scans.values():
        found = probe.amplifier(scan.current)
        assert found.offset == pytest.approx(float(specimen.truth.offset), abs=0.001)
        assert found.noise == pytest.approx(float(specimen.truth.noise), rel=0.1)


def test_other_polarity_turns_the_offset_round_and_nothing_else() -> None:
    straight, turned = (probe.amplifier(scan) for scan in (current(), turned_round(current())))
    assert turned.offset == -straight.offset
    assert (turned.noise, turned.ceiling) == (straight.noise, straight.ceiling)


def test_units_are_converted() -> None:
    in_pa = current().copy(data=1000 * current().to_numpy()).assign_attrs(units="pA")
    assert probe.amplifier(in_pa).offset == pytest.approx(probe.amplifier(current()).offset)


@pytest.mark.parametrize("seed", range(4))
def test_a_film_that_conducts_everywhere_has_no_offset_to_tell(seed: int) -> None:
    found = probe.amplifier(current(seed, insulating=0.0))
    assert np.isnan([found.offset, found.noise]).all()
    assert found.offset_error > 0  # what it could be at most, not none


@pytest.mark.parametrize("film", list(tip_stress.FILMS))
def test_a_specimen_that_conducts_everywhere_has_no_offset_to_tell(
    film: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    conducting = replace(tip_stress.FILMS[film], inactive=0)
    monkeypatch.setattr(tip_stress, "FILMS", {film: conducting})
    tree = tip_stress.simulate(film, 3)
    assert np.isnan(probe.amplifier(tree["pristine"].to_dataset().current).offset)


def test_ceiling_and_share_of_clipped_pixels_are_found() -> None:
    free = current()
    for ceiling in (0.5, 1.0):
        found = probe.amplifier(current(ceiling=ceiling))
        assert found.ceiling == pytest.approx(ceiling, rel=1e-5)
        assert found.saturated == float((free >= ceiling).mean()) > 0
    assert probe.amplifier(free).ceiling == np.inf
    assert probe.amplifier(free).saturated == 0


def test_nan_pixels_take_no_part() -> None:
    holes = current(ceiling=0.5)
    holes[:40] = np.nan
    found, expected = probe.amplifier(holes), probe.amplifier(current(ceiling=0.5)[40:])
    assert found.saturated == expected.saturated
    assert found.offset == pytest.approx(expected.offset, abs=NOISE / 20)


def test_maps_that_say_nothing_are_refused() -> None:
    with pytest.raises(DataError, match="'map' has no finite pixel"):
        probe.amplifier(image(np.full((9, 9), np.nan), "nA"))
    with pytest.raises(DataError, match="no units"):
        probe.amplifier(current().drop_attrs())


def test_sign_conventions_change_no_number_of_the_conduction() -> None:
    straight = probe.conduction(current(), OFFSET, 1.5, "sample")
    turned = turned_round(current())
    for recorded, offset, bias, side in (
        (turned, -OFFSET, 1.5, "sample"),
        (current(), OFFSET, -1.5, "sample"),
        (current(), OFFSET, 1.5, "tip"),
        (turned, -OFFSET, -1.5, "tip"),
        (turned, -OFFSET, 1.5, "unknown"),
    ):
        np.testing.assert_array_equal(probe.conduction(recorded, offset, bias, side), straight)
    assert straight.mean() > 0
    np.testing.assert_allclose(straight, current() - OFFSET)


@pytest.mark.parametrize(("side", "expected"), [("sample", -2), ("tip", 2), ("unknown", np.nan)])
def test_voltage_of_the_sample_against_the_tip_is_noted(side: str, expected: float) -> None:
    conduction = probe.conduction(current(), OFFSET, -2, side)
    np.testing.assert_equal(conduction.attrs["sample_bias"], expected)
    assert conduction.attrs["units"] == "nA"


def test_an_offset_that_cannot_be_told_is_left_in() -> None:
    np.testing.assert_array_equal(probe.conduction(current(), np.nan, 1, "tip"), current())


@pytest.mark.parametrize("bias", [0.0, np.nan, np.inf])
def test_a_map_without_bias_is_refused(bias: float) -> None:
    with pytest.raises(DataError, match=r"bias is .* give it"):
        probe.conduction(current(), 0, bias, "sample")


def test_an_unknown_side_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DataError, match="'Sample': it is 'sample', 'tip' or 'unknown'"):
        probe.conduction(current(), 0, 1, "Sample")


def test_reversed_conventions_change_no_number_of_the_result() -> None:
    tree = tip_stress.simulate("lmo", 1)
    for node in ("pristine", "stressed"):
        scan = tree[node].to_dataset()
        scan["current"] = turned_round(scan.current)
        tree[node] = xr.DataTree(scan.assign_attrs(bias=-1.5, bias_side="tip"))
    straight, turned = measured("lmo", 1), analysed(tree)
    xr.testing.assert_equal(turned.after, straight.after)
    np.testing.assert_array_equal(turned.maps.before, straight.maps.before)
    tables = [probe.change_table(m.maps, m.areas, m.after, 0.08) for m in (straight, turned)]
    assert tables[0].equals(tables[1])
