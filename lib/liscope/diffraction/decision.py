"""From candidates to one orientation and phase a pattern, with the probability that it is right.

Where a pattern alone cannot decide, its neighbours in the scan may: neighbours mostly lie in one
grain. But they are no independent witnesses, for one grain shows them all the same spots: what
misleads one misleads the next. So beliefs are averaged over neighbours of one grain (a linear
opinion pool; Genest and Zidek, Statistical Science 1 (1986) 114, 10.1214/ss/1177013825), not
multiplied: the noise of single patterns goes, and no certainty comes out that none of them has.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.special import expit, logsumexp

from liscope.conventions import CONVENTION, FLAGS, UNKNOWN
from liscope.grains.disorientation import angle_between, operators, orix_group
from liscope.history import noted
from liscope.progress import track

# The likeliest values on single patterns, as benchmarks/reliability.py finds them; it also checks
# them on lamellae, which hold what those patterns do not: two crystals at a time, bent grains.
EVIDENCE = 22.0  # logarithm of probability for each unit of explained squared norm
NONE_OF_THEM = -2.95  # the same, relative to the best, that the right orientation is no candidate
CRYSTAL = 0.085  # score at which a pattern is a crystal's as likely as not
SHARPNESS = 400.0  # of that transition, per unit of score
ALIKE = 3.0  # degrees within which neighbours are of one grain
SWEEPS = 20  # how many positions of the scan a belief can travel


def decide(matched: xr.Dataset, neighbours: bool = True) -> xr.Dataset:
    """Return the orientation map of a matched scan.

    Parameters
    ----------
    matched
        Candidates as :func:`~liscope.diffraction.scan.match` returns them; computed here, for
        what a pattern is hangs on its neighbours.
    neighbours
        Whether neighbours count, or each pattern stands alone.

    Returns
    -------
    Dataset
        ``orientation``, ``phase`` (-3 where no crystal is sure), ``score``; ``crystalline`` (y, x)
        the probability that there is a crystal at all; where it is sure, ``reliability`` that the
        orientation is right and ``phase_reliability`` that the phase is;
        ``companion`` (y, x, quaternion), of ``companion_phase``, the second orientation and
        ``companion_reliability`` its probability: where that is not small, the two cannot be told
        apart.
    """
    matched = matched.compute()
    score = matched["score"].values.astype(float)
    crystal = expit(SHARPNESS * (score[..., 0] - CRYSTAL))
    evidence = EVIDENCE * (score * matched["norm"].values[..., None]) ** 2
    evidence = np.where(score > 0, evidence, -np.inf)
    best = evidence.max(axis=-1, keepdims=True)
    none = NONE_OF_THEM + np.where(np.isfinite(best), best, 0)  # blank patterns have no candidates
    every = np.concatenate([evidence, none], axis=-1)
    belief = np.exp(evidence - logsumexp(every, axis=-1, keepdims=True))
    if neighbours:
        belief = _pooled(belief, crystal, matched)
    return _chosen(belief, crystal, matched, neighbours)


def _pooled(own: np.ndarray, crystal: np.ndarray, matched: xr.Dataset) -> np.ndarray:
    """Return beliefs (y, x, candidates) averaged over those neighbours that share a grain.

    A neighbour counts by its belief in any of a pattern's candidates, so that one from another
    grain changes nothing.
    """
    pairs = [_alike(matched, axis) for axis in (0, 1)]
    known = [(same.any(axis=-2), same.any(axis=-1)) for same in pairs]
    belief = own
    for _ in track(range(SWEEPS), "asking neighbours"):
        told, count = np.zeros_like(own), np.ones((*own.shape[:2], 1))
        said = belief * crystal[..., None]
        for axis, (same, (by_one, by_two)) in enumerate(zip(pairs, known, strict=True)):
            one, two = _sides(axis)
            told[one] += np.einsum("yxij,yxj->yxi", same, said[two])
            told[two] += np.einsum("yxij,yxi->yxj", same, said[one])
            count[one] += np.einsum("yxj,yxj->yx", by_one, said[two])[..., None]
            count[two] += np.einsum("yxi,yxi->yx", by_two, said[one])[..., None]
        belief = (own + told) / count
    return belief


def _sides(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the slices of all pixels but the last and but the first along an axis."""
    every = slice(None)
    one, two = slice(None, -1), slice(1, None)
    return ((one, every), (two, every)) if axis == 0 else ((every, one), (every, two))


def _alike(matched: xr.Dataset, axis: int) -> np.ndarray:
    """Return whether candidates of neighbours are of one grain, (y, x, candidate, candidate)."""
    one, two = _sides(axis)
    phase, orientation = matched["phase"].values, matched["orientation"].values.astype(float)
    both = phase[one][..., :, None] == phase[two][..., None, :]
    both &= phase[one][..., :, None] >= 0
    same = np.zeros(both.shape, np.float32)
    groups = [orix_group(str(group)).laue.name for group in matched["point_group"].values]
    for row in range(len(same)):  # a line of the scan at a time: all pairs at once take gigabytes
        for i, group in enumerate(groups):
            at = np.nonzero(both[row] & (phase[one][row][:, :, None] == i))
            first = orientation[one][row][at[0], at[1]]
            second = orientation[two][row][at[0], at[2]]
            same[row][at] = angle_between(first, second, operators(group)) < ALIKE
    return same


def _chosen(
    belief: np.ndarray,
    crystal: np.ndarray,
    matched: xr.Dataset,
    neighbours: bool,
) -> xr.Dataset:
    """Return the map of the most probable candidates."""
    phase, score = matched["phase"].values, matched["score"].values
    order = np.argsort(-belief, axis=-1)
    first, second = order[..., :1], order[..., 1:2]
    orientation = matched["orientation"].values.astype(float)
    chosen = _picked(phase, first)
    of_phase = np.where(phase == chosen[..., None], belief, 0).sum(axis=-1)
    of_any = np.clip(belief.sum(axis=-1), 1e-12, None)
    sure = crystal >= 0.5
    dims = ("y", "x")
    kept = matched[["phase_name", "point_group", "lattice"]]
    out = kept.assign_coords(y=matched["y"], x=matched["x"]).assign(
        orientation=(
            (*dims, "quaternion"),
            np.where(sure[..., None], _picked(orientation, first, -2), np.nan),
            {"convention": CONVENTION},
        ),
        phase=(dims, np.where(sure, chosen, UNKNOWN).astype(np.int8), FLAGS),
        score=(dims, _picked(score, first), {"units": "1", "long_name": "correlation index"}),
        crystalline=(dims, crystal, {"units": "1"}),
        reliability=(dims, np.where(sure, _picked(belief, first), np.nan), {"units": "1"}),
        phase_reliability=(dims, np.where(sure, of_phase / of_any, np.nan), {"units": "1"}),
        companion=(
            (*dims, "quaternion"),
            np.where(sure[..., None], _picked(orientation, second, -2), np.nan),
            {"convention": CONVENTION},
        ),
        companion_phase=(dims, np.where(sure, _picked(phase, second), UNKNOWN)),
        companion_reliability=(
            dims,
            np.where(sure, _picked(belief, second), np.nan),
            {"units": "1"},
        ),
    )
    line = f"decided {'with' if neighbours else 'without'} neighbours"
    return out.assign_attrs(noted(out["score"], matched["score"], line).attrs)


def _picked(values: np.ndarray, at: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return the candidate ``at`` (y, x, 1) of each pixel; candidates lie along ``axis``."""
    at = at if axis == -1 else at[..., None]
    return np.take_along_axis(values, at, axis=axis).squeeze(axis)
