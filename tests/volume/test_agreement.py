"""Agreement with a known volume, where it can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from liscope import volume

UM = {"units": "um"}


def truth() -> xr.Dataset:
    """Return a known volume of two slices: SIMS 0.5 um lower than EDS, EDS drifting by 0.2 um."""
    label = np.ones((2, 8, 8), np.uint8)
    label[:, :, 4:] = 2
    eye = np.tile(np.eye(2), (2, 1, 1))
    eds = np.array([[0.0, 0.0], [0.0, 0.2]])
    return xr.Dataset(
        {
            "label": (("z", "y", "x"), label),
            "eds_matrix": (("slice", "to", "from"), eye),
            "eds_offset": (("slice", "to"), eds),
            "eds_depth": ("slice", [0.0, 0.1]),
            "sims_matrix": (("slice", "to", "from"), eye),
            "sims_offset": (("slice", "to"), eds + np.array([0.5, 0.0])),
            "sims_depth": ("slice", [0.0, 0.1]),
        },
        {
            "slice": [0, 1],
            "z": ("z", [0.0, 0.1], UM),
            "y": ("y", 0.1 * np.arange(8), UM),
            "x": ("x", 0.1 * np.arange(8), UM),
        },
    )


def stack() -> xr.DataArray:
    axes = {dim: (dim, 0.1 * np.arange(8), UM) for dim in "yx"}
    return xr.DataArray(np.zeros((2, 8, 8)), {"slice": [0, 1]} | axes, ("slice", "y", "x"))


def test_how_far_off_does_not_depend_on_the_frame() -> None:
    known = truth()
    eds, sims = (volume.known_frames(known, name, np.array([0, 1])) for name in ("eds", "sims"))
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    turned = [one.after(quarter, np.array([3.0, 1.0])) for one in (eds, sims)]
    assert volume.misplaced(known, stack(), stack(), *turned).max() < 1e-6
    off = sims.moved(np.array([[0.03, 0.04], [0.0, 0.0]]))
    error = volume.misplaced(known, stack(), stack(), eds, off)
    assert error[0] == pytest.approx(50.0) and error[1] == pytest.approx(0.0, abs=1e-9)


def test_labels_follow_the_pictures() -> None:
    known = truth()
    # Found without the drift: the second picture's place is 0.2 um (two voxels) off.
    found = volume.Frames(np.tile(np.eye(2), (2, 1, 1)), np.zeros((2, 2)), np.array([0.0, 0.1]))
    grid = known["label"]
    labels = volume.known_labels(known, grid, np.array([0, 1]), found)
    np.testing.assert_array_equal(labels[0], grid[0])
    assert labels[1, 0].to_numpy().tolist() == [0, 0, 1, 1, 1, 1, 2, 2]


def test_what_else_is_known_follows_as_well() -> None:
    known = truth()
    known["lithium"] = known["label"] * np.float32(1.5)
    eds = volume.known_frames(known, "eds", np.array([0, 1]))
    given = (known["label"], np.array([0, 1]), eds)
    label, lithium = (volume.known_labels(known, *given, name) for name in ("label", "lithium"))
    np.testing.assert_array_equal(lithium, 1.5 * label)
    assert lithium.dtype == np.float32 and label.dtype == np.uint8


def test_dice_by_hand() -> None:
    known = xr.DataArray(np.array([[[1, 1, 2, 2, 0]]]), dims=("z", "y", "x"))
    found = xr.DataArray(np.array([[[2, 1, 1, 2, 1]]]), dims=("z", "y", "x"))
    table = volume.agreement(found, ["b", "a"], known, ["a", "b", "c"])
    # Of four voxels: a is found as label 2, at one right and one wrong place.
    assert table.loc["a", "dice"] == pytest.approx(2 * 1 / 4)
    assert table.loc["a"].to_dict() | {"dice": 0} == {"put_in": 50.0, "found": 50.0, "dice": 0}
    assert np.isnan(table.loc["c", "dice"]) and table.loc["c", "put_in"] == 0
