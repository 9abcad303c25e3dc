"""EDS measurements in HDF5 files: Oxford's ``.h5oina`` and Velox's ``.emd``.

Before anything is read, the structure is checked: nothing may point to another file, and what is
read at once must be small.
"""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from liscope.errors import ReaderError

FORM = "HDF5 (Oxford .h5oina or Velox .emd)"
STARTS = (b"\x89HDF\r\n\x1a\n",)
SUFFIXES = (r"\.h5oina", r"\.emd")


def read_path(path: Path) -> xr.Dataset:
    """Return what the file holds, lazily."""
    import h5py  # here: it takes its time to load, and most runs never need it

    from liscope.readers import oina, velox
    from liscope.readers.hdf5 import check

    with h5py.File(path, "r") as file:
        reader = next((r for r in (oina, velox) if r.is_mine(file)), None)
        if reader is None:
            raise ReaderError("is an HDF5 file, but neither of AZtec (.h5oina) nor of Velox (.emd)")
        check(file, reader.is_lazy)
    found: xr.Dataset = reader.read_path(path)
    return found.assign_attrs(format=reader.FORM)
