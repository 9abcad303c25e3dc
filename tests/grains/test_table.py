"""Mean orientation, spread, size and place of grains that were drawn."""

import numpy as np
import pytest
from grain_maps import STEP, dataset, noisy, random, turned, voronoi
from orix.quaternion import Orientation, symmetry

from liscope.errors import DataError
from liscope.grains import grain_table, kernel_average, segment
from liscope.grains.table import quaternions

UP = (0.0, 0.0, 1.0)


def test_means_are_near_the_true_orientations() -> None:
    known = voronoi((150, 150), 60, seed=5)
    true = random(known.max() + 1)
    seen = noisy(true[known], 0.7, 0.02)
    seen[0, 0] = random(1, 9)[0]  # the first pixel of the first grain is a wrong one
    table = grain_table(seen_map := dataset(seen), label := segment(seen_map))
    middle = [np.bincount(known[label.to_numpy() == number]).argmax() for number in table.index]
    found, expected = (
        Orientation(one, symmetry=symmetry.Oh) for one in (quaternions(table), true[middle])
    )
    away = found.angle_with(expected, degrees=True)
    # Noise of 0.7 degrees on average falls with the root of the number of pixels.
    large = table["pixels"] > 100
    assert np.median(away) < 0.15
    assert (away[large] < 0.4).all()
    np.testing.assert_allclose(np.linalg.norm(quaternions(table), axis=1), 1)


def test_spread_and_kernel_average_of_a_grain_of_two_halves() -> None:
    quaternion = np.tile(turned(UP, 0.0), (4, 6, 1))
    quaternion[:, 3:] = turned(UP, 2.0) * -1  # the sign says nothing
    seen = dataset(quaternion)
    label = segment(seen)
    table = grain_table(seen, label)
    assert len(table) == 1
    np.testing.assert_allclose(table[["gos_deg"]], 1.0, rtol=1e-6)
    expected = np.abs(Orientation(quaternions(table)).angle_with(Orientation(turned(UP, 1.0))))
    np.testing.assert_allclose(expected, 0, atol=1e-6)
    kam = kernel_average(seen, label)
    assert kam.attrs["units"] == "degree"
    # Beside the middle one of three or four neighbours is turned by two degrees.
    np.testing.assert_allclose(kam[0], [0, 0, 2 / 3, 2 / 3, 0, 0], atol=1e-6)
    np.testing.assert_allclose(kam[1], [0, 0, 2 / 4, 2 / 4, 0, 0], atol=1e-6)
    np.testing.assert_allclose(table["kam_deg"], kam.mean())


def test_the_mean_of_a_bent_crystal_is_its_middle() -> None:
    """Bent by 50 degrees, so that its last pixels are nearer to the first by another equivalent."""
    seen = dataset(np.tile(turned(UP, np.arange(0.0, 51.0)), (3, 1, 1)))
    table = grain_table(seen, segment(seen))
    away = Orientation(quaternions(table)).angle_with(Orientation(turned(UP, 25.0)), degrees=True)
    np.testing.assert_allclose(away, 0, atol=1e-4)
    np.testing.assert_allclose(table["gos_deg"], np.abs(np.arange(-25, 26)).mean(), rtol=1e-4)


def test_sizes_and_places() -> None:
    quaternion = np.tile(turned(UP, 0.0), (6, 8, 1))
    quaternion[1:4, 2:6] = turned(UP, 30.0)
    table = grain_table(seen := dataset(quaternion), segment(seen))
    inner = table.loc[2]
    assert inner["pixels"] == 12
    assert inner["area_nm2"] == 12 * STEP**2
    assert inner["diameter_nm"] == pytest.approx(np.sqrt(48 * STEP**2 / np.pi))
    assert (inner["y_nm"], inner["x_nm"]) == (2.5 * STEP, 4 * STEP)
    assert (inner["height_nm"], inner["width_nm"]) == (3 * STEP, 4 * STEP)
    assert not inner["cut_x"]
    assert not inner["cut_y"]
    assert table.loc[1, "cut_x"]
    assert table.loc[1, "phase"] == "LMNO"


def test_absorbed_pixels_count_in_the_area_only() -> None:
    quaternion = np.tile(turned(UP, 0.0), (7, 7, 1))
    quaternion[3, 3] = turned((1, 1, 0), 35.0)
    table = grain_table(seen := dataset(quaternion), segment(seen))
    assert table.loc[1, "pixels"] == 49
    assert table.loc[1, "gos_deg"] == pytest.approx(0, abs=1e-6)


def test_no_grains_are_an_empty_table() -> None:
    seen = dataset(random(9).reshape(3, 3, 4), np.full((3, 3), -1))
    assert grain_table(seen, segment(seen)).empty


def test_labels_of_another_map_are_refused() -> None:
    seen = dataset(random(9).reshape(3, 3, 4))
    with pytest.raises(DataError, match="differ"):
        grain_table(seen, segment(seen)[:2])
