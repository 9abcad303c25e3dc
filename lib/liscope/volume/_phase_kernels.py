"""Hot loops of phase identification: separable blur, and one step of mean-field estimation."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

FAST = {"reassoc", "contract", "arcp", "nsz"}  # NaN keep their meaning


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def along_x(source: Floats, taps: Floats, beyond: bool, out: Floats) -> None:
    """Blur rows by symmetric weights, whose number is odd.

    Beyond the border the outermost value goes on, or where ``beyond`` is false nothing is there.
    """
    nz, ny, nx = source.shape
    centre = taps.size // 2
    for z in range(nz):
        for y in range(ny):
            row, target = source[z, y], out[z, y]
            target[:] = 0
            for k in range(taps.size):
                shift, tap = k - centre, taps[k]
                low, high = min(max(0, -shift), nx), max(min(nx, nx - shift), 0)
                inner, moved = target[low:high], row[max(shift, 0) :]
                for x in range(inner.size):  # no index may be negative, or this is not vectorised
                    inner[x] += tap * moved[x]
                if beyond:
                    for x in range(low):
                        target[x] += tap * row[0]
                    for x in range(high, nx):
                        target[x] += tap * row[nx - 1]


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def along_y(source: Floats, taps: Floats, beyond: bool, out: Floats) -> None:
    """Blur columns, as :func:`along_x` does rows."""
    nz, ny, nx = source.shape
    centre = taps.size // 2
    for z in range(nz):
        for y in range(ny):
            target = out[z, y]
            target[:] = 0
            for k in range(taps.size):
                at = y + k - centre
                if beyond or 0 <= at < ny:
                    row, tap = source[z, min(max(at, 0), ny - 1)], taps[k]
                    for x in range(nx):
                        target[x] += tap * row[x]


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def looked_down(
    probability: Floats, rate: Floats, through: Floats, half: Floats, mean: Floats, beneath: Floats
) -> None:
    """Write what each voxel's face sends, ``mean`` (z, y, x), seen before any blur in the plane.

    Layer by layer from the deepest: a voxel of phase p sends ``rate[p]`` less the share
    ``through[p]`` that goes on to the voxels below it, which send ``beneath``. A face is in the
    middle of its voxel, of which ``half`` goes on. Below the last slice lies more of the same.
    """
    phases, nz, ny, nx = probability.shape
    below = np.zeros((ny, nx), np.float32)
    for y in range(ny):
        for p in range(phases):
            for x in range(nx):
                below[y, x] += probability[p, nz - 1, y, x] * rate[p]
    on = np.empty(nx, np.float32)
    own = np.empty(nx, np.float32)
    for z in range(nz - 1, -1, -1):
        for y in range(ny):
            deep, here, face = below[y], beneath[z, y], mean[z, y]
            here[:] = deep
            face[:] = 0
            own[:] = 0
            on[:] = 0
            for p in range(phases):
                row = probability[p, z, y]
                h, t, r = half[p], through[p], rate[p]
                a, b = (np.float32(1) - h) * r, (np.float32(1) - t) * r
                for x in range(nx):
                    face[x] += row[x] * (a + h * deep[x])
                    own[x] += row[x] * b
                    on[x] += row[x] * t
            for x in range(nx):
                deep[x] = own[x] + on[x] * deep[x]


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def drive(
    counts: Floats,
    probability: Floats,
    rate: Floats,
    through: Floats,
    half: Floats,
    pull: Floats,
    mean: Floats,
    beneath: Floats,
    gain: Floats,
    weight: float,
    energy: Floats,
) -> None:
    """Add one channel's change of log-likelihood to energy (p, z, y, x), were a voxel all of p.

    Second order around the present expectation: slope ``pull``, curvature ``weight * gain / mean``;
    both reach a voxel from its own face and, through what lies between, from those above.
    """
    phases, nz, ny, nx = probability.shape
    slope = np.zeros((ny, nx), np.float32)  # of the faces above
    bend = np.zeros((ny, nx), np.float32)
    own = np.empty(nx, np.float32)
    face = np.empty(nx, np.float32)
    body = np.empty(nx, np.float32)
    on = np.empty(nx, np.float32)
    into = np.empty(nx, np.float32)
    floor = np.float32(1e-3)
    for z in range(nz):
        scale = np.float32(0.5 * weight * gain[z])
        for y in range(ny):
            deep, force = beneath[z, y], pull[z, y]
            face[:] = 0
            body[:] = 0
            on[:] = 0
            into[:] = 0
            for p in range(phases):
                row = probability[p, z, y]
                h, t, r = half[p], through[p], rate[p]
                for x in range(nx):
                    face[x] += row[x] * (r + h * (deep[x] - r))
                    body[x] += row[x] * (r + t * (deep[x] - r))
                    into[x] += row[x] * h
                    on[x] += row[x] * t
            for x in range(nx):
                n = counts[z, y, x]
                own[x] = scale / max(mean[z, y, x], floor) if n == n else np.float32(0)
            for p in range(phases):
                target = energy[p, z, y]
                h, t, r = half[p], through[p], rate[p]
                for x in range(nx):
                    one = r + h * (deep[x] - r) - face[x]
                    two = r + t * (deep[x] - r) - body[x]
                    target[x] += one * (force[x] - own[x] * one)
                    target[x] += two * (slope[y, x] - bend[y, x] * two)
            for x in range(nx):
                slope[y, x] = into[x] * force[x] + on[x] * slope[y, x]
                bend[y, x] = into[x] * into[x] * own[x] + on[x] * on[x] * bend[y, x]


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def residual(counts: Floats, mean: Floats, gain: Floats, weight: float, pull: Floats) -> None:
    """Write the slope of the log-likelihood with the mean; 0 where nothing was measured."""
    nz, ny, nx = counts.shape
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                n = counts[z, y, x]
                slope = weight * (n / max(mean[z, y, x], np.float32(1e-3)) - gain[z])
                pull[z, y, x] = slope if n == n else np.float32(0)  # NaN differs from itself


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def neighbours(probability: Floats, prior: Floats, coupling: Floats, energy: Floats) -> None:
    """Write the log of the prior with the six neighbours' pull (Potts) into energy (p, z, y, x)."""
    phases, nz, ny, nx = probability.shape
    for p in range(phases):
        q = probability[p]
        for z in range(nz):
            for y in range(ny):
                above, below = q[max(z - 1, 0), y], q[min(z + 1, nz - 1), y]
                left, right = q[z, max(y - 1, 0)], q[z, min(y + 1, ny - 1)]
                row, target = q[z, y], energy[p, z, y]
                for x in range(nx):
                    target[x] = (
                        prior[p]
                        + coupling[0] * (above[x] + below[x])
                        + coupling[1] * (left[x] + right[x])
                    )
                for x in range(1, nx):
                    target[x] += coupling[2] * row[x - 1]
                for x in range(nx - 1):
                    target[x] += coupling[2] * row[x + 1]
                target[0] += coupling[2] * row[0]
                target[nx - 1] += coupling[2] * row[nx - 1]


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def settle(energy: Floats, step: float, probability: Floats) -> None:
    """Move probability by ``step`` towards the softmax of energy, both (p, z, y, x)."""
    phases, nz, ny, nx = probability.shape
    top = np.empty(nx, np.float32)
    total = np.empty(nx, np.float32)
    for z in range(nz):
        for y in range(ny):
            top[:] = energy[0, z, y]
            for p in range(1, phases):
                for x in range(nx):
                    top[x] = max(top[x], energy[p, z, y, x])
            total[:] = 0
            for p in range(phases):
                for x in range(nx):
                    value = np.exp(energy[p, z, y, x] - top[x])
                    energy[p, z, y, x] = value
                    total[x] += value
            for p in range(phases):
                for x in range(nx):
                    aim = energy[p, z, y, x] / total[x]
                    probability[p, z, y, x] += np.float32(step) * (aim - probability[p, z, y, x])


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def first_guess(
    counts: Floats, rate: Floats, gain: Floats, weight: Floats, prior: Floats, energy: Floats
) -> None:
    """Write the log-likelihood of each phase, each voxel on its own, into energy (p, z, y, x).

    ``rate`` is (p, channel), ``gain`` (channel, z), ``weight`` (channel,).
    """
    phases, nz, ny, nx = energy.shape
    for p in range(phases):
        energy[p] = prior[p]
        for c in range(counts.shape[0]):
            r = max(rate[p, c], np.float32(1e-3))
            for z in range(nz):
                slope, level = np.float32(np.log(r * gain[c, z])), np.float32(r * gain[c, z])
                for y in range(ny):
                    for x in range(nx):
                        n = counts[c, z, y, x]
                        value = weight[c] * (n * slope - level)
                        energy[p, z, y, x] += value if n == n else np.float32(0)
