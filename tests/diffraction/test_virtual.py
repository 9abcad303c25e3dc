"""Virtual detectors and ring profiles against pictures whose sums are known."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from drawn_patterns import draw
from lamella_scans import true_geometry

from liscope.diffraction import polar
from liscope.diffraction.polar import Geometry
from liscope.diffraction.virtual import pattern_by_pattern, ring_means, virtual_images
from liscope.errors import DataError, ParameterError

SIZE = (128, 128)
CENTRE = (63.9, 64.6)
GEOMETRY = true_geometry()
DETECTORS = {"bright field": (0.0, 0.15), "dark field": (0.38, 0.5)}


def scan_of(patterns: np.ndarray) -> xr.Dataset:
    return xr.Dataset({"pattern": (("y", "x", "ky", "kx"), patterns)})


def centred(shape: tuple[int, int]) -> xr.Dataset:
    return xr.Dataset(
        {f"centre_{n}": (("y", "x"), np.full(shape, c)) for n, c in zip("xy", CENTRE, strict=True)}
    )


def test_detectors_have_their_area() -> None:
    seen = virtual_images(scan_of(np.ones((1, 2, *SIZE))), centred((1, 2)), GEOMETRY, DETECTORS)
    assert list(seen.detector.values) == list(DETECTORS)
    pixel = 1 / np.linalg.det(GEOMETRY.matrix)  # in 1/angstrom^2
    for name, (inner, outer) in DETECTORS.items():
        area = np.pi * (outer**2 - inner**2) / pixel
        np.testing.assert_allclose(seen.sel(detector=name), area, rtol=0.02)


def test_each_detector_sees_its_spots() -> None:
    """Spots on the ellipse and, without it, half a pixel beyond the detector's rim."""
    k = np.array([[0.0, 0.0], [0.44, 0.0], [0.0, -0.44], [0.7, 0.3]])
    places = np.array(CENTRE) + k @ GEOMETRY.matrix.T
    patterns = [draw(one[None], np.array([100.0]), SIZE, 0.7) for one in places]
    seen = virtual_images(scan_of(np.array(patterns)[None]), centred((1, 4)), GEOMETRY, DETECTORS)
    whole = 100 * 2 * np.pi * 0.7**2
    expected = whole * np.array([[1, 0], [0, 1], [0, 1], [0, 0]])
    np.testing.assert_allclose(seen[0], expected, atol=0.02 * whole)


def test_detectors_are_lazy_and_the_same_in_any_blocks() -> None:
    patterns = np.random.default_rng(0).poisson(20, (5, 7, *SIZE)).astype(np.uint8)
    scan, centres = scan_of(patterns), centred((5, 7))
    eager = virtual_images(scan, centres, GEOMETRY, DETECTORS)
    for chunks in ({"y": 2, "x": 3}, {"y": 1}, {"ky": 64}):
        lazy = virtual_images(scan.chunk(chunks), centres, GEOMETRY, DETECTORS)
        assert isinstance(lazy.data, da.Array)
        xr.testing.assert_equal(lazy.compute(), eager)
    assert "bright field 0-0.15" in eager.attrs["history"]


def test_what_cannot_be_done_is_said() -> None:
    scan, centres = scan_of(np.ones((1, 1, *SIZE))), centred((1, 1))
    with pytest.raises(ParameterError, match="has no area"):
        virtual_images(scan, centres, GEOMETRY, {"dark field": (0.5, 0.4)})
    with pytest.raises(ParameterError, match="no detector"):
        virtual_images(scan, centres, GEOMETRY, {})
    with pytest.raises(DataError, match="read_diffraction"):
        virtual_images(scan.rename(kx="u"), centres, GEOMETRY, DETECTORS)


def test_rings_have_their_mean_whatever_spots_lie_on_them() -> None:
    rng = np.random.default_rng(2)
    y, x = np.indices(SIZE)
    away = np.hypot(x - CENTRE[0], y - CENTRE[1])
    level = 10 + 80 * np.exp(-away / 12)
    angle = np.deg2rad(np.arange(0, 360, 60))
    spots = np.array(CENTRE) + 30 * np.stack([np.cos(angle), np.sin(angle)], 1)
    picture = level + draw(spots, np.full(6, 200.0), SIZE)
    patterns = rng.poisson(np.broadcast_to(picture, (60, *SIZE))).astype(np.uint8)
    grid = polar.grid(Geometry(np.eye(2), SIZE), 10, 60)
    rings = polar.unrolled(patterns, np.tile(np.float32(CENTRE), (60, 1)), grid)
    expected = 10 + 80 * np.exp(-grid.radius / 12)
    found = ring_means(rings).mean(0)
    np.testing.assert_allclose(found, expected, rtol=0.03, atol=1.0)
    at = np.argmin(np.abs(grid.radius - 30))
    assert rings[:, at].mean() > expected[at] + 5  # which a plain mean would have


def test_each_pattern_keeps_its_centre() -> None:
    """The number that comes back is that of the pattern and of the centre at its position."""
    patterns = np.arange(12.0).reshape(3, 4, 1, 1) * np.ones((8, 8))
    centres = xr.Dataset(
        {
            "centre_x": (("y", "x"), np.arange(12.0).reshape(3, 4)),
            "centre_y": (("y", "x"), 100 + np.arange(12.0).reshape(3, 4)),
        }
    )
    for chunks in (None, {"y": 2, "x": 3}):
        scan = scan_of(patterns) if chunks is None else scan_of(patterns).chunk(chunks)
        found = pattern_by_pattern(
            lambda p, at: np.column_stack([p[:, 0, 0], at]), scan, centres, "k", np.arange(3)
        )
        number = np.arange(12.0).reshape(3, 4)
        np.testing.assert_array_equal(found, np.stack([number, number, 100 + number], -1))
