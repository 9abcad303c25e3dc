"""Uncertainty of maps: neighbouring pixels are not independent, so blocks are the samples.

A sum over an area is known as well as the number of independent places in it allows. Every
interval here is made by leaving out, in turn, blocks that are several correlation lengths wide,
with a Student quantile for the number of blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, stats

Image = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEVEL = 0.95
BLOCK = 3.0  # block side in correlation lengths
FEWEST_BLOCKS = 5  # below this an interval would rest on too few samples


@dataclass(frozen=True)
class Estimate:
    """A value with the standard error and the degrees of freedom that it rests on."""

    value: float
    error: float
    freedom: float

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return the two-sided Student interval; infinite where nothing can be said."""
        if not np.isfinite(self.error) or self.freedom < 1:
            return -np.inf, np.inf
        reach = float(stats.t.ppf((1 + level) / 2, self.freedom)) * self.error
        return self.value - reach, self.value + reach

    def minus(self, other: Estimate) -> Estimate:
        """Return the difference to an independent estimate (Welch-Satterthwaite freedom)."""
        if min(self.freedom, other.freedom) < 1:
            return Estimate(self.value - other.value, np.inf, 0)
        error = float(np.hypot(self.error, other.error))
        parts = self.error**4 / self.freedom + other.error**4 / other.freedom
        freedom = error**4 / parts if parts > 0 else np.inf
        return Estimate(self.value - other.value, error, freedom)

    def through(self, function: Callable[[float], float]) -> tuple[float, float, float]:
        """Return value, low and high after a rising function, such as ``exp`` of a log ratio."""
        low, high = self.interval()
        return function(self.value), function(low), function(high)


NOTHING = Estimate(np.nan, np.inf, 0)  # what can be said of no pixels


def correlation_length(image: Image, mask: Mask | None = None) -> float:
    """Return the distance, in pixels, at which the autocorrelation has fallen to 1/e.

    Parameters
    ----------
    image
        (y, x), any unit.
    mask
        (y, x), the pixels that count; the others take no part (their product sum is normalised by
        the number of pairs that do).
    """
    valid = np.isfinite(image) if mask is None else mask & np.isfinite(image)
    centred = np.where(valid, image - image[valid].mean(), 0.0)
    shape = [fft.next_fast_len(2 * side, real=True) for side in image.shape]
    pairs = _autocorrelation(valid.astype(float), shape)
    products = _autocorrelation(centred, shape)
    reach = min(image.shape) // 2
    with np.errstate(invalid="ignore", divide="ignore"):
        profile = np.where(pairs > 0.5, products / pairs, np.nan) / (products[0, 0] / pairs[0, 0])
    along = np.stack([profile[0, :reach], profile[:reach, 0]], axis=-1)
    lags = np.flatnonzero(np.isfinite(along).any(-1))  # a mask may have no pairs at some distance
    along = np.nanmean(along[lags], axis=-1)
    below = np.flatnonzero(along < np.exp(-1))
    if not below.size:
        return float(reach)
    first, last = below[0] - 1, below[0]
    step = (along[first] - np.exp(-1)) / (along[first] - along[last])
    return float(lags[first] + step * (lags[last] - lags[first]))


def _autocorrelation(image: Image, shape: list[int]) -> Image:
    return np.asarray(fft.irfft2(np.abs(fft.rfft2(image, shape)) ** 2, shape))


def blocks(shape: tuple[int, int], side: float) -> NDArray[np.intp]:
    """Return a label for each pixel: equal blocks at least ``side`` pixels wide and high."""
    rows, columns = (max(1, int(n // max(side, 1.0))) for n in shape)
    row = np.arange(shape[0]) * rows // shape[0]
    column = np.arange(shape[1]) * columns // shape[1]
    return np.asarray(row[:, None] * columns + column[None, :])


def _crop(mask: Mask) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def sum_ratio(above: Image, below: Image, mask: Mask) -> Estimate:
    r"""Estimate ln(sum above / sum below) over a mask, with its delete-one-block jackknife error.

    Where a few strong places carry much of the sum, leaving them out in turn shows how much hangs
    on each; an error from the residuals alone would come out too small.

    Parameters
    ----------
    above, below
        (y, x), the same unit; only pixels in ``mask`` are used.
    """
    if not mask.any():
        return NOTHING
    crop = _crop(mask)
    a, b, inside = above[crop], below[crop], mask[crop]
    total_a, total_b = a[inside].sum(), b[inside].sum()
    if total_a <= 0 or total_b <= 0:
        return NOTHING
    label, held = _blocks(np.where(inside, a / total_a - b / total_b, 0.0), inside)
    part_a, part_b = (np.bincount(label[inside], image[inside]) for image in (a, b))
    with np.errstate(invalid="ignore", divide="ignore"):
        without = np.log((total_a - part_a) / (total_b - part_b))
    used = np.bincount(label[inside]) > 0
    return _jackknife(float(np.log(total_a / total_b)), without[used], held)


def mean(image: Image, mask: Mask) -> Estimate:
    """Estimate the mean over a mask, with its delete-one-block jackknife error."""
    valid = mask & np.isfinite(image)
    if not valid.any():
        return NOTHING
    crop = _crop(valid)
    inside, part = valid[crop], image[crop]
    total, count = part[inside].sum(), inside.sum()
    label, held = _blocks(np.where(inside, part - total / count, 0.0), inside)
    sums, counts = np.bincount(label[inside], part[inside]), np.bincount(label[inside])
    used = (counts > 0) & (counts < count)
    return _jackknife(float(total / count), (total - sums[used]) / (count - counts[used]), held)


def _blocks(influence: Image, inside: Mask) -> tuple[NDArray[np.intp], float]:
    """Return labels (y, x) of blocks wide against what is alike, and the variance they hold.

    A few strong spots can rule the influence and hide that whole grains respond alike; in its
    ranks, where every place counts the same, the grains show. The longer of the two decides.
    """
    ranks = np.zeros(influence.shape)
    ranks[inside] = stats.rankdata(influence[inside])
    longest = max(correlation_length(image, inside) for image in (influence, ranks))
    label = blocks(inside.shape, BLOCK * longest)
    sides = np.asarray(inside.shape) / (label[-1, 0] // (label[0, -1] + 1) + 1, label[0, -1] + 1)
    return label, float(np.prod(held_variance(sides / longest)))


def held_variance(side: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of a sum's variance that blocks of finite side hold, along one axis.

    Pairs of alike pixels on either side of a block's border are lost to the blocks. In a film of
    grains the share of pairs that lie in one grain falls linearly with their distance, down to none
    at the grain's width w; of these pairs a block of side s >= w holds 1 - w / 3s.

    Parameters
    ----------
    side
        Block side in correlation lengths (1/e), each of which is (1 - 1/e) w.
    """
    width = 1 / (1 - np.exp(-1))
    return np.asarray(1 - width / (3 * np.maximum(side, width)))


def _jackknife(value: float, without: NDArray[np.float64], held: float) -> Estimate:
    count = len(without)
    if count < FEWEST_BLOCKS or not np.isfinite(without).all():
        return Estimate(value, np.inf, 0)
    error = np.sqrt((count - 1) / count / held * np.sum((without - without.mean()) ** 2))
    return Estimate(value, float(error), count - 1)


def shift_test(one: Image, other: Image) -> tuple[float, float]:
    """Return Spearman's correlation of two images and its p-value under toroidal shifts.

    Shifting one image around the other keeps what neighbouring pixels have in common within each,
    so that two unrelated smooth images are not called correlated. Shifts shorter than two
    correlation lengths are left out: there the images still overlap with themselves. Where an image
    is the same everywhere, both numbers are NaN.

    Parameters
    ----------
    one, other
        (y, x), without NaN.
    """
    if min(np.ptp(one), np.ptp(other)) == 0:
        return np.nan, np.nan
    a, b = (_standard_ranks(image) for image in (one, other))
    spectrum = fft.rfft2(a) * np.conj(fft.rfft2(b))
    at_shift = fft.irfft2(spectrum, a.shape) / a.size
    reach = 2 * max(correlation_length(a), correlation_length(b))
    rows, columns = (np.minimum(np.arange(n), n - np.arange(n)) for n in a.shape)
    far = np.hypot(rows[:, None], columns[None, :]) > reach
    if not far.any():
        return float(at_shift[0, 0]), 1.0
    beyond = np.sum(np.abs(at_shift[far]) >= abs(at_shift[0, 0]))
    return float(at_shift[0, 0]), float((beyond + 1) / (far.sum() + 1))


def _standard_ranks(image: Image) -> Image:
    ranks = stats.rankdata(image).reshape(image.shape)
    return np.asarray((ranks - ranks.mean()) / ranks.std())
