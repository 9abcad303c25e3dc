"""Did the surface change, and does the current follow it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy import ndimage

from liscope.probe.areas import Area, Comparison, surroundings, unstressed
from liscope.probe.drift import Drift, onto
from liscope.probe.levelling import plane
from liscope.statistics import Image, Mask, mean, shift_test, sum_ratio
from liscope.units import to_units

SMOOTH = 5  # pixels over which current and height are averaged before they are correlated


@dataclass(frozen=True)
class _Surfaces:
    """Heights (y, x) in nm on one grid, and their difference without line steps."""

    before: Image
    after: Image
    change: Image
    seen: Mask


def morphology_table(
    before: xr.DataArray,
    after: xr.DataArray,
    drift: Drift,
    maps: Comparison,
    areas: Sequence[Area],
    margin: float,
) -> pd.DataFrame:
    """Compare the surface of each area before and after, and the current's change with it.

    Parameters
    ----------
    before, after
        Levelled heights (y, x), each as its map recorded it.
    drift
        Of ``before`` against ``after``.
    margin
        um kept clear on both sides of an area's edge.

    Returns
    -------
    One row an area: ``height_nm`` (mean change against unstressed film on the same lines), ``Sq``
    before and after (root mean square, ISO 25178) and its change, each with a 95 %
    interval, and Spearman's ``correlation`` of local current change and local height change with
    its toroidal-shift ``p``.
    """
    surfaces = _surfaces(before, after, drift, unstressed(areas, after, margin))
    rows = {area.name: _row(surfaces, maps, area, areas, after, margin) for area in areas}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("area")


def _surfaces(before: xr.DataArray, after: xr.DataArray, drift: Drift, clear: Mask) -> _Surfaces:
    first, second = to_units(before, "nm"), to_units(after, "nm")
    # Levelled on unstressed film alone: an area that swelled would tilt the plane.
    change = plane(second - onto(first, drift, order=3), clear).to_numpy()
    kept = onto(first, drift, order=0).to_numpy()
    seen = np.isfinite(change) & np.isfinite(kept)
    # What is left of the steps between lines belongs to neither surface.
    use = clear & seen
    after_kept = second.to_numpy() - _steps(second.to_numpy() - kept, use)
    return _Surfaces(kept, after_kept, change - _steps(change, use), seen)


def _steps(difference: Image, use: Mask) -> Image:
    """Return the median (y, 1) of each line over the pixels in ``use``; 0 where there are none."""
    return np.array(
        [
            [np.median(line[mask]) if mask.any() else 0.0]
            for line, mask in zip(difference, use, strict=True)
        ]
    )


def _row(
    surfaces: _Surfaces,
    maps: Comparison,
    area: Area,
    areas: Sequence[Area],
    image: xr.DataArray,
    margin: float,
) -> dict[str, float]:
    inside = area.mask(image, margin) & surfaces.seen
    outside = surroundings(area, areas, image, margin) & surfaces.seen
    shift = mean(surfaces.change, inside).minus(mean(surfaces.change, outside))
    low, high = shift.interval()
    squares = [_squares(height, inside) for height in (surfaces.after, surfaces.before)]
    rough = sum_ratio(squares[0], squares[1], inside)
    change, change_low, change_high = rough.through(lambda x: 100 * float(np.expm1(x / 2)))
    correlation, p = _current_follows_height(surfaces.change, maps, inside)
    return {
        "height_nm": shift.value,
        "height_nm_low": low,
        "height_nm_high": high,
        "Sq_before_nm": float(np.std(surfaces.before[inside])),
        "Sq_after_nm": float(np.std(surfaces.after[inside])),
        "Sq_change_percent": change,
        "Sq_change_percent_low": change_low,
        "Sq_change_percent_high": change_high,
        "correlation": correlation,
        "p": p,
    }


def _squares(height: Image, mask: Mask) -> Image:
    return np.where(mask, (height - height[mask].mean()) ** 2, 0.0)


def _current_follows_height(change: Image, maps: Comparison, inside: Mask) -> tuple[float, float]:
    """Return Spearman's correlation of local current and height changes, and its p-value."""
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not len(rows):
        return np.nan, np.nan
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    before, after, height = (
        ndimage.uniform_filter(image[box], SMOOTH)
        for image in (maps.before, maps.after, np.nan_to_num(change))
    )
    total = before.sum()
    expected = before * after.sum() / total if total > 0 else before
    # Relative to the sum of both, since a ratio has no value where nothing flowed before.
    size = np.abs(after) + np.abs(expected)
    current = np.divide(after - expected, size, out=np.zeros_like(size), where=size > 0)
    return shift_test(current, height)
