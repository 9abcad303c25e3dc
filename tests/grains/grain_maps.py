"""Orientation maps whose grains are known; rotations are orix's, not the library's."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from orix.quaternion import Orientation, Rotation, symmetry
from scipy.spatial import cKDTree

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

STEP = 2.5  # nm
CELLS = {"LMNO": 8.16, "Pt": 3.92}


def dataset(
    quaternion: Array,
    phase: Labels | None = None,
    step: float = STEP,
    names: tuple[str, ...] = ("LMNO", "Pt"),
    groups: tuple[str, ...] = ("m-3m", "m-3m"),
) -> xr.Dataset:
    """Quaternions (y, x, 4) and phases (y, x) as an orientation map."""
    shape = quaternion.shape[:2]
    phase = np.zeros(shape, np.int8) if phase is None else phase.astype(np.int8)
    quaternion = np.where((phase >= 0)[..., None], quaternion, np.nan)
    coords = {
        axis: (axis, (np.arange(n) + 0.5) * step, {"units": "nm"})
        for axis, n in zip(("y", "x"), shape, strict=True)
    }
    cell = [[CELLS.get(name, 4.0)] * 3 + [90.0] * 3 for name in names]
    return xr.Dataset(
        {
            "orientation": (("y", "x", "quaternion"), quaternion),
            "phase": (("y", "x"), phase),
            "phase_name": ("phase_id", list(names)),
            "point_group": ("phase_id", list(groups)),
            "lattice": (("phase_id", "cell"), cell),
        },
        coords | {"quaternion": ["w", "x", "y", "z"], "cell": ["a", "b", "c", "al", "be", "ga"]},
    )


def turned(axis: tuple[float, float, float], degrees: float | Array) -> Array:
    """Quaternions of rotations about an axis."""
    return np.asarray(Rotation.from_axes_angles(axis, np.asarray(degrees), degrees=True).data)


def voronoi(shape: tuple[int, int], count: int, seed: int = 0) -> Labels:
    """Labels (y, x) from 0 of the cells of points thrown at random, also around the map."""
    rng = np.random.default_rng(seed)
    side = np.array(shape)
    points = rng.uniform(-0.25 * side, 1.25 * side, (round(count * 2.25), 2))
    pixels = np.stack(np.mgrid[: shape[0], : shape[1]], -1).reshape(-1, 2)
    nearest = cKDTree(points).query(pixels)[1]
    return np.unique(nearest, return_inverse=True)[1].reshape(shape)


def random(count: int, seed: int = 0) -> Array:
    """Quaternions (count, 4), uniform."""
    np.random.seed(seed)  # noqa: NPY002 orix draws from it
    return np.asarray(Orientation.random(count).data)


def noisy(
    of_pixel: Array, median: float, wrong: float, seed: int = 0, group: str = "m-3m"
) -> Array:
    """Orientations (y, x, 4) as an indexer gives them.

    Each is off by an angle of that median (degrees), some are of nothing that is there, and each
    is any of its equivalents.
    """
    rng = np.random.default_rng(seed)
    shape = of_pixel.shape[:-1]
    angle = median / 1.538 * np.linalg.norm(rng.standard_normal((*shape, 3)), axis=-1)
    axes = rng.standard_normal((*shape, 3))
    off = Rotation.from_axes_angles(axes.reshape(-1, 3), angle.ravel(), degrees=True)
    found = off * Rotation(of_pixel.reshape(-1, 4))
    quaternion = np.array(found.data)
    at = rng.random(len(quaternion)) < wrong
    quaternion[at] = random(int(at.sum()), seed + 1)
    operators = {"m-3m": symmetry.O, "6/mmm": symmetry.D6}[group]
    same = Rotation(operators.data[rng.integers(0, operators.size, len(quaternion))])
    return np.asarray((same * Rotation(quaternion)).data).reshape(*shape, 4)


def discs(shape: tuple[int, int], diameters: Array, seed: int = 0) -> Labels:
    """Labels (y, x) from 1 of round grains (diameters in pixels) that do not touch; 0 between them.

    Their centres lie evenly in the map and around it, so that its edge cuts some; those that lie
    outside are not in it.
    """
    rng = np.random.default_rng(seed)
    label = np.zeros(shape, np.int64)
    centres, radii, margin = np.empty((0, 2)), np.empty(0), diameters.max() / 2
    for radius in np.sort(diameters)[::-1] / 2:
        for _ in range(400):
            centre = rng.uniform(-margin, np.array(shape) + margin)
            apart = np.hypot(*(centres - centre).T) > radii + radius + 2
            if apart.all():
                break
        else:
            raise RuntimeError("no place left")
        centres, radii = np.vstack([centres, centre]), np.append(radii, radius)
        low = np.maximum(np.floor(centre - radius).astype(int), 0)
        high = np.minimum(np.ceil(centre + radius).astype(int) + 1, shape)
        if (high > low).all():
            y, x = np.mgrid[low[0] : high[0], low[1] : high[1]] + 0.5
            inside = np.hypot(y - centre[0], x - centre[1]) < radius
            label[low[0] : high[0], low[1] : high[1]][inside] = len(radii)
    return label


def rand_index(one: Labels, other: Labels) -> float:
    """The adjusted Rand index (L. Hubert, P. Arabie, J. Classif. 2, 193 (1985))."""
    table = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1, return_counts=True)[1]

    def pairs(counts: Array) -> float:
        return float(np.sum(counts * (counts - 1.0)) / 2)

    sums = [pairs(np.bincount(label.ravel())) for label in (one, other)]
    chance = sums[0] * sums[1] / pairs(np.array([one.size]))
    return (pairs(table) - chance) / (sum(sums) / 2 - chance)
