"""Places one by one: conductive with lithium, conductive without, lithium without conduction.

Few ions fall on a small place, so that none may be seen where lithium is. *Without lithium* is only
said where the counts allow it by Poisson's law; where they allow both, it is *cannot tell*.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage, stats

from liscope.colocalisation.measures import Pair, Thresholds
from liscope.probe.areas import Area
from liscope.registration.placement import Array
from liscope.statistics import Mask

ERROR = 0.01  # chance, for each place, of each of the two errors
TOUCHED = 0.1  # share of a lithium place that must conduct
KINDS = (
    "conductive with Li",
    "conductive without Li",
    "conductive, Li cannot be told",
    "Li with conduction",
    "Li without conduction",
)


def find_objects(pair: Pair, limits: Thresholds, beam: float) -> pd.DataFrame:
    """Return one row a place: kind, place, area, share of all current, counts and their limits.

    Parameters
    ----------
    beam
        Full width of the ion beam at half maximum, um; smaller places are left out.
    """
    conductive, rich = pair.masks(limits)
    least = np.pi / 4 * beam**2
    tables = [_table(mask, pair, least) for mask in (conductive, rich)]
    if len(tables[0]):
        tables[0]["kind"] = _kinds_by_counts(tables[0], pair, conductive, rich, limits, beam)
    if len(tables[1]):
        share = ndimage.mean(conductive, _labels(rich), tables[1]["label"])
        tables[1]["kind"] = np.where(share >= TOUCHED, KINDS[3], KINDS[4])
    found = pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)
    return found.drop(columns="label")


def _labels(mask: Mask) -> NDArray[np.int32]:
    label, _ = ndimage.label(mask, np.ones((3, 3)))
    return np.asarray(label)


def _table(mask: Mask, pair: Pair, least: float) -> pd.DataFrame:
    """Return the connected places (eight neighbours) of at least an area, um2."""
    label = _labels(mask)
    pixel = pair.field.pixel[0] * pair.field.pixel[1]
    numbers = np.flatnonzero(np.bincount(label.ravel()) * pixel >= least)
    numbers = numbers[numbers > 0]
    current = np.where(pair.valid, np.maximum(pair.current, 0), 0.0)
    counts = np.where(pair.valid, pair.counts, 0.0)
    centre = np.array(ndimage.center_of_mass(mask, label, numbers)).reshape(-1, 2)
    place = np.asarray(pair.field.origin) + centre * pair.field.pixel
    return pd.DataFrame(
        {
            "kind": "",
            "x_um": place[:, 1],
            "y_um": place[:, 0],
            "area_um2": pixel * np.bincount(label.ravel())[numbers],
            "current_share": np.asarray(ndimage.sum(current, label, numbers)) / current.sum(),
            "counts": np.asarray(ndimage.sum(counts, label, numbers)),
            "counts_if_poor": np.nan,
            "counts_if_rich": np.nan,
            "label": numbers,
        }
    )


def _kinds_by_counts(
    table: pd.DataFrame, pair: Pair, conductive: Mask, rich: Mask, limits: Thresholds, beam: float
) -> list[str]:
    """Return with, without or cannot tell for each conductive place."""
    few, many = expected_counts(table, pair, conductive, rich, limits, beam)
    table["counts_if_poor"], table["counts_if_rich"] = few, many
    counts = table["counts"].to_numpy()
    less = stats.poisson.cdf(counts, many) < ERROR
    more = stats.poisson.sf(counts - 1, few) < ERROR
    return [
        KINDS[1] if low else KINDS[0] if high else KINDS[2]
        for low, high in zip(less, more, strict=True)
    ]


def expected_counts(
    table: pd.DataFrame, pair: Pair, conductive: Mask, rich: Mask, limits: Thresholds, beam: float
) -> tuple[Array, Array]:
    """Return the counts of each place, were it as poor as the rest, or just called rich.

    What the beam spreads beyond the rim of a small place is missing inside, in both cases.
    """
    label = _labels(conductive)
    area = np.bincount(label.ravel())[table["label"]]
    spread = beam / np.sqrt(8 * np.log(2)) / np.asarray(pair.field.pixel)
    kept = np.array(
        [
            ndimage.gaussian_filter((label[box] == number).astype(float), spread, mode="constant")[
                label[box] == number
            ].mean()
            for number, box in zip(table["label"], _boxes(label, table["label"]), strict=True)
        ]
    )
    elsewhere = pair.valid & ~rich & ~conductive
    poor = float(pair.counts[elsewhere].mean()) if elsewhere.any() else 0.0
    few = np.asarray(area * poor, dtype=float)
    return few, few + area * kept * max(limits.counts - poor, 0.0)


def _boxes(label: NDArray[np.int32], numbers: pd.Series) -> list[tuple[slice, slice]]:
    found = ndimage.find_objects(label)
    return [found[number - 1] for number in numbers]


def examples(objects: pd.DataFrame, side: float) -> list[Area]:
    """Return a square box (side in um) around one clear place of each of three kinds, if any."""
    boxes: list[Area] = []
    for kind in (KINDS[0], KINDS[1], KINDS[4]):
        of_kind = objects[objects["kind"] == kind].sort_values("area_um2", ascending=False)
        if kind == KINDS[1]:  # the one that is farthest from being called rich
            of_kind = of_kind.assign(rate=of_kind["counts"] / of_kind["counts_if_rich"])
            of_kind = of_kind.sort_values("rate")
        for x, y in of_kind[["x_um", "y_um"]].to_numpy(float)[:1]:
            corner = max(float(x) - side / 2, 0.0), max(float(y) - side / 2, 0.0)
            boxes.append(Area(f"{len(boxes) + 1}: {kind}", *corner, side, side))
    return boxes


def object_table(objects: pd.DataFrame, weight: Array | None = None) -> pd.DataFrame:
    """Return number, area and share of the current for each kind of place.

    Parameters
    ----------
    weight
        How often each place counts in number and area; None: once. Its share of the current holds
        that already.
    """
    w = np.ones(len(objects)) if weight is None else weight
    rows = {}
    for kind in KINDS:
        is_kind = (objects["kind"] == kind).to_numpy(float)
        rows[kind] = {
            "number": float(w @ is_kind),
            "area_um2": float((w * is_kind) @ objects["area_um2"]),
            "current_share_percent": 100 * float(is_kind @ objects["current_share"]),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("kind")
