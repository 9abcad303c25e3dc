"""Angles, equivalents and axes beside orix."""

import numpy as np
import pytest
from grain_maps import random, turned
from orix.crystal_map import Phase
from orix.quaternion import Misorientation, Orientation, Rotation

from liscope.errors import ParameterError
from liscope.grains.disorientation import angle_between, nearest, operators, smallest

GROUPS = ["m-3m", "432", "23", "-43m", "6/mmm", "-3m", "4/mmm", "mmm", "2/m", "1"]


def oriented(quaternions: np.ndarray, group: str) -> Orientation:
    return Orientation(quaternions, symmetry=Phase(point_group=group).point_group)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("apart", [None, 3.0], ids=["random", "close"])
def test_angles_are_those_of_orix(group: str, apart: float | None) -> None:
    one, two = random(2000, 1), random(2000, 2)
    if apart:
        two = (Rotation(turned((1, 2, 3), apart)) * Rotation(one)).data * -1
    expected = oriented(one, group).angle_with(oriented(two, group), degrees=True)
    np.testing.assert_allclose(angle_between(one, two, operators(group)), expected, atol=1e-5)


def test_any_equivalent_has_the_same_angle() -> None:
    one, two = random(500, 1), random(500, 2)
    expected = angle_between(one, two, operators("m-3m"))
    for operator in Phase(point_group="m-3m").point_group.proper_subgroup:
        again = np.asarray((operator * Rotation(two)).data)
        np.testing.assert_allclose(angle_between(one, again, operators("m-3m")), expected)


def test_angles_across_phases_are_those_of_orix() -> None:
    one, two = random(60, 1), random(60, 2)
    pair = tuple(Phase(point_group=name).point_group for name in ("m-3m", "6/mmm"))
    between = Misorientation((Rotation(two) * ~Rotation(one)).data, symmetry=pair)
    # Not by orix' reduce(), which leaves two of these 60 at 125 and 144 degrees.
    expected = [np.degrees(each.equivalent().angle.min()) for each in between]
    np.testing.assert_allclose(angle_between(one, two, operators("m-3m", "6/mmm")), expected)


@pytest.mark.parametrize("group", ["m-3m", "6/mmm", "mmm"])
def test_the_nearest_equivalent_is_one_and_is_nearest(group: str) -> None:
    one, reference = random(500, 1), random(500, 2)
    found = nearest(one, reference, operators(group))
    same = oriented(one, group).angle_with(oriented(found, group), degrees=True)
    np.testing.assert_allclose(same, 0, atol=1e-5)
    away = np.degrees((Rotation(found) * ~Rotation(reference)).angle)
    np.testing.assert_allclose(
        away, oriented(one, group).angle_with(oriented(reference, group), degrees=True)
    )
    assert (np.sum(found * reference, axis=1) >= 0).all()


def test_axes_of_least_rotation_are_those_of_orix() -> None:
    one, two = random(60, 1), random(60, 2)
    cubic = Phase(point_group="m-3m").point_group
    between = Misorientation((Rotation(two) * ~Rotation(one)).data, symmetry=(cubic, cubic))
    expected = np.sort(np.abs(between.reduce().axis.data), axis=1)
    found = smallest(one, two, operators("m-3m"))[:, 1:]
    found = np.sort(np.abs(found / np.linalg.norm(found, axis=1, keepdims=True)), axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_unknown_group_is_refused() -> None:
    with pytest.raises(ParameterError, match="'m-4m' is no point group"):
        operators("m-4m")
