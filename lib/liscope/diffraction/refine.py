"""All three angles between the templates' steps, from where spots lie and how strong they are.

A small tilt leaves the spots in their places and changes their intensities; a small turn about the
beam moves them. So a candidate's spots are read from the pattern for each of a few turns, and
weighed anew for each of a few tilts.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace, device

from liscope.diffraction.library import Library, Phase
from liscope.diffraction.polar import AZIMUTHS, Array, eighths_power
from liscope.diffraction.search import Found, rows_of, vertex
from liscope.diffraction.structures import electron_wavelength
from liscope.diffraction.templates import Beam, rocked

TURN = math.radians(0.8)  # between the turns about the beam that are tried
TURNS = (-2, -1, 0, 1, 2)
ROUNDS = (math.radians(0.7), math.radians(0.35))  # between the tilts that are tried, round by round
FARTHEST = 1.5  # of those, how far a round may move
TILTS = np.array([[x, y] for x in (-1.0, 0.0, 1.0) for y in (-1.0, 0.0, 1.0)])
TERMS = np.stack(
    [
        TILTS[:, 0],
        TILTS[:, 1],
        TILTS[:, 0] ** 2,
        TILTS.prod(axis=1),
        TILTS[:, 1] ** 2,
        TILTS[:, 0] * 0 + 1,
    ]
)
PARABOLOID = np.linalg.pinv(TERMS.T)[:5]  # scores at the tilts -> coefficients


class Refined(NamedTuple):
    """Candidates (n, k): ``matrix`` (n, k, 3, 3) sample to crystal, and ``score``."""

    matrix: Array
    score: Array


class Spots(NamedTuple):
    """Reflections of candidates: ``seen`` (n, k, m, 3) in 1/angstrom, ``root`` (n, k, m)."""

    seen: Array
    root: Array


def refine(polar: Array, library: Library, phase: Phase, found: Found) -> Refined:
    """Return candidates with their three angles fitted, and their score.

    Parameters
    ----------
    polar
        (n, r, azimuths) of the patterns, as for the search.
    """
    xp = array_namespace(polar)
    matrix = orientation(phase, found)
    seen = rows_of(phase.candidates, found.zone, xp) @ matrix
    spots = Spots(seen, rows_of(phase.root, found.zone, xp))
    angle, value = _turned(polar, library, spots, xp)
    about_z = xp.stack([xp.zeros_like(angle), xp.zeros_like(angle), angle], axis=-1)
    spots, matrix = (
        spots._replace(seen=rotated(spots.seen, about_z, xp)),
        rotated(matrix, about_z, xp),
    )
    for step in ROUNDS:
        tilt = _tilted(value, spots, step, library.beam, xp)
        spots = spots._replace(seen=rotated(spots.seen, tilt, xp))
        matrix = rotated(matrix, tilt, xp)
    away, flat = _distance(spots.seen, library.beam, xp)
    return Refined(matrix, _score(value, spots, away, flat, library.beam, xp))


def orientation(phase: Phase, found: Found) -> Array:
    """Return matrices (n, k, 3, 3) of found candidates, sample to crystal."""
    xp = array_namespace(found.turn)
    zone = rows_of(phase.matrix, found.zone, xp)
    c, s = xp.cos(found.turn), xp.sin(found.turn)
    o, one = xp.zeros_like(c), xp.ones_like(c)
    m = found.mirror
    # A turn by +t about z moves the spots; the mirror image is a turn by 180 degrees about y.
    turn = xp.stack([m * c, m * s, o, -s, c, o, o, o, m * one], axis=-1)
    return zone @ xp.reshape(turn, (*c.shape, 3, 3))


def rotated(rows: Array, vector: Array, xp: Any) -> Array:
    """Return row vectors (n, k, m, 3) turned by rotation vectors (n, k, 3) in radians."""
    angle = xp.sqrt(xp.sum(vector * vector, axis=-1))[..., None, None]
    v = vector[..., None, :]
    sinc = xp.where(angle > 1e-4, xp.sin(angle) / xp.clip(angle, 1e-4, None), 1 - angle**2 / 6)
    half = xp.sin(angle / 2) / xp.clip(angle / 2, 1e-4, None)
    half = xp.where(angle > 1e-4, half, xp.ones_like(half))
    cross = xp.stack(
        [
            v[..., 1] * rows[..., 2] - v[..., 2] * rows[..., 1],
            v[..., 2] * rows[..., 0] - v[..., 0] * rows[..., 2],
            v[..., 0] * rows[..., 1] - v[..., 1] * rows[..., 0],
        ],
        axis=-1,
    )
    along = xp.sum(v * rows, axis=-1)[..., None] * v
    return xp.cos(angle) * rows + sinc * cross + 0.5 * half**2 * along


def _turned(polar: Array, library: Library, spots: Spots, xp: Any) -> tuple[Array, Array]:
    """Return the best turn (n, k) about the beam in radians, and what is read there (n, k, m)."""
    weight = spots.root * eighths_power(
        rocked(*_distance(spots.seen, library.beam, xp), library.beam), xp
    )
    scores = xp.stack(
        [
            xp.sum(weight * _read(polar, library, spots.seen, turn * TURN, xp), axis=-1)
            for turn in TURNS
        ],
        axis=-1,
    )
    curve = xp.reshape(scores, (-1, len(TURNS)))
    best = xp.argmax(curve, axis=1)
    turn = (xp.astype(best, xp.float32) - 2.0 + vertex(curve, best, xp)) * TURN
    turn = xp.reshape(turn, scores.shape[:2])
    return turn, _read(polar, library, spots.seen, turn[..., None], xp)


def _read(polar: Array, library: Library, seen: Array, turn: Any, xp: Any) -> Array:
    """Return the pattern's value at spots (n, k, m, 3) turned about the beam, bilinear."""
    count, rings, _ = polar.shape
    radius = library.grid.radius
    k = xp.sqrt(seen[..., 0] ** 2 + seen[..., 1] ** 2)
    at = xp.clip((k - radius[0]) / (radius[1] - radius[0]), 0, rings - 1.001)
    around = (xp.atan2(seen[..., 1], seen[..., 0]) + turn) * (AZIMUTHS / (2 * np.pi)) + 2 * AZIMUTHS
    ring, ray = xp.astype(at, xp.int32), xp.astype(around, xp.int32)
    r, a = at - xp.astype(ring, xp.float32), around - xp.astype(ray, xp.float32)
    start = xp.arange(count, dtype=xp.int32, device=device(polar))[:, None, None] * rings
    base = (start + ring) * AZIMUTHS
    here, next_ = base + ray % AZIMUTHS, base + (ray + 1) % AZIMUTHS
    flat = xp.reshape(polar, (-1,))
    near = rows_of(flat, here, xp) * (1 - a) + rows_of(flat, next_, xp) * a
    here, next_ = here + AZIMUTHS, next_ + AZIMUTHS
    far = rows_of(flat, here, xp) * (1 - a) + rows_of(flat, next_, xp) * a
    return near * (1 - r) + far * r


def _distance(seen: Array, beam: Beam, xp: Any) -> tuple[Array, Array]:
    """Return the distance from the Ewald sphere and the square of that from the beam's axis."""
    radius = 1 / electron_wavelength(beam.voltage)
    flat = seen[..., 0] ** 2 + seen[..., 1] ** 2
    # sqrt(R^2 - f) - R without the loss of digits of a small difference in single precision
    return -flat / (xp.sqrt(radius**2 - flat) + radius) - seen[..., 2], flat


def _score(value: Array, spots: Spots, away: Array, flat: Array, beam: Beam, xp: Any) -> Array:
    """Return the correlation (n, k) of what is read at spots with what they should show."""
    weight = spots.root * eighths_power(rocked(away, flat, beam), xp)
    norm = xp.sqrt(xp.sum(weight * weight, axis=-1))
    return xp.sum(weight * value, axis=-1) / xp.clip(norm, 1e-12, None)


def _tilted(value: Array, spots: Spots, step: float, beam: Beam, xp: Any) -> Array:
    """Return rotation vectors (n, k, 3) to the top of the paraboloid through nine tilts' scores."""
    away, flat = _distance(spots.seen, beam, xp)
    x, y = spots.seen[..., 0] * step, spots.seen[..., 1] * step
    scores = xp.stack(
        [
            _score(value, spots, away - float(i) * y + float(j) * x, flat, beam, xp)
            for i, j in TILTS
        ],
        axis=-1,
    )
    fit = scores @ xp.asarray(PARABOLOID.T, dtype=xp.float32, device=device(value))
    b, c, p, q, r = (fit[..., i] for i in range(5))
    determinant = 4 * p * r - q * q
    peaked = (determinant > 1e-12) & (p < 0)
    safe = xp.where(peaked, determinant, xp.ones_like(determinant))
    top = xp.stack([(q * c - 2 * r * b) / safe, (q * b - 2 * p * c) / safe], axis=-1)
    tilts = xp.asarray(TILTS, dtype=xp.float32, device=device(value))
    best = rows_of(tilts, xp.argmax(scores, axis=-1), xp)
    length = xp.sqrt(xp.sum(top * top, axis=-1))
    top = xp.where((peaked & (length <= FARTHEST))[..., None], top, best) * step
    return xp.concat([top, xp.zeros_like(top[..., :1])], axis=-1)
