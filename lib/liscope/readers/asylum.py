"""Asylum Research (Oxford Instruments) images: Igor binary waves version 5, ``.ibw``.

The file is one Igor wave: a fixed header, the numbers, then texts whose lengths the header gives::

    byte 0     version (5), checksum, sizes of data, formula, note, units and labels
    byte 64    wave header: number type, sizes along four dimensions, step along each, units
    byte 384   the numbers; the first dimension (x) runs fastest
    then       formula, note, extended units, dimension labels

An image is a wave of three dimensions, x, y and channel. The labels of the third dimension name
the channels ("HeightRetrace"), 32 bytes each and padded with leftovers behind the first NUL. The
note holds every setting of the instrument as "key: value" lines. The wave itself carries one unit
only, so units come from the kind of channel or from a "<name>Unit" entry of the note.

Row 0 is the *bottom* of the picture (Igor draws y upwards), for both directions of the scan.
Igor's step is size / (n - 1): the samples reach from edge to edge. Here a pixel is an area of
size / n around its centre, so that n pixels fill the scan size.

The parser is our own: the igor2 package (0.5.13) returns the leftovers as part of the labels and
logs the whole wave where its size is wrong.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import ReaderError
from liscope.readers.common import (
    MAX_HEADER,
    NAN,
    Frame,
    Image,
    dataset,
    number,
    sides,
    split_direction,
    take,
    text,
    voltage,
)

FORM = "Asylum .ibw"
STARTS = (b"\x05\x00", b"\x00\x05")
SUFFIXES = (r"\.ibw",)

_HEADER = np.dtype(
    [
        ("version", "<i2"),
        ("checksum", "<i2"),
        ("wave_size", "<i4"),
        ("formula_size", "<i4"),
        ("note_size", "<i4"),
        ("data_units_size", "<i4"),
        ("dim_units_size", "<i4", 4),
        ("labels_size", "<i4", 4),
        ("rest", "V12"),
        ("times", "V12"),
        ("points", "<i4"),
        ("type", "<i2"),
        ("name", "V50"),
        ("shape", "<i4", 4),
        ("step", "<f8", 4),
        ("start", "<f8", 4),
        ("data_units", "S4"),
        ("dim_units", "S4", 4),
        ("unused", "V152"),
    ]
)
_TYPES = {2: "f4", 4: "f8", 8: "i1", 0x10: "i2", 0x20: "i4", 0x48: "u1", 0x50: "u2", 0x60: "u4"}
_LABEL = 32  # bytes
# The unit in which the instrument saves each kind of channel; the wave has room for one unit only
_UNITS = (
    (r"height|zsensor|defl|amplitude", "m"),
    (r"phase", "deg"),
    (r"current", "A"),
    (r"freq", "Hz"),
    (r"potential|bias|lateral|userin|backpack", "V"),
)
_SETPOINTS = {  # imaging mode -> entry of the note, unit
    "AC Mode": ("AmplitudeSetpointVolts", "V"),
    "Contact Mode": ("DeflectionSetpointVolts", "V"),
    "PFM Mode": ("DeflectionSetpointVolts", "V"),
}


def read(raw: bytes) -> xr.Dataset:
    """Return the image in the bytes `raw`."""
    header = wave_header(raw)
    nx, ny, channels = _shape(header)
    planes = numbers(raw, header, (channels, ny, nx))
    note, labels = texts(raw, header, 2, channels)
    images = [_image(plane, label, note) for plane, label in zip(planes, labels, strict=True)]
    return dataset(images, _frame(header, nx, ny, note), note, __name__)


def wave_header(raw: bytes) -> Any:
    """Return the header of a wave, in the byte order of the file."""
    order: Literal["<", ">"] = ">" if raw[:1] == b"\0" else "<"
    header = take(raw, 0, 1, _HEADER.newbyteorder(order))[0]
    # Igor chooses the checksum such that all 16-bit words of the header add up to nothing.
    if int(take(raw, 0, _HEADER.itemsize // 2, order + "i2").sum(dtype=np.int64)) % 65536:
        raise ReaderError("is no Igor wave of version 5, or its header is damaged; copy it again")
    return header


def numbers(raw: bytes, header: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the wave's numbers; `shape` is Igor's in reverse: its first index runs fastest."""
    order = header.dtype["step"].base.byteorder
    dtype = np.dtype(_number_type(int(header["type"]))).newbyteorder(order)
    count = math.prod(shape)
    if int(header["wave_size"]) - 320 != count * dtype.itemsize:
        size = " x ".join(map(str, shape[::-1]))
        raise ReaderError(f"gives {size} numbers another size; copy it again")
    return take(raw, _HEADER.itemsize, count, dtype).reshape(shape)


def _shape(header: Any) -> tuple[int, int, int]:
    nx, ny, channels, chunks = (int(n) for n in header["shape"])
    if channels < 1 or chunks > 1:
        raise ReaderError(
            "is an Igor wave without image channels, not an image (a curve? see read_curves)"
        )
    return *sides(nx, ny), sides(channels, 1)[0]


def _number_type(code: int) -> str:
    if code not in _TYPES:
        raise ReaderError(f"holds text or complex numbers (Igor type {code}), not an image")
    return _TYPES[code]


def texts(raw: bytes, header: Any, dim: int, channels: int) -> tuple[dict[str, str], list[str]]:
    """Return the note's entries and the labels of the channels, which lie along dimension `dim`."""
    at = 64 + int(header["wave_size"]) + int(header["formula_size"])
    note = take(raw, at, _small(header["note_size"]), "u1").tobytes()
    before = (header["note_size"], header["data_units_size"], *header["dim_units_size"])
    at += sum(map(int, (*before, *header["labels_size"][:dim])))
    labels = take(raw, at, _small(header["labels_size"][dim]), "u1").tobytes()
    return _entries(note), _labels(labels, channels)


def _small(size: Any) -> int:
    if not 0 <= int(size) <= MAX_HEADER:
        raise ReaderError(f"declares a text of {int(size)} bytes; its header is damaged")
    return int(size)


def _entries(note: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in re.split(r"[\r\n]+", text(note)))
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}


def _labels(labels: bytes, channels: int) -> list[str]:
    """Return one label a channel; the first of the block names the dimension as a whole."""
    starts = range(_LABEL, _LABEL * (channels + 1), _LABEL)
    found = [text(labels[at : at + _LABEL].split(b"\0")[0]) for at in starts]
    if not any(found):
        raise ReaderError("names no image channels (a force map?); save it as an image")
    return [label or f"channel {i}" for i, label in enumerate(found)]


def _image(plane: NDArray[Any], label: str, note: Mapping[str, str]) -> Image:
    base, direction = split_direction(re.sub(r"Mod\d*$", "", label))
    upright = plane[::-1].astype(np.result_type(plane.dtype.newbyteorder("="), np.float32))
    return Image(base, upright, unit(base, note), direction)


def unit(base: str, note: Mapping[str, str]) -> str:
    """Return the unit of a channel, from the note or from what it is called."""
    named = note.get(f"{base}Unit", "")
    return named or next((u for p, u in _UNITS if re.search(p, base, re.I)), "1")


def _frame(header: Any, nx: int, ny: int, note: Mapping[str, str]) -> Frame:
    metres = (abs(float(s)) * max(n - 1, 1) for s, n in zip(header["step"], (nx, ny), strict=False))
    width, height = (1e6 * size for size in metres)
    # The note names both electrodes: SurfaceVoltage (the sample) and TipVoltage.
    bias, side = voltage(number(note.get("SurfaceVoltage")), number(note.get("TipVoltage")))
    entry, unit = _SETPOINTS.get(note.get("ImagingMode", ""), ("", ""))
    return Frame(
        width,
        height,
        bias=bias,
        bias_side=side,
        setpoint=number(note.get(entry)),
        setpoint_units=unit,
        scan_angle=number(note.get("ScanAngle")),
        centre=(1e6 * number(note.get("XOffset")), 1e6 * number(note.get("YOffset"))),
        slow_axis={0.0: "up", 1.0: "down"}.get(number(note.get("ScanDown")), "unknown"),
        line_time=_period(number(note.get("ScanRate"))),
    )


def _period(rate: float) -> float:
    """Return the time of a line, forward and backward, in seconds."""
    return 1 / rate if rate > 0 else NAN
