"""Pristine against cycled, where the difference is known."""

import numpy as np
import pytest
import xarray as xr
from grain_maps import dataset, random
from scipy import stats
from skimage.morphology import disk
from test_sizes import drawn, of
from test_texture import SEEN, along_y, table_of

from liscope.errors import DataError
from liscope.grains import (
    Share,
    cliffs_delta,
    compare_amorphous,
    compare_fibres,
    compare_sizes,
    difference,
    fibre,
)


def test_cliffs_delta_is_that_of_mann_and_whitney() -> None:
    rng = np.random.default_rng(0)
    one, two = rng.integers(0, 9, 40).astype(float), rng.integers(2, 12, 50).astype(float)
    u = stats.mannwhitneyu(two, one).statistic
    assert cliffs_delta(one, two) == pytest.approx(2 * u / (40 * 50) - 1)
    weights = rng.integers(1, 4, 40), rng.integers(1, 4, 50)
    repeated = np.repeat(one, weights[0]), np.repeat(two, weights[1])
    assert cliffs_delta(one, two, *map(np.asarray, weights)) == pytest.approx(
        cliffs_delta(*repeated)
    )


def test_halved_grains_are_found_with_their_ratio() -> None:
    table = compare_sizes(of(drawn(300, 1)), of(drawn(300, 2) / 2))
    for name in ("ratio of medians", "ratio of modes"):
        row = table.loc[name]
        assert row["low"] <= 0.5 <= row["high"]
        assert row["high"] < 1
    expected = stats.norm.cdf(-np.log(2) / (np.sqrt(2) * np.log(1.35)))
    row = table.loc["chance to be larger"]
    assert row["low"] <= expected <= row["high"]
    assert table.loc["Cliff's delta", "value"] == pytest.approx(2 * row["value"] - 1)


def test_equal_films_do_not_differ_but_for_chance() -> None:
    held = [
        (row := compare_sizes(of(drawn(60, seed)), of(drawn(80, 100 + seed))).loc["Cliff's delta"])[
            "low"
        ] <= 0 <= row["high"]
        for seed in range(12)
    ]  # fmt: skip
    assert np.mean(held) >= 0.8


def test_sizes_are_compared_above_the_higher_floor() -> None:
    coarse = of(drawn(900, 1)[drawn(900, 1) >= 20], 20.0)
    row = compare_sizes(coarse, of(drawn(900, 2), 5.0)).loc["Cliff's delta"]
    assert row["low"] <= 0 <= row["high"]
    with pytest.raises(DataError, match="above 1e"):
        compare_sizes(coarse, of(drawn(9), 1000.0))
    assert compare_sizes(of(drawn(3)), of(drawn(90)))["low"].isna().all()


def porous(share: float, seed: int, side: int = 140) -> xr.Dataset:
    """Film with independent round amorphous places that cover a share of it on average."""
    rng = np.random.default_rng(seed)
    spot = disk(4)
    # Of places thrown with density n, a share of exp(-n area) stays free.
    seeds = rng.random((side + 16, side + 16)) < -np.log(1 - share) / spot.sum()
    amorphous = np.zeros((side, side), bool)
    for y, x in np.argwhere(seeds):
        low = np.array([y, x]) - 12
        for dy, dx in np.argwhere(spot):
            place = low + np.array([dy, dx])
            if (place >= 0).all() and (place < side).all():
                amorphous[tuple(place)] = True
    return dataset(np.tile([1.0, 0, 0, 0], (side, side, 1)), np.where(amorphous, -1, 0))


def test_points_and_per_cent_are_two_numbers() -> None:
    phase = np.zeros((40, 40), int)
    phase[:, ::4] = -1  # 25 %
    more = phase.copy()
    more[:, 1::4] = -1  # 50 %
    more[:4], more[4:8] = 1, -3  # Pt and unknown take no part
    maps = [dataset(np.tile([1.0, 0, 0, 0], (40, 40, 1)), one) for one in (phase, more)]
    table = compare_amorphous(*maps, "LMNO")
    assert table["value"].to_dict() == pytest.approx(
        {"first": 25, "second": 50, "difference in points": 25, "change in per cent": 100}
    )
    assert table["unit"].tolist() == ["%", "%", "points", "%"]
    assert table["not_known"].tolist() == [0, 10, 10, 10]
    with pytest.raises(DataError, match="nothing of 'LMNO'"):
        compare_amorphous(maps[0], maps[0].assign(phase=maps[0]["phase"] * 0 - 2), "LMNO")


def test_intervals_of_amorphous_shares_hold_the_truth() -> None:
    held: list[list[bool]] = []
    for seed in range(20):
        table = compare_amorphous(porous(0.2, 2 * seed), porous(0.3, 2 * seed + 1), "LMNO")
        truths = {"first": 20, "second": 30, "difference in points": 10, "change in per cent": 50}
        held.append([table.loc[n, "low"] <= t <= table.loc[n, "high"] for n, t in truths.items()])
        assert table.loc["difference in points", "high"] < 30
    assert (np.mean(held, axis=0) >= 0.8).all()


def test_differences_of_shares() -> None:
    """Newcombe's own example: 56 of 70 and 48 of 80, Wilson's intervals, 0.0524 to 0.3339."""
    ends = [stats.binomtest(k, n).proportion_ci(method="wilson") for k, n in ((48, 80), (56, 70))]
    one, two = (
        Share(v, float(end.low), float(end.high), 0)
        for v, end in zip((0.6, 0.8), ends, strict=True)
    )
    assert difference(one, two) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)


def test_a_texture_that_was_lost_is_seen() -> None:
    before = fibre(table_of(along_y(40)), SEEN, "LMNO", (1, 1, 1), "y")
    after = fibre(table_of(random(40)), SEEN, "LMNO", (1, 1, 1), "y")
    table = compare_fibres(before, after)
    assert table.loc["number", "value"] == after.loc["number", "share"] - 1
    assert table.loc["number", "high"] < -0.5
    assert np.isfinite(table.to_numpy()).all()
