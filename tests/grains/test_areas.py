"""Shares of a map, counted by hand; their intervals hold what was put in."""

import numpy as np
import pytest
from grain_maps import dataset, voronoi

from liscope.grains import area_shares


def of(phase: np.ndarray):
    return area_shares(dataset(np.tile([1.0, 0, 0, 0], (*phase.shape, 1)), phase))


def test_shares_are_counted() -> None:
    phase = np.zeros((10, 20), int)
    phase[8:] = 1  # 40 of 200
    phase[0, :10], phase[1, :4], phase[2, :2] = -1, -2, -3
    table = of(phase)
    assert table["share"].to_dict() == pytest.approx(
        {
            "LMNO": 72,
            "Pt": 20,
            "amorphous": 5,
            "empty": 2,
            "not known": 1,
            "amorphous or empty": 7,
        }
    )
    assert table["share"][:5].sum() == pytest.approx(100)


def test_a_map_of_few_grains_has_no_intervals() -> None:
    table = of(np.tile([0, 1], (8, 4)).repeat(8, axis=1)[:8, :16])
    assert table.loc["LMNO", "share"] == 50
    assert table[["low", "high"]].isna().all(axis=None)


def test_intervals_hold_the_truth() -> None:
    """Each grain is LMNO, Pt, glass or a hole with a known chance."""
    chance = {"LMNO": 50, "Pt": 20, "amorphous": 20, "empty": 10, "amorphous or empty": 30}
    held, width = [], []
    for seed in range(40):
        grain = voronoi((60, 60), 120, seed)
        kind = np.random.default_rng(seed).choice(
            [0, 1, -1, -2], grain.max() + 1, p=[0.5, 0.2, 0.2, 0.1]
        )
        table = of(kind[grain])
        ends = table.loc[list(chance), ["low", "high"]].to_numpy()
        known = np.array(list(chance.values()))
        held.append((ends[:, 0] <= known) & (known <= ends[:, 1]))
        width.append(ends[:, 1] - ends[:, 0])
        assert (ends >= 0).all() and (ends <= 100).all()
        assert np.isnan(table.loc["not known", "low"]) and table.loc["not known", "share"] == 0
    assert (np.mean(held, axis=0) >= 0.8).all()
    # 120 grains of even size would scatter by 100 sqrt(p (1 - p) / 120), 4.6 for LMNO
    assert 4 < np.median(width, axis=0)[0] / 4.6 < 9
