"""Particle sizes: balls of a known law in windows that cut them, parted and measured."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

sys.path.append(str(Path(__file__).parent))
from labelled_volumes import STEPS, balls, distances, labelled

from liscope.errors import DataError, ParameterError
from liscope.volume import _voxels, separation
from liscope.volume.chords import chord_table
from liscope.volume.label_table import component_table
from liscope.volume.labels import label_components
from liscope.volume.separation import separate
from liscope.volume.sizes import size_distribution, size_table, sizes_of

MEDIAN, SPREAD = 0.8, 1.3  # um, and geometric standard deviation


def drawn(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return MEDIAN * np.exp(np.log(SPREAD) * rng.standard_normal(count))


@pytest.fixture(scope="module")
def deep() -> tuple[np.ndarray, np.ndarray]:
    """Diameters, and numbers of balls in a window that is deeper than any of them."""
    diameters = drawn(420, 0)
    return diameters, balls((100, 110, 110), diameters, seed=1)


def test_law_in_a_deep_window(deep: tuple[np.ndarray, np.ndarray]) -> None:
    number = labelled(deep[1])
    found = sizes_of(component_table(number), number)
    assert not found.bound
    assert found.sizes.cut > found.sizes.diameter.size / 3
    table = size_table(found)
    for name in ("median by number", "median of log-normal law"):
        row = table.loc[name]
        assert row["low"] <= MEDIAN <= row["high"]
        assert row["value"] == pytest.approx(MEDIAN, rel=0.08)
    volume = MEDIAN * np.exp(3 * np.log(SPREAD) ** 2)  # the median by volume of the same law
    assert table.loc["median by volume", "low"] <= volume <= table.loc["median by volume", "high"]
    row = table.loc["geometric standard deviation"]
    assert row["low"] <= SPREAD <= row["high"]
    bins = size_distribution(found, 0.2)
    assert bins["by_number"].sum() == pytest.approx(1)
    assert bins["by_volume"].sum() == pytest.approx(1)
    law = stats.lognorm(np.log(SPREAD), scale=MEDIAN)
    expected = law.cdf(bins["to_um"]) - law.cdf(bins["from_um"])
    np.testing.assert_allclose(bins["law"], expected, atol=0.08)


def test_whole_balls_alone_would_come_out_too_small() -> None:
    """Windows of two median diameters: weights undo that large balls are whole less often."""
    plain, weighted = [], []
    for seed in range(16):
        number = labelled(balls((36, 60, 60), drawn(70, 10 + seed), seed=seed))
        sizes = sizes_of(component_table(number), number).sizes
        plain.append(sizes.diameter)
        weighted.append(sizes.weight)
    diameter, weight = np.concatenate(plain), np.concatenate(weighted)
    mean = MEDIAN * np.exp(np.log(SPREAD) ** 2 / 2)
    assert diameter.mean() < 0.97 * mean
    assert np.average(diameter, weights=weight) == pytest.approx(mean, rel=0.05)


def test_a_thin_volume_gives_bounds_and_chords_tell_the_rest() -> None:
    """Balls of 2 um in a volume 1.2 um deep: none is whole, or some small ones are."""
    diameters = np.append(np.full(60, 2.0), np.full(60, 0.5))
    number = labelled(balls((20, 170, 170), diameters, seed=3))
    table = size_table(sizes_of(component_table(number), number))
    assert np.isnan(table.loc["median by volume", "value"])
    assert table.loc["median by volume", "high"] == np.inf
    assert table.loc["median by volume", "low"] <= 2.0
    assert table.loc["through the volume", "value"] > 5
    large = labelled(np.where(_diameters(number.to_numpy(), 0.6), number.to_numpy(), 0))
    chords = chord_table(large)
    for dim in "zyx":
        row = chords.loc[dim]
        assert row["mean_um"] == pytest.approx(2 / 3 * 2.0, rel=0.12)
        assert row["low_um"] < row["mean_um"] < row["high_um"]
        assert row["sauter_um"] == pytest.approx(1.5 * row["mean_um"])
    for dim in "yx":
        assert chords.loc[dim, "by_volume_um"] == pytest.approx(2.0, rel=0.06)
    assert np.isnan(chords.loc["z", "by_volume_um"])


def _diameters(number: np.ndarray, least: float) -> np.ndarray:
    """Return where balls are that extend over at least ``least`` um along x somewhere."""
    table = component_table(labelled(number))
    return np.isin(number, table.index[table["extent_x_um"] > least])


def test_no_whole_particle_is_said_so() -> None:
    number = labelled(np.ones((10, 12, 14), np.int32))
    with pytest.raises(DataError, match="lies whole in the volume"):
        sizes_of(component_table(number), number)


def test_two_touching_balls_are_parted_at_the_neck() -> None:
    """Their necks are 0.6 and 0.97 as wide as they are: two particles, and one."""
    shape, radius = (50, 44, 80), 1.0
    for apart, count in ((1.6, 2), (0.5, 1)):
        middles = [(1.5, 1.75, 3.2 + side * apart / 2) for side in (-1, 1)]
        away = [distances(shape, middle) for middle in middles]
        label = np.where(np.minimum(*away) < radius, 2, 1).astype(np.uint8)
        found = separate(labelled(label), "balls").to_numpy()
        assert found.max() == count
        np.testing.assert_array_equal(found > 0, label == 2)
        if count == 2:
            sides = np.where(away[0] < away[1], 1, 2)[label == 2]
            assert np.mean(found[label == 2] == sides) > 0.98


def test_particles_apart_are_the_connected_components(deep: tuple[np.ndarray, np.ndarray]) -> None:
    label = labelled(np.where(deep[1] > 0, 2, 1).astype(np.uint8))
    parted = separate(label, "balls").to_numpy()
    whole = label_components(label == 2).to_numpy()
    pairs = np.unique(np.stack([parted.ravel(), whole.ravel()]), axis=1)
    assert pairs.shape[1] <= 1.02 * (whole.max() + 1)  # slivers at the border may fall apart


def test_tiles_and_chunks_find_the_same_particles(monkeypatch: pytest.MonkeyPatch) -> None:
    number = balls((40, 90, 100), drawn(140, 5), seed=6, gap=-0.1)
    label = np.where(number > 0, 2, 1).astype(np.uint8)
    whole = separate(labelled(label), "balls", reach_um=2.0)
    lazy = separate(labelled(label, chunks=(7, 31, 100)), "balls", reach_um=2.0)
    np.testing.assert_array_equal(lazy.to_numpy(), whole.to_numpy())
    monkeypatch.setattr(separation, "TILE", 30)
    tiled = separate(labelled(label), "balls", reach_um=2.0)
    assert tiled.data.numblocks == (1, 3, 3)
    np.testing.assert_array_equal(tiled.to_numpy(), whole.to_numpy())


def test_a_reach_that_is_too_short_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    label = np.ones((20, 60, 300), np.uint8)
    label[5:15, 20:40, 10:290] = 2
    label[4:16, 18:42, 10:30] = 2  # the deepest place is at one end
    monkeypatch.setattr(separation, "TILE", 40)
    found = separate(labelled(label), "balls", reach_um=0.5)
    with pytest.raises(DataError, match="larger radius"):
        found.compute()


def test_chords_of_slabs_and_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slabs 4 of 10 voxels thick across x: each chord along x has 4, cut ones or not."""
    number = np.zeros((12, 30, 97), np.int32)
    x = np.arange(97)
    number[:] = np.where((x + 2) % 10 < 4, (x + 2) // 10 + 1, 0)
    whole = chord_table(labelled(number))
    assert whole.loc["x", "mean_um"] == pytest.approx(4 * STEPS[2], rel=0.06)
    assert whole.loc["x", "by_volume_um"] == pytest.approx(2 ** (1 / 3) * 4 * STEPS[2])
    assert np.isnan(whole.loc["y", "by_volume_um"])  # they reach through
    assert whole.loc["x", "cut"] == 12 * 30 * 1
    monkeypatch.setattr(_voxels, "SLAB", 5 * 30 * 97)
    lazy = chord_table(labelled(number, chunks=(5, 11, 97)))
    np.testing.assert_allclose(lazy.to_numpy(), whole.to_numpy(), rtol=1e-6)


def test_bad_parameters_are_refused() -> None:
    label = labelled(np.ones((5, 6, 7), np.uint8))
    with pytest.raises(ParameterError, match="no phase 'LCO'; there are matrix, balls"):
        separate(label, "LCO")
    with pytest.raises(ParameterError, match=r"neck=1\.2 must be"):
        separate(label, "balls", neck=1.2)
