"""What each scale of counts does to a correlation, worked out exactly for a stated phantom.

Of phases with known shares and rates nothing needs to be drawn at random: means, variances and the
covariance of any function of the counts are sums over Poisson's distribution.

Source of the scales: Y. Sun et al., Micron, 103746 (online 2024),
doi:10.1016/j.micron.2024.103746, Eqs. 1 and 2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from liscope.errors import ParameterError
from liscope.volume.normalise import LEVELS

Array = NDArray[np.float64]

# Share of the voxels, and counts of lithium and zirconium a voxel. Lithium is two fifths as bright
# in the electrolyte as in LCO, which leaves next to no correlation with zirconium.
PHANTOM: Mapping[str, tuple[float, float, float]] = {
    "carbon": (0.341, 1.0, 0.5),
    "LLZTO": (0.255, 12.0, 20.0),
    "LCO": (0.310, 30.0, 0.5),
    "alumina": (0.094, 1.0, 0.5),
}
VOXELS = 39 * 216 * 352  # of the paper's volume, whose brightest voxel sets the scale to 8 bit


def phantom_correlations(
    phases: Mapping[str, tuple[float, float, float]] = PHANTOM, voxels: int = VOXELS
) -> pd.DataFrame:
    """Return the correlation of two channels' counts on each scale, exactly.

    The logarithm stretches few counts and squeezes many. Carbon and alumina, where both channels
    are dark, are pulled far below the rest, while two fifths of LCO's lithium are nearly as bright
    as all of it: what is left is 'particle or not', which both channels share, so that rates
    without a correlation get a positive one. Anscombe's root does the same, if less: it evens out
    noise, for models and distances that need this, but is not affine. Only affine scales keep a
    correlation, and of counts the noise can be taken out of the variances, since Poisson's is the
    mean: this gives back that of the rates.

    Parameters
    ----------
    phases
        By name: share of the voxels, and counts a voxel of the one and the other channel.
    voxels
        In the volume: the brightest count x_max of either channel is the one that a single voxel of
        these is expected to exceed.

    Returns
    -------
    Index ``scale``; ``correlation`` (Pearson's) and ``voxels_percent`` that take part. ``rates``
    have no noise; ``min-max`` and the logs are 8 bit, by Eqs. 1 and 2.

    Raises
    ------
    ParameterError
        If shares do not add up to 1, or a rate is not positive.
    """
    table = np.array(list(phases.values()), float)
    share, rates = table[:, 0], table[:, 1:].T
    if not np.isclose(share.sum(), 1) or not (rates > 0).all():
        raise ParameterError("phases: shares must add up to 1, and all rates be above 0")
    number = np.arange(int(stats.poisson.isf(1e-12, rates.max())) + 1, dtype=float)
    chances = [stats.poisson.pmf(number, one[:, None]) for one in rates]
    most = [int(np.searchsorted(np.cumsum(share @ one), 1 - 1 / voxels)) for one in chances]
    seen = [one * (number > 0) for one in chances]

    def at(scale: Callable[[Array, int], Array], chance: list[Array]) -> dict[str, float]:
        return _correlation(share, [scale(number, n) for n in most], chance)

    rows = {
        "rates": _pearson(share, list(rates), list(rates**2)),
        "counts": at(lambda n, most: n, chances),
        "counts, noise taken out": _without_noise(share, rates, number, chances),
        "min-max": at(_min_max, chances),
        "log, none as 0": at(_log, chances),
        "log, none left out": at(_log, seen),
        "Anscombe": at(lambda n, most: 2 * np.sqrt(n + 0.375), chances),
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("scale")


def _min_max(number: Array, most: int) -> Array:
    return np.asarray(np.round(LEVELS * np.minimum(number / most, 1)))


def _log(number: Array, most: int) -> Array:
    logs = np.log10(np.maximum(number, 1)) / np.log10(most)
    return np.asarray(np.round(LEVELS * np.minimum(logs, 1)))


def _correlation(share: Array, levels: list[Array], chances: list[Array]) -> dict[str, float]:
    """Return it for levels (number,) that occur with chances (phase, number), of each channel."""
    known = [one.sum(1) for one in chances]  # below 1 where numbers are left out
    first = [c @ f / k for c, f, k in zip(chances, levels, known, strict=True)]
    second = [c @ f**2 / k for c, f, k in zip(chances, levels, known, strict=True)]
    return _pearson(share * known[0] * known[1], first, second)


def _pearson(weight: Array, first: list[Array], second: list[Array]) -> dict[str, float]:
    """Return it from each phase's means and mean squares; within a phase both are independent."""
    total = float(weight.sum())
    weight = weight / total
    mean = [weight @ one for one in first]
    variance = [weight @ two - m**2 for two, m in zip(second, mean, strict=True)]
    covariance = weight @ (first[0] * first[1]) - mean[0] * mean[1]
    value = float(covariance / np.sqrt(variance[0] * variance[1]))
    return {"correlation": value, "voxels_percent": 100 * total}


def _without_noise(
    share: Array, rates: Array, number: Array, chances: list[Array]
) -> dict[str, float]:
    """Return it from the counts' mean squares less their means, which are the noise's variance."""
    squares = [c @ number**2 - c @ number for c in chances]
    return _pearson(share, list(rates), squares)
