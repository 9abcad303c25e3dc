"""What all readers share: one data model, one guard around parsing, a few text and unit helpers.

A reader turns the bytes of a file into `Image` objects (one a channel and direction, already
turned into the frame in which the vendor's own program shows them) and a `Frame` (what the file
says about the scan as a whole). `dataset` puts them together.

Code inside a reader raises `ReaderError` without the file's name where it knows what is wrong;
`guard` adds the name, and turns everything else that damaged bytes provoke into the same error.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy as np
import pint
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import LiscopeError, ReaderError
from liscope.units import factor, registry

NAN = math.nan
MAX_HEADER = 1 << 20  # bytes; the longest real header seen is 80 kB
MAX_CHANNELS = 256
RESERVED = {"x", "y", "curve", "point", "group", "time"}  # dimensions and coordinates
MAX_SIDE = 1 << 16  # pixels along one side; instruments stop at 16384

_UNIT = r"[A-Za-z%]{1,12}"
_UNITS = re.compile(rf"(1|{_UNIT})(\^?-?\d)?( ?[*/ ] ?{_UNIT}(\^?-?\d)?){{0,4}}")
_SPELLINGS = (("~", "u"), ("\u00b5", "u"), ("\u03bc", "u"), ("\u00ba", "deg"), ("\u00b0", "deg"))

# Which physical quantity a channel holds: the first rule whose pattern is found in the name and
# whose unit the channel has. Lock-in outputs carry ampere but are a derivative of the current.
_QUANTITIES = (
    ("deflection", r"defl", ""),  # also "Deflection Error", the same less the set-point
    ("other", r"lock_?in|(^|_)li_|demod|error|(^|_)[xy]_?sensor", ""),
    ("phase", r"phase", ""),
    ("amplitude", r"amplitude", ""),
    ("current", r"", "A"),
    ("bias", r"bias", "V"),
    ("height", r"height|topograph|(^|_)z(_|$)|z_?sensor", "m"),
)


@dataclass(frozen=True)
class Image:
    """One channel in one direction; row 0 is the top of the picture, column 0 its left side."""

    label: str
    data: NDArray[Any]
    units: str
    direction: str = "unknown"
    quantity: str = ""  # empty: judged by name and units


@dataclass(frozen=True)
class Frame:
    """What a file says about the scan; NaN and "unknown" where it says nothing.

    Attributes
    ----------
    width, height
        Extent of the image along x and y, in `units`.
    bias, bias_side
        Voltage in V, and the electrode to which it is applied.
    centre
        Centre of the scan in the scanner's frame, um.
    scan_angle
        Degrees, with the sign that the vendor gives it.
    line_time
        Seconds from the start of one line to the start of the next.
    """

    width: float
    height: float
    units: str = "um"
    bias: float = NAN
    bias_side: str = "unknown"
    setpoint: float = NAN
    setpoint_units: str = ""
    scan_angle: float = NAN
    centre: tuple[float, float] = (NAN, NAN)
    slow_axis: str = "unknown"
    line_time: float = NAN
    left_aside: tuple[str, ...] = ()


# ---------------------------------------------------------------------------------- errors


def one_line(text: str) -> str:
    """Return `text` as one printable line of at most 300 characters."""
    shown = text[:2000]  # a hostile title may have millions of characters
    line = " ".join("".join(c if c.isprintable() else " " for c in shown).split())
    return line if len(line) <= 300 else line[:297] + "..."


@contextmanager
def guard(name: str, form: str) -> Iterator[None]:
    """Turn whatever happens while bytes are parsed into a one-line `ReaderError` naming the file.

    Foreign parsers answer damaged files with almost any exception and with log records; neither
    may reach the user. (None was seen to warn: the fuzzing benchmark would count it.)
    """
    was = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with np.errstate(all="ignore"):
            yield
    except LiscopeError as error:
        raise ReaderError(one_line(f"'{name}' {error}")) from None
    except Exception as error:
        reason = f"{type(error).__name__} {error}"
        message = f"'{name}' is damaged or no {form} file ({reason}); copy it again"
        raise ReaderError(one_line(message)) from None
    finally:
        logging.disable(was)


# ------------------------------------------------------------------------------ raw values


def take(raw: bytes, offset: int, count: int, dtype: Any) -> NDArray[Any]:
    """Return `count` numbers of `raw` from `offset`, refusing sizes that the file cannot hold."""
    need = count * np.dtype(dtype).itemsize
    if offset < 0 or count < 0 or need > len(raw) - offset:
        raise ReaderError(
            f"declares {need} bytes of data at byte {offset}, but ends at byte {len(raw)}: "
            "it is cut short or holds only its header; copy it again from the instrument"
        )
    return np.frombuffer(raw, dtype, count, offset)


def sides(nx: float, ny: float) -> tuple[int, int]:
    """Return the pixel counts as integers, refusing what no image has."""
    if not (1 <= nx <= MAX_SIDE and 1 <= ny <= MAX_SIDE):
        raise ReaderError(f"declares an image of {nx} x {ny} pixels; its header is damaged")
    return int(nx), int(ny)


def text(raw: bytes) -> str:
    """Decode vendor text: UTF-8 where it is valid, else Latin-1, which always is."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def number(value: str | None, default: float = NAN) -> float:
    """Return the first number in `value`, or `default` where there is none."""
    match = re.match(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?)", value or "")
    return float(match[1]) if match else default


def quantity(value: str | None, units: str, default: float = NAN) -> float:
    """Return "12 nm" in `units`; `default` where there is no number or another unit."""
    found = re.match(r"\s*(\S+)\s+(\S+)\s*$", value or "")
    if not found:
        return default
    given, unreadable = readable_units(found[2])
    if unreadable or kind(given) != kind(units):
        return default
    return number(found[1], default) * factor(given, units)


# ----------------------------------------------------------------------------------- units


@lru_cache(maxsize=256)
def readable_units(vendor: str) -> tuple[str, str]:
    """Return units that pint can read, and the vendor's own text where it cannot be read.

    The text comes from the file, so only what looks like a short product of units goes to pint.
    """
    units = vendor[:40].strip().strip("\0")
    for spelling, symbol in _SPELLINGS:
        units = units.replace(spelling, symbol)
    if units in {"", "1", "Arb", "arb", "a.u."}:
        return "1", ""
    if not _UNITS.fullmatch(units):
        return "1", one_line(vendor)
    try:
        registry().parse_units(units)
    except (pint.errors.PintError, AttributeError, TypeError, ValueError, KeyError):
        return "1", one_line(vendor)
    return units, ""


@lru_cache(maxsize=256)
def kind(units: str) -> str:
    """Return what readable `units` measure, as a pint dimension: "[length]", "" for numbers."""
    dimension = str(registry().parse_units("" if units == "1" else units).dimensionality)
    return "" if dimension == "dimensionless" else dimension


# ---------------------------------------------------------------------------------- labels


def slug(label: str) -> str:
    """Return a lower-case name of letters, digits and underscores for `label`."""
    return re.sub(r"[^a-z0-9]+", "_", one_line(label).lower()).strip("_") or "channel"


def split_direction(label: str) -> tuple[str, str]:
    """Split "HeightRetrace" or "Z (Forward)" into the channel's name and the direction."""
    match = re.fullmatch(
        r"(.*?)[\s(\[]*(retrace|trace|backward|forward)[\s)\]]*", one_line(label), re.I
    )
    if not match or not match[1].strip():
        return label, "unknown"
    back = match[2].lower() in {"retrace", "backward"}
    return match[1].strip(), "retrace" if back else "trace"


def guess_quantity(label: str, units: str) -> str:
    """Return the physical quantity of a channel, from its name and units."""
    name, measured = slug(label), kind(units)
    for found, pattern, unit in _QUANTITIES:
        if re.search(pattern, name) and (not unit or kind(unit) == measured):
            return found
    return "other"


def voltage(sample: float, tip: float) -> tuple[float, str]:
    """Return the bias in V and its side from the voltages of both electrodes (NaN: not given).

    Where both are set, their difference lies across the junction, told as seen by the sample.
    """
    at_sample, at_tip = np.nan_to_num(sample), np.nan_to_num(tip)
    if at_sample and at_tip:
        return float(sample - tip), "sample"
    if at_sample or at_tip:
        return (float(sample), "sample") if at_sample else (float(tip), "tip")
    return (NAN if math.isnan(sample) and math.isnan(tip) else 0.0), "unknown"


# --------------------------------------------------------------------------------- dataset


def dataset(
    images: Iterable[Image], frame: Frame, metadata: Mapping[str, Any] | list[Any], origin: str
) -> xr.Dataset:
    """Return the Dataset of a scan.

    Parameters
    ----------
    images
        Channels on one pixel grid, at least one.
    frame
        What the file says about the scan.
    metadata
        The file's own metadata; kept as one JSON text.
    origin
        ``__name__`` of the reader, for the history.

    Raises
    ------
    ReaderError
        If there is no image, or the scan has no finite size.
    """
    images = list(islice(images, MAX_CHANNELS + 1))
    if len(images) > MAX_CHANNELS:
        raise ReaderError(f"declares more than {MAX_CHANNELS} images; its header is damaged")
    if not images:
        raise ReaderError("holds no image; choose a file that holds a scan")
    if not (0 < frame.width < math.inf and 0 < frame.height < math.inf):
        raise ReaderError(f"gives no usable scan size ({frame.width} x {frame.height})")
    ny, nx = images[0].data.shape
    coords = {"y": _axis("y", ny, frame.height, frame), "x": _axis("x", nx, frame.width, frame)}
    attrs = _attributes(frame) | {"metadata": json.dumps(metadata, ensure_ascii=False, default=str)}
    return xr.Dataset(_variables(images), coords, attrs | {"history": origin})


def _axis(dim: str, count: int, extent: float, frame: Frame) -> xr.DataArray:
    """Return pixel centres, counted from the top-left corner of the image."""
    centres = (np.arange(count) + 0.5) * (extent / count)
    return xr.DataArray(centres, dims=dim, attrs={"units": frame.units, "long_name": dim})


def _attributes(frame: Frame) -> dict[str, Any]:
    return {
        "bias": float(frame.bias),
        "bias_units": "V",
        "bias_side": frame.bias_side,
        "setpoint": float(frame.setpoint),
        "setpoint_units": frame.setpoint_units,
        "scan_angle": float(frame.scan_angle),
        "scan_centre_x": float(frame.centre[0]),
        "scan_centre_y": float(frame.centre[1]),
        "slow_axis": frame.slow_axis,
        "line_time": float(frame.line_time),
        "left_aside": "\n".join(frame.left_aside),
    }


def _variables(images: list[Image]) -> dict[str, xr.DataArray]:
    variables: dict[str, xr.DataArray] = {}
    for image in images:
        name = slug(image.label) + ("_retrace" if image.direction == "retrace" else "")
        variables[free_name(name, variables)] = _variable(image)
    return variables


def free_name(name: str, taken: Mapping[str, Any]) -> str:
    """Return `name`, with a number where a channel or a coordinate already has it."""
    used = taken.keys() | RESERVED
    names = (f"{name}_{i}" if i > 1 else name for i in range(1, len(used) + 2))
    return next(free for free in names if free not in used)


def _variable(image: Image) -> xr.DataArray:
    units, unreadable = readable_units(image.units)
    attrs = {
        "units": units,
        "long_name": one_line(image.label),
        "direction": image.direction,
        "quantity": image.quantity or guess_quantity(image.label, units),
    }
    if unreadable:
        attrs["vendor_units"] = unreadable
    return xr.DataArray(np.ascontiguousarray(image.data), dims=("y", "x"), attrs=attrs)
