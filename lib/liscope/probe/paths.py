"""Conductive paths: connected places that conduct far better than the film around them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import stats
from skimage import measure

from liscope.probe.drift import pixel_size
from liscope.statistics import Estimate, Image, Mask, sum_ratio

CONDUCTING = 5.0  # noise standard deviations above zero from which a pixel is called conducting


@dataclass(frozen=True)
class Paths:
    """The conductive paths of a map.

    ``table`` has one row a path: place, area, diameter (of the circle of equal area) and share of
    the map's current. Density and shares are estimates of their logarithm.
    """

    threshold: float  # nA
    mask: Mask
    table: pd.DataFrame
    per_area: Estimate  # 1/um2
    area_share: Estimate
    current_share: Estimate
    seen_area: float  # um2


def path_threshold(conduction: xr.DataArray, noise: float, factor: float) -> float:
    """Return ``factor`` times the median current of the conducting film, nA.

    Pixels within the amplifier's noise are no part of that median; with a noise that cannot be told
    (NaN) every pixel with a positive current is.
    """
    values = conduction.to_numpy()
    floor = 0.0 if np.isnan(noise) else CONDUCTING * noise
    conducting = values[values > floor]
    return float(factor * np.median(conducting)) if conducting.size else np.inf


def find_paths(conduction: xr.DataArray, threshold: float) -> Paths:
    """Find the connected places (y, x; eight neighbours) with more than ``threshold`` nA.

    Clipped pixels count with the current at which they were clipped, so the shares of current are
    lower bounds where the amplifier saturated; pixels that a map did not see (NaN) do not count.
    """
    values = conduction.to_numpy()
    seen = np.isfinite(values)
    mask = np.where(seen, values, -np.inf) > threshold
    height, width = pixel_size(conduction)
    table = _table(mask, np.where(seen, values, 0.0), conduction, height * width)
    centres = np.zeros(values.shape)
    np.add.at(centres, (table.pop("row"), table.pop("column")), 1.0)
    pixels = np.where(seen, 1.0, 0.0)
    return Paths(
        threshold,
        mask,
        table,
        per_area=sum_ratio(centres, pixels * height * width, seen),
        area_share=sum_ratio(mask.astype(float), pixels, seen),
        current_share=sum_ratio(np.where(mask, values, 0.0), np.where(seen, values, 0.0), seen),
        seen_area=float(seen.sum() * height * width),
    )


def _table(mask: Mask, values: Image, image: xr.DataArray, pixel_area: float) -> pd.DataFrame:
    regions = measure.regionprops(measure.label(mask, connectivity=2), values)
    area = np.array([region.num_pixels for region in regions], float) * pixel_area
    current = np.array([region.intensity_mean * region.num_pixels for region in regions])
    centre = np.array([region.centroid for region in regions]).reshape(-1, 2).round().astype(int)
    return pd.DataFrame(
        {
            "x_um": image["x"].to_numpy()[centre[:, 1]],
            "y_um": image["y"].to_numpy()[centre[:, 0]],
            "area_um2": area,
            "diameter_nm": 2000 * np.sqrt(area / np.pi),
            "current_share": current / values.sum(),
            "row": centre[:, 0],
            "column": centre[:, 1],
        }
    )


def paths_table(paths: Paths) -> pd.DataFrame:
    """Return number per area, shares and median diameter of the paths, with 95 % intervals."""
    if paths.table.empty:
        # No event in an area: by Poisson's law less than three are expected there (95 %).
        none = {"paths_per_um2": (0.0, 0.0, 3 / paths.seen_area)}
        return pd.DataFrame.from_dict(none, orient="index", columns=["value", "low", "high"])
    rows = {
        "paths_per_um2": paths.per_area.through(np.exp),
        "area_share_percent": paths.area_share.through(_exp_per_cent),
        "current_share_percent": paths.current_share.through(_exp_per_cent),
        "median_diameter_nm": median_interval(paths.table["diameter_nm"].to_numpy()),
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"])


def _exp_per_cent(log_share: float) -> float:
    return 100 * float(np.exp(log_share))


def median_interval(values: NDArray[np.float64], level: float = 0.95) -> tuple[float, float, float]:
    """Return the median and the interval between order statistics that holds it."""
    ordered = np.sort(np.asarray(values, float))
    count = len(ordered)
    if count == 0:
        return np.nan, -np.inf, np.inf
    low = int(stats.binom.ppf((1 - level) / 2, count, 0.5)) - 1
    if low < 0:
        return float(np.median(ordered)), -np.inf, np.inf
    return float(np.median(ordered)), float(ordered[low]), float(ordered[count - 1 - low])
