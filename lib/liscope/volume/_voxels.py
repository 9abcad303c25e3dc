"""What the microstructure modules share: labels as slabs of whole slices, and sizes of voxels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import xarray as xr

from liscope.errors import DataError, ParameterError
from liscope.units import to_units

if TYPE_CHECKING:
    import dask.array as da

DIMS = ("z", "y", "x")
SLAB = 2**23  # voxels held at a time, a few tens of MB


def labels_of(source: xr.Dataset | xr.DataArray) -> xr.DataArray:
    """Return the labels (z, y, x), 0 where nothing was measured, of phases or of labels alone.

    Raises
    ------
    DataError
        If there are none, they have other dimensions, or are no integers.
    """
    if isinstance(source, xr.Dataset):
        if "label" not in source:
            raise DataError("no variable 'label'; give the phases, or an array of labels")
        source = source["label"]
    if set(source.dims) != set(DIMS):
        raise DataError(f"labels have dimensions {source.dims}; (z, y, x) are needed")
    if source.dtype.kind not in "iub":
        raise DataError(f"labels are {source.dtype}; whole numbers are needed")
    return source.transpose(*DIMS)


def names_of(source: xr.Dataset | xr.DataArray) -> list[str]:
    """Return the names of the phases 1, 2, ... from ``phase`` or ``attrs["phase_names"]``.

    Raises
    ------
    DataError
        If there are none.
    """
    if "phase" in source.coords and source["phase"].ndim == 1:
        return [str(name) for name in source["phase"].to_numpy()]
    attrs = labels_of(source).attrs | source.attrs
    if "phase_names" in attrs:
        given = attrs["phase_names"]
        return [n.strip() for n in given.split(",")] if isinstance(given, str) else list(given)
    raise DataError("the phases have no names; set attrs['phase_names'], in order of labels 1, 2")


def number_of(source: xr.Dataset | xr.DataArray, phase: str) -> int:
    """Return the label of a phase.

    Raises
    ------
    ParameterError
        If there is no such phase.
    """
    names = names_of(source)
    if phase not in names:
        raise ParameterError(f"no phase '{phase}'; there are {', '.join(names)}")
    return names.index(phase) + 1


def steps_of(label: xr.DataArray) -> tuple[float, float, float]:
    """Return the voxel's sides (z, y, x), um.

    Raises
    ------
    DataError
        If an axis has a single voxel, or is not evenly spaced.
    """
    z, y, x = (_step(to_units(label[dim], "um")) for dim in DIMS)
    return z, y, x


def _step(places: xr.DataArray) -> float:
    values = places.to_numpy().astype(float)
    if len(values) < 2:
        raise DataError(f"a single voxel along {places.name}; at least two are needed")
    step = float(values[-1] - values[0]) / (len(values) - 1)
    if step <= 0 or not np.allclose(np.diff(values), step, rtol=1e-2):
        raise DataError(f"{places.name} is not evenly spaced; resample to a regular grid first")
    return step


def slabs(label: xr.DataArray) -> da.Array:
    """Return labels as a dask array in slabs of whole slices, few enough to be held in memory."""
    import dask.array as da

    data = label.data
    plane = label.sizes["y"] * label.sizes["x"]
    thick = max(1, min(SLAB // plane, label.sizes["z"]))
    if not isinstance(data, da.Array):
        data = da.from_array(np.asarray(data), chunks=(thick, -1, -1))
        return cast("da.Array", data)
    own = max(data.chunks[0])
    if own * plane <= 2 * SLAB:
        thick = max(own, thick // own * own)  # no chunk is read twice
    return cast("da.Array", data.rechunk({0: thick, 1: -1, 2: -1}))


def blocks_of(array: da.Array) -> list[Any]:
    """Return the blocks along the first axis as delayed arrays, in order."""
    return list(array.to_delayed().ravel())


def pairs_of_slabs(array: da.Array) -> list[Any]:
    """Return delayed slabs, each with the first slice of the next one below it."""
    import dask.array as da

    ends = np.cumsum(array.chunks[0])
    starts = ends - array.chunks[0]
    return [
        da.asarray(array[start : min(end + 1, array.shape[0])]).rechunk(-1).to_delayed().ravel()[0]
        for start, end in zip(starts, ends, strict=True)
    ]
