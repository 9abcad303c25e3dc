"""A place that walks at random from slice to slice and is seen with errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

Array = NDArray[np.float64]


def followed(seen: Array, variance: Array, gap: Array, walk: float) -> tuple[Array, Array]:
    """Return places (slice,) and their errors.

    Parameters
    ----------
    seen, variance
        (slice,) measured places and the variances of their errors; infinite where not measured.
    gap
        (slice - 1,) from each to the next, in the unit of ``walk``.
    walk
        Variance that the place gains per unit of gap.
    """
    banded, weight = _system(variance, gap, walk)
    root = linalg.cholesky_banded(banded, lower=True)
    place = linalg.cho_solve_banded((root, True), weight * np.where(weight > 0, seen, 0))
    whole = np.diag(banded[0]) + np.diag(banded[1, :-1], 1) + np.diag(banded[1, :-1], -1)
    return place, np.sqrt(np.diag(linalg.inv(whole)))


def evidence(seen: Array, variance: Array, gap: Array, walk: float) -> float:
    """Return the log probability of what is seen, less a constant, wherever the walk began."""
    banded, weight = _system(variance, gap, walk)
    root = linalg.cholesky_banded(banded, lower=True)
    pull = weight * np.where(weight > 0, seen, 0)
    place = linalg.cho_solve_banded((root, True), pull)
    there = weight > 0
    left = pull[there] @ seen[there] - pull @ place
    logs = np.sum(np.log(weight[there])) - np.sum(np.log(walk * gap)) - left
    return float(logs / 2 - np.sum(np.log(root[0])))


def _system(variance: Array, gap: Array, walk: float) -> tuple[Array, Array]:
    """Return the normal equations (diagonal, and what is below it) and the weight of each place."""
    weight, hold = 1 / variance, 1 / (walk * gap)
    diagonal = weight + np.r_[hold, 0] + np.r_[0, hold]
    return np.stack([diagonal, np.r_[-hold, 0]]), weight
