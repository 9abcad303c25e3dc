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
    Columns ``slices``, ``missing`` (numbers of the slices that are not there), ``left_out`` (why
    not, as text: "26: 'Co_026.tif' is missing; 36: not recorded"), ``field_um``, ``pixel_nm``, and
    per pixel ``mean`` and ``most`` counts and the share of ``zeros``.
    """
    import pandas as pd

    rows = [row for name, stack in stacks.items() for row in _rows(name, stack)]
    return pd.DataFrame(rows).set_index(["stack", "channel"])


def missing_slices(stack: xr.Dataset) -> list[int]:
    """Return the numbers of slices that are not there: left out, or absent from the series."""
    there = {int(one) for one in stack["slice"].to_numpy()}
    known = there | {int(one["slice"]) for one in json.loads(stack.attrs.get("left_out", "[]"))}
    start, span = min(known), max(known) - min(known) + 1
    count = max(int(stack.attrs.get("slice_count", span)), span)
    # As many as fit before the first that is known were not recorded there; the others, at the end.
    first = start - max(0, min(count - span, start))
    return sorted(set(range(first, first + count)) - there)


def why_missing(stack: xr.Dataset) -> list[tuple[str, list[int]]]:
    """Return each reason for which slices are missing, and their numbers.

    Parameters
    ----------
    stack
        With the attribute ``left_out``, JSON: a list of slice, file and why; a slice that is
        missing without such an entry was "not recorded".
    """
    entries = json.loads(stack.attrs.get("left_out", "[]"))
    faults = [(f"'{one['file']}' {one['why']}", int(one["slice"])) for one in entries]
    known = {number for _, number in faults}
    gaps = [("not recorded", one) for one in missing_slices(stack) if one not in known]
    reasons: dict[str, list[int]] = {}
    for why, number in sorted(faults + gaps, key=lambda one: one[1]):
        reasons.setdefault(why, []).append(number)
    return list(reasons.items())


def _listed(reasons: list[tuple[str, list[int]]]) -> str:
    return "; ".join(f"{', '.join(map(str, ones))}: {why}" for why, ones in reasons)


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
        "left_out": _listed(why_missing(stack)) or "none",
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
