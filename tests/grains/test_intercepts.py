"""Lines through stripes, and through cells of random points."""

import numpy as np
import pytest
from grain_maps import STEP, dataset, random, turned, voronoi

from liscope.grains import grain_table, mean_intercepts, segment


def test_stripes_have_their_width_and_the_edge_is_bounded() -> None:
    number = (np.arange(40) + 3) // 10  # 7, 10, 10, 10 and 3 columns
    seen = dataset(np.tile(turned((0, 0, 1), number * 20.0), (30, 1, 1)))
    label = segment(seen)
    table = mean_intercepts(seen, label, grain_table(seen, label), "LMNO")
    x = table.loc["x"]
    assert x["value_nm"] == pytest.approx(40 / 4 * STEP)  # four boundaries in forty columns
    assert (x["intercepts"], x["cut"]) == (30 * 5, 30 * 2)
    assert x["least_nm"] == pytest.approx(40 / 5 * STEP)
    assert x["most_nm"] == pytest.approx(40 / 3 * STEP)
    y = table.loc["y"]
    assert np.isnan(y["value_nm"]) or not np.isfinite(y["high_nm"])
    assert not np.isfinite(y["most_nm"])  # no line along y meets a boundary


def test_cells_of_random_points_have_their_known_intercept() -> None:
    """Pi / (4 sqrt(density)): J. L. Meijering, Philips Res. Rep. 8, 270 (1953)."""
    count, side = 500, 300
    known = voronoi((side, side), count, seed=4)
    seen = dataset(random(known.max() + 1)[known])
    label = segment(seen, smallest=1)
    table = mean_intercepts(seen, label, grain_table(seen, label), "LMNO")
    expected = np.pi / 4 * side / np.sqrt(count) * STEP
    for axis in ("x", "y"):
        row = table.loc[axis]
        assert row["value_nm"] == pytest.approx(expected, rel=0.06)
        assert row["low_nm"] <= expected <= row["high_nm"]
        assert row["high_nm"] - row["low_nm"] < 0.3 * expected
        assert row["least_nm"] <= row["value_nm"] <= row["most_nm"]


def test_other_phases_and_voids_end_an_intercept_and_are_not_counted() -> None:
    phase = np.zeros((12, 12), int)
    phase[:, 4:6], phase[:, 10:] = -1, 1
    seen = dataset(np.tile([1.0, 0, 0, 0], (12, 12, 1)), phase)
    label = segment(seen)
    row = mean_intercepts(seen, label, grain_table(seen, label), "LMNO").loc["x"]
    assert (row["intercepts"], row["cut"]) == (24, 12)
    assert row["value_nm"] == pytest.approx(8 / 1.5 * STEP)


def test_a_pixel_that_is_not_known_ends_no_intercept() -> None:
    phase = np.zeros((12, 12), int)
    phase[:, 3:5], phase[:, 8] = -3, -1
    seen = dataset(np.tile([1.0, 0, 0, 0], (12, 12, 1)), phase)
    label = segment(seen)
    row = mean_intercepts(seen, label, grain_table(seen, label), "LMNO").loc["x"]
    # The columns left and right of the unknown ones are two grains, as nothing connects them.
    assert (row["intercepts"], row["cut"]) == (36, 24)
    phase[6, 3:5] = 0
    seen = dataset(np.tile([1.0, 0, 0, 0], (12, 12, 1)), phase)
    label = segment(seen)
    row = mean_intercepts(seen, label, grain_table(seen, label), "LMNO").loc["x"]
    assert (row["intercepts"], row["cut"]) == (24, 24)
    assert row["value_nm"] == pytest.approx((8 + 3) * STEP)
