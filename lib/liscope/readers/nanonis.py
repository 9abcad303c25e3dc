r"""Nanonis (SPECS) scans, ``.sxm``.

The file is a text header and the raw images behind it::

    :NANONIS_VERSION:        a name between colons, its value in the lines below
    2
    ...
    :DATA_INFO:              one tab-separated row a channel: number, name, unit, direction, ...
    :SCANIT_END:
    \x1a\x04                 end of the text; the images follow without gaps

Every image is a block of big-endian float32 in the SI unit that its row in DATA_INFO names. A
channel recorded in direction "both" has two blocks: forward, then backward. Pixels that were
never scanned (an interrupted scan) are NaN.

Rows and columns lie in the order in which they were *acquired*: an upward scan begins with the
bottom row, and backward lines run from right to left. Both are turned here, so that all images
share the frame of the picture. Nanonis applies the bias to the sample, the tip stays at ground.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import xarray as xr

from liscope.errors import ReaderError
from liscope.readers.common import (
    MAX_HEADER,
    NAN,
    Frame,
    Image,
    dataset,
    number,
    sides,
    take,
    text,
)

FORM = "Nanonis .sxm"
STARTS = (b":NANONIS_VERSION:",)
SUFFIXES = (r"\.sxm",)

_END = b":SCANIT_END:"
_MARK = b"\x1a\x04"


def read(raw: bytes) -> xr.Dataset:
    """Return the scan in the bytes `raw`."""
    header, start = _header(raw)
    nx, ny = sides(*_numbers(header, "SCAN_PIXELS", 2))
    up = header.get("SCAN_DIR", "").strip() == "up"
    images = [
        Image(name, _upright(take(raw, at, nx * ny, ">f4").reshape(ny, nx), up, back), unit, way)
        for at, name, unit, way, back in _blocks(header, start, nx * ny * 4)
    ]
    return dataset(images, _frame(header, up), header, __name__)


def _header(raw: bytes) -> tuple[dict[str, str], int]:
    """Return the header's entries and the byte at which the images begin."""
    end = raw.find(_END, 0, MAX_HEADER)
    mark = raw.find(_MARK, end, end + 64)
    if end < 0 or mark < 0:
        raise ReaderError("has no end of its header (:SCANIT_END:); copy it again")
    lines: dict[str, list[str]] = {}
    key = ""
    for line in text(raw[:end]).splitlines():
        if line.startswith(":") and line.rstrip().endswith(":"):
            key = line.strip().strip(":")
        else:
            lines.setdefault(key, []).append(line)
    return {key: "\n".join(lines[key]).strip("\n") for key in lines}, mark + len(_MARK)


def _numbers(header: Mapping[str, str], key: str, count: int) -> list[float]:
    values = [number(word) for word in header.get(key, "").split()]
    return (values + [NAN] * count)[:count]


def _blocks(
    header: Mapping[str, str], start: int, size: int
) -> Iterator[tuple[int, str, str, str, bool]]:
    """Yield offset, name, unit, direction and whether backward, in the order of the file."""
    _check_type(header.get("SCANIT_TYPE", ""))
    for row in header.get("DATA_INFO", "").splitlines()[1:]:
        words = row.strip("\t").split("\t")
        if len(words) < 4:
            continue
        for back in _directions(words[3]):
            yield start, words[1], words[2], "retrace" if back else "trace", back
            start += size


def _directions(word: str) -> tuple[bool, ...]:
    return {"both": (False, True), "backward": (True,)}.get(word.strip(), (False,))


def _check_type(declared: str) -> None:
    if declared.split() != ["FLOAT", "MSBFIRST"]:
        raise ReaderError(f"holds '{declared.strip()}' data, not FLOAT MSBFIRST; re-save it")


def _upright(image: np.ndarray, up: bool, back: bool) -> np.ndarray:
    """Turn an image from the order of acquisition into the frame of the picture."""
    turned = image[:: -1 if up else 1, :: -1 if back else 1]
    return turned.astype(np.float32)


def _frame(header: Mapping[str, str], up: bool) -> Frame:
    width, height = (1e6 * metres for metres in _numbers(header, "SCAN_RANGE", 2))
    x, y = (1e6 * metres for metres in _numbers(header, "SCAN_OFFSET", 2))
    setpoint, unit = _setpoint(header.get("Z-CONTROLLER", ""))
    return Frame(
        width,
        height,
        bias=number(header.get("BIAS")),
        bias_side="sample",  # Nanonis: the controller's bias output goes to the sample
        setpoint=setpoint,
        setpoint_units=unit,
        scan_angle=number(header.get("SCAN_ANGLE")),
        centre=(x, y),
        slow_axis="up" if up else "down" if header.get("SCAN_DIR", "").strip() else "unknown",
        line_time=sum(_numbers(header, "SCAN_TIME", 2)),  # forward and backward
    )


def _setpoint(table: str) -> tuple[float, str]:
    """Return the Z controller's set-point, "2.0E-10 A" in a small tab-separated table."""
    rows = [row.split("\t") for row in table.splitlines()]
    if len(rows) < 2 or "Setpoint" not in rows[0] or len(rows[1]) != len(rows[0]):
        return NAN, ""
    value, _, unit = rows[1][rows[0].index("Setpoint")].partition(" ")
    return number(value), unit.strip()
