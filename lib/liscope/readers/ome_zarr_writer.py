"""Writes volumes and phases as OME-Zarr: multiscale, with units, readable by napari.

ngff-zarr makes the metadata and the coarser levels; the voxels go block by block from dask into
Zarr, on whatever scheduler is in use, each level from the one below it on disk. The folder appears
under its name when it is complete.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError
from liscope.readers.common import one_line
from liscope.readers.ome_zarr import OURS
from liscope.units import to_units

Version = Literal["0.4", "0.5"]
_SPACE = ("z", "y", "x")
_BLOCK = {"z": 16, "y": 256, "x": 256}
_LEAST = {"z": 16, "y": 128, "x": 128}  # voxels along an axis, but in the second level
_LOOKED_AT = 32  # planes of the coarsest level, at most, to see how bright a channel is
# Okabe and Ito's colours, told apart by all eyes; jfly.uni-koeln.de/color, 2008.
_COLOURS = ("E69F00", "56B4E9", "009E73", "F0E442", "0072B2", "D55E00", "CC79A7", "BBBBBB")


def write_ome_zarr(
    volume: xr.DataArray | xr.Dataset, path: str | os.PathLike[str], version: Version = "0.5"
) -> Path:
    """Write a volume, or phases, to a new OME-Zarr folder.

    Parameters
    ----------
    volume
        (channel, z, y, x), coordinates z, y, x evenly spaced with a unit of length; lazy arrays are
        computed block by block. Or phases: ``probability`` (phase, z, y, x) becomes the image, and
        ``label`` (z, y, x) its labels ``phases``, with the phases' names and colours.
    path
        The folder, ``<name>.ome.zarr``; must not exist.
    version
        Of OME-Zarr: "0.5" (Zarr 3), or "0.4" (Zarr 2) for older programs.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    DataError
        If the folder exists, the axes are not evenly spaced lengths, or there are no numbers.
    """
    target = Path(path)
    if target.exists() or target.is_symlink():
        raise DataError(one_line(f"'{target.name}' exists; remove it or choose another name"))
    phases = volume if isinstance(volume, xr.Dataset) else None
    if phases is not None and (lacking := {"probability", "label"} - set(phases)):
        raise DataError(f"has no '{min(lacking)}'; a Dataset has that of its phases")
    image = _image(volume["probability"] if isinstance(volume, xr.Dataset) else volume)
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        _write_image(image, work / "new", version)
        if phases is not None:
            _write_labels(phases, work / "new", version)
        (work / "new").rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def _image(volume: xr.DataArray) -> xr.DataArray:
    """Return a volume with its axes in um, its first one called c."""
    first = [dim for dim in volume.dims if dim not in _SPACE]
    if len(first) > 1 or not set(_SPACE) <= set(volume.dims):
        raise DataError(f"has dims {volume.dims}; a volume has (channel, z, y, x)")
    if volume.dtype.kind not in "uif" or not volume.size:
        raise DataError(f"holds {volume.size} values of {volume.dtype}; a volume holds numbers")
    image = volume.rename({dim: "c" for dim in first}).transpose(..., *_SPACE)
    return image.assign_coords({dim: to_units(image[dim], "um") for dim in _SPACE})


def _step(axis: xr.DataArray) -> float:
    """Return the distance of the voxels along an axis, um."""
    values = axis.to_numpy().astype(float)
    steps = np.diff(values)
    step = float(steps.mean()) if len(steps) else 1.0
    if not (
        step > 0 and np.isfinite(values).all() and np.abs(steps - step).max(initial=0) < 1e-3 * step
    ):
        raise DataError(f"'{axis.name}' is not evenly spaced; resample the volume first")
    return step


def _levels(image: xr.DataArray) -> list[dict[str, int]]:
    """Return the factors of the coarser levels, at least one: halves, until a picture is small."""
    found: list[dict[str, int]] = []
    last = dict.fromkeys(_SPACE, 1)
    while not found or max(image.sizes[dim] // last[dim] for dim in "yx") > 2 * _LEAST["x"]:
        least = _LEAST if found else dict.fromkeys(_SPACE, 1)
        last = {d: f * (2 if image.sizes[d] // f >= 2 * least[d] else 1) for d, f in last.items()}
        found.append(last)
    return found


def _write_image(image: xr.DataArray, folder: Path, version: Version, labels: bool = False) -> None:
    """Write all levels of an image into a new folder."""
    import dask.array as da  # here: they take seconds to load
    import ngff_zarr as ngff
    import zarr

    data = image.data if isinstance(image.data, da.Array) else da.from_array(image.to_numpy())
    chunks = {dim: min(_BLOCK.get(str(dim), 1), n) for dim, n in image.sizes.items()}
    method = ngff.Methods.DASK_IMAGE_MODE if labels else ngff.Methods.DASK_BIN_SHRINK
    first = ngff.NgffImage(
        data,
        tuple(map(str, image.dims)),
        {dim: _step(image[dim]) for dim in _SPACE},
        {dim: float(image[dim][0]) for dim in _SPACE},
        "labels" if labels else "volume",
        axes_units=dict.fromkeys(_SPACE, "micrometer"),
    )
    factors = _levels(image)
    pyramid = ngff.to_multiscales(first, factors, method, chunks=chunks, cache=False)
    ngff.to_ome_zarr(
        str(folder), pyramid, version=version, metadata_only=True, consolidate_metadata=False
    )
    before, level = dict.fromkeys(_SPACE, 1), first
    for number, name in enumerate(str(one.path) for one in pyramid.metadata.datasets):
        if number:
            factor = {dim: factors[number - 1][dim] // before[dim] for dim in _SPACE}
            level = ngff.to_multiscales(level, [factor], method, chunks=chunks, cache=False).images[
                1
            ]
            before = factors[number - 1]
        array: Any = zarr.open_array(str(folder / name), mode="r+")
        da.store(level.data.rechunk(array.chunks), array, lock=False)
        level.data = da.from_zarr(array)
    _tell(folder, version, image, level.data)


def _tell(folder: Path, version: Version, image: xr.DataArray, coarse: Any) -> None:
    """Add what ngff-zarr has no word for: the channels, how bright to show them, and our notes."""
    import zarr

    root = zarr.open_group(str(folder), mode="r+")
    kept = {
        key: str(image.attrs[key])
        for key in ("units", "long_name", "history")
        if key in image.attrs
    }
    root.attrs[OURS] = kept
    if "c" not in image.dims:
        return
    every = slice(None, None, -(-coarse.shape[1] // _LOOKED_AT))
    channels = [
        {
            "label": str(name),
            "color": _COLOURS[i % len(_COLOURS)],
            "active": True,
            "window": _window(np.asarray(coarse[i, every])),
        }
        for i, name in enumerate(image["c"].to_numpy())
    ]
    _update(root, version, {"omero": {"channels": channels, "version": version}})


def _window(values: NDArray[Any]) -> dict[str, float]:
    """Return between which values a channel is shown: none and nearly all that there are."""
    seen = values[np.isfinite(values)]
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)
    bright = float(np.quantile(seen, 0.998)) if seen.size else 1.0
    low, high = min(low, 0.0), max(high, 1e-6)
    return {"min": low, "max": high, "start": 0.0, "end": bright if bright > 0 else high}


def _update(root: Any, version: Version, told: dict[str, Any]) -> None:
    """Add to what a group says as OME-Zarr."""
    if version == "0.4":
        root.attrs.update(told)
    else:
        root.attrs["ome"] = {**dict(root.attrs.get("ome", {"version": version})), **told}


def _write_labels(phases: xr.Dataset, folder: Path, version: Version) -> None:
    """Write the label of each voxel beside the image, with the names of the phases."""
    import zarr

    form: Literal[2, 3] = 2 if version == "0.4" else 3
    group = zarr.open_group(str(folder / "labels"), mode="w-", zarr_format=form)
    _update(group, version, {"labels": ["phases"]})
    _write_image(_image(phases.label), folder / "labels" / "phases", version, labels=True)
    names = [str(name) for name in phases["phase"].to_numpy()]
    colours = [
        {"label-value": i, "rgba": [*bytes.fromhex(_COLOURS[(i - 1) % len(_COLOURS)]), 255]}
        for i in range(1, len(names) + 1)
    ]
    about = {
        "version": version,
        "colors": [{"label-value": 0, "rgba": [0, 0, 0, 0]}, *colours],
        "properties": [{"label-value": i, "name": name} for i, name in enumerate(names, 1)],
        "source": {"image": "../../"},
    }
    labels = zarr.open_group(str(folder / "labels" / "phases"), mode="r+")
    _update(labels, version, {"image-label": about})
