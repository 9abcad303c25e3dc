"""Preferred orientation, when there are few grains: the grains are the samples, not the pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from liscope.errors import DataError, ParameterError
from liscope.grains.disorientation import Floats, angle_between, operators, random_orientations
from liscope.grains.maps import orix_phase, pixels_of
from liscope.grains.shares import Share, of_pairs, of_things
from liscope.grains.table import quaternions

AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}
TOLERANCE = 10.0  # degrees
DRAWS = 4999  # a chance of 0.001 is known to half of itself
MOST_GRAINS = 1000  # whose pairs make the texture index
RANDOM = 200_000


def family(orientations: xr.Dataset, phase: str, direction: tuple[int, int, int]) -> Floats:
    """Return all equivalents of a crystal direction [uvw], opposite ones too: unit vectors (n, 3).

    Raises
    ------
    ParameterError
        If the map has no such phase, or the direction is [000].
    DataError
        If the phase is not cubic and the map has no lattice.
    """
    from orix.vector import Miller  # here: it takes its time to load

    if not any(direction):
        raise ParameterError("direction: [000] is none")
    crystal = orix_phase(orientations, phase)
    crystal.point_group = crystal.point_group.laue
    every = Miller(uvw=direction, phase=crystal).symmetrise(unique=True).unit.data
    return np.asarray(every, dtype=float).reshape(-1, 3)


def along(table: pd.DataFrame, axis: str) -> Floats:
    """Return the sample's axis (``x``, ``y`` or ``z``) as each grain's crystal sees it, (grain, 3).

    Raises
    ------
    ParameterError
        If there is no such axis.
    """
    from orix.quaternion import Rotation  # here: they take their time to load
    from orix.vector import Vector3d

    if axis not in AXES:
        raise ParameterError(f"axis: '{axis}' is none of x, y, z")
    seen: Any = Rotation(quaternions(table)) * Vector3d(AXES[axis])
    return np.asarray(seen.data, dtype=float).reshape(-1, 3)


def inverse_poles(
    table: pd.DataFrame, orientations: xr.Dataset, phase: str, axis: str
) -> pd.DataFrame:
    """Return where a sample axis lies in each grain's crystal, for an inverse pole figure.

    ``u``, ``v``, ``w`` is a unit vector in the Laue group's fundamental sector; ``area_nm2`` the
    grain's weight.

    Raises
    ------
    ParameterError
        If there is no such phase or axis.
    """
    from orix.vector import Vector3d  # here: it takes its time to load

    own = table[table["phase"] == phase]
    group = orix_phase(orientations, phase).point_group.laue
    inside = Vector3d(along(own, axis)).in_fundamental_sector(group).data
    found = pd.DataFrame(np.reshape(inside, (-1, 3)), own.index, ["u", "v", "w"])
    return found.assign(area_nm2=own["area_nm2"])


def poles(
    table: pd.DataFrame, orientations: xr.Dataset, phase: str, direction: tuple[int, int, int]
) -> pd.DataFrame:
    """Return where the equivalents of a crystal direction point in the sample, for a pole figure.

    One row a grain and equivalent: ``grain``, the unit vector ``x``, ``y``, ``z``, ``area_nm2``.

    Raises
    ------
    ParameterError
        If there is no such phase, or the direction is [000].
    """
    from orix.quaternion import Rotation  # here: they take their time to load
    from orix.vector import Vector3d

    own = table[table["phase"] == phase]
    every = family(orientations, phase, direction)
    seen = (~Rotation(quaternions(own))).outer(Vector3d(every)).data
    found = pd.DataFrame(np.reshape(seen, (-1, 3)), columns=["x", "y", "z"])
    found.insert(0, "grain", np.repeat(own.index, len(every)))
    return found.assign(area_nm2=np.repeat(own["area_nm2"].to_numpy(), len(every)))


def uniform_share(directions: Floats, tolerance_deg: float) -> float:
    """Return the share of random crystals with one of the directions (n, 3) within a tolerance.

    The solid angle of n caps, n (1 - cos t) / 2, or counted where they overlap.
    """
    between = np.degrees(np.arccos(np.clip(directions @ directions.T, -1, 1)))
    np.fill_diagonal(between, 180.0)
    if between.min() >= 2 * tolerance_deg:
        return float(len(directions) * (1 - np.cos(np.radians(tolerance_deg))) / 2)
    drawn = np.random.default_rng(0).standard_normal((RANDOM, 3))
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    near = (drawn @ directions.T).max(axis=1) >= np.cos(np.radians(tolerance_deg))
    return float(near.mean())


def fibre(
    table: pd.DataFrame,
    orientations: xr.Dataset,
    phase: str,
    direction: tuple[int, int, int],
    axis: str,
    tolerance_deg: float = TOLERANCE,
) -> pd.DataFrame:
    """Return how many grains have a crystal direction along a sample axis, beside random ones.

    Two rows, by ``number`` and by ``area``: the ``share`` with ``low`` and ``high``, what random
    crystals would have (``random``), the density in multiples of that (``mud``), the chance that
    random crystals have at least such a share (``p``), the number of ``grains``, and a ``verdict``.

    Raises
    ------
    ParameterError
        If there is no such phase or axis, or the direction is [000].
    DataError
        If the phase has no grain.
    """
    own = table[table["phase"] == phase]
    if own.empty:
        raise DataError(f"the map shows no grain of '{phase}'")
    every = family(orientations, phase, direction)
    near = (along(own, axis) @ every.T).max(axis=1) >= np.cos(np.radians(tolerance_deg))
    random, area = uniform_share(every, tolerance_deg), own["area_nm2"].to_numpy(float)
    by_number, by_area = of_things(near), of_things(near, area)
    p = float(stats.binomtest(int(near.sum()), near.size, random, "greater").pvalue)
    drawn = (np.random.default_rng(0).random((DRAWS, near.size)) < random) @ area
    p_area = float((1 + np.sum(drawn >= area[near].sum() * (1 - 1e-9))) / (DRAWS + 1))
    rows = {
        "number": _row(by_number, random, p, near.size),
        "area": _row(by_area, random, p_area, near.size),
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("by")


def _row(found: Share, random: float, p: float, grains: int) -> dict[str, float | str]:
    verdict = "cannot tell"
    if found.low > random:
        verdict = "more than random"
    elif found.high < random:
        verdict = "less than random"
    numbers = found.columns("share") | {"random": random, "mud": found.value / random, "p": p}
    return {"verdict": verdict, "grains": grains, **numbers}


def texture_index(
    table: pd.DataFrame, orientations: xr.Dataset, phase: str, radius_deg: float = 15.0
) -> pd.DataFrame:
    """Return how much more often two grains are turned alike than two random ones: 1 for random.

    The mean square of the orientation density, averaged over a ball of ``radius_deg``: the share of
    grain pairs whose disorientation is smaller, over that of random crystals. Pairs of a grain with
    itself, which make the index of few grains large, are left out. Of random crystals, pairs are
    independent two by two, so that ``p`` is binomial; ``low`` and ``high`` are from pairs that
    share their grains. From more than a thousand grains, as many are drawn.

    Raises
    ------
    DataError
        If the phase has fewer than two grains.
    """
    own = table[table["phase"] == phase]
    if len(own) < 2:
        raise DataError(f"'{phase}' has {len(own)} grains; a texture index needs two")
    pixels = pixels_of(orientations)
    symmetry = operators(pixels.groups[pixels.number(phase)])
    rng = np.random.default_rng(0)
    mean = quaternions(own)[rng.permutation(len(own))[:MOST_GRAINS]]
    one, other = np.triu_indices(len(mean), 1)
    near = angle_between(mean[one], mean[other], symmetry) < radius_deg
    random = _ball(symmetry, radius_deg, rng)
    found = of_pairs(near, np.ones(near.size), one.astype(np.int64), other.astype(np.int64))
    row = {
        "index": found.value / random, "low": found.low / random, "high": found.high / random,
        "p": float(stats.binom.sf(near.sum() - 1, near.size, random)), "grains": len(mean),
    }  # fmt: skip
    return pd.DataFrame(row, index=pd.Index([phase], name="phase"))


def _ball(symmetry: Floats, radius_deg: float, rng: np.random.Generator) -> float:
    """Return the share of random crystals within a radius of one, of whatever group."""
    turns = 2 * np.arccos(np.minimum(np.abs(symmetry[:, 0]), 1))
    least, radius = np.min(turns[turns > 1e-6], initial=2 * np.pi), np.radians(radius_deg)
    if 2 * radius <= least:
        return float(len(symmetry) * (radius - np.sin(radius)) / np.pi)
    drawn = random_orientations(RANDOM, rng)
    identity = np.broadcast_to(np.array([1.0, 0.0, 0.0, 0.0]), drawn.shape)
    return float(np.mean(angle_between(identity, drawn, symmetry) < radius_deg))
