"""Stacks of slices as recorded: ``counts`` with dims ("element" or "ion", "slice", "y", "x").

From a folder of slice files, from vendors' files that hold several slices, from OME-Zarr and from
Zarr as xarray writes it. The pixels stay in the files, one task a picture, until asked for.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr

from liscope.errors import ReaderError
from liscope.readers.common import NAN, guard, one_line
from liscope.readers.ome_zarr import is_ome_zarr, read_ome_zarr
from liscope.readers.opening import with_origin
from liscope.readers.slice_files import MAX_SLICES, NAME, PICTURES
from liscope.units import to_units

FORM = "slice files with stack.yaml"
Missing = Literal["refuse", "leave out"]
REFUSE: Missing = "refuse"
_REMEDY = "complete the series, or leave these slices out (missing: leave out)"
_REASONS, _NUMBERS = 5, 20  # that a message lists, the latter of each reason
ATTRIBUTES = ("tilt", "total_depth", "total_depth_error", "slice_thickness", "fiducial_angle")
EDS_FILES = (".bcf", ".emd", ".h5oina", ".pts", ".eds", ".img", ".map", ".asw")


def read_stack(path: str | os.PathLike[str], *, missing: Missing = REFUSE) -> xr.Dataset:
    """Return a stack of slices as recorded, lazily.

    Parameters
    ----------
    path
        A folder of slice files with ``stack.yaml`` (:mod:`liscope.readers.stack_sidecar`), or that
        file, or a TIFF file beside it; a file that `read_ions` or `read_eds` opens, whose frames
        are the slices; an OME-Zarr folder, whose planes are; or a Zarr folder in which xarray has
        written a stack.
    missing
        What to do about a slice of which a file is missing, cut short or of another size, or whose
        number the series skips: "refuse" the stack, or "leave out" the slice.

    Returns
    -------
    xarray.Dataset
        ``counts`` (element or ion, slice, y, x), unit count, with coordinates ``slice`` (numbers; a
        slice that was left out has none) and ``y``, ``x``: pixel centres in um from the top-left
        corner. ``bse`` (slice, y, x) and ``fiducial_gap`` (slice, nm) where there are such.
        Attributes, NaN where not told: ``tilt`` (degrees between the beam and the section's
        normal), ``slice_thickness`` (nm), ``total_depth`` and its error (um), ``fiducial_angle``
        (degrees); ``slice_count``, of the series; and ``left_out``, JSON: a list of slice, file
        and why.

    Raises
    ------
    ReaderError
        If there is no stack, or a slice is missing or not whole; when the counts are computed as
        well, if a file has changed or holds what is no count.
    """
    where = Path(path)
    if where.name == NAME or (where.suffix.lower() in PICTURES and (where.parent / NAME).is_file()):
        where = where.parent
    return complete(_opened(where), where.name, missing)


def complete(stack: xr.Dataset, source: str, missing: Missing) -> xr.Dataset:
    """Return a stack as it is, unless slices are missing and `missing` is "refuse".

    Parameters
    ----------
    source
        Its name, for messages.

    Raises
    ------
    ReaderError
        With the numbers of all slices that are missing, and why; or if the stack does not tell
        its slices soundly.
    """
    from liscope.volume.overview import why_missing  # here: it takes its time to load

    if missing not in ("refuse", "leave out"):
        raise ReaderError(f"missing='{missing}' is neither 'refuse' nor 'leave out'")
    with guard(source, "stack"):
        _check_numbers(stack)
        reasons = why_missing(stack)
    if reasons and missing == REFUSE:
        # One by one, as one line of all would be cut before the remedy.
        told = [one_line(f"{_numbered(ones)}: {why}") for why, ones in reasons]
        raise ReaderError(f"'{one_line(source)}' {_first(told, _REASONS, '; ')}; {_REMEDY}")
    return stack


def _check_numbers(stack: xr.Dataset) -> None:
    """Refuse numbers of slices so far apart that those between them could not be listed."""
    left_out = [int(one["slice"]) for one in json.loads(stack.attrs.get("left_out", "[]"))]
    numbers = [*map(int, stack["slice"].to_numpy()), *left_out]
    first, last, count = min(numbers), max(numbers), int(stack.attrs.get("slice_count", 1))
    if max(last - first + 1, count) > MAX_SLICES:
        raise ReaderError(f"has slices {first} to {last} of {count}; check their numbers")


def _numbered(slices: list[int]) -> str:
    name = "slices" if len(slices) > 1 else "slice"
    return f"{name} {_first([str(one) for one in slices], _NUMBERS, ', ')}"


def _first(texts: list[str], most: int, mark: str) -> str:
    """Return the first texts, and how many more there are."""
    more = [f"and {len(texts) - most} more"] if len(texts) > most else []
    return mark.join(texts[:most] + more)


def _opened(where: Path) -> xr.Dataset:
    """Return what there is of a stack, by its form."""
    if not where.is_dir():
        return _of_file(where)
    if is_ome_zarr(where):
        return from_volume(read_ome_zarr(where))
    if any((where / name).is_file() for name in ("zarr.json", ".zgroup")):
        with guard(where.name, "Zarr"):
            return read_zarr(where)
    from liscope.readers.slice_folder import read_folder  # here: pydantic takes its time to load

    with guard(where.name, FORM):
        return with_origin(read_folder(where), where.name, FORM)


def _of_file(path: Path) -> xr.Dataset:
    """Return the stack in one file of an instrument."""
    from liscope import readers  # here: it imports this module

    if path.suffix.lower() in PICTURES:
        raise ReaderError(one_line(f"'{path.name}' has no {NAME} beside it; write one"))
    if path.suffix.lower() in EDS_FILES:
        return from_maps(readers.read_eds(path))
    return from_frames(readers.read_ions(path))


def from_frames(ions: xr.Dataset) -> xr.Dataset:
    """Return SIMS images as a stack: each frame is a slice, counted from 1."""
    counts = ions.counts if "frame" in ions.dims else ions.counts.expand_dims("frame", 1)
    return as_slices(ions.assign(counts=counts).rename(frame="slice"))


def from_maps(eds: xr.Dataset) -> xr.Dataset:
    """Return maps of elements as a stack, with the electron image where it has the same pixels.

    Raises
    ------
    ReaderError
        If there are spectra only.
    """
    if "counts" not in eds:
        why = "holds spectra only; name its elements as channels in a stack.yaml beside it"
        raise ReaderError(one_line(f"'{eds.attrs['source']}' {why}"))
    kept = [name for name in ("counts", "bse") if name in eds and {"y", "x"} <= set(eds[name].dims)]
    maps = eds[kept].drop_vars("energy", errors="ignore")
    # The stage's tilt is not that of a milled section to the beam: this one a person must tell.
    maps = maps.assign_attrs(stage_tilt=eds.attrs.get("tilt", NAN), tilt=NAN)
    return as_slices(maps if "slice" in maps.dims else maps.expand_dims("slice"))


def as_slices(found: xr.Dataset) -> xr.Dataset:
    """Return a Dataset with a dimension ``slice`` in the form of a stack.

    Slices without a number are counted from 1.
    """
    if "slice" not in found.coords:
        numbers = np.arange(1, found.sizes["slice"] + 1)
        found = found.assign_coords(slice=("slice", numbers, {"long_name": "slice"}))
    unknown = dict.fromkeys(ATTRIBUTES, NAN)
    span = int(found["slice"][-1]) - int(found["slice"][0]) + 1
    told = unknown | {"slice_count": span, "left_out": "[]"} | found.attrs
    return found.transpose(..., "slice", "y", "x").assign_attrs(told)


def read_zarr(folder: Path) -> xr.Dataset:
    """Return a stack that xarray has written to Zarr, lazily.

    Raises
    ------
    ReaderError
        Without the folder's name.
    """
    from liscope.readers.rosetta_checks import check_zarr

    check_zarr(folder)
    found = xr.open_zarr(folder, chunks={}, consolidated=False)
    dims = found["counts"].dims if "counts" in found else ()
    if dims[:1] not in (("element",), ("ion",)) or dims[1:] != ("slice", "y", "x"):
        raise ReaderError("holds no 'counts' with dims (element or ion, slice, y, x)")
    source = one_line(folder.name)
    history = f"{found.attrs.get('history', '')}\nread from {source} by {__name__}".strip()
    found.counts.attrs["history"] = history
    return as_slices(found).assign_attrs(source=source, format="Zarr", history=history)


def from_volume(volume: xr.DataArray) -> xr.Dataset:
    """Return a volume (channel, z, y, x) as a stack: its planes are the slices, counted from 1.

    Of ions where all channels are named so, with a charge behind them; else of elements.
    """
    volume = volume if "channel" in volume.dims else volume.expand_dims(channel=["channel 0"])
    ions = all(str(name).endswith(("+", "-")) for name in volume.channel.to_numpy())
    depth = to_units(volume["z"], "um").to_numpy()
    step = float(np.ptp(depth) / (len(depth) - 1)) * 1e3 if len(depth) > 1 else NAN
    counts = volume.drop_vars("z").rename(channel="ion" if ions else "element", z="slice")
    counts = counts.assign_attrs(units="count", quantity="counts")
    kept = {key: volume.attrs[key] for key in ("source", "format", "history")}
    told = {"tilt": 0.0, "slice_thickness": step}
    return as_slices(xr.Dataset({"counts": counts}, attrs=told | kept))
