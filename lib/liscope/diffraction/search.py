"""Which zone, and turned how far about the beam: every template against every pattern.

The correlation over the azimuth is a sum over harmonics of products of Fourier coefficients. The
real and imaginary parts a + ib of a pattern's ring and c + id of a template's give, with
E = (ac cos - bc sin) and F = (bd cos + ad sin), the correlation E + F with the template and E - F
with its mirror image; batched over harmonics and patterns they are matrix products. Even harmonics
repeat after half a turn and odd ones change their sign, so half a turn is enough.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace, device

from liscope.diffraction.library import DIRECTIONS, Library, Phase
from liscope.diffraction.polar import AZIMUTHS, Array

KEPT = 16  # of the coarse zones, those from which the finer search starts
FINE = 2 * AZIMUTHS  # azimuths of the finer search, one degree each
TURNS = (-4, -2, 0, 2, 4)  # of those, about a coarse direction


class Found(NamedTuple):
    """Candidates (n, k) for each pattern: zone, mirror (+1 or -1), turn in radians, score."""

    zone: Array
    mirror: Array
    turn: Array
    score: Array


def search(polar: Array, library: Library, phase: Phase) -> Found:
    """Return the best candidates of one phase for each pattern (n, ``KEPT``).

    Parameters
    ----------
    polar
        (n, r, azimuths) as :func:`~liscope.diffraction.polar.spots_only` makes them.
    """
    rows = phase.rows @ polar
    return _finer(rows, phase, _coarse(rows, library, phase))


def _coarse(rows: Array, library: Library, phase: Phase) -> Found:
    """Return the ``KEPT`` best local maxima over the coarse zones and their mirror images."""
    xp = array_namespace(rows)
    even, odd = (_correlations(rows, library, phase, part, xp) for part in (0, 1))
    odd_size = xp.abs(odd)
    best = xp.max(even + odd_size, axis=0)  # mirror, pattern, zone
    rivals = xp.max(
        xp.stack([xp.take(best, phase.next_to[:, i], axis=2) for i in range(6)]), axis=0
    )
    peaks = xp.where(best >= rivals, best, best - 1)
    flat = xp.concat([peaks[0, ...], peaks[1, ...]], axis=1)
    top = xp.argsort(flat, axis=1, descending=True)[:, :KEPT]
    zones = best.shape[2]
    mirror, zone = top // zones, top % zones
    count = xp.arange(top.shape[0], device=device(rows))[:, None]
    at = (mirror * best.shape[1] + count) * zones + zone
    half = even.shape[0]
    picked = xp.reshape(at, (-1,))
    e = xp.take(xp.reshape(even, (half, -1)), picked, axis=1)
    o = xp.take(xp.reshape(odd, (half, -1)), picked, axis=1)
    place = xp.argmax(e + xp.abs(o), axis=0)
    back = xp.take_along_axis(o, place[None, :], axis=0)[0, :] < 0
    step = place + xp.astype(back, place.dtype) * half
    turn = xp.reshape(xp.astype(step, xp.float32) * (2 * np.pi / DIRECTIONS), top.shape)
    return Found(
        zone,
        1.0 - 2.0 * xp.astype(mirror, xp.float32),
        turn,
        xp.take_along_axis(flat, top, axis=1),
    )


def _correlations(rows: Array, library: Library, phase: Phase, odd: int, xp: Any) -> Array:
    """Return correlations over half a turn of harmonics of one parity.

    The shape is (directions / 2, 2, n, coarse zones), the two being template and mirror image.
    """
    transform, waves = library.harmonics[odd], library.waves[odd]
    count, shells, _ = rows.shape
    coefficient = xp.reshape(rows, (count * shells, -1)) @ transform
    a, b = (
        xp.permute_dims(xp.reshape(half, (count, shells, -1)), (2, 0, 1))
        for half in (coefficient[:, : waves.shape[1] // 2], coefficient[:, waves.shape[1] // 2 :])
    )
    left = xp.stack([xp.stack([a, b], axis=1), xp.stack([b, -a], axis=1)])  # kind, m, part, n, q
    product = left @ phase.spectrum[odd][:, :, None, ...]
    kinds = [
        waves @ xp.reshape(half, (waves.shape[1], -1))
        for half in (product[0, ...], product[1, ...])
    ]
    e, f = (xp.reshape(kind, (waves.shape[0], count, -1)) for kind in kinds)
    return xp.stack([e + f, e - f], axis=1)


def _finer(rows: Array, phase: Phase, coarse: Found) -> Found:
    """Return each candidate moved to the best of the zones around it, and turned to fit."""
    xp = array_namespace(rows)
    count, shells = rows.shape[:2]
    kept = coarse.zone.shape[1]
    zones = rows_of(phase.around, coarse.zone, xp)  # n, k, around
    row, azimuth, weight = (rows_of(x, zones, xp) for x in (phase.row, phase.azimuth, phase.weight))
    degree = coarse.mirror[..., None, None] * azimuth + coarse.turn[..., None, None]
    column = xp.astype(xp.round(degree * (FINE / (2 * np.pi))), xp.int32) % FINE
    width = FINE + 2 * max(TURNS)
    start = xp.arange(count, dtype=xp.int32, device=device(rows))[:, None, None, None] * shells
    at = xp.reshape((start + row) * width + column + max(TURNS), (-1,))
    flat = xp.reshape(_doubled(rows, max(TURNS), xp), (-1,))
    scores = xp.stack(
        [
            xp.sum(xp.reshape(xp.take(flat, at + turn), weight.shape) * weight, axis=-1)
            for turn in TURNS
        ],
        axis=-1,
    )
    whole = xp.reshape(scores, (count * kept, -1))
    best = xp.argmax(whole, axis=1)
    which, step = best // len(TURNS), best % len(TURNS)
    index = xp.arange(count * kept, device=device(rows))
    curve = xp.reshape(scores, (count * kept * zones.shape[2], len(TURNS)))
    curve = xp.take(curve, index * zones.shape[2] + which, axis=0)
    shift = vertex(curve, step, xp)
    turns = (xp.astype(step, xp.float32) + shift - 2.0) * (2 * 2 * np.pi / FINE)
    zone = xp.take_along_axis(xp.reshape(zones, (count * kept, -1)), which[:, None], axis=1)
    return Found(
        xp.reshape(zone, coarse.zone.shape),
        coarse.mirror,
        coarse.turn + xp.reshape(turns, coarse.turn.shape),
        xp.reshape(xp.max(whole, axis=1), coarse.turn.shape),
    )


def vertex(curve: Array, step: Array, xp: Any) -> Array:
    """Return where between -1/2 and 1/2 of a step from ``step`` a parabola has its maximum."""
    inner = xp.clip(step, 1, curve.shape[1] - 2)[:, None]
    before, at, after = (xp.take_along_axis(curve, inner + i, axis=1)[:, 0] for i in (-1, 0, 1))
    bend = xp.clip(2 * at - before - after, 1e-9, None)
    shift = xp.clip(0.5 * (after - before) / bend, -0.5, 0.5)
    return xp.where(inner[:, 0] == step, shift, xp.zeros_like(shift))


def rows_of(table: Array, index: Array, xp: Any) -> Array:
    """Return ``table[index]`` along its first axis, for an index of any shape."""
    taken = xp.take(table, xp.reshape(index, (-1,)), axis=0)
    return xp.reshape(taken, (*index.shape, *table.shape[1:]))


def _doubled(rows: Array, margin: int, xp: Any) -> Array:
    """Return rings at twice as many azimuths, with a margin at both ends that runs on."""
    between = 0.5 * (rows + xp.roll(rows, -1, axis=2))
    double = xp.reshape(xp.stack([rows, between], axis=-1), (*rows.shape[:2], FINE))
    return xp.concat([double[..., -margin:], double, double[..., :margin]], axis=2)
