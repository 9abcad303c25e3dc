"""Two orientation maps compared, such as of a pristine and a cycled film."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from liscope import statistics
from liscope.conventions import AMORPHOUS, UNKNOWN
from liscope.errors import DataError
from liscope.grains.disorientation import Floats, Mask
from liscope.grains.maps import pixels_of
from liscope.grains.shares import Share
from liscope.grains.sizes import DRAWS, Sizes, density_mode, median
from liscope.statistics import FEWEST_BLOCKS, LEVEL


def compare_sizes(first: Sizes, second: Sizes) -> pd.DataFrame:
    """Return how the second map's grain sizes by number differ from the first's.

    Rows, each with ``value``, ``low`` and ``high`` of its 95 % bootstrap interval over grains:
    *Cliff's delta* (-1 where all grains of the second are smaller, 0 where they do not differ), the
    *chance to be larger* (of a grain of the second against one of the first), the *ratio of
    medians* and the *ratio of modes* of the density, second over first. Both are cut at the higher
    of the two floors. NaN as interval where one has fewer than five grains.

    Raises
    ------
    DataError
        If one has no grain above the floor.
    """
    floor = max(first.floor, second.floor)
    both = first.above(floor), second.above(floor)
    if min(one.diameter.size for one in both) == 0:
        raise DataError(f"no grain of one of the maps is above {floor:.3g} nm")
    value = _differences(both, [one.weight for one in both])
    ends = _bootstrap(both)
    return pd.DataFrame(
        {"value": value, "low": ends[0], "high": ends[1]},
        index=pd.Index(
            ["Cliff's delta", "chance to be larger", "ratio of medians", "ratio of modes"],
            name="effect",
        ),
    )


def _differences(both: Sequence[Sizes], weights: Sequence[Floats]) -> Floats:
    delta = cliffs_delta(both[0].diameter, both[1].diameter, weights[0], weights[1])
    medians = [median(one, weight) for one, weight in zip(both, weights, strict=True)]
    modes = [density_mode(one, weight) for one, weight in zip(both, weights, strict=True)]
    return np.array([delta, (delta + 1) / 2, medians[1] / medians[0], modes[1] / modes[0]])


def _bootstrap(both: Sequence[Sizes]) -> tuple[Floats, Floats]:
    counts = [one.diameter.size for one in both]
    if min(counts) < FEWEST_BLOCKS:
        return np.full(4, np.nan), np.full(4, np.nan)
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(DRAWS):
        times = [np.bincount(rng.integers(0, n, n), minlength=n) for n in counts]
        drawn.append(
            _differences(both, [one.weight * k for one, k in zip(both, times, strict=True)])
        )
    low, high = np.quantile(drawn, ((1 - LEVEL) / 2, (1 + LEVEL) / 2), axis=0)
    return low, high


def cliffs_delta(
    first: Floats, second: Floats, of_first: Floats | None = None, of_second: Floats | None = None
) -> float:
    """Return the chance that a value of the second is larger less that it is smaller.

    N. Cliff, Psychol. Bull. 114, 494 (1993), doi:10.1037/0033-2909.114.3.494.

    Parameters
    ----------
    of_first, of_second
        How often each value counts.
    """
    w, v = (
        np.ones(len(values)) if weight is None else weight
        for values, weight in ((first, of_first), (second, of_second))
    )
    order = np.argsort(first)
    passed = np.append(0.0, np.cumsum(w[order]))
    below, upto = (
        passed[np.searchsorted(first[order], second, side)] for side in ("left", "right")
    )
    return float(np.sum(v * (below + upto - passed[-1])) / (passed[-1] * v.sum()))


def compare_amorphous(first: xr.Dataset, second: xr.Dataset, film: str) -> pd.DataFrame:
    """Return the amorphous share of the film in two maps, and how it changed.

    The film is what is amorphous or of its phase; pixels that are not known, empty, or of other
    phases take no part. Rows, in per cent with ``low`` and ``high`` from blocks of the map: both
    shares, their difference in ``points`` (of the film), and the change in ``per cent`` of the
    first share; the two are often confused. ``not_known`` is the share of pixels of either map
    that are not known, which may hide more than the interval.

    Raises
    ------
    ParameterError
        If a map has no such phase.
    DataError
        If a map shows nothing of the film.
    """
    maps = [_amorphous(one, film) for one in (first, second)]
    shares = [statistics.mean(image, mask) for image, mask, _ in maps]
    logs = [statistics.sum_ratio(image, mask.astype(float), mask) for image, mask, _ in maps]
    rows = {
        name: dict(zip(("value", "low", "high"), one.through(lambda p: 100 * p), strict=True))
        for name, one in (
            ("first", shares[0]),
            ("second", shares[1]),
            ("difference in points", shares[1].minus(shares[0])),
        )
    }
    change = logs[1].minus(logs[0]).through(lambda log: 100 * float(np.expm1(min(log, 700.0))))
    rows["change in per cent"] = dict(zip(("value", "low", "high"), change, strict=True))
    unknown = [100 * share for _, _, share in maps]
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("amorphous")
    table.loc[["first", "second"]] = table.loc[["first", "second"]].clip(0, 100)
    return table.assign(
        unit=["%", "%", "points", "%"], not_known=[*unknown, max(unknown), max(unknown)]
    )


def _amorphous(orientations: xr.Dataset, film: str) -> tuple[Floats, Mask, float]:
    """Return where it is amorphous (y, x), where the film is, and the share that is not known."""
    pixels = pixels_of(orientations)
    image = pixels.phase == AMORPHOUS
    mask = image | (pixels.phase == pixels.number(film))
    if not mask.any():
        raise DataError(f"the map shows nothing of '{film}', crystalline or amorphous")
    unknown = float(np.mean(pixels.phase == UNKNOWN))
    return image.astype(float), mask, unknown


def difference(first: Share, second: Share) -> tuple[float, float, float]:
    """Return second less first of two independent shares, with low and high.

    From both intervals, which need not be symmetric (R. G. Newcombe, Stat. Med. 17, 873 (1998)).
    """
    value = second.value - first.value
    low = value - np.hypot(second.value - second.low, first.high - first.value)
    high = value + np.hypot(second.high - second.value, first.value - first.low)
    return value, float(low), float(high)


def compare_fibres(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return how the share of grains along a fibre changed, by number and by area.

    Parameters
    ----------
    first, second
        Of the two maps, from :func:`liscope.grains.fibre`.
    """
    rows = {}
    for by in first.index:
        shares = [
            Share(*one.loc[by, ["share", "share_low", "share_high", "grains"]].astype(float))
            for one in (first, second)
        ]
        rows[by] = dict(zip(("value", "low", "high"), difference(*shares), strict=True))
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("by")
