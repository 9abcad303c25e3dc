"""Grains known beforehand, seen with the noise and the mistakes of an indexer."""

import numpy as np
import pytest
import xarray as xr
from grain_maps import dataset, noisy, rand_index, random, turned, voronoi
from orix.quaternion import Rotation

from liscope.errors import DataError, ParameterError
from liscope.grains import keep_mask, segment

UP = (0.0, 0.0, 1.0)


def columns(
    degrees: list[float], rows: int = 4, axis: tuple[float, float, float] = UP
) -> xr.Dataset:
    """A map whose columns are turned about an axis by so many degrees."""
    one = turned(axis, np.array(degrees))
    return dataset(np.broadcast_to(one, (rows, *one.shape)))


def spotted(*places: tuple[int, int]) -> np.ndarray:
    """One orientation everywhere, and others at some pixels of 8 x 8."""
    quaternion = np.tile([1.0, 0, 0, 0], (8, 8, 1))
    for number, place in enumerate(places):
        quaternion[place] = turned((1, 2, 3), 20.0 + 4 * number)
    return quaternion


@pytest.mark.parametrize(("median", "wrong"), [(0.5, 0.01), (0.8, 0.03)])
@pytest.mark.parametrize("group", ["m-3m", "6/mmm"])
def test_known_grains_are_found_again(median: float, wrong: float, group: str) -> None:
    known = voronoi((240, 240), 230, seed=3)
    seen = noisy(random(known.max() + 1)[known], median, wrong, group=group)
    found = segment(dataset(seen, groups=(group, "m-3m")))
    assert rand_index(found.to_numpy(), known) >= 0.98
    assert found.attrs["threshold_deg"] == 5


def test_wrong_pixels_that_dissolve_into_nothing_cost_more() -> None:
    known = voronoi((120, 120), 60, seed=3)
    seen = dataset(noisy(random(known.max() + 1)[known], 0.6, 0.02))
    both = [
        rand_index(segment(seen, small=how).to_numpy(), known) for how in ("neighbour", "nothing")
    ]
    assert both[0] > both[1]


@pytest.mark.parametrize(("step", "grains"), [(4.9, 1), (5.1, 2)])
def test_the_threshold_separates(step: float, grains: int) -> None:
    assert segment(columns([0, 0, step, step])).max() == grains


def test_a_bent_crystal_is_one_grain() -> None:
    assert segment(columns(list(np.arange(0, 40, 1.0)))).max() == 1


@pytest.mark.parametrize(("group", "turn", "grains"), [
    ("m-3m", 90.0, 1), ("m-3m", 45.0, 2), ("6/mmm", 60.0, 1), ("6/mmm", 90.0, 2), ("mmm", 60.0, 2)
])  # fmt: skip
def test_symmetry_decides_what_is_the_same(group: str, turn: float, grains: int) -> None:
    seen = columns([0, 0, turn, turn]).assign(point_group=("phase_id", [group, "m-3m"]))
    assert segment(seen).max() == grains


def test_corners_do_not_connect() -> None:
    seen = dataset(
        np.where(
            np.kron(np.eye(2), np.ones((4, 4)))[..., None] > 0, [1.0, 0, 0, 0], turned(UP, 30.0)
        )
    )
    assert segment(seen).max() == 4


def test_phases_never_merge() -> None:
    phase = np.zeros((8, 8), int)
    phase[:, 4:] = 1
    phase[3, 1] = 1  # a single pixel of the other phase goes to nothing, not to its neighbour
    found = segment(dataset(spotted(), phase)).to_numpy()
    assert found[3, 1] == 0
    assert found.max() == 2
    np.testing.assert_array_equal(np.unique(found[:, 4:]), [2])


def test_small_grains_go_where_most_of_their_border_is() -> None:
    quaternion = np.tile(turned(UP, 0.0), (8, 8, 1))
    quaternion[:, 4:] = turned(UP, 30.0)
    quaternion[2:4, 3] = turned((1, 0, 0), 20.0)  # two pixels: four edges with the left, two right
    seen = dataset(quaternion)
    left, right = 1, 2
    np.testing.assert_array_equal(segment(seen, smallest=3).to_numpy()[2:4, 3], left)
    np.testing.assert_array_equal(segment(seen, smallest=3, small="nothing").to_numpy()[2:4, 3], 0)
    assert segment(seen, smallest=3, small="stay").max() == 3
    assert segment(seen, smallest=2).max() == 3
    assert segment(seen, smallest=3).to_numpy()[0, 7] == right


def test_small_grains_among_small_ones_follow_them() -> None:
    seen = dataset(spotted((0, 0), (0, 1), (1, 0)))  # the corner touches small grains only
    np.testing.assert_array_equal(segment(seen), 1)


def test_without_a_large_grain_there_is_none() -> None:
    found = segment(dataset(random(9).reshape(3, 3, 4)), smallest=2)
    np.testing.assert_array_equal(found, 0)


def test_what_is_not_kept_belongs_to_no_grain() -> None:
    seen = dataset(spotted())
    values = np.full((8, 8), 80.0)
    values[2, 2], values[5, 5], values[5, 6] = 51.9, np.nan, 52.0
    seen["intensity"] = (("y", "x"), values)
    keep = keep_mask(seen, {"intensity": 52})
    assert segment(seen, keep=keep).to_numpy()[2, 2] == 0
    assert int((~keep).sum()) == 2
    with pytest.raises(DataError, match="no 'score'"):
        keep_mask(seen, {"score": 0.5})


def test_single_pixels_are_filled_only_if_asked_and_only_if_they_may() -> None:
    phase = np.zeros((8, 8), int)
    phase[2, 2], phase[4, 4], phase[6, 6] = -3, -1, 1
    phase[1, 5:7] = -3  # two together stay
    seen = dataset(spotted(), phase)
    assert int((segment(seen) == 0).sum()) == 5
    found = segment(seen, fill=True).to_numpy()
    assert found[2, 2] == 1
    assert (found[4, 4], found[6, 6], found[1, 5], found[1, 6]) == (0, 0, 0, 0)


def test_equivalents_of_one_map_give_the_same_grains() -> None:
    known = voronoi((60, 60), 20, seed=1)
    true = random(known.max() + 1)[known]
    scrambled = noisy(true, 0.0, 0.0)
    np.testing.assert_array_equal(segment(dataset(true)), segment(dataset(scrambled)))
    assert not np.allclose(np.abs(Rotation(true).data), np.abs(Rotation(scrambled).data))


def test_bad_input_is_refused() -> None:
    seen = dataset(spotted())
    with pytest.raises(ParameterError, match="threshold_deg"):
        segment(seen, threshold_deg=0)
    with pytest.raises(ParameterError, match="small"):
        segment(seen, small="away")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no 'phase'"):
        segment(seen.drop_vars("phase"))
    with pytest.raises(DataError, match="'x' has no units"):
        segment(seen.assign_coords(x=np.arange(8.0)))
    with pytest.raises(DataError, match="holds 3"):
        segment(seen.assign(phase=seen["phase"] + 3))
