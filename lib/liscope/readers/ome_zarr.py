"""Volumes in OME-Zarr folders, 0.4 (Zarr 2) and 0.5 (Zarr 3): one level, lazily, in um.

Nothing outside the folder is opened: addresses, links, and names that lead elsewhere are refused,
and so are codecs that unpickle. Arrays of an absurd size are refused before anything is read.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from liscope.errors import ReaderError
from liscope.readers.common import MAX_CHANNELS, MAX_SIDE, guard, kind, one_line, readable_units
from liscope.readers.rosetta_checks import check_zarr
from liscope.units import factor

if TYPE_CHECKING:
    import zarr

FORM = "OME-Zarr"
OURS = "liscope"  # the key of the root's attributes for what OME-Zarr has no word for
_SPACE = ("z", "y", "x")
_MAX_JSON = 1 << 24
_MAX_BLOCKS = 1_000_000


def is_ome_zarr(path: Path) -> bool:
    """Tell whether a folder holds an OME-Zarr image."""
    try:
        return "multiscales" in _attributes(path)[0]
    except (OSError, ValueError, ReaderError, RecursionError):
        return False


def read_ome_zarr(path: str | os.PathLike[str], level: int = 0) -> xr.DataArray:
    """Return one level of a volume in an OME-Zarr folder, lazily.

    Parameters
    ----------
    path
        The folder of the image; of labels, ``<folder>/labels/<name>``.
    level
        0: as measured; each further one is coarser.

    Returns
    -------
    xarray.DataArray
        dims ``("channel", "z", "y", "x")``, without ``channel`` where the image has none (labels),
        type as stored; coordinates z, y, x in um, or in pixels (unit ``pixel``) where an axis tells
        no length. Attributes as `liscope.readers.write_ome_zarr` kept them.

    Raises
    ------
    ReaderError
        If there is no such image or level, or the folder is damaged or unsafe.
    """
    where = Path(path)
    with guard(where.name, FORM):
        if not where.is_dir() or not is_ome_zarr(where):
            raise ReaderError("is no folder with an OME-Zarr image; check the path")
        _refuse_links(where)
        check_zarr(where)
        told, attrs = _attributes(where)
        return _volume(where, told, attrs, level)


def _attributes(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the root says as OME-Zarr, and all that it says."""
    new = path / "zarr.json"
    file = new if new.is_file() else path / ".zattrs"
    if file.is_symlink() or file.stat().st_size > _MAX_JSON:
        raise ReaderError(f"has a '{file.name}' that is a link or too large")
    found = json.loads(file.read_text(encoding="utf-8"))
    attrs = found.get("attributes", {}) if file == new else found
    told = attrs.get("ome", {}) if file == new else attrs
    return (told, attrs) if isinstance(told, dict) else ({}, {})


def _refuse_links(path: Path) -> None:
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            if (Path(folder) / name).is_symlink():
                raise ReaderError(f"holds a link, '{one_line(name)}'; copy the files themselves")


def _volume(path: Path, told: dict[str, Any], attrs: dict[str, Any], level: int) -> xr.DataArray:
    image = told["multiscales"][0]
    names = [str(axis["name"]) for axis in image["axes"]]
    if tuple(names[-3:]) != _SPACE or not set(names[:-3]) <= {"t", "c"}:
        raise ReaderError(f"has axes {', '.join(names)[:60]}; a volume has (c,) z, y, x")
    if not 0 <= level < len(image["datasets"]):
        raise ReaderError(f"has no level {level}, only 0 to {len(image['datasets']) - 1}")
    about = image["datasets"][level]
    array = _array(path, str(about["path"]), len(names))
    steps = [about, *([image] if image.get("coordinateTransformations") else [])]
    scale, start = _placed([step["coordinateTransformations"] for step in steps], len(names))
    coords: dict[str, Any] = {
        axis["name"]: _axis(axis, array.shape[i], scale[i], start[i])
        for i, axis in enumerate(image["axes"])
        if axis["name"] in _SPACE
    }
    if "c" in names:
        coords["channel"] = ("channel", _channels(told, array.shape[names.index("c")]))
    kept = attrs.get(OURS, {}) if isinstance(attrs.get(OURS), dict) else {}
    history = f"read from {one_line(path.name)} by {__name__}, level {level}"
    found = {"units": str(kept.get("units", "1")), "long_name": str(kept.get("long_name", ""))}
    before = str(kept.get("history", ""))
    return _named(array, names, coords).assign_attrs(
        found, history=f"{before}\n{history}".strip(), source=one_line(path.name), format=FORM
    )


def _named(array: zarr.Array[Any], names: list[str], coords: dict[str, Any]) -> xr.DataArray:
    """Return the array lazily with its dimensions; of one time, no dimension."""
    import dask.array as da  # here: it takes its time to load

    dims = ["channel" if name == "c" else name for name in names]
    found = xr.DataArray(da.from_zarr(array), dims=dims, name="volume")
    if found.sizes.get("t", 1) > 1:
        raise ReaderError(f"is a series of {found.sizes['t']} times; save one of them")
    return (
        found.squeeze("t", drop=True).assign_coords(coords)
        if "t" in dims
        else (found.assign_coords(coords))
    )


def _array(path: Path, name: str, ndim: int) -> zarr.Array[Any]:
    """Return an array of the folder that fits its axes and is of a size that exists."""
    import zarr  # here: it takes its time to load

    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts or set(name) & set("\\:") or not inside.parts:
        raise ReaderError(f"has its pixels at '{one_line(name)[:60]}', outside of the folder")
    array = zarr.open_array(str(path / inside), mode="r")
    if array.ndim != ndim or array.dtype.kind not in "uif":
        raise ReaderError(f"has {array.ndim} dimensions of {array.dtype} for {ndim} axes of counts")
    if not all(1 <= side <= MAX_SIDE for side in array.shape):
        raise ReaderError(f"declares a volume of {array.shape} voxels; it is damaged")
    if math.prod(map(math.ceil, np.divide(array.shape, array.chunks))) > _MAX_BLOCKS:
        raise ReaderError(f"keeps {array.shape} voxels in blocks of {array.chunks}: too small")
    return array


def _placed(steps: list[list[dict[str, Any]]], ndim: int) -> tuple[list[float], list[float]]:
    """Return scale and place of the first voxel along each axis, of all steps together."""
    scale, start = np.ones(ndim), np.zeros(ndim)
    for one in (one for step in steps for one in step):
        form = str(one.get("type"))
        values = np.array(one.get(form, []), float)
        if form not in ("scale", "translation", "identity") or (
            form != "identity" and (values.shape != (ndim,) or not np.isfinite(values).all())
        ):
            raise ReaderError(f"places its pixels by '{one_line(form)[:40]}', which is not known")
        if form == "scale":
            scale, start = scale * values, start * values
        elif form == "translation":
            start = start + values
    if (scale <= 0).any():
        raise ReaderError("has voxels without an extent; its metadata are damaged")
    return scale.tolist(), start.tolist()


def _axis(axis: dict[str, Any], count: int, step: float, start: float) -> xr.DataArray:
    unit, _ = readable_units(str(axis.get("unit") or ""))
    known = kind(unit) == "[length]"
    place = start + step * np.arange(count)
    values = place * factor(unit, "um") if known else place
    attrs = {"units": "um" if known else "pixel", "long_name": axis["name"]}
    return xr.DataArray(values, dims=axis["name"], attrs=attrs)


def _channels(told: dict[str, Any], count: int) -> Any:
    """Return the channels' names, where there is one for each; else their numbers."""
    if count > MAX_CHANNELS:
        raise ReaderError(f"declares {count} channels; its metadata are damaged")
    omero = told.get("omero")
    given = omero.get("channels", []) if isinstance(omero, dict) else []
    names = [one_line(str(one.get("label") or "")) for one in given]
    usable = len(set(names)) == count == len(names) and all(names)
    return np.array(names if usable else [f"channel {i}" for i in range(count)], dtype=str)
