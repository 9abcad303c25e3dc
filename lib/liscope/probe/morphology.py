"""Did the surface change, and does the current follow it?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from scipy import ndimage

from liscope.probe.areas import Area, Comparison, surroundings
from liscope.statistics import Estimate, Mask, mean, shift_test, sum_ratio
from liscope.units import to_units


def morphology_table(
    before: xr.DataArray,
    after: xr.DataArray,
    maps: Comparison,
    areas: Sequence[Area],
    margin: float,
) -> pd.DataFrame:
    """Compare the surface of each area before and after, and the current's change with it.

    Parameters
    ----------
    before, after
        Levelled heights (y, x) on one grid; NaN where a map did not look.
    margin
        um kept clear on both sides of an area's edge.

    Returns
    -------
    One row an area: ``height`` (nm; mean change against unstressed film on the same lines), ``Sq``
    before and after (nm, root mean square, ISO 25178) and its change in per cent, each with a 95 %
    interval, and Spearman's ``correlation`` of local current change and local height change with
    its toroidal-shift ``p``.
    """
    heights = [to_units(image, "nm").to_numpy() for image in (before, after)]
    rows = {area.name: _row(heights, maps, area, areas, after, margin) for area in areas}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("area")


def _row(
    heights: list[np.ndarray],
    maps: Comparison,
    area: Area,
    areas: Sequence[Area],
    image: xr.DataArray,
    margin: float,
) -> dict[str, float]:
    seen = np.isfinite(heights[0]) & np.isfinite(heights[1])
    inside = area.mask(image, margin) & seen
    outside = surroundings(area, areas, image, margin) & seen
    shift = _height_change(heights, inside).minus(_height_change(heights, outside))
    rough = _roughness_change(heights, inside)
    low, high = shift.interval()
    change, change_low, change_high = rough.through(lambda x: 100 * float(np.expm1(x / 2)))
    correlation, p = _current_follows_height(heights, maps, inside)
    return {
        "height": shift.value,
        "height low": low,
        "height high": high,
        "Sq before": float(np.std(heights[0][inside])),
        "Sq after": float(np.std(heights[1][inside])),
        "Sq change": change,
        "Sq change low": change_low,
        "Sq change high": change_high,
        "correlation": correlation,
        "p": p,
    }


def _height_change(heights: list[np.ndarray], mask: Mask) -> Estimate:
    return mean(heights[1] - heights[0], mask)


def _roughness_change(heights: list[np.ndarray], mask: Mask) -> Estimate:
    """Estimate ln of the ratio of mean squares."""
    squares = [np.where(mask, (h - h[mask].mean()) ** 2, 0.0) for h in heights]
    return sum_ratio(squares[1], squares[0], mask)


def _current_follows_height(
    heights: list[np.ndarray], maps: Comparison, inside: Mask
) -> tuple[float, float]:
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not len(rows):
        return np.nan, np.nan
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    before, after = (ndimage.uniform_filter(image[box], 3) for image in (maps.before, maps.after))
    expected = before * after.sum() / before.sum()
    # Relative to the mean of both, since a ratio has no value where nothing flowed before.
    size = np.abs(after) + np.abs(expected)
    change = np.divide(after - expected, size, out=np.zeros_like(size), where=size > 0)
    return shift_test(change, np.nan_to_num(heights[1][box] - heights[0][box]))
