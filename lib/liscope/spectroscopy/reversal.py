"""First-order reversal curves of the current (FORC-IV): loops of rising maximal bias.

Each loop goes a little farther than the one before and comes back. The average loop area against
the maximal bias tells from which bias on the state under the tip changes.

Source: after the FORC-IV method of Strelcov et al., reference 10 of the paper.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from liscope.spectroscopy.groups import mean_of_places
from liscope.spectroscopy.loops import loop_areas
from liscope.spectroscopy.quality import quality

COLUMNS = ("unsigned_V", "enclosed_V", "area_nAV")


def maximal_bias(loops: xr.Dataset) -> xr.Dataset:
    """Return the loops with the coordinate ``maximal_bias`` (curve), V.

    It is the largest bias that a loop reaches on either side. Loops whose largest biases, in order
    of size, follow one another by no more than a step of the sweep share their median.
    """
    bias = loops["bias"].to_numpy()
    reached = np.nanmax(np.abs(bias), axis=1)
    step = float(np.nanmedian(np.abs(np.diff(bias, axis=1))))
    order = np.sort(reached)
    level = np.cumsum(np.diff(order, prepend=order[0]) > step)
    medians = pd.Series(order).groupby(level).median().to_numpy()
    nearest = medians[np.abs(reached[:, None] - medians).argmin(axis=1)]
    return loops.assign_coords(maximal_bias=("curve", nearest, {"units": "V"}))


def reversal_table(loops: xr.Dataset) -> pd.DataFrame:
    """Return the mean loop area against the maximal bias, with 95 % intervals over places.

    Parameters
    ----------
    loops
        As :func:`liscope.spectroscopy.cycles` returns them.

    Returns
    -------
    One row a maximal bias: ``maximal_bias_V``, ``places`` and ``loops`` that are good, and the mean
    over places of the unsigned and of the enclosed relative area (V) and of the enclosed area
    (nA V), each with ``_low`` and ``_high`` (Student; infinite for a single
    place).
    """
    loops = maximal_bias(loops)
    found = quality(loops, like="maximal_bias")
    areas = loop_areas(loops, found["noise_nA"].to_numpy())
    areas["maximal_bias_V"] = loops["maximal_bias"].to_numpy()
    rows = []
    for bias, part in areas[found["good"].to_numpy()].groupby("maximal_bias_V"):
        means = part.groupby("place")[list(COLUMNS)].mean()
        row: dict[str, float] = {
            "maximal_bias_V": float(str(bias)), "places": len(means), "loops": len(part),
        }  # fmt: skip
        for column in COLUMNS:
            names = (column, f"{column}_low", f"{column}_high")
            row |= zip(names, mean_of_places(means[column]), strict=True)
        rows.append(row)
    return pd.DataFrame(rows)


def onset(table: pd.DataFrame, column: str = "unsigned_V") -> float:
    """Return the smallest maximal bias (V) from which on each mean area is told from zero.

    NaN where even the largest is not.
    """
    told = (table[f"{column}_low"] > 0).to_numpy()
    if not len(told) or not told[-1]:
        return np.nan
    silent = np.flatnonzero(~told)
    return float(table["maximal_bias_V"].iloc[silent[-1] + 1 if silent.size else 0])
