"""Places of many slices from their shifts against each other: a robust least-squares network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]

ROUNDS = 30
HUBER = 1.5  # standard deviations up to which a residual counts in full
BISQUARE = 4.7  # and beyond which it does not count at all
MOST = 3  # times the usual step between neighbours that one may be, as far as nothing is measured


@dataclass(frozen=True)
class Pairs:
    """Measured shifts (pair, 2: y, x) of ``second`` against ``first``, with their covariances."""

    first: Index
    second: Index
    shift: Array
    covariance: Array
    correlation: Array


@dataclass(frozen=True)
class Solved:
    """Places (slice, 2) of mean zero, their standard deviations, and what each pair weighed."""

    place: Array
    sigma: Array
    weight: Array
    excess: float


def solve(pairs: Pairs, numbers: Array) -> Solved:
    """Return the places that fit the shifts best, with outlying ones left out.

    Huber's weights lead to a first solution, Tukey's bisquare to the last (P. J. Huber,
    Ann. Math. Stat. 35, 73 (1964), doi:10.1214/aoms/1177703732). Where nothing is measured,
    neighbours are held together by the step that is usual between them.

    Parameters
    ----------
    numbers
        (slice,) of the slices; a step over a gap may be larger.
    """
    variance = np.stack([pairs.covariance[:, 0, 0], pairs.covariance[:, 1, 1]], -1)
    hold = _hold(pairs, numbers)
    place, excess = np.zeros((len(numbers), 2)), 1.0
    weight = np.ones(len(pairs.first))
    for turn in range(ROUNDS):
        system = [_normal(pairs, weight / variance[:, axis], hold[:, axis]) for axis in (0, 1)]
        place = np.stack(
            [_placed(system[axis], pairs, weight / variance[:, axis], axis) for axis in (0, 1)], -1
        )
        residual = pairs.shift - (place[pairs.second] - place[pairs.first])
        distance = np.sqrt(np.mean(residual**2 / variance, -1))
        excess = max(float(np.median(distance)) / 0.8326, 1.0)  # of a Rayleigh law, root mean
        weight = _weight(distance / excess, late=turn >= ROUNDS // 2)
    sigma = np.stack([excess * _sigma(one) for one in system], -1)
    return Solved(place, sigma, weight, excess)


def _weight(distance: Array, late: bool) -> Array:
    if late:
        return np.asarray(np.clip(1 - (distance / BISQUARE) ** 2, 0, None) ** 2)
    return np.asarray(np.minimum(1, HUBER / np.maximum(distance, 1e-9)))


def _hold(pairs: Pairs, numbers: Array) -> Array:
    """Return the weak weight (slice - 1, 2) with which neighbours are held together."""
    gap = numbers[pairs.second] - numbers[pairs.first]
    near = gap <= np.min(gap, initial=np.inf) if len(gap) else np.zeros(0, bool)
    usual = 1.4826 * np.median(np.abs(pairs.shift[near]), 0) if near.any() else np.ones(2)
    step = MOST * np.maximum(usual, 1e-3)
    return np.asarray(1 / (step**2 * np.diff(numbers)[:, None]))


def _normal(pairs: Pairs, weight: Array, hold: Array) -> Array:
    """Return the matrix of the network's normal equations, whose places have a mean of zero."""
    count = len(hold) + 1
    matrix = np.full((count, count), 1.0 / count)
    steps = np.arange(count - 1)
    for i, j, w in (
        (pairs.first, pairs.second, weight),
        (steps, steps + 1, hold),
    ):
        np.add.at(matrix, (i, i), w)
        np.add.at(matrix, (j, j), w)
        np.add.at(matrix, (i, j), -w)
        np.add.at(matrix, (j, i), -w)
    return matrix


def _placed(matrix: Array, pairs: Pairs, weight: Array, axis: int) -> Array:
    pull = weight * pairs.shift[:, axis]
    right = np.bincount(pairs.second, pull, len(matrix)) - np.bincount(
        pairs.first, pull, len(matrix)
    )
    return np.asarray(np.linalg.solve(matrix, right - right.mean()))


def _sigma(matrix: Array) -> Array:
    return np.sqrt(np.maximum(np.diag(np.linalg.inv(matrix)) - 1 / len(matrix), 0))
