"""Park Systems (PSIA) images, ``.tiff``.

A little-endian TIFF whose visible picture is only a coloured preview. The measurement lies in
private tags: 50432 a magic number (0x0E031301), 50433 the version (0x01000001 or 0x01000002),
50434 the raw image, 50435 a binary header, 50436 a comment. The header is packed, and its texts
are UTF-16: see `_HEADER`. A value is ``gain * (z_scale * raw + z_offset)`` in the header's unit.

Row 0 is the *bottom* of the picture; the backward image is stored in the frame of the forward
one. One file holds one channel in one direction.

No real file is in public reach: this reader follows the layout as Gwyddion documents it in its
``psia`` module, and is tested on files written from the same layout. Compressed raw images
and logarithmic ones are refused, since that layout leaves them open.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import tifffile
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import ReaderError
from liscope.readers.common import NAN, Frame, Image, dataset, sides, take, voltage

FORM = "Park .tiff"
STARTS = (b"II*\0",)
SUFFIXES = (r"\.tiff?",)

_MAGIC = 0x0E031301
_HEADER = np.dtype(
    [
        ("image_type", "<u4"),  # 0 image, 1 line profile
        ("source", "V64"),
        ("mode", "V16"),
        ("filter_strength", "<f8"),
        ("flattened", "<u4"),
        ("ac_track", "<u4"),
        ("columns", "<u4"),
        ("rows", "<u4"),
        ("angle", "<f8"),  # deg
        ("sine_scan", "<u4"),
        ("overscan", "<f8"),
        ("forward", "<u4"),
        ("scan_up", "<u4"),
        ("swap_xy", "<u4"),
        ("width", "<f8"),  # um
        ("height", "<f8"),
        ("x_offset", "<f8"),
        ("y_offset", "<f8"),
        ("scan_rate", "<f8"),  # lines a second
        ("setpoint", "<f8"),
        ("setpoint_unit", "V16"),
        ("tip_bias", "<f8"),  # V
        ("sample_bias", "<f8"),
        ("gain", "<f8"),
        ("z_scale", "<f8"),
        ("z_offset", "<f8"),
        ("unit", "V16"),
        ("minimum", "<i4"),
        ("maximum", "<i4"),
        ("average", "<i4"),
        ("compressed", "<u4"),
        ("logarithmic", "<u4"),
        ("square", "<u4"),
    ]
)
_TYPE_AT = _HEADER.itemsize + 2 * 8 + 3 * 16  # version 2 adds servo gains and modes before it
_TYPES = {0: "<i2", 1: "<i4", 2: "<f4"}


def read(raw: bytes) -> xr.Dataset:
    """Return the image in the bytes `raw`."""
    tags = _tags(raw)
    data, packed = tags.get(50434), tags.get(50435)
    # Both are arrays of bytes; a damaged type would make a number of them.
    if tags.get(50432) != _MAGIC or not isinstance(data, bytes) or not isinstance(packed, bytes):
        raise ReaderError("is a TIFF without Park measurement data; export the original .tiff")
    header = take(packed, 0, 1, _HEADER)[0]
    _check(header)
    image = _image(header, data, _data_type(packed, int(tags.get(50433, 0))))
    return dataset([image], _frame(header), _metadata(header, tags), __name__)


def _tags(raw: bytes) -> dict[int, Any]:
    """Return the private tags of the first page."""
    with tifffile.TiffFile(io.BytesIO(raw)) as tiff:
        page = tiff.pages.first
        return {tag.code: tag.value for tag in page.tags if 50432 <= tag.code <= 50441}


def _check(header: Any) -> None:
    if header["image_type"] != 0:
        raise ReaderError("holds line profiles or spectra, not an image; choose a scan")
    if header["compressed"] or header["logarithmic"]:
        raise ReaderError("holds a compressed or logarithmic image; re-save it as plain data")


def _data_type(packed: bytes, version: int) -> str:
    """Return the type of the raw numbers; version 1 knows 16-bit integers only."""
    if version < 0x01000002:
        return _TYPES[0]
    code = int(take(packed, _TYPE_AT, 1, "<u4")[0])
    if code not in _TYPES:
        raise ReaderError(f"holds numbers of an unknown type ({code}); re-save it")
    return _TYPES[code]


def _image(header: Any, data: bytes, dtype: str) -> Image:
    nx, ny = sides(header["columns"], header["rows"])
    counts: NDArray[Any] = take(data, 0, nx * ny, dtype).reshape(ny, nx)
    scale = float(header["z_scale"]) or 1.0  # old files leave it at 0
    values = counts[::-1].astype(np.float64) * scale + float(header["z_offset"])
    direction = "trace" if header["forward"] else "retrace"
    label = _wide(header["source"]) or "image"
    return Image(label, float(header["gain"]) * values, _wide(header["unit"]) or "um", direction)


def _wide(packed: Any) -> str:
    return bytes(packed).decode("utf-16-le", "replace").split("\0")[0].strip()


def _frame(header: Any) -> Frame:
    bias, side = voltage(float(header["sample_bias"]), float(header["tip_bias"]))
    rate = float(header["scan_rate"])
    return Frame(
        abs(float(header["width"])),
        abs(float(header["height"])),
        bias=bias,
        bias_side=side,  # the header has a field for either electrode
        setpoint=float(header["setpoint"]),
        setpoint_units=_wide(header["setpoint_unit"]),
        scan_angle=float(header["angle"]),
        centre=(float(header["x_offset"]), float(header["y_offset"])),
        slow_axis="up" if header["scan_up"] else "down",
        line_time=1 / rate if rate > 0 else NAN,
    )


def _metadata(header: Any, tags: dict[int, Any]) -> dict[str, Any]:
    names = _HEADER.names or ()
    plain = {n: _wide(header[n]) if _HEADER[n].kind == "V" else header[n].item() for n in names}
    return plain | {"comment": str(tags.get(50436, ""))}
