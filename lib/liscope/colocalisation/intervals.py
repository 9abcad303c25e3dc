"""Intervals that know of the film and of the registration.

Each draw takes blocks of the field with replacement, several correlation lengths wide, and places
the moving map as far from its best place as the registration's error allows. What then scatters is
the standard error, on a scale on which it is about the same everywhere (Fisher's z, arcsine, log).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from liscope.colocalisation.measures import Pair, Thresholds, measures, on_grid, pair_of
from liscope.colocalisation.objects import find_objects, object_table
from liscope.progress import track
from liscope.registration import Placement, draws
from liscope.registration.placement import Array
from liscope.statistics import (
    BLOCK,
    FEWEST_BLOCKS,
    LEVEL,
    blocks,
    correlation_length,
    held_variance,
)

NONE_SEEN = 3.0  # where none is seen, by Poisson's law fewer than this are expected (95 %)
DRAWS = 100  # their scatter is known to 7 %

Numbers = NDArray[np.float64]
Scale = tuple[Callable[[Numbers], Numbers], Callable[[Numbers], Numbers]]

_FISHER: Scale = (np.arctanh, np.tanh)
_SHARE: Scale = (
    lambda p: np.arcsin(np.sqrt(np.clip(p, 0, 1))),
    lambda z: np.sin(np.clip(z, 0, np.pi / 2)) ** 2,
)
_NUMBER: Scale = (lambda n: np.log(n + 1), lambda z: np.exp(z) - 1)


def correspondence(
    counts: xr.DataArray,
    seen: xr.Dataset,
    placement: Placement,
    limits: Thresholds,
    beam: float,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return measures and table of places, each number with low and high of its 95 % interval.

    Parameters
    ----------
    counts
        (y, x), the fixed map.
    seen
        The moving map as the beam sees it, from :func:`seen_by_beam`.
    beam
        Full width of the ion beam at half maximum, um.
    """
    rng = np.random.default_rng(0)
    best = pair_of(counts, on_grid(seen, counts, placement), limits)
    label, used, held = _blocks(best)
    numbers, places = [measures(best, limits)], [object_table(find_objects(best, limits, beam))]
    for moved in track(draws(placement, DRAWS, rng), "intervals"):
        again = on_grid(seen, counts, moved)
        placed = replace(
            best, current=again["mean"].to_numpy(), typical=again["typical"].to_numpy()
        )
        times = np.bincount(rng.choice(used, len(used)), None, label.max() + 1)
        weight = times[label].astype(float)
        numbers.append(measures(placed, limits, weight))
        places.append(_places(placed, limits, beam, weight))
    reach = _reach(len(used), held)
    return _measure_table(pd.DataFrame(numbers), reach), _place_table(places, reach)


def _reach(count: int, held: float) -> float:
    """Return the half width of an interval in standard deviations; NaN where blocks are too few."""
    if count < FEWEST_BLOCKS:
        return np.nan
    quantile = float(stats.t.ppf((1 + LEVEL) / 2, count - 1))
    return float(quantile * np.sqrt(count / (count - 1) / held))


def _places(pair: Pair, limits: Thresholds, beam: float, weight: Array) -> pd.DataFrame:
    """Return the table of places of a draw: places count as often as the block of their middle."""
    objects = find_objects(replace(pair, current=weight * pair.current), limits, beam)
    where = pair.field.indices(objects[["y_um", "x_um"]].to_numpy(float))
    row, column = np.clip(np.round(where), 0, np.subtract(pair.field.shape, 1)).astype(np.intp).T
    return object_table(objects, weight[row, column])


def _blocks(pair: Pair) -> tuple[NDArray[np.intp], NDArray[np.intp], float]:
    """Return labels (y, x) of blocks, those with pixels, and the variance that blocks hold.

    Domains differ much in size, so the blocks are twice as wide as those of an even film.
    """
    valid = pair.valid
    logs = np.log10(pair.typical)
    length = max(correlation_length(image, valid) for image in (logs, pair.smooth))
    label = blocks((valid.shape[0], valid.shape[1]), 2 * BLOCK * length)
    held = float(np.prod(held_variance(np.full(2, 2 * BLOCK))))
    return label, np.unique(label[valid]), held


def _measure_table(numbers: pd.DataFrame, reach: float) -> pd.DataFrame:
    """Return value, low and high of each column; the first row is the value, the others scatter."""
    rows = {}
    for name in numbers:
        scale = _FISHER if name in ("pearson", "spearman") else _SHARE
        rows[name] = _interval(numbers[name].to_numpy(), scale, reach)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"])
    return table.rename_axis("measure")


def _place_table(places: list[pd.DataFrame], reach: float) -> pd.DataFrame:
    columns: dict[str, list[float]] = {}
    for name in places[0]:
        share = str(name).endswith("percent")
        found = np.array([table[name].to_numpy() for table in places]) / (100 if share else 1)
        scale = _SHARE if share else _NUMBER
        ends = np.array([_interval(one, scale, reach) for one in found.T]) * (100 if share else 1)
        for i, end in enumerate(("", "_low", "_high")):
            columns[f"{name}{end}"] = list(ends[:, i])
        if name != "number":  # of kinds without a place there is no area to tell
            seen = found.any(0)
            for end in ("_low", "_high"):
                columns[f"{name}{end}"] = list(np.where(seen, columns[f"{name}{end}"], np.nan))
    return pd.DataFrame(columns, index=places[0].index)


def _interval(numbers: Numbers, scale: Scale, reach: float) -> tuple[float, float, float]:
    """Return the first of the numbers with an interval as wide as the others scatter."""
    forth, back = scale
    value, *scattered = forth(numbers)
    if scale is _NUMBER and not numbers.any():
        return 0.0, 0.0, NONE_SEEN
    low, high = back(value + reach * float(np.std(scattered)) * np.array([-1.0, 1.0]))
    return float(numbers[0]), float(max(low, 0.0) if scale is _NUMBER else low), float(high)
