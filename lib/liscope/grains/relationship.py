"""Orientation relationship of film and collector, from the grains that meet at their interface.

Film and collector may share a <111> axis because both grow with it upwards, or because each film
grain grew on the grain below it. The first is a matter of two textures; only the second is
epitaxy. Exchanging the film's grains along the interface keeps both textures, so that what is
left above it is the relation from grain to grain.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr
from skimage.segmentation import expand_labels

from liscope.conventions import AMORPHOUS, EMPTY
from liscope.errors import DataError
from liscope.grains.boundaries import STAIRCASE
from liscope.grains.coincidence import CUBIC, deviation_from
from liscope.grains.disorientation import (
    Floats,
    angle_between,
    conjugate,
    operators,
    product,
    random_orientations,
)
from liscope.grains.maps import pixels_of
from liscope.grains.segmentation import DOWN, RIGHT, Labels
from liscope.grains.shares import of_pairs
from liscope.grains.table import label_of, quaternions
from liscope.statistics import FEWEST_BLOCKS

TOLERANCE = 5.0  # degrees
DRAWS = 999
CHANCE = 0.05
_DIAGONALS = np.array([[1, 1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]]) / np.sqrt(3)

Deviations = Callable[[Floats, Floats], Floats]


def interface(
    orientations: xr.Dataset,
    label: xr.DataArray,
    table: pd.DataFrame,
    film: str,
    collector: str,
    gap: int = 1,
) -> pd.DataFrame:
    """Return the pairs of a film grain and a collector grain that meet, one row each.

    ``film``, ``collector`` (grains), ``length_nm`` of their interface, and how far they are from
    being parallel in all axes (``cube_deg``), from being twinned about a common <111>
    (``twin_deg``), and from having one <111> in common (``parallel_deg``).

    Parameters
    ----------
    film, collector
        Phases, both cubic.
    gap
        Pixels that grains grow towards each other first, over pixels without a grain that are
        neither amorphous nor empty: patterns right at an interface are of both phases.

    Raises
    ------
    ParameterError
        If there is no such phase.
    DataError
        If one of the two is not cubic, or they meet nowhere.
    """
    pixels = pixels_of(orientations)
    for name in (film, collector):
        if pixels.groups[pixels.number(name)] not in CUBIC:
            raise DataError(f"'{name}' is not cubic (432 or m-3m), so that it has no <111> axes")
    grain = label_of(label, pixels)
    free = (grain == 0) & (pixels.phase != AMORPHOUS) & (pixels.phase != EMPTY)
    grain = np.where(free, expand_labels(grain, gap), grain)
    pairs = _meeting(grain, table, pixels.step, film, collector)
    if pairs.empty:
        raise DataError(f"'{film}' and '{collector}' meet nowhere in the map")
    mean = quaternions(table)
    ends = [mean[pairs[side].to_numpy(int) - 1] for side in ("film", "collector")]
    for name, deviation in _DEVIATIONS.items():
        pairs[f"{name}_deg"] = deviation(*ends)
    return pairs


def _meeting(
    grain: Labels, table: pd.DataFrame, step: tuple[float, float], film: str, collector: str
) -> pd.DataFrame:
    phase = np.append("", table["phase"].to_numpy(str))
    of_film, of_collector = phase == film, phase == collector
    parts = []
    for (here, there), side in ((RIGHT, step[0]), (DOWN, step[1])):
        for one, two in ((grain[here], grain[there]), (grain[there], grain[here])):
            at = of_film[one] & of_collector[two]
            parts.append(
                pd.DataFrame({"film": one[at], "collector": two[at], "length_nm": STAIRCASE * side})
            )
    return pd.concat(parts).groupby(["film", "collector"], as_index=False).sum()


def _cube(film: Floats, collector: Floats) -> Floats:
    return angle_between(film, collector, operators("m-3m"))


def _twin(film: Floats, collector: Floats) -> Floats:
    return deviation_from("3", product(collector, conjugate(film)))


def _parallel(film: Floats, collector: Floats) -> Floats:
    """Return the smallest angle (n,) between a <111> of one crystal and a <111> of the other."""
    between = product(collector, conjugate(film))
    turned = _rotated(between[:, None, :], _DIAGONALS[None, :, :])
    dots = np.abs(turned @ _DIAGONALS.T).max(axis=(1, 2))
    return np.asarray(np.degrees(np.arccos(np.minimum(dots, 1))))


def _rotated(by: Floats, vector: Floats) -> Floats:
    pure = np.concatenate([np.zeros((*vector.shape[:-1], 1)), vector], axis=-1)
    by, pure = np.broadcast_arrays(by, pure)
    return product(product(by, pure), conjugate(by))[..., 1:]


_DEVIATIONS: dict[str, Deviations] = {"cube": _cube, "twin": _twin, "parallel": _parallel}
_KINDS = {
    "cube on cube": ("cube",),
    "twinned": ("twin",),
    "cube on cube or twinned": ("cube", "twin"),
    "<111> parallel": ("parallel",),
}


def relationship(
    pairs: pd.DataFrame, table: pd.DataFrame, tolerance_deg: float = TOLERANCE
) -> pd.DataFrame:
    """Return which share of the interface has which relationship, and if that is more than chance.

    One row a relationship: the ``share`` of length with ``low`` and ``high`` (from pairs that share
    their grains); the mean share when the film's grains are exchanged along the interface
    (``exchanged``) and when they are turned at random (``random``), and the chance that either has
    at least the share (``p_exchanged``, ``p_random``). Each grain is exchanged or turned with all
    its neighbours, so that an interface of few grains has a wide null. The ``verdict`` is ``grain
    by grain`` if both are below 0.05, ``by texture alone`` if only the second is, else ``no more
    than chance``; and ``cannot tell`` with fewer than five grains on either side.

    Parameters
    ----------
    pairs
        From :func:`interface`.
    tolerance_deg
        Degrees within which a relationship holds.
    """
    sides = [pairs[side].to_numpy(np.int64) for side in ("film", "collector")]
    mean, length = quaternions(table), pairs["length_nm"].to_numpy(float)
    film, at = np.unique(sides[0], return_inverse=True)
    below, rng = mean[sides[1] - 1], np.random.default_rng(0)

    def hits(above: Floats) -> dict[str, np.ndarray]:
        near = {name: of(above[at], below) < tolerance_deg for name, of in _DEVIATIONS.items()}
        return {
            kind: np.any([near[name] for name in names], axis=0) for kind, names in _KINDS.items()
        }

    found = hits(mean[film - 1])
    drawn: dict[str, list[dict[str, float]]] = {"exchanged": [], "random": []}
    for _ in range(DRAWS):
        for name, above in (
            ("exchanged", mean[rng.permutation(film) - 1]),
            ("random", random_orientations(film.size, rng)),
        ):
            drawn[name].append({kind: length[hit].sum() for kind, hit in hits(above).items()})
    nulls = {name: pd.DataFrame(rows) / length.sum() for name, rows in drawn.items()}
    few = min(film.size, np.unique(sides[1]).size) < FEWEST_BLOCKS
    rows = {}
    for kind, hit in found.items():
        seen = of_pairs(hit, length, *sides)
        rows[kind] = _row(seen.columns("share"), nulls, kind, few)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("relationship")


def _row(
    share: dict[str, float], nulls: dict[str, pd.DataFrame], kind: str, few: bool
) -> dict[str, float | str]:
    row: dict[str, float | str] = dict(share)
    chance = {}
    for name, null in nulls.items():
        beyond = int((null[kind] >= share["share"] - 1e-9).sum())
        chance[name] = (1 + beyond) / (1 + len(null))
        row |= {name: float(null[kind].mean()), f"p_{name}": chance[name]}
    verdict = "no more than chance"
    if chance["random"] < CHANCE:
        verdict = "grain by grain" if chance["exchanged"] < CHANCE else "by texture alone"
    return row | {"verdict": "cannot tell" if few else verdict}
