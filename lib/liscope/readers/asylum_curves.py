"""I-V curves of Asylum Research (Oxford Instruments), Igor binary waves ``.ibw``.

A curve is a wave of two dimensions, points by channels, with the names of the channels as labels
("Bias", "Current", "Defl", ...); its step is the time between two points. Force curves have the
same form, but neither bias nor current, and are refused. The points lie in order of acquisition,
in SI units. The note tells where the tip stood (XLVDT and YLVDT, in m).

No public I-V wave was found to check this on; the layout is that of a real force curve, and the
names of the channels those of the vendor's image files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from liscope.errors import ReaderError
from liscope.readers import asylum
from liscope.readers.common import number
from liscope.readers.curves import Channel, Places, dataset, regular_time

FORM = "Asylum .ibw"
STARTS = asylum.STARTS
SUFFIXES = asylum.SUFFIXES

_BIAS = re.compile(r"bias|^volt|potential|^drive", re.IGNORECASE)
_MAX_CHANNELS = 64


def read(raw: bytes) -> xr.Dataset:
    """Return the curve in the bytes `raw`."""
    header = asylum.wave_header(raw)
    points, columns, planes, _ = (int(n) for n in header["shape"])
    if planes > 0:
        raise ReaderError("holds images, no I-V curve; open it with read_scan")
    if not 1 <= columns <= _MAX_CHANNELS or points < 1:
        raise ReaderError(f"is a wave of {points} x {columns} numbers, no I-V curve")
    table = asylum.numbers(raw, header, (columns, points)).astype(float)
    note, labels = asylum.texts(raw, header, 1, columns)
    swept = next((i for i, label in enumerate(labels) if _BIAS.search(label)), None)
    if swept is None:
        raise ReaderError(f"holds no I-V curve: no bias among its channels {', '.join(labels)}")
    return dataset(
        Channel(labels[swept], table[swept][None], "V"),
        [
            Channel(label, values[None], _unit(label, note))
            for i, (label, values) in enumerate(zip(labels, table, strict=True))
            if i != swept
        ],
        _places(note),
        {"bias_side": "unknown", "history": __name__},
        note,
        regular_time(np.array([_step(header)]), points),
    )


def _unit(label: str, note: Mapping[str, str]) -> str:
    return "A" if re.match("cur", label, re.IGNORECASE) else asylum.unit(label, note)


def _places(note: Mapping[str, str]) -> Places:
    x, y = (np.array([1e6 * number(note.get(f"{axis}LVDT"))]) for axis in "XY")
    return Places(np.array([1]), x, y)


def _step(header: Any) -> float:
    """Return the time between two points, s; NaN where the wave does not run along time."""
    seconds = bytes(header["dim_units"][0]).strip(b"\0 ") == b"s"
    return float(header["step"][0]) if seconds else float("nan")
