"""A composite of spheres seen slice by slice by two instruments; every place in it is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from liscope.volume.frames import Frames

Array = NDArray[np.float64]
CARBON, LLZTO, LCO = range(3)
EDS = {"Co": (0.5, 0.5, 8.0), "Zr": (0.6, 9.0, 0.6), "C": (9.0, 1.0, 1.5)}  # counts by phase
SIMS = {"6Li+": (0.8, 7.0, 14.0)}


@dataclass(frozen=True)
class Spheres:
    """Centres (n, 3: z, y, x), radii (n,), um, and phases; later ones lie over earlier ones."""

    centre: Array
    radius: Array
    phase: NDArray[np.int64]

    @classmethod
    def random(cls, seed: int, size: tuple[float, float, float], room: float = 1.5) -> Spheres:
        """Fill ``size`` um and ``room`` around it: small LCO and large LLZTO in carbon."""
        rng = np.random.default_rng([seed, 99])
        low, high = -room, np.asarray(size) + room
        volume = float(np.prod(high - low))
        small, large = rng.uniform(0.3, 1.1, int(0.13 * volume)), rng.uniform(1, 3, 2000)
        large = large[: 1 + int(np.searchsorted(np.cumsum(4.19 * large**3), 0.35 * volume))]
        radius = np.concatenate([small, large])
        phase = np.repeat([LCO, LLZTO], [len(small), len(large)])
        order = rng.permutation(len(radius))
        return cls(rng.uniform(low, high, (len(radius), 3)), radius[order], phase[order])

    def seen(self, frames: Frames, pixel: float, shape: tuple[int, int]) -> NDArray[np.int64]:
        """Return the phase (slice, y, x) at the pixels' centres, pixel * (index + 1/2) um."""
        out = np.zeros((len(frames.depth), *shape), np.int64)
        for picture, matrix, offset, depth in zip(
            out, frames.matrix, frames.offset, frames.depth, strict=True
        ):
            back = np.linalg.inv(matrix)
            left = self.radius**2 - (self.centre[:, 0] - depth) ** 2
            for i in np.flatnonzero(left > 0):
                at = (matrix @ self.centre[i, 1:] + offset) / pixel - 0.5
                reach = np.sqrt(left[i]) * 1.05 / pixel + 1
                (a, b), (c, d) = (
                    np.clip([np.floor(p - reach), np.ceil(p + reach) + 1], 0, n).astype(int)
                    for p, n in zip(at, shape, strict=True)
                )
                grid = np.stack(np.mgrid[a:b, c:d] + 0.5, -1) * pixel
                inside = ((grid - offset) @ back.T - self.centre[i, 1:]) ** 2
                picture[a:b, c:d][inside.sum(-1) < left[i]] = self.phase[i]
        return out


def stack(
    spheres: Spheres,
    frames: Frames,
    pixel: float,
    shape: tuple[int, int],
    rates: dict[str, tuple[float, ...]],
    seed: int,
    blur: float = 1.0,
    channel: str = "element",
) -> xr.DataArray:
    """Return Poisson counts (channel, slice, y, x) behind a Gaussian of ``blur`` pixels."""
    rng = np.random.default_rng([seed, len(rates)])
    label = spheres.seen(frames, pixel, shape)
    table = np.array(list(rates.values()))[:, label]
    expected = ndimage.gaussian_filter(table, (0, 0, blur, blur), mode="nearest")
    axes = [pixel * (np.arange(n) + 0.5) for n in shape]
    coords = {
        channel: list(rates),
        "slice": np.arange(len(frames.depth)),
        "y": ("y", axes[0], {"units": "um"}),
        "x": ("x", axes[1], {"units": "um"}),
    }
    counts = rng.poisson(expected).astype(np.uint16)
    return xr.DataArray(counts, coords, (channel, "slice", "y", "x"), "counts", {"units": "count"})


def drifting(count: int, step: float, seed: int, thickness: float = 0.06) -> Frames:
    """Return frames of slices whose pictures wander by ``step`` um (standard deviation) each."""
    rng = np.random.default_rng([seed, 7])
    wander = np.cumsum(rng.normal(0, step, (count, 2)), 0)
    wander -= wander.mean(0)
    depth = thickness * np.arange(count)
    return Frames(np.tile(np.eye(2), (count, 1, 1)), wander, depth)
