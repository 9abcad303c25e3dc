"""What a stack holds, before anything is done to it: slices that are there, and counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from liscope.units import to_units

if TYPE_CHECKING:
    import pandas as pd


def stack_table(stacks: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Return one row a channel of each stack.

    Parameters
    ----------
    stacks
        By name: ``counts`` (element or ion, slice, y, x), read once where they are lazy.

    Returns
    -------
    Columns ``slices``, ``missing`` (numbers of the slices that are not there), ``field_um``,
    ``pixel_nm``, and per pixel ``mean`` and ``most`` counts and the share of ``zeros``.
    """
    import pandas as pd

    rows = [row for name, stack in stacks.items() for row in _rows(name, stack)]
    return pd.DataFrame(rows).set_index(["stack", "channel"])


def missing_slices(stack: xr.Dataset) -> list[int]:
    """Return the numbers of slices that are not there: left out, or absent from the series."""
    numbers = stack["slice"].to_numpy()
    start, span = int(numbers[0]), int(numbers[-1] - numbers[0]) + 1
    count = max(int(stack.attrs.get("slice_count", span)), span)
    first = start - min(count - span, start)  # what is not there at the end, is at the beginning
    left_out = {int(one["slice"]) for one in json.loads(stack.attrs.get("left_out", "[]"))}
    return sorted(left_out | set(range(first, first + count)) - {int(one) for one in numbers})


def _rows(name: str, stack: xr.Dataset) -> list[dict[str, Any]]:
    from dask.base import compute

    counts = stack["counts"]
    channel, _, *plane = counts.dims
    known = stack["y"].attrs.get("units") != "pixel"
    axes = [to_units(stack[dim], "um").to_numpy() if known else np.full(2, np.nan) for dim in plane]
    pixel = [float(axis[-1] - axis[0]) / max(len(axis) - 1, 1) for axis in axes]
    rest = [dim for dim in counts.dims if dim != channel]
    mean, most, zeros = compute(counts.mean(rest), counts.max(rest), (counts == 0).mean(rest))
    there = {
        "slices": counts.sizes["slice"],
        "missing": ", ".join(map(str, missing_slices(stack))) or "none",
        "field_um": " x ".join(
            f"{step * counts.sizes[d]:.4g}" for step, d in zip(pixel, plane, strict=True)
        ),
        "pixel_nm": " x ".join(f"{1e3 * step:.4g}" for step in pixel),
    }
    return [
        {"stack": name, "channel": str(one)}
        | there
        | {"mean": float(mean[i]), "most": float(most[i]), "zeros": float(zeros[i])}
        for i, one in enumerate(stack[channel].to_numpy())
    ]
