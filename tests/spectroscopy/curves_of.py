"""Analytic curves in the form in which the readers hand over measured ones."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike


def curves_of(bias: ArrayLike, current: ArrayLike, **coordinates: object) -> xr.Dataset:
    """Return curves (curve, point) of biases in V and currents in nA."""
    arrays = (np.atleast_2d(np.asarray(one, float)) for one in (bias, current))
    return xr.Dataset(
        {
            name: (("curve", "point"), values, {"units": units})
            for name, values, units in zip(("bias", "current"), arrays, ("V", "nA"), strict=True)
        },
        coords={name: ("curve", values) for name, values in coordinates.items()},
    )


def phase(points: int) -> np.ndarray:
    """Return the angle of one cycle, its last point where its first one was."""
    return 2 * np.pi * np.arange(points + 1) / points


def sweep(*turns: float, step: float = 0.05) -> np.ndarray:
    """Return a bias that runs straight from one turning point to the next, in equal steps."""
    ways = [np.linspace(a, b, round(abs(b - a) / step) + 1)[1:] for a, b in pairwise(turns)]
    return np.concatenate([[turns[0]], *ways])
