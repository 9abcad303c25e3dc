"""Places of many slices from their shifts against each other: a robust least-squares network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

Array = NDArray[np.float64]
Index = NDArray[np.intp]

ROUNDS = 30
HUBER = 1.5  # standard deviations up to which a residual counts in full
BISQUARE = 4.7  # and beyond which it does not count at all
RAYLEIGH = 0.8326  # median of the root mean square of two normal residuals
LEAST = 1e-3  # um, error of a measured shift
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
    variance = np.maximum(variance, LEAST**2)  # of a slice that was recorded twice it is none
    hold = _hold(pairs, numbers)
    place, excess = np.zeros((len(numbers), 2)), 1.0
    weight = np.ones(len(pairs.first))
    for turn in range(ROUNDS):
        place = np.stack(
            [_placed(pairs, weight / variance[:, axis], hold[:, axis], axis) for axis in (0, 1)], -1
        )
        residual = pairs.shift - (place[pairs.second] - place[pairs.first])
        distance = np.sqrt(np.mean(residual**2 / variance, -1))
        excess = max(float(np.median(distance)) / RAYLEIGH, 1.0)
        if turn < ROUNDS - 1:
            weight = _weight(distance / excess, late=turn >= ROUNDS // 2)
    sigma = [excess * _sigma(pairs, weight / variance[:, a], hold[:, a]) for a in (0, 1)]
    return Solved(place, np.stack(sigma, -1), weight, excess)


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
    """Return the network's normal equations, (below the diagonal, slice), the first slice held."""
    steps = np.arange(len(hold))
    first, second = np.r_[pairs.first, steps], np.r_[pairs.second, steps + 1]
    every = np.r_[weight, hold]
    banded = np.zeros((int((second - first).max()) + 1, len(hold) + 1))
    np.add.at(banded[0], first, every)
    np.add.at(banded[0], second, every)
    np.add.at(banded, (second - first, first), -every)
    banded[0, 0] += banded[0].mean()  # only differences are measured: it goes to zero
    return banded


def _placed(pairs: Pairs, weight: Array, hold: Array, axis: int) -> Array:
    """Return the places (slice,) along an axis, of mean zero."""
    pull, count = weight * pairs.shift[:, axis], len(hold) + 1
    right = np.bincount(pairs.second, pull, count) - np.bincount(pairs.first, pull, count)
    place = linalg.solveh_banded(_normal(pairs, weight, hold), right, lower=True)
    return np.asarray(place - place.mean())


def _sigma(pairs: Pairs, weight: Array, hold: Array) -> Array:
    """Return the standard deviation (slice,) of the places against their mean."""
    banded = _normal(pairs, weight, hold)
    matrix = np.diag(banded[0])
    for k, row in enumerate(banded[1:], 1):
        matrix += np.diag(row[:-k], k) + np.diag(row[:-k], -k)
    covariance = linalg.inv(matrix)
    own = np.diag(covariance) - 2 * covariance.mean(1) + covariance.mean()
    return np.asarray(np.sqrt(np.maximum(own, 0)))
