"""I-V curves as plain tables, ``.csv`` or ``.tsv``: one row a point, in order of acquisition.

The first row names the columns, with their units behind a "_" or in brackets: ``bias_V`` or
``bias (V)``, ``current_nA`` or ``current [A]``. Needed are ``bias`` and ``current``. Known besides
are ``time`` (from any zero), ``curve`` (which curve a row belongs to; without it there is one),
and ``x``, ``y``, ``group``, which do not change within a curve. Every other column is a channel,
with its unit in the same two ways (behind "_" only plain ones such as mV or nN). Separators are
commas, semicolons or tabs; numbers have a decimal point; lines that begin with ``#`` are kept as
metadata.

    curve,group,bias_V,current_nA,time_s
    1,pristine,0.0,0.001,0.00
    1,pristine,0.1,0.013,0.02

Curves with fewer points than the longest end with NaN.
"""

from __future__ import annotations

import io
import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import ReaderError
from liscope.readers.common import MAX_CHANNELS, kind, one_line, readable_units, slug, text
from liscope.readers.curves import Channel, Places, dataset
from liscope.units import factor

FORM = "table"
STARTS: tuple[bytes, ...] = ()
SUFFIXES = (r"\.csv", r"\.tsv")

# Only what cannot be part of a name such as "lock_in" counts as a unit behind "_".
_MICRO = "u\u00b5\u03bc"
_BEHIND = re.compile(
    rf"(.+)_((?:[m{_MICRO}npf]?A|[m{_MICRO}]?V|[m{_MICRO}np]?m|[m{_MICRO}n]?s|[m{_MICRO}np]?N|deg|K))"
)
_BRACKETS = re.compile(r"(.+?)[ _]*[(\[]([^)\]]*)[)\]]")
_MAX_NUMBERS = 1 << 27  # 1 GB


def read(raw: bytes) -> xr.Dataset:
    """Return the curves in the bytes `raw`."""
    lines = text(raw).splitlines()
    table, units = _table([line for line in lines if line.strip() and not line.startswith("#")])
    curve, labels = _curves(table)
    grids = {name: Channel(name, grid, units[name]) for name, grid in _grids(table, curve).items()}
    bias, time = grids.pop("bias"), grids.pop("time", None)
    known = _of_curves(table, curve)
    x, y = (_numbers(known[axis], axis) * _factor(axis, units, "um") for axis in "xy")
    group = None if known["group"].isna().all() else known["group"].to_numpy(str)
    return dataset(
        bias,
        list(grids.values()),
        Places(labels, x, y, group),
        {"bias_side": "unknown", "history": __name__},
        {"comments": [one_line(line) for line in lines if line.startswith("#")]},
        None if time is None else _since_first(time.data) * _factor("time", units, "s"),
    )


def _table(lines: list[str]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the rows, with every known column of a curve as a whole, and the columns' units."""
    head = lines[0] if lines else ""
    separator = next((mark for mark in "\t;," if mark in head), ",")
    heads = [_head(cell) for cell in head.split(separator)[: MAX_CHANNELS + 1]]
    units = dict(heads)
    if len(units) < len(heads) or len(heads) > MAX_CHANNELS:
        raise ReaderError(
            "names a column twice, or has too many; its first row is no list of names"
        )
    for needed, unit in (("bias", "V"), ("current", "A")):
        if not units.get(needed):
            raise ReaderError(f"has no column '{needed}' with a unit; name it '{needed}_{unit}'")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a row that is longer than the first is an error
        table = pd.read_csv(
            io.StringIO("\n".join(lines[1:])),
            sep=separator,
            names=list(units),
            index_col=False,
            low_memory=False,
            skipinitialspace=True,
        )
    missing = {name: np.nan for name in ("group", "x", "y") if name not in units}
    whole = {} if "curve" in units else {"curve": 1}
    return table.assign(**missing, **whole), {"x": "um", "y": "um"} | units


def _head(cell: str) -> tuple[str, str]:
    """Return name and unit of a column."""
    cell = one_line(cell).strip().strip('"')
    found = _BRACKETS.fullmatch(cell) or _BEHIND.fullmatch(cell)
    return (slug(found[1]), found[2]) if found else (slug(cell), "")


def _curves(table: pd.DataFrame) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Return the number of each row's curve, and the labels of the curves."""
    if table.empty or table["curve"].isna().any():
        raise ReaderError("has no rows, or a row without its curve")
    curve, labels = pd.factorize(table["curve"])
    numeric = pd.api.types.is_numeric_dtype(labels.dtype)
    return curve, np.asarray(labels, dtype=None if numeric else str)


def _grids(table: pd.DataFrame, curve: NDArray[np.intp]) -> dict[str, NDArray[np.float64]]:
    """Return the columns of points, each as (curve, point)."""
    point = table.groupby(curve).cumcount().to_numpy()
    columns = table.columns.drop(["curve", "group", "x", "y"])
    shape = (curve.max() + 1, point.max() + 1)
    if shape[0] * shape[1] * len(columns) > _MAX_NUMBERS:
        raise ReaderError(f"has {shape[0]} curves of up to {shape[1]} points, too many to hold")
    grids = {}
    for name in columns:
        grids[name] = np.full(shape, np.nan)
        grids[name][curve, point] = _numbers(table[name], name)
    return grids


def _of_curves(table: pd.DataFrame, curve: NDArray[np.intp]) -> pd.DataFrame:
    """Return what holds for a curve as a whole, one row a curve."""
    groups = table[["group", "x", "y"]].groupby(curve)
    for name, differing in groups.nunique(dropna=False).max().items():
        if differing > 1:
            raise ReaderError(f"changes '{name}' within a curve; it must stay the same")
    return table.loc[~pd.Series(curve, table.index).duplicated(), ["group", "x", "y"]]


def _numbers(column: pd.Series[Any], name: str) -> NDArray[np.float64]:
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(float)
    values = pd.to_numeric(column, errors="coerce")
    wrong = column[values.isna() & column.notna()]
    raise ReaderError(
        f"has '{one_line(str(wrong.iloc[0]))[:20]}' in column '{name}'; "
        "write numbers, with a decimal point"
    )


def _factor(name: str, units: dict[str, str], to: str) -> float:
    given = readable_units(units[name])[0]
    if kind(given) != kind(to):
        raise ReaderError(f"gives '{name}' in '{one_line(units[name])}'; write {name}_{to}")
    return factor(given, to)


def _since_first(time: NDArray[np.float64]) -> NDArray[np.float64]:
    return time - time[:, :1]
