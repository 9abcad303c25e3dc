"""Places that somebody marked: a start at any rotation, and a check of what was found."""

import numpy as np
import pytest
from analytic_maps import marked, pair

from liscope.errors import ParameterError
from liscope.registration import Field, Placement, landmark_table, register
from liscope.registration.landmarks import Landmarks, start_from

MOVING = Field((1.0, 2.0), (0.02, 0.02), (200, 300))


def test_two_places_give_rotation_scale_and_shift() -> None:
    """A quarter turn from x to y, twice as large: along x becomes along y."""
    start = start_from([(1, 1, 10, 20), (2, 1, 10, 22)], MOVING)
    assert start.rotation == pytest.approx(90) and start.scales == pytest.approx((2, 2))
    np.testing.assert_allclose(start(np.array([[1.0, 1.0], [2.0, 1.0]])), [[20, 10], [20, 8]])
    np.testing.assert_allclose(start(start.centre), MOVING.centre)
    np.testing.assert_allclose(start.slow, (1.0, 4.98))


def test_more_places_are_met_in_the_mean() -> None:
    places = [(0, 0, 0, 0), (2, 0, 2, 0), (2, 2, 2, 2), (0, 2, 0, 2.4)]
    start = start_from(places, MOVING)
    error = landmark_table(places, start)["error_nm"].to_numpy() / 1000
    # Least squares by numpy: x' = a x - b y + c, y' = b x + a y + d.
    rows = [[[x, -y, 1, 0], [y, x, 0, 1]] for x, y, *_ in places]
    a, right = np.concatenate(rows), np.ravel([place[2:] for place in places])
    solution, *_ = np.linalg.lstsq(a, right)
    expected = np.hypot(*(a @ solution - right).reshape(-1, 2).T)
    np.testing.assert_allclose(error, expected, atol=1e-9)
    assert expected.max() > 0.05


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ([(1, 1, 2, 2)], "landmarks: got 1; two are needed"),
        ([(1, 1, 2, 2), (1, 1, 2, 2)], "landmarks: they lie on one spot"),
    ],
)
def test_too_few_places_are_refused(places: Landmarks, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        start_from(places, MOVING)


def test_held_out_places_are_judged_by_their_distance() -> None:
    shifted = Placement(np.eye(2), np.array([1.0, 2.0]), np.zeros(2), 1.0)
    table = landmark_table([(0, 0, 2, 1), (1, 1, 3.003, 2.004), (5, 0, 7, 1.01)], shifted)
    np.testing.assert_allclose(table["error_nm"], [0, 5, 10], atol=1e-9)
    assert list(table.index) == [1, 2, 3] and table.index.name == "landmark"


def test_marks_replace_the_search_where_it_does_not_reach() -> None:
    two = pair(seed=1, angle=60)
    assert not register(two.fixed, two.moving).found  # searched are 30 degrees to either side
    roughly = marked(two, 4, error=0.05)
    found = register(two.fixed, two.moving, landmarks=roughly)
    assert found.found and found.start.chance < 1e-3
    assert two.error(start_from(roughly, Field.of(two.moving))) > 20
    assert two.error(found.trusted()) < 5
    assert landmark_table(marked(two, 6, seed=1), found.placement)["error_nm"].max() < 10


def test_marks_do_not_make_a_place_of_none() -> None:
    """Wrong marks, marks off the map, and right marks on a map of something else."""
    two = pair(seed=1, angle=10)
    right = marked(two, 4)
    exchanged = [(u, v, x, y) for x, y, u, v in right]
    away = [(x + 40, y, u, v) for x, y, u, v in right]
    for places in (exchanged, away):
        found = register(two.fixed, two.moving, landmarks=places)
        assert not found.found and "by chance" in found.reason
    for swapped in ([(y, x, u, v) for x, y, u, v in right], [(x, y, v, u) for x, y, u, v in right]):
        with pytest.raises(ParameterError, match="landmarks: they disagree by"):
            register(two.fixed, two.moving, landmarks=swapped)
    other = pair(seed=8, angle=10).moving
    assert not register(two.fixed, other, landmarks=right).found
