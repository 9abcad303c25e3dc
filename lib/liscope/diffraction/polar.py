"""From the camera's pixels to polar coordinates: spots over a background that hangs on the radius.

Every array of a block of patterns may live in numpy, torch or cupy; the namespace is taken from the
array itself (the Python array API standard).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

AZIMUTHS = 180  # 2 degrees each, 1.3 px where spots are 1.3 px wide
SEARCH = 6  # px, where the direct beam is looked for
PARTS = 4  # of a pixel, to which a centre is rounded
CLIP = 2.0  # standard deviations above a ring's mean beyond which a pixel is no background
ABOVE = 1.0  # standard deviations of the background that a spot must rise above it
POWER = 0.375  # of spot intensities, so that a few strong spots do not decide alone

Array = Any  # of any namespace of the array API


@dataclass(frozen=True)
class Geometry:
    """How reciprocal space lies on the camera.

    ``matrix`` (2, 2) turns (kx, ky) in 1/angstrom into pixels (x, y) from the direct beam: camera
    constant, ellipticity and rotation between scan and camera in one. ``size`` (rows, columns).
    """

    matrix: np.ndarray
    size: tuple[int, int]

    @property
    def pixel(self) -> float:
        """Mean size of a pixel in 1/angstrom."""
        return float(1 / np.sqrt(abs(np.linalg.det(self.matrix))))

    @property
    def rotation(self) -> float:
        """Of the scan's x axis against the camera's in degrees, towards y."""
        left, _, right = np.linalg.svd(self.matrix)
        turned = left @ right
        return float(np.rad2deg(np.arctan2(turned[1, 0], turned[0, 0])))

    @property
    def reach(self) -> float:
        """Radius in 1/angstrom up to which a centred pattern is whole, less two pixels."""
        return (min(self.size) / 2 - 2) * self.pixel


@dataclass(frozen=True)
class Grid:
    """Where the camera is read: ``radius`` (r,) in 1/angstrom times ``AZIMUTHS``.

    ``column`` and ``line`` (parts^2, r * azimuths) of the pixel before each point, counted from
    the one in which the direct beam lies, for each fraction of a pixel; ``right`` and ``below``
    how far the point lies from it, as shares of a pixel.
    """

    radius: np.ndarray
    column: np.ndarray
    line: np.ndarray
    right: np.ndarray
    below: np.ndarray
    size: tuple[int, int]


def grid(geometry: Geometry, inner: float, outer: float) -> Grid:
    """Return the polar grid between two radii in 1/angstrom, one ring a pixel."""
    radius = np.arange(inner, outer, geometry.pixel)
    azimuth = 2 * np.pi * np.arange(AZIMUTHS) / AZIMUTHS
    k = radius[:, None, None] * np.stack([np.cos(azimuth), np.sin(azimuth)], axis=-1)
    offset = k.reshape(-1, 2) @ geometry.matrix.T
    part = np.arange(PARTS) / PARTS
    shift = np.stack(np.meshgrid(part, part, indexing="ij"), axis=-1).reshape(-1, 1, 2)
    at = offset + shift
    corner = np.floor(at)
    right, below = np.moveaxis((at - corner).astype(np.float32), -1, 0)
    column, line = np.moveaxis(corner.astype(np.int32), -1, 0)
    return Grid(radius.astype(np.float32), column, line, right, below, geometry.size)


def unrolled(patterns: Array, centres: Array, grid: Grid) -> Array:
    """Return patterns (n, rows, columns) in polar coordinates, float32 (n, r, azimuths).

    Parameters
    ----------
    centres
        (n, 2) of the direct beam, x then y, in pixels. Points beyond the camera read its edge.
    """
    xp = array_namespace(patterns)
    count, rows, columns = patterns.shape
    eighths = xp.astype(xp.round(centres * PARTS), xp.int32)
    whole, part = eighths // PARTS, eighths % PARTS
    table = part[:, 0] * PARTS + part[:, 1]
    x = xp.clip(xp.take(grid.column, table, axis=0) + whole[:, 0:1], 0, columns - 2)
    y = xp.clip(xp.take(grid.line, table, axis=0) + whole[:, 1:2], 0, rows - 2)
    first = y * columns + x
    first += xp.arange(count, dtype=xp.int32, device=device(patterns))[:, None] * (rows * columns)
    flat = xp.reshape(patterns, (-1,))
    right, below = (xp.take(field, table, axis=0) for field in (grid.right, grid.below))

    def row(start: Array) -> Array:
        one, two = (xp.take(flat, xp.reshape(start + i, (-1,))) for i in (0, 1))
        one, two = (xp.astype(xp.reshape(each, start.shape), xp.float32) for each in (one, two))
        return one + right * (two - one)

    above, under = row(first), row(first + columns)
    total = above + below * (under - above)
    return xp.reshape(total, (count, grid.radius.shape[0], AZIMUTHS))


def spots_only(polar: Array) -> tuple[Array, Array]:
    """Return what rises above each ring's background, to the power ``POWER``, and how much that is.

    The background of a ring is the mean of its pixels without those far above, which spots are.
    A halo of glass is a background in this sense.

    Returns
    -------
    spots, norm
        (n, r, azimuths), of unit norm for each pattern, and that norm before (n,), in units of the
        strongest point: about the root of the number of spots, whatever a grey level is.
    """
    xp = array_namespace(polar)
    smooth = _smooth(polar, xp)
    limit = None
    for _ in range(3):
        calm = smooth if limit is None else xp.minimum(smooth, limit)
        mean = xp.mean(calm, axis=2, keepdims=True)
        spread = xp.sqrt(xp.mean((calm - mean) ** 2, axis=2, keepdims=True))
        limit = mean + CLIP * spread
    above = eighths_power(xp.clip(smooth - (mean + ABOVE * spread), 0, None), xp)
    norm = xp.sqrt(xp.sum(above * above, axis=(1, 2), keepdims=True))
    top = xp.max(above, axis=(1, 2))
    return above / xp.clip(norm, 1e-12, None), norm[:, 0, 0] / xp.clip(top, 1e-12, None)


def eighths_power(intensity: Array, xp: Any) -> Array:
    """Return ``intensity`` to the power ``POWER`` = 3/8, by square roots, which are fast."""
    quarter = xp.sqrt(xp.sqrt(intensity))
    return quarter * xp.sqrt(quarter)


def _smooth(polar: Array, xp: Any) -> Array:
    """Return the running mean (1, 2, 1) over azimuth and, except at the ends, over radius."""
    round_ = 0.5 * polar + 0.25 * (xp.roll(polar, 1, axis=2) + xp.roll(polar, -1, axis=2))
    inner = 0.5 * round_[:, 1:-1, :] + 0.25 * (round_[:, :-2, :] + round_[:, 2:, :])
    return xp.concat([round_[:, :1, :], inner, round_[:, -1:, :]], axis=1)


def direct_beam(patterns: Array, about: tuple[float, float] | None = None) -> Array:
    """Return centres (n, 2) of the direct beam, x then y, in pixels, float32.

    The centre of gravity of what is brighter than half the brightest pixel within ``SEARCH``
    pixels of where it is expected: close enough that no reflection is taken for it.

    Parameters
    ----------
    about
        Where the beam is expected, x then y, in pixels; the camera's middle by default.
    """
    xp = array_namespace(patterns)
    _, rows, columns = patterns.shape
    x0, y0 = about or ((columns - 1) / 2, (rows - 1) / 2)
    left = min(max(round(x0) - SEARCH, 0), columns - 2 * SEARCH - 1)
    top = min(max(round(y0) - SEARCH, 0), rows - 2 * SEARCH - 1)
    width = 2 * SEARCH + 1
    window = xp.astype(patterns[:, top : top + width, left : left + width], xp.float32)
    along = xp.arange(width, dtype=xp.float32, device=device(patterns))
    near = (along - SEARCH) ** 2 + ((along - SEARCH) ** 2)[:, None] <= SEARCH**2
    window = window * xp.astype(near, xp.float32)
    peak = xp.max(window, axis=(1, 2), keepdims=True)
    weight = xp.clip(window - 0.5 * peak, 0, None)
    total = xp.clip(xp.sum(weight, axis=(1, 2)), 1e-6, None)
    x = xp.sum(xp.sum(weight, axis=1) * along, axis=1) / total + left
    y = xp.sum(xp.sum(weight, axis=2) * along, axis=1) / total + top
    return xp.stack([x, y], axis=1)
