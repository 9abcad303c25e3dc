"""Boundaries between grains: pixel edge by pixel edge, and grain pair by grain pair.

On a square grid a boundary is a staircase, on average 4 / pi as long as the line that it stands
for; lengths are corrected by that.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from liscope.grains.coincidence import CUBIC, LARGEST, sigma_of
from liscope.grains.disorientation import (
    Floats,
    angle_between,
    operators,
    orix_group,
    smallest,
)
from liscope.grains.maps import Pixels, pixels_of
from liscope.grains.segmentation import DOWN, RIGHT, Labels
from liscope.grains.table import label_of, quaternions
from liscope.units import to_units

STAIRCASE = np.pi / 4


def boundary_segments(orientations: xr.Dataset, label: xr.DataArray) -> pd.DataFrame:
    """Return one row a pixel edge between two grains.

    ``y_nm``, ``x_nm`` of its middle; ``normal``, the axis across it; the grains ``one`` and
    ``other``, the lower number first; ``kind``, ``grain`` or ``phase``; ``length_nm``; and the
    disorientation of the two pixels, ``angle_deg`` (of two phases the smallest that the symmetries
    of both leave).

    Raises
    ------
    DataError
        If the labels are not of this map.
    """
    pixels = pixels_of(orientations)
    grain = label_of(label, pixels)
    parts = [
        _edges(pixels, grain, here, there, axis) for axis, (here, there) in enumerate((DOWN, RIGHT))
    ]
    return pd.concat(parts, ignore_index=True)


def _edges(
    pixels: Pixels,
    grain: Labels,
    here: tuple[slice, slice],
    there: tuple[slice, slice],
    axis: int,
) -> pd.DataFrame:
    at = np.nonzero((grain[here] != grain[there]) & (grain[here] > 0) & (grain[there] > 0))
    ends = grain[here][at], grain[there][at]
    phases = pixels.phase[here][at], pixels.phase[there][at]
    turned = pixels.quaternion[here][at], pixels.quaternion[there][at]
    shift = np.multiply(pixels.step, (axis == 0, axis == 1)) / 2
    return pd.DataFrame(
        {
            "y_nm": pixels.y[at[0]] + shift[0],
            "x_nm": pixels.x[at[1]] + shift[1],
            "normal": "yx"[axis],
            "one": np.minimum(*ends),
            "other": np.maximum(*ends),
            "kind": np.where(phases[0] == phases[1], "grain", "phase"),
            "length_nm": STAIRCASE * pixels.step[1 - axis],
            "angle_deg": _angles(*turned, *phases, pixels.groups),
        }
    )


def _angles(
    one: Floats, two: Floats, of_one: Labels, of_two: Labels, groups: tuple[str, ...]
) -> Floats:
    """Return disorientations (n,) of orientations (n, 4) of phases (n,); NaN where one is none."""
    angle = np.full(len(one), np.nan)
    indexed = np.isfinite(one[:, 0]) & np.isfinite(two[:, 0]) & (np.minimum(of_one, of_two) >= 0)
    for first in range(len(groups)):
        for second in range(len(groups)):
            at = indexed & (of_one == first) & (of_two == second)
            if at.any():
                symmetry = operators(groups[first], groups[second])
                angle[at] = angle_between(one[at], two[at], symmetry)
    return angle


def boundary_pairs(
    segments: pd.DataFrame, table: pd.DataFrame, orientations: xr.Dataset, largest: int = LARGEST
) -> pd.DataFrame:
    """Return one row a pair of touching grains, from their mean orientations.

    ``one``, ``other``, ``kind``, ``phase`` (of a phase boundary: empty), ``length_nm``,
    ``angle_deg``, and between grains of one phase the axis ``u``, ``v``, ``w`` (a unit vector in
    the Laue group's fundamental sector), of cubic ones also ``sigma`` by Brandon's criterion (empty
    where there is none) and ``deviation_deg`` from it.

    Parameters
    ----------
    segments, table
        From :func:`boundary_segments` and :func:`liscope.grains.grain_table`.
    largest
        Largest Sigma that is named.

    Raises
    ------
    ParameterError
        If ``largest`` is not within 3 and 49.
    """
    pixels = pixels_of(orientations)
    grouped = segments.groupby(["one", "other"], sort=True)
    pairs = grouped.agg(kind=("kind", "first"), length_nm=("length_nm", "sum")).reset_index()
    mean, names = quaternions(table), table["phase"].to_numpy(str)
    ends = [pairs[name].to_numpy(int) - 1 for name in ("one", "other")]
    phases = [names[end] for end in ends]
    first, second = (np.array([pixels.number(n) for n in one], dtype=np.int64) for one in phases)
    pairs["phase"] = np.where(phases[0] == phases[1], phases[0], "")
    pairs["angle_deg"] = _angles(mean[ends[0]], mean[ends[1]], first, second, pixels.groups)
    pairs[["u", "v", "w", "deviation_deg"]] = np.nan
    pairs["sigma"] = ""
    for name, group in zip(pixels.names, pixels.groups, strict=True):
        at = np.flatnonzero(pairs["phase"] == name)
        if at.size:
            between = smallest(mean[ends[0][at]], mean[ends[1][at]], operators(group))
            pairs.loc[at, ["u", "v", "w"]] = _axes(between, group)
            if group in CUBIC:
                found, deviation = sigma_of(between, largest)
                pairs.loc[at, "sigma"], pairs.loc[at, "deviation_deg"] = found, deviation
    return pairs


def _axes(between: Floats, group: str) -> Floats:
    """Return the axes (n, 3) in the fundamental sector."""
    from orix.vector import Vector3d  # here: it takes its time to load

    axes = Vector3d(between[:, 1:]).unit.in_fundamental_sector(orix_group(group).laue)
    return np.asarray(axes.data, dtype=float).reshape(-1, 3)


def boundary_image(
    segments: pd.DataFrame, pairs: pd.DataFrame, label: xr.DataArray
) -> xr.DataArray:
    """Return of each pixel at a boundary (y, x) the row of ``pairs`` plus 1; 0 elsewhere.

    The pixels above and to the left of an edge are marked.
    """
    number = pd.Series(
        np.arange(1, len(pairs) + 1), pd.MultiIndex.from_frame(pairs[["one", "other"]])
    )
    value = number.loc[pd.MultiIndex.from_frame(segments[["one", "other"]])].to_numpy()
    grid = [to_units(label[axis], "nm").to_numpy() for axis in ("y", "x")]
    at = [
        np.searchsorted(places, segments[f"{axis}_nm"], side="right") - 1
        for axis, places in zip(("y", "x"), grid, strict=True)
    ]
    image = np.zeros((len(grid[0]), len(grid[1])), dtype=np.int32)
    image[tuple(at)] = value
    found = label.transpose("y", "x").copy(data=image).rename("boundary").drop_attrs(deep=False)
    return found.assign_attrs(long_name="row of the pair of grains, plus 1")
