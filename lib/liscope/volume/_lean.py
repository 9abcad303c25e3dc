"""How far noise and the lean of a structure may be taken for drift: what pairs of slices tell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from liscope.volume._network import Pairs

Array = NDArray[np.float64]


def laws(pairs: Pairs, numbers: NDArray[np.int64]) -> tuple[Array, float]:
    """Return the variance (um2) of the structure's lean per slice, and how many slices it lasts.

    Noise is the same for pairs near and far, the lean grows with their distance. It lasts as long
    as pictures are alike: until their correlation would be 1/e.
    """
    gap = (numbers[pairs.second] - numbers[pairs.first]).astype(float)
    gaps = np.unique(gap)
    typical = np.array([np.median(_variance(pairs)[gap == one], 0) for one in gaps])
    alike = np.array([np.median(pairs.correlation[gap == one]) for one in gaps])
    if len(gaps) < 2:
        return typical[0], 1.0
    lean = np.maximum(typical[-1] - typical[0], 0) / (gaps[-1] ** 2 - gaps[0] ** 2)
    fall = np.log(max(alike[0], 1e-3) / max(alike[-1], 1e-3)) / (gaps[-1] - gaps[0])
    return lean, 1 / max(float(fall), 1e-3)


def _variance(pairs: Pairs) -> Array:
    return np.stack([pairs.covariance[:, 0, 0], pairs.covariance[:, 1, 1]], -1)


def noise(pairs: Pairs, numbers: NDArray[np.int64], lean: Array) -> Array:
    """Return the variance (slice, 2) by each slice's own noise, which all its shifts share."""
    gap = (numbers[pairs.second] - numbers[pairs.first]).astype(float)
    left = np.maximum(_variance(pairs) - lean * gap[:, None] ** 2, 0) / 2
    own = np.zeros((len(numbers), 2))
    for i in range(len(numbers)):
        mine = (pairs.first == i) | (pairs.second == i)
        own[i] = np.median(left[mine], 0) if mine.any() else 0
    return own


def wander(lean: Array, lasting: float, numbers: NDArray[np.int64]) -> list[Array]:
    """Return the covariance (slice, slice) of the places, for y and x, by a lean that changes."""
    gap = np.diff(numbers).astype(float)
    middle = numbers[:-1] + gap / 2
    like = np.exp(-np.abs(np.subtract.outer(middle, middle)) / lasting) * np.outer(gap, gap)
    summed = np.pad(np.cumsum(np.cumsum(like, 0), 1), ((1, 0), (1, 0)))
    summed = summed - summed.mean(0)
    summed = summed - summed.mean(1, keepdims=True)
    return [one * summed for one in lean]
