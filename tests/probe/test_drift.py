"""A drift that was put in is found, and maps of different places are refused."""

from itertools import permutations

import numpy as np
import pytest
from measured_maps import image, measured

from liscope import probe
from liscope.errors import DataError
from liscope.probe.drift import Drift
from liscope.specimens import tip_stress

PIXEL = tip_stress.FIELD / tip_stress.PIXELS  # um


def steady(shift: tuple[float, float], rate: tuple[float, float] = (0, 0)) -> Drift:
    return Drift(shift, rate, np.zeros((1, 2)), np.zeros(1), 0.0)


@pytest.mark.parametrize("film", list(tip_stress.FILMS))
@pytest.mark.parametrize("seed", range(3))
def test_shift_and_rate_of_specimens_are_found_within_a_tenth_of_a_pixel(
    film: str, seed: int
) -> None:
    specimen = measured(film, seed)
    heights = [probe.level(specimen.scans[name].z) for name in ("stressed", "pristine")]
    drift = probe.find_drift(*heights)
    # The truth is given as x, y; the shift at the first line and its growth to the last.
    rate = specimen.truth["creep"].to_numpy()[::-1] / PIXEL
    shift = specimen.truth["shift"].to_numpy()[::-1] / PIXEL + rate / 2
    np.testing.assert_allclose(drift.shift, shift, atol=0.1)
    np.testing.assert_allclose(drift.rate, rate, atol=0.1)
    probe.check_same_place(drift, heights[0])


def test_maps_of_ten_different_places_are_refused() -> None:
    heights = [probe.level(measured("lmo", seed).scans["pristine"].z) for seed in range(4)]
    for one, other in list(permutations(heights, 2))[:10]:
        with pytest.raises(DataError, match="do not show the same place"):
            probe.check_same_place(probe.find_drift(one, other), one)


def test_a_shift_that_leaves_less_than_half_of_the_map_is_refused() -> None:
    map_ = image(np.zeros((100, 100)))
    probe.check_same_place(steady((25, 25)), map_)
    with pytest.raises(DataError, match="49 % would overlap"):
        probe.check_same_place(steady((-30, 30)), map_)


def test_maps_on_different_grids_are_refused() -> None:
    map_ = image(np.random.default_rng(0).standard_normal((64, 64)))
    with pytest.raises(DataError, match="differ in shape"):
        probe.find_drift(map_, map_[:, :60])
    with pytest.raises(DataError, match="differ in pixel size"):
        probe.find_drift(map_, image(map_.to_numpy(), pixel=0.021))
    with pytest.raises(DataError, match="has no coordinate 'y'"):
        probe.find_drift(map_, map_.drop_vars("y"))


@pytest.mark.parametrize("order", [0, 1, 3])
def test_a_shift_of_whole_pixels_moves_pixels_and_leaves_nan_outside(order: int) -> None:
    values = np.random.default_rng(1).standard_normal((40, 50))
    moved = probe.onto(image(values), steady((3, -2)), order=order).to_numpy()
    expected = np.full(values.shape, np.nan)
    expected[:-3, 2:] = values[3:, :-2]
    np.testing.assert_allclose(moved, expected, atol=1e-12)


def test_a_growing_shift_moves_a_ramp_by_what_the_line_says() -> None:
    rows, columns = np.mgrid[:40, :50].astype(float)
    drift = steady((1.5, 2.25), (0.5, -1.0))
    moved = probe.onto(image(10 * rows + columns), drift).to_numpy()
    time = rows / 40 - 0.5
    expected = 10 * (rows + 1.5 + 0.5 * time) + columns + 2.25 - time
    seen = np.isfinite(moved)
    np.testing.assert_allclose(moved[seen], expected[seen])
    assert seen[:37, :46].all() and not seen[-1].any() and not seen[:, -1].any()


@pytest.mark.parametrize("order", [0, 1, 3])
def test_a_hole_stays_a_hole_and_spoils_nothing_around_it(order: int) -> None:
    smooth = np.sin(np.mgrid[:40, :50].sum(0) / 8.0)
    holed = smooth.copy()
    holed[10, 20] = np.nan
    drift = steady((0.4, 0.3))
    moved, whole = (probe.onto(image(z), drift, order=order).to_numpy() for z in (holed, smooth))
    lost = np.isnan(moved) & np.isfinite(whole)
    assert 1 <= lost.sum() <= 4
    assert set(zip(*np.nonzero(lost), strict=True)) <= {(9, 19), (9, 20), (10, 19), (10, 20)}
    np.testing.assert_allclose(moved[~lost], whole[~lost], atol=0.02)


def test_a_flat_map_is_refused_and_half_a_scan_is_not() -> None:
    specimen = measured("lmo", 1)
    heights = [probe.level(specimen.scans[name].z) for name in ("stressed", "pristine")]
    with pytest.raises(DataError, match="flat"):
        probe.find_drift(heights[0], 0 * heights[1])
    whole = probe.find_drift(*heights)
    half = heights[0].copy()
    half[200:] = np.nan
    drift = probe.find_drift(half, heights[1])
    probe.check_same_place(drift, half)
    np.testing.assert_allclose(drift.strips, whole.strips[: len(drift.strips)], atol=0.2)
    half[60:] = np.nan
    with pytest.raises(DataError, match="too few scan lines"):
        probe.find_drift(half, heights[1])
