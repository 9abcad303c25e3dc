"""What was put in as tilt and line steps is gone after levelling, and nothing else is."""

import numpy as np
import pytest
from measured_maps import image
from scipy import ndimage

from liscope.errors import DataError
from liscope.probe import level
from liscope.probe.levelling import lines, plane

ROWS, COLUMNS = np.mgrid[:120, :150].astype(float)
TILT = 7 - 0.3 * COLUMNS + 0.2 * ROWS


def grains(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(ROWS.shape)
    return ndimage.gaussian_filter(noise, 3) * 20


def test_plane_is_removed_exactly_and_nan_stays_nan() -> None:
    tilted = TILT.copy()
    tilted[40:50, 3] = np.nan
    levelled = plane(image(tilted)).to_numpy()
    assert np.nanmax(np.abs(levelled)) < 1e-10
    np.testing.assert_array_equal(np.isnan(levelled), np.isnan(tilted))


def test_residual_of_a_plane_is_that_of_least_squares() -> None:
    values = TILT + grains(0)
    terms = np.stack([np.ones(values.size), ROWS.ravel(), COLUMNS.ravel()], -1)
    residual = np.linalg.lstsq(terms, values.ravel())[1]
    assert np.sum(plane(image(values)).to_numpy() ** 2) == pytest.approx(residual[0])


def test_a_bump_outside_the_levelled_pixels_is_not_distorted() -> None:
    bump = np.where((ROWS > 20) & (ROWS < 60) & (COLUMNS > 10) & (COLUMNS < 50), 5.0, 0.0)
    np.testing.assert_allclose(plane(image(TILT + bump), where=bump == 0), bump, atol=1e-10)
    assert np.abs(plane(image(TILT + bump)).to_numpy() - bump).max() > 0.5


def test_line_steps_of_a_flat_surface_are_removed_exactly() -> None:
    steps = np.random.default_rng(1).normal(0, 3, len(ROWS))[:, None]
    levelled = lines(image(steps + np.zeros(ROWS.shape))).to_numpy()
    assert np.ptp(levelled) < 1e-10


def test_tilt_and_line_steps_on_a_rough_surface_are_gone() -> None:
    surface = grains(2)
    steps = np.random.default_rng(3).normal(0, 2, len(ROWS))[:, None]
    expected = level(image(surface)).to_numpy()
    levelled = level(image(surface + TILT + steps)).to_numpy()
    np.testing.assert_allclose(levelled, expected, atol=1e-9)
    assert abs(levelled.mean()) < 1e-9
    assert np.corrcoef(levelled.ravel(), surface.ravel())[0, 1] > 0.9


def test_levelling_keeps_nan_units_and_says_what_it_did() -> None:
    values = grains(4) + TILT
    values[::7, ::5] = np.nan
    levelled = level(image(values))
    np.testing.assert_array_equal(np.isnan(levelled), np.isnan(values))
    assert levelled.attrs["units"] == "nm"
    assert levelled.attrs["history"].splitlines() == [
        "plane subtracted",
        "scan lines aligned by median of differences",
        "plane subtracted",
    ]


def test_a_scan_that_was_stopped_is_levelled_where_it_looked(
    recwarn: pytest.WarningsRecorder,
) -> None:
    values = grains(5) + TILT
    values[70:] = np.nan
    whole = level(image(values[:70])).to_numpy()
    np.testing.assert_allclose(level(image(values)).to_numpy()[:70], whole, atol=1e-9)
    assert not [str(warning.message) for warning in recwarn]


def test_a_map_without_a_finite_pixel_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="'map' has no finite pixel"):
        level(image(TILT * np.nan))
