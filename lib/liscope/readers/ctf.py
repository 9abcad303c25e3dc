"""Orientation maps as text, ``.ctf`` ("Channel Text File"), of Oxford, Bruker, ASTAR and MTEX.

orix reads the Euler angles. The coordinates are taken from their columns and made even again: in
real files of ASTAR the header's step is wrong, and the columns have few digits. ASTAR writes its
reliability / 100 as MAD and its correlation index as BC (Cautaerts et al., Ultramicroscopy 237,
113517 (2022), the authors' notebook). Phase 0 is not indexed. Lengths are um.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import ReaderError
from liscope.readers.ang import as_astar, converted, load
from liscope.readers.common import number, one_line, sides, text
from liscope.readers.crystal_maps import phase_of
from liscope.readers.orientations import regular

if TYPE_CHECKING:
    from orix.crystal_map import Phase

FORM = ".ctf"
STARTS = (b"Channel Text File",)
SUFFIXES = (r"\.ctf",)

LAUE = ("-1", "2/m", "mmm", "4/m", "4/mmm", "-3", "-3m", "6/m", "6/mmm", "m-3", "m-3m")
_MAX_PHASES = 100


def read(raw: bytes) -> xr.Dataset:
    """Return the orientation map in the bytes `raw`."""
    from orix.crystal_map import PhaseList  # here: it takes its time to load

    written = text(raw).replace("\r\n", "\n")
    header, columns, body = written.partition("\nPhase\tX\tY")
    if not columns:
        raise ReaderError("has no line of headings before its points; it is damaged")
    numbers, axes = _points(body, *sides(_told(header, "XCells"), _told(header, "YCells")))
    phases = _phases(header)
    if missing := set(numbers.tolist()) - {0, *phases}:
        raise ReaderError(f"has points of phase {min(missing)}, which its header does not list")
    xmap = load(written, ".ctf")
    table = PhaseList(phases)
    if 0 in numbers:
        table.add_not_indexed()
    xmap.phases = table  # orix leaves out those without any point
    found = converted(xmap, header)
    coords = {dim: (dim, axes[dim], {"units": "nm", "long_name": dim}) for dim in axes}
    found = found.assign_coords(coords).assign_attrs(history=__name__)
    return as_astar(found, "BC", "MAD") if "from ACOM" in header else found


def _points(body: str, nx: int, ny: int) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
    """Return the phase of each point, and the axes in nm."""
    rows = [line for line in body.splitlines()[1:] if line.strip()]
    if len(rows) != nx * ny:
        raise ReaderError(f"declares {nx} x {ny} points but holds {len(rows)}; copy it again")
    table = np.loadtxt(rows, usecols=(0, 1, 2), ndmin=2)
    axes = {"y": 1e3 * regular(table[:, 2])[0], "x": 1e3 * regular(table[:, 1])[0]}
    if (len(axes["y"]), len(axes["x"])) != (ny, nx):
        raise ReaderError(f"has points that lie on no grid of {nx} x {ny}; copy it again")
    return table[:, 0].astype(np.int64), axes


def _told(header: str, key: str) -> float:
    found = re.search(rf"^{key}\t(\S+)", header, re.MULTILINE)
    return number(found[1]) if found else 0.0


def _phases(header: str) -> dict[int, Phase]:
    """Return the phases that the header lists, by number."""
    begin = re.search(r"^Phases\t(\d{1,3})\s*$", header, re.MULTILINE)
    count = int(begin[1]) if begin else 0
    lines = header[begin.end() + 1 :].splitlines()[:count] if begin else []
    if not 0 < len(lines) == count <= _MAX_PHASES:
        raise ReaderError(f"declares {count} phases but lists {len(lines)}; it is damaged")
    return {i: _phase(line.split("\t")) for i, line in enumerate(lines, 1)}


def _phase(fields: list[str]) -> Phase:
    if len(fields) < 5 or not (fields[3] + fields[4]).strip().isdigit():
        raise ReaderError("has a phase without cell, name, Laue and space group; it is damaged")
    cell = [number(value.replace(",", ".")) for value in ";".join(fields[:2]).split(";")]
    laue, space_group = int(fields[3]), int(fields[4])
    group = LAUE[laue - 1] if 1 <= laue <= len(LAUE) else ""
    return phase_of(one_line(fields[2]), group, space_group, np.array(cell))
