"""Compiled kernels of the composite: pushing balls apart, what lies at the points of a plane."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from liscope.specimens.composite import ALUMINA, CRACK, LLZTO

kernel = numba.njit(nogil=True, cache=True)


@kernel
def push_apart(centre: Any, radius: Any, pairs: Any, side: Any, steps: int) -> None:
    """Move each two balls that overlap apart, the smaller one farther; several times."""
    apart = np.empty(3)
    for _ in range(steps):
        for n in range(len(pairs)):
            i, j = pairs[n, 0], pairs[n, 1]
            square = 0.0
            for k in range(3):
                d = centre[j, k] - centre[i, k]
                apart[k] = d - side[k] * np.rint(d / side[k])
                square += apart[k] ** 2
            distance = np.sqrt(square) + 1e-9
            overlap = radius[i] + radius[j] - distance
            if overlap > 0:
                share = radius[j] / (radius[i] + radius[j])
                for k in range(3):
                    move = 0.6 * overlap * apart[k] / distance
                    centre[i, k] -= share * move
                    centre[j, k] += (1 - share) * move


@kernel
def keep_off(small: Any, radius: Any, start: Any, solid: Any, rows: Any, columns: Any) -> None:
    """Move small balls so far out of larger bodies, through the nearest wall, that 15 % overlap."""
    for n in range(len(rows)):
        i, b = rows[n], columns[n]
        place = small[i] + start - solid.centre[b]
        distance = np.sqrt(np.sum(place**2)) + 1e-9
        inside = solid.radius[b] - distance
        way = place / distance
        for w in range(solid.first[b], solid.first[b + 1]):
            wall = solid.wall[w]
            left = wall[3] - wall[0] * place[0] - wall[1] * place[1] - wall[2] * place[2]
            if left < inside:
                inside = left
                way = wall[:3].copy()
        lacking = inside + 0.7 * radius[i]
        if lacking > 0:
            small[i] += 0.7 * lacking * way


@kernel
def paint(
    bodies: Any, which: Any, origin: Any, down: Any, right: Any, label: Any, owner: Any, depth: Any
) -> None:
    """Write label, body and depth of bodies over what earlier ones wrote.

    A row of points meets a convex body in one stretch, which its walls bound one after another.
    With empty ``owner`` and ``depth``, or if not of LLZTO, points well inside need no look at the
    walls.
    """
    most = 1
    for b in which:
        most = max(most, bodies.first[b + 1] - bodies.first[b])
    level, slope = np.empty(most), np.empty(most)
    for b in which:
        away = origin - bodies.centre[b]
        first, last = _rows(away, down, right, bodies.radius[b])
        for i in range(max(0, first), min(label.shape[0], last + 1)):
            _paint_row(bodies, b, away + i * down, right, i, label, owner, depth, level, slope)


@kernel
def _rows(away: Any, down: Any, right: Any, radius: float) -> tuple[int, int]:
    """Return the first and last row of a plane that meet a ball; 0 and -1 for none."""
    dd, rr, dr = np.sum(down * down), np.sum(right * right), np.sum(down * right)
    ad, ar = np.sum(away * down), np.sum(away * right)
    across = dd * rr - dr * dr
    row, column = (ar * dr - ad * rr) / across, (ad * dr - ar * dd) / across
    nearest = away + row * down + column * right
    left = radius**2 - np.sum(nearest * nearest)
    if left <= 0:
        return 0, -1
    half = np.sqrt(left * rr / across)
    return int(np.ceil(row - half)), int(np.floor(row + half))


@kernel
def _paint_row(
    bodies: Any, b: int, at: Any, right: Any, i: int,
    label: Any, owner: Any, depth: Any, level: Any, slope: Any,
) -> None:  # fmt: skip
    """Write one row of one body; ``at`` is the row's first point from the ball's centre."""
    rr, radius = np.sum(right * right), bodies.radius[b]
    middle = -np.sum(at * right) / rr
    square = np.sum(at * at) - middle**2 * rr  # of the line's distance from the centre
    _walls(bodies, b, at, right, level, slope)
    low, high = _stretch(bodies, b, middle, (radius**2 - square) / rr, 0.0, True, level, slope)
    low, high = max(low, 0.0), min(high, label.shape[1] - 1.0)
    coat = bodies.coat[b, 4]
    core = radius - coat
    calm_low, calm_high = _stretch(
        bodies, b, middle, (core**2 - square) / rr, coat, False, level, slope
    )
    deep, phase = depth.shape[0] > 0, bodies.phase[b]
    if bodies.crack[b, 4] > 0 or (deep and phase == LLZTO):
        calm_high = calm_low - 1
    walls = bodies.first[b + 1] - bodies.first[b]
    for j in range(int(np.ceil(low)), int(np.floor(high)) + 1):
        if calm_low <= j <= calm_high:
            label[i, j] = phase
            if deep:
                owner[i, j] = b
            continue
        far = np.sqrt(max(square + rr * (j - middle) ** 2, 0.0))
        inside = radius - far
        for w in range(walls):
            inside = min(inside, level[w] - slope[w] * j)
        label[i, j] = _what(bodies, b, at, right, j, inside, far)
        if deep:
            owner[i, j] = b if inside >= 0 else -1
            depth[i, j] = max(inside, 0.0)


@kernel
def _walls(bodies: Any, b: int, at: Any, right: Any, level: Any, slope: Any) -> None:
    """Write how far inside each wall a row starts, and how much less inside each next point is."""
    for w in range(bodies.first[b + 1] - bodies.first[b]):
        k = bodies.first[b] + w
        level[w], slope[w] = bodies.wall[k, 3], 0.0
        for axis in range(3):
            level[w] -= bodies.wall[k, axis] * at[axis]
            slope[w] += bodies.wall[k, axis] * right[axis]


@kernel
def _stretch(
    bodies: Any, b: int, middle: float, chord: float, within: float, gaps: bool,
    level: Any, slope: Any,
) -> tuple[float, float]:  # fmt: skip
    """Return where a row is ``within`` a body's walls, or also in the ``gaps`` outside."""
    if chord <= 0:
        return 0.0, -1.0
    low, high = middle - np.sqrt(chord), middle + np.sqrt(chord)
    for w in range(bodies.first[b + 1] - bodies.first[b]):
        room = level[w] - within
        if gaps:
            room += bodies.gap[bodies.first[b] + w]
        if slope[w] > 1e-12:
            high = min(high, room / slope[w])
        elif slope[w] < -1e-12:
            low = max(low, room / slope[w])
        elif room < 0:
            return 0.0, -1.0
    return low, high


@kernel
def _what(bodies: Any, b: int, at: Any, right: Any, j: int, inside: float, far: float) -> int:
    """Return the label of a row's j-th point, ``inside`` a body, ``far`` from its centre."""
    if inside < 0:
        return CRACK
    off, along = -bodies.crack[b, 3], 0.0
    for k in range(3):
        place = at[k] + j * right[k]
        off += bodies.crack[b, k] * place
        along += bodies.coat[b, k] * place
    if abs(off) < bodies.crack[b, 4]:
        return CRACK
    if inside < bodies.coat[b, 4] and along > bodies.coat[b, 3] * far:
        return ALUMINA
    return int(bodies.phase[b])


@kernel
def emitted(labels: Any, left: Any, given: Any, every: int, out: Any) -> None:
    """Add up what layers of matter emit, one below the other, over ``every`` x ``every`` points.

    ``labels`` (layer, row, column); of what reaches a layer of a label, ``left`` (layer, label,
    channel) goes on, and ``given`` is emitted; ``out`` (channel, row, column).
    """
    layers, channels = labels.shape[0], out.shape[0]
    reaching = np.empty(channels, np.float32)
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            out[:, i, j] = 0
            for n in range(every * every):
                reaching[:] = np.float32(1 / (every * every))
                for k in range(layers):
                    what = labels[k, i * every + n // every, j * every + n % every]
                    for c in range(channels):
                        out[c, i, j] += reaching[c] * given[k, what, c]
                        reaching[c] *= left[k, what, c]
