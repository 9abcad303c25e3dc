"""Boxes around voxels: each against numpy on its own voxels, and all against scipy's filters."""

import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import ndimage

sys.path.append(str(Path(__file__).parent))
from counted_volumes import smooth, volume

from liscope.errors import ParameterError
from liscope.volume.local import local_covariance, local_limit

PAIR = ("a", "b")
SHAPE = (8, 24, 30)


@pytest.fixture(scope="module")
def counts() -> xr.DataArray:
    rng = np.random.default_rng(0)
    values = rng.poisson(5, (2, *SHAPE)).astype(float) + 1000
    values[1] += 0.5 * values[0]
    values[0, 1, 3:9, 4:8] = np.nan
    values[:, 6, 12:, :9] = 7.0
    return volume(values)


@pytest.mark.parametrize(("through", "reach"), [(True, (3, 2, 2)), (False, (0, 2, 2))])
def test_every_box_is_numpys(
    counts: xr.DataArray, through: bool, reach: tuple[int, int, int]
) -> None:
    found = local_covariance(counts, PAIR, 0.42, through)
    values = counts.to_numpy().astype(float)
    for place in np.ndindex(SHAPE):
        box = tuple(slice(max(0, p - r), p + r + 1) for p, r in zip(place, reach, strict=True))
        one, other = (c[box].ravel() for c in values)
        both = np.isfinite(one + other)
        if not np.isfinite(values[:, *place]).all():
            assert np.isnan(found.covariance.to_numpy()[place])
            continue
        expected = np.cov(one[both], other[both])
        np.testing.assert_allclose(
            found.covariance.to_numpy()[place], expected[0, 1], rtol=2e-4, atol=1e-5
        )
        flat = min(expected[0, 0], expected[1, 1]) == 0
        r = np.nan if flat else expected[0, 1] / np.sqrt(expected[0, 0] * expected[1, 1])
        np.testing.assert_allclose(found.correlation.to_numpy()[place], r, atol=1e-4)
    np.testing.assert_allclose(
        found.covariance.attrs["window"], [0.06 * (2 * reach[0] + 1), 0.4, 0.4]
    )


def test_inside_it_is_scipys_uniform_filter() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(2, 9, 40, 50))
    found = local_covariance(volume(values), PAIR, 0.56).covariance.to_numpy()
    size = (9, 7, 7)
    means = [ndimage.uniform_filter(one, size) for one in values]
    product = ndimage.uniform_filter(values[0] * values[1], size)
    n = np.prod(size)
    expected = (product - means[0] * means[1]) * n / (n - 1)
    np.testing.assert_allclose(found[4, 3:-3, 3:-3], expected[4, 3:-3, 3:-3], atol=1e-5)


def test_chunks_and_schedulers_make_no_difference(counts: xr.DataArray) -> None:
    whole = local_covariance(counts, PAIR, 0.42)
    for chunks in ({"z": 3}, {"z": 1, "y": 7, "channel": 1}, {"x": 11}):
        lazy = local_covariance(counts.chunk(chunks), PAIR, 0.42)
        assert lazy.covariance.chunks is not None
        for scheduler in ("threads", "synchronous"):
            xr.testing.assert_allclose(lazy.compute(scheduler=scheduler), whole, atol=1e-4)


def test_one_in_twenty_boxes_of_unrelated_channels_is_beyond_the_limit() -> None:
    rng = np.random.default_rng(2)
    made = volume(np.stack([smooth(rng, (3, 160, 160)) for _ in range(2)]))
    limit = local_limit(made, PAIR, 0.88, False)
    assert limit > 0.3  # a box of 121 smooth pixels is no sample of 121
    found = local_covariance(made, PAIR, 0.88, False).correlation
    assert float((abs(found) > limit).mean()) == pytest.approx(0.05, abs=0.03)


def test_a_window_within_a_voxel_is_refused(counts: xr.DataArray) -> None:
    with pytest.raises(ParameterError, match="not wider than a voxel"):
        local_covariance(counts, PAIR, 0.05)
