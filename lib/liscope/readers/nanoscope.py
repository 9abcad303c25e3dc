r"""Bruker (Veeco, Digital Instruments) NanoScope images: ``.spm``, ``.000``, ``.001`` ...

The file is a text header of ``\key: value`` lines in sections that begin with ``\*name``, padded
to the first image. Each ``\*Ciao image list`` section describes one image: where its block of
little-endian integers lies, its pixels, its size, and how integers become volts and volts become
the channel's unit::

    \@2:Image Data: S [Height] "Height"
    \@2:Z scale: V [Sens. Zscan] (0.006713765 V/LSB) 439.9866 V
    \@Sens. Zscan: V 15.06800 nm/V                        (in the scanner or the scan list)

The last number of the Z scale is the voltage of the full range of the integer, so
``value = integer / 2**bits * 439.9866 V * 15.068 nm/V``. The number in parentheses (volts for one
bit) is rounded, and still counts 16 bits where the block holds 32; it is not used.

The first stored row is the *bottom* of the picture, whether the frame was scanned up or down,
and retrace lines are stored in the frame of the trace: rows are turned here, columns are not.
"""

from __future__ import annotations

import math
import re
from typing import Any

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
    one_line,
    quantity,
    sides,
    take,
    text,
    voltage,
)

FORM = "NanoScope"
STARTS = (b"\\*File list", b"?*File list", b"\\*Force file list", b"?*Force file list")
SUFFIXES = (r"\.spm", r"\.\d\d\d")

_IMAGES = "ciao image list"
_SCANS = "ciao scan list"
_END = b"\\*File list end"
_SCALE = re.compile(r"V\s+(?:\[([^\]]*)\]\s+)?\([^)]*\)\s+(\S+)\s*(.*)")
_SENS = re.compile(r"V\s+(\S+)\s*(.*)")
# What the feedback keeps constant in each mode: the entry that holds its set-point
_SETPOINTS = {
    "Amplitude": "TMSetAmplitude",
    "TM Amplitude": "TMSetAmplitude",
    "Deflection": "AFMSetDeflection",
    "Peak Force": "SoftHarmoniXSetpoint",
    "Current": "STMSetCurrent",
    "TUNA": "TunaFeedbackSetpoint",
}

Section = dict[str, str]


def read(raw: bytes) -> xr.Dataset:
    """Return the images in the bytes `raw` that share the pixel grid of the first."""
    sections = _sections(raw)
    lists = [section for title, section in sections if title == _IMAGES]
    if not lists:
        raise ReaderError(_why_no_image(sections))
    values: Section = {k: v for _, section in reversed(sections) for k, v in section.items()}
    scan = next((section for title, section in sections if title == _SCANS), {})
    _check_total(lists, raw)
    kept = [section for section in lists if _grid(section) == _grid(lists[0])]
    aside = tuple(_label(section) for section in lists if section not in kept)
    images = [_image(raw, section, values) for section in kept]
    return dataset(images, _frame(lists[0], scan, values, aside), sections, __name__)


# ---------------------------------------------------------------------------------- header


def _sections(raw: bytes) -> list[tuple[str, Section]]:
    """Return the sections in the order of the file; names of entries are lower-case.

    NanoScope versions disagree on capitals ("Scan size", "Scan Size").
    """
    end = raw.find(_END, 0, MAX_HEADER)
    if end < 0:
        raise ReaderError(r"has no end of its header (\*File list end); copy it again")
    sections: list[tuple[str, Section]] = []
    for line in text(raw[:end]).splitlines():
        if line[1:2] == "*":
            sections.append((line[2:].strip().lower(), {}))
        elif line[:1] == "\\" and sections:
            key, _, value = line[1:].partition(": ")
            sections[-1][1].setdefault(key.rstrip(": ").lower(), value.strip())
    return sections


def _why_no_image(sections: list[tuple[str, Section]]) -> str:
    titles = " ".join(title for title, _ in sections)
    if "force" in titles:
        return "holds force curves, not an image; choose the file of a scan"
    return "describes no image that is known here (NanoScope before 4.3?); re-save it in NanoScope"


def _check_total(lists: list[Section], raw: bytes) -> None:
    """Refuse a header in which many images share one block: each would take memory."""
    if sum(_integer(section, "data length") for section in lists) > len(raw):
        last = lists[-1]
        take(raw, _integer(last, "data offset"), _integer(last, "data length"), "u1")
        raise ReaderError("declares more image data than it holds; copy it again")


def _integer(section: Section, key: str) -> int:
    value = number(section.get(key))
    if not 0 <= value < 2**48:
        raise ReaderError(f"gives no usable '{key}' for an image; its header is damaged")
    return int(value)


def _grid(section: Section) -> tuple[Any, ...]:
    return (*_pixels(section), section.get("scan size"))


def _pixels(section: Section) -> tuple[int, int]:
    return sides(number(section.get("samps/line")), number(section.get("number of lines")))


# ---------------------------------------------------------------------------------- images


def _image(raw: bytes, section: Section, values: Section) -> Image:
    factor, units = _scale(section, values)
    counts = _counts(raw, section)
    data = counts[::-1].astype(np.float64) * (factor / 2.0 ** (8 * counts.dtype.itemsize))
    direction = section.get("line direction", "").lower()
    known = direction if direction in {"trace", "retrace"} else "unknown"
    return Image(_label(section), data, units, known)


def _counts(raw: bytes, section: Section) -> NDArray[Any]:
    """Return the stored integers.

    The length of the block tells their width: from version 9.2 on, "Bytes/pixel" may say 2
    for 4. It decides only where the block is longer than the image.
    """
    nx, ny = _pixels(section)
    length = _integer(section, "data length")
    exact = length / (nx * ny)
    width = exact if exact in (2, 4) else number(section.get("bytes/pixel"))
    if width not in (2, 4) or width * nx * ny > length:
        raise ReaderError(f"declares {length} bytes for {nx} x {ny} pixels; its header is damaged")
    at = _integer(section, "data offset")
    return take(raw, at, nx * ny, f"<i{int(width)}").reshape(ny, nx)


def _entry(section: Section, name: str) -> str:
    """Return the entry "@2:name"; interleaved (lift) images write "@3:name"."""
    found = (section[key] for key in section if re.fullmatch(rf"@\d:{name}", key))
    return next(found, "")


def _label(section: Section) -> str:
    match = re.search(r'"([^"]*)"|\[([^\]]+)\]', _entry(section, "image data"))
    label = (match[1] or match[2] or "image") if match else "image"
    return label + (" interleave" if section.get("scan line") == "Interleave" else "")


def _scale(section: Section, values: Section) -> tuple[float, str]:
    """Return the value of the integer's full range, and its unit."""
    match = _SCALE.fullmatch(_entry(section, "z scale"))
    if not match:
        raise ReaderError(f"gives no Z scale for '{one_line(_label(section))}'; re-save it")
    full = number(match[2])
    sens = _SENS.fullmatch(values.get(f"@{match[1]}".lower(), ""))
    if not sens:
        return full, match[3]
    return full * number(sens[1]), _product(match[3], sens[2])


def _product(unit: str, sens: str) -> str:
    """Return V * nm/V = nm; a sensitivity without unit leaves the unit as it is."""
    if not sens:
        return unit
    over, times = sens.removesuffix(f"/{unit}"), sens.removesuffix(f"*{unit}")
    return over if over != sens else times if times != sens else f"{unit}*{sens}"


# ----------------------------------------------------------------------------------- frame


def _frame(section: Section, scan: Section, values: Section, aside: tuple[str, ...]) -> Frame:
    width = _width(section.get("scan size", ""))
    bias, side = _bias(values)
    setpoint, unit = _setpoint(values)
    rate = number(scan.get("scan rate"))
    slow = section.get("frame direction", "").lower()
    return Frame(
        width,
        _height(width, section, scan),
        bias=bias,
        bias_side=side,
        setpoint=setpoint,
        setpoint_units=unit,
        scan_angle=math.degrees(number(scan.get("rotate ang."))),  # the header is in radians
        centre=(quantity(scan.get("x offset"), "um"), quantity(scan.get("y offset"), "um")),
        slow_axis=slow if slow in {"up", "down"} else "unknown",
        line_time=1 / rate if rate > 0 else NAN,  # Hz counts trace and retrace together
        left_aside=aside,
    )


def _width(size: str) -> float:
    """Return "15 15 ~m" or "300 nm" in um."""
    words = size.split()
    return quantity(" ".join((words[0], words[-1])), "um") if len(words) > 1 else NAN


def _height(width: float, section: Section, scan: Section) -> float:
    """Return the height of the lines that were kept.

    The scan list gives the frame as planned: its aspect ratio and its number of lines. A scan
    captured before its end has fewer; the second number of "Scan Size" does not tell.
    """
    _, lines = _pixels(section)
    planned = max(number(scan.get("lines"), lines), lines)
    return width / _aspect(scan.get("aspect ratio", "")) * lines / planned


def _aspect(ratio: str) -> float:
    """Return 2.0 for "2:1", a frame twice as wide as high."""
    across, _, down = ratio.partition(":")
    value = number(across, 1.0) / (number(down, 1.0) or NAN)
    return value if value > 0 else 1.0


def _bias(values: Section) -> tuple[float, str]:
    """Return the bias; the header names the electrode (Sample Bias, Tip Bias) since version 5."""
    sample = [_volts(values, name) for name in ("sample bias", "dc sample bias")]
    set_ = [value for value in sample if value and value == value]
    bias, side = voltage((set_ or sample)[0], _volts(values, "tip bias"))
    return (bias, side) if bias == bias else (_volts(values, "bias"), "unknown")


def _volts(values: Section, name: str) -> float:
    match = _SCALE.fullmatch(values.get(f"@2:{name}", ""))
    return quantity(f"{match[2]} {match[3]}", "V") if match else NAN


def _setpoint(values: Section) -> tuple[float, str]:
    feedback = re.search(r'"([^"]*)"', values.get("@2:spmfeedbacklist", ""))
    name = _SETPOINTS.get(feedback[1] if feedback else "", "")
    match = _SCALE.fullmatch(values.get(f"@2:{name}".lower(), ""))
    return (number(match[2]), match[3].strip()) if match else (NAN, "")
