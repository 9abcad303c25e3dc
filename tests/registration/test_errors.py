"""The error that comes with a placement: read off by hand, and against what it was off."""

from dataclasses import replace

import numpy as np
import pytest
from analytic_maps import Pair, at, marked, pair

from liscope.registration import (
    Placement,
    corner_table,
    draws,
    register,
    transform_table,
)
from liscope.registration.report import errors_at

STILL = Placement(np.eye(2), np.zeros(2), np.array([2.0, 2.0]), 4.0, (0.0, 4.0))
SHIFT_ONLY = np.diag([0.003, 0.004, 0, 0, 0, 0]) ** 2  # um2; y, x


def covariance(size: int, seed: int = 0) -> np.ndarray:
    root = 0.01 * np.random.default_rng(seed).standard_normal((size, size))
    return root @ root.T


@pytest.mark.parametrize("orders", [0, 2])
def test_draws_scatter_as_they_are_asked_to(orders: int) -> None:
    asked, matrix = covariance(6 + 2 * orders), np.array([[0.98, 0.2], [-0.21, 1.03]])
    drift = np.full((orders, 2), 0.05)
    placement = replace(STILL, matrix=matrix, drift=drift, covariance=asked)
    count = 4000
    found = []
    for draw in draws(placement, count, np.random.default_rng(1)):
        back = np.linalg.inv(matrix)
        shift, inner = back @ (draw.offset - placement.offset), back @ draw.matrix - np.eye(2)
        found.append([*shift, *(4.0 * inner).ravel(), *(draw.drift - drift).ravel()])
    scattered = np.cov(found, rowvar=False)
    own = np.diag(asked)
    error = np.sqrt((np.outer(own, own) + asked**2) / count)  # of a sample covariance, by Wishart
    assert np.abs((scattered - asked) / error).max() < 4.5  # of 55 numbers at most
    assert np.abs(np.mean(found, 0) / np.sqrt(own / count)).max() < 4


def test_errors_at_a_place_are_those_of_the_numbers_that_move_it() -> None:
    points = np.array([[2.0, 2.0], [2.0, 6.0], [4.0, 2.0]])
    shifted = errors_at(points, replace(STILL, covariance=SHIFT_ONLY))
    np.testing.assert_allclose(shifted, np.broadcast_to(np.diag([9e-6, 16e-6]), (3, 2, 2)))
    # The fourth number moves y by as much as a place lies off the centre in x, over 4 um.
    sheared = errors_at(points, replace(STILL, covariance=np.diag([0, 0, 0, 0.01, 0, 0]) ** 2))
    np.testing.assert_allclose(np.sqrt(sheared[:, 0, 0]), [0, 0.01, 0])
    np.testing.assert_allclose(sheared[:, 1], 0)
    assert np.isinf(errors_at(points, STILL)).all()


def test_corners_are_told_in_the_fixed_map_with_their_errors() -> None:
    """The moving map, of 4 by 4 um, is shifted by 1 um to the right and 2 um up."""
    axis = np.arange(0.05, 4, 0.1)
    maps = [at(np.zeros((40, 40)), axis, axis, name) for name in ("fixed", "moving")]
    placement = replace(STILL, offset=np.array([2.0, -1.0]), covariance=SHIFT_ONLY)
    table = corner_table(placement, *maps)
    names = ["upper left", "upper right", "lower right", "lower left", "middle"]
    assert list(table.index) == names
    np.testing.assert_allclose(table["x_um"], [1, 5, 5, 1, 3], atol=1e-9)
    np.testing.assert_allclose(table["y_um"], [-2, -2, 2, 2, 0], atol=1e-9)
    assert list(table["in_fixed_map"]) == [False, False, False, True, True]
    for column, expected in (("error_x_nm", 4), ("error_y_nm", 3), ("error_nm", 5)):
        np.testing.assert_allclose(table[column], expected)


def test_transform_is_told_with_its_interval() -> None:
    """Scales of 1.02 and 0.97 along x and y, then a turn by 10 degrees, then a shift."""
    turn = np.deg2rad(10)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    placement = Placement(
        rotation @ np.diag([0.97, 1.02]), np.array([0.3, -0.2]), np.zeros(2), 4.0, (0.0, 1.0),
        covariance=np.diag([0.003, 0.004, 0.02, 0, 0, 0]) ** 2,
    )  # fmt: skip
    # The middle of the moving map lies at (0.3, -0.2), which is the middle of the fixed one, and
    # half a pixel of the fixed one off its (0.5, 1.5).
    fixed = at(np.zeros((4, 4)), np.arange(4) - 2.0, np.arange(4) - 3.0)
    moving = at(np.zeros((5, 5)), np.arange(5) - 1.7, np.arange(5) - 2.2)
    table = transform_table(placement, fixed, moving)
    expected = {
        "rotation_deg": 10, "scale_x": 1.02, "scale_y": 0.97, "shear_deg": 0,
        "shift_x_um": 1.5, "shift_y_um": 0.5,
    }  # fmt: skip
    assert table["value"].to_dict() == pytest.approx(expected, abs=1e-9)
    half = (table["high"] - table["low"]) / 2
    np.testing.assert_allclose(table["value"] - table["low"], half)
    # Numbers that move fixed points, so that y's scale of 0.97 comes on top of the stretch.
    for name, error in (("scale_y", 0.97 * 0.02 / 4), ("shift_x_um", 0.004), ("scale_x", 0)):
        assert half[name] == pytest.approx(1.96 * error, rel=0.15, abs=1e-9)  # of 400 draws


def mean_square_over_variance(two: Pair) -> float:
    """Return the mean square error of a registration over the mean variance that it reports."""
    found = register(two.fixed, two.moving, landmarks=marked(two, 4, error=0.03))
    points, truth = two.inside()
    square = np.sum((found.trusted()(points) - truth) ** 2, -1).mean()
    reported = np.trace(errors_at(points, found.placement), axis1=-2, axis2=-1).mean()
    return float(square / reported)


def test_reported_errors_are_those_made() -> None:
    """One ratio scatters by some 0.7 (a chi square of about four freedoms), a mean of 14 by 0.2.

    The distance to a second estimate is part of what is reported, so that the mean ratio lies
    between a half and one. Below 0.3 errors would be overstated by a factor of two, beyond 1.4
    understated by more than chance explains.
    """
    small = {"fixed_pixels": (72, 72), "moving_pixels": (100, 100)}
    ratios = [mean_square_over_variance(pair(seed, noise=1.0, **small)) for seed in range(14)]
    assert 0.3 < np.mean(ratios) < 1.4


def test_less_noise_means_less_error() -> None:
    errors = []
    for noise in (0.5, 1.0, 2.0):
        two = pair(seed=1, noise=noise)
        placement = register(two.fixed, two.moving, landmarks=marked(two, 4)).trusted()
        errors.append(corner_table(placement, two.fixed, two.moving).loc["middle", "error_nm"])
    # Proportional to the noise, where no more than the distance to a second estimate is added.
    assert errors[0] < 0.8 * errors[1] and errors[1] < 0.8 * errors[2]


def test_drift_has_errors_of_its_own() -> None:
    two = pair(seed=1, noise=0.5)
    found = register(two.fixed, two.moving, landmarks=marked(two, 4), drift_orders=2)
    whole = found.trusted().covariance
    assert whole is not None and whole.shape == (10, 10)
    np.testing.assert_allclose(whole, whole.T)
    assert np.linalg.eigvalsh(whole).min() > 0


def test_maps_that_differ_slowly_have_finite_errors() -> None:
    """A slow slope that one map alone has leaves residuals that are alike over the whole field."""
    two = pair(seed=1, noise=0.3)
    slope = 6 * np.linspace(-1, 1, two.fixed.sizes["x"])[None, :]
    found = register(two.fixed + slope, two.moving, landmarks=marked(two, 4))
    assert found.found and np.isfinite(found.placement.covariance).all()
    assert np.isfinite(transform_table(found.placement, two.fixed, two.moving).to_numpy()).all()
