"""Volumes of labels that are known everywhere: balls, slabs, channels, random blobs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

STEPS = (0.06, 0.0814, 0.0814)  # z, y, x, um


def labelled(
    label: NDArray,
    names: Sequence[str] = ("matrix", "balls"),
    steps: Sequence[float] = STEPS,
    chunks: tuple[int, ...] | None = None,
) -> xr.DataArray:
    """Return labels as the library has them, lazily if in chunks."""
    coords = {
        dim: xr.DataArray(step * np.arange(count), dims=dim, attrs={"units": "um"})
        for dim, step, count in zip("zyx", steps, label.shape, strict=True)
    }
    found = xr.DataArray(label, dims=("z", "y", "x"), coords=coords)
    found.attrs["phase_names"] = list(names)
    return found if chunks is None else found.chunk(dict(zip("zyx", chunks, strict=True)))


def blobs(shape: tuple[int, ...], seed: int, phases: int = 2, smooth: float = 1.0) -> NDArray:
    """Return labels 0 to ``phases`` of a thresholded random field."""
    field = np.random.default_rng(seed).standard_normal(shape)
    field = ndimage.gaussian_filter(field, smooth, mode="wrap") if smooth else field
    edges = np.quantile(field, np.arange(1, phases + 1) / (phases + 1))
    return np.digitize(field, edges).astype(np.uint8)


def distances(
    shape: Sequence[int], centre: Sequence[float], steps: Sequence[float] = STEPS
) -> NDArray[np.float64]:
    """Return the distance of each voxel from a point, um."""
    along = np.ogrid[tuple(slice(0, n) for n in shape)]
    parts = zip(along, steps, centre, strict=True)
    return np.sqrt(sum((place * step - middle) ** 2 for place, step, middle in parts))


def balls(
    shape: Sequence[int],
    diameters: NDArray[np.float64],
    seed: int = 0,
    gap: float = 0.2,
    steps: Sequence[float] = STEPS,
) -> NDArray[np.int32]:
    """Return numbers 1, 2, ... of balls apart by ``gap`` um at random places, cut by the border.

    Centres lie also outside, by up to the largest radius: the volume is a window.
    """
    rng = np.random.default_rng(seed)
    number = np.zeros(shape, np.int32)
    side, room = np.multiply(shape, steps), diameters.max() / 2
    placed = np.zeros((0, 4))
    for diameter in np.sort(diameters)[::-1]:
        for _ in range(500):
            centre = rng.uniform(-room, side + room)
            apart = np.linalg.norm(placed[:, :3] - centre, axis=1)
            if np.all(apart > placed[:, 3] / 2 + diameter / 2 + gap):
                placed = np.vstack([placed, [*centre, diameter]])
                break
        else:
            raise AssertionError("no room for the balls")
    for i, (*centre, diameter) in enumerate(placed, 1):
        _draw(number, i, centre, diameter / 2, steps)
    return number


def _draw(
    number: NDArray, i: int, centre: Sequence[float], radius: float, steps: Sequence[float]
) -> None:
    low = [max(0, int((c - radius) / s)) for c, s in zip(centre, steps, strict=True)]
    high = [max(0, int((c + radius) / s) + 2) for c, s in zip(centre, steps, strict=True)]
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    part = number[box]
    if part.size:
        shifted = [c - a * s for c, a, s in zip(centre, low, steps, strict=True)]
        part[distances(part.shape, shifted, steps) < radius] = i
