"""SIMS slice by slice against what EDS lets expect: shifts left over, and the depth EDS sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage, stats

from liscope.registration.placement import Array, Field
from liscope.volume import _section, _shifts, _walk
from liscope.volume._shifts import Optics, Peak, Spectra, View
from liscope.volume.frames import Frames

DEEP = 0.3  # um: how far in depth slices of the two stacks are compared
CLEAR = 6.0  # standard deviations above which a correlation is none by chance
FADE = 0.1  # of the common field's smaller side, over which its edge is faded out
FAR = 0.5  # um: a slice is not further away than this from where drift and registration put it
ONE_SIGMA = 0.8413  # of a normal law lies below one standard deviation
SAMPLED = 0.1  # of a slice: a parabola through what is alike slice by slice is no surer
LEAST = 1.0  # nm, error of a slice's shift
WALKS = np.geomspace(1e-5, 0.1, 17)  # um2 per um of depth: 0.8 to 80 nm from one slice to the next


@dataclass(frozen=True)
class Compared:
    """Peaks of SIMS slices ``sims`` on EDS slices ``eds`` (indices), and how deep they lie apart.

    ``apart``: depth of SIMS less that of EDS, um; ``shift`` (pair, 2) and ``variance`` in um of the
    section: by how much the SIMS slice's content lies further down and right.
    """

    sims: NDArray[np.intp]
    eds: NDArray[np.intp]
    apart: Array
    shift: Array
    variance: Array
    correlation: Array


def compare(
    stacks: tuple[xr.DataArray, xr.DataArray],
    frames: tuple[Frames, Frames],
    onto: xr.DataArray,
    valid: NDArray[np.bool_],
    mixture: Array,
) -> Compared:
    """Compare each SIMS slice with the EDS slices near it, in the section's frame.

    Parameters
    ----------
    stacks, frames
        EDS and SIMS, counts (channel, slice, y, x), and where they lie.
    onto
        The map (y, x) on whose pixels they are compared.
    valid
        (y, x) where both show something.
    mixture
        (channel,) of EDS that looks like SIMS.
    """
    from dask.base import compute
    from dask.delayed import delayed

    optics = Optics((valid.shape[0], valid.shape[1]))
    fade = _faded(valid)
    expected = _spectra(stacks[0], frames[0], onto, fade, mixture, optics)
    seen = _spectra(stacks[1], frames[1], onto, fade, np.ones(1), optics)
    compare_one = delayed(partial(_peaks, optics=optics))
    rows, tasks = [], []
    for i, depth in enumerate(frames[1].depth):
        near = np.flatnonzero(np.abs(depth - frames[0].depth) < DEEP)
        rows += [(i, int(j), float(depth - frames[0].depth[j])) for j in near]
        tasks.append(compare_one(seen[i], [expected[j] for j in near]))
    peaks = [peak for part in compute(*tasks) for peak in part]
    return _table(rows, peaks, Field.of(onto))


def _faded(valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return one inside of a field, falling to zero at its edge."""
    inside = ndimage.distance_transform_edt(np.pad(valid, 1))[1:-1, 1:-1]
    width = FADE * min(valid.any(0).sum(), valid.any(1).sum())
    return np.asarray(np.sin(np.clip(inside / width, 0, 1) * np.pi / 2) ** 2, np.float32)


def _spectra(
    stack: xr.DataArray,
    frames: Frames,
    onto: xr.DataArray,
    fade: NDArray[np.float32],
    mixture: Array,
    optics: Optics,
) -> list[Any]:
    """Return, lazily, the spectrum (1, ky, kx) of each slice."""
    from dask.delayed import delayed

    data, faded = _section.lazily(stack), delayed(fade)
    here, there = _section.field(stack), Field.of(onto)
    return [
        delayed(partial(_spectrum, here=here, onto=there, optics=optics, matrix=matrix))(
            data[:, i], offset, faded, mixture
        )
        for i, (matrix, offset) in enumerate(zip(frames.matrix, frames.offset, strict=True))
    ]


def _spectrum(
    pictures: NDArray[np.generic],
    offset: Array,
    fade: NDArray[np.float32],
    mixture: Array,
    *,
    here: Field,
    matrix: Array,
    onto: Field,
    optics: Optics,
) -> Spectra:
    seen = _section.brought(pictures, here, matrix, offset, onto)
    values = np.tensordot(mixture, 2 * np.sqrt(seen + 0.375), 1)
    there = np.isfinite(values) * fade
    mean = np.sum(np.nan_to_num(values) * there) / max(float(there.sum()), 1e-9)
    left = (np.nan_to_num(values - mean) * there).astype(np.float32)
    return _shifts.transformed(left[None], optics)


def _peaks(seen: Spectra, expected: Sequence[Spectra], *, optics: Optics) -> list[Peak | None]:
    """Return where a SIMS slice's content lies on each of some EDS slices."""
    weight = _shifts.weights(seen[:, None], optics)
    power = [float(_shifts.powers(one[:, None], weight)[0]) for one in (seen, *expected)]
    return [
        View.of(one, weight, optics).peak(seen, np.sqrt(power[0] * its), optics)
        if power[0] * its > 0
        else None
        for one, its in zip(expected, power[1:], strict=True)
    ]


def _table(
    rows: Sequence[tuple[int, int, float]], peaks: Sequence[Peak | None], field: Field
) -> Compared:
    step = np.asarray(field.pixel)
    kept = [
        (*row, peak)
        for row, peak in zip(rows, peaks, strict=True)
        if peak is not None and peak.clear > CLEAR and np.all(np.abs(peak.shift * step) < FAR)
    ]
    return Compared(
        np.array([row[0] for row in kept], np.intp),
        np.array([row[1] for row in kept], np.intp),
        np.array([row[2] for row in kept], float),
        np.array([row[3].shift * step for row in kept]).reshape(-1, 2),
        np.array([np.diag(row[3].covariance) * step**2 for row in kept]).reshape(-1, 2),
        np.array([row[3].correlation for row in kept]),
    )


def depth_seen(compared: Compared, group: NDArray[np.intp]) -> tuple[float, float]:
    """Return how much deeper (um) EDS sees than SIMS, and the error, from group to group of slices.

    Parameters
    ----------
    group
        (SIMS slice,) to which group each belongs; below 0: to none.
    """
    own = [_top(compared, group[compared.sims] == g) for g in range(group.max() + 1)]
    found = np.array([one for one in own if np.isfinite(one)])
    if len(found) < 2:
        return _top(compared, np.ones(len(compared.sims), bool)), np.inf
    # Neighbouring groups show the same particles: two count as one.
    scatter = found.std(ddof=1) * np.sqrt(2 / len(found)) * stats.t.ppf(ONE_SIGMA, len(found) - 1)
    return float(found.mean()), float(np.hypot(scatter, SAMPLED * _thickness(compared)))


def _top(compared: Compared, mine: NDArray[np.bool_]) -> float:
    """Return the depth of greatest correlation: of a parabola around the best of the lags."""
    apart, like = compared.apart[mine], compared.correlation[mine]
    if len(apart) < 5:
        return np.nan
    step = float(np.median(np.diff(np.unique(np.round(apart, 3))))) or 0.01
    lag = np.round(apart / max(step, 0.03)).astype(int)
    lags = np.unique(lag)
    means = np.array([(apart[lag == one].mean(), like[lag == one].mean()) for one in lags])
    best = int(np.argmax(means[:, 1]))
    near = means[max(best - 2, 0) : best + 3]
    if len(near) < 4:
        return np.nan
    bend, slope, _ = np.polyfit(near[:, 0] - means[best, 0], near[:, 1], 2)
    return float(means[best, 0] - slope / (2 * bend)) if bend < 0 else np.nan


def _thickness(compared: Compared) -> float:
    """Return the usual distance of the EDS slices with which a slice of SIMS was compared, um."""
    same = compared.sims[1:] == compared.sims[:-1]
    return float(np.median(np.abs(np.diff(compared.apart))[same]))


def slice_shifts(compared: Compared, depth: Array, seen: float) -> tuple[Array, Array]:
    """Return each SIMS slice's shift (slice, 2) in the section and its error, um.

    Measured on the EDS slice that sees the same depth, and drawn towards its neighbours' as far as
    the measurements scatter no more than their errors: a random walk between slices, whose step is
    what the scatter has beyond them.
    """
    mean, variance = np.zeros((len(depth), 2)), np.full((len(depth), 2), np.inf)
    for i in np.unique(compared.sims):
        mine = np.flatnonzero(compared.sims == i)
        best = mine[np.argmin(np.abs(compared.apart[mine] - seen))]
        if abs(compared.apart[best] - seen) < DEEP / 3:
            mean[i], variance[i] = compared.shift[best], compared.variance[best]
    variance = np.maximum(variance, (LEAST / 1e3) ** 2)
    both = [_smoothed(mean[:, axis], variance[:, axis], depth) for axis in (0, 1)]
    shift, error = (np.stack(parts, -1) for parts in zip(*both, strict=True))
    return shift, error


def _smoothed(seen: Array, variance: Array, depth: Array) -> tuple[Array, Array]:
    if np.isfinite(variance).sum() < 3:
        return np.zeros(len(seen)), np.full(len(seen), np.inf)
    gap = np.diff(depth)
    likely = [_walk.evidence(seen, variance, gap, walk) for walk in WALKS]
    return _walk.followed(seen, variance, gap, WALKS[int(np.argmax(likely))])
