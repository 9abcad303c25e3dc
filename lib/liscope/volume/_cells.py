"""Cells of columns: what a volume holds, seen from above, so that intervals know what is alike.

Slices of one volume repeat each other, and so do neighbouring columns. Sums over columns through
all slices, in cells of a few pixels, are images (y, x); blocks of these, several correlation
lengths wide, are the samples of :mod:`liscope.statistics`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.statistics import Estimate, sum_ratio

Floats = NDArray[np.float64]
MOST = 256  # cells along the longer side
AT_ONCE = 8  # slabs' results added in one go


@dataclass(frozen=True)
class Cells:
    """Square cells of ``side`` pixels over sections of ``shape`` (y, x); the last are smaller."""

    side: int
    shape: tuple[int, int]

    @classmethod
    def over(cls, label: xr.DataArray) -> Cells:
        """Return cells over the sections of a volume."""
        shape = label.sizes["y"], label.sizes["x"]
        return cls(-(-max(shape) // MOST), shape)

    @property
    def counts(self) -> tuple[int, int]:
        """How many there are along y and x."""
        return -(-self.shape[0] // self.side), -(-self.shape[1] // self.side)

    def sums(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return the sums (..., cells y, cells x) of an image (..., y, x)."""
        if self.side == 1:
            return image
        rows, columns = (np.arange(0, n, self.side) for n in self.shape)
        return np.asarray(np.add.reduceat(np.add.reduceat(image, rows, axis=-2), columns, axis=-1))


def ratio(above: Floats, below: Floats) -> tuple[float, float, float]:
    """Return the ratio of two images' sums, with low and high; NaN where they cannot be told."""
    total = below.sum()
    if total <= 0:
        return np.nan, np.nan, np.nan
    value = float(above.sum() / total)
    if value <= 0:
        return 0.0, 0.0, np.nan
    return value, *limits(value, sum_ratio(above, below, below > 0))


def limits(value: float, log: Estimate) -> tuple[float, float]:
    """Return low and high of a value whose logarithm was estimated; NaN where nothing is told."""
    low, high = log.interval()
    if not np.isfinite([low, high]).all():
        return np.nan, np.nan
    return float(value * np.exp(low - log.value)), float(value * np.exp(high - log.value))


def total(parts: list[Any], add: Callable[[list[Any]], Any] | None = None) -> Any:
    """Return, delayed, the sum of slabs' delayed results, a few at a time so that none pile up."""
    from dask.delayed import delayed

    while len(parts) > 1:
        groups = [parts[i : i + AT_ONCE] for i in range(0, len(parts), AT_ONCE)]
        parts = [delayed(add or _sums)(group) for group in groups]
    return parts[0]


def _sums(parts: list[tuple[NDArray[Any], ...]]) -> tuple[NDArray[Any], ...]:
    return tuple(np.sum(part, axis=0) for part in zip(*parts, strict=True))
