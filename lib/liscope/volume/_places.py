"""Where a grid's voxels lie among a stack's slices, and in their pictures."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.units import to_units
from liscope.volume.frames import AXES, Array, Frames, Grid

PHASES = 1024  # fractions of a pixel at which a window is tabulated; linear between them
SAMPLES = 101  # places along each side, by which the variance left is averaged
BRIDGE = 2.0  # usual distances of slices: planes further from any recorded slice are not filled
SNAP = 1e-6  # of the distance of two slices: nearer than this to one, the other has no part

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Planes:
    """Between which slices each plane of the grid lies; a weight of NaN: nothing is known there."""

    lower: NDArray[np.int64]
    upper: NDArray[np.int64]
    weight: Array  # of the upper one

    @classmethod
    def of(cls, frames: Frames, grid: Grid) -> Planes:
        z = grid.origin[0] + grid.step[0] * np.arange(grid.shape[0])
        depth = frames.depth
        usual = float(np.median(np.diff(depth))) if len(depth) > 1 else grid.step[0]
        upper = np.clip(np.searchsorted(depth, z), 1, max(1, len(depth) - 1)) % len(depth)
        lower = np.maximum(upper - 1, 0)
        gap = np.where(upper > lower, depth[upper] - depth[lower], 1.0)
        weight = np.clip((z - depth[lower]) / gap, 0.0, 1.0)
        weight = np.where(weight < SNAP, 0.0, np.where(weight > 1 - SNAP, 1.0, weight))
        reach = 0.5 * usual * (1 + SNAP)
        outside = (z < depth[0] - reach) | (z > depth[-1] + reach)
        away = np.minimum(abs(z - depth[lower]), abs(z - depth[upper]))
        outside |= away > BRIDGE * usual * (1 + SNAP)
        return cls(lower, upper, np.where(outside, np.nan, weight))

    def part(self, start: int, stop: int) -> Planes:
        return Planes(self.lower[start:stop], self.upper[start:stop], self.weight[start:stop])

    def slices(self) -> NDArray[np.int64]:
        """Return the slices that these planes need."""
        needed = np.concatenate([self.lower[self.weight < 1], self.upper[self.weight > 0]])
        return np.unique(needed)

    def beside(self, number: int) -> tuple[NDArray[np.int64], Floats]:
        """Return the planes next to a slice, and the weight it has in each."""
        above = np.where(self.lower == number, 1 - self.weight, 0.0)
        share = above + np.where(self.upper == number, self.weight, 0.0)
        planes = np.flatnonzero(share > 0)
        return planes, share[planes].astype(np.float32)


@dataclass(frozen=True)
class Places:
    """Where the grid's pixels lie in each picture, in its pixels, and how these are weighted."""

    matrix: Array  # (slice, 2, 2)
    offset: Array  # (slice, 2)
    shape: tuple[int, int]
    lanczos: int  # lobes; 0: linear

    @classmethod
    def of(cls, stack: xr.DataArray, frames: Frames, grid: Grid, lanczos: int) -> Places:
        axes = [to_units(stack[dim], "um").to_numpy() for dim in AXES]
        pixel = np.array([(axis[-1] - axis[0]) / max(len(axis) - 1, 1) or 1.0 for axis in axes])
        first = np.array([axis[0] for axis in axes])
        origin, step = np.array(grid.origin[1:]), np.array(grid.step[1:])
        matrix = frames.matrix * step / pixel[:, None]
        offset = (frames.matrix @ origin + frames.offset - first) / pixel
        return cls(matrix, offset, (grid.shape[1], grid.shape[2]), lanczos)

    def tables(self, number: int) -> list[Floats]:
        """Return the weights of pixels about a place along y and x."""
        spread = np.maximum(1.0, np.linalg.norm(self.matrix[number], axis=1))
        return [lanczos_table(self.lanczos, float(s)) for s in spread]

    def squares(self, number: int) -> float:
        """Return the sum of the squared weights of a picture's pixels, in the mean over places."""
        spread = (np.linspace(0, n - 1, min(n, SAMPLES)).round() for n in self.shape)
        at = np.meshgrid(*spread, indexing="ij")
        where = (
            np.tensordot(self.matrix[number], np.stack(at), 1) + self.offset[number, :, None, None]
        )
        part = where - np.floor(where)
        if not self.lanczos:
            return float(np.mean(((1 - part) ** 2 + part**2).prod(0)))
        phase = np.rint(part * PHASES).astype(int)
        one, other = ((t**2).sum(1)[p] for t, p in zip(self.tables(number), phase, strict=True))
        return float(np.mean(one * other))

    def add(self, picture: Floats, number: int, out: Floats, planes: Any, weights: Floats) -> None:
        from liscope.volume import _kernels_resample as kernels  # compiling takes its time

        place = (picture, self.matrix[number], self.offset[number], out, planes, weights)
        if self.lanczos:
            kernels.windowed(*place, *self.tables(number))
        else:
            kernels.linear(*place)


def lanczos_table(lobes: int, spread: float = 1.0) -> Floats:
    """Return the weights of pixels about a place: (fraction of a pixel, pixel), each row's sum 1.

    Parameters
    ----------
    lobes
        Half the window, in target pixels, or in recorded ones where these are coarser.
    spread
        Target pixel over recorded one, at least 1: a coarser target takes the mean of more pixels,
        so that what it cannot resolve does not come back as a pattern.

    Source: C. E. Duchon, J. Appl. Meteorol. 18, 1016 (1979).
    """
    half = ceil(lobes * spread)
    fraction = np.linspace(0, 1, PHASES + 1)[:, None]
    distance = (np.arange(1 - half, half + 1) - fraction) / spread
    weights = np.sinc(distance) * np.sinc(distance / lobes) * (np.abs(distance) < lobes)
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)
