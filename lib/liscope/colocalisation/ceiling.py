"""How large a correlation the repeatability of both measurements allows.

A measurement that does not repeat itself perfectly correlates with nothing perfectly: the
correlation of two measurements is at most the root of the product of their reliabilities
(C. Spearman, Am. J. Psychol. 15, 72 (1904), doi:10.2307/1412159).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr


def ceiling_table(
    counts: xr.DataArray, placed: xr.Dataset, again: xr.Dataset | None, pearson: float
) -> pd.DataFrame:
    """Return reliabilities, the ceiling, and the correlation as a share of it (column ``value``).

    Parameters
    ----------
    counts
        (y, x). Of their variance, the mean is Poisson's and would not repeat itself.
    placed, again
        Two C-AFM maps on the same pixels, from :func:`on_grid`. Without a second one, the current
        is taken to repeat itself perfectly and the ceiling is that of the counts alone.
    pearson
        Correlation of log current and counts.
    """
    maps = [one["typical"].to_numpy() for one in (placed, again) if one is not None]
    valid = np.isfinite(maps).all(0)
    seen = counts.to_numpy()[valid]
    of_counts = 1 - float(seen.mean() / seen.var())
    logs = [np.log10(image[valid]) for image in maps]
    of_current = float(np.corrcoef(logs[0], logs[1])[0, 1]) if again is not None else np.nan
    ceiling = float(
        np.sqrt(max(of_counts, 0.0) * (1.0 if np.isnan(of_current) else max(of_current, 0.0)))
    )
    rows = {
        "reliability of the counts": of_counts,
        "reliability of the current": of_current,
        "ceiling": ceiling,
        "Pearson's r": pearson,
        "r / ceiling": pearson / ceiling if ceiling > 0 else np.nan,
    }
    return pd.DataFrame({"value": rows}).rename_axis("number")
