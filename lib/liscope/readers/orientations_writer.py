"""Writes orientation maps: ``.ang`` and ``.h5`` through orix, ``.ctf`` here."""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError
from liscope.readers.common import one_line
from liscope.readers.crystal_maps import crystal_map
from liscope.readers.ctf import LAUE
from liscope.readers.orientations import CODE, ORIGINS

if TYPE_CHECKING:
    from orix.crystal_map import CrystalMap, Phase

_COLUMNS = "Phase\tX\tY\tBands\tError\tEuler1\tEuler2\tEuler3\tMAD\tBC\tBS"
_NO_SOLUTION = 3  # of the format's error codes


def write_orientations(orientations: xr.Dataset, path: str | os.PathLike[str]) -> None:
    """Write an orientation map for orix, MTEX and the vendors' programs.

    Only ``.h5`` keeps all: to the text formats amorphous, empty and not known points are alike
    "not indexed", positions count from the map's first point, and angles are rounded (``.ang``
    1e-5 rad, ``.ctf`` 1e-4 deg). ``.ang`` has the rotation group of a phase for its point group
    and ``.ctf`` its Laue group, unless the space group is known.

    Parameters
    ----------
    orientations
        An orientation map, as :mod:`liscope.readers.orientations` describes it. In ``.ang``,
        reliability (else score) is the confidence index, and every property has a column of its
        own. In ``.ctf``, MAD, BC and BS are properties of that name; where there are none, BC and
        BS are 100 times score and reliability.
    path
        The file; its suffix, ``.ang``, ``.ctf`` or ``.h5``, decides on the format.

    Raises
    ------
    DataError
        If the suffix is another one, a variable is missing, or a text format, which measures in
        um, would need lengths that the map does not have.
    """
    path = Path(path)
    writer = {".ang": _write_ang, ".ctf": _write_ctf, ".h5": _write_h5}.get(path.suffix.lower())
    if writer is None:
        raise DataError(f"'{path.name}' is to be .ang, .ctf or .h5; give it one of these suffixes")
    xmap = crystal_map(orientations, "nm" if path.suffix.lower() == ".h5" else "um")
    if xmap.scan_unit == "px" and writer is not _write_h5:
        raise DataError(f"'{path.suffix}' measures in um, the map in pixels; set y and x in nm")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        part = Path(folder) / path.name
        writer(xmap, part)
        part.replace(path)  # so that the file appears when it is complete


def _write_h5(xmap: CrystalMap, path: Path) -> None:
    from orix.io import save

    save(path, xmap, overwrite=True)


def _write_ang(xmap: CrystalMap, path: Path) -> None:
    from orix.io import save

    names = [name for name in xmap.prop if name not in (CODE, *ORIGINS.values())]
    confidence = next((name for name in ("reliability", "score") if name in names), None)
    options: dict[str, Any] = {"confidence_index_prop": confidence, "extra_prop": names or None}
    save(path, xmap, overwrite=True, **options)


def _write_ctf(xmap: CrystalMap, path: Path) -> None:
    ny, nx = (len(np.unique(axis)) for axis in (xmap.y, xmap.x))
    numbers = sorted(number for number in xmap.phases.ids if number != -1)
    lines = [_phase_line(xmap.phases[number]) for number in numbers]
    header = [
        "Channel Text File",
        "Prj\torientation map",
        "Author\tliscope",
        "JobMode\tGrid",
        f"XCells\t{nx}",
        f"YCells\t{ny}",
        f"XStep\t{_step(xmap.x):.6f}",
        f"YStep\t{_step(xmap.y):.6f}",
        "AcqE1\t0",
        "AcqE2\t0",
        "AcqE3\t0",
        "Euler angles refer to Sample Coordinate system (CS0)!\tMag\t0\tCoverage\t100\tDevice\t0"
        "\tKV\t0\tTiltAngle\t0\tTiltAxis\t0",
        f"Phases\t{len(lines)}",
        *lines,
        _COLUMNS,
    ]
    form = ["%d", "%.6f", "%.6f", "%d", "%d", "%.4f", "%.4f", "%.4f", "%.4f", "%d", "%d"]
    np.savetxt(
        path, _table(xmap), form, "\t", header="\n".join(header), comments="", encoding="utf-8"
    )


def _table(xmap: CrystalMap) -> NDArray[np.float64]:
    """Return the columns of a .ctf; phases count from 1 there, 0 is not indexed."""
    indexed = xmap.phase_id != -1
    euler = np.where(indexed[:, None], np.rad2deg(xmap.rotations.to_euler()), 0.0)
    none = np.zeros(xmap.size)
    prop = {name: np.nan_to_num(np.asarray(values, float)) for name, values in xmap.prop.items()}
    columns = [
        xmap.phase_id + 1,
        xmap.x,
        xmap.y,
        prop.get("bands", none),
        np.where(indexed, 0, _NO_SOLUTION),
        *euler.T,
        prop.get("MAD", none),
        np.rint(prop.get("BC", 100 * prop.get("score", none))),
        np.rint(prop.get("BS", 100 * prop.get("reliability", none))),
    ]
    return np.column_stack(columns)


def _phase_line(phase: Phase) -> str:
    """Return cell, name, number of the Laue group and of the space group of a phase."""
    a, b, c, alpha, beta, gamma = phase.structure.lattice.abcABG()
    laue = phase.point_group.laue.name if phase.point_group is not None else "-1"
    group = getattr(phase.space_group, "number", 0)
    cell = f"{a:.4f};{b:.4f};{c:.4f}\t{alpha:.4f};{beta:.4f};{gamma:.4f}"
    return f"{cell}\t{one_line(phase.name)}\t{LAUE.index(laue) + 1}\t{group}"


def _step(values: NDArray[np.float64]) -> float:
    found = np.unique(values)
    return float(found[1] - found[0]) if len(found) > 1 else 0.0
