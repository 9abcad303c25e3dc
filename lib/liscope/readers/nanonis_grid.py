r"""Nanonis (SPECS) grid spectroscopy, ``.3ds``: a text header, and one record a curve behind it.

The header has one ``key=value`` a line and ends with ``:HEADER_END:``. Each record is big-endian
float32: first the parameters of the curve (sweep start and end, position, times, ...; their names
stand in the header), then the channels one after the other. The bias is not among them: it runs
in equal steps from ``Sweep Start`` to ``Sweep End``, or along the segments of a table in the header
(``Filetype=MLS``). As in a ``.dat`` file, channels ``[bwd]`` are stored along that same axis and
were measured from its end; here they follow the forward sweep.

The records lie in the order of acquisition, row by row. A grid that was stopped is cut short, or
filled with NaN: curves without a sweep are left out and counted in ``missing_curves``; ``curve``
is a curve's place in the full grid, from 1. What else a record tells is a coordinate of its curve.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import ReaderError
from liscope.readers.common import MAX_HEADER, NAN, number, sides, take, text
from liscope.readers.curves import Channel, Places, dataset, regular_time, there_and_back
from liscope.readers.nanonis_dat import collect, column

FORM = "Nanonis .3ds"
STARTS = (b"Grid dim=",)
SUFFIXES = (r"\.3ds",)

_END = b":HEADER_END:"
_MAX_POINTS = 1 << 20
_MAX_NAMES = 10_000


def read(raw: bytes) -> xr.Dataset:
    """Return the curves in the bytes `raw`."""
    header, start = _header(raw)
    _check_sweep(header)
    names, channels = _names(header), _list(header, "Channels")
    points = _count(header, "Points", _MAX_POINTS)
    declared, records = _records(raw, start, header, len(names) + len(channels) * points)
    table = {name: records[:, i].astype(float) for i, name in enumerate(names)}
    axis = _bias(header, table, points)
    swept = np.isfinite(axis).all(axis=1) & (axis.min(axis=1) < axis.max(axis=1))
    data = records[:, len(names) :].reshape(-1, len(channels), points)[swept]
    found = collect([column(name) for name in channels], data.astype(np.float32))
    return _dataset(
        header, axis[swept], found, _kept(table, swept), 1 + np.flatnonzero(swept), declared
    )


def _dataset(
    header: Mapping[str, str],
    axis: NDArray[np.float64],
    channels: list[Channel],
    table: Mapping[str, NDArray[np.float64]],
    curve: NDArray[np.int64],
    declared: int,
) -> xr.Dataset:
    count, points = channels[0].data.shape if channels else axis.shape
    repeats = count // max(len(axis), 1)  # each place may have several sweeps
    bias = there_and_back(axis, axis if points > axis.shape[1] else None)
    whole = {name: np.repeat(values, repeats) for name, values in table.items()}
    nothing = np.full(count, NAN)
    x, y = (1e6 * whole.pop(name, nothing) for name in ("X (m)", "Y (m)"))
    step = whole.get("Settling time (s)", nothing) + whole.get("Integration time (s)", nothing)
    told = [(column(name), v) for name, v in whole.items() if not name.startswith("Sweep ")]
    more = tuple((about.name, values, about.units) for about, values in told)
    return dataset(
        Channel("Bias", np.repeat(bias, repeats, axis=0), "V"),
        channels,
        Places(np.repeat(curve, repeats), x, y, more=more),
        {"bias_side": "sample", "missing_curves": declared - len(axis), "history": __name__},
        header,
        None if _is_mls(header) else regular_time(step, points),  # each segment has its own
    )


def _header(raw: bytes) -> tuple[dict[str, str], int]:
    """Return the header's entries and the byte at which the records begin."""
    end = raw.find(_END, 0, MAX_HEADER)
    line_end = raw.find(b"\n", end, end + 64)
    if end < 0 or line_end < 0:
        raise ReaderError("has no end of its header (:HEADER_END:); copy it again")
    pairs = (line.partition("=") for line in text(raw[:end]).splitlines())
    return {key: value.strip().strip('"') for key, mark, value in pairs if mark}, line_end + 1


def _check_sweep(header: Mapping[str, str]) -> None:
    signal = header.get("Sweep Signal", "")
    if column(signal).units != "V" or "bias" not in signal.lower():
        raise ReaderError(f"holds no I-V curves: it sweeps '{signal}', not the bias")


def _list(header: Mapping[str, str], key: str) -> list[str]:
    words = [word for word in header.get(key, "").split(";") if word]
    if len(words) > _MAX_NAMES:
        raise ReaderError(f"declares {len(words)} '{key}'; its header is damaged")
    return words


def _names(header: Mapping[str, str]) -> list[str]:
    """Return the names of a record's parameters, as many as the header counts."""
    names = _list(header, "Fixed parameters") + _list(header, "Experiment parameters")
    count = _count(header, "# Parameters (4 byte)", _MAX_NAMES)
    return (names + [f"unnamed {i}" for i in range(count)])[:count]


def _count(header: Mapping[str, str], key: str, most: int) -> int:
    value = number(header.get(key))
    if not 1 <= value <= most:
        raise ReaderError(f"declares '{key}' as '{header.get(key, '')}'; its header is damaged")
    return int(value)


def _records(
    raw: bytes, start: int, header: Mapping[str, str], size: int
) -> tuple[int, NDArray[np.float32]]:
    """Return how many records the grid should have, and those that are there, (record, `size`)."""
    words = header.get("Grid dim", "").split("x")
    nx, ny = sides(*(number(word) for word in (words + [""] * 2)[:2]))
    there = min(nx * ny, (len(raw) - start) // (4 * size))
    return nx * ny, take(raw, start, there * size, ">f4").reshape(there, size)


def _is_mls(header: Mapping[str, str]) -> bool:
    return header.get("Filetype") == "MLS"


def _bias(
    header: Mapping[str, str], table: Mapping[str, NDArray[np.float64]], points: int
) -> NDArray[np.float64]:
    """Return the bias along each record's channels, (record, point), V."""
    if not {"Sweep Start", "Sweep End"} <= table.keys():
        raise ReaderError("does not tell where its sweeps start and end; export it as .csv")
    first, last = table["Sweep Start"], table["Sweep End"]
    if not _is_mls(header):
        return np.linspace(first, last, points, axis=-1)
    axis = _segments(header)
    if axis.size != points:
        raise ReaderError(f"has segments of {axis.size} points, but curves of {points}")
    return np.where(np.isfinite(first)[:, None], axis, np.nan)


def _segments(header: Mapping[str, str]) -> NDArray[np.float64]:
    """Return the bias along the segments; where two meet, their common point is one point."""
    key = next((key for key in header if key.startswith("Segment Start (V)")), "")
    steps = [name.strip() for name in key.split(",")].index("Steps (xn)") if key else 0
    axis: list[float] = []
    for row in _list(header, key):
        values = [number(word) for word in row.split(",")]
        count = int(min(values[steps], _MAX_POINTS))
        part = np.linspace(values[0], values[1], max(count, 0))
        axis += list(part[1:] if axis and axis[-1] == values[0] else part)
    return np.array(axis)


def _kept(
    table: Mapping[str, NDArray[np.float64]], kept: NDArray[np.bool_]
) -> dict[str, NDArray[np.float64]]:
    return {name: values[kept] for name, values in table.items()}
