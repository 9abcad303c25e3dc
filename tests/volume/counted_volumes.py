"""Small volumes and stacks of smooth random channels, for the tests of voxels."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import ndimage

STEP = (0.06, 0.08, 0.08)  # um


def volume(values: np.ndarray, names: str = "ab") -> xr.DataArray:
    """Return values (channel, z, y, x) as a volume."""
    coords = {
        dim: (dim, size * np.arange(n), {"units": "um"})
        for dim, n, size in zip("zyx", values.shape[1:], STEP, strict=True)
    }
    dims = ("channel", "z", "y", "x")
    return xr.DataArray(
        values.astype(np.float32),
        {"channel": list(names), **coords},
        dims,
        attrs={"units": "count"},
    )


def smooth(rng: np.random.Generator, shape: tuple[int, int, int], width: float = 3.0) -> np.ndarray:
    """Return a field as wide awake at its borders as inside, of mean 0 and variance 1."""
    around = (4, int(4 * width), int(4 * width))
    noise = rng.normal(size=[n + 2 * m for n, m in zip(shape, around, strict=True)])
    point = np.zeros([2 * m + 1 for m in around])
    point[around] = 1
    scale = np.sqrt(np.sum(ndimage.gaussian_filter(point, (1, width, width)) ** 2))
    field = ndimage.gaussian_filter(noise, (1, width, width))
    return np.asarray(field[tuple(slice(m, -m) for m in around)] / scale)


def stack(values: np.ndarray, pixel: float, numbers: list[int] | None = None) -> xr.DataArray:
    """Return values (channel, slice, y, x) as a stack with square pixels, um."""
    size = values.shape
    coords = {
        "ion": [f"ion{n}" for n in range(size[0])],
        "slice": numbers or list(range(size[1])),
        "y": ("y", pixel * (np.arange(size[2]) + 0.5), {"units": "um"}),
        "x": ("x", pixel * (np.arange(size[3]) + 0.5), {"units": "um"}),
    }
    return xr.DataArray(
        values, coords, ("ion", "slice", "y", "x"), "counts", attrs={"units": "count"}
    )
