"""Orientation maps as text, ``.ang``, of EDAX, EMsoft, ASTAR and orix, read by orix.

Lengths are um (ASTAR: nm). How EDAX lays its sample frame against the map depends on the set-up
and is not told by the file: orientations stay as orix reads the Euler angles. Hexagonal grids are
refused. A line that orix or EDAX marks as not indexed (confidence -1) has phase -3.
"""

from __future__ import annotations

import re
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from liscope.errors import ReaderError
from liscope.readers.common import number, text
from liscope.readers.orientations import VENDOR_FRAME, from_crystal_map
from liscope.readers.patterns import as_json

if TYPE_CHECKING:
    from orix.crystal_map import CrystalMap

FORM = ".ang"
STARTS = ()
SUFFIXES = (r"\.ang",)


def read(raw: bytes) -> xr.Dataset:
    """Return the orientation map in the bytes `raw`."""
    written = text(raw)
    header = "\n".join(line for line in written[:100_000].splitlines() if line.startswith("#"))
    if "hexgrid" in header.lower():
        raise ReaderError("has a hexagonal grid; resample it to a square one in its own program")
    declared = [_declared(header, key) for key in ("NCOLS_ODD", "NROWS")]
    points = sum(1 for line in written.splitlines() if line.strip() and not line.startswith("#"))
    if min(declared) > 0 and points != declared[0] * declared[1]:
        raise ReaderError(
            f"declares {declared[0]} x {declared[1]} points but holds {points}; copy it again"
        )
    return _finished(converted(load(written, ".ang"), header), "ACOM" in header)


def load(written: str, suffix: str) -> CrystalMap:
    """Return what orix reads from a text, whatever its encoding and line ends were."""
    from orix.io import load as load_map  # here: it takes its time to load

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / f"map{suffix}"
        path.write_text(written, encoding="utf-8")
        # else it renames phases by formula, and prints that it did
        options = {"autogen_names": False} if suffix == ".ang" else {}
        found: CrystalMap = load_map(path, **options)
    return found


def converted(xmap: CrystalMap, header: str) -> xr.Dataset:
    """Return the map that a file holds, in the frame of the program that wrote it."""
    found = from_crystal_map(xmap)
    found["orientation"].attrs["convention"] = VENDOR_FRAME
    about = {"convention": VENDOR_FRAME, "metadata": as_json({"header": header})}
    return found.assign_attrs(about | {"history": __name__})


def as_astar(found: xr.Dataset, index: str, reliability: str) -> xr.Dataset:
    """Name ASTAR's two measures of quality, and take the index as the score.

    Rauch & Veron, Materials Characterization 98, 1 (2014), define both.
    """
    found = found.rename({index: "astar_index", reliability: "astar_reliability"})
    percent = (100 * found["astar_reliability"]).round(6)
    found["astar_index"].attrs["long_name"] = "ASTAR's correlation index, 0 to 100"
    found["astar_reliability"] = percent.assign_attrs(
        units="1",
        long_name="ASTAR's reliability, 0 to 100",
        comment="100 (1 - Q2 / Q1) of the two best solutions' indices; no probability",
    )
    if 0 <= float(found["astar_index"].min()) <= float(found["astar_index"].max()) <= 100:
        about = {"units": "1", "long_name": "correlation index", "comment": "astar_index / 100"}
        found["score"] = (found["astar_index"] / 100).assign_attrs(about)
    return found


def _finished(found: xr.Dataset, astar: bool) -> xr.Dataset:
    if not (astar and {"ind", "rel"} <= set(found)):
        return found
    return as_astar(found.drop_vars("relx100", errors="ignore"), "ind", "rel")


def _declared(header: str, key: str) -> int:
    found = re.search(rf"{key}:\s*(\S+)", header)
    value = number(found[1], 0.0) if found else 0.0
    return int(value) if 0 < value < 1e9 else 0
