"""Along the scan axes: the line graph across stressed areas, and tip wear along the slow axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from liscope.probe.areas import Area, Comparison, comparable, per_cent
from liscope.statistics import FEWEST_BLOCKS, Estimate, Image, Mask, correlation_length, sum_ratio
from liscope.units import to_units

CHANGE = ["change_percent", "change_percent_low", "change_percent_high"]
STEP = 0.3  # um, width of a point of the line graph


def line_graph(
    maps: Comparison, areas: Sequence[Area], image: xr.DataArray, margin: float
) -> pd.DataFrame:
    """Return the change of the current along the fast axis, over the lines that all areas share.

    Areas that lie on different lines share none; then every line that crosses an area counts.

    Returns
    -------
    ``x_um`` and the change with its 95 % interval, a point each 0.3 um.
    """
    rows = [np.asarray(area.mask(image, margin).any(1)) for area in areas]
    shared = np.logical_and.reduce(rows)
    lines = (shared if shared.any() else np.logical_or.reduce(rows))[:, None]
    x = to_units(image["x"], "um").to_numpy()
    edges = np.arange(x[0], x[-1], STEP)
    points = []
    for start in edges:
        band = lines & ((x >= start) & (x < start + STEP))[None, :]
        change = sum_ratio(maps.after, maps.before, comparable(maps, band)).through(per_cent)
        points.append((start + STEP / 2, *change))
    return pd.DataFrame(points, columns=["x_um", *CHANGE])


def wear_table(maps: Comparison, clear: Mask, slow_axis: str = "down") -> pd.DataFrame:
    """Return the change of the current from first to last line, in per cent with 95 % intervals.

    The first line of a scan whose ``slow_axis`` is "up" is the lowest; where the file does not say
    ("unknown"), the uppermost is taken for it.

    ``before`` and ``after`` are the two maps by themselves, in which the film's own unevenness
    hides much; in their ratio it drops out, and with it a wear that is the same in both.
    """
    turn = slice(None, None, -1 if slow_axis == "up" else 1)
    before, after, mask = maps.before[turn], maps.after[turn], (clear & maps.usable)[turn]
    rows = {
        "before": wear(before, mask),
        "after": wear(after, mask),
        "after / before": wear(after, mask, before),
    }
    table = {name: estimate.through(per_cent) for name, estimate in rows.items()}
    return pd.DataFrame.from_dict(table, orient="index", columns=CHANGE)


def wear(after: Image, mask: Mask, before: Image | None = None) -> Estimate:
    """Estimate by how much ln current changes along the slow axis, from first to last line.

    Groups of lines wider than the correlation length are the samples of a straight line; a tip that
    wears loses or gains contact steadily, a film does not know where the scan began. With a map of
    the same place ``before`` the film drops out, and with it a wear that is the same in both.

    Parameters
    ----------
    after, before
        (y, x), nA without offset, positive; NaN where a map did not look.
    mask
        The pixels that count, such as the unstressed film.
    """
    usable = mask & np.isfinite(after) & np.isfinite(after if before is None else before)
    levels, times = _line_groups(np.where(usable, after, 0.0), usable)
    if before is not None:
        levels = levels - _line_groups(np.where(usable, before, 0.0), usable, len(times))[0]
    good = np.isfinite(levels)
    if good.sum() < FEWEST_BLOCKS:
        return Estimate(np.nan, np.inf, 0)
    line = stats.linregress(times[good], levels[good])
    return Estimate(float(line.slope), float(line.stderr), int(good.sum()) - 2)


def _line_groups(current: Image, usable: Mask, count: int | None = None) -> tuple[Image, Image]:
    """Return ln of the mean current of groups of lines, and where they lie from 0 to 1."""
    if count is None:
        typical = np.median(current[usable])
        length = correlation_length(np.log(np.maximum(current, typical / 100)), usable)
        count = max(1, int(len(current) // (2 * length)))
    groups = np.array_split(np.arange(len(current)), count)
    with np.errstate(invalid="ignore", divide="ignore"):
        levels = [np.log(current[rows].sum() / usable[rows].sum()) for rows in groups]
    return np.array(levels), np.array([rows.mean() / len(current) for rows in groups])
