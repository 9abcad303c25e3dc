"""One row a grain: where it lies, how large it is, its mean orientation and how that spreads."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from scipy import ndimage

from liscope.errors import DataError
from liscope.grains.disorientation import Floats, Mask, angle_between, nearest, operators
from liscope.grains.maps import Pixels, pixels_of
from liscope.grains.segmentation import DOWN, RIGHT, Labels, neighbour_angles
from liscope.history import noted

MEAN = ["qw", "qx", "qy", "qz"]
PASSES = 2  # the first reference is one pixel and may be a poor one; the second is the mean


def quaternions(table: pd.DataFrame) -> Floats:
    """Return the mean orientations (grain, 4) of a grain table."""
    return np.ascontiguousarray(table[MEAN].to_numpy(float))


def label_of(label: xr.DataArray, pixels: Pixels) -> Labels:
    """Return labels (y, x) as a plain array.

    Raises
    ------
    DataError
        If they are not of the orientation map.
    """
    found = label.transpose("y", "x").to_numpy().astype(np.int64)
    if found.shape != pixels.phase.shape:
        raise DataError(f"labels {found.shape} and orientation map {pixels.phase.shape} differ")
    return found


def grain_table(orientations: xr.Dataset, label: xr.DataArray) -> pd.DataFrame:
    """Return one row a grain, indexed by its number.

    ``phase``; ``pixels``, ``area_nm2`` and the diameter of the circle of that area
    (``diameter_nm``); the middle ``y_nm``, ``x_nm`` and the extent ``height_nm``, ``width_nm``;
    whether the map's edge cuts it along y or x (``cut_y``, ``cut_x``); the mean orientation
    ``qw`` to ``qz``; the mean disorientation from it (grain orientation spread, ``gos_deg``) and
    the mean disorientation of neighbouring pixels inside (``kam_deg``).

    The mean orientation is that of the equivalents nearest to the grain's first pixel, and once
    more of those nearest to that mean. Pixels that cleaning gave to a grain count in its area, but
    not in orientations: those that are turned by more than the threshold against all neighbours.

    Raises
    ------
    DataError
        If the labels are not of this map.
    """
    pixels = pixels_of(orientations)
    grain = label_of(label, pixels)
    count = np.bincount(grain.ravel())[1:]
    number = np.arange(1, count.size + 1)
    step_y, step_x = pixels.step
    area = count * step_y * step_x
    first = np.zeros(count.size + 1, dtype=np.int64)
    at = np.flatnonzero(grain)[::-1]
    first[grain.ravel()[at]] = at
    phase = pixels.phase.ravel()[first[1:]]
    columns = {
        "phase": np.array(pixels.names)[phase] if count.size else np.array([], dtype=str),
        "pixels": count,
        "area_nm2": area,
        "diameter_nm": np.sqrt(4 * area / np.pi),
    }
    angles = neighbour_angles(pixels, (grain > 0) & pixels.indexed)
    own = _connected(grain, angles, float(label.attrs.get("threshold_deg", np.inf)))
    mean, gos = _orientations(pixels, grain, own, phase)
    columns |= _places(pixels, grain) | dict(zip(MEAN, mean.T, strict=True))
    columns |= {"gos_deg": gos, "kam_deg": _of_grains(_kam(grain, angles, own), grain)}
    return pd.DataFrame(columns, index=pd.Index(number, name="grain"))


def kernel_average(orientations: xr.Dataset, label: xr.DataArray) -> xr.DataArray:
    """Return of each pixel (y, x) its mean disorientation from its neighbours in the same grain.

    Kernel average misorientation (KAM) of the four nearest neighbours, degrees; NaN without any.

    Raises
    ------
    DataError
        If the labels are not of this map.
    """
    pixels = pixels_of(orientations)
    grain = label_of(label, pixels)
    angles = neighbour_angles(pixels, (grain > 0) & pixels.indexed)
    own = _connected(grain, angles, float(label.attrs.get("threshold_deg", np.inf)))
    found = label.transpose("y", "x").copy(data=_kam(grain, angles, own)).rename("kam")
    found.attrs = {"units": "degree", "long_name": "kernel average misorientation"}
    return noted(found, orientations["orientation"], "kernel_average()")


def _connected(grain: Labels, angles: tuple[Floats, Floats], threshold: float) -> Mask:
    """Return the pixels that have a neighbour of their grain within the threshold."""
    found = np.zeros(grain.shape, dtype=bool)
    for angle, (here, there) in zip(angles, (RIGHT, DOWN), strict=True):
        with np.errstate(invalid="ignore"):
            joined = (grain[here] == grain[there]) & (angle < threshold)
        found[here] |= joined
        found[there] |= joined
    return found


def _orientations(pixels: Pixels, grain: Labels, own: Mask, phase: Labels) -> tuple[Floats, Floats]:
    """Return mean orientation (grain, 4) and spread (grain,), degrees."""
    mean, gos = np.full((phase.size, 4), np.nan), np.full(phase.size, np.nan)
    flat, every = grain.ravel(), pixels.quaternion.reshape(-1, 4)
    alone = np.bincount(flat, own.ravel(), phase.size + 1) == 0  # one pixel, or no two alike
    use = np.flatnonzero((flat > 0) & (own.ravel() | alone[flat]) & pixels.indexed.ravel())
    of_pixel = phase[flat[use] - 1]
    for number, group in enumerate(pixels.groups):
        at = use[of_pixel == number]
        if at.size:
            grains, member = np.unique(flat[at], return_inverse=True)
            first = np.full(grains.size, at.size)
            np.minimum.at(first, member, np.arange(at.size))
            mean[grains - 1], gos[grains - 1] = _mean(every[at], member, first, operators(group))
    return np.where(mean[:, :1] < 0, -mean, mean), gos


def _mean(turned: Floats, member: Labels, first: Labels, symmetry: Floats) -> tuple[Floats, Floats]:
    """Return mean (grain, 4) and spread (grain,) of orientations (n, 4) of one phase."""
    mean, count = turned[first], np.bincount(member)
    for _ in range(PASSES):
        turned = nearest(turned, mean[member], symmetry)
        mean = np.stack([np.bincount(member, one) for one in turned.T], axis=-1)
        mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    return mean, np.bincount(member, angle_between(turned, mean[member], symmetry)) / count


def _places(pixels: Pixels, grain: Labels) -> dict[str, Floats]:
    boxes = ndimage.find_objects(grain)
    ends = np.array([[(s.start, s.stop) for s in box] for box in boxes]).reshape(-1, 2, 2)
    count = np.bincount(grain.ravel())[1:]
    columns: dict[str, Floats] = {}
    for axis, (name, side) in enumerate((("y", "height"), ("x", "width"))):
        places = (pixels.y, pixels.x)[axis]
        along = np.broadcast_to(places[:, None] if axis == 0 else places, grain.shape)
        columns[f"{name}_nm"] = np.bincount(grain.ravel(), along.ravel())[1:] / count
        columns[f"{side}_nm"] = (ends[:, axis, 1] - ends[:, axis, 0]) * pixels.step[axis]
        columns[f"cut_{name}"] = (ends[:, axis, 0] == 0) | (ends[:, axis, 1] == len(places))
    return columns


def _kam(grain: Labels, angles: tuple[Floats, Floats], own: Mask) -> Floats:
    """Return the mean disorientation (y, x) from neighbours of the same grain."""
    total, count = np.zeros(grain.shape), np.zeros(grain.shape)
    for angle, (here, there) in zip(angles, (RIGHT, DOWN), strict=True):
        inside = (grain[here] == grain[there]) & own[here] & own[there] & np.isfinite(angle)
        for side in (here, there):
            total[side] += np.where(inside, angle, 0.0)
            count[side] += inside
    return np.asarray(np.divide(total, count, out=np.full(grain.shape, np.nan), where=count > 0))


def _of_grains(image: Floats, grain: Labels) -> Floats:
    """Return the mean (grain,) of what is known of each grain."""
    known = np.isfinite(image)
    total, count = (
        np.bincount(grain[known], weight, grain.max(initial=0) + 1)[1:]
        for weight in (image[known], None)
    )
    return np.asarray(np.divide(total, count, out=np.full(total.size, np.nan), where=count > 0))
