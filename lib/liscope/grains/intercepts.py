"""Mean lineal intercepts: how long a straight line stays in one grain (ASTM E112)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from liscope.conventions import AMORPHOUS, EMPTY
from liscope.grains.disorientation import Floats, Mask
from liscope.grains.maps import pixels_of
from liscope.grains.segmentation import Labels
from liscope.grains.table import label_of
from liscope.statistics import sum_ratio


def mean_intercepts(
    orientations: xr.Dataset, label: xr.DataArray, table: pd.DataFrame, phase: str
) -> pd.DataFrame:
    """Return the mean intercept length of a phase's grains along x and along y, nm.

    Every row and column of pixels is a test line. Pixels without a grain that are neither amorphous
    nor empty do not end an intercept where it goes on in the same grain behind them. An intercept
    that the map's edge cuts counts half, as in ASTM E112: ``value_nm``, ``low_nm`` and ``high_nm``,
    from blocks of the map as neighbouring lines cross the same grains. ``least_nm`` and ``most_nm``
    are what it would be if cut intercepts counted as one, or not at all; ``intercepts`` and ``cut``
    are their numbers.

    Raises
    ------
    DataError
        If the labels are not of this map.
    """
    pixels = pixels_of(orientations)
    grain = label_of(label, pixels)
    of_phase = np.append(False, (table["phase"] == phase).to_numpy())
    own = np.where(of_phase[grain], grain, 0)
    free = (grain == 0) & (pixels.phase != AMORPHOUS) & (pixels.phase != EMPTY)
    rows = {
        "x": _row(_bridged(own, free), pixels.step[1]),
        "y": _row(_bridged(own.T, free.T), pixels.step[0]),
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("along")


def _bridged(grain: Labels, free: Mask) -> Labels:
    """Return labels in which free pixels between two of one grain, along a row, are of it, too."""
    column = np.broadcast_to(np.arange(grain.shape[1]), grain.shape)
    before = np.maximum.accumulate(np.where(free, 0, column), axis=1)
    behind = np.where(free, grain.shape[1] - 1, column)[:, ::-1]
    behind = np.minimum.accumulate(behind, axis=1)[:, ::-1]
    left, right = (np.take_along_axis(grain, ends, axis=1) for ends in (before, behind))
    return np.where(free & (left == right), left, grain)


def _row(grain: Labels, step: float) -> dict[str, float]:
    starts, cut = _starts(grain)
    inside = grain > 0
    length = np.where(inside, step, 0.0)
    total, whole, count = length.sum(), float((starts == 1).sum()), float(np.sum(starts == 1) + cut)
    found = sum_ratio(length, starts, inside)
    value, low, high = found.through(lambda log: float(np.exp(min(log, 700.0))))
    return {
        "value_nm": value, "low_nm": low, "high_nm": high,
        "least_nm": total / count if count else np.nan,
        "most_nm": total / whole if whole else np.inf,
        "intercepts": count, "cut": float(cut),
    }  # fmt: skip


def _starts(grain: Labels) -> tuple[Floats, int]:
    """Return 1 where an intercept along a row begins, 0.5 where it is cut, and how many are cut.

    One that reaches from edge to edge has no end that was seen and counts nothing.
    """
    inside = grain > 0
    begins = inside.copy()
    begins[:, 1:] &= grain[:, 1:] != grain[:, :-1]
    starts = begins.astype(float)
    ends_at_edge = np.where(inside[:, -1], _last_start(begins), -1)
    starts[inside[:, 0], 0] -= 0.5
    rows = np.flatnonzero(ends_at_edge >= 0)
    starts[rows, ends_at_edge[rows]] -= 0.5
    return starts, int(np.sum(begins & (starts < 1)))


def _last_start(begins: np.ndarray) -> Labels:
    return np.asarray(begins.shape[1] - 1 - np.argmax(begins[:, ::-1], axis=1))
