"""SIMS images in HDF5 files, ``.h5``: TOFWERK's and SIMS-H5. They may be larger than memory.

The counts stay in the file until they are asked for. Before a library sees the file, its structure
is checked: nothing may point to another file, and what is read at once must be small.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from liscope.errors import ReaderError

if TYPE_CHECKING:
    import h5py

FORM = "HDF5 (TOFWERK or SIMS-H5)"
STARTS = (b"\x89HDF\r\n\x1a\n",)
SUFFIXES = (r"\.h5", r"\.hdf5")

_MAX_OBJECTS = 100_000
_MAX_CHUNK = 1 << 28  # bytes that one block of a data set may unpack to
_MAX_AT_ONCE = 1 << 28


def read_path(path: Path) -> xr.Dataset:
    """Return the images in the file, lazily."""
    # here: HDF5, dask and the filters take 0.3 s to load, and most runs never need them
    import h5py

    from liscope.readers import sims_h5, tofwerk

    with h5py.File(path, "r") as file:
        reader = next((r for r in (tofwerk, sims_h5) if r.is_mine(file)), None)
        if reader is None:
            raise ReaderError("is an HDF5 file, but neither of TOFWERK nor SIMS-H5")
        check(file, lambda data: data.name.lstrip("/") in reader.LAZY)
    found: xr.Dataset = reader.read_path(path)
    return found.assign_attrs(format=reader.FORM)


def check(file: h5py.File, is_lazy: Callable[[h5py.Dataset], bool]) -> None:
    """Refuse what points out of the file, and sizes that are none.

    Parameters
    ----------
    file
        Open for reading.
    is_lazy
        Whether a data set stays in the file until it is asked for; all others must be small.

    Raises
    ------
    ReaderError
        If something does not belong into a measurement.
    """
    import h5py

    seen = itertools.count(1)

    def wrong(name: str, link: Any) -> str | None:  # h5py stops at the first answer
        if next(seen) > _MAX_OBJECTS:
            return f"holds more than {_MAX_OBJECTS} objects"
        if not isinstance(link, h5py.HardLink):
            return "points to other files or places; copy the data into one file"
        item = file[name]
        return _wrong_data(item, is_lazy(item)) if isinstance(item, h5py.Dataset) else None

    if reason := file.visititems_links(wrong):
        raise ReaderError(reason)


def _wrong_data(data: h5py.Dataset, lazy: bool) -> str | None:
    if data.external or data.is_virtual:
        return "keeps its data in other files; copy it into one file"
    item = data.dtype.itemsize
    if item * prod(data.chunks or (1,)) > _MAX_CHUNK or (
        not lazy and data.size * item > _MAX_AT_ONCE
    ):
        return f"declares {data.size * item} bytes for {data.name}; it is damaged"
    return None
