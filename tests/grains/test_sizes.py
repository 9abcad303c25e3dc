"""Sizes of grains whose law is known, in spite of the map's edge and step."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from grain_maps import STEP, dataset, discs, random, voronoi
from scipy import stats

from liscope.errors import DataError
from liscope.grains import (
    Sizes,
    density_mode,
    fit_lognormal,
    grain_table,
    segment,
    size_distribution,
    size_table,
    sizes_of,
)
from liscope.grains.sizes import bootstrap, median

MODE, SPREAD = 20.0, 1.35  # nm, and geometric standard deviation
MEDIAN = MODE * np.exp(np.log(SPREAD) ** 2)


def of(diameter: np.ndarray, floor: float = 1e-3) -> Sizes:
    return Sizes("LMNO", diameter, np.ones(len(diameter)), floor, STEP, 0, 0.0)


def drawn(count: int, seed: int = 0, spread: float = SPREAD) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return MODE * np.exp(np.log(spread) ** 2 + np.log(spread) * rng.standard_normal(count))


def measured(label: np.ndarray, smallest: int = 4) -> tuple[pd.DataFrame, xr.DataArray]:
    """Table and labels of a map in which label 0 is amorphous."""
    quaternion = random(label.max() + 1)[label]
    seen = dataset(quaternion, np.where(label > 0, 0, -1))
    found = segment(seen, smallest=smallest)
    return grain_table(seen, found), found


@pytest.fixture(scope="module")
def round_grains() -> Sizes:
    return sizes_of(*measured(discs((400, 400), drawn(600) / STEP)), "LMNO")


def test_both_modes_of_round_grains_are_within_one_step(round_grains: Sizes) -> None:
    table = size_table(round_grains)
    for name in ("mode of density by number", "mode of log-normal law"):
        row = table.loc[name]
        assert row["value"] == pytest.approx(MODE, abs=STEP)
        assert row["low"] <= MODE <= row["high"]
    row = table.loc["median of log-normal law"]
    assert row["low"] <= MEDIAN <= row["high"]
    assert table.loc["geometric standard deviation", "value"] == pytest.approx(SPREAD, abs=0.04)
    area = table.loc["mean by area"]
    third, second = (np.exp(k**2 * np.log(SPREAD) ** 2 / 2) * MEDIAN**k for k in (3, 2))
    assert area["low"] <= third / second <= area["high"]


def test_cells_of_random_points_have_their_known_mode() -> None:
    """Areas have nearly a gamma law of shape 3.5 (Ferenc, Neda, Physica A 385, 518 (2007)).

    The diameters' density, d^6 exp(-3.5 d^2 / D^2), is highest at D sqrt(6/7), where D is the
    diameter of the mean area. It is no log-normal law, so that law's own mode lies lower.
    """
    count, side = 1600, 360
    known = voronoi((side, side), count, seed=1)
    mean = np.sqrt(4 / np.pi * side**2 / count) * STEP
    sizes = sizes_of(*measured(known + 1), "LMNO")
    assert density_mode(sizes) == pytest.approx(mean * np.sqrt(6 / 7), abs=STEP)
    assert mean * np.sqrt(6 / 7) == pytest.approx(23.5, abs=0.2)
    assert fit_lognormal(sizes).mode < density_mode(sizes)


def test_large_grains_are_missed_less_with_their_chance() -> None:
    """Thirty small fields of one film: the mean of whole grains alone comes out too small."""
    whole, corrected = [], []
    spread = 1.6
    for seed in range(30):
        sizes = sizes_of(*measured(discs((90, 90), drawn(40, seed, spread) / STEP, seed)), "LMNO")
        assert sizes.cut > 0
        assert 0 < sizes.cut_share < 1
        whole.append(sizes.diameter)
        corrected.append(sizes)
    # Grains below the floor are not in the map; of the others, the law's mean is expected.
    sigma, floor = np.log(spread), np.log(corrected[0].floor / MODE)
    tail = [stats.norm.sf(floor / sigma - sigma - k * sigma) for k in (0, 1)]
    expected = MODE * np.exp(1.5 * sigma**2) * tail[1] / tail[0]
    diameters = np.concatenate(whole)
    weights = np.concatenate([one.weight for one in corrected])
    bias = [
        np.average(diameters, weights=w) / expected - 1 for w in (np.ones_like(weights), weights)
    ]
    assert bias[0] < -0.05
    assert abs(bias[1]) < abs(bias[0]) / 2


def test_along_a_film_only_its_ends_cut() -> None:
    label = np.zeros((60, 200), np.int64)
    label[20:40] = voronoi((20, 200), 40, seed=2) + 1
    table, found = measured(label)
    sizes = sizes_of(table, found, "LMNO")
    own = table[~(table["cut_x"] | table["cut_y"])]
    assert not table["cut_y"].any()
    pixels = own["width_nm"].to_numpy() / STEP
    np.testing.assert_allclose(sizes.weight, 199 / (199 - pixels))


def test_the_fit_is_scipys_where_nothing_is_hidden() -> None:
    diameter = drawn(300)
    shape, _, scale = stats.lognorm.fit(diameter, floc=0)
    law = fit_lognormal(of(diameter))
    assert law.median == pytest.approx(scale, rel=1e-3)
    assert np.log(law.spread) == pytest.approx(shape, rel=1e-3)
    assert law.below(MEDIAN) == pytest.approx(stats.lognorm.cdf(MEDIAN, shape, 0, scale), abs=1e-3)


def test_a_floor_hides_grains_but_not_their_law() -> None:
    floor = 18.0
    every = drawn(2000, spread=1.6)
    seen = of(every[every >= floor], floor)
    hidden = np.mean(every < floor)
    assert hidden > 0.2
    table = size_table(seen)
    assert table.loc["mode of log-normal law", "value"] == pytest.approx(MODE, abs=STEP)
    assert table.loc["unseen", "low"] <= hidden <= table.loc["unseen", "high"]
    ignorant = fit_lognormal(of(seen.diameter))
    assert abs(ignorant.mode - MODE) > 2 * STEP
    assert table.loc["mode of density by number", "low"] == 0  # a bound only


def test_the_floor_is_the_smallest_grain_kept() -> None:
    table, found = measured(voronoi((100, 100), 400, seed=1) + 1, smallest=9)
    sizes = sizes_of(table, found, "LMNO")
    assert sizes.floor == pytest.approx(STEP * np.sqrt(4 / np.pi * 8.5))
    assert sizes.diameter.min() >= sizes.floor


def test_intervals_hold_the_truth() -> None:
    held = {median: 0, density_mode: 0}
    for seed in range(20):
        sizes = of(drawn(120, seed))
        for statistic, truth in ((median, MEDIAN), (density_mode, MODE)):
            low, high = bootstrap(sizes, lambda w, s=statistic, z=sizes: np.array([s(z, w)]))
            held[statistic] += int(low[0] <= truth <= high[0])
    assert 17 <= held[median] < 20
    assert held[density_mode] >= 17


def test_few_grains_have_no_interval_and_none_whole_is_an_error() -> None:
    table = size_table(of(drawn(4)))
    assert np.isfinite(table["value"]).all()
    assert table["low"].drop("unseen").isna().all()
    with pytest.raises(DataError, match="lies whole"):
        sizes_of(*measured(np.ones((5, 5), np.int64)), "LMNO")


def test_the_distribution_adds_up(round_grains: Sizes) -> None:
    table = size_distribution(round_grains, 5.0)
    np.testing.assert_allclose(table[["by_number", "by_area"]].sum(), 1)
    counts = np.histogram(round_grains.diameter, np.append(table["from_nm"], table["to_nm"].max()),
                          weights=round_grains.weight)[0]  # fmt: skip
    np.testing.assert_allclose(table["by_number"], counts / counts.sum())
    assert table["law"].sum() == pytest.approx(1, abs=0.02)
    assert (table["by_number_low"] <= table["by_number"] + 1e-12).all()
