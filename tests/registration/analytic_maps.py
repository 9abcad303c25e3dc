"""Two maps of one landscape that is known at every point, and where one lies in the other.

The landscape is a sum of plane waves, so that no map is made from another by interpolation; the
true place is worked out here with x first, independently of the library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.registration import Field, Placement

Array = NDArray[np.float64]


def image(
    values: Array, pixel: float | tuple[float, float] = 0.05, **attrs: object
) -> xr.DataArray:
    """Values (y, x) as a map with coordinates in um, the first pixel's corner at 0."""
    sides = (pixel, pixel) if isinstance(pixel, float) else pixel
    axes = [(np.arange(n) + 0.5) * side for n, side in zip(values.shape, sides, strict=True)]
    return at(values, *axes).assign_attrs(attrs)


def at(values: Array, y: Array, x: Array, name: str = "map") -> xr.DataArray:
    """Values at places ``y`` and ``x`` (um) as a map."""
    coords = {axis: (axis, c, {"units": "um"}) for axis, c in (("y", y), ("x", x))}
    return xr.DataArray(values, coords, ("y", "x"), name, {"units": "1"})


class Landscape:
    """A smooth random function of the place, of unit variance."""

    def __init__(self, seed: int = 0, waves: int = 80) -> None:
        rng = np.random.default_rng(seed)
        number, direction = 2 * np.pi / rng.uniform(0.5, 3, waves), rng.uniform(0, 2 * np.pi, waves)
        self.number = np.stack([number * np.cos(direction), number * np.sin(direction)])
        self.phase = rng.uniform(0, 2 * np.pi, waves)

    def __call__(self, points: Array) -> Array:
        """Return the value at points (..., 2: x, y; um)."""
        waves = np.cos(points @ self.number + self.phase)
        return np.asarray(waves.sum(-1) * np.sqrt(2 / len(self.phase)))


def mesh(x: Array, y: Array) -> Array:
    return np.stack(np.meshgrid(x, y), -1)


@dataclass(frozen=True)
class Pair:
    """Two maps, and where the points of the fixed one (..., 2: y, x) lie in the moving one."""

    fixed: xr.DataArray
    moving: xr.DataArray
    place: Callable[[Array], Array]

    def inside(self) -> tuple[Array, Array]:
        """Return the fixed map's pixels that the moving one holds, and where they truly lie."""
        points, there = Field.of(self.fixed).points(), Field.of(self.moving)
        truth = self.place(points)
        common = (np.abs(truth - there.centre) < there.size / 2).all(-1)
        return points[common], truth[common]

    def error(self, placement: Placement) -> float:
        """Return the root mean square distance (nm) of a placement from the truth."""
        points, truth = self.inside()
        return 1000 * float(np.sqrt(np.mean(np.sum((placement(points) - truth) ** 2, -1))))


def _no_drift(y: Array) -> Array:
    return np.zeros((*y.shape, 2))


def pair(
    seed: int = 0,
    angle: float = 8.0,
    scale: tuple[float, float] = (1.02, 0.98),
    shift: tuple[float, float] = (0.4, -0.3),
    *,
    seen: Callable[[Array], Array] = lambda value: value,
    noise: float = 0.0,
    drift: Callable[[Array], Array] = _no_drift,
    fixed_pixels: tuple[int, int] = (96, 110),
    moving_pixels: tuple[int, int] = (120, 128),
) -> Pair:
    """Return two maps that differ in field, origin and pixel.

    Parameters
    ----------
    angle
        Degrees from x to y by which fixed points are turned into moving ones.
    scale, shift
        Along x and y; the moving map's middle lies at ``shift`` (um) from the fixed one's.
    seen
        The moving map's value for that of the landscape.
    noise
        Standard deviation of the fixed map's noise.
    drift
        (..., 2: x, y; um) as a function of the moving map's y; is taken off there.
    """
    landscape, rng = Landscape(seed), np.random.default_rng([seed, 1])
    x, y = 0.1 + 0.08 * np.arange(fixed_pixels[1]), 0.2 + 0.08 * np.arange(fixed_pixels[0])
    to_x = 2.0 + 0.05 * np.arange(moving_pixels[1])
    to_y = 1.0 + 0.045 * np.arange(moving_pixels[0])
    here = np.array([x.mean(), y.mean()]) + shift
    there = np.array([to_x.mean(), to_y.mean()])
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    matrix = np.array([[cos, -sin], [sin, cos]]) @ np.diag(scale)
    values = landscape(mesh(x, y)) + noise * rng.standard_normal((len(y), len(x)))
    scanned = mesh(to_x, to_y)
    origin = (scanned + drift(scanned[..., 1]) - there) @ np.linalg.inv(matrix).T + here

    def place(points: Array) -> Array:
        steady = (points[..., ::-1] - here) @ matrix.T + there
        found = steady
        for _ in range(50):  # the drift is that of the line on which the point ends up
            found = steady - drift(found[..., 1])
        return found[..., ::-1]

    return Pair(at(values, y, x, "fixed"), at(seen(landscape(origin)), to_y, to_x, "moving"), place)


def marked(two: Pair, count: int, error: float = 0.0, seed: int = 0) -> list[tuple[float, ...]]:
    """Return places of both maps, x first, marked with an error (um)."""
    rng = np.random.default_rng(seed)
    here, there = two.inside()
    chosen = rng.choice(len(here), count, replace=False)
    rows = np.hstack([here[chosen][:, ::-1], there[chosen][:, ::-1]])
    return [tuple(row) for row in rows + error * rng.standard_normal(rows.shape)]
