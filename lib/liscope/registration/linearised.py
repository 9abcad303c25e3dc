"""What small displacements would change: the uncertainty of a placement, and drift of scan lines.

The fixed map is described by the moving one through the mean that the fixed map has where the
moving one has a given value. Around a placement this description is linear in small displacements;
its residuals say how sharply, and how consistently from place to place, they are fixed by the data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope import statistics
from liscope.registration.placement import Array, Field, Placement, displacement_basis, onto

LEVELS = 24  # of the moving map between which its relation to the fixed one is a straight line
FEWEST = 4  # blocks along either side, however far the residuals are alike
ROUNDS = 4


@dataclass(frozen=True)
class _Linear:
    """Residual (pixel) of the description, its change with each parameter, and blocks of pixels."""

    residual: Array
    change: Array  # (pixel, parameter)
    block: NDArray[np.intp]
    held: float

    @property
    def curvature(self) -> Array:
        return np.asarray(self.change.T @ self.change)

    def solution(self) -> Array:
        """Return the displacement that describes the fixed map best."""
        found, *_ = np.linalg.lstsq(self.curvature, self.change.T @ self.residual, rcond=1e-9)
        return np.asarray(found, dtype=float)

    def covariance(self) -> Array:
        """Return the covariance of the solution: from block to block, not from pixel to pixel."""
        score = self.residual[:, None] * self.change
        sums = np.stack([np.bincount(self.block, column) for column in score.T], -1)
        sums = sums[np.bincount(self.block) > 0]
        spread = sums - sums.mean(0)
        inverse = np.linalg.pinv(self.curvature, rcond=1e-9)
        count = len(sums)
        return np.asarray(inverse @ (spread.T @ spread) @ inverse * count / (count - 1) / self.held)


def with_covariance(fixed: xr.DataArray, moving: xr.DataArray, placement: Placement) -> Placement:
    """Return the placement with its covariance.

    The distance to the solution of the linear description, which is another estimate from the same
    data, is added: where the two disagree, neither is sure.
    """
    linear = _linearise(fixed, moving, placement)
    step = linear.solution()
    return replace(placement, covariance=linear.covariance() + np.outer(step, step))


def with_drift(
    fixed: xr.DataArray, moving: xr.DataArray, placement: Placement, orders: int
) -> Placement:
    """Return the placement with the drift along the moving map's scan lines taken out.

    Parameters
    ----------
    orders
        Number of Legendre polynomials beyond the straight line, which an affine map holds already.
    """
    found = replace(placement, drift=np.zeros((orders, 2)))
    for _ in range(ROUNDS):
        step = _linearise(fixed, moving, found).solution()
        found = found.moved(step[:6]).drifted(step[6:].reshape(orders, 2))
    return found


def _linearise(fixed: xr.DataArray, moving: xr.DataArray, placement: Placement) -> _Linear:
    seen = onto(moving, fixed, placement).to_numpy()
    values = fixed.to_numpy()
    valid = np.isfinite(seen) & np.isfinite(values)
    described = _described(values, seen, valid)
    here = Field.of(fixed)
    slopes = np.stack([*np.gradient(described, *here.pixel)], -1)
    valid &= np.isfinite(slopes).all(-1)
    basis = displacement_basis(here.points()[valid], placement)
    change = np.einsum("npd,nd->np", basis, slopes[valid])
    residual = values[valid] - described[valid]
    label, held = _blocks(np.where(valid, values - described, 0.0), valid)
    return _Linear(residual, change, label[valid], held)


def _described(fixed: Array, moving: Array, valid: NDArray[np.bool_]) -> Array:
    """Return the mean of the fixed map at places where the moving one has the value it has here."""
    edges = np.unique(np.quantile(moving[valid], np.linspace(0, 1, LEVELS + 1)))
    level = np.clip(np.searchsorted(edges, moving[valid], "right") - 1, 0, len(edges) - 2)
    count = np.maximum(np.bincount(level, minlength=len(edges) - 1), 1)
    mean = np.bincount(level, fixed[valid], len(edges) - 1) / count
    at = np.bincount(level, moving[valid], len(edges) - 1) / count
    out = np.full(fixed.shape, np.nan)
    out[valid] = np.interp(moving[valid], at, mean)
    return out


def _blocks(residual: Array, valid: NDArray[np.bool_]) -> tuple[NDArray[np.intp], float]:
    length = statistics.correlation_length(residual, valid)
    extent = min(valid.any(0).sum(), valid.any(1).sum())
    side = min(statistics.BLOCK * length, extent / FEWEST)
    label = statistics.blocks((residual.shape[0], residual.shape[1]), side)
    sides = np.full(2, max(side, 1.0) / max(length, 1e-9))
    return label, float(np.prod(statistics.held_variance(sides)))
