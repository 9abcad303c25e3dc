"""A second crystal under the first: what a pattern holds beside the first one's spots."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

from liscope.diffraction import polar as _polar
from liscope.diffraction.index import Candidates, batches, beside, candidates_of
from liscope.diffraction.library import Library
from liscope.diffraction.polar import AZIMUTHS, Array
from liscope.diffraction.spots import predicted

AROUND = 2.5  # px about a spot of the first crystal that no longer count
VISIBLE = 0.003  # of the strongest reflection, from which on a spot of the first is taken away


def index_second(
    patterns: Array,
    library: Library,
    orientation: np.ndarray,
    phase: np.ndarray,
    centres: Array | None = None,
) -> Candidates:
    """Return the candidates of each pattern without the spots of a crystal known to be in it.

    Parameters
    ----------
    patterns
        (n, rows, columns); moved to where the library is.
    orientation, phase
        (n, 4) sample to crystal and (n,) of the first crystal; a phase below 0 means none.
    centres
        (n, 2) of the direct beam in pixels; found in each pattern by default.
    """
    parts = []
    for some in batches(patterns.shape[0], library):
        block = beside(library, patterns[some, ...])
        middle = _polar.direct_beam(block) if centres is None else beside(library, centres[some, :])
        spots, norm = _polar.spots_only(_polar.unrolled(block, middle, library.grid))
        left, rest = _without(spots, library, orientation[some], phase[some])
        parts.append(candidates_of(left, norm * rest, library))
    return Candidates(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _without(
    spots: Array, library: Library, orientation: np.ndarray, phase: np.ndarray
) -> tuple[Array, Array]:
    """Return polar patterns without a crystal's spots, of unit norm again, and that norm."""
    xp = array_namespace(spots)
    kept = np.ones(spots.shape, np.float32)
    for i, of_phase in enumerate(library.phases):
        for n in np.flatnonzero(phase == i):
            seen, intensity, _ = predicted(of_phase.crystal, orientation[n], library.beam)
            strong = intensity > VISIBLE * intensity.max(initial=1e-30)
            kept[n] *= _away(seen[strong], library)
    left = spots * xp.asarray(kept, device=device(spots))
    norm = xp.sqrt(xp.sum(left * left, axis=(1, 2), keepdims=True))
    return left / xp.clip(norm, 1e-12, None), norm[:, 0, 0]


def _away(seen: Any, library: Library) -> np.ndarray:
    """Return (r, azimuths) one where no spot at ``seen`` (k, 2+) in 1/angstrom is near, else 0."""
    pixel = library.geometry.pixel
    radius = np.asarray(library.grid.radius)
    k = np.hypot(seen[:, 0], seen[:, 1])
    ring = np.abs(radius - k[:, None]) < AROUND * pixel
    azimuth = np.arctan2(seen[:, 1], seen[:, 0])
    apart = 2 * np.pi * np.arange(AZIMUTHS) / AZIMUTHS - azimuth[:, None]
    apart = np.abs((apart + np.pi) % (2 * np.pi) - np.pi)
    ray = apart * k[:, None] < AROUND * pixel
    return np.asarray(ring.T.astype(np.float32) @ ray.astype(np.float32) == 0, np.float32)
