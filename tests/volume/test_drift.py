"""Drifts that are known are found, to a small part of a pixel; bad slices are named."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from scipy import fft
from spheres import EDS, Spheres, drifting, stack

from liscope.errors import DataError, ParameterError
from liscope.volume.drift import slice_drift
from liscope.volume.frames import Frames

PIXEL, SHAPE, COUNT = 0.08, (96, 128), 20
FRAMES = drifting(COUNT, 0.12, seed=3)


def composite(seed: int, frames: Frames = FRAMES) -> xr.DataArray:
    """Return EDS counts of spheres with that drift."""
    size = (0.06 * COUNT, SHAPE[0] * PIXEL, SHAPE[1] * PIXEL)
    return stack(Spheres.random(seed, size), frames, PIXEL, SHAPE, EDS, seed)


@pytest.fixture(scope="module")
def counts() -> xr.DataArray:
    """A stack that drifts by 0.12 um from slice to slice."""
    return composite(1)


def off(shift: np.ndarray, frames: Frames, kept: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Return the error (slice, 2) in pixels, of places against their mean."""
    error = (shift - frames.offset)[kept] / PIXEL
    return np.asarray(error - error.mean(0))


def test_a_known_drift_is_found(counts: xr.DataArray) -> None:
    drift = slice_drift(counts)
    error = off(drift.shift, FRAMES)
    assert (
        np.sqrt(np.mean(error**2)) < 0.25
    )  # a field of 8 x 10 um, most of it the structure's lean
    assert np.sqrt(np.mean(np.diff(error, axis=0) ** 2)) < 0.12
    assert not drift.bad.any()


def test_errors_are_as_large_as_reported() -> None:
    scaled = []
    for seed in range(3):
        drift = slice_drift(composite(seed))
        scaled.append(off(drift.shift, FRAMES) * PIXEL / drift.sigma)
    assert 0.3 < np.sqrt(np.mean(np.square(scaled))) < 1.4


def test_a_shift_of_one_picture_is_found_to_some_hundredths_of_a_pixel() -> None:
    rng = np.random.default_rng(0)
    shape, moved = (192, 224), np.array([[0, 0], [1.37, -2.61], [-0.42, 4.18], [0.5, 0.25]])
    fy, fx = fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])
    smooth = np.exp(-80 * (fy**2 + fx**2)) * fft.rfft2(rng.standard_normal(shape))
    pictures = [
        fft.irfft2(smooth * np.exp(-2j * np.pi * (fy * y + fx * x)), shape) for y, x in moved
    ]
    values = np.array(pictures)[None] / np.std(pictures[0]) * 200 + 2000
    drift = slice_drift(_stacked(values, 1.0))
    error = drift.shift - moved
    np.testing.assert_allclose(error - error.mean(0), 0, atol=0.02)


def _stacked(values: np.ndarray, pixel: float) -> xr.DataArray:
    coords = {
        "slice": np.arange(values.shape[1]),
        "y": ("y", np.arange(values.shape[2]) * pixel, {"units": "um"}),
        "x": ("x", np.arange(values.shape[3]) * pixel, {"units": "um"}),
    }
    return xr.DataArray(values, coords, ("element", "slice", "y", "x"), attrs={"units": "count"})


def test_a_slice_of_few_counts_is_named_and_its_neighbours_stay(counts: xr.DataArray) -> None:
    rng = np.random.default_rng(1)
    poor = counts.copy(deep=True)
    poor[:, 7] = rng.binomial(counts[:, 7], 0.03)
    drift = slice_drift(poor)
    assert drift.reason[7] == "few counts"
    assert drift.bad.sum() == 1
    kept = np.delete(np.arange(COUNT), 7)
    assert np.sqrt(np.mean(off(drift.shift, FRAMES, kept) ** 2)) < 0.25
    assert drift.sigma[7].min() > np.median(drift.sigma)


def test_a_slice_of_something_else_is_named(counts: xr.DataArray) -> None:
    strange = counts.copy(deep=True)
    strange[:, 12] = composite(77)[:, 5]
    drift = slice_drift(strange)
    assert drift.reason[12] == "unlike its neighbours"
    assert drift.bad.sum() == 1
    kept = np.delete(np.arange(COUNT), 12)
    assert np.sqrt(np.mean(off(drift.shift, FRAMES, kept) ** 2)) < 0.25


def test_missing_slices_leave_the_others_where_they_are(counts: xr.DataArray) -> None:
    kept = np.delete(np.arange(COUNT), [4, 9, 10])
    drift = slice_drift(counts.isel(slice=kept))
    assert list(drift.slices) == list(kept)
    error = (drift.shift - FRAMES.offset[kept]) / PIXEL
    assert np.sqrt(np.mean((error - error.mean(0)) ** 2)) < 0.3


def test_a_slice_that_was_recorded_twice_lies_where_it_lies(counts: xr.DataArray) -> None:
    """Mirrored halves: the two in the middle are the same picture, and differ by no noise."""
    count = counts.sizes["slice"]
    there = np.r_[np.arange(count), np.arange(count)[::-1]]
    twice = counts.isel(slice=there).assign_coords(slice=np.arange(2 * count))
    shift = slice_drift(twice).shift
    np.testing.assert_allclose(shift[count - 1], shift[count], atol=1e-4)
    assert np.isfinite(shift).all()


def test_a_lean_of_the_structure_is_called_what_it_may_be(counts: xr.DataArray) -> None:
    leaning = drifting(COUNT, 0.0, seed=3)
    leaning = leaning.moved(np.outer(np.arange(COUNT), [0.05, 0.0]))  # as a steady drift would
    drift = slice_drift(composite(2, leaning))
    assert abs(drift.steady[0] - 0.05) < 3 * drift.steady_error[0] < 0.05
    assert 0.0003 < drift.steady_error[0] < 0.01


def test_dask_and_numpy_agree(counts: xr.DataArray) -> None:
    lazy = counts.copy(data=da.from_array(counts.to_numpy(), (1, 3, 50, -1)))
    one, other = slice_drift(counts), slice_drift(lazy)
    np.testing.assert_allclose(one.shift, other.shift, atol=1e-6)
    assert one.reason == other.reason


def test_units_of_length_are_converted(counts: xr.DataArray) -> None:
    nm = {axis: (axis, 1e3 * counts[axis].to_numpy(), {"units": "nm"}) for axis in "yx"}
    few = counts.isel(slice=slice(0, 5))
    in_nm = slice_drift(few.assign_coords(nm))
    np.testing.assert_allclose(slice_drift(few).shift, in_nm.shift, atol=1e-9)


def test_frames_and_table_hold_the_drift(counts: xr.DataArray) -> None:
    drift = slice_drift(counts.isel(slice=slice(0, 5)))
    frames = drift.moved(Frames.of(counts.isel(slice=slice(0, 5)), 60))
    np.testing.assert_allclose(frames.offset, drift.shift)
    np.testing.assert_allclose(drift.table()["shift_x_nm"], 1e3 * drift.shift[:, 1])


def test_nothing_to_see_is_said(counts: xr.DataArray) -> None:
    with pytest.raises(DataError, match="no slice is like another"):
        slice_drift(counts.copy(data=np.full(counts.shape, 5, np.uint16)))
    with pytest.raises(DataError, match="in order"):
        slice_drift(counts.isel(slice=[3, 2, 1]))
    with pytest.raises(DataError, match="too small"):
        slice_drift(counts.isel(y=slice(0, 20)))
    with pytest.raises(ParameterError, match="reach"):
        slice_drift(counts, reach=0)
