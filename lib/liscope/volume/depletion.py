"""How deep and how strong lithium is lost at the edges of a phase's particles.

Within a particle the counts are taken to go as ``1 - A exp(-distance / depth)``. What the ion
beam's width brings in from other phases is predicted and taken off. The level is free in each small
block, because particles differ in yield and pictures in brightness by more than counts do: only how
counts change *within* a block decides. The likelihood of all depths and amplitudes is tabulated,
and blocks drawn again and again say how sure its maximum is, with Student's law for their number.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from liscope.errors import ParameterError
from liscope.statistics import LEVEL
from liscope.volume.beam import Width
from liscope.volume.profiles import FEWEST, RESAMPLED
from liscope.volume.response import IONS, Response, steps_of
from liscope.volume.surface import (
    BLOCK,
    Cells,
    Visit,
    block_of,
    columns_in,
    number_of,
    signed_distance,
    visited,
)

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

DEPTHS = np.geomspace(60, 1500, 56)  # nm, that are tried
AMPLITUDES = np.linspace(-0.6, 1.0, 81)  # below 0: more at the surface
REACH = 1200.0  # nm, the farthest distance from the surface that is looked at
RIM = 120.0  # nm from the surface, or two widths of the beam: labels decide there, not lithium
CLASSES = 28  # of distance
SURE = 0.9  # probability of voxels that tell another phase's rate
ENOUGH = 500  # voxels of other phases that tell a slice's gain
FAINT = 0.02  # of the level, the least that is predicted
CURVED = 2  # steps of depth to either side, over which a block's likelihood bends
TWO_SIDED = 1.96  # standard deviations of a normal law that hold 95 %


@dataclass(frozen=True)
class Depletion:
    """Loss of lithium towards the surface of particles.

    Attributes
    ----------
    depth, depth_low, depth_high
        At which the loss has fallen to 1/e, nm, with limits of 95 %. NaN where it cannot be told.
    amplitude, amplitude_low, amplitude_high
        Share of the lithium that is lost at the surface; below 0: more at the surface. The limits
        hold that the surface is known to half a voxel.
    blocks
        The number of blocks of the volume that the limits rest on.
    verdict
        ``found``, or ``cannot tell`` with the reason.
    """

    depth: float
    depth_low: float
    depth_high: float
    amplitude: float
    amplitude_low: float
    amplitude_high: float
    blocks: int
    verdict: str


def depletion(
    volume: xr.DataArray,
    phases: xr.Dataset,
    beam: Response | Width = IONS,
    phase: str = "LLZTO",
    channel: str = "6Li+",
    rim: float | None = None,
    block: float = BLOCK,
    seed: int = 0,
) -> Depletion:
    """Return depth and amplitude of the loss of lithium at the edges of a phase's particles.

    Distances are from the nearest surface in three dimensions; voxels to which the border of the
    volume is nearer than any surface do not count. Neither does a wall between two touching
    particles of the phase, which the labels do not show.

    Parameters
    ----------
    volume
        (channel, z, y, x), counts.
    phases
        ``probability`` and ``label`` on the same grid.
    beam
        What blurs the channel in the plane: measured (:func:`~liscope.volume.beam.beam_width`), and
        its error goes into the limits; or assumed, with what interpolation to the grid adds: 100 nm
        of full width at half maximum and pixels of 72 nm make a standard deviation of 55 nm. One
        that is assumed 15 nm too wide makes the depth a tenth too small, which no limit holds.
    phase, channel
        Which loses what.
    rim
        Voxels nearer to the surface do not count, nm; None: 120, or two widths of a wider beam.
    block
        Side of the blocks in the plane, um, at least that of a particle; the level is free in each
        of them, and in each slab of some slices.
    seed
        Of the drawing of blocks.

    Raises
    ------
    ParameterError
        If there is no such phase or channel.
    """
    if channel not in [str(name) for name in volume["channel"].to_numpy()]:
        raise ParameterError(f"channel '{channel}' is not in the volume")
    if isinstance(beam, Width) and not np.isfinite(beam.lateral):
        return _nothing(0, f"the ion beam's width is not known ({beam.verdict}); give beam")
    rim = max(RIM, 2 * beam.lateral) if rim is None else rim
    voxel = steps_of(volume)
    work = partial(
        _by_distance,
        number=number_of(phases, phase),
        voxel=voxel,
        beams=_beams(beam),
        edges=np.linspace(rim, REACH, CLASSES + 1),
        size=columns_in(volume, block),
    )
    slabs = np.array(visited(volume, phases, REACH + max(voxel), work, [channel], shares=True))
    distance = np.linspace(rim, REACH, 2 * CLASSES + 1)[1::2]
    likelihood = [_likelihood(slabs[:, k], distance) for k in range(slabs.shape[1])]
    return _judged(likelihood, float(np.mean(voxel)) / 2, np.random.default_rng(seed))


def _beams(beam: Response | Width) -> tuple[float, ...]:
    """Return the width, nm, and where it was measured those one standard deviation off it."""
    if isinstance(beam, Response):
        return (beam.lateral,)
    return (beam.lateral, beam.lateral - beam.error, beam.lateral + beam.error)


def _by_distance(
    counts: Floats,
    shares: Floats,
    visits: Any,
    number: int,
    voxel: tuple[float, float, float],
    beams: tuple[float, ...],
    edges: Array,
    size: Cells,
) -> Array:
    """Return the phase's own counts, and voxels weighed by gain, (beam, 2, block, distance)."""
    shares = np.nan_to_num(np.asarray(shares, np.float32))
    rate = np.array([_rate(counts[0], share) for share in shares])
    rate[number - 1] = 0
    parts = [_part(counts[0], shares, rate, v, number, voxel, beams, edges, size) for v in visits]
    slices, blocks, classes = (np.concatenate([part[i] for part in parts]) for i in range(3))
    own, seen = (np.concatenate([part[i] for part in parts], axis=1) for i in (3, 4))
    gain = _gains(counts[0], shares, rate)
    key, length = blocks * (len(edges) - 1) + classes, int(np.prod(size[0])) * (len(edges) - 1)
    sums = [
        [np.bincount(key, of, length) for of in (mine, there * gain[slices])]
        for mine, there in zip(own, seen, strict=True)
    ]
    return np.reshape(sums, (len(beams), 2, -1, len(edges) - 1))


def _rate(counts: Floats, share: Floats) -> float:
    sure = (share > SURE) & np.isfinite(counts)
    return float(counts[sure].mean()) if sure.any() else 0.0


def _part(
    counts: Floats,
    shares: Floats,
    rate: Array,
    visit: Visit,
    number: int,
    voxel: tuple[float, float, float],
    beams: tuple[float, ...],
    edges: Array,
    size: Cells,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], Floats, Floats]:
    """Return slice, block and class of distance of the voxels that count.

    And, for each width of the beam, their own counts and what share of them is the phase's.
    """
    distance, known = signed_distance(visit.label, number, voxel)
    distance, known = distance[visit.inner], known[visit.inner]
    here, total = shares[(slice(None), *visit.core)], counts[visit.core]
    others = np.tensordot(rate.astype(np.float32), here, 1)
    use = known & np.isfinite(total) & (distance > edges[0]) & (distance < edges[-1])
    classes = np.searchsorted(edges, distance[use], side="right") - 1
    own = [total[use] - _blurred(others, beam, voxel)[use] for beam in beams]
    seen = [_blurred(here[number - 1], beam, voxel)[use] for beam in beams]
    place = np.nonzero(use)[0], block_of(visit, size)[use], classes
    return *place, np.array(own), np.array(seen)


def _blurred(image: Floats, beam: float, voxel: tuple[float, float, float]) -> Floats:
    from scipy import ndimage

    width = (0, beam / voxel[1], beam / voxel[2])
    return np.asarray(ndimage.gaussian_filter(image, width, mode="nearest"), np.float32)


def _gains(counts: Floats, shares: Floats, rate: Array) -> Array:
    """Return the gain of each slice, by the voxels that are surely another phase's.

    Not by the phase's own: near the border of the volume only those close to a surface count.
    """
    sure = (shares > SURE) & np.isfinite(counts)
    voxels = sure.sum((2, 3)).astype(float)
    seen = np.where(sure[rate > 0].any(0), counts, 0).sum((1, 2))
    expected = np.tensordot(rate, voxels, 1)
    gain = np.where(voxels[rate > 0].sum(0) > ENOUGH, seen / np.maximum(expected, 1e-9), 1.0)
    return np.asarray(np.maximum(gain, 1e-3))


def _judged(likelihoods: list[Array], half: float, random: np.random.Generator) -> Depletion:
    """Judge the first width's likelihood; others say what the width's error adds to the limits."""
    likelihood, *others = likelihoods
    blocks = len(likelihood)
    if blocks < FEWEST:
        return _nothing(blocks, f"only {blocks} blocks hold the phase")
    depth, amplitude = best = np.array(_best(likelihood.sum(0)))
    drawn = random.multinomial(blocks, np.full(blocks, 1 / blocks), RESAMPLED)
    again = np.array([_best(np.tensordot(w.astype(float), likelihood, 1)) for w in drawn])
    tail = (1 - LEVEL) / 2
    wider = _wider(likelihood)
    low, high = np.quantile(again, [tail, 1 - tail], axis=0)
    moved = [np.abs(_best(other.sum(0)) - best) for other in others]
    by_beam = TWO_SIDED * np.max([np.zeros(2), *moved], axis=0)
    low = best - np.hypot(wider * (best - low), by_beam)
    high = best + np.hypot(wider * (high - best), by_beam)
    if low[1] <= 0 <= high[1]:
        return _nothing(blocks, "the amplitude may be none", amplitude, low[1], high[1])
    if low[0] <= DEPTHS[1] or high[0] >= DEPTHS[-2]:
        return _nothing(blocks, "the depth is beyond what fits", amplitude, low[1], high[1])
    ends = np.array([low[1], high[1]])
    least, most = ends * np.exp(np.sign(ends) * np.array([-1, 1]) * half / depth)
    of_depth, of_loss = (float(low[0]), float(high[0])), (float(least), min(float(most), 1.0))
    return Depletion(float(depth), *of_depth, float(amplitude), *of_loss, blocks, "found")


def _wider(likelihood: Array) -> float:
    """Return by how much limits from blocks drawn again are too narrow, for blocks are few.

    Those that tell much count for more: by Kish's effective number (Survey Sampling, 1965) of
    blocks, weighed by the curvature of their likelihoods along the depth. Student's law for it, and
    that drawing scatters less than the blocks do.
    """
    row, column = np.unravel_index(int(np.argmax(likelihood.sum(0))), likelihood.shape[1:])
    middle = int(np.clip(column, CURVED, likelihood.shape[2] - 1 - CURVED))
    left, at, right = (likelihood[:, row, middle + step] for step in (-CURVED, 0, CURVED))
    told = np.maximum(2 * at - left - right, 0)
    number = max(told.sum() ** 2 / max((told**2).sum(), FAINT), 2.0)
    student = stats.t.ppf((1 + LEVEL) / 2, number - 1) / TWO_SIDED
    return float(student * np.sqrt(number / (number - 1)))


def _nothing(
    blocks: int, reason: str, amplitude: float = np.nan, low: float = np.nan, high: float = np.nan
) -> Depletion:
    loss = (amplitude, float(low), float(high))
    return Depletion(np.nan, np.nan, np.nan, *loss, blocks, f"cannot tell: {reason}")


def _likelihood(slabs: Array, distance: Array) -> Array:
    """Return the log-likelihood of all amplitudes and depths (block, amplitude, depth).

    Of a Poisson count whose level is the most likely one in each block of each slab.
    """
    shape = 1 - AMPLITUDES[:, None, None] * np.exp(-distance / DEPTHS[:, None])
    shape = np.maximum(shape, FAINT)
    log = np.log(shape)
    found = []
    for own, seen in zip(*np.moveaxis(slabs, 1, 0).swapaxes(1, 2), strict=True):
        own = np.maximum(own, 0)
        total = own.sum(1)
        if not total.sum() > 0:
            continue
        expected = np.maximum(np.tensordot(shape, seen.T, 1), 1e-9)
        found.append(np.tensordot(log, own.sum(0), 1) - np.log(expected) @ total)
    return np.array(found)


def _best(likelihood: Array) -> tuple[float, float]:
    """Return depth and amplitude of the maximum of a table (amplitude, depth)."""
    row, column = np.unravel_index(int(np.argmax(likelihood)), likelihood.shape)
    depth = np.exp(_peak(likelihood.max(0), int(column), np.log(DEPTHS)))
    return float(depth), _peak(likelihood[:, column], int(row), AMPLITUDES)


def _peak(values: Array, at: int, axis: Array) -> float:
    """Return where a parabola through three values is highest; the end where it is one."""
    if at in (0, len(values) - 1):
        return float(axis[at])
    left, middle, right = values[at - 1 : at + 2]
    bend = left - 2 * middle + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float(axis[at] + shift * (axis[1] - axis[0]))
