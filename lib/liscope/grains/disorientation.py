"""Disorientations of many pairs: the smallest angle that symmetry leaves between two crystals.

Quaternions are (w, x, y, z), passive, sample to crystal, as orix has them; from one crystal to the
other leads ``two * ~one``, and symmetry multiplies from the left.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liscope.errors import ParameterError

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

BLOCK = 1 << 12  # pairs at a time: with 24 operators they stay in the processor's cache


def orix_group(point_group: str) -> Any:
    """Return orix' symmetry of that name, such as ``m-3m``.

    Raises
    ------
    ParameterError
        If there is no such point group.
    """
    from orix.crystal_map import Phase  # here: it takes its time to load

    try:
        return Phase(point_group=point_group).point_group
    except (ValueError, TypeError):
        raise ParameterError(
            f"'{point_group}' is no point group; give its Hermann-Mauguin symbol, such as 'm-3m'"
        ) from None


@lru_cache(maxsize=64)
def operators(one: str, two: str | None = None) -> Floats:
    """Return the rotations (n, 4) that lead to equivalents between crystals of one or two groups.

    Of a point group its proper rotations count, as in orix. Where diffraction cannot tell a crystal
    from its inverse, name the Laue group instead (``m-3m`` for ``-43m``).

    Raises
    ------
    ParameterError
        If there is no such point group.
    """
    first = np.asarray(orix_group(one).proper_subgroup.data, dtype=float)
    if two is None or two == one:
        return first
    both = product(operators(two)[:, None, :], first[None, :, :]).reshape(-1, 4)
    both *= np.where(both[:, :1] < -1e-9, -1.0, 1.0)
    kept: list[Floats] = []
    for one_of in both:
        if not kept or np.abs(np.array(kept) @ one_of).max() < 1 - 1e-9:
            kept.append(one_of)
    return np.array(kept)


def product(one: Floats, two: Floats) -> Floats:
    """Return the quaternion product one * two, (..., 4)."""
    parts = _product(np.moveaxis(one, -1, 0), np.moveaxis(two, -1, 0))
    return np.moveaxis(parts, 0, -1)


def _product(one: Floats, two: Floats) -> Floats:
    """Return the product of quaternions whose components come first, (4, ...)."""
    a, b, c, d = one
    e, f, g, h = two
    return np.stack(
        [
            a * e - b * f - c * g - d * h,
            a * f + b * e + c * h - d * g,
            a * g - b * h + c * e + d * f,
            a * h + b * g - c * f + d * e,
        ]
    )


def conjugate(one: Floats) -> Floats:
    """Return the inverse of unit quaternions (..., 4)."""
    return np.asarray(one * np.array([1.0, -1.0, -1.0, -1.0]))


def angle_between(one: Floats, two: Floats, symmetry: Floats) -> Floats:
    """Return the disorientation angles (n,) in degrees of pairs of unit quaternions (n, 4).

    Pairs that differ by less than half the smallest rotation of the group are settled without
    symmetry: from them any equivalent is farther away. The others are compared with all operators.

    Parameters
    ----------
    symmetry
        (m, 4), from :func:`operators`.
    """
    close = np.abs(np.einsum("ij,ij->i", one, two))
    far = np.flatnonzero(close < _settled(symmetry))
    for start in range(0, far.size, BLOCK):
        at = far[start : start + BLOCK]
        close[at] = np.abs(_dots(one[at], two[at], symmetry)).max(axis=0)
    return np.asarray(np.degrees(2 * np.arccos(np.minimum(close, 1.0))))


def _dots(one: Floats, two: Floats, symmetry: Floats) -> Floats:
    """Return cosines (m, n) of half the angles that operators (m, 4) leave of pairs (n, 4)."""
    return np.asarray(symmetry @ _product(two.T, conjugate(one).T))


def _settled(symmetry: Floats) -> float:
    """Return the cosine of a quarter of the group's smallest rotation; 0 where it has none."""
    turns = np.abs(symmetry[:, 0])
    turns = turns[turns < 1 - 1e-9]
    return float(np.cos(np.arccos(turns.max()) / 2)) if turns.size else 0.0


def nearest(quaternions: Floats, reference: Floats, symmetry: Floats) -> Floats:
    """Return of each quaternion (n, 4) the equivalent and sign nearest to its reference (n, 4)."""
    found = quaternions.copy()
    dots = np.einsum("ij,ij->i", quaternions, reference)
    far = np.flatnonzero(np.abs(dots) < _settled(symmetry))
    for start in range(0, far.size, BLOCK):
        at = far[start : start + BLOCK]
        of_each = _dots(quaternions[at], reference[at], symmetry)
        best = np.abs(of_each).argmax(axis=0)
        found[at] = product(symmetry[best], quaternions[at])
        dots[at] = of_each[best, np.arange(at.size)]
    return np.asarray(found * np.where(dots < 0, -1.0, 1.0)[:, None])


def smallest(one: Floats, two: Floats, symmetry: Floats) -> Floats:
    """Return the misorientations (n, 4) of least angle from one to two, of one group, w >= 0."""
    identity = np.broadcast_to(np.array([1.0, 0.0, 0.0, 0.0]), one.shape)
    return nearest(product(two, conjugate(one)), identity, symmetry)


def random_orientations(count: int, rng: np.random.Generator) -> Floats:
    """Return quaternions (count, 4) that are uniform among all orientations."""
    drawn = rng.standard_normal((count, 4))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))
