"""What two instruments record of one slice: X-rays and electrons, and lithium ions.

X-rays come from below the face, out of slices that are not milled yet. The range within which
electrons of E0 = 5 keV excite a line of edge Ec is 0.064 (E0^1.68 - Ec^1.68) um g/cm3 by the
density; the mean depth of emission is taken as 0.37 of it, and the depth law as exponential in the
mass on the way, so that an oxide shines through carbon. They spread sideways by 0.45 of the range
in a matter of 5.2 g/cm3 (standard deviation). Both shares are chosen. This makes, in nm:

====  =========  ======================================  ========
line  edge, keV  mean depth in carbon, LLZTO, LCO         sideways
====  =========  ======================================  ========
Co L  0.779      178, 63, 67                             79
Zr L  2.222      138, 49, 52                             62
Al K  1.560      160, 56, 60                             71
C K   0.284      185, 65, 69                             82
O K   0.543      182, 64, 68                             81
BSE   -          89, 31, 33                              40
====  =========  ======================================  ========

Ions come from the middle of what a map sputters away. Counts, backgrounds and yields are chosen.

Source: C. A. Andersen and M. F. Hasler, Proc. 4th Conf. X-Ray Optics and Microanalysis (1966) 310.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from liscope.specimens.composite import (
    LLZTO,
    Array,
    Bodies,
    Composite,
    Image,
    Indices,
    Plane,
    labelled,
    lithium,
    near,
    painted,
)  # fmt: skip
from liscope.specimens.section_series import EDS_PIXEL, SIMS_PIXEL, Instrument, Series, plane
from liscope.volume.frames import Frames

Shape = tuple[int, int]

VOLTAGE = 5.0  # kV, the paper's
EDGE = {"Co": 0.779, "Zr": 2.222, "Al": 1.560, "C": 0.284, "O": 0.543}  # keV, of the lines used
ELECTRONS = "BSE"  # which come from half the depth of the softer lines
DEEP, WIDE, MEAN_DENSITY = 0.37, 0.45, 5.2
DENSITY = np.array([0, 1.9, 5.4, 5.05, 3.95, 0.05])  # g/cm3, by label
SIGNAL = {  # counts a pixel of carbon, LLZTO, LCO, alumina and cracks, where there is nothing else
    "Co": (0, 0, 24, 0, 0),
    "Zr": (0, 16, 0, 0, 0),
    "Al": (0, 0, 0, 45, 0),
    "C": (28, 0, 0, 0, 0),
    "O": (0.5, 16, 20, 26, 0),
    ELECTRONS: (14, 90, 62, 36, 3),
}
BACKGROUND = {"Co": 0.8, "Zr": 1.0, "Al": 0.7, "C": 1.5, "O": 0.8, ELECTRONS: 0.0}
BRAKING = np.array([0, 0.35, 1.3, 1.0, 0.6, 0.1])  # of the background, by label
BOUNDS = (
    np.array([0, 20, 45, 75, 110, 155, 215, 300, 420, 600]) / 1e3
)  # um below the face, of layers
EVERY = 2  # points a pixel, along rows and along columns
REDEPOSITED = 0.02  # lithium on everything, of that of LCO


def excited(channels: tuple[str, ...]) -> Array:
    """Return the range in which each channel is excited, um g/cm3."""
    edges = np.array([EDGE.get(name, EDGE["Co"]) for name in channels])
    whole = 0.064 * (VOLTAGE**1.68 - edges**1.68)
    return np.asarray(np.where(np.array(channels) == ELECTRONS, whole / 2, whole))


def x_rays(
    bodies: Bodies, tool: Instrument, series: Series, number: int, shape: Shape,
    channels: tuple[str, ...], seed: int = 0,
) -> NDArray[np.uint16] | Image:  # fmt: skip
    """Return the counts (channel, y, x) of one slice.

    Parameters
    ----------
    bodies, tool, series
        What there is, how it is looked at, and from where.
    number, shape
        Of the slice, and of its picture.
    channels
        Of :data:`SIGNAL`: elements, and ``BSE`` for the electrons scattered back.
    seed
        Of what differs from slice to slice: each slice has a generator of its own.
    """
    from liscope.specimens._composite_kernels import emitted

    rng = np.random.default_rng([seed, number, *b"x-rays"])
    bounds = BOUNDS if tool.interaction else BOUNDS[:2] * 1e-3
    layers = _layers(bodies, tool, series, number, shape, bounds)
    means = np.empty((len(channels), *shape), np.float32)
    emitted(layers, *_tables(tool, bounds, channels), EVERY, means)
    width = tool.interaction * WIDE * excited(channels) / MEAN_DENSITY
    for image, sigma in zip(means, width / EDS_PIXEL, strict=True):
        ndimage.gaussian_filter(image, sigma, output=image, mode="nearest")
    means *= series.eds_gain[number] * tool.counts * _shading(tool, series, number, shape, rng)
    return _counted(means, tool, rng)


def _layers(
    bodies: Bodies, tool: Instrument, series: Series, number: int, shape: Shape, bounds: Array
) -> NDArray[np.uint8]:
    """Return labels (layer, row, column) below the face, along a beam that enters at the tilt."""
    place, down, right = plane(series.eds, number, EDS_PIXEL / EVERY)
    fine = (shape[0] * EVERY, shape[1] * EVERY)
    aslant = np.array([1.0, np.tan(np.deg2rad(tool.eds_tilt)), 0.0])
    which = _met(bodies, (place, down, right), fine, bounds[-1] * aslant)
    layers = np.empty((len(bounds) - 1, *fine), np.uint8)
    for layer, below in zip(layers, (bounds[1:] + bounds[:-1]) / 2, strict=True):
        layer[:] = labelled(bodies, which, (place + below * aslant, down, right), fine)
    return layers


def _tables(tool: Instrument, bounds: Array, channels: tuple[str, ...]) -> tuple[Image, Image]:
    """Return the shares that go on through a layer, and what it emits: (layer, label, channel)."""
    pure = np.stack([(0, *SIGNAL[name]) for name in channels], -1)
    around = np.array([BACKGROUND[name] for name in channels])
    rate = pure + tool.background * around * BRAKING[:, None]
    mass = np.diff(bounds)[:, None, None] * DENSITY[:, None]
    # A surface without an interaction volume is one layer that nothing gets through.
    deep = DEEP * tool.interaction * excited(channels)
    left = np.exp(-mass / deep) if tool.interaction else np.zeros((1, *rate.shape))
    return left.astype(np.float32), (rate * (1 - left)).astype(np.float32)


def ions(
    bodies: Bodies, tool: Instrument, series: Series, number: int, shape: Shape,
    composite: Composite, loss: tuple[float, float], seed: int = 0,
) -> NDArray[np.uint16] | Image:  # fmt: skip
    """Return the 6Li+ counts (y, x) of one slice; as :func:`x_rays`.

    ``loss``: depth (um) and amplitude of the loss of lithium at the surfaces of LLZTO.
    """
    rng = np.random.default_rng([seed, number, *b"ions"])
    place, down, right = plane(series.sims, number, SIMS_PIXEL / EVERY)
    fine = (shape[0] * EVERY, shape[1] * EVERY)
    at = (place + np.array([tool.sputtered / 2e3, 0, 0]), down, right)
    label, owner, depth = painted(bodies, _met(bodies, at, fine, np.zeros(3)), at, fine)
    there = (
        lithium(label, depth, composite.llzto_lithium, loss) * _yields(bodies, tool, seed)[owner]
    )
    mean = there.reshape(shape[0], EVERY, shape[1], EVERY).mean((1, 3))
    mean += REDEPOSITED * tool.background
    ndimage.gaussian_filter(mean, tool.beam / np.sqrt(8 * np.log(2)) / SIMS_PIXEL, output=mean)
    across = _across(series.sims, number, shape[1], SIMS_PIXEL)
    mean *= tool.lithium * series.sims_gain[number] * _stripes(tool, series, number, across)
    return _counted(mean, tool, rng)


def _yields(bodies: Bodies, tool: Instrument, seed: int) -> Image:
    """Return the ion yield of each body, of that of LCO, and a last one for no body."""
    rng = np.random.default_rng([seed, *b"yields"])
    matrix = np.where(bodies.phase == LLZTO, 1 - tool.matrix, 1.0)
    each = matrix * np.exp(tool.grain * rng.standard_normal(len(bodies.phase)))
    return np.append(each, 1.0).astype(np.float32)


def _shading(
    tool: Instrument, series: Series, number: int, shape: Shape, rng: np.random.Generator
) -> Image:
    """Return the gain over a picture: the shadow of the pit, stripes, and a line that charged."""
    down = np.linspace(0, 1, shape[0])[:, None]
    gain = 1 - tool.shadowing * down**2
    at, wide, sign = rng.uniform(0.1, 0.9), rng.uniform(0.03, 0.2), rng.choice([-1, 1])
    if series.charged[number]:
        gain = gain * (1 + tool.charging * sign * np.exp(-(((down - at) / wide) ** 2)))
    across = _across(series.eds, number, shape[1], EDS_PIXEL)
    return np.asarray(gain * _stripes(tool, series, number, across), np.float32)


def _stripes(tool: Instrument, series: Series, number: int, across: Array) -> Image:
    """Return the curtain's gain at places along the section's x, um.

    It hangs where hard particles shield what lies below them: the same one for both instruments,
    and another one eight slices on.
    """
    gain, (block, along) = np.zeros(len(across)), divmod(number, 8)
    for stream, share in ((block, 1 - along / 8), (block + 1, along / 8)):
        rng = np.random.default_rng([series.seed, stream, *b"stripes"])
        period, phase = rng.uniform(0.4, 3.0, 12), rng.uniform(0, 2 * np.pi, 12)
        waves = np.sin(2 * np.pi * across[:, None] / period + phase)
        gain += np.sqrt(share / 6) * waves @ rng.standard_normal(12)
    return np.clip(1 + tool.curtaining * gain, 0.2, None).astype(np.float32)


def _across(frames: Frames, number: int, count: int, pixel: float) -> Array:
    """Return where the columns of a picture's middle row lie along the section's x, um."""
    place, _, right = plane(frames, number, pixel)
    return np.asarray(place[2] + right[2] * np.arange(count))


def _met(bodies: Bodies, at: Plane, shape: Shape, below: Array) -> Indices:
    """Return the bodies that may meet a picture's plane, and what lies ``below`` it."""
    place, down, right = at
    rows, columns = down * (shape[0] - 1), right * (shape[1] - 1)
    corners = place + np.array([0 * rows, rows, columns, rows + columns])
    return near(bodies, corners.min(0), corners.max(0) + below)


def _counted(mean: Image, tool: Instrument, rng: np.random.Generator) -> NDArray[np.uint16] | Image:
    return rng.poisson(mean).astype(np.uint16) if tool.shot_noise else mean
