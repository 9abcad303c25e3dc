"""Depths of the slices: from the nominal thickness, the total depth, and converging fiducial lines.

The gap between two trenches that converge by an angle a shrinks by 2 tan(a/2) per depth, and so
tells the depth of each slice on its own. Everything known is put together by least squares over the
thicknesses of all slices, recorded or missing, as the mean of a Gaussian law with its covariance.
Without fiducials only the mean thickness is known, by the total depth; what a single slice deviates
from it cannot be told, and is taken to be of the size of ``UNEVEN``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import optimize, stats

from liscope.errors import DataError
from liscope.units import to_units
from liscope.volume import _walk

Array = NDArray[np.float64]

UNEVEN = 0.15  # of the thickness: a slice's usual deviation, where nothing measures it
NOMINAL = 0.1  # of the thickness: how far the mean may lie off the nominal one
THINNEST = 0.05  # of the thickness
LEVEL = 0.95
CONTRADICTION = 3.0  # standard deviations
GAP_ERROR = 0.1  # of the thickness, of a fiducial gap, where it cannot be told
SPREADS = np.geomspace(0.01, 0.5, 16)  # of the thickness, that it and a gap's error may have


@dataclass(frozen=True)
class _Lines:
    """Fiducial gaps: what the gap shrinks per depth, each gap (nm), and its slice's place."""

    shrinking: float
    gap: Array
    place: NDArray[np.intp]


def slice_depths(stack: xr.Dataset) -> xr.Dataset:
    """Return the depth of each slice below the first, missing ones included.

    Parameters
    ----------
    stack
        A stack with the coordinate ``slice`` and the attribute ``slice_thickness`` (nm, nominal);
        where known, ``total_depth`` and ``total_depth_error`` (um, of ``slice_count`` slices or,
        without that, from the first to the last that is there), and the variable ``fiducial_gap``
        (slice; a length) with ``fiducial_angle`` (degrees, the full angle between the lines).

    Returns
    -------
    Dataset over ``slice`` (every number from first to last) with ``depth``, ``depth_low`` and
    ``depth_high`` (um, 95 %), ``thickness``, ``thickness_low``, ``thickness_high`` (nm), of what
    lies between a slice and the next. Attributes: ``told_by``, what single slices rest on;
    ``contradiction``, in words where sources disagree, else ""; ``mean_thickness`` and
    ``mean_thickness_error`` (nm).

    Raises
    ------
    DataError
        If slices are not in order, no thickness is known, or the fiducials are no use.
    """
    numbers = stack["slice"].to_numpy()
    if len(numbers) < 2 or not np.all(np.diff(numbers) > 0):
        raise DataError("depths need two slices or more, in order of their numbers ('slice')")
    every = np.arange(numbers[0], numbers[-1] + 1)
    count = int(stack.attrs.get("slice_count", len(every)))
    total, error = (1e3 * float(stack.attrs.get(name, np.nan)) for name in _TOTAL)
    if not np.isfinite(error):
        error = 0.05 * total
    nominal = _nominal(stack, total / count)
    lines = _lines(stack, every)
    free = _posterior(nominal, len(every), lines, None)
    known = (total * len(every) / count, error) if np.isfinite(total) else None
    mean, covariance = _posterior(nominal, len(every), lines, known)
    told = "fiducials" if lines else "total depth, the mean only" if known else "nominal thickness"
    said = {
        "told_by": told,
        "contradiction": _contradiction(free, known, "fiducials" if lines else "nominal thickness"),
    }
    return _dataset(every, mean, covariance).assign_attrs(said)


_TOTAL = ("total_depth", "total_depth_error")


def _nominal(stack: xr.Dataset, mean: float) -> float:
    nominal = float(stack.attrs.get("slice_thickness", mean))
    if not nominal > 0:
        nominal = mean
    if not nominal > 0:
        raise DataError(
            "no thickness: give thickness (nm) or total_depth (um); as attributes, "
            "'slice_thickness' or 'total_depth'"
        )
    return nominal


def _lines(stack: xr.Dataset, every: NDArray[np.int64]) -> _Lines | None:
    """Return the fiducial gaps that are there."""
    if "fiducial_gap" not in stack:
        return None
    gap = to_units(stack["fiducial_gap"], "nm").to_numpy().astype(float)
    there = np.isfinite(gap)
    if there.sum() < 3:
        return None
    angle = float(stack.attrs.get("fiducial_angle", np.nan))
    if not 0 < angle < 170:
        raise DataError(
            "'fiducial_gap' needs the angle of the lines: set 'fiducial_angle' (degrees)"
        )
    place = stack["slice"].to_numpy()[there] - every[0]
    return _Lines(2 * np.tan(np.deg2rad(angle / 2)), gap[there], np.asarray(place, np.intp))


def _posterior(
    nominal: float, count: int, lines: _Lines | None, total: tuple[float, float] | None
) -> tuple[Array, Array]:
    """Return mean and covariance of the thicknesses (nm).

    Before: each normal about a common mean, that about the nominal one; then each measurement is
    taken in, as a linear function of the thicknesses with a normal error.
    """
    uneven, noise = _spreads(lines, nominal)
    covariance = uneven**2 * np.eye(count) + (NOMINAL * nominal) ** 2
    mean = np.full(count, nominal)
    if lines:
        # The first gap is not known: all gaps have an error in common.
        rows = -lines.shrinking * np.tri(count, k=-1)[lines.place]
        unknown = np.full((len(rows), len(rows)), (10 * nominal * count) ** 2)
        first = lines.gap[0] + lines.shrinking * nominal * lines.place[0]
        spread = noise**2 * np.eye(len(rows)) + unknown
        mean, covariance = _taken_in(mean, covariance, rows, lines.gap - first, spread)
    if total:
        rows, spread = np.ones((1, count)), np.array([[total[1] ** 2]])
        mean, covariance = _taken_in(mean, covariance, rows, np.array([total[0]]), spread)
    return _positive(mean, covariance, THINNEST * nominal), covariance


def _taken_in(
    mean: Array, covariance: Array, rows: Array, seen: Array, error: Array
) -> tuple[Array, Array]:
    """Return mean and covariance after a measurement ``seen = rows @ thickness`` with its error."""
    gain = np.linalg.solve(rows @ covariance @ rows.T + error, rows @ covariance).T
    return mean + gain @ (seen - rows @ mean), covariance - gain @ rows @ covariance


def _spreads(lines: _Lines | None, nominal: float) -> tuple[float, float]:
    """Return how thicknesses vary from slice to slice, and the error of a gap; nm.

    Depths walk, errors of gaps do not: the mean over both that the gaps make likely.
    """
    if lines is None or len(lines.gap) < 4:
        return UNEVEN * nominal, GAP_ERROR * nominal
    steps = np.diff(lines.place).astype(float)
    rate = np.polyfit(lines.place, lines.gap, 1)[0]
    left = lines.gap - rate * lines.place
    pairs = [(walk, error) for walk in nominal * SPREADS for error in nominal * SPREADS]
    likely = np.array(
        [
            _walk.evidence(left, np.full(len(left), error**2), steps, (lines.shrinking * walk) ** 2)
            for walk, error in pairs
        ]
    )
    weight = np.exp(likely - likely.max())
    uneven, error = np.sqrt(weight @ np.square(pairs) / weight.sum())
    return float(uneven), float(error)


def _positive(mean: Array, covariance: Array, thinnest: float) -> Array:
    """Return the likeliest thicknesses none of which is below ``thinnest``."""
    if mean.min() >= thinnest:
        return mean
    root = np.linalg.cholesky(np.linalg.inv(covariance + 1e-9 * np.eye(len(mean)))).T
    found = optimize.lsq_linear(root, root @ mean, (thinnest, np.inf))
    return np.asarray(found.x)


def _contradiction(
    free: tuple[Array, Array], total: tuple[float, float] | None, source: str
) -> str:
    """Return in words by how much the total depth disagrees with what the rest says of it."""
    if total is None:
        return ""
    expected, error = free[0].sum(), float(np.hypot(np.sqrt(free[1].sum()), total[1]))
    if abs(total[0] - expected) < CONTRADICTION * error:
        return ""
    return (
        f"the total depth says {total[0] / 1e3:.3f} um, the {source} {expected / 1e3:.3f} um; "
        f"together they are known to {error / 1e3:.3f} um: check the angle and the slice count"
    )


def _dataset(every: NDArray[np.int64], mean: Array, covariance: Array) -> xr.Dataset:
    reach = float(stats.norm.ppf((1 + LEVEL) / 2))
    sums = np.tri(len(mean), k=-1)
    depth = sums @ mean
    depth_error = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", sums, covariance, sums), 0))
    error = np.sqrt(np.diag(covariance))
    values = {}
    for name, value, spread, unit in (
        ("depth", depth / 1e3, depth_error / 1e3, "um"),
        ("thickness", mean, error, "nm"),
    ):
        values[name] = ("slice", value, {"units": unit})
        values[f"{name}_low"] = ("slice", np.maximum(value - reach * spread, 0), {"units": unit})
        values[f"{name}_high"] = ("slice", value + reach * spread, {"units": unit})
    attrs = {
        "mean_thickness": float(mean.mean()),
        "mean_thickness_error": float(np.sqrt(covariance.sum()) / len(mean)),
    }
    return xr.Dataset(values, {"slice": every}, attrs)
