"""Score orientations of cubic crystals against known ones, the same for every program.

Programs disagree on frames, and few say theirs. Each is therefore read in the frame in which it
does best: inverted or not, the sample's axes swapped and flipped in each of the eight ways that
keep the beam's line. An improper change of axes needs no entry of its own: cubic m-3m crystals have
a centre, so it equals the proper one behind it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from orix.quaternion import Orientation, Rotation
from orix.quaternion.symmetry import D4, O

NEAR = 2.0  # degrees
FAR = 5.0
HALF_TURN = Rotation([0, 0, 0, 1])  # about the beam


@dataclass(frozen=True)
class Scores:
    """How well a set was indexed: angles in degrees, the others shares from 0 to 1.

    ``forgiven`` marks angles of which the half turn about the beam has been forgiven: without
    upper Laue zones, a pattern does not tell the two apart.
    """

    lmno_median: float
    lmno_p95: float
    lmno_p95_forgiven: float
    lmno_near: float
    lmno_near_forgiven: float
    pt_median: float
    pt_median_forgiven: float
    pt_far: float
    pt_far_forgiven: float
    phase: float
    classes: float


def disorientation(found: Rotation, true: Rotation) -> np.ndarray:
    """Return angles in degrees between cubic orientations, by pairs.

    The symmetry acts on the crystal's side.
    """
    return np.asarray(
        Orientation(found, symmetry=O).angle_with(Orientation(true, symmetry=O), degrees=True)
    )


def in_best_frame(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return quaternions (n, 4), sample to crystal, in the frame that brings most near."""
    known = Rotation(true)
    candidates = [
        turned * frame
        for turned in (Rotation(found), ~Rotation(found))
        for frame in Rotation(D4.data)
    ]
    near = [(disorientation(candidate, known) < NEAR).sum() for candidate in candidates]
    return np.asarray(candidates[int(np.argmax(near))].data)


def score(
    phase: np.ndarray,
    orientation: np.ndarray,
    score: np.ndarray,
    kind: np.ndarray,
    true: np.ndarray,
) -> Scores:
    """Return how well n patterns were indexed.

    Parameters
    ----------
    phase, orientation, score
        Found: index of the phase or -1 (n,), quaternions (n, 4) in the program's own frame, NaN
        where there are none, and the score (n,) that tells crystals from glass.
    kind, true
        The truth: 0 LMNO, 1 Pt, -1 amorphous (n,), quaternions sample to crystal (n, 4).
    """
    crystal = kind >= 0
    found = np.where(np.isfinite(orientation), orientation, 0.0)
    lost = ~(np.linalg.norm(found, axis=1) > 0) | (phase < 0)
    found[lost] = [1, 0, 0, 0]
    angle, forgiven = np.full((2, len(kind)), 180.0)
    placed = crystal & ~lost
    best = Rotation(in_best_frame(found[placed], true[placed]))
    angle[placed] = disorientation(best, Rotation(true[placed]))
    forgiven[placed] = np.minimum(
        angle[placed], disorientation(best * HALF_TURN, Rotation(true[placed]))
    )
    lmno, pt = kind == 0, kind == 1
    return Scores(
        lmno_median=float(np.median(angle[lmno])),
        lmno_p95=float(np.percentile(angle[lmno], 95)),
        lmno_p95_forgiven=float(np.percentile(forgiven[lmno], 95)),
        lmno_near=float((angle[lmno] < NEAR).mean()),
        lmno_near_forgiven=float((forgiven[lmno] < NEAR).mean()),
        pt_median=float(np.median(angle[pt])),
        pt_median_forgiven=float(np.median(forgiven[pt])),
        pt_far=float((angle[pt] > FAR).mean()),
        pt_far_forgiven=float((forgiven[pt] > FAR).mean()),
        phase=float((phase == kind)[crystal].mean()),
        classes=_three_classes(phase, score, kind),
    )


def _three_classes(phase: np.ndarray, score: np.ndarray, kind: np.ndarray) -> float:
    """Return the best share of right classes that any threshold of the score gives."""
    order = np.argsort(score)
    right = (phase == kind)[order]
    glass = (kind == -1)[order]
    below = np.concatenate([[0], np.cumsum(glass)])
    above = np.concatenate([np.cumsum(right[::-1])[::-1], [0]])
    return float((below + above).max() / len(kind))
