"""Gwyddion's own files, ``.gwy``: ``GWYP`` (since 1.6) and the older ``GWYO``.

A file is four bytes of magic and one serialised object, all little-endian::

    object     name NUL, uint32 size, then components until the size is used up
    component  name NUL, one letter for the type, value
    value      b 1 byte, c 1 byte, i int32, q int64, d float64, s text NUL, o object;
               capital letters are arrays: uint32 count, then the values

The top object is a ``GwyContainer`` whose keys look like paths: ``/0/data`` holds the image of
channel 0 (a ``GwyDataField``: xres, yres, xreal, yreal, units, float64 data, row 0 on top),
``/0/data/title`` its name, ``/0/meta`` what the importing program knew of the instrument.
In a ``GWYO`` container, a uint32 GLib type number stands *before* each name instead of the
letter behind it; the other objects are the same.

The parser is our own because the files come from anywhere: the gwyfile package (0.3.0) loops for
ever on a text without its NUL, and refuses GWYO.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import ReaderError
from liscope.readers.common import (
    Frame,
    Image,
    dataset,
    guess_quantity,
    kind,
    number,
    one_line,
    quantity,
    readable_units,
    sides,
    split_direction,
    take,
    text,
    voltage,
)
from liscope.units import factor

FORM = "Gwyddion"
STARTS = (b"GWYP", b"GWYO")
SUFFIXES = (r"\.gwy",)

_MAX_DEPTH = 12
_MAX_COMPONENTS = 100_000  # a file of many channels has some thousand; bounds the memory
_SCALARS = {"b": "<?", "c": "<B", "i": "<i", "q": "<q", "d": "<d"}
_ARRAYS = {"C": "u1", "I": "<i4", "Q": "<i8", "D": "<f8"}
# GLib's fundamental type numbers, shifted by two bits, as GWYO containers store them
_GLIB = {0x14: "b", 0x0C: "c", 0x10: "c", 0x18: "i", 0x28: "q", 0x3C: "d", 0x40: "s", 0x50: "o"}


def read(raw: bytes) -> xr.Dataset:
    """Return the images in the bytes `raw` that share the pixel grid of the first height image."""
    top = _Parser(raw).top()
    fields = _fields(top)
    if not fields:
        raise ReaderError("holds no image (no /0/data); choose a file that holds a scan")
    main = _reference(fields)
    kept = {n: field for n, field in fields.items() if _grid(field) == _grid(fields[main])}
    aside = tuple(_title(top, n) for n in fields if n not in kept)
    images = _named([_image(field, _title(top, n)) for n, field in kept.items()])
    meta = {str(n): _plain(top.get(f"/{n}/meta", {})) for n in kept}
    return dataset(images, _frame(fields[main], meta[str(main)], aside), meta, __name__)


class _Parser:
    """Reads objects from bytes, never beyond the object that contains them."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.at = 4
        self.old = raw[:4] == b"GWYO"
        self.components = 0

    def top(self) -> dict[str, Any]:
        return self._object(len(self.raw), 0)

    def _object(self, end: int, depth: int) -> dict[str, Any]:
        if depth > _MAX_DEPTH:
            raise ReaderError("nests objects too deeply; re-save it in Gwyddion")
        name = self._text(end)
        size = self._scalar("<I", end)
        stop = self.at + size
        if stop > end:
            raise ReaderError(f"is cut short: its {name} ends at byte {stop}; copy it again")
        found: dict[str, Any] = {}
        while self.at < stop:
            key, value = self._component(stop, depth, self.old and name == "GwyContainer")
            found[key] = value
        if self.old and name == "GwySIUnit":
            found["unitstr"] = _without_prefix(str(found.get("unitstr", "")))
        return found

    def _component(self, end: int, depth: int, old: bool) -> tuple[str, Any]:
        self._count()
        if old:
            code = _GLIB.get(self._scalar("<I", end), "?")
            return self._text(end), self._value(code, end, depth)
        key = self._text(end)
        return key, self._value(chr(self._scalar("<B", end)), end, depth)

    def _value(self, code: str, end: int, depth: int) -> Any:
        if code in _SCALARS:
            return self._scalar(_SCALARS[code], end)
        if code == "s":
            return self._text(end)
        if code == "o":
            return self._object(end, depth + 1)
        if code in _ARRAYS:
            return self._array(_ARRAYS[code], end)
        if code in {"S", "O"}:
            return self._list(code.lower(), end, depth)
        raise ReaderError(f"has an unknown entry type '{code}'; re-save it in current Gwyddion")

    def _scalar(self, form: str, end: int) -> Any:
        self.at += struct.calcsize(form)
        self._inside(end)
        return struct.unpack_from(form, self.raw, self.at - struct.calcsize(form))[0]

    def _text(self, end: int) -> str:
        stop = self.raw.find(b"\0", self.at, end)
        if stop < 0:
            raise ReaderError("has a text without end; copy it again")
        start, self.at = self.at, stop + 1
        return text(self.raw[start:stop])

    def _array(self, dtype: str, end: int) -> NDArray[Any]:
        count = self._scalar("<I", end)
        values = take(self.raw, self.at, count, dtype)
        self.at += values.nbytes
        self._inside(end)
        return values

    def _list(self, code: str, end: int, depth: int) -> list[Any]:
        found: list[Any] = []
        for _ in range(self._scalar("<I", end)):
            self._count()
            found.append(self._value(code, end, depth))
        return found

    def _count(self) -> None:
        self.components += 1
        if self.components > _MAX_COMPONENTS:
            raise ReaderError(f"has more than {_MAX_COMPONENTS} entries; re-save only the scan")

    def _inside(self, end: int) -> None:
        if self.at > end:
            raise ReaderError("is cut short or damaged; copy it again")


# ------------------------------------------------------------------------- objects to images


def _without_prefix(unit: str) -> str:
    """Return "m" for "nm": the units of GWYO files.

    There, numbers are in the base unit whatever prefix the unit's text has; it was a wish for the
    display only. A 5 um scan in such a file says xreal = 5e-6 and "um".
    """
    match = re.fullmatch("[pnumkM\u00b5\u03bc]?(m|A|V|N|Hz|s)", unit.strip())
    return match[1] if match else unit


def _fields(top: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """Return the data fields by the number of their channel."""
    keys = {int(m[1]): m[0] for m in map(re.compile(r"/(\d{1,6})/data").fullmatch, top) if m}
    return {n: top[keys[n]] for n in sorted(keys) if isinstance(top[keys[n]], dict)}


def _reference(fields: Mapping[int, Mapping[str, Any]]) -> int:
    """Return the first channel with a height, else the first: its grid is that of the scan."""
    heights = (n for n, field in fields.items() if kind(_unit(field, "si_unit_z")) == "[length]")
    return next(heights, next(iter(fields)))


def _grid(field: Mapping[str, Any]) -> tuple[Any, ...]:
    return (*_pixels(field), field.get("xreal"), field.get("yreal"), _unit(field, "si_unit_xy"))


def _pixels(field: Mapping[str, Any]) -> tuple[int, int]:
    return sides(field.get("xres", 0), field.get("yres", 0))


def _unit(field: Mapping[str, Any], which: str) -> str:
    return readable_units(_unit_text(field, which))[0]


def _unit_text(field: Mapping[str, Any], which: str) -> str:
    unit = field.get(which)
    return str(unit.get("unitstr", "")) if isinstance(unit, dict) else ""


def _title(top: Mapping[str, Any], n: int) -> str:
    return str(top.get(f"/{n}/data/title", "")) or f"channel {n}"


def _image(field: Mapping[str, Any], title: str) -> Image:
    nx, ny = _pixels(field)
    data = field.get("data")
    if not isinstance(data, np.ndarray) or data.size != nx * ny:
        raise ReaderError(f"'{one_line(title)}' has not {nx} x {ny} values; re-save it in Gwyddion")
    label, direction = split_direction(title)
    units = _unit_text(field, "si_unit_z")
    return Image(label, data.reshape(ny, nx).astype(np.float64), units, direction)


def _named(images: list[Image]) -> list[Image]:
    """Call the first length a height where no channel is recognised as one.

    Titles in Gwyddion are free text, often that of the sample.
    """
    units = [readable_units(image.units)[0] for image in images]
    if any(guess_quantity(i.label, u) == "height" for i, u in zip(images, units, strict=True)):
        return images
    lengths = [i for i, unit in enumerate(units) if kind(unit) == "[length]"]
    if lengths:
        images[lengths[0]] = replace(images[lengths[0]], quantity="height")
    return images


def _frame(field: Mapping[str, Any], meta: Any, aside: tuple[str, ...]) -> Frame:
    unit = _unit(field, "si_unit_xy")
    # A field without a lateral unit keeps its bare numbers: nobody knows what they measure.
    lateral = factor(unit, "um") if kind(unit) == "[length]" else 1.0
    width, height = (lateral * number(str(field.get(k))) for k in ("xreal", "yreal"))
    x, y = (lateral * number(str(field.get(k))) for k in ("xoff", "yoff"))  # top-left corner
    bias, side = _bias(meta)
    return Frame(
        width,
        height,
        units="um" if kind(unit) == "[length]" else "1",
        bias=bias,
        bias_side=side,
        centre=(x + width / 2, y + height / 2),
        left_aside=aside,
    )


def _bias(meta: Any) -> tuple[float, str]:
    """Return the bias where the importing program kept it under a plain name."""
    named = {str(k).lower(): str(v) for k, v in meta.items()} if isinstance(meta, dict) else {}
    bias, side = voltage(
        quantity(named.get("sample bias"), "V"), quantity(named.get("tip bias"), "V")
    )
    return (bias, side) if bias == bias else (quantity(named.get("bias"), "V"), "unknown")


def _plain(value: Any) -> Any:
    """Return `value` without its arrays, for the metadata."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return f"{value.size} numbers" if isinstance(value, np.ndarray) else value
