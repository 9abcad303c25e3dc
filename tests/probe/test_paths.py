"""Conductive paths: discs of known number, size and current come out as such."""

import numpy as np
import pytest
from measured_maps import image
from scipy import ndimage, stats
from skimage import draw

from liscope import probe
from liscope.probe.paths import median_interval

PIXEL = 0.02  # um
CENTRES = [(20 + 40 * i, 25 + 50 * j) for i in range(6) for j in range(5)]
RADIUS, CURRENT, FILM = 6, 30.0, 1.0  # pixels, nA, nA


def discs() -> np.ndarray:
    current = np.full((240, 260), FILM)
    for centre in CENTRES:
        current[draw.disk(centre, RADIUS + 0.5)] = CURRENT
    return current


def test_number_size_place_and_share_of_discs_are_those_drawn() -> None:
    paths = probe.find_paths(image(discs(), "nA"), 5.0)
    table = paths.table
    assert len(table) == len(CENTRES)
    pixels = (discs() == CURRENT).sum() / len(CENTRES)
    np.testing.assert_allclose(table["area_um2"], pixels * PIXEL**2)
    np.testing.assert_allclose(np.pi * (table["diameter_nm"] / 2000) ** 2, table["area_um2"])
    np.testing.assert_allclose(table["diameter_nm"], 2000 * (RADIUS + 0.5) * PIXEL, rtol=0.03)
    places = sorted(zip(table["y_um"], table["x_um"], strict=True))
    np.testing.assert_allclose(places, (np.array(sorted(CENTRES)) + 0.5) * PIXEL)
    np.testing.assert_allclose(table["current_share"], CURRENT * pixels / discs().sum())


def test_density_and_shares_are_those_drawn_within_their_intervals() -> None:
    found = probe.paths_table(probe.find_paths(image(discs(), "nA"), 5.0))
    inside = discs() == CURRENT
    true = {
        "paths_per_um2": len(CENTRES) / (discs().size * PIXEL**2),
        "area_share_percent": 100 * inside.mean(),
        "current_share_percent": 100 * discs()[inside].sum() / discs().sum(),
    }
    for name, value in true.items():
        assert found.loc[name, "value"] == pytest.approx(value)
        assert found.loc[name, "low"] <= value <= found.loc[name, "high"]


def test_density_interval_holds_that_of_a_poisson_process() -> None:
    rng = np.random.default_rng(0)
    density, hits = 12.0, []  # 1/um2
    for _ in range(60):
        spots = np.zeros((250, 250))
        number = rng.poisson(density * spots.size * PIXEL**2)
        spots[rng.integers(0, 250, number), rng.integers(0, 250, number)] = 1.0
        low, high = probe.paths_table(probe.find_paths(image(spots, "nA"), 0.5)).loc[
            "paths_per_um2", ["low", "high"]
        ]
        # Spots that touch are one path: the density of places is a little lower.
        places = ndimage.label(spots, np.ones((3, 3)))[1] / number
        hits.append(low <= density * places <= high)
    assert sum(hits) >= stats.binom.ppf(0.001, len(hits), 0.9)


def test_diagonal_neighbours_are_one_path_as_for_scipy() -> None:
    mask = np.random.default_rng(1).random((80, 90)) < 0.3
    paths = probe.find_paths(image(mask.astype(float), "nA"), 0.5)
    label, count = ndimage.label(mask, np.ones((3, 3)))
    assert len(paths.table) == count
    sizes = ndimage.sum_labels(mask, label, range(1, count + 1)) * PIXEL**2
    np.testing.assert_allclose(sorted(paths.table["area_um2"]), sorted(sizes))


def test_pixels_that_were_not_seen_do_not_count() -> None:
    holed = discs()
    holed[:, 125:] = np.nan
    paths = probe.find_paths(image(holed, "nA"), 5.0)
    left = probe.find_paths(image(discs()[:, :125], "nA"), 5.0)
    np.testing.assert_allclose(paths.table, left.table)
    assert paths.per_area.value == pytest.approx(left.per_area.value)
    assert paths.area_share.value == pytest.approx(left.area_share.value)
    assert paths.current_share.value == pytest.approx(left.current_share.value)
    assert not paths.mask[:, 125:].any()


def test_none_found_is_none_with_a_poisson_bound() -> None:
    paths = probe.find_paths(image(discs(), "nA"), np.inf)
    assert len(paths.table) == 0 and not paths.mask.any()
    (found,) = probe.paths_table(paths).itertuples()
    assert (found.value, found.low) == (0, 0)
    area = discs().size * PIXEL**2
    assert found.high == pytest.approx(-np.log(0.05) / area, rel=0.01)  # P(0 events) = 5 %


def test_threshold_is_a_multiple_of_the_conducting_films_median() -> None:
    rng = np.random.default_rng(2)
    film = np.exp(rng.normal(0, 0.5, (200, 200)))
    film[:120] = 0.001 * rng.standard_normal((120, 200))
    expected = 4 * np.median(film[120:])
    assert probe.path_threshold(image(film, "nA"), 0.001, 4) == pytest.approx(expected)
    positive = 4 * np.median(film[film > 0])
    assert probe.path_threshold(image(film, "nA"), np.nan, 4) == pytest.approx(positive)
    assert probe.path_threshold(image(film * 0, "nA"), 0.001, 4) == np.inf


@pytest.mark.parametrize("count", [7, 20, 101])
def test_median_interval_holds_the_median_as_often_as_it_says(count: int) -> None:
    rng = np.random.default_rng(count)
    hits = []
    for _ in range(1000):
        median, low, high = median_interval(np.exp(rng.standard_normal(count)))
        hits.append(low <= 1.0 <= high)
        assert low <= median <= high
    assert stats.binom.ppf(0.001, 1000, 0.95) <= sum(hits) <= stats.binom.ppf(0.999, 1000, 0.99)


def test_median_of_too_few_values_has_no_interval() -> None:
    assert median_interval(np.array([3.0, 1.0, 2.0])) == (2.0, -np.inf, np.inf)
    assert np.isnan(median_interval(np.array([]))[0])
