"""A series of slices as two instruments meet it: depths, drifts, frames, missing slices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liscope.errors import ParameterError
from liscope.specimens.composite import Array, Plane
from liscope.volume.frames import Frames

EDS_PIXEL, SIMS_PIXEL = 0.0814, 0.072  # um
LAYER = 2300 / 39  # nm, mean thickness of a slice: the paper's 2.3 um in 39 layers
MEMORY = 0.97  # of the drift from one slice to the next: someone brings the picture back at times
DYING = 20.0  # slices, after which the trend of the drift has fallen to 1/e


@dataclass(frozen=True)
class Instrument:
    """Frames and defects of both instruments; every one can be switched off by its zero.

    From the paper: the pixels, and 2 degrees between the ion beam and the section's normal (its
    position 4: pre-tilt 36, columns 52 apart). There the section's normal lies along the electron
    beam; here 12 degrees remain between them, as where a stage stops at 42 of the 54 that this
    takes. All other numbers are chosen.
    """

    eds_tilt: float = 12.0  # degrees between beam and the section's normal, about the picture's x
    sims_tilt: float = 2.0
    rotation: float = (
        1.5  # degrees, of the SIMS pictures against those of EDS; a third more or less
    )
    shift: tuple[float, float] = (
        -9.2,
        2.4,
    )  # um, y and x of the SIMS field's corner; a tenth likewise
    drift: float = 0.1  # um, standard deviation from slice to slice
    trend: tuple[float, float] = (0.5, -0.3)  # um, y and x, altogether
    uneven: float = 8.0  # nm, standard deviation of a slice's thickness
    depth_error: float = 0.03  # um, standard error of the total depth from ion-beam images
    gap_noise: float = 3.0  # nm, of the distance between the fiducial lines
    interaction: float = 1.0  # of the usual X-ray ranges; 0: what lies at the face, seen by a point
    counts: float = 1.0  # of the usual counts of X-rays and electrons
    background: float = 1.0  # of the usual bremsstrahlung, contamination and redeposited lithium
    shadowing: float = 0.15  # loss of X-rays and electrons at the bottom of the pit
    curtaining: float = 0.05  # standard deviation of the vertical stripes
    charging: float = (
        0.25  # of the signal, at the brightest or darkest line of a slice that charges
    )
    lithium: float = 14.0  # 6Li+ a pixel of LCO
    beam: float = 0.1  # um, full width at half maximum of the ion beam
    sputtered: float = 30.0  # nm, that a SIMS map takes from the face
    matrix: float = 0.45  # by how much less lithium ionises in LLZTO than in LCO
    grain: float = 0.06  # standard deviation of the ion yield from particle to particle
    gain_drift: float = (
        0.04  # standard deviation of the SIMS gain, which drifts over some 10 slices
    )
    missing: int = 2  # slices without a map of one instrument, others for each
    bad: float = 0.85  # of the X-rays that one slice has lost
    shot_noise: bool = True  # False: mean counts, float32


IDEAL = Instrument(
    eds_tilt=0, sims_tilt=0, rotation=0, shift=(0, 0), drift=0, trend=(0, 0), uneven=0,
    depth_error=0, gap_noise=0, interaction=0, background=0, shadowing=0, curtaining=0, charging=0,
    beam=0, sputtered=0, matrix=0, grain=0, gain_drift=0, missing=0, bad=0, shot_noise=False,
)  # fmt: skip


def with_defects(**defects: Any) -> Instrument:
    """Return usual instruments with the named properties set to other values."""
    return replace(Instrument(), **defects)


@dataclass(frozen=True)
class Series:
    """What happened from slice to slice; arrays over all slices, also those without a map.

    Attributes
    ----------
    eds, sims
        Where the pictures lie in the section.
    thickness
        nm, of what was milled after a slice was mapped.
    eds_kept, sims_kept
        Numbers of the slices with a map.
    eds_gain, sims_gain
        Of the counts of a slice.
    charged
        Whether a slice charged up under the electrons.
    seed
        Of what belongs to the series as a whole: its stripes.
    """

    eds: Frames
    sims: Frames
    thickness: Array
    eds_kept: NDArray[np.int64]
    sims_kept: NDArray[np.int64]
    eds_gain: Array
    sims_gain: Array
    charged: NDArray[np.bool_]
    seed: int


def milled(tool: Instrument, slices: int, sims_shape: tuple[int, int], seed: int) -> Series:
    """Return a series of slices.

    Raises
    ------
    ParameterError
        If there are too few slices for those that are to be missing, and a bad one.
    """
    if slices < 2 * tool.missing + 3:
        raise ParameterError(
            f"{slices} slices are too few where {tool.missing} of each are missing"
        )
    rng = np.random.default_rng([seed, *b"series"])
    thickness = _thickness(tool, slices, rng)
    depth = np.concatenate([[0.0], np.cumsum(thickness)[:-1]]) / 1e3
    lost = rng.permutation(np.arange(1, slices - 1))
    number = np.arange(slices)
    eds_gain = np.where(number == lost[2 * tool.missing], 1 - tool.bad, 1.0)
    walk = _walk(slices, np.sqrt(1 - 0.9**2), 0.9, rng)[:, 0]
    turn = tool.rotation * rng.uniform(2 / 3, 4 / 3)
    corner = np.array(tool.shift) * rng.uniform(0.9, 1.1, 2)
    middle = np.array(sims_shape) * SIMS_PIXEL / 2
    matrix = _matrix(tool.sims_tilt, turn)
    return Series(
        eds=_frames(tool, _matrix(tool.eds_tilt, 0.0), np.zeros(2), depth, rng),
        sims=_frames(tool, matrix, middle - matrix @ (corner + middle), depth, rng),
        thickness=thickness,
        eds_kept=np.setdiff1d(number, lost[: tool.missing]),
        sims_kept=np.setdiff1d(number, lost[tool.missing : 2 * tool.missing]),
        eds_gain=eds_gain,
        sims_gain=np.exp(tool.gain_drift * walk),
        charged=rng.random(slices) < 0.08,
        seed=seed,
    )


def plane(frames: Frames, number: int, step: float) -> Plane:
    """Return where points of a picture, ``step`` um apart, lie: the first, and ways to the next.

    The first one lies half a step inside the picture's corner; (z, y, x) in um, rows before
    columns.
    """
    back = np.linalg.inv(frames.matrix[number])
    first = back @ (np.full(2, step / 2) - frames.offset[number])
    down, right = (np.array([0.0, *(back[:, axis] * step)]) for axis in (0, 1))
    return np.array([frames.depth[number], *first]), down, right


def _thickness(tool: Instrument, slices: int, rng: np.random.Generator) -> Array:
    """Return thicknesses, nm; the total differs from the paper's as its two digits allow."""
    spread = np.clip(tool.uneven * rng.standard_normal(slices), -0.5 * LAYER, 0.5 * LAYER)
    total = rng.uniform(-25, 25) * np.sqrt(slices / 39) if tool.uneven else 0.0
    return np.asarray(LAYER + spread + (total - spread.sum()) / slices)


def _matrix(tilt: float, turn: float) -> Array:
    """Return section to picture, y and x: turned, then foreshortened along the picture's y."""
    angle = np.deg2rad(turn)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray(np.diag([np.cos(np.deg2rad(tilt)), 1.0]) @ rotation)


def _frames(
    tool: Instrument, matrix: Array, offset: Array, depth: Array, rng: np.random.Generator
) -> Frames:
    count = len(depth)
    trend = (1 - np.exp(-np.arange(count) / DYING))[:, None] * tool.trend
    drift = trend + _walk(count, tool.drift, MEMORY, rng)
    return Frames(np.tile(matrix, (count, 1, 1)), offset + drift - drift[0], depth)


def _walk(count: int, step: float, memory: float, rng: np.random.Generator) -> Array:
    """Return a walk (slice, 2) that forgets where it started."""
    places = np.zeros((count, 2))
    for k, each in enumerate(step * rng.standard_normal((count, 2))):
        places[k] = memory * places[k - 1] + each if k else each
    return places
