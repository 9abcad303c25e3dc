"""A small volume whose every number is known: a ball and a slab in carbon."""

from __future__ import annotations

import numpy as np
import xarray as xr

STEP = {"z": 0.06, "y": 0.08, "x": 0.08}  # um
SHAPE = {"z": 20, "y": 30, "x": 50}
CENTRE, RADIUS = {"z": 0.6, "y": 1.2, "x": 1.6}, 0.45  # um, of the ball of LLZTO
NAMES = ["carbon", "LLZTO", "LCO"]


def coordinates() -> dict[str, xr.DataArray]:
    return {
        dim: xr.DataArray(STEP[dim] * np.arange(SHAPE[dim]), dims=dim, attrs={"units": "um"})
        for dim in "zyx"
    }


def phases() -> xr.Dataset:
    """Carbon, a ball of LLZTO, and LCO from x = 3.2 um to the end; the last rows not measured."""
    at = coordinates()
    away = sum((at[dim] - CENTRE[dim]) ** 2 for dim in "zyx")
    label = xr.where(away < RADIUS**2, 2, 1)
    label = xr.where(at["x"] > 3.16, 3, label)
    label = xr.where(at["y"] > 2.2, 0, label).transpose("z", "y", "x").astype(np.uint8)
    one_hot = [(label == n).where(label > 0).astype(np.float32) for n in (1, 2, 3)]
    probability = xr.concat(one_hot, xr.Variable("phase", NAMES))
    return xr.Dataset({"label": label, "probability": probability}).assign_coords(at)


def channel() -> xr.DataArray:
    """Counts that tell their own place: 100 z + 10 y + x in voxels; NaN where not measured."""
    at = coordinates()
    index = {dim: xr.DataArray(np.arange(SHAPE[dim]), dims=dim) for dim in "zyx"}
    counts = 100.0 * index["z"] + 10 * index["y"] + index["x"]
    counts = counts.assign_coords(at).where(at["y"] < 2.2).astype(np.float32)
    return counts.rename("Zr").assign_attrs(units="count").assign_coords(channel="Zr")
