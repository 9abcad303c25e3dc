"""Orientation and phase of every pattern of a block."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace, device, is_numpy_array
from scipy.spatial.transform import Rotation

from liscope.diffraction import polar as _polar
from liscope.diffraction.library import Library
from liscope.diffraction.polar import Array
from liscope.diffraction.refine import Refined, refine
from liscope.diffraction.search import Found, search
from liscope.grains.disorientation import angle_between

BATCH = 64  # patterns at a time: their correlations fit a core's cache
GPU_BATCH = 2048  # patterns at a time elsewhere: some 2 GB of correlations
REFINED = 8  # candidates of each phase whose angles are fitted
KEPT = 8  # different candidates that are returned
DIFFERENT = 4.0  # degrees between those


class Candidates(NamedTuple):
    """What a pattern may be: (n, ``KEPT``), best first; beyond those there are, phase -1, score 0.

    ``orientation`` (n, k, 4) sample to crystal, ``phase`` (n, k), ``score`` (n, k) the
    correlation of spots with the template between 0 and 1; ``norm`` (n,) how much spots there are.
    """

    orientation: np.ndarray
    phase: np.ndarray
    score: np.ndarray
    norm: np.ndarray


def index(patterns: Array, library: Library, centres: Array | None = None) -> Candidates:
    """Return the candidates of each pattern.

    Parameters
    ----------
    patterns
        (n, rows, columns) of any number type; moved to where the library is.
    library
        Templates, as :func:`~liscope.diffraction.library.library` makes them.
    centres
        (n, 2) of the direct beam, x then y, in pixels; found in each pattern by default.
    """
    parts = [
        _batch(
            beside(library, patterns[some, ...]),
            library,
            None if centres is None else beside(library, centres[some, :]),
        )
        for some in batches(patterns.shape[0], library)
    ]
    return Candidates(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def batches(count: int, library: Library) -> list[slice]:
    """Return slices that take so many of ``count`` patterns at a time as suit the library."""
    size = BATCH if is_numpy_array(library.phases[0].rows) else GPU_BATCH
    return [slice(i, min(i + size, count)) for i in range(0, count, size)]


def _batch(patterns: Array, library: Library, centres: Array | None) -> Candidates:
    """Return the candidates of a few patterns."""
    if centres is None:
        centres = _polar.direct_beam(patterns)
    spots, norm = _polar.spots_only(_polar.unrolled(patterns, centres, library.grid))
    return candidates_of(spots, norm, library)


def candidates_of(spots: Array, norm: Array, library: Library) -> Candidates:
    """Return the candidates of patterns that are polar already, (n, r, azimuths) of unit norm."""
    found = [_of_phase(spots, library, i) for i in range(len(library.phases))]
    return _different(found, library, local(norm))


def _of_phase(spots: Array, library: Library, which: int) -> Refined:
    """Return the refined candidates of one phase."""
    phase = library.phases[which]
    return refine(spots, library, phase, best(search(spots, library, phase), REFINED))


def best(found: Found, count: int) -> Found:
    """Return the ``count`` candidates of the highest score."""
    xp = array_namespace(found.score)
    order = xp.argsort(found.score, axis=1, descending=True)[:, :count]
    return Found(*(xp.take_along_axis(value, order, axis=1) for value in found))


def _different(found: list[Refined], library: Library, norm: np.ndarray) -> Candidates:
    """Return the best candidates of all phases that are not the same orientation twice."""
    pool = _pooled(found)
    out = Candidates(
        np.full((len(norm), KEPT, 4), np.nan),
        np.full((len(norm), KEPT), -1, np.int8),
        np.zeros((len(norm), KEPT), np.float32),
        norm,
    )
    rows = np.arange(len(norm))
    for k in range(KEPT):
        top = np.argmax(pool.score, axis=1)
        left = pool.score[rows, top] > 0
        for kept, of in zip(out[:3], pool[:3], strict=True):
            kept[left, k] = of[rows, top][left]
        _strike(pool, top, left, library)
    return out


def _pooled(found: list[Refined]) -> Candidates:
    """Return the candidates of all phases side by side."""
    score = np.concatenate([local(each.score) for each in found], axis=1)
    matrix = np.concatenate([local(each.matrix) for each in found], axis=1)
    phase = np.repeat(np.arange(len(found)), [each.score.shape[1] for each in found])
    turned = Rotation.from_matrix(matrix.reshape(-1, 3, 3)).as_quat()
    orientation = np.roll(turned, 1, axis=-1).reshape(*score.shape, 4)
    return Candidates(orientation, np.broadcast_to(phase, score.shape), score.copy(), score[:, 0])


def _strike(pool: Candidates, top: np.ndarray, left: np.ndarray, library: Library) -> None:
    """Take the candidate ``top`` of each pattern, and all nearly the same, off the pool."""
    rows = np.arange(len(top))
    for i, phase in enumerate(library.phases):
        of_it = left & (pool.phase[rows, top] == i)
        at, other = np.nonzero(of_it[:, None] & (pool.phase == i) & (pool.score > 0))
        angle = angle_between(
            pool.orientation[at, other], pool.orientation[at, top[at]], local(phase.symmetry)
        )
        pool.score[at, other] = np.where(angle < DIFFERENT, 0, pool.score[at, other])
    pool.score[rows, top] = 0


def beside(library: Library, values: Any) -> Array:
    """Return an array in the namespace and on the device of the library."""
    rows = library.phases[0].rows
    if is_numpy_array(rows):
        return np.asarray(values)
    return array_namespace(rows).asarray(values, device=device(rows))


def local(values: Any) -> np.ndarray:
    """Return an array of any namespace as numpy's."""
    if is_numpy_array(values):
        return np.asarray(values)
    return np.from_dlpack(values.to("cpu") if hasattr(values, "to") else values)
