"""Where the places of one map lie in another: an affine map and a drift along the scan lines."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr
from numpy.polynomial import legendre
from numpy.typing import NDArray
from scipy import ndimage

from liscope.history import noted

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Field:
    """Origin (centre of the first pixel), pixel size and shape of a map, each (y, x); um."""

    origin: tuple[float, float]
    pixel: tuple[float, float]
    shape: tuple[int, int]

    @classmethod
    def of(cls, image: xr.DataArray) -> Field:
        """Read the field off the coordinates of a map (y, x)."""
        axes = [image[dim].to_numpy() for dim in ("y", "x")]
        origin = (float(axes[0][0]), float(axes[1][0]))
        pixel = tuple(float((axis[-1] - axis[0]) / max(len(axis) - 1, 1)) for axis in axes)
        return cls(origin, (pixel[0], pixel[1]), (len(axes[0]), len(axes[1])))

    @property
    def size(self) -> Array:
        """Height and width, um."""
        return np.asarray(self.shape) * self.pixel

    @property
    def centre(self) -> Array:
        """Middle of the map (y, x), um."""
        return np.asarray(self.origin) - np.asarray(self.pixel) / 2 + self.size / 2

    def points(self) -> Array:
        """Return all pixel centres, (y, x, 2: y, x) in um."""
        axes = [
            o + p * np.arange(n)
            for o, p, n in zip(self.origin, self.pixel, self.shape, strict=True)
        ]
        return np.stack(np.meshgrid(*axes, indexing="ij"), -1)

    def corners(self) -> Array:
        """Return the four outer corners, (4, 2: y, x) in um, clockwise from the first pixel."""
        low = self.centre - self.size / 2
        return low + np.array([[0, 0], [0, 1], [1, 1], [1, 0]]) * self.size

    def indices(self, points: Array) -> Array:
        """Return fractional pixel indices of points (..., 2: y, x), um."""
        return (points - self.origin) / self.pixel


@dataclass(frozen=True)
class Placement:
    """Maps points of the fixed map to the moving one; all points (y, x), um.

    ``moving = matrix @ (fixed - centre) + centre + offset``, then minus the drift of the scan line
    on which that point lies: a sum of Legendre polynomials of the moving map's slow axis (y).

    ``covariance`` is that of the six numbers ``a`` of a further small displacement of the fixed
    points, ``u = a[:2] + a[2:].reshape(2, 2) @ (fixed - centre) / half``, um each, and of the
    drift's coefficients behind them.
    """

    matrix: Array
    offset: Array
    centre: Array
    half: float  # um, half the diagonal of the common field: makes the six numbers alike
    slow: tuple[float, float] = (0.0, 1.0)  # first and last line of the moving map, um
    drift: Array = field(default_factory=lambda: np.zeros((0, 2)))  # (order, 2: y, x), um
    covariance: Array | None = None

    def __call__(self, points: Array) -> Array:
        """Return where points (..., 2) of the fixed map lie in the moving one."""
        placed = (points - self.centre) @ self.matrix.T + self.centre + self.offset
        return placed - self.drift_at(placed[..., 0]) if len(self.drift) else placed

    def inverse(self, points: Array) -> Array:
        """Return where points (..., 2) of the moving map lie in the fixed one."""
        placed = points
        if len(self.drift):
            for _ in range(3):  # the drift is that of the line on which the point would lie
                placed = points + self.drift_at(placed[..., 0])
        back = np.linalg.inv(self.matrix).T
        return np.asarray((placed - self.centre - self.offset) @ back + self.centre)

    def drift_at(self, slow: Array) -> Array:
        """Return the drift (..., 2: y, x; um) of the lines at ``slow`` (um) of the moving map."""
        return self.basis(slow) @ self.drift

    def basis(self, slow: Array) -> Array:
        """Return the polynomials (..., order) at ``slow``, without those an affine map has."""
        time = 2 * (slow - self.slow[0]) / (self.slow[1] - self.slow[0]) - 1
        degrees = len(self.drift) + 1
        return np.asarray(legendre.legvander(np.clip(time, -1, 1), degrees)[..., 2:])

    def moved(self, displacement: Array) -> Placement:
        """Return the placement after a small displacement of the fixed points (6 numbers, um)."""
        inner = np.eye(2) + displacement[2:6].reshape(2, 2) / self.half
        offset = self.offset + self.matrix @ displacement[:2]
        return replace(self, matrix=self.matrix @ inner, offset=offset)

    def drifted(self, more: Array) -> Placement:
        """Return the placement with coefficients (order, 2: y, x; um) added to the drift."""
        return replace(self, drift=self.drift + more)

    def rigid(self) -> Placement:
        """Return the placement without stretch, shear and drift: turned and shifted only."""
        u, _, vt = np.linalg.svd(self.matrix)
        return Placement(u @ vt, self.offset, self.centre, self.half, self.slow)

    @property
    def rotation(self) -> float:
        """Rotation by which fixed points are turned into moving ones, from x to y; degrees."""
        u, _, vt = np.linalg.svd(self.matrix)
        turn = u @ vt
        return float(np.rad2deg(np.arctan2(turn[0, 1], turn[0, 0])))

    @property
    def scales(self) -> tuple[float, float]:
        """Largest and smallest stretch from the fixed to the moving map."""
        values = np.linalg.svd(self.matrix, compute_uv=False)
        return float(values[0]), float(values[1])


def _affine_basis(points: Array, placement: Placement) -> Array:
    """Return (..., 6, 2): the displacement (y, x) of fixed points by each of the six numbers."""
    relative = (points - placement.centre) / placement.half
    basis = np.zeros((*points.shape[:-1], 6, 2))
    basis[..., 0, 0] = basis[..., 1, 1] = 1
    basis[..., 2, 0], basis[..., 3, 0] = relative[..., 0], relative[..., 1]
    basis[..., 4, 1], basis[..., 5, 1] = relative[..., 0], relative[..., 1]
    return basis


def displacement_basis(points: Array, placement: Placement) -> Array:
    """Return (point, parameter, 2: y, x): the displacement of fixed points by each number.

    First the six of an affine map, then the coefficients of the drift, as in the covariance.
    """
    basis = _affine_basis(points, placement)
    if not len(placement.drift):
        return basis
    placed = replace(placement, drift=np.zeros((0, 2)))(points)
    lines = placement.basis(placed[:, 0])
    # A drift of the moving map, seen by the fixed points: turned back, with the other sign.
    back = -np.linalg.inv(placement.matrix)
    drift = np.einsum("nk,ij->nkji", lines, back).reshape(len(points), -1, 2)
    return np.concatenate([basis, drift], axis=1)


def finer(image: xr.DataArray, times: int) -> xr.DataArray:
    """Return an empty map (y, x) over the same field with pixels ``times`` as fine; for `onto`."""
    here = Field.of(image)
    coords = {
        dim: (dim, c - n * p / 2 + (np.arange(n * times) + 0.5) * p / times, image[dim].attrs)
        for dim, c, n, p in zip(("y", "x"), here.centre, here.shape, here.pixel, strict=True)
    }
    empty = np.full([times * n for n in here.shape], np.nan)
    return xr.DataArray(empty, coords, ("y", "x"), image.name)


def onto(moving: xr.DataArray, fixed: xr.DataArray, placement: Placement) -> xr.DataArray:
    """Return ``moving`` on the pixels of ``fixed`` (y, x), NaN where it was not measured.

    Linear interpolation: a map that is finer than the fixed one must be smoothed first.
    """
    there, here = Field.of(moving), Field.of(fixed)
    # Rounded, since the last bit of a coordinate would take a border pixel out of the map.
    where = np.round(there.indices(placement(here.points())), 6)
    values = ndimage.map_coordinates(
        moving.to_numpy(), np.moveaxis(where, -1, 0), order=1, cval=np.nan
    )
    placed = xr.DataArray(
        values, {"y": fixed["y"], "x": fixed["x"]}, ("y", "x"), moving.name, moving.attrs
    )
    return noted(placed, moving, f"placed on the pixels of '{fixed.name}'")
