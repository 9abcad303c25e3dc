"""Probable phases of voxels whose signals overlap: mean-field estimation with neighbours' help.

A voxel's counts come from its neighbours as well, through the instrument's response. The phases
that explain them best are searched for all voxels together: each voxel's probabilities move to what
the counts around it say (Poisson, to second order around the present expectation) and what its six
neighbours are (a Potts prior), given the other voxels' probabilities (C. M. Bishop, Pattern
Recognition and Machine Learning, Springer 2006, section 10.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liscope.volume.response import Response

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

TILE = (128, 256)  # voxels in the plane that one relaxation works on; what it needs stays in cache
MARGIN = 10  # voxels around a tile that are worked on with it
STRIP = 2 * TILE[0]  # rows whose voxels are in memory at once


@dataclass(frozen=True)
class Model:
    """What is known about the phases before a voxel is looked at.

    Attributes
    ----------
    rate
        (phase, channel), counts a voxel.
    gain
        (channel, z), relative to the mean of all slices.
    weight
        (channel,) what a count tells beside a Poisson count.
    prior
        (phase,), the logarithm of the shares.
    coupling
        (z, y, x), of neighbours.
    responses
        Of each channel.
    density
        (phase,), g/cm3.
    voxel
        (z, y, x), nm.
    steps
        Of relaxation, and how far each goes.
    """

    rate: Floats
    gain: Floats
    weight: Floats
    prior: Floats
    coupling: Floats
    responses: tuple[Response, ...]
    density: Array
    voxel: tuple[float, float, float]
    steps: Sequence[float]

    def at(self, gain: Floats) -> Model:
        """Return the model of other slices, with their gain (channel, z)."""
        return replace(self, gain=gain)


class View:
    """What one channel sees of a block of voxels."""

    def __init__(self, model: Model, channel: int, shape: tuple[int, ...]) -> None:
        response = model.responses[channel]
        self.taps = response.taps(model.voxel)
        self.through = response.through(model.voxel[0], model.density)
        self.half = response.through(model.voxel[0] / 2, model.density)
        self.spare, self.beneath = np.empty(shape, np.float32), np.empty(shape, np.float32)

    def expected(self, probability: Floats, rate: Floats, out: Floats) -> None:
        """Write the counts to be expected of the phases' rates (phase,) into ``out`` (z, y, x)."""
        from liscope.volume import _phase_kernels as kernels

        kernels.looked_down(probability, rate, self.through, self.half, out, self.beneath)
        self.blur(out, True)

    def blur(self, image: Floats, beyond: bool) -> None:
        """Blur in the plane, in place; symmetric, so that it is its own transpose."""
        from liscope.volume import _phase_kernels as kernels

        kernels.along_x(image, self.taps[1], beyond, self.spare)
        kernels.along_y(self.spare, self.taps[0], beyond, image)

    @property
    def power(self) -> float:
        """The sum of the squared weights in the plane."""
        return float(np.prod([np.sum(taps.astype(float) ** 2) for taps in self.taps]))


def relax(counts: Floats, model: Model) -> Floats:
    """Return probabilities (phase, z, y, x) from counts (channel, z, y, x); NaN: no count."""
    from liscope.volume import _phase_kernels as kernels

    shape = counts.shape[1:]
    energy = np.empty((len(model.prior), *shape), np.float32)
    kernels.first_guess(counts, model.rate, model.gain, model.weight, model.prior, energy)
    probability = np.zeros_like(energy)
    kernels.settle(energy, 1.0, probability)
    views = [View(model, c, shape) for c in range(len(counts))]
    mean, pull = np.empty(shape, np.float32), np.empty(shape, np.float32)
    for step in model.steps:
        kernels.neighbours(probability, model.prior, model.coupling, energy)
        for c, view in enumerate(views):
            rate, gain, weight = model.rate[:, c].copy(), model.gain[c], float(model.weight[c])
            view.expected(probability, rate, mean)
            kernels.residual(counts[c], mean, gain, weight, pull)
            view.blur(pull, False)
            kernels.drive(
                counts[c], probability, rate, view.through, view.half,
                pull, mean, view.beneath, gain, weight * view.power, energy,
            )  # fmt: skip
        kernels.settle(energy, step, probability)
    return probability


def relaxed_tiles(
    blocks: Sequence[Sequence[Any]], model: Model, kept: slice, rows: slice | None = None
) -> Floats:
    """Return :func:`relax` of some slices, in overlapping tiles of a fixed size.

    Parameters
    ----------
    blocks
        Counts (channel, z, y, x), cut along channel and then along z.
    model
        Of these slices.
    kept
        Which of them are returned; NaN where nothing was measured.
    rows
        Those that are returned, the first one being a tile's; None: all.
    """
    high, wide = blocks[0][0].shape[2:]
    rows = slice(0, high) if rows is None else rows
    shape = (len(model.prior), kept.stop - kept.start, rows.stop - rows.start, wide)
    out = np.empty(shape, np.float32)
    for y in _spans(high, TILE[0], rows):
        for x in _spans(wide, TILE[1], slice(0, wide)):
            tile = _joined(blocks, y[0], x[0])
            found = relax(tile, model)[:, kept]
            found[:, ~np.isfinite(tile[:, kept]).any(0)] = np.nan
            out[:, :, y[1], x[1]] = found[:, :, y[2], x[2]]
    return out


def strips(rows: int) -> list[tuple[slice, slice]]:
    """Return parts of a picture's rows: what is read, and which of that is wanted."""
    found = []
    for start in range(0, rows, STRIP):
        stop = min(start + STRIP, rows)
        low = max(0, start - MARGIN)
        found.append((slice(low, min(rows, stop + MARGIN)), slice(start - low, stop - low)))
    return found


def _joined(blocks: Sequence[Sequence[Any]], y: slice, x: slice) -> Floats:
    parts = [np.concatenate([block[:, :, y, x] for block in row], axis=1) for row in blocks]
    return np.ascontiguousarray(np.concatenate(parts), np.float32)


def _spans(size: int, tile: int, wanted: slice) -> list[tuple[slice, slice, slice]]:
    """Return for each tile what it reads, what it writes, and where that lies in what it read."""
    found = []
    for start in range(wanted.start, wanted.stop, tile):
        stop = min(start + tile, wanted.stop)
        low, high = max(0, start - MARGIN), min(size, stop + MARGIN)
        write = slice(start - wanted.start, stop - wanted.start)
        found.append((slice(low, high), write, slice(start - low, stop - low)))
    return found
