"""Depths of slices: exact where the fiducials are, and no more sure than what they rest on."""

import numpy as np
import pytest
import xarray as xr

from liscope.errors import DataError
from liscope.volume.thickness import slice_depths

ANGLE = 50.0
SHRINKING = 2 * np.tan(np.deg2rad(ANGLE / 2))


def milled(
    seed: int = 0, count: int = 40, noise: float = 3.0, uneven: float = 8.0, total: bool = True
) -> tuple[xr.Dataset, np.ndarray]:
    """Return what is recorded of slices of about 60 nm, and the depth of each, um."""
    rng = np.random.default_rng(seed)
    thickness = np.clip(59 + uneven * rng.standard_normal(count), 5, None)
    depth = np.concatenate([[0.0], np.cumsum(thickness)[:-1]])
    gap = 6000 - SHRINKING * depth + noise * rng.standard_normal(count)
    attrs = {"slice_thickness": 60.0, "fiducial_angle": ANGLE}
    if total:
        attrs |= {"total_depth": thickness.sum() / 1e3, "total_depth_error": 0.02}
    gaps = {"fiducial_gap": ("slice", gap, {"units": "nm"})}
    return xr.Dataset(gaps, {"slice": np.arange(count)}, attrs), depth / 1e3


def test_exact_fiducials_give_exact_depths() -> None:
    stack, depth = milled(noise=0.0)
    found = slice_depths(stack)
    np.testing.assert_allclose(found.depth, depth, atol=1.5e-3)
    assert found.attrs["told_by"] == "fiducials"
    assert found.attrs["contradiction"] == ""


def test_intervals_hold_as_often_as_they_say() -> None:
    held, worse = [], []
    for seed in range(12):
        stack, depth = milled(seed)
        found = slice_depths(stack)
        held.append((depth >= found.depth_low) & (depth <= found.depth_high))
        equal = np.linspace(0, depth[-1], len(depth))
        worse.append(np.std(found.depth - depth) < 0.6 * np.std(equal - depth))
    assert 0.88 < np.mean(held) < 0.99
    assert np.mean(worse) > 0.8


def test_without_fiducials_only_the_mean_is_told() -> None:
    stack, depth = milled(1)
    found = slice_depths(stack.drop_vars("fiducial_gap"))
    np.testing.assert_allclose(found.thickness, 1e3 * stack.attrs["total_depth"] / 40, rtol=5e-3)
    assert found.attrs["told_by"] == "total depth, the mean only"
    assert ((depth >= found.depth_low) & (depth <= found.depth_high)).all()
    assert float((found.depth_high - found.depth_low)[20]) > 0.05  # um
    assert found.attrs["mean_thickness_error"] < 1


def test_with_nothing_the_nominal_thickness_is_10_percent_sure() -> None:
    stack = xr.Dataset(coords={"slice": np.arange(5)}, attrs={"slice_thickness": 60.0})
    found = slice_depths(stack)
    np.testing.assert_allclose(found.depth, 0.06 * np.arange(5))
    assert found.attrs["told_by"] == "nominal thickness"
    assert found.attrs["mean_thickness_error"] == pytest.approx(
        6 * np.hypot(1, 1.5 / 5**0.5), rel=0.01
    )


def test_missing_slices_keep_their_gap() -> None:
    stack, depth = milled(2)
    kept = np.delete(np.arange(40), [7, 8, 20])
    found = slice_depths(stack.isel(slice=kept))
    assert found.sizes["slice"] == 40
    np.testing.assert_allclose(found.depth.sel(slice=kept), depth[kept], atol=0.02)
    wide = (found.depth_high - found.depth_low).sel(slice=[7, 8, 20])
    assert (wide > (found.depth_high - found.depth_low).median()).all()
    assert (np.diff(found.depth) > 0).all()


def test_a_total_depth_that_contradicts_the_fiducials_is_said() -> None:
    stack, _ = milled(3)
    stack.attrs["total_depth"] *= 1.2
    said = slice_depths(stack).attrs["contradiction"]
    assert "the total depth says" in said and "the fiducials" in said


def test_a_wrong_angle_is_a_contradiction() -> None:
    stack, _ = milled(4)
    stack.attrs["fiducial_angle"] = 60.0
    assert slice_depths(stack).attrs["contradiction"]


def test_thicknesses_stay_positive() -> None:
    stack, _ = milled(5, noise=40.0, uneven=25.0)
    found = slice_depths(stack)
    assert (found.thickness > 0).all() and (np.diff(found.depth) > 0).all()


def test_the_slice_count_tells_what_the_total_depth_is_of() -> None:
    attrs = {"total_depth": 2.4, "total_depth_error": 0.01, "slice_count": 40}
    stack = xr.Dataset(coords={"slice": np.arange(3, 37)}, attrs=attrs)
    assert slice_depths(stack).attrs["mean_thickness"] == pytest.approx(60.0, abs=0.3)


def test_what_cannot_be_used_is_refused() -> None:
    stack, _ = milled()
    with pytest.raises(DataError, match="in order"):
        slice_depths(stack.isel(slice=[2, 1, 0]))
    with pytest.raises(DataError, match="fiducial_angle"):
        slice_depths(stack.assign_attrs(fiducial_angle=np.nan))
    with pytest.raises(DataError, match="no thickness"):
        slice_depths(xr.Dataset(coords={"slice": np.arange(4)}))
