"""A volume that another program segmented, to begin at the microstructure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import ParameterError
from liscope.history import noted


def labelled(
    segmented: xr.DataArray, marks: Mapping[str, int], voxel: tuple[float, float, float]
) -> xr.Dataset:
    """Return phases of a segmented volume; they have no probabilities.

    Parameters
    ----------
    segmented
        Labels (z, y, x), whole numbers, also lazy.
    marks
        Phase, and its label there. Other labels count as not measured; ``attrs["unnamed"]`` says
        in words which there are.
    voxel
        Sides z, y, x, nm.

    Returns
    -------
    xr.Dataset
        ``label`` (z, y, x): 1 and on in the order of ``phase``, 0 where none of them is.

    Raises
    ------
    ParameterError
        If a label is nowhere in the array, or two phases have the same.
    """
    there = {int(value): int(count) for value, count in zip(*_counted(segmented), strict=True)}
    if len(set(marks.values())) < len(marks) or not set(marks.values()) <= set(there):
        known = ", ".join(map(str, list(there)[:12]))
        raise ParameterError(f"phases: got {dict(marks)}; right are distinct labels of {known}")
    label = xr.zeros_like(segmented, np.uint8)
    for number, mark in enumerate(marks.values(), 1):
        label = label + (segmented == mark).astype(np.uint8) * np.uint8(number)
    um = {
        dim: (dim, (np.arange(segmented.sizes[dim]) + 0.5) * side / 1e3, {"units": "um"})
        for dim, side in zip("zyx", voxel, strict=True)
    }
    label = label.assign_coords(um).assign_attrs(phase_names=list(marks))
    label = noted(label, segmented, f"labelled(marks={dict(marks)}, {voxel=})")
    others = {value: count for value, count in there.items() if value not in marks.values()}
    share = sum(others.values()) / max(sum(there.values()), 1)
    told = (
        f"Labels {', '.join(map(str, others))} are no phase's: {share:.1%} count as not measured."
    )
    attrs = {"unnamed": told if others else ""}
    return xr.Dataset({"label": label}, {"phase": list(marks)}, attrs)


def _counted(segmented: xr.DataArray) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Return the labels that there are, and how many voxels each has."""
    import dask.array as da

    values, counts = da.unique(da.asarray(segmented.data), return_counts=True)
    return values.compute(), counts.compute()
