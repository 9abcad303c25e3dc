"""Cameca NanoSIMS and IMS images, ``.im``: a binary header, and the counts behind it.

The header begins with version, kind of analysis and its own length (three 32-bit integers, whose
byte order is that of the whole file); a table of masses follows, and further on, found by their
names, blocks about the instrument. Its last 84 bytes tell size and number of the images. These
lie behind it, frame by frame and within a frame mass by mass, as 16- or 32-bit integers, top row
first (here signed, so that a difference does not wrap around). The counts are raw: the dead time
of the electronics, 44 ns in the real files, is not corrected.

The layout is that of the OpenMIMS sources and of the package sims (2.0.2), which agrees bit by bit
on the real files. Polarity is told by the voltage of the sample, E0W: -8 kV for negative ions.
(sims calls that "+"; the cyanide ions of its own example are negative.) Depth profiles (.dp),
isotope measurements (.is) and other kinds hold no images and are refused.
"""

from __future__ import annotations

import struct
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import ReaderError
from liscope.readers.common import NAN, sides, take, text
from liscope.readers.ions import dataset

FORM = "Cameca .im"
SUFFIXES = (r"\.im",)

_IMAGES = {27: "image", 29: "grain mode image", 39: "line scan image"}
_OTHERS = {
    21: "depth profile",
    22: "line scan",
    26: "isotope measurement",
    31: "peak scan",
    35: "beam stability",
    40: "line scan",
    41: "stage scan image",
}
_VERSIONS = (*range(1, 32), *range(4096, 4128))  # seen: 4, 5, 11 and 4108
STARTS = tuple(
    struct.pack(order + "2i", version, analysis)
    for order in "<>"
    for version in _VERSIONS
    for analysis in (*_IMAGES, *_OTHERS)
)

Order = Literal["<", ">"]
_MAX_MASSES = 256
_MASS_TABLE = 412  # byte at which the list of pointers begins that lies before the masses
_MASS = np.dtype(
    [
        ("trolley", "i4"),
        ("unknown", "i4"),
        ("mass", "f8"),
        ("matrix", "i4"),
        ("detector", "i4"),
        ("wait", "f8"),
        ("count_time", "f8"),
        ("offset", "i4"),
        ("field", "i4"),
        ("species", "V17"),
        ("label", "S64"),
        ("atoms", "V63"),
    ]
)
_IMAGE = np.dtype(
    [
        ("header_size", "i4"),
        ("type", "i2"),
        ("width", "i2"),
        ("height", "i2"),
        ("bytes", "i2"),
        ("masses", "i2"),
        ("frames", "i2"),
        ("raster", "i4"),  # nm
        ("name", "S64"),
    ]
)


def read(raw: bytes) -> xr.Dataset:
    """Return the images in the bytes `raw`."""
    order: Order = "<" if struct.unpack("<i", raw[4:8])[0] in {**_IMAGES, **_OTHERS} else ">"
    version, analysis, header_size = (int(n) for n in take(raw, 0, 3, order + "i4"))
    if analysis not in _IMAGES:
        what = _OTHERS.get(analysis, f"kind {analysis}")
        raise ReaderError(f"is no image but of kind '{what}'; choose an .im file")
    header = take(raw, 0, header_size, "u1").tobytes()
    image = take(header, header_size - _IMAGE.itemsize, 1, _IMAGE.newbyteorder(order))[0]
    masses = _masses(header, version, order)
    counts = _counts(raw, header_size, image, order)
    height = float(image["raster"]) / image["width"] * image["height"]
    return dataset(
        counts,
        [_text(label) for label in masses["label"]],
        masses["mass"],
        (float(image["raster"]) / 1000, height / 1000),
        {**_instrument(header, order), "dead_time_corrected": "no", "history": __name__},
        {
            "file version": version,
            "analysis": _IMAGES[analysis],
            "date": f"{_text(header[92:108])} {_text(header[108:124])}",
            "name": _text(image["name"]),
        },
    )


def _masses(header: bytes, version: int, order: Order) -> NDArray[np.void]:
    count = int(take(header, _MASS_TABLE - 4, 1, order + "i4")[0])
    if not 1 <= count <= _MAX_MASSES:
        raise ReaderError(f"declares {count} masses; its header is damaged")
    pointers = 60 if version >= 4108 else 10
    return take(header, _MASS_TABLE + 4 * pointers, count, _MASS.newbyteorder(order))


def _counts(raw: bytes, start: int, image: Any, order: Order) -> NDArray[Any]:
    """Return the images, (ion, frame, y, x)."""
    if int(image["header_size"]) != _IMAGE.itemsize or int(image["bytes"]) not in (2, 4):
        raise ReaderError("has no header of an image; copy it again")
    nx, ny = sides(int(image["width"]), int(image["height"]))
    shape = int(image["frames"]), int(image["masses"]), ny, nx
    if min(shape) < 1:
        raise ReaderError(f"declares {shape[0]} frames of {shape[1]} masses; its header is damaged")
    stored = take(raw, start, int(np.prod(shape)), f"{order}u{image['bytes']}").reshape(shape)
    return stored.swapaxes(0, 1).astype(np.int32 if image["bytes"] == 2 else np.int64)


def _instrument(header: bytes, order: Order) -> dict[str, Any]:
    """Return what the blocks about the instrument tell."""
    told: dict[str, Any] = {"dwell_time": _dwell(header, order)}
    beam = header.find(b"Anal_param_nano\0") + 16 + 272
    if beam > 288 and len(header) >= beam + 560:
        sample = float(take(header, beam + 552, 1, order + "f8")[0])
        told["primary_beam"] = _text(header[beam : beam + 8]) or "unknown"
        told["polarity"] = "negative" if sample < 0 else "positive" if sample > 0 else "unknown"
    return told


def _dwell(header: bytes, order: Order) -> float:
    """Return the time a pixel, s; it stands in the first magnetic field's block."""
    lists = [header.rfind(name + b"_list\0") for name in (b"Poly", b"Champs", b"Offset")]
    at = max(lists) + 24 + 604 + 948 + 12
    if max(lists) < 0 or len(header) < at + 4:
        return NAN  # a real-time image has none of the lists
    micros = int(take(header, at, 1, order + "i4")[0])
    return micros * 1e-6 if 0 < micros < 1e8 else NAN


def _text(raw: Any) -> str:
    return text(bytes(raw).split(b"\0")[0]).strip()
