"""Stressed areas: given or found, and how their conduction changed.

Two changes are reported for each area, because they answer two questions:

- *same place*: the current there after the stress over the current there before. It holds all that
  happened in between: the stress, the read-out scan, the wear of the tip.
- *stress*: the same, divided by what happened meanwhile to unstressed film on the same scan lines.
  What acts on both, as read-out and wear do, drops out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure

from liscope.errors import DataError
from liscope.history import noted
from liscope.probe.drift import pixel_size
from liscope.statistics import Estimate, Mask, sum_ratio
from liscope.units import to_units

FOUND_SIDE = 0.5  # um, smallest side of an area that is looked for
CHANGE_SIDE = 0.15  # um, side of the squares over which a map of the change is averaged
MOST_LEFT_OUT = 10.0  # per cent of an area
FOUND_SIGNIFICANCE = 6.0  # robust standard deviations of unstressed film


@dataclass(frozen=True)
class Area:
    """A rectangle in the frame of the stressed map, um from its upper left corner."""

    name: str
    left: float
    top: float
    width: float
    height: float

    def mask(self, image: xr.DataArray, margin: float = 0.0) -> Mask:
        """Return the pixels (y, x) inside, ``margin`` um away from the edge (negative: beyond)."""
        x = to_units(image["x"], "um").to_numpy()[None, :]
        y = to_units(image["y"], "um").to_numpy()[:, None]
        across = (x > self.left + margin) & (x < self.left + self.width - margin)
        down = (y > self.top + margin) & (y < self.top + self.height - margin)
        return np.asarray(across & down)


def named_areas(
    rectangles: Sequence[Sequence[float]], names: Sequence[str], image: xr.DataArray
) -> list[Area]:
    """Return areas from rectangles (left, top, width, height in um), which must lie in the map.

    Raises
    ------
    DataError
        If names and rectangles differ in number, a name stands twice, or a rectangle is empty, lies
        on another or reaches beyond the map.
    """
    if len(rectangles) != len(names):
        raise DataError(f"{len(rectangles)} areas but {len(names)} names for them")
    if len(set(names)) < len(names):
        raise DataError(f"areas need different names, not {', '.join(names)}")
    end_y, end_x = (
        float(to_units(image[axis], "um").max()) + size / 2
        for axis, size in zip(("y", "x"), pixel_size(image), strict=True)
    )
    areas = [Area(name, *map(float, box)) for name, box in zip(names, rectangles, strict=True)]
    for one, other in combinations(areas, 2):
        if overlap(one, other):
            raise DataError(f"area '{other.name}' lies on area '{one.name}'")
    for area in areas:
        if not min(area.width, area.height) > 0:
            raise DataError(f"area '{area.name}' is {area.width:g} x {area.height:g} um: empty")
        right, bottom = area.left + area.width, area.top + area.height
        if min(area.left, area.top) < 0 or right > end_x * 1.01 or bottom > end_y * 1.01:
            raise DataError(
                f"area '{area.name}' ({area.left:g}-{right:g}, {area.top:g}-{bottom:g} um) reaches "
                f"beyond the map (0-{end_x:.3g}, 0-{end_y:.3g} um)"
            )
    return areas


def overlap(one: Area, other: Area) -> bool:
    """Tell whether two areas share any place."""
    apart = (
        one.left >= other.left + other.width or other.left >= one.left + one.width,
        one.top >= other.top + other.height or other.top >= one.top + one.height,
    )
    return not any(apart)


def change_map(before: xr.DataArray, after: xr.DataArray, noise: float) -> xr.DataArray:
    """Return log2 of after / before, each averaged over small squares.

    Parameters
    ----------
    before, after
        Conduction in nA on one grid (y, x), NaN where a map did not look.
    noise
        Noise of one pixel, nA: a mean below its own noise has no logarithm worth reading. NaN: no
        floor is known.
    """
    # Odd: a square of an even number of pixels has no middle one, and would shift the map.
    side = [1 + 2 * max(1, round(CHANGE_SIDE / 2 / size)) for size in pixel_size(after)]
    valid = np.isfinite(before.to_numpy()) & np.isfinite(after.to_numpy())
    share = ndimage.uniform_filter(valid.astype(float), side)
    floor = max(3 * float(np.nan_to_num(noise)) / np.sqrt(np.prod(side)), 1e-9)
    means = [
        ndimage.uniform_filter(np.where(valid, image.to_numpy(), 0.0), side) / (share + 1e-9)
        for image in (after, before)
    ]
    ratio = np.log2(np.maximum(means[0], floor) / np.maximum(means[1], floor))
    attrs = {"units": "1", "quantity": "change", "long_name": "log2(after / before)"}
    change = after.copy(data=np.where(share > 0.5, ratio, np.nan)).assign_attrs(attrs)
    return noted(change, after, f"log2 of the ratio of means over {side[0]} x {side[1]} pixels")


def find_areas(change: xr.DataArray, names: Sequence[str] = ()) -> list[Area]:
    """Find rectangles in which the current changed, from a :func:`change_map` (y, x).

    The change is compared with its own robust spread over the map. A connected region that differs
    everywhere by several such spreads and fills its bounding box is an area; its sides lie where
    half of its change in current is left. They are ordered from left to right, and take the
    ``names`` where there are as many.
    """
    centre = float(change.median())
    spread = max(1.4826 * float(abs(change - centre).median()), 1e-9)
    doublings = np.nan_to_num(change.to_numpy() - centre)
    score = doublings / spread
    pixel = pixel_size(change)
    areas = []
    for sign in (1, -1):
        label = measure.label(sign * score > FOUND_SIGNIFICANCE)
        areas += [
            _as_area(region, sign * (np.exp2(doublings) - 1), change)
            for region in measure.regionprops(label)
            if _is_square_enough(region, pixel)
        ]
    areas.sort(key=lambda area: (area.left, area.top))
    if len(names) != len(areas):
        names = [f"area {i + 1}" for i in range(len(areas))]
    return [replace(area, name=name) for area, name in zip(areas, names, strict=True)]


def _is_square_enough(region: Any, pixel: tuple[float, float]) -> bool:
    top, left, bottom, right = region.bbox
    height, width = (bottom - top) * pixel[0], (right - left) * pixel[1]
    return bool(min(height, width) >= FOUND_SIDE and region.extent > 0.6)


def _as_area(region: Any, gain: NDArray[np.float64], image: xr.DataArray) -> Area:
    """Return the rectangle whose sides lie where the median gain across the region is halved.

    A mean over a square that lies half inside has half of the gain, but not half of its logarithm.
    """
    top, left, bottom, right = region.bbox
    spans = []
    for axis, (start, stop), (first, last) in (
        (1, (top, bottom), (left, right)),
        (0, (left, right), (top, bottom)),
    ):
        band = gain[:, first:last] if axis == 1 else gain[first:last]
        profile = np.median(band, axis=axis)
        above = np.flatnonzero(profile[start:stop] > np.median(profile[start:stop]) / 2) + start
        spans.append((above[0], above[-1] + 1))
    (top, bottom), (left, right) = spans
    height, width = pixel_size(image)
    y, x = (float(to_units(image[axis], "um")[0]) for axis in ("y", "x"))
    return Area(
        "",
        left=float(x + (left - 0.5) * width),
        top=float(y + (top - 0.5) * height),
        width=float((right - left) * width),
        height=float((bottom - top) * height),
    )


@dataclass(frozen=True)
class Comparison:
    """Two registered maps (y, x) in nA, ready to be compared.

    ``usable`` are the pixels that both maps saw and neither clipped;
    ``offset_errors`` are the standard errors of the two offsets.
    """

    before: NDArray[np.float64]
    after: NDArray[np.float64]
    usable: Mask
    clipped_after: Mask
    offset_errors: NDArray[np.float64]


def compare(
    before: xr.DataArray,
    after: xr.DataArray,
    ceilings: tuple[float, float] = (np.inf, np.inf),
    offset_errors: tuple[float, float] = (0.0, 0.0),
) -> Comparison:
    """Return two registered maps (y, x; nA) with the pixels at which they can be compared.

    Parameters
    ----------
    ceilings
        Conduction at which each map's amplifier clips, nA.
    offset_errors
        Standard errors of the two offsets, nA; NaN where an offset could not be told.
    """
    a, b = (to_units(image, "nA").to_numpy() for image in (before, after))
    seen = np.isfinite(a) & np.isfinite(b) & (a < ceilings[0])
    usable = seen & (b < ceilings[1])
    filled = [np.where(seen, image, 0.0) for image in (a, b)]
    errors = np.nan_to_num(np.asarray(offset_errors))
    return Comparison(filled[0], filled[1], usable, seen & ~usable, errors)


def without(maps: Comparison, strays: Sequence[Area], image: xr.DataArray) -> Comparison:
    """Return the maps without the places that changed but are no area of interest.

    A stressed square that nobody listed would else count as unstressed surroundings.
    """
    clear = unstressed(strays, image, CHANGE_SIDE)
    return replace(maps, usable=maps.usable & clear, clipped_after=maps.clipped_after & clear)


def change(
    maps: Comparison, area: Area, others: Sequence[Area], image: xr.DataArray, margin: float
) -> dict[str, Estimate]:
    """Estimate the change of one area as logarithms of current ratios.

    Parameters
    ----------
    others
        Every stressed area of the map; the surroundings keep clear of all of them.
    image
        A map with the coordinates of the stressed one.
    margin
        um kept clear on both sides of an area's edge, where drift and the tip's field blur it.

    Returns
    -------
    ``same_place``, ``surroundings`` (unstressed film on the same scan lines) and ``stress``, their
    difference.
    """
    inside = comparable(maps, area.mask(image, margin))
    outside = comparable(maps, surroundings(area, others, image, margin))
    same_place = sum_ratio(maps.after, maps.before, inside)
    nearby = sum_ratio(maps.after, maps.before, outside)
    stress = same_place.minus(nearby)
    leverage = _offset_leverage(maps, inside), _offset_leverage(maps, outside)
    # A wrong offset moves the area and its surroundings alike, so that most of it drops out.
    return {
        "same_place": _widened(same_place, leverage[0] * maps.offset_errors),
        "surroundings": _widened(nearby, leverage[1] * maps.offset_errors),
        "stress": _widened(stress, (leverage[0] - leverage[1]) * maps.offset_errors),
    }


def _offset_leverage(maps: Comparison, mask: Mask) -> NDArray[np.float64]:
    """Return by how much ln(sum ratio) changes per nA of each map's offset."""
    before, after = maps.before[mask].sum(), maps.after[mask].sum()
    if min(before, after) <= 0:
        return np.zeros(2)
    return np.asarray([mask.sum() / before, -mask.sum() / after])


def _widened(estimate: Estimate, errors: NDArray[np.float64]) -> Estimate:
    return replace(estimate, error=float(np.hypot(estimate.error, np.linalg.norm(errors))))


def surroundings(area: Area, others: Sequence[Area], image: xr.DataArray, margin: float) -> Mask:
    """Return the unstressed pixels (y, x) on the scan lines of an area, clear of all ``others``."""
    lines = np.asarray(area.mask(image, margin).any(1))
    return np.asarray(unstressed(others, image, margin) & lines[:, None])


def unstressed(areas: Sequence[Area], image: xr.DataArray, margin: float) -> Mask:
    """Return the pixels (y, x) that keep clear of every area by ``margin`` um."""
    clear = np.full(image.shape, True)
    for area in areas:
        clear = clear & ~area.mask(image, -margin)
    return clear


def comparable(maps: Comparison, mask: Mask) -> Mask:
    """Return the pixels of a mask by which before and after can be compared without bias.

    To leave out just the pixels that clipped would favour those that responded little. So places
    that carried as much current before as the ones that clipped after are left out as well.
    """
    clipped_later = mask & maps.clipped_after
    if not clipped_later.any():
        return mask & maps.usable
    # A low quantile: a single pixel at the edge of a grain, moved a little, must not decide.
    limit = np.quantile(maps.before[clipped_later], 0.02)
    return np.asarray(mask & maps.usable & (maps.before < limit))


def change_table(
    maps: Comparison, areas: Sequence[Area], image: xr.DataArray, margin: float
) -> pd.DataFrame:
    """Return one row an area: both changes in per cent with 95 % intervals, and cross-checks.

    Raises
    ------
    DataError
        If the margin leaves nothing of an area.

    Column ``median_percent`` compares typical pixels instead of sums: a sum is what a line graph
    shows and is ruled by few strongly conducting places. ``left_out_percent`` is the share of the
    pixels that could not be compared.
    """
    rows = {area.name: _change_row(maps, area, areas, image, margin) for area in areas}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("area")


def _columns(name: str, estimate: Estimate) -> dict[str, float]:
    """Return value, low and high of a change as columns of a table, in per cent."""
    names = (name, f"{name}_low", f"{name}_high")
    return dict(zip(names, estimate.through(per_cent), strict=True))


def _change_row(
    maps: Comparison, area: Area, areas: Sequence[Area], image: xr.DataArray, margin: float
) -> dict[str, float]:
    row: dict[str, float] = {}
    for name, estimate in change(maps, area, areas, image, margin).items():
        row |= _columns(f"{name}_percent", estimate)
    inside = area.mask(image, margin)
    if not inside.any():
        raise DataError(f"a margin of {margin:g} um leaves nothing of area '{area.name}'")
    used = comparable(maps, inside)
    medians = np.median(maps.after[used]) / np.median(maps.before[used]) if used.any() else np.nan
    row["median_percent"] = 100 * (medians - 1)
    row["left_out_percent"] = 100 * (1 - used.sum() / max(1, inside.sum()))
    return row


def verdict(low: float, high: float, left_out: float) -> str:
    """Return what an interval of a change allows to say: higher, lower, or cannot tell.

    Where more than 10 % of an area was ``left_out``, mostly because it clipped, what is left does
    not stand for the whole, and no interval knows of it.
    """
    if left_out > MOST_LEFT_OUT:
        return "cannot tell"
    if low > 0:
        return "higher"
    return "lower" if high < 0 else "cannot tell"


def per_cent(log_ratio: float) -> float:
    """Return the change in per cent that a logarithm of a ratio means; infinite stays infinite."""
    return 100 * float(np.expm1(log_ratio))
