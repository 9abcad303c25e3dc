"""A start that needs no help: all shifts at once by Fourier transforms, for a grid of rotations.

Whether the best place is a place at all is decided by the same search with mirrored and turned
maps, which have no place: what it finds there is chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage, stats

from liscope.registration.correlation import averaged, correlation, spectra, square_points
from liscope.registration.placement import Array, Field, Placement

PIXELS = 96  # of the larger field's side at which is searched
FEWEST_OVERLAP = 0.4  # of the smaller field
STEP = 3.0  # degrees between rotations
MIRRORS = ((-1, 1), (1, -1), (-1, -1))  # what stays alike in its statistics but has no place
MIRRORED = ("in y", "in x", "in both")
WIDE = 30.0  # degrees over which mirrored maps are searched, however narrow the search


@dataclass(frozen=True)
class Start:
    """The best place of a search, and the chance of one as good where there is none."""

    placement: Placement
    score: float
    chance: float
    angles: Array  # degrees
    scores: Array  # best at each angle
    mirrored_angles: Array
    scores_of_mirrored: Array  # (mirror, angle)

    def fits_mirrored(self, chance: float) -> str:
        """Return how a mirrored map fits better than chance allows; else nothing."""
        for i, name in enumerate(MIRRORED):
            others = np.delete(self.scores_of_mirrored, i, 0)
            if _chance(self.scores_of_mirrored[i].max(), others, others.shape[1]) < chance:
                return name
        return ""


def find_start(
    fixed: tuple[Array, Field],
    moving: tuple[Array, Field],
    rotation: float,
    shift: float | None,
    expected: Placement | None = None,
) -> Start:
    """Search rotation and shift.

    Parameters
    ----------
    fixed, moving
        Maps (y, x) whose contrasts correspond, with either sign, and their fields; NaN where
        there is nothing. They may differ in field and pixel, and by some per cent in scale.
    rotation
        Degrees to either side that are searched.
    shift
        um to any side by which the centres may differ; None: as long as 40 % overlap.
    expected
        Where the map is thought to lie; rotation and shift are searched around that.
    """
    step = max(max(field.size) for _, field in (fixed, moving)) / PIXELS
    still, turning = _gridded(*fixed, step), _gridded(*moving, step)
    turned, away = (0.0, np.zeros(2)) if expected is None else _pose(expected, fixed[1], moving[1])
    angles, wide = (turned + np.linspace(-a, a, _count(a)) for a in (rotation, WIDE))
    reach = None if shift is None else max(shift / step, 1.0)
    correlator = _Correlator(still, turning, reach, away / step)
    best = [correlator.best(image) for image in _turned(turning, angles)]
    chance_scores = np.array(
        [
            [correlator.best(image)[0] for image in _turned(turning[::y, ::x], wide)]
            for y, x in MIRRORS
        ]
    )
    scores = np.array([score for score, _ in best])
    top = int(np.argmax(scores))
    placement = _placement(fixed[1], moving[1], angles[top], best[top][1] * step)
    chance = _chance(scores[top], chance_scores, count=len(angles))
    return Start(placement, float(scores[top]), chance, angles, scores, wide, chance_scores)


def _count(angle: float) -> int:
    return 2 * int(np.ceil(angle / STEP)) + 1


def _pose(placement: Placement, fixed: Field, moving: Field) -> tuple[float, Array]:
    """Return rotation (degrees), and where the moving map's middle lies off the fixed one's, um."""
    return placement.rotation, placement.inverse(moving.centre) - fixed.centre


def _gridded(image: Array, field: Field, step: float) -> Array:
    """Return a map on square pixels of ``step`` um: averaged, without its slow variation."""
    values = averaged(image, field, square_points(field, step), step)
    return without_trend(values, min(values.shape) / 8)


def without_trend(image: Array, length: float) -> Array:
    """Return a map less its mean over ``length`` pixels (Gaussian), of unit variance; NaN stays."""
    valid = np.isfinite(image)
    weight = ndimage.gaussian_filter(valid.astype(float), length)
    mean = ndimage.gaussian_filter(np.where(valid, image, 0.0), length) / np.maximum(weight, 1e-9)
    flat = np.where(valid, image - mean, np.nan)
    return np.asarray(flat / (np.nanstd(flat) or 1.0))


def _turned(image: Array, angles: Array) -> Iterator[Array]:
    """Yield the map turned by each angle about its centre, on a square that holds it always."""
    side = int(np.ceil(np.hypot(*image.shape)))
    out, middle = (side - 1) / 2, (np.asarray(image.shape) - 1) / 2
    filled, valid = np.nan_to_num(image), np.isfinite(image).astype(float)
    for angle in np.deg2rad(angles):
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        offset = middle - turn @ np.full(2, out)
        value, weight = (
            ndimage.affine_transform(a, turn, offset, (side, side), order=1)
            for a in (filled, valid)
        )
        yield np.where(weight > 0.5, value / np.maximum(weight, 0.5), np.nan)


class _Correlator:
    """Scores of one still map with many at all shifts; both in pixels, of the same size."""

    def __init__(self, still: Array, moving: Array, reach: float | None, expected: Array) -> None:
        side = int(np.ceil(np.hypot(*moving.shape)))
        rows, columns = (fft.next_fast_len(n + side - 1, real=True) for n in still.shape)
        self.shape = (rows, columns)
        self.still = spectra(still, self.shape)
        self.fewest = FEWEST_OVERLAP * min(np.isfinite(still).sum(), np.isfinite(moving).sum())
        # By how much the middles lie apart at each shift; what does not fit in front wraps around.
        self.away: list[Array] = [
            np.where(np.arange(m) < n, np.arange(m), np.arange(m) - m) + (side - n) / 2
            for m, n in zip(self.shape, still.shape, strict=True)
        ]
        off = [axis - middle for axis, middle in zip(self.away, expected, strict=True)]
        distance = np.sqrt(np.add.outer(off[0] ** 2, off[1] ** 2))
        self.allowed = distance <= (np.inf if reach is None else reach)

    def best(self, moving: Array) -> tuple[float, Array]:
        """Return the score of the best shift, with either sign, and that shift (y, x).

        The score is Fisher's z of the correlation times the root of the overlap.
        """
        r, overlap = correlation(self.still, spectra(moving, self.shape), self.shape)
        score = np.abs(np.arctanh(r)) * np.sqrt(overlap)
        score = np.where(self.allowed & (overlap >= self.fewest), score, 0.0)
        row, column = np.unravel_index(int(np.argmax(score)), score.shape)
        shift = np.array([self.away[0][row], self.away[1][column]])
        return float(score[row, column]), shift


def _chance(score: float, mirrored: Array, count: int) -> float:
    """Return the chance that the best of ``count`` angles reaches ``score`` without a place.

    Maxima over many shifts follow Gumbel's law; it is fitted to those of the mirrored maps.
    """
    if not np.ptp(mirrored) > 0:  # no shift has enough overlap: nothing tells what chance would do
        return 1.0
    place, width = stats.gumbel_r.fit(mirrored.ravel())
    return float(-np.expm1(count * stats.gumbel_r.logcdf(score, place, width)))


def _placement(fixed: Field, moving: Field, angle: float, lag: Array) -> Placement:
    """Return the placement that a rotation (degrees) and a lag of the centres (um) mean."""
    turn = np.deg2rad(angle)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    centre = fixed.centre + lag  # there lies the middle of the moving map
    half = float(np.hypot(*moving.size)) / 2
    slow = (moving.origin[0], moving.origin[0] + (moving.shape[0] - 1) * moving.pixel[0])
    return Placement(matrix, moving.centre - centre, centre, half, slow)
