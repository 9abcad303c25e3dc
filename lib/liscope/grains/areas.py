"""What the map is made of: shares of area, each with its interval."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from liscope import statistics
from liscope.conventions import AMORPHOUS, EMPTY, UNKNOWN
from liscope.grains.maps import pixels_of

LUMPED = "amorphous or empty"


def area_shares(orientations: xr.Dataset) -> pd.DataFrame:
    """Return the share of the map that each phase, glass and nothing have, in per cent.

    The last row lumps amorphous and empty places as the paper does. Intervals are from blocks of
    the map, for neighbouring points are alike; NaN where the map holds too few. In a map where all
    points have a phase, nothing is said of the rest.

    Returns
    -------
    DataFrame
        ``share``, ``low`` and ``high`` in per cent.
    """
    pixels = pixels_of(orientations)
    masks = {name: pixels.phase == i for i, name in enumerate(pixels.names)}
    masks |= {
        "amorphous": pixels.phase == AMORPHOUS,
        "empty": pixels.phase == EMPTY,
        "not known": pixels.phase == UNKNOWN,
        LUMPED: (pixels.phase == AMORPHOUS) | (pixels.phase == EMPTY),
    }
    told = (pixels.phase < 0).any()  # or a program that knows neither glass nor holes
    rows = {}
    for name, mask in masks.items():
        if not told and name not in pixels.names:
            rows[name] = dict.fromkeys(("share", "low", "high"), np.nan)
            continue
        found = statistics.mean(mask.astype(float), np.ones(mask.shape, dtype=bool))
        low, high = found.interval()
        rows[name] = {
            "share": 100 * found.value,
            "low": 100 * max(low, 0.0) if np.isfinite(low) else np.nan,
            "high": 100 * min(high, 1.0) if np.isfinite(high) else np.nan,
        }
    return pd.DataFrame.from_dict(rows, orient="index")
