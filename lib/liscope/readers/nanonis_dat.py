r"""Nanonis (SPECS) bias spectroscopy, ``.dat``: a text header, and a table of one column a channel.

The file looks like this, tab-separated::

    Experiment	bias spectroscopy
    X (m)	1.10123E-6
    ...
    [DATA]
    Bias calc (V)	Current (A)	Current [bwd] (A)	Current (A) [filt] ...

The first column is the bias of *both* sweeps: a column ``[bwd]`` was recorded from the last row to
the first. Here the backward sweep follows the forward one, as it was measured, in one curve of
twice as many points. ``[filt]`` columns become channels of their own, ``current_filt``.

Where the sweep was repeated and the sweeps were kept (``[00001]``, ``[00002]``, ...), each is one
curve and the average ``[AVG]`` is left out, since it is theirs; an average alone is one curve.
Nanonis applies the bias to the sample, the tip stays at ground.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import ReaderError
from liscope.readers.common import MAX_HEADER, number, text
from liscope.readers.curves import Channel, Places, dataset, regular_time, there_and_back

FORM = "Nanonis .dat"
STARTS = (b"Experiment\t",)
SUFFIXES = (r"\.dat",)

_DATA = re.compile(rb"^\[DATA\]\s*?\r?\n", re.MULTILINE)
Values = NDArray[np.floating[Any]]
_MAX_COLUMNS = 10_000  # 100 sweeps of 50 channels in both directions


@dataclass(frozen=True)
class Column:
    """What a heading such as ``Current [00002] [bwd] (A) [filt]`` tells."""

    name: str
    units: str
    backward: bool = False
    sweep: int = 0  # 0: the only one
    average: bool = False


def read(raw: bytes) -> xr.Dataset:
    """Return the curves in the bytes `raw`."""
    header, columns, table = _parts(raw)
    if not columns[0].name.lower().startswith("bias") or columns[0].units != "V":
        swept = f"{columns[0].name} ({columns[0].units})"
        raise ReaderError(f"holds no I-V curve: it sweeps '{swept}', not the bias")
    channels = collect(columns[1:], table[:, 1:].T[None])
    count, points = channels[0].data.shape if channels else (1, len(table))
    back = table[:, 0] if points > len(table) else None
    bias = np.tile(there_and_back(table[:, 0], back), (count, 1))
    x, y = (np.full(count, 1e6 * number(header.get(f"{axis} (m)"))) for axis in "XY")
    step = number(header.get("Settling time (s)")) + number(header.get("Integration time (s)"))
    attrs = {"bias_side": "sample", "history": __name__}
    return dataset(
        Channel(columns[0].name, bias, "V"),
        channels,
        Places(np.arange(1, count + 1), x, y),
        attrs,
        header,
        regular_time(np.full(count, step), points),
    )


def _parts(raw: bytes) -> tuple[dict[str, str], list[Column], NDArray[np.float64]]:
    """Return the header's entries, the columns and the numbers, (row, column)."""
    data = _DATA.search(raw, 0, MAX_HEADER)
    if not data:
        raise ReaderError("has no [DATA]; copy it again")
    lines = text(raw[: data.start()]).splitlines()
    pairs = (line.partition("\t") for line in lines)
    header = {key: value.strip() for key, tab, value in pairs if tab}
    heads, _, numbers = text(raw[data.end() :]).partition("\n")
    names = heads.rstrip("\r\n\t").split("\t")
    if len(names) > _MAX_COLUMNS:
        raise ReaderError(f"declares {len(names)} columns; its header is damaged")
    if not numbers.strip():
        raise ReaderError("ends before its numbers; copy it again")
    table = np.loadtxt(numbers.splitlines(), delimiter="\t", ndmin=2, comments=None)
    if table.shape[1] != len(names):
        raise ReaderError(f"names {len(names)} columns but has {table.shape[1]}; copy it again")
    return header, [column(name) for name in names], table


def column(heading: str) -> Column:
    """Return what a column's or channel's heading tells."""
    tags = re.findall(r"\[([^\]]{0,40})\]", heading[:400])
    unit = re.search(r"\(([^()]{0,40})\)\s*(\[|$)", heading[:400])
    name = re.sub(r"\[[^\]]*\]|\([^()]*\)\s*(?=\[|$)", " ", heading[:400])
    sweeps = [int(tag) for tag in tags if re.fullmatch("[0-9]{1,6}", tag)]
    return Column(
        name=" ".join([*name.split(), *(["filt"] if "filt" in tags else [])]),
        units=unit[1] if unit else "",
        backward="bwd" in tags,
        sweep=sweeps[0] if sweeps else 0,
        average="AVG" in tags,
    )


def collect(columns: list[Column], data: Values) -> list[Channel]:
    """Return the channels of a file, each with all its sweeps.

    Parameters
    ----------
    columns
        What the headings tell, C of them.
    data
        The numbers, (curve, C, row).

    Returns
    -------
    list of Channel
        Data (curve x sweep, row), or twice as many rows where there is a backward sweep.
    """
    sweeps = sorted({c.sweep for c in columns if c.sweep}) or [0]
    single = sweeps == [0]
    parts: dict[tuple[str, str], dict[tuple[int, bool], Values]] = {}
    for values, c in zip(data.swapaxes(0, 1), columns, strict=True):
        if single or not c.average:
            parts.setdefault((c.name, c.units), {})[c.sweep, c.backward] = values
    both_ways = any(backward for found in parts.values() for _, backward in found)
    return [
        Channel(name, _curves(found, sweeps, both_ways), units)
        for (name, units), found in parts.items()
    ]


def _curves(parts: Mapping[tuple[int, bool], Values], sweeps: list[int], both_ways: bool) -> Values:
    """Return all sweeps of one channel, (curve x sweep, point); NaN where nothing was kept."""
    nothing = np.full_like(next(iter(parts.values())), np.nan)

    def half(sweep: int, backward: bool) -> Values:
        # a channel that was not kept for each sweep is the same for all of them
        return parts.get((sweep, backward), parts.get((0, backward), nothing))

    both = np.stack(
        [there_and_back(half(i, False), half(i, True) if both_ways else None) for i in sweeps],
        axis=1,
    )
    return both.reshape(-1, both.shape[-1])
