"""Pixels to polar coordinates: spots drawn at known places, backgrounds that hang on the radius."""

from dataclasses import fields, replace

import array_api_strict as strict
import numpy as np
import pytest
from drawn_patterns import draw

from liscope.diffraction.polar import (
    AZIMUTHS,
    CLIP,
    Geometry,
    direct_beam,
    eighths_power,
    grid,
    spots_only,
    unrolled,
)

PIXEL = 0.022
SIZE = (120, 140)
TURN = np.deg2rad(25)
ROUND = np.eye(2) / PIXEL
OVAL = np.diag([1.04, 0.96]) @ [[np.cos(TURN), -np.sin(TURN)], [np.sin(TURN), np.cos(TURN)]] / PIXEL
MIRRORED = np.diag([1.0, -1.0]) / PIXEL


@pytest.mark.parametrize("matrix", [ROUND, OVAL, MIRRORED])
@pytest.mark.parametrize("centre", [(69.5, 59.5), (67.31, 60.77), (72.13, 55.5)])
def test_a_spot_appears_at_its_radius_and_azimuth(
    matrix: np.ndarray, centre: tuple[float, float]
) -> None:
    geometry = Geometry(matrix, SIZE)
    polar = grid(geometry, 0.15, 1.1)
    for radius, azimuth in ((0.4, 33.0), (0.7, 211.0), (0.9, 300.0)):
        angle = np.deg2rad(azimuth)
        place = centre + matrix @ (radius * np.array([np.cos(angle), np.sin(angle)]))
        picture = draw(place[None], np.array([100.0]), SIZE)
        seen = unrolled(picture[None], np.array([centre], np.float32), polar)[0]
        weight = seen / seen.sum()
        # area grows with the radius, and so does what a spot covers of the azimuth
        assert weight.sum(axis=1) @ polar.radius == pytest.approx(radius, abs=0.2 * PIXEL)
        round_ = np.exp(2j * np.pi * np.arange(AZIMUTHS) / AZIMUTHS)
        found = np.rad2deg(np.angle(weight.sum(axis=0) @ round_)) % 360
        assert abs(found - azimuth) < np.rad2deg(0.2 * PIXEL / radius)


def test_points_between_pixels_are_read_bilinearly() -> None:
    geometry = Geometry(ROUND, SIZE)
    polar = grid(geometry, 0.15, 1.0)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    plane = (2.0 * x + 3.0 * y + 5).astype(np.float32)
    seen = unrolled(plane[None], np.array([[70.25, 58.75]], np.float32), polar)[0]
    azimuth = 2 * np.pi * np.arange(AZIMUTHS) / AZIMUTHS
    k = polar.radius[:, None] / PIXEL
    expected = 2 * (70.25 + k * np.cos(azimuth)) + 3 * (58.75 + k * np.sin(azimuth)) + 5
    np.testing.assert_allclose(seen, expected, rtol=1e-5)


def test_a_constant_stays_one_whatever_the_number_type() -> None:
    polar = grid(Geometry(OVAL, SIZE), 0.1, 1.0)
    centres = np.array([[69.5, 59.5], [66.2, 61.9]], np.float32)
    for dtype in (np.uint8, np.uint16, np.int32, np.float64):
        seen = unrolled(np.full((2, *SIZE), 17, dtype), centres, polar)
        assert seen.dtype == np.float32
        np.testing.assert_allclose(seen, 17, rtol=1e-6)


def test_points_beyond_the_camera_read_something_finite() -> None:
    polar = grid(Geometry(ROUND, SIZE), 0.1, 1.6)
    picture = np.random.default_rng(0).poisson(9, (3, *SIZE)).astype(np.uint8)
    centres = np.array([[0.0, 0.0], [139, 119], [69, 200]], np.float32)
    seen = unrolled(picture, centres, polar)
    assert np.all((seen >= 0) & (seen <= picture.max()))


def test_a_geometry_knows_its_pixel_and_how_far_it_reaches() -> None:
    assert Geometry(OVAL, SIZE).pixel == pytest.approx(PIXEL / np.sqrt(1.04 * 0.96))
    assert Geometry(MIRRORED, SIZE).reach == pytest.approx(58 * PIXEL)


def test_what_hangs_on_the_radius_only_vanishes() -> None:
    radius = np.arange(40)[:, None] * np.ones(AZIMUTHS)
    halo = 30 * np.exp(-radius / 8) + 20 * np.exp(-0.5 * ((radius - 18) / 2) ** 2)
    spots, norm = spots_only(halo[None].astype(np.float32))
    assert norm[0] < 0.5  # of 40 x 180 pixels that are some ten high
    assert spots.shape == (1, 40, AZIMUTHS)


def test_a_spot_on_a_halo_is_what_is_left() -> None:
    ring = np.random.default_rng(1).poisson(20, (2, 30, AZIMUTHS)).astype(np.float32)
    ring[0, 12, 50] += 300
    spots, norm = spots_only(ring)
    ((r, a),) = np.argwhere(spots[0] == spots[0].max())
    assert (r, a) == (12, 50)
    np.testing.assert_allclose(np.linalg.norm(spots, axis=(1, 2)), 1, rtol=1e-5)
    near = spots[0, 11:14, 49:52] ** 2
    assert near.sum() > 10 * 9 / ring[0].size  # far more than its share of the area
    # In units of the strongest point, one spot is little and noise is much.
    assert 1 < norm[0] < 0.5 * norm[1]
    # A gain of the camera changes nothing.
    louder, more = spots_only(4 * ring)
    np.testing.assert_allclose(louder, spots, atol=1e-5)
    np.testing.assert_allclose(more, norm, rtol=1e-4)


def test_an_empty_pattern_is_no_crisis() -> None:
    spots, norm = spots_only(np.zeros((1, 20, AZIMUTHS), np.float32))
    assert np.all(spots == 0)
    assert norm[0] == 0
    assert CLIP > 0


def test_three_eighths_by_square_roots() -> None:
    values = np.linspace(0, 300, 50)
    np.testing.assert_allclose(eighths_power(values, np), values**0.375, rtol=1e-12)


@pytest.mark.parametrize("about", [None, (64.0, 61.0)])
def test_the_direct_beam_is_found_beside_a_strong_spot(about: tuple[float, float] | None) -> None:
    places = np.array([[63.4, 61.8], [65.9, 60.2]])
    pictures = np.stack(
        [
            draw(place + np.array([[0, 0], [0, 14]]), np.array([200.0, 255.0]), (128, 128), 1.9)
            for place in places
        ]
    )
    noisy = np.random.default_rng(0).poisson(pictures).clip(0, 255).astype(np.uint8)
    found = direct_beam(noisy, about)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, places, atol=0.15)


def test_the_direct_beam_is_looked_for_within_the_camera() -> None:
    picture = draw(np.array([[3.2, 124.4]]), np.array([200.0]), (128, 128), 1.9)[None]
    np.testing.assert_allclose(direct_beam(picture, (2.0, 126.0))[0], [3.2, 124.4], atol=0.3)


def test_the_array_api_has_all_that_is_needed() -> None:
    polar = grid(Geometry(OVAL, SIZE), 0.1, 1.0)
    pictures = np.random.default_rng(0).poisson(9, (2, *SIZE)).astype(np.uint8)
    centres = direct_beam(pictures)
    spots, norm = spots_only(unrolled(pictures, centres, polar))
    moved = replace(
        polar,
        **{
            field.name: strict.asarray(getattr(polar, field.name))
            for field in fields(polar)
            if field.name != "size"
        },
    )
    given = strict.asarray(pictures)
    other, size = spots_only(unrolled(given, direct_beam(given), moved))
    np.testing.assert_allclose(np.from_dlpack(other), spots, atol=1e-6)
    np.testing.assert_allclose(np.from_dlpack(size), norm, rtol=1e-6)
