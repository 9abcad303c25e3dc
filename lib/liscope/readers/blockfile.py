"""NanoMEGAS (ASTAR) blockfiles, ``.blo``: scans of 8-bit diffraction patterns.

A header of fixed layout (`_HEADER`, little-endian) with the operator's note behind it; at the
first offset that it names a virtual bright field of one byte a position; at the second the
patterns, line by line, each behind the mark AA 55 and its number::

    IMGBLO  0x0102  where the bright field begins  where the patterns begin  ...

Patterns are square. The header gives the detector's pixels per cm and the camera length, which
together with the voltage make 1/angstrom: a nominal calibration, some per cent from the truth
unless the operator fitted it. Layout as RosettaSciIO has it; its reader leaves the bright field
aside and fills the patterns that are missing with zeros, its writer passes twice over the data.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import ReaderError
from liscope.readers.common import NAN, number, sides, take, text
from liscope.readers.patterns import Setup, dataset, frame_chunks, wavelength

FORM = "NanoMEGAS .blo"
STARTS = (b"IMGBLO",)
SUFFIXES = (r"\.blo",)

HEADER = np.dtype(
    [
        ("magic", "S6"),
        ("version", "<u2"),
        ("at_vbf", "<u4"),
        ("at_patterns", "<u4"),
        ("flags", "<u4"),
        ("side", "<u2"),  # of a pattern, pixels
        ("pattern_rotation", "<u2"),
        ("nx", "<u2"),
        ("ny", "<u2"),
        ("scan_rotation", "<u2"),  # 0.01 deg
        ("step_x", "<f8"),  # nm
        ("step_y", "<f8"),
        ("voltage", "<u4"),  # V
        ("pixels_per_cm", "<u2"),  # 0.01 / cm
        ("camera_length", "<u4"),  # 0.1 mm
        ("acquired", "<f8"),  # days since 1899-12-30
        ("centring", "<f8", 8),
        ("distortion", "<f8", 14),
    ]
)
VERSION = 0x0102
MARK = 0x55AA


def record(side: int) -> np.dtype[Any]:
    """Return the layout of one pattern in the file."""
    return np.dtype([("mark", "<u2"), ("number", "<u4"), ("pattern", "u1", (side, side))])


def read_path(path: Path) -> xr.Dataset:
    """Return the scan in the file; the patterns stay there until they are asked for."""
    # here: it takes its time to load
    from rsciio.utils.file import memmap_distributed  # type: ignore[import-untyped]

    with path.open("rb") as file:
        header, note = _header(file.read(HEADER.itemsize), file)
        shape, side = _shape(header)
        layout = record(side)
        at = int(header["at_patterns"])
        _check_length(path.stat().st_size - at, shape, layout)
        vbf = _part(file, int(header["at_vbf"]), shape[0] * shape[1], "u1").reshape(shape)
        _check_marks(file, at, shape[0] * shape[1], layout)
    chunks = frame_chunks((*shape, side, side), 1)
    mapped = memmap_distributed(
        str(path.absolute()), layout, offset=at, shape=shape, chunks=chunks, key="pattern"
    )
    pattern = mapped.map_blocks(np.array)  # plain arrays of their own, which may be written to
    return dataset(pattern, _setup(header, note), _told(header, note), __name__, vbf)


def _part(file: Any, at: int, count: int, dtype: Any) -> NDArray[Any]:
    file.seek(at)
    return take(file.read(count * np.dtype(dtype).itemsize), 0, count, dtype)


def _header(raw: bytes, file: Any) -> tuple[NDArray[Any], str]:
    """Return the header and the operator's note."""
    header = take(raw, 0, 1, HEADER)[0]
    first, second = int(header["at_vbf"]), int(header["at_patterns"])
    behind = first + int(header["nx"]) * int(header["ny"])
    if not HEADER.itemsize <= first <= behind <= second or first > 1 << 20:
        raise ReaderError(
            f"declares a bright field at byte {first} and patterns at byte {second}, "
            "which do not fit each other; its header is damaged"
        )
    return header, text(file.read(first - HEADER.itemsize)).strip("\0 \r\n")


def _shape(header: NDArray[Any]) -> tuple[tuple[int, int], int]:
    nx, ny = sides(float(header["nx"]), float(header["ny"]))
    side, _ = sides(float(header["side"]), 1)
    return (ny, nx), side


def _check_length(there: int, shape: tuple[int, int], layout: np.dtype[Any]) -> None:
    declared, held = shape[0] * shape[1], max(there, 0) // layout.itemsize
    if held < declared:
        raise ReaderError(
            f"declares {shape[1]} x {shape[0]} patterns but holds {held}: {declared - held} are "
            "missing, by a copy or a scan that was cut short; copy it again, or export the lines "
            "that are complete as a scan of their own"
        )


def _check_marks(file: Any, at: int, count: int, layout: np.dtype[Any]) -> None:
    """Refuse patterns that do not lie where, or are not as large as, the header says."""
    for i in (0, count - 1):
        mark = int(_part(file, at + i * layout.itemsize, 1, "<u2")[0])
        if mark != MARK:
            raise ReaderError(f"has no pattern where number {i} should begin; copy it again")


def _setup(header: NDArray[Any], note: str) -> Setup:
    kilovolts = float(header["voltage"]) / 1e3 or NAN
    length = float(header["camera_length"]) / 10 or NAN
    pixel = 1000 / (float(header["pixels_per_cm"]) or NAN)  # mm
    k_step = pixel / (length * wavelength(kilovolts))
    gamma = re.search(r"gamma\s*:\s*(on|off)", note, re.IGNORECASE)
    angle = re.search(r"precession angle\s*:([^\r\n]*)", note, re.IGNORECASE)
    return Setup(
        step=(float(header["step_y"]), float(header["step_x"])),
        k_step=(k_step, k_step),
        calibrated_by="nominal, from pixel size, camera length and voltage in the file",
        beam_energy=kilovolts,
        camera_length=length,
        scan_rotation=float(header["scan_rotation"]) / 100,
        precession_angle=number(angle[1]) if angle else NAN,
        camera_gamma=gamma[1].lower() if gamma else "unknown",
        notes=note,
    )


def _told(header: NDArray[Any], note: str) -> dict[str, Any]:
    told = {name: header[name].tolist() for name in HEADER.names or () if name != "magic"}
    return told | {"note": note}
