"""Coincidence site lattices of cubic crystals, from whole-numbered quaternions.

A rotation by the quaternion (m, u, v, w) of whole numbers without common divisor brings one in
Sigma lattice points to coincidence, Sigma being the odd part of m2 + u2 + v2 + w2 (H. Grimmer, W.
Bollmann, D. H. Warrington, Acta Cryst. A 30, 197 (1974), doi:10.1107/S056773947400043X).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np

from liscope.errors import ParameterError
from liscope.grains.disorientation import BLOCK, Floats, conjugate, operators, product

BRANDON = 15.0  # degrees, over the root of Sigma: D. G. Brandon, Acta Met. 14, 1479 (1966)
LARGEST = 29  # up to which boundaries are named; above, the tolerance is below 3 degrees
CUBIC = ("432", "m-3m")


@lru_cache(maxsize=8)
def coincidences(largest: int = LARGEST) -> tuple[tuple[str, Floats], ...]:
    """Return name (3, 5, ... 13a, 13b ...) and the quaternion (4,) of least angle of each Sigma.

    Sorted by Sigma, and by the angle where two have the same.

    Raises
    ------
    ParameterError
        If ``largest`` is not within 3 and 49.
    """
    if not 3 <= largest <= 49:
        raise ParameterError(f"largest Sigma: {largest} is not within 3 and 49")
    found: dict[tuple[int, float, float], Floats] = {}
    side = range(int(np.sqrt(4 * largest)) + 1)
    for whole in combinations_with_replacement(side, 4):
        if np.gcd.reduce(whole) != 1:
            continue
        sigma = sum(n * n for n in whole)
        while sigma % 2 == 0:
            sigma //= 2
        if 3 <= sigma <= largest:
            least = _least(np.array(whole[::-1], float))
            found[(sigma, *np.round(-least[:2], 6))] = least
    keys = sorted(found)
    of_sigma = [sigma for sigma, *_ in keys]
    names = [
        str(sigma) + ("abcd"[i - of_sigma.index(sigma)] if of_sigma.count(sigma) > 1 else "")
        for i, sigma in enumerate(of_sigma)
    ]
    return tuple((name, found[key]) for name, key in zip(names, keys, strict=True))


def _least(whole: Floats) -> Floats:
    """Return the equivalent of least angle, its axis in the triangle u >= v >= w >= 0."""
    unit = whole / np.linalg.norm(whole)
    same = np.abs(product(operators("m-3m"), unit))
    best = same[np.argmax(same[:, 0])]
    return np.append(best[0], np.sort(best[1:])[::-1])


@lru_cache(maxsize=64)
def _equivalents(name: str, largest: int) -> Floats:
    """Return all quaternions (n, 4) that are the same boundary, either grain first; one sign."""
    ideal = dict(coincidences(largest))[name]
    both = np.stack([ideal, conjugate(ideal)])
    symmetry = operators("m-3m")
    left = product(symmetry[:, None, :], both[None, :, :]).reshape(-1, 1, 4)
    every = product(left, symmetry[None, :, :]).reshape(-1, 4)
    leading = np.take_along_axis(every, (np.abs(every) > 1e-6).argmax(axis=1)[:, None], 1)
    every = every * np.sign(leading)
    return np.asarray(every[np.unique(np.round(every, 6), axis=0, return_index=True)[1]])


def sigma_of(misorientations: Floats, largest: int = LARGEST) -> tuple[list[str], Floats]:
    """Return the Sigma of each misorientation (n, 4) of cubic crystals, and the deviation from it.

    Of those within Brandon's 15 degrees / sqrt(Sigma), the one whose deviation is the smallest
    part of its tolerance; an empty string where there is none (deviation NaN, degrees).
    """
    count = len(misorientations)
    names, part, deviation = (
        np.full(count, "", dtype=object),
        np.ones(count),
        np.full(count, np.nan),
    )
    for name, _ in coincidences(largest):
        tolerance = BRANDON / np.sqrt(int(name.rstrip("abcd")))
        for start in range(0, count, BLOCK):
            away = deviation_from(name, misorientations[start : start + BLOCK], largest)
            at = np.flatnonzero(away / tolerance < part[start : start + BLOCK])
            names[at + start] = name
            part[at + start], deviation[at + start] = away[at] / tolerance, away[at]
    return list(names), deviation


def deviation_from(name: str, misorientations: Floats, largest: int = LARGEST) -> Floats:
    """Return how far (degrees) misorientations (n, 4) of cubic crystals are from a Sigma."""
    dots = np.abs(misorientations @ _equivalents(name, largest).T).max(axis=1, initial=0)
    return np.asarray(np.degrees(2 * np.arccos(np.minimum(dots, 1))))
