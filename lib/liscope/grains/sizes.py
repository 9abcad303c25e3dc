"""Grain sizes: diameters of circles of equal area, without what edge and step of the map hide.

- Large grains are cut by the map's edge more often than small ones. Only whole grains count, each
  by the inverse of the chance to lie whole in the map (R. E. Miles, 1974; Ch. Lantuejoul, Microsc.
  Acta Suppl. 4, 219 (1980)). Along an axis on whose edges no grain of the phase lies, as across a
  film, none was cut.
- Grains of fewer pixels than the segmentation keeps cannot be seen. The log-normal law is fitted
  to what is above that floor; a mode of the density near the floor is only a bound.

Grains are the samples. Sizes are those in the section: of grains that lie behind one another in a
lamella, the stronger pattern is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
import xarray as xr
from scipy import ndimage, optimize, special

from liscope.errors import DataError
from liscope.grains.disorientation import Floats
from liscope.grains.shares import of_things
from liscope.statistics import FEWEST_BLOCKS, LEVEL
from liscope.units import to_units

DRAWS = 400  # the ends of an interval are known to a tenth of its width
GRID = 512  # points of the density, over all diameters and a tenth more
NEAR_FLOOR = 1.5  # a mode below as many floors is only a bound


@dataclass(frozen=True)
class Sizes:
    """Diameters (nm) of the whole grains of a phase, and how often each counts.

    ``floor`` is the smallest diameter that can be seen and ``step`` that of the map, nm; ``cut``
    is the number of grains that the map's edge cuts, and ``cut_share`` their share of the area.
    """

    phase: str
    diameter: Floats
    weight: Floats
    floor: float
    step: float
    cut: int
    cut_share: float

    def above(self, floor: float) -> Sizes:
        """Return what a map with a higher floor (nm) would have shown."""
        kept = self.diameter >= floor
        floor = max(floor, self.floor)
        return replace(self, diameter=self.diameter[kept], weight=self.weight[kept], floor=floor)


@dataclass(frozen=True)
class LogNormal:
    """A log-normal law: ``median`` (nm) and geometric standard deviation ``spread``."""

    median: float
    spread: float

    @property
    def mode(self) -> float:
        """The diameter of the highest density, nm."""
        return float(self.median * np.exp(-(np.log(self.spread) ** 2)))

    def below(self, diameter: Floats | float) -> Floats:
        """Return the share of grains below a diameter, nm."""
        return np.asarray(special.ndtr(np.log(diameter / self.median) / np.log(self.spread)))


def sizes_of(table: pd.DataFrame, label: xr.DataArray, phase: str) -> Sizes:
    """Return the sizes of a phase's grains.

    Parameters
    ----------
    table, label
        From :func:`liscope.grains.grain_table` and :func:`liscope.grains.segment`.

    Raises
    ------
    DataError
        If no grain of the phase lies whole in the map.
    """
    own = table[table["phase"] == phase]
    if own.empty:
        there = ", ".join(map(str, table["phase"].unique())) or "none at all"
        raise DataError(f"no grain of '{phase}'; there are grains of {there}")
    steps, weight = [], np.ones(len(own))
    for axis, side in (("y", "height_nm"), ("x", "width_nm")):
        places = to_units(label[axis], "nm").to_numpy()
        steps.append(float(places[-1] - places[0]) / (len(places) - 1))
        if own[f"cut_{axis}"].any():
            pixels = own[side].to_numpy() / steps[-1]
            weight *= (len(places) - 1) / np.maximum(len(places) - 1 - pixels, 1)
    cut = (own["cut_x"] | own["cut_y"]).to_numpy(bool)
    if cut.all():
        raise DataError(f"no grain of '{phase}' lies whole in the map; scan a larger field")
    pixel = 4 / np.pi * steps[0] * steps[1]
    floor = np.sqrt(pixel * (max(int(label.attrs.get("smallest_px", 1)), 1) - 0.5))
    area = own["area_nm2"].to_numpy(float)
    return Sizes(
        phase, own["diameter_nm"].to_numpy(float)[~cut], weight[~cut], float(floor),
        float(np.sqrt(steps[0] * steps[1])), int(cut.sum()), float(area[cut].sum() / area.sum()),
    )  # fmt: skip


def fit_lognormal(sizes: Sizes, weight: Floats | None = None) -> LogNormal:
    """Return the most likely log-normal law of the diameters that are above the floor.

    Parameters
    ----------
    weight
        How often each grain counts, instead of ``sizes.weight``.
    """
    logs, w = np.log(sizes.diameter), sizes.weight if weight is None else weight
    mean = float(np.average(logs, weights=w))
    variance = float(np.average((logs - mean) ** 2, weights=w))
    floor = np.log(sizes.floor)

    def unlikely(law: Floats) -> float:
        middle, width = law[0], np.exp(law[1])
        misfit = (variance + (mean - middle) ** 2) / (2 * width**2)
        return float(law[1] + misfit + special.log_ndtr((middle - floor) / width))

    start = np.array([mean, np.log(max(np.sqrt(variance), 1e-3))])
    # Where the floor cuts the mode away, ever wider laws fit; three times what is seen is enough.
    limits = [(mean - 3.0, mean + 1.0), (start[1] - 1.0, start[1] + np.log(3))]
    found = optimize.minimize(unlikely, start, method="Nelder-Mead", bounds=limits)
    return LogNormal(float(np.exp(found.x[0])), float(np.exp(np.exp(found.x[1]))))


def density_mode(sizes: Sizes, weight: Floats | None = None) -> float:
    """Return the diameter (nm) where the density of diameters is highest.

    The density is a sum of Gaussians over the logarithms (width by Silverman's rule), divided by
    the diameter.
    """
    logs, w = np.log(sizes.diameter), sizes.weight if weight is None else weight
    mean = np.average(logs, weights=w)
    spread = np.sqrt(np.average((logs - mean) ** 2, weights=w))
    quartiles = (_quantile(logs, w, 0.75) - _quantile(logs, w, 0.25)) / 1.349
    width = 0.9 * min(spread, quartiles or spread) * (w.sum() ** 2 / np.sum(w**2)) ** -0.2
    ends = logs.min() - 0.1 - 3 * width, logs.max() + 0.1 + 3 * width
    count, edges = np.histogram(logs, GRID, ends, weights=w)
    middles = (edges[1:] + edges[:-1]) / 2
    smooth = ndimage.gaussian_filter1d(count, max(width / (edges[1] - edges[0]), 0.5))
    return float(np.exp(middles[np.argmax(smooth * np.exp(-middles))]))


def _quantile(values: Floats, weight: Floats, share: float) -> float:
    order = np.argsort(values)
    passed = np.cumsum(weight[order]) - weight[order] / 2
    return float(np.interp(share * weight.sum(), passed, values[order]))


def median(sizes: Sizes, weight: Floats | None = None) -> float:
    """Return the median diameter by number, nm."""
    return _quantile(sizes.diameter, sizes.weight if weight is None else weight, 0.5)


def bootstrap(
    sizes: Sizes, statistic: Callable[[Floats], Floats], seed: int = 0
) -> tuple[Floats, Floats]:
    """Return low and high of the 95 % intervals of a statistic of the weights, drawing grains.

    NaN where there are fewer than five grains.
    """
    count = sizes.diameter.size
    value = statistic(sizes.weight)
    if count < FEWEST_BLOCKS:
        return np.full_like(value, np.nan), np.full_like(value, np.nan)
    rng = np.random.default_rng(seed)
    drawn = [
        statistic(sizes.weight * np.bincount(rng.integers(0, count, count), minlength=count))
        for _ in range(DRAWS)
    ]
    low, high = np.quantile(drawn, ((1 - LEVEL) / 2, (1 + LEVEL) / 2), axis=0)
    # The bootstrap's variance lacks the factor n / (n - 1).
    wider = np.sqrt(count / (count - 1))
    return value + wider * (low - value), value + wider * (high - value)


def size_table(sizes: Sizes) -> pd.DataFrame:
    """Return the numbers that describe a distribution of sizes, with 95 % intervals.

    Columns ``value``, ``low``, ``high`` and ``unit``. By number each grain counts once, by area as
    often as its area. The mode is given twice: of the density, which supposes nothing, and of the
    log-normal law, which scatters less and is wrong where sizes have another law. Where a mode of
    the density lies near the floor, it is only a bound and its ``low`` is 0. ``unseen`` is the
    share of grains that the law has below the floor.
    """

    def numbers(weight: Floats) -> Floats:
        used = replace(sizes, diameter=sizes.diameter[weight > 0], weight=weight[weight > 0])
        law, area = fit_lognormal(used), used.weight * used.diameter**2
        return np.array(
            [
                np.average(used.diameter, weights=used.weight), median(used),
                density_mode(used), law.mode, law.median, law.spread,
                np.average(used.diameter, weights=area), median(used, area),
                density_mode(used, area), float(law.below(sizes.floor)),
            ]
        )  # fmt: skip

    value = numbers(sizes.weight)
    low, high = bootstrap(sizes, numbers)
    low, high = np.maximum(low, 0.0), np.append(high[:-1], np.minimum(high[-1], 1.0))
    table = pd.DataFrame(
        {"value": value, "low": low, "high": high, "unit": [unit for _, unit in _ROWS]},
        index=pd.Index([name for name, _ in _ROWS], name="quantity"),
    )
    bound = table.index.str.startswith("mode of density") & (value < NEAR_FLOOR * sizes.floor)
    table.loc[bound, "low"] = 0.0
    return table


_ROWS = (
    ("mean by number", "nm"), ("median by number", "nm"), ("mode of density by number", "nm"),
    ("mode of log-normal law", "nm"), ("median of log-normal law", "nm"),
    ("geometric standard deviation", ""), ("mean by area", "nm"), ("median by area", "nm"),
    ("mode of density by area", "nm"), ("unseen", ""),
)  # fmt: skip


def size_distribution(sizes: Sizes, width_nm: float) -> pd.DataFrame:
    """Return the distribution of diameters, one row a bin of ``width_nm``.

    ``from_nm``, ``to_nm``; the share of grains, ``by_number``, and of area, ``by_area``, each with
    low and high; and the share that the log-normal law has there, ``law``, as part of what it has
    above the floor.
    """
    law = fit_lognormal(sizes)
    seen = 1 - float(law.below(sizes.floor))
    edges = np.arange(0.0, sizes.diameter.max() + width_nm, width_nm)
    rows = []
    for low, high in pairwise(edges):
        inside = (sizes.diameter >= low) & (sizes.diameter < high)
        ends = np.maximum([low, high], sizes.floor)
        rows.append(
            {"from_nm": low, "to_nm": high}
            | of_things(inside, sizes.weight).columns("by_number")
            | of_things(inside, sizes.weight * sizes.diameter**2).columns("by_area")
            | {"law": float(np.diff(law.below(ends))[0]) / seen}
        )
    return pd.DataFrame(rows)
