"""Spot patterns obey diffraction: where spots lie, how strong they are, how the camera counts."""

from dataclasses import replace

import numpy as np
import pytest
from orix.quaternion import Rotation
from orix.vector import Miller
from scipy.spatial import cKDTree

from liscope.diffraction.structures import Crystal, electron_wavelength, open_crystal
from liscope.specimens import two_beam
from liscope.specimens.spot_patterns import (
    HARD,
    MEDIUM,
    Camera,
    Content,
    Optics,
    bench_set,
    on_screen,
    record,
)

LMNO, PT = open_crystal("lmno"), open_crystal("pt")
CLEAN = Camera(count=0, scatter=0, background=0)
ALONG_C = (1.0, 0.0, 0.0, 0.0)  # the beam along [001], a along x
MIDDLE = 63.5


def spots(
    crystal: Crystal,
    orientation: object = ALONG_C,
    thickness: float = 20.0,
    precession: float = 0.7,
    tails: float = 6.0,
) -> tuple[np.ndarray, np.ndarray]:
    return two_beam.spots(
        crystal,
        np.asarray(orientation),
        thickness,
        200.0,
        precession,
        1.4,
        tails,
        0.0,
        np.random.default_rng(0),
    )


def content(
    n: int = 1,
    phase: int = 0,
    thickness: float = 20.0,
    glass: float = 0.0,
    window: float = 0.0,
    **more: np.ndarray,
) -> Content:
    return Content(
        np.full((n, 1), phase),
        np.tile(np.asarray(ALONG_C), (n, 1, 1)),
        np.full((n, 1), thickness),
        more.pop("grain", np.zeros((n, 1), int)),
        np.full(n, glass),
        np.full(n, window),
        **more,
    )


def pictures(
    what: Content, camera: Camera = CLEAN, seed: int = 0, centre: np.ndarray | None = None
) -> np.ndarray:
    rng = np.random.default_rng(1)
    found = record(what, (LMNO, PT), Optics(), camera, rng, seed, centre)
    return found.astype(float)


def centroid(picture: np.ndarray, x: int, y: int, reach: int = 4) -> tuple[float, float]:
    box = picture[y - reach : y + reach + 1, x - reach : x + reach + 1]
    v, u = np.indices(box.shape) - reach
    return x + (u * box).sum() / box.sum(), y + (v * box).sum() / box.sum()


# ------------------------------------------------------------------------------------ intensities


def test_extinction_distance_of_platinum_is_the_one_in_the_textbooks() -> None:
    """(111): 14.7 nm at 100 kV (Hirsch et al. 1965, table); as the velocity at other voltages."""
    slow, fast = (
        dict(zip(_lengths(vectors), distance, strict=True))[round(np.sqrt(3) / 3.924, 4)] / 10
        for vectors, distance in (two_beam.extinction_distances(PT, v, 1.0) for v in (100.0, 200.0))
    )
    assert slow == pytest.approx(14.7, rel=0.15)
    assert fast == pytest.approx(20, rel=0.1)
    assert fast / slow == pytest.approx(0.6953 / 0.5482, rel=1e-3)


def _lengths(vectors: np.ndarray) -> np.ndarray:
    return np.round(np.linalg.norm(vectors, axis=1), 4)


def tilted(length: float, deviation: float) -> np.ndarray:
    """Return an orientation for which g = (length, 0, 0) is ``deviation`` off the sphere."""
    radius = 1 / electron_wavelength(200.0)
    angles = np.linspace(-0.1, 0.1, 200001)
    x, z = length * np.cos(angles), -length * np.sin(angles)
    away = np.sqrt(radius**2 - x**2) - radius - z
    angle = angles[np.argmin(np.abs(away - deviation))]
    # sample -> crystal: the inverse of the turn that brings g to (x, 0, z)
    return (~Rotation.from_axes_angles((0, 1, 0), angle)).data.reshape(4)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75, 1.0, 1.5])
@pytest.mark.parametrize("off", [0.0, 0.7])
def test_intensity_of_one_reflection_is_the_two_beam_one(share: float, off: float) -> None:
    """sin^2(pi t / xi) on the sphere, and less with the deviation s (Williams & Carter, 13.48)."""
    vectors, distance = two_beam.extinction_distances(PT, 200.0, 1.0)
    xi = distance[np.argmin(np.linalg.norm(vectors - [2 / 3.924, 0, 0], axis=1))]
    at, intensity = spots(PT, tilted(2 / 3.924, off / xi), share * xi / 10, precession=0)
    found = intensity[np.argmin(np.abs(at - [2 / 3.924, 0]).sum(1))]
    expected = np.sin(np.pi * share * np.sqrt(1 + off**2)) ** 2 / (1 + off**2)
    assert found == pytest.approx(expected, abs=2e-3)


def test_precession_averages_over_the_rocking_curve() -> None:
    """A reflection s off the sphere is swept by w: 1 / (2 xi sqrt(w^2 - s^2)) of the beam.

    A thick crystal's rocking curve, 1 / (2 + 2 (s xi)^2) without its fringes, has an area of
    pi / (2 xi), and the precessing beam dwells 1 / (pi sqrt(w^2 - s^2)) at each deviation.
    """
    length, off = 4 / 8.16, 0.003
    vectors, distance = two_beam.extinction_distances(LMNO, 200.0, 1.0)
    xi = distance[np.argmin(np.linalg.norm(vectors - [length, 0, 0], axis=1))]
    orientation = tilted(length, off)

    def mean(precession: float) -> float:
        found = []
        for thickness in np.linspace(70, 120, 41):
            at, intensity = spots(LMNO, orientation, thickness, precession)
            found.append(intensity[np.argmin(np.abs(at - [length, 0]).sum(1))])
        return float(np.mean(found))

    swing = length * np.deg2rad(0.7)
    assert mean(0.7) == pytest.approx(0.5 / xi / np.sqrt(swing**2 - off**2), rel=0.12)
    assert mean(0.0) == pytest.approx(0.5 / (1 + (off * xi) ** 2), rel=0.12)
    count = [(spots(LMNO, orientation, 90.0, p)[1] > 3e-3).sum() for p in (0.0, 0.7)]
    assert count[1] > 1.5 * count[0]


def test_friedel_pairs_of_a_zone_axis_are_alike() -> None:
    at, intensity = spots(LMNO)
    distance, partner = cKDTree(at).query(-at)
    assert distance.max() < 1e-9 and len(at) > 20
    np.testing.assert_allclose(intensity[partner], intensity, rtol=1e-9)


# ------------------------------------------------------------------------------------ positions


@pytest.mark.parametrize(("crystal", "length"), [(PT, 2 / 3.924), (LMNO, np.sqrt(8) / 8.16)])
def test_innermost_spots_along_001_are_200_of_platinum_and_220_of_the_spinel(
    crystal: Crystal, length: float
) -> None:
    at, _ = spots(crystal)
    assert _lengths(at).min() == pytest.approx(length, abs=1e-4)
    if crystal is PT:
        picture = pictures(content(phase=1))[0]
        x, _ = centroid(picture, round(MIDDLE + length / 0.022), 63)
        assert x == pytest.approx(MIDDLE + length / 0.022, abs=0.1)


def test_spots_lie_where_orix_turns_the_lattice_to() -> None:
    rng = np.random.default_rng(3)
    miller = Miller.from_min_dspacing(LMNO.phase, 1 / 1.4)
    for quaternion in rng.standard_normal((5, 4)):
        orientation = quaternion / np.linalg.norm(quaternion)
        turned = (~Rotation(orientation) * miller).data
        at, intensity = spots(LMNO, orientation)
        near, which = cKDTree(turned[:, :2]).query(at)
        assert near.max() < 1e-9
        strong = intensity > 0.2 * intensity.max()
        assert np.abs(turned[which][strong, 2]).max() < 0.06  # near the sphere, so near its plane


def test_screen_may_be_turned_and_elliptical() -> None:
    right = np.array([[0.5, 0.0]])
    turned = on_screen(right, Optics(rotation=90), CLEAN)
    np.testing.assert_allclose(turned, [[0, 0.5 / 0.022]], atol=1e-9)  # x comes to lie along y
    both = on_screen(np.eye(2), Optics(), replace(CLEAN, ellipticity=0.02))
    assert both[0, 0] / both[1, 1] == pytest.approx(1.02, abs=1e-3)


def test_incident_beam_lies_where_it_is_said_to() -> None:
    centre = np.array([[65.3, 61.8], [60.0, 66.5]])
    for picture, (x, y) in zip(pictures(content(2, -1), centre=centre), centre, strict=True):
        assert centroid(picture, round(x), round(y)) == pytest.approx((x, y), abs=0.2)
    jittered = pictures(content(60, -1), replace(CLEAN, jitter=1.0))
    found = np.array([centroid(one, 63, 63, 10) for one in jittered])
    assert found.std(0) == pytest.approx((1, 1), rel=0.35)


# ----------------------------------------------------------------------------------- the camera


def test_grey_levels_scatter_as_electrons_do() -> None:
    """A variance of ``count`` times the mean, where nothing is clipped."""
    seen = pictures(content(400, -1, glass=20.0), replace(MEDIUM, count=4.0))
    mean, variance = seen.mean(0), seen.var(0)
    right = (mean > 4) & (mean < 60)
    assert right.sum() > 1000
    assert variance[right].mean() / mean[right].mean() == pytest.approx(4.0, rel=0.02)
    smooth = pictures(content(1, -1, glass=20.0), replace(MEDIUM, count=0))[0]
    assert np.abs(mean - smooth)[right].mean() < 0.7  # of rounding and of 400 patterns
    assert np.all(seen[seen < 255] % 4 == 0)


def test_glass_and_window_have_halos_of_their_own() -> None:
    for what, radius in ((content(1, -1, glass=20.0), 0.40), (content(1, -1, window=80.0), 0.37)):
        picture = pictures(what)[0]
        away = np.hypot(*(np.indices(picture.shape) - MIDDLE)).astype(int)
        profile = np.bincount(away.ravel(), picture.ravel()) / np.bincount(away.ravel())
        assert 10 + np.argmax(profile[10:25]) + 0.5 == pytest.approx(radius / 0.022, abs=1.0)


def test_patterns_are_stretched_unless_there_is_an_exposure() -> None:
    where = slice(62, 66), slice(round(MIDDLE + 2 / 3.924 / 0.022) - 2, None)

    def peak(thickness: float, camera: Camera, **more: np.ndarray) -> float:
        return pictures(content(phase=1, thickness=thickness, **more), camera)[0][where].max()

    assert 115 < peak(2.0, CLEAN) < 256 and 115 < peak(8.0, CLEAN) < 256
    exposed = replace(CLEAN, exposure=500.0)
    thin = peak(2.0, exposed)
    assert peak(2.0, replace(CLEAN, exposure=1000.0)) == pytest.approx(2 * thin, abs=2.5)
    half = peak(2.0, replace(exposed, exposure=1000.0), transmitted=np.array([0.5]))
    assert half == pytest.approx(thin, abs=2)
    assert 1.5 * thin < peak(4.0, exposed)


def test_patterns_of_one_grain_are_alike_and_of_another_are_not() -> None:
    camera = replace(CLEAN, scatter=0.5)
    numbers = np.array([[1], [1], [2]])
    one, same, other = pictures(content(3, 0, grain=numbers), camera)
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 20
    again = pictures(content(3, 0, grain=numbers), camera, seed=1)
    assert np.abs(one - again[0]).max() > 20


# ----------------------------------------------------------------------------------- benchmark


def test_bench_set_has_the_shares_of_the_paper_and_random_orientations() -> None:
    patterns, phase, orientation = bench_set(400, replace(MEDIUM, count=0), seed=2)
    assert patterns.shape == (400, 128, 128) and patterns.dtype == np.uint8
    assert [(phase == k).mean() for k in (0, 1, -1)] == pytest.approx([0.57, 0.18, 0.25])
    np.testing.assert_allclose(np.linalg.norm(orientation, axis=1), 1)
    # the mean of w^2 over uniform rotations is 1/4, with a variance of 1/32
    assert (orientation**2).mean(0) == pytest.approx(
        np.full(4, 0.25), abs=4 * np.sqrt(1 / 24 / 400)
    )
    away = np.hypot(*(np.indices((128, 128)) - MIDDLE)) > 9
    strongest = patterns[:, away].max(1)
    assert np.all(strongest[phase >= 0] > 85)  # a spot at its rim, or between pixels, is weaker
    assert 120 < np.median(strongest[phase >= 0]) < 230


def test_bench_set_follows_its_seed_and_camera() -> None:
    one, same, other = (bench_set(12, HARD, seed)[0] for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert (one.astype(int) % 8 == 0).mean() > 0.99 and (bench_set(4, MEDIUM)[0] % 8 != 0).any()
