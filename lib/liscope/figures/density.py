"""Density of directions on the sphere, and how high chance makes it.

Each grain is smeared to the same round spot, wherever on the sphere it lies (a von Mises-Fisher
kernel, opposite directions being one). Densities are in multiples of a uniform one (m.u.d.).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from liscope.grains.disorientation import Floats, random_orientations

HALF_WIDTH = 10.0  # degrees, where the spot of a grain has fallen to one half
SHARPNESS = float(np.log(2) / (1 - np.cos(np.radians(HALF_WIDTH))))  # of the kernel
DRAWS = 19  # random sets: one more is above all their maxima in one of twenty cases
DIRECTIONS = 600  # on half the sphere, 6 degrees apart, in which random sets are looked at


def density(at: Floats, vectors: Floats, areas: Floats) -> Floats:
    """Return the density (m.u.d.) in directions (m, 3) of grains' equivalents (grain, n, 3)."""
    flat = vectors.reshape(-1, 3)
    weights = np.repeat(areas, vectors.shape[1]) / (areas.sum() * vectors.shape[1])
    total = np.zeros(len(at))
    for some in np.array_split(np.arange(len(flat)), max(1, flat.size * len(at) // 10**7)):
        total += np.exp(SHARPNESS * (np.abs(at @ flat[some].T) - 1)) @ weights[some]
    return SHARPNESS * total


def random_maximum(at: Floats, areas: Floats, of_random: Callable[[Floats], Floats]) -> float:
    """Return the density (m.u.d.) below which the maxima of 95 % of random sets stay.

    Parameters
    ----------
    at
        Directions (m, 3) in which it is looked at.
    areas
        Of the grains, (grain,).
    of_random
        Makes equivalents (grain, n, 3) of random orientations (grain, 4).
    """
    rng = np.random.default_rng(0)
    maxima = [
        density(at, of_random(random_orientations(areas.size, rng)), areas).max()
        for _ in range(DRAWS)
    ]
    return float(max(maxima))


def spread(count: int = DIRECTIONS) -> Floats:
    """Return directions (count, 3) that are even on the upper half of the sphere."""
    z, turn = (np.arange(count) + 0.5) / count, np.pi * (1 + np.sqrt(5)) * np.arange(count)
    wide = np.sqrt(1 - z**2)
    return np.stack([wide * np.cos(turn), wide * np.sin(turn), z], axis=1)


def in_sector(laue: Any) -> Floats:
    """Return even directions (n, 3) in the fundamental sector."""
    from orix.vector import Vector3d  # here: it takes its time to load

    every = spread(DIRECTIONS * laue.size // 4)
    inside: Any = Vector3d(every) <= laue.fundamental_sector
    return np.asarray(every[np.asarray(inside)])
