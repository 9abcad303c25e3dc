"""Eq. 3 as a map: as printed, as it must be meant, and the plain product that it is read as.

A covariance is a sum over voxels. Its single terms are positive where both channels are high, but
also where both are low: a map of them is no map of the product.

Source: Y. Sun et al., Micron, 103746 (online 2024), doi:10.1016/j.micron.2024.103746, Eq. 3 and
Fig. 6c.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError
from liscope.history import noted
from liscope.statistics import (
    BLOCK,
    FEWEST_BLOCKS,
    Estimate,
    blocks,
    correlation_length,
    held_variance,
)
from liscope.volume.moments import Pair, joint_moments
from liscope.volume.normalise import limits, min_max

BINS = 4096  # of a map's values, in which phases are told apart
SAMPLE = 200_000  # voxels that these bins are chosen by, so that all hold as many

TERMS = ("as printed", "as meant", "product")


def covariance_terms(
    volume: xr.DataArray, pair: Pair, moments: xr.Dataset | None = None
) -> xr.DataArray:
    """Return each voxel's term of Eq. 3, and the plain product.

    Parameters
    ----------
    volume
        (channel, z, y, x), any unit.
    pair
        Names A and B of the channels, with means mu and nu.
    moments
        From :func:`joint_moments` of a volume with these; None: one pass for them.

    Returns
    -------
    (term, z, y, x), float32, lazily where the volume is: ``as printed`` (A - mu) (B - mu), ``as
    meant`` (A - mu) (B - nu), ``product`` A B. Since A - mu sums to nothing, the first two have the
    same sum; voxel by voxel they differ.
    """
    both = volume.sel(channel=list(pair))
    moments = joint_moments(both) if moments is None else moments
    mu, nu = (float(moments["mean"].sel(channel=name)) for name in pair)
    a, b = (both.sel(channel=name, drop=True) for name in pair)
    maps = [(a - mu) * (b - mu), (a - mu) * (b - nu), a * b]
    terms = xr.concat(maps, xr.Variable("term", list(TERMS))).astype(np.float32)
    units = volume.attrs.get("units", "1")
    terms = terms.rename(f"{pair[0]} x {pair[1]}").assign_attrs(units=f"{units}^2")
    return noted(terms, volume, f"terms of Eq. 3 of {pair[0]} and {pair[1]}")


def covariance_table(terms: xr.DataArray) -> pd.DataFrame:
    """Return what the terms come to: one row each, from one pass.

    Columns ``mean_term``, what the voxels' terms are on average, and ``mean_is``, what this is
    called: of the first two terms the covariance (sum over n - 1), of the product no covariance but
    the mean product (sum over n), which is the covariance plus the product of the means; unit: the
    channels' squared. Then ``positive_percent`` of voxels, ``agree`` (correlation with the map as
    meant) and ``sign_changes_percent`` of voxels, whose sign differs from it.
    """
    from dask.base import compute

    dims = [dim for dim in terms.dims if dim != "term"]
    meant = terms.sel(term="as meant", drop=True)
    found = compute(
        terms.sum(dims, dtype=float),
        terms.notnull().sum(dims),
        (terms > 0).sum(dims),
        ((terms * meant) < 0).sum(dims),
    )
    total, count, positive, changed = (one.to_numpy() for one in found)
    is_product = terms["term"].to_numpy() == "product"
    alike = joint_moments(terms.rename(term="channel"))["correlation"].sel(other="as meant")
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = {
            "mean_term": total / np.where(is_product, count, count - 1),
            "mean_is": np.where(is_product, "mean product", "covariance"),
            "positive_percent": 100 * positive / count,
            "agree": alike.to_numpy(),
            "sign_changes_percent": 100 * changed / count,
        }
    return pd.DataFrame(columns, pd.Index(terms["term"].to_numpy(), name="term"))


def grey_levels(terms: xr.DataArray) -> xr.DataArray:
    """Return the terms between 0 and 255, as Fig. 6c has them; one pass for their limits."""
    named = terms.rename(term="channel")
    return min_max(named, limits(named)).rename(channel="term")


def separation_table(terms: xr.DataArray, label: xr.DataArray, phase: int) -> pd.DataFrame:
    """Return how well each map tells a phase from the rest, against labels that are known.

    Parameters
    ----------
    terms
        (term, z, y, x), from :func:`covariance_terms`.
    label
        (z, y, x), whole numbers; 0 takes no part.
    phase
        The label that a high value should mean.

    Returns
    -------
    Index ``term``; ``area`` under the receiver operating characteristic (the chance that a voxel
    of the phase is brighter than one of the rest; 0.5: the map tells nothing) with ``low`` and
    ``high`` of its 95 % interval by leaving out blocks of columns several correlation lengths wide,
    and ``grey_phase``, ``grey_rest``: mean levels between 0 and 255.

    Raises
    ------
    DataError
        If all voxels have the phase, or none.
    """
    inside, known = (label == phase).to_numpy(), (label > 0).to_numpy()
    if not (inside & known).any() or not (known & ~inside).any():
        raise DataError(f"label {phase} must be given to some of the voxels, and not to all")
    length = correlation_length(inside.mean(0))
    block = np.broadcast_to(blocks(inside.shape[1:], BLOCK * length), inside.shape)
    grey = grey_levels(terms)
    rows = {}
    for n, name in enumerate(terms["term"].to_numpy()):
        values, level = terms[n].to_numpy(), grey[n].to_numpy()
        use = known & np.isfinite(values)
        low, high = (area := _area(values[use], inside[use], block[use])).interval()
        rows[str(name)] = {
            "area": area.value,
            "low": max(low, 0.0),
            "high": min(high, 1.0),
            "grey_phase": float(level[use & inside].mean()),
            "grey_rest": float(level[use & ~inside].mean()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("term")


def _area(values: NDArray[Any], inside: NDArray[np.bool_], block: NDArray[np.intp]) -> Estimate:
    """Return the area with its delete-one-block jackknife error."""
    edges = np.unique(
        np.quantile(values[:: max(1, len(values) // SAMPLE)], np.linspace(0, 1, BINS))
    )
    code = np.searchsorted(edges, values)
    bins = len(edges) + 1
    place = (block.astype(np.int64) * 2 + inside) * bins + code
    size = int(block.max()) + 1
    counted = np.bincount(place, minlength=2 * size * bins).reshape(size, 2, bins).astype(float)
    counted = counted[counted.sum((1, 2)) > 0]
    total = counted.sum(0)
    value, without = float(_areas(total[None])[0]), _areas(total - counted)
    count = len(counted)
    if count < FEWEST_BLOCKS or not np.isfinite(without).all():
        return Estimate(value, np.inf, 0)
    held = float(np.prod(held_variance(np.full(2, BLOCK))))
    error = np.sqrt((count - 1) / count / held * np.sum((without - without.mean()) ** 2))
    return Estimate(value, float(error), count - 1)


def _areas(counted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the area for each histogram (..., rest or phase, bin) of values."""
    rest, phase = counted[..., 0, :], counted[..., 1, :]
    beaten = np.cumsum(rest, -1) - 0.5 * rest  # of equal values, half
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((phase * beaten).sum(-1) / (phase.sum(-1) * rest.sum(-1)))
