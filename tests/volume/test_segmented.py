"""Volumes that others segmented: labels that are named, are not, or are not there."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from liscope.errors import ParameterError
from liscope.volume.segmented import labelled

VOXEL = (400.0, 200.0, 200.0)
VALUES = np.array([0, 128, 255], np.uint8)[np.arange(60).reshape(3, 4, 5) % 3]


@pytest.mark.parametrize("lazy", [False, True])
def test_labels_become_phases_in_their_order(lazy: bool) -> None:
    values = da.from_array(VALUES, (1, 4, 5)) if lazy else VALUES
    found = labelled(
        xr.DataArray(values, dims=("z", "y", "x")), {"LCO": 255, "pore": 0, "C": 128}, VOXEL
    )
    np.testing.assert_array_equal(
        found["label"], np.array([2, 3, 1])[np.arange(60) % 3].reshape(3, 4, 5)
    )
    assert list(found["phase"].to_numpy()) == ["LCO", "pore", "C"] and found.attrs["unnamed"] == ""
    assert found["z"].to_numpy() == pytest.approx([0.2, 0.6, 1.0])


def test_labels_that_nobody_named_are_said() -> None:
    found = labelled(xr.DataArray(VALUES, dims=("z", "y", "x")), {"pore": 0, "C": 128}, VOXEL)
    assert found.attrs["unnamed"] == "Labels 255 are no phase's: 33.3% count as not measured."
    assert int((found["label"] == 0).sum()) == 20


@pytest.mark.parametrize("marks", [{"a": 0, "b": 1}, {"a": 0, "b": 0}, {"a": 128, "b": -1}])
def test_labels_that_are_not_there_are_refused(marks: dict[str, int]) -> None:
    with pytest.raises(
        ParameterError, match=r"phases: got .*; right are distinct labels of 0, 128, 255"
    ):
        labelled(xr.DataArray(VALUES, dims=("z", "y", "x")), marks, VOXEL)
