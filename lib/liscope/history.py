"""What was done to an array can be read off it: one line a step in ``attrs["history"]``."""

from __future__ import annotations

import xarray as xr


def noted(array: xr.DataArray, source: xr.DataArray, step: str) -> xr.DataArray:
    """Return ``array`` with the attributes of ``source`` and one more line of history."""
    lines = [line for line in (source.attrs.get("history", ""), step) if line]
    return array.assign_attrs(source.attrs | array.attrs | {"history": "\n".join(lines)})
