"""Scales on which maps are compared, and what a beam of finite width sees of them."""

import numpy as np
import pytest
from analytic_maps import at, image
from scipy import ndimage, stats

from liscope.errors import DataError
from liscope.registration import blurred, contrast, standing_out


@pytest.mark.parametrize("mean", [4, 10, 50])
def test_counts_become_as_noisy_everywhere(mean: float) -> None:
    counts = np.arange(200.0)
    scale = contrast(image(counts[None, :], quantity="counts")).to_numpy()[0]
    np.testing.assert_allclose(scale, 2 * np.sqrt(counts + 3 / 8))
    chance = stats.poisson.pmf(counts, mean)
    variance = chance @ scale**2 - (chance @ scale) ** 2
    assert variance == pytest.approx(1, abs=0.04)  # of raw counts it would be the mean


def test_currents_become_decades_above_the_floor() -> None:
    current = image(np.array([[-1.0, 1e-4, 0.01, 1.0, 10.0, np.nan]]), quantity="current")
    found = contrast(current, 0.001)
    np.testing.assert_allclose(found, [[-3, -3, -2, 0, 1, np.nan]])
    assert found.attrs["history"] == "log10, floor 0.001 nA"


def test_without_a_floor_the_lowest_twentieth_of_the_currents_is_one() -> None:
    current = image(np.concatenate([[-5.0, 0.0], np.arange(1.0, 102.0)])[None], quantity="current")
    np.testing.assert_allclose(
        10 ** contrast(current).to_numpy()[0, :4], 6
    )  # the fifth of 1 ... 101


def test_everything_else_stays() -> None:
    height = image(np.array([[-3.0, 4.0]]), quantity="height")
    assert contrast(height).identical(height)


@pytest.mark.parametrize(
    ("values", "quantity", "message"),
    [
        ([-1.0, 2.0], "counts", "'map' has negative counts: give raw counts"),
        ([-1.0, 0.0], "current", "'map' has no positive current: is its sign right"),
    ],
)
def test_maps_of_the_wrong_sign_are_refused(
    values: list[float], quantity: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        contrast(image(np.array([values]), quantity=quantity))


def test_a_beam_is_as_wide_as_it_is_said_on_pixels_of_any_shape() -> None:
    point = np.zeros((161, 241))
    point[80, 120] = 1
    seen = blurred(image(point, (0.01, 0.005)), 0.2)
    for profile in (seen[:, 120], seen[80]):
        place = profile[profile.dims[0]].to_numpy()
        above = place[profile.to_numpy() > profile.to_numpy().max() / 2]
        assert np.ptp(above) == pytest.approx(0.2, abs=0.021)
    assert float(seen.sum()) == pytest.approx(1, rel=1e-3)
    assert seen.attrs["history"] == "smoothed to 200 nm"


def test_pixels_without_a_value_take_no_part_and_stay_without() -> None:
    values = np.full((40, 40), 7.0)
    values[10:20, 15] = np.nan
    seen = blurred(image(values), 0.2)
    np.testing.assert_array_equal(np.isnan(seen), np.isnan(values))
    np.testing.assert_allclose(seen.to_numpy()[np.isfinite(values)], 7)


def test_hills_stand_out_and_slopes_do_not() -> None:
    axis = 0.02 * np.arange(200)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    plane = at(30 * x - 20 * y, axis, axis).assign_attrs(quantity="height")
    hill = 5 * np.exp(-((y - 2) ** 2 + (x - 1.2) ** 2) / (2 * 0.06**2))
    inner = (slice(60, 140), slice(60, 140))
    assert abs(standing_out(plane, 0.1)[inner]).max() < 1e-6
    found = standing_out(plane + hill, 0.1)[inner]
    peak = np.unravel_index(found.to_numpy().argmax(), found.shape)
    np.testing.assert_allclose([found.y[peak[0]], found.x[peak[1]]], (2.0, 1.2), atol=0.021)


def test_extremes_of_a_relief_are_cut_at_three_standard_deviations() -> None:
    values = np.random.default_rng(0).standard_normal((200, 200))
    values[100, 100] = 1000
    sigma = 0.05 / np.sqrt(8 * np.log(2)) / 0.05  # pixels
    narrow, wide = (ndimage.gaussian_filter(values, k * sigma) for k in (1, 5))
    reach = 3 * (narrow - wide).std()
    found = standing_out(image(values, quantity="height"), 0.05)
    np.testing.assert_allclose(found, np.clip(narrow - wide, -reach, reach), atol=1e-9)
    assert float((found == found.max()).sum()) > 1 and found.attrs["quantity"] == "relief"
