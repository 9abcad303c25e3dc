"""JEOL Analysis Station: ``.pts`` (counts), ``.map`` (of one element), ``.img`` (electrons).

Each file of a measurement holds one thing; a folder of them is read at once. RosettaSciIO reads
the headers, which are trees of tagged values. The counts of a ``.pts`` are decoded here, by blocks
of rows: RosettaSciIO needs the package sparse for a lazy array, and makes an electron image of the
size (width, height) that it fills by [y, x]. As there, a last frame that is not whole is left out.

An element map is what the program drew, counts in 8 bits. Pixels are taken as square, as wide as
the header tells: every file seen is.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import ReaderError
from liscope.readers.common import NAN, guard
from liscope.readers.eds import TOLD, Measured, Picture, dataset, in_blocks
from liscope.readers.rosetta_checks import walk

FORM = "JEOL .pts, .map or .img"
_PTS = b"\x30\1\0\0PTTDFILE"
_IMAGE = b"\x34\0\0\0JED-2200"
STARTS = (_PTS, _IMAGE)
SUFFIXES = (r"\.pts", r"\.map", r"\.img")

_PLACES = 4096  # along each side, in which a .pts counts; also its channels
_MAX_FILES = 1000


def read_path(path: Path) -> xr.Dataset:
    """Return what the file holds; the counts of a .pts lazily."""
    return read_files([path])


def read_folder(folder: Path) -> xr.Dataset:
    """Return what the files of one measurement hold together."""
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in (".pts", ".map", ".img"))
    if not files:
        raise ReaderError("holds no .pts, .map or .img file; give the folder of one measurement")
    return read_files(files)


def read_files(files: Sequence[Path]) -> xr.Dataset:
    """Return what the files of one measurement hold together: a view of one field."""
    if not 1 <= len(files) <= _MAX_FILES:
        raise ReaderError(f"has {len(files)} files; give those of one measurement")
    parts = [_part(path) for path in files]
    cubes = [part for part in parts if part["kind"] == "pts"]
    maps = [part for part in parts if part["kind"] == "map"]
    if len(cubes) > 1:
        raise ReaderError(f"has {len(cubes)} spectrum images; give the files of one measurement")
    first = (cubes or maps or parts)[0]
    if len({part["data"].shape for part in maps}) > 1:
        raise ReaderError("has maps of different sizes; give the files of one measurement")
    found = Measured(
        first["step"],
        cubes[0]["data"] if cubes else None,
        (tuple(m["title"] for m in maps), np.stack([m["data"] for m in maps])) if maps else None,
        tuple(Picture(p["title"], p["data"], p["step"]) for p in parts if p["kind"] == "img"),
        first.get("energy", (NAN, NAN)),
    )
    metadata = {path.name: part["header"] for path, part in zip(files, parts, strict=True)}
    return dataset(found, TOLD | {"beam_energy": first["voltage"]}, metadata, __name__)


def _part(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        head = file.read(36)
    if head.startswith(_PTS):
        return _pts(path, head)
    if head.startswith(_IMAGE):
        return _image(path)
    raise ReaderError(f"has '{path.name}', which begins as no JEOL file does; leave it out")


def _header(path: Path, at: int) -> dict[str, Any]:
    """Return the tree of tagged values that begins at a byte."""
    from rsciio.jeol._api import _parsejeol  # type: ignore[import-untyped] # what its readers of all JEOL files are made of

    if not 0 < at < path.stat().st_size:
        raise ReaderError(f"declares a header at byte {at}; it is cut short")
    with path.open("rb") as file:
        file.seek(at)
        found: dict[str, Any] = _parsejeol(file)
    return found


def _image(path: Path) -> dict[str, Any]:
    """Return an image or the map of an element."""
    with path.open("rb") as file:
        place = struct.unpack_from("<I", file.read(0x34), 0x2C)[0]
    header = _header(path, place + 12)
    image = header["Image"]
    width, height = (int(n) for n in image["Size"])
    bits = np.asarray(image.pop("Bits"))
    if width * height != bits.size:
        raise ReaderError(f"declares {width} x {height} pixels but holds {bits.size}: cut short")
    extent = _um(header["Instrument"]["ScanSize"], header["Instrument"]["Mag"])
    return {
        "kind": "map" if path.suffix.lower() == ".map" else "img",
        "title": _element(str(image["Title"]))
        if path.suffix.lower() == ".map"
        else str(image["Title"]),
        "data": bits.reshape(height, width),
        "step": (extent / width, extent / width),
        "voltage": float(header["Instrument"]["AccV"]),
        "header": _plain(header),
    }


def _element(title: str) -> str:
    """Return "C" of "C K", which is how the program names the map."""
    return title.partition(" ")[0] if title.strip() else title


def _um(scan_size: Any, magnification: Any) -> float:
    """Return the width of the picture; the program tells a width in mm and a magnification."""
    return 1e3 * float(scan_size) / float(magnification) if float(magnification) > 0 else NAN


def _pts(path: Path, head: bytes) -> dict[str, Any]:
    """Return the counts (y, x, energy), lazily, and what the header tells."""
    header_at, _, data_at, _ = struct.unpack_from("<4I", head, 0x14)
    header = _header(path, header_at + 12)
    told = header["PTTD Data"]["AnalyzableMap MeasData"]
    page = header["PTTD Param"]["Params"]
    width, height = (int(n) for n in told["Meas Cond"]["Pixels"].split("x"))
    if not (1 <= width <= _PLACES and 1 <= height <= _PLACES):
        raise ReaderError(f"declares {width} x {height} pixels; its header is damaged")
    if data_at >= path.stat().st_size:
        raise ReaderError("ends before its counts begin: it is cut short; copy it again")
    extent = _um(page["PARAMPAGE0_SEM"]["ScanSize"], told["MeasCond"]["Mag"])
    zero = page["PARAMPAGE1_EDXRF"]["Tpl"][told["Meas Cond"]["Tpl"]]["DigZ"]
    channel = float(told["Doc"]["CoefA"])
    return {
        "kind": "pts",
        "title": "spectra",
        "data": _spectra(path, data_at, (height, width, _PLACES)),
        "step": (extent / width, extent / width),
        "energy": (float(told["Doc"]["CoefB"]) - channel * float(zero), channel),
        "voltage": float(walk(told, "MeasCond.AccKV") or NAN),
        "header": _plain(header),
    }


def _spectra(path: Path, at: int, shape: tuple[int, int, int]) -> Any:
    from dask.delayed import delayed

    marks = delayed(_marks)(path, at, shape[0])
    return in_blocks(shape, _rows, path, at, marks)


def _words(path: Path, at: int) -> NDArray[np.uint16]:
    count = (path.stat().st_size - at) // 2
    return np.memmap(path, "<u2", "r", offset=at, shape=(count,))


def _marks(path: Path, at: int, height: int) -> NDArray[np.int64]:
    """Return of each line of whole frames: begin, end, row, and place along x."""
    from liscope.readers._eds_kernels import jeol_marks

    with guard(path.name, FORM):
        raw = _words(path, at)
        marks = np.empty((jeol_marks(raw, height, np.empty((0, 3), np.int64)), 3), np.int64)
        jeol_marks(raw, height, marks)
    begin, row, x = marks.T
    found = np.column_stack([begin, np.append(begin[1:], raw.size), row, x])
    if len(row) and row[-1] < height - 1:  # the last frame is not whole
        found = found[: np.max(np.flatnonzero(np.diff(row) < 0) + 1, initial=0)]
    return found


def _rows(
    path: Path, at: int, marks: NDArray[np.int64], first: int, shape: tuple[int, ...]
) -> NDArray[np.uint32]:
    from liscope.readers._eds_kernels import jeol_line

    found = np.zeros(shape, np.uint32)
    with guard(path.name, FORM):
        raw = _words(path, at)
        inside = (first <= marks[:, 2]) & (marks[:, 2] < first + shape[0])
        for begin, end, row, x in marks[inside]:
            jeol_line(raw[begin:end], x, found[row - first])
    return found


def _plain(tree: Any) -> Any:
    """Return a header without its long arrays, which are no words about a measurement."""
    if isinstance(tree, dict):
        return {str(key): _plain(value) for key, value in tree.items()}
    if isinstance(tree, np.ndarray):
        return tree.tolist() if tree.size <= 64 else f"{tree.size} values"
    return tree.item() if isinstance(tree, np.generic) else tree
