"""Orientation maps in orix's own HDF5 files, ``.h5``: everything that a `CrystalMap` holds."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from liscope.errors import ReaderError
from liscope.readers.common import one_line, text
from liscope.readers.crystal_maps import phase_of
from liscope.readers.orientations import from_crystal_map

if TYPE_CHECKING:
    import h5py
    from orix.crystal_map import Phase, PhaseList

FORM = "orix .h5"
STARTS = (b"\x89HDF\r\n\x1a\n",)
SUFFIXES = (r"\.h5", r"\.hdf5")


_PHASES = "crystal_map/header/phases"


def read_path(path: Path) -> xr.Dataset:
    """Return the orientation map in the file."""
    # here: they take their time to load
    import h5py
    from orix.io import load

    from liscope.readers.hdf5 import check

    with h5py.File(path, "r") as file:
        check(file, lambda data: False)
        if "manufacturer" not in file or "orix" not in _told(file["manufacturer"]):
            raise ReaderError("is no map that orix wrote; save it with orix, or as .ang")
        phases = {int(key): _phase(group) for key, group in file[_PHASES].items() if key != "-1"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        xmap = load(path)
    xmap.phases = _table(phases, not xmap.all_indexed)
    return from_crystal_map(xmap).assign_attrs(history=__name__, metadata="{}")


def _table(phases: dict[int, Phase], not_indexed: bool) -> PhaseList:
    """Return all phases of the file; orix leaves out those without any point."""
    from orix.crystal_map import PhaseList

    table = PhaseList(phases)
    if not_indexed:
        table.add_not_indexed()
    return table


def _phase(group: h5py.Group) -> Phase:
    name, point, space = (_told(group[k]) for k in ("name", "point_group", "space_group"))
    cell = group["structure/lattice/abcABG"][:6]
    return phase_of(
        one_line(name),
        "" if point == "None" else point,
        int(space) if space.isdecimal() else 0,
        cell,
    )


def _told(data: h5py.Dataset) -> str:
    """Return a text or number that is stored as one value, or as an array of one."""
    value = data[()]
    value = value.flat[0] if hasattr(value, "flat") else value
    return text(value).rstrip("\0") if isinstance(value, bytes) else str(value)
