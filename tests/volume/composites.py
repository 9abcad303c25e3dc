"""Small composites of balls whose labels, rates and distances are known exactly."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import ndimage

STEP = (60.0, 80.0, 80.0)  # nm
NAMES = ("carbon", "LLZTO", "LCO")
CHANNELS = ("Co", "Zr", "Al", "C", "6Li+")
RATES = np.array([[1, 0.5, 1, 20, 0.5], [1, 16, 1, 2, 9], [22, 1, 1, 2, 14]])  # of NAMES
LATERAL, BEAM = 80.0, 40.0  # nm


def coordinates(shape: tuple[int, ...]) -> dict[str, xr.DataArray]:
    return {
        dim: xr.DataArray(step / 1e3 * np.arange(n), dims=dim, attrs={"units": "um"})
        for dim, step, n in zip("zyx", STEP, shape, strict=True)
    }


def balls(
    shape: tuple[int, int, int], seed: int, count: int = 60, size: tuple[float, float] = (300, 1000)
) -> tuple[np.ndarray, np.ndarray]:
    """Return labels, 1.. in the order of NAMES, and the depth within LLZTO's balls, nm.

    No ball touches another one, so that depths are exact; even ones are LLZTO, odd ones LCO.
    """
    random = np.random.default_rng(seed)
    axes = [step * np.arange(n) for step, n in zip(STEP, shape, strict=True)]
    label, depth, placed = np.ones(shape, np.uint8), np.zeros(shape), []
    for _ in range(40 * count):
        radius = random.uniform(*size)
        centre = [random.uniform(-0.4 * radius, a[-1] + 0.4 * radius) for a in axes]
        if any(np.linalg.norm(np.subtract(centre, c)) < radius + r + 60 for c, r in placed):
            continue
        z, y, x = (a - c for a, c in zip(axes, centre, strict=True))
        away = np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)
        label[away < radius] = 2 + len(placed) % 2
        if len(placed) % 2 == 0:
            depth = np.where(away < radius, radius - away, depth)
        placed.append((centre, radius))
        if len(placed) == count:
            break
    return label, depth


def counted(
    label: np.ndarray, seed: int, loss: np.ndarray | float = 0.0, coat: np.ndarray | None = None
) -> xr.DataArray:
    """Return Poisson counts (channel, z, y, x): each phase's rates, blurred in the plane.

    ``loss`` of lithium (z, y, x), in LLZTO; ``coat``, shares of voxels that send 40 counts of Al.
    """
    random = np.random.default_rng(seed)
    maps = []
    for c, name in enumerate(CHANNELS):
        rate = RATES[label - 1, c]
        if name == "6Li+":
            rate = rate * np.where(label == 2, 1 - loss, 1)
        if name == "Al" and coat is not None:
            rate = rate + 40 * coat
        width = (BEAM if name.endswith("+") else LATERAL) / STEP[1]
        maps.append(random.poisson(ndimage.gaussian_filter(rate, (0, width, width))))
    return xr.DataArray(
        np.stack(maps).astype(np.float32),
        coordinates(label.shape) | {"channel": list(CHANNELS)},
        ("channel", "z", "y", "x"),
        "counts",
        {"units": "count"},
    )


def known(label: np.ndarray) -> xr.Dataset:
    """Return phases without a doubt."""
    sure = np.stack([label == k + 1 for k in range(len(NAMES))]).astype(np.float32)
    grid = ("z", "y", "x")
    return xr.Dataset(
        {"probability": (("phase", *grid), sure), "label": (grid, label)},
        coordinates(label.shape) | {"phase": list(NAMES)},
    )
