"""Along the scan axes: the line graph across stressed areas, and tip wear along the slow axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from liscope.probe.areas import Area, Comparison, comparable, per_cent
from liscope.statistics import FEWEST_BLOCKS, Estimate, Mask, correlation_length, sum_ratio
from liscope.units import to_units

STEP = 0.2  # um, width of a point of the line graph


def line_graph(
    maps: Comparison, areas: Sequence[Area], image: xr.DataArray, margin: float
) -> pd.DataFrame:
    """Return the change of the current along the fast axis, over the lines that all areas share.

    Returns
    -------
    ``x`` (um) and ``change``, ``low``, ``high`` (per cent, 95 %), a point each 0.2 um.
    """
    lines = np.ones(image.shape, bool)
    for area in areas:
        lines &= area.mask(image, margin).any(1)[:, None]
    x = to_units(image["x"], "um").to_numpy()
    edges = np.arange(x[0], x[-1], STEP)
    points = []
    for start in edges:
        band = lines & ((x >= start) & (x < start + STEP))[None, :]
        change = sum_ratio(maps.after, maps.before, comparable(maps, band)).through(per_cent)
        points.append((start + STEP / 2, *change))
    return pd.DataFrame(points, columns=["x", "change", "low", "high"])


def unstressed(areas: Sequence[Area], image: xr.DataArray, margin: float) -> Mask:
    """Return the pixels (y, x) that keep clear of every area by ``margin`` um."""
    clear = np.ones(image.shape, bool)
    for area in areas:
        clear &= ~area.mask(image, -margin)
    return clear


def wear(current: np.ndarray, mask: Mask) -> Estimate:
    """Estimate by how much ln current changes along the slow axis, from first to last line.

    Groups of lines wider than the correlation length are the samples of a straight line; a tip that
    wears loses or gains contact steadily, a film does not know where the scan began.

    Parameters
    ----------
    current
        (y, x), nA without offset, positive.
    mask
        The pixels that count, such as the unstressed film.
    """
    usable = mask & np.isfinite(current)
    high = 2 * correlation_length(np.log(np.maximum(current, np.nanmedian(current) / 100)), usable)
    groups = np.array_split(np.arange(len(current)), max(1, int(len(current) // high)))
    with np.errstate(invalid="ignore", divide="ignore"):
        levels = np.array(
            [np.log(np.mean(current[rows][usable[rows]])) for rows in groups if usable[rows].any()]
        )
    times = np.array([rows.mean() / len(current) for rows in groups if usable[rows].any()])
    good = np.isfinite(levels)
    if good.sum() < FEWEST_BLOCKS:
        return Estimate(np.nan, np.inf, 0)
    line = stats.linregress(times[good], levels[good])
    return Estimate(float(line.slope), float(line.stderr), int(good.sum()) - 2)
