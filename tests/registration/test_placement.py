"""Where points lie: conventions by hand, and back again; what is placed is what lies there."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from analytic_maps import Landscape, at, image, mesh

from liscope.registration import Field, Placement, finer, onto
from liscope.registration.placement import displacement_basis

QUARTER = np.array([[0.0, 1.0], [-1.0, 0.0]])  # (y, x): what lies along x comes to lie along y
TURNED = Placement(QUARTER, np.array([10.0, 20.0]), np.array([1.0, 1.0]), 2.0)
DRIFT = np.array([[0.2, -0.4], [0.1, 0.3]])  # um; second and third polynomial; y, x


def general(drift: np.ndarray | None = None) -> Placement:
    """Return a placement with everything in it; the slow axis runs from 0 to 8 um."""
    matrix = np.array([[0.99, 0.14], [-0.13, 1.02]])
    found = Placement(matrix, np.array([1.5, -0.7]), np.array([4.0, 5.0]), 5.5, (0.0, 8.0))
    return found if drift is None else replace(found, drift=drift)


def scattered(seed: int = 0, count: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 8, (count, 2))


def test_points_go_where_they_go_by_hand() -> None:
    placed = TURNED([[1.0, 1.0], [1.0, 3.0], [2.0, 1.0]])
    # The centre is only shifted; 2 um along x become 2 um along y; 1 um along y becomes -1 along x.
    np.testing.assert_allclose(placed, [[11, 21], [13, 21], [11, 20]])


def test_rotation_and_scales_are_told() -> None:
    assert TURNED.rotation == pytest.approx(90)
    turn = np.deg2rad(30)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    stretched = replace(TURNED, matrix=rotation @ np.diag([0.9, 1.2]))
    assert stretched.rotation == pytest.approx(30)
    assert stretched.scales == pytest.approx((1.2, 0.9))
    rigid = replace(stretched, drift=DRIFT).rigid()
    np.testing.assert_allclose(rigid.matrix, rotation)
    assert rigid.scales == pytest.approx((1, 1)) and not len(rigid.drift)


def test_drift_is_taken_off_line_by_line() -> None:
    still = Placement(np.eye(2), np.zeros(2), np.zeros(2), 1.0, (0.0, 8.0), DRIFT)
    # Legendre's polynomials at the first line, the middle one, three quarters, and the last one.
    second, third = np.array([1, -0.5, -0.125, 1]), np.array([-1, 0, -0.4375, 1])
    expected = np.outer(second, DRIFT[0]) + np.outer(third, DRIFT[1])
    lines = np.array([0.0, 4.0, 6.0, 8.0])
    np.testing.assert_allclose(still.drift_at(lines), expected)
    points = np.stack([lines, np.full(4, 3.0)], -1)
    np.testing.assert_allclose(still(points), points - expected)
    np.testing.assert_allclose(still.drift_at(np.array([-5.0, 20.0])), expected[[0, -1]])


@pytest.mark.parametrize("drift", [None, 0.3 * DRIFT[:1], 0.1 * DRIFT])
def test_inverse_brings_points_back(drift: np.ndarray | None) -> None:
    placement, points = general(drift), scattered()
    nanometre = 1e-3
    np.testing.assert_allclose(placement.inverse(placement(points)), points, atol=nanometre)
    np.testing.assert_allclose(placement(placement.inverse(points)), points, atol=nanometre)
    assert np.abs(placement(points) - points).max() > 0.5


def test_a_small_displacement_moves_the_fixed_points_first() -> None:
    step = np.array([0.02, -0.03, 0.05, -0.04, 0.01, 0.06])
    placement, points = general(DRIFT), scattered()
    relative = (points - placement.centre) / 5.5
    displaced = points + step[:2] + np.stack(
        [step[2] * relative[:, 0] + step[3] * relative[:, 1],
         step[4] * relative[:, 0] + step[5] * relative[:, 1]], -1
    )  # fmt: skip
    np.testing.assert_allclose(placement.moved(step)(points), placement(displaced))
    by_basis = points + np.einsum("p,npd->nd", step, displacement_basis(points, general()))
    np.testing.assert_allclose(by_basis, displaced)


def test_more_drift_moves_points_as_the_displacement_that_stands_for_it() -> None:
    placement, points = general(DRIFT), scattered()
    step = np.zeros(10)
    step[6:] = 0.01, -0.02, 0.015, 0.03  # second polynomial y, x; third y, x
    displaced = points + np.einsum("p,npd->nd", step, displacement_basis(points, placement))
    more = placement.drifted(step[6:].reshape(2, 2))(points)
    # To first order: a displaced point lies on another scan line, too, where the drift differs.
    np.testing.assert_allclose(placement(displaced), more, atol=0.01)
    np.testing.assert_allclose(general()(displaced) - general()(points), more - placement(points))


def test_more_drift_is_added_to_the_drift() -> None:
    lines = np.linspace(0, 8, 5)
    more = general(DRIFT).drifted(np.array([[0.0, 1.0], [0.0, 0.0]]))
    added = more.drift_at(lines) - general(DRIFT).drift_at(lines)
    np.testing.assert_allclose(added[:, 0], 0, atol=1e-12)
    np.testing.assert_allclose(added[:, 1], [1, -0.125, -0.5, -0.125, 1])


def test_field_is_read_off_the_coordinates() -> None:
    field = Field.of(at(np.zeros((4, 6)), 1.0 + 0.5 * np.arange(4), 3.0 + 0.2 * np.arange(6)))
    assert (field.origin, field.shape) == ((1.0, 3.0), (4, 6))
    np.testing.assert_allclose(field.pixel, (0.5, 0.2))
    np.testing.assert_allclose(field.size, (2.0, 1.2))
    np.testing.assert_allclose(field.centre, (1.75, 3.5))
    np.testing.assert_allclose(
        field.corners(), [[0.75, 2.9], [0.75, 4.1], [2.75, 4.1], [2.75, 2.9]]
    )
    np.testing.assert_allclose(field.points()[2, 3], (2.0, 3.6))
    np.testing.assert_allclose(field.indices(np.array([2.0, 3.6])), (2, 3))


@pytest.mark.parametrize("drift", [None, 0.1 * DRIFT])
def test_a_plane_lies_where_it_is_placed(drift: np.ndarray | None) -> None:
    """Linear interpolation of a plane is exact."""
    placement = general(drift)
    y, x = 1.0 + 0.05 * np.arange(150), 2.0 + 0.04 * np.arange(160)
    plane = at(3 * y[:, None] - 2 * x[None, :] + 0.5, y, x).assign_attrs(history="before")
    fixed = at(np.zeros((60, 70)), 0.1 * np.arange(60), 0.1 * np.arange(70), "ions")
    placed = onto(plane, fixed, placement)
    there = placement(Field.of(fixed).points())
    within = ((there >= (y[0], x[0])) & (there <= (y[-1], x[-1]))).all(-1)
    assert 0.2 < within.mean() < 0.9
    np.testing.assert_array_equal(np.isfinite(placed), within)
    expected = 3 * there[..., 0] - 2 * there[..., 1] + 0.5
    np.testing.assert_allclose(placed.to_numpy()[within], expected[within], atol=1e-4)
    xr.testing.assert_equal(placed.x, fixed.x)
    assert placed.attrs["units"] == "1" and placed.name == "map"
    assert placed.attrs["history"] == "before\nplaced on the pixels of 'ions'"


@pytest.mark.parametrize(("count", "pixel"), [(64, 0.05), (100, 0.03), (256, 10 / 256)])
def test_a_map_on_itself_keeps_its_border(count: int, pixel: float) -> None:
    values = np.random.default_rng(0).random((count, count))
    middle = np.array([1.7, 1.6])
    placed = onto(image(values, pixel), image(values, pixel), _in_place(middle))
    np.testing.assert_allclose(placed, values, atol=1e-5)


def test_what_was_not_measured_stays_so() -> None:
    values = np.ones((20, 20))
    values[5, 7] = np.nan
    placed = onto(image(values), image(values), _in_place(np.zeros(2)))
    assert np.isnan(placed[5, 7]) and float(placed.fillna(1).min()) == 1
    assert np.isfinite(placed[8:]).all()


def test_finer_pixels_cover_the_same_field() -> None:
    coarse = at(np.zeros((7, 5)), 1.0 + 0.6 * np.arange(7), 2.0 + 0.2 * np.arange(5), "ions")
    fine = finer(coarse, 3)
    assert fine.shape == (21, 15) and np.isnan(fine).all() and fine.name == "ions"
    assert fine.x.attrs["units"] == fine.y.attrs["units"] == "um"
    np.testing.assert_allclose(Field.of(fine).corners(), Field.of(coarse).corners())
    np.testing.assert_allclose(Field.of(fine).pixel, (0.2, 0.2 / 3))
    np.testing.assert_allclose(fine.y[1::3], coarse.y)  # every third centre is one of the coarse


def test_a_finer_map_shows_what_is_there() -> None:
    landscape = Landscape()
    axis = 0.02 * np.arange(200)
    sharp = at(landscape(mesh(axis, axis)), axis, axis)
    fine = onto(sharp, finer(at(np.zeros((20, 20)), axis[5::10], axis[5::10]), 4), _in_place(0))
    expected = landscape(mesh(fine.x.to_numpy(), fine.y.to_numpy()))
    # By linear interpolation: an eighth of the pixel squared times the curvature, of about 80 /um2.
    np.testing.assert_allclose(fine[2:-2, 2:-2], expected[2:-2, 2:-2], atol=0.03)


def _in_place(centre: np.ndarray | int) -> Placement:
    return Placement(np.eye(2), np.zeros(2), np.zeros(2) + centre, 1.0)
