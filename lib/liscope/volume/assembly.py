"""From two stacks to one volume: what a person may overrule, and each stack's frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError, ParameterError
from liscope.history import noted
from liscope.volume.drift import Drift
from liscope.volume.frames import Frames, Grid
from liscope.volume.tilt import untilted

if TYPE_CHECKING:
    import pandas as pd

CHANNELS = ("element", "ion")


def told(
    stack: xr.Dataset, thickness: float | None, total_depth: float | None, tilt: float | None
) -> xr.Dataset:
    """Return a stack whose file is overruled in what is not None: nm, um and degrees."""
    said = {"slice_thickness": thickness, "total_depth": total_depth, "tilt": tilt}
    said |= {"total_depth_error": None if total_depth is None else np.nan}  # that was the file's
    if thickness is not None and total_depth is None:
        said |= {"total_depth": np.nan}  # or it would overrule the thickness
    return stack.assign_attrs({name: value for name, value in said.items() if value is not None})


def channel_of(counts: xr.DataArray) -> str:
    """Return the name of the dimension that holds elements or ions."""
    return next(str(dim) for dim in counts.dims if dim in CHANNELS)


def only(stack: xr.Dataset, ions: Sequence[str]) -> xr.Dataset:
    """Return a stack of one channel, the sum of some ions, by the first one's name.

    Raises
    ------
    ParameterError
        If the stack has no such ion.
    """
    counts = stack["counts"]
    dim = channel_of(counts)
    there = [str(name) for name in counts[dim].to_numpy()]
    if strange := [name for name in ions if name not in there]:
        raise ParameterError(f"lithium: no ion '{strange[0]}'; there are {', '.join(there)}")
    whole = {"dtype": np.uint32} if counts.dtype.kind in "ui" else {"min_count": 1}
    total = counts.sel({dim: list(ions)}).sum(dim, keep_attrs=True, **whole)
    total = total.expand_dims({dim: [ions[0]]}).transpose(*counts.dims)
    others = stack.drop_dims(dim)
    return others.assign(counts=noted(total, counts, f"sum of {', '.join(ions)}"))


def marked(
    stacks: Mapping[str, xr.Dataset], phases: Sequence[tuple[str, str]], coats: Sequence[str]
) -> dict[str, str]:
    """Return each phase's mark, but for coats that have none among the channels.

    Raises
    ------
    ParameterError
        If the mark of another phase is no channel, or the EDS stack holds ions.
    """
    if "EDS" in stacks and channel_of(stacks["EDS"]["counts"]) == "ion":
        raise ParameterError("eds: holds ions, not elements; are eds and sims exchanged?")
    there = [str(n) for s in stacks.values() for n in s["counts"][channel_of(s["counts"])].values]
    for name, mark in phases:
        if mark not in there and name not in coats:
            raise ParameterError(f"phases: no channel '{mark}' for {name}; there are {there}")
    return {name: mark for name, mark in phases if mark in there}


def common_grid(
    stack: xr.DataArray, frames: Frames, voxel: tuple[float, float, float] | None
) -> Grid:
    """Return the grid over what a stack shows, of voxels (z, y, x), nm; None: as recorded.

    Raises
    ------
    ParameterError
        If fewer than two voxels lie along an axis.
    """
    grid = Grid.over(stack, frames, voxel and (voxel[0] / 1e3, voxel[1] / 1e3, voxel[2] / 1e3))
    if min(grid.shape) < 2:
        raise ParameterError(
            f"voxel: {voxel} nm leave {grid.shape} voxels (z, y, x); right are two or more each"
        )
    return grid


def frames_of(stack: xr.Dataset, depths: xr.Dataset, drift: Drift | None) -> Frames:
    """Return where a stack's slices lie by tilt, depths, and the drift if that is taken out.

    Parameters
    ----------
    stack
        With attribute ``tilt``, degrees; NaN, which is not known, counts as none.
    depths
        From :func:`~liscope.volume.thickness.slice_depths`; a slice beyond goes on as thick as the
        mean one.
    drift
        From :func:`~liscope.volume.drift.slice_drift`.
    """
    numbers = stack["slice"].to_numpy()
    frames = Frames.of(stack["counts"], float(depths["thickness"].mean()))
    known = depths["slice"].to_numpy()
    step = float(depths["thickness"].mean()) / 1e3
    beyond = np.maximum(numbers - known[-1], 0) + np.minimum(numbers - known[0], 0)
    depth = np.interp(numbers, known, depths["depth"].to_numpy()) + step * beyond
    frames = untilted(frames.at_depths(depth), float(np.nan_to_num(stack.attrs.get("tilt", 0.0))))
    return drift.moved(frames) if drift else frames


def without_bad(stack: xr.Dataset, frames: Frames, drift: Drift) -> tuple[xr.Dataset, Frames]:
    """Return a stack and its frames without the slices that the drift step calls bad.

    What such a slice shows is not what its neighbours show: interpolated between them, it would
    look like a layer of another material.

    Raises
    ------
    DataError
        If fewer than two slices are good.
    """
    good = ~drift.bad
    if good.sum() < 2:
        raise DataError(f"{drift.bad.sum()} of {good.size} slices are bad; set bad_slices to keep")
    left = _runs(stack, good)
    counts = noted(left["counts"], stack["counts"], f"without_bad({bad_of(drift)})")
    return left.assign(counts=counts), frames.of_slices(good)


def _runs(stack: xr.Dataset, good: NDArray[np.bool_]) -> xr.Dataset:
    """Return the good slices, run by run: single ones would not keep to the blocks on the disk."""
    if good.all():
        return stack
    ends = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(int)))
    runs = [stack.isel(slice=slice(start, stop)) for start, stop in ends.reshape(-1, 2)]
    return xr.concat(runs, "slice", data_vars="minimal", combine_attrs="override")


def bad_of(drift: Drift) -> str:
    """Return the numbers of bad slices, as text; "none" if there are none."""
    return ", ".join(map(str, drift.slices[drift.bad])) or "none"


def steady_table(drifts: Mapping[str, Drift]) -> pd.DataFrame:
    """Return the drift that is common to all slices: nm a slice, and what may be the structure's.

    Columns ``steady`` and ``error`` (nm a slice), ``error_over_stack`` (nm) and ``bad_slices``; one
    row a stack and axis.
    """
    import pandas as pd

    rows = {
        (name, axis): {
            "steady_nm_per_slice": 1e3 * drift.steady[i],
            "error_nm_per_slice": 1e3 * drift.steady_error[i],
            "error_over_stack_nm": 1e3 * drift.steady_error[i] * np.ptp(drift.slices),
            "bad_slices": bad_of(drift),
        }
        for name, drift in drifts.items()
        for i, axis in enumerate("yx")
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["stack", "axis"])


def pictures(stacks: Mapping[str, xr.Dataset], number: int) -> dict[str, xr.DataArray]:
    """Return the pictures (y, x) of the slice nearest to a number, by channel; electrons' first."""
    found = {}
    for stack in stacks.values():
        one = stack.sel(slice=number, method="nearest")
        if "bse" in one:
            found["bse"] = one["bse"].compute()
        counts = one["counts"].compute()
        dim = channel_of(counts)
        found |= {str(name): counts.sel({dim: name}, drop=True) for name in counts[dim].to_numpy()}
    return found


def corner(image: xr.DataArray, side: float) -> tuple[slice, slice]:
    """Return a square in the middle of an image, ``side`` um wide, as slices along y and x."""
    middle = [float(image[dim].mean()) for dim in ("y", "x")]
    low, high = ([m + sign * side / 2 for m in middle] for sign in (-1, 1))
    return slice(low[0], high[0]), slice(low[1], high[1])
