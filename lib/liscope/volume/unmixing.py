"""Rates of pure phases, from bricks of voxels that blur has mixed, and bounds on thin coats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from liscope.volume.relaxation import Model, View, relax

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Seen = tuple[Floats, Floats]  # counts (z, y, x), and what each phase sends at rate 1 (phase, ...)

FAINT = 1e-2  # counts a voxel; a rate of none would make one stray count impossible
ROUNDS, REFINED = 4, 3
BLOCK = (1, 2, 2)  # voxels summed, to see noise that neighbours share
SURE = 0.9  # probability
BRIGHTEST = 0.999  # quantile of blocks that stands for the brightest place


def refined(
    model: Model, bricks: list[tuple[int, Floats]], gain: Array, coats: list[int]
) -> tuple[Model, Array]:
    """Return the model with rates of unmixed phases and dispersions, and the coats' bounds.

    What a coat adds to its channel no phase explains: the channel has no say in what is what.
    """
    for _ in range(REFINED):
        looks = [_seen(model, gain, start, brick) for start, brick in bricks]
        seen = [[look[c] for look, _, _ in looks] for c in range(len(gain))]
        share = np.mean([shares for _, shares, _ in looks], axis=0)
        sure = [blocks for _, _, blocks in looks]
        rate = [_unmixed(model.rate[:, c], of_one) for c, of_one in enumerate(seen)]
        weight = np.array(
            [1 / _dispersion(r, of_one, sure) for r, of_one in zip(rate, seen, strict=True)]
        )
        weight[coats] = 0
        model = replace(
            model,
            rate=np.maximum(np.transpose(rate), FAINT).astype(np.float32),
            prior=np.log(np.maximum(share, 1e-6)).astype(np.float32),
            weight=weight.astype(np.float32),
        )
    bounds = [_coat_bound(model.rate[:, c], seen[c]) for c in coats]
    return model, np.array(bounds).reshape(len(coats), 2)


def _seen(model: Model, gain: Array, start: int, brick: Floats) -> tuple[list[Seen], Floats, Mask]:
    """Return what each channel saw of a brick's probable phases, their shares, and sure blocks."""
    here = gain[:, start : start + brick.shape[1]].astype(np.float32)
    probability = relax(brick, model.at(here))
    seen = []
    alone = np.eye(len(probability), dtype=np.float32)
    for c in range(len(brick)):
        view = View(model, c, brick.shape[1:])
        blurred = np.empty_like(probability)
        for rate, target in zip(alone, blurred, strict=True):
            view.expected(probability, rate, target)
        seen.append((brick[c], blurred * here[c][:, None, None]))
    unsure = _summed((probability.max(0) < SURE).astype(np.float32))
    return seen, probability.mean((1, 2, 3)), unsure == 0


def _unmixed(rate: Floats, seen: list[Seen]) -> Array:
    """Return the phases' rates in one channel that make its counts the most likely (phase,)."""
    counts = np.concatenate([brick[np.isfinite(brick)] for brick, _ in seen]).astype(float)
    design = np.concatenate([sent[:, np.isfinite(brick)] for brick, sent in seen], axis=1)
    design = design.astype(float)  # or no library of linear algebra multiplies it
    found = np.maximum(rate.astype(float), FAINT)
    for _ in range(ROUNDS):  # Poisson's score is zero where these weights' squares are least
        weighed = design / np.maximum(found @ design, FAINT)
        found = np.linalg.lstsq(weighed @ design.T, weighed @ counts, rcond=None)[0]
        found = np.maximum(found, FAINT)
    return np.asarray(found)


def _dispersion(rate: Array, seen: list[Seen], sure: list[Mask]) -> float:
    """Return the variance of counts beside the Poisson one, in sums over sure small blocks."""
    squares, expected = 0.0, 0.0
    for (counts, sent), where in zip(seen, sure, strict=True):
        mean = np.tensordot(rate, sent, 1)
        rest, level = _summed(counts - mean), _summed(np.where(np.isfinite(counts), mean, np.nan))
        squares += float(np.nansum(rest[where] ** 2))
        expected += float(np.nansum(level[where]))
    return max(squares / expected, 1.0) if expected else 1.0


def _summed(values: Floats) -> Array:
    """Return the sums over blocks (z, y, x); NaN where a voxel of them is."""
    block = [min(n, m) for n, m in zip(values.shape, BLOCK, strict=True)]
    whole = [n // m for n, m in zip(values.shape, block, strict=True)]
    cut = values[tuple(slice(n * m) for n, m in zip(whole, block, strict=True))]
    pairs = [side for n, m in zip(whole, block, strict=True) for side in (n, m)]
    return np.asarray(cut.reshape(pairs).sum((1, 3, 5), dtype=float))


def _coat_bound(rate: Floats, seen: list[Seen]) -> tuple[float, float]:
    """Return the least and the largest share of a coat that its channel allows.

    A pure coat is at least as bright as the brightest place that was seen, and all that its channel
    holds above the darkest phase may be the coat's.
    """
    scale = [(brick, sent.sum(0)) for brick, sent in seen]
    total = sum(float(np.nansum(brick)) for brick, _ in scale)
    exposure = sum(float(gain[np.isfinite(brick)].sum()) for brick, gain in scale)
    boxes = np.concatenate([_summed(brick / gain).ravel() for brick, gain in scale])
    voxels = float(np.prod(BLOCK))
    bright = np.nanquantile(boxes, BRIGHTEST) / voxels
    bright = bright - float(rate.min()) - 2 * np.sqrt(bright / voxels)
    excess = max(total / max(exposure, 1) - float(rate.min()), 0.0)
    return 0.0, float(min(1.0, excess / bright)) if bright > 0 else 1.0
