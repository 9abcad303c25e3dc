"""Stacks as recorded and their frames, against values worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from spheres import Spheres, drifting
from spheres import stack as stacked

from liscope import volume
from liscope.errors import DataError, ParameterError
from liscope.volume.frames import Frames


def stack(counts: np.ndarray, numbers: list[int], **attrs: object) -> xr.Dataset:
    """Return a stack (ion, slice, y, x) with pixels of 0.1 um."""
    axes = {
        dim: (dim, 0.1 * (np.arange(size) + 0.5), {"units": "um"})
        for dim, size in zip("yx", counts.shape[2:], strict=True)
    }
    ions = [f"ion{i}" for i in range(len(counts))]
    array = (("ion", "slice", "y", "x"), counts, {"units": "count"})
    return xr.Dataset({"counts": array}, {"ion": ions, "slice": numbers} | axes, attrs)


@pytest.fixture
def small() -> xr.Dataset:
    counts = np.zeros((2, 3, 4, 5), np.uint16)
    counts[0, :, 0, 0], counts[1, :, :2] = 6, 60000
    return stack(counts, [0, 1, 3], slice_count=5, tilt=60.0)


def test_marks_are_channels(small: xr.Dataset) -> None:
    phases = [("a", "ion0"), ("coat", "Al")]
    assert volume.marked({"SIMS": small}, phases, ["coat"]) == {"a": "ion0"}
    with pytest.raises(ParameterError, match=r"phases: no channel 'La' for a; there are .*ion1"):
        volume.marked({"SIMS": small}, [("a", "La")], [])
    with pytest.raises(ParameterError, match="eds: holds ions, not elements"):
        volume.marked({"EDS": small}, phases, ["coat"])


def test_a_grid_needs_voxels(small: xr.Dataset) -> None:
    frames = Frames.of(small["counts"], 100.0)
    assert volume.common_grid(small["counts"], frames, (100.0, 50.0, 50.0)).shape == (4, 7, 9)
    with pytest.raises(ParameterError, match=r"voxel: .* nm leave"):
        volume.common_grid(small["counts"], frames, (5000.0, 50.0, 50.0))


def test_what_is_there_and_what_is_not(small: xr.Dataset) -> None:
    table = volume.stack_table({"SIMS": small})
    row = table.loc[("SIMS", "ion0")]
    assert row["slices"] == 3 and row["missing"] == "2, 4"
    assert (row["mean"], row["most"], row["zeros"]) == pytest.approx((6 / 20, 6, 19 / 20))
    assert row["pixel_nm"] == "100 x 100" and row["field_um"] == "0.4 x 0.5"


def test_slices_left_out_are_named(small: xr.Dataset) -> None:
    left = json.dumps([{"slice": 4, "file": "a.tif", "why": "cut short"}])
    assert volume.missing_slices(small.assign_attrs(left_out=left)) == [2, 4]
    later = small.assign_coords(slice=[1, 2, 3])  # the last one, 4, was left out: none is before 1
    assert volume.missing_slices(later.assign_attrs(left_out=left, slice_count=4)) == [4]
    del small.attrs["slice_count"]
    assert volume.missing_slices(small) == [2]


def test_why_slices_are_missing_is_in_the_table(small: xr.Dataset) -> None:
    wrong = [(4, "a_4.tif", "has 9 x 6 pixels"), (4, "b_4.tif", "is empty"), (2, "all.tif", "ends")]
    wrong += [(5, "all.tif", "ends")]
    left = [{"slice": number, "file": file, "why": why} for number, file, why in wrong]
    stacks = {
        "EDS": small.assign_attrs(left_out=json.dumps(left), slice_count=7),
        "SIMS": small,
        "whole": small.isel(slice=[0, 1]).assign_attrs(slice_count=2),
    }
    why = volume.stack_table(stacks)["left_out"].groupby("stack").first()
    assert why["EDS"] == (
        "2, 5: 'all.tif' ends; 4: 'a_4.tif' has 9 x 6 pixels; 4: 'b_4.tif' is empty; "
        "6: not recorded"
    )
    assert why["SIMS"] == "2, 4: not recorded" and why["whole"] == "none"


def test_missing_slices_do_not_make_the_grid_coarser(small: xr.Dataset) -> None:
    frames = Frames.of(small["counts"], 100.0)  # slices 0, 1 and 3
    grid = volume.common_grid(small["counts"], frames, None)
    assert grid.step == pytest.approx((0.1, 0.1, 0.1)) and grid.shape[0] == 4


def test_ions_are_summed_without_overflow(small: xr.Dataset) -> None:
    one = volume.only(small, ["ion1", "ion0"])
    assert one["counts"].sizes["ion"] == 1 and one["ion"].item() == "ion1"
    assert one["counts"].values.max() == 60006
    with pytest.raises(ParameterError, match="no ion 'Li'; there are ion0, ion1"):
        volume.only(small, ["Li"])


def test_what_is_told_overrules_the_file(small: xr.Dataset) -> None:
    told = volume.told(small, 40.0, None, 0.0)
    assert told.attrs["slice_thickness"] == 40.0 and told.attrs["tilt"] == 0.0
    assert volume.told(small, None, None, None).attrs == small.attrs


def test_frames_have_tilt_and_depths(small: xr.Dataset) -> None:
    depths = xr.Dataset(
        {"depth": ("slice", [0.0, 0.05, 0.15]), "thickness": ("slice", [50.0, 100.0, 60.0])},
        {"slice": [0, 1, 2]},
    )
    frames = volume.frames_of(small, depths, None)
    # Slice 3 lies beyond: one mean thickness (70 nm) below slice 2.
    assert frames.depth == pytest.approx([0.0, 0.05, 0.22])
    # y is seen at half its length, by cos 60 degrees.
    assert frames.pictured(np.array([2.0, 3.0]))[1] == pytest.approx([1.0, 3.0])


def test_pictures_of_the_nearest_slice(small: xr.Dataset) -> None:
    found = volume.pictures({"SIMS": small}, 2)
    assert set(found) == {"ion0", "ion1"} and found["ion0"].dims == ("y", "x")


def test_a_line_across_the_largest_particle() -> None:
    import pandas as pd

    table = pd.DataFrame(
        {
            "voxels": [5, 50],
            "extent_x_um": [1.0, 4.0],
            "z_um": [0, 1.0],
            "y_um": [0, 3.0],
            "x_um": [0, 6.0],
        }
    )
    assert volume.across(table) == pytest.approx((1.0, 3.0, 3.5, 3.0, 8.5))
    with pytest.raises(DataError, match="no particle"):
        volume.across(table[:0])


def test_lanczos_turns_counts_negative_and_linear_does_not() -> None:
    rng = np.random.default_rng(0)
    made = stack(rng.poisson(1.0, (1, 4, 40, 40)).astype(np.uint16), [0, 1, 2, 3])
    frames = volume.Frames.of(made["counts"], 60.0)
    grid = volume.Grid((0.06, 0.1, 0.1), (0.0, 0.5, 0.5), (4, 30, 30))
    table = volume.interpolation_table(made["counts"], frames, grid)
    assert table.loc[("ion0", "linear"), "negative_percent"] == 0
    assert table.loc[("ion0", "Lanczos, 5 lobes"), "negative_percent"] > 1
    # Half a pixel off along both axes, the mean of four pixels has a fourth of their variance.
    assert table.loc[("ion0", "linear"), "variance"] == pytest.approx(0.25, rel=0.1)


@pytest.mark.parametrize(("first", "missing"), [(0, [2]), (1, [3]), (101, [103])])
def test_a_series_may_begin_at_any_number(first: int, missing: list[int]) -> None:
    numbers = [first, first + 1, first + 3]
    made = stack(np.zeros((1, 3, 2, 2), np.uint8), numbers, slice_count=4)
    assert volume.missing_slices(made) == missing


def test_a_series_may_begin_below_zero() -> None:
    made = stack(np.zeros((1, 3, 2, 2), np.uint8), [-3, -2, 0])
    assert volume.missing_slices(made) == [-1]


def test_a_series_may_end_early() -> None:
    made = stack(np.zeros((1, 2, 2, 2), np.uint8), [0, 1], slice_count=4)
    assert volume.missing_slices(made) == [2, 3]


def test_rates_are_summed_as_they_are(small: xr.Dataset) -> None:
    rates = small.assign(counts=small["counts"] * 0.3)
    rates["counts"][:, 0, 0, 0] = np.nan
    total = volume.only(rates, ["ion0", "ion1"])["counts"]
    assert np.isnan(total[0, 0, 0, 0]) and total[0, 1, 0, 0].item() == pytest.approx(18001.8)


def test_a_thickness_that_is_told_overrules_the_total_depth(small: xr.Dataset) -> None:
    known = small.assign_attrs(slice_thickness=60.0, total_depth=2.4, total_depth_error=0.03)
    assert np.isnan(volume.told(known, 50.0, None, None).attrs["total_depth"])
    told = volume.told(known, None, 2.6, None).attrs
    assert told["total_depth"] == 2.6 and np.isnan(told["total_depth_error"])


def test_a_tilt_that_nobody_told_is_none(small: xr.Dataset) -> None:
    depths = xr.Dataset(
        {"depth": ("slice", [0.0, 0.1]), "thickness": ("slice", [100.0, 100.0])}, {"slice": [0, 1]}
    )
    frames = volume.frames_of(small.assign_attrs(tilt=np.nan), depths, None)
    np.testing.assert_array_equal(frames.matrix, np.tile(np.eye(2), (3, 1, 1)))


def test_large_labels_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from liscope.volume import interpolation

    monkeypatch.setattr(interpolation, "SMALL", 0)
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    label = xr.DataArray(values, dims=("z", "y", "x"), coords={"z": [0.1, 0.2]})
    label = label.chunk(z=1).assign_attrs(phase_names=["a"])
    found = volume.stored(label)
    np.testing.assert_array_equal(found, values)
    assert found.attrs == label.attrs and found.chunks and len(found.data.dask) < 12


@pytest.fixture(scope="module")
def dimmed() -> tuple[xr.Dataset, xr.Dataset]:
    """A stack of spheres, and the same with slice 5 dimmed to 15 % of its counts."""
    spheres = Spheres.random(1, (0.6, 7.0, 8.0))
    rates = {"Co": (2.0, 2.0, 16.0), "Zr": (2.0, 18.0, 2.0)}
    whole = stacked(spheres, drifting(10, 0.02, seed=1), 0.08, (80, 90), rates, 1)
    counts = whole.to_numpy().copy()
    counts[:, 5] = np.random.default_rng(0).binomial(counts[:, 5], 0.15)
    return whole.to_dataset(), whole.copy(data=counts).to_dataset()


def test_a_dimmed_slice_is_left_out(dimmed: tuple[xr.Dataset, xr.Dataset]) -> None:
    one = dimmed[1].assign(bse=("slice", np.arange(10.0)))
    drift = volume.slice_drift(one["counts"])
    assert list(np.flatnonzero(drift.bad)) == [5] and drift.reason[5] == "few counts"
    frames = drift.moved(Frames.of(one["counts"], 60.0))
    left, at = volume.without_bad(one, frames, drift)
    good = np.delete(np.arange(10), 5)
    np.testing.assert_array_equal(left["counts"], one["counts"][:, good])
    for array in (left["slice"], left["counts"]["slice"], left["bse"]):
        np.testing.assert_array_equal(array, good)
    for name in ("matrix", "offset", "depth"):
        np.testing.assert_array_equal(getattr(at, name), getattr(frames, name)[good])
    assert left["counts"].attrs["history"].endswith("without_bad(5)")
    assert left["counts"].attrs["units"] == "count"


def test_a_dimmed_slice_is_no_layer_once_it_is_left_out(
    dimmed: tuple[xr.Dataset, xr.Dataset],
) -> None:
    whole, one = dimmed
    drift = volume.slice_drift(one["counts"])
    frames = drift.moved(Frames.of(one["counts"], 60.0))
    left, at = volume.without_bad(one, frames, drift)
    grid = volume.Grid.over(one["counts"], frames)
    expected, kept, bridged = (
        volume.onto_grid(stack["counts"], where, grid).mean(("y", "x")).to_numpy()
        for stack, where in ((whole, frames), (one, frames), (left, at))
    )
    assert np.abs(bridged / expected - 1).max() < 0.04
    np.testing.assert_allclose(kept[:, 5] / expected[:, 5], 0.15, rtol=0.1)


def test_two_good_slices_are_needed(dimmed: tuple[xr.Dataset, xr.Dataset]) -> None:
    three = dimmed[0].isel(slice=[0, 1, 2])
    drift = volume.slice_drift(three["counts"])
    frames = Frames.of(three["counts"], 60.0)
    left, at = volume.without_bad(three, frames, replace(drift, reason=("", "few counts", "")))
    assert list(left["slice"]) == [0, 2] and at.depth == pytest.approx([0, 0.12])
    with pytest.raises(DataError, match="2 of 3 slices are bad; set bad_slices to keep"):
        volume.without_bad(three, frames, replace(drift, reason=("", "few counts", "unlike")))
