"""Frames and grids, against places worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from liscope.errors import DataError
from liscope.volume.frames import Frames, Grid


def stack(numbers: list[int]) -> xr.DataArray:
    um = {"units": "um"}
    return xr.DataArray(
        np.zeros((len(numbers), 3, 5)),
        dims=("slice", "y", "x"),
        coords={
            "slice": numbers,
            "y": ("y", [0.5, 1.5, 2.5], um),
            "x": ("x", [0.25, 0.75, 1.25, 1.75, 2.25], um),
        },
    )


def test_a_missing_slice_leaves_its_gap() -> None:
    assert Frames.of(stack([0, 1, 3]), 60.0).depth == pytest.approx([0, 0.06, 0.18])


def test_steps_compose_in_their_order() -> None:
    tilted = np.diag([0.5, 1.0])  # y seen at half its length
    frames = (
        Frames.of(stack([0, 1]), 60.0)
        .after(tilted, np.zeros(2))
        .moved(np.array([[0, 0], [0.1, -0.2]]))
    )
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    turned = frames.after(quarter, np.array([3.0, 1.0]))
    # (y, x) = (2, 4) -> turned (-4, 2) -> shifted (-1, 3) -> foreshortened (-0.5, 3) -> drift
    assert turned.pictured(np.array([2.0, 4.0])) == pytest.approx(
        np.array([[-0.5, 3.0], [-0.4, 2.8]])
    )


def test_an_offset_for_each_slice() -> None:
    frames = Frames.of(stack([0, 1]), 60.0).after(np.diag([2.0, 2.0]), np.zeros(2))
    moved = frames.after(np.tile(np.eye(2), (2, 1, 1)), np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert moved.pictured(np.zeros(2)) == pytest.approx(np.array([[2.0, 0.0], [0.0, 2.0]]))


def test_the_grid_covers_what_the_stack_shows_in_true_lengths() -> None:
    recorded = stack([0, 1, 2])
    frames = Frames.of(recorded, 100.0).after(np.diag([0.5, 1.0]), np.zeros(2))
    grid = Grid.over(recorded, frames)
    assert grid.shape == (3, 3, 5)
    assert grid.step == pytest.approx((0.1, 2.0, 0.5))
    assert grid.origin == pytest.approx((0.0, 1.0, 0.25))
    finer = Grid.over(recorded, frames, (0.05, 1.0, 1.0))
    assert finer.shape == (5, 5, 3)
    assert finer.coordinates()["y"].to_numpy() == pytest.approx([1, 2, 3, 4, 5])


def test_what_is_out_of_order_is_refused() -> None:
    with pytest.raises(DataError, match="order"):
        Frames.of(stack([1, 0]), 60.0)
    with pytest.raises(DataError, match="increase"):
        Frames.of(stack([0, 1]), 60.0).at_depths(np.array([0.1, 0.1]))
