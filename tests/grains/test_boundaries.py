"""Boundaries whose misorientation, length and statistics are known."""

import numpy as np
import pandas as pd
import pytest
from grain_maps import STEP, dataset, random, turned, voronoi
from orix.quaternion import Misorientation, Orientation, Rotation, symmetry

from liscope.errors import ParameterError
from liscope.grains import (
    angle_distribution,
    boundary_image,
    boundary_pairs,
    boundary_segments,
    boundary_shares,
    coincidences,
    grain_table,
    segment,
    sigma_of,
)

# Axis and angle of least rotation, as every textbook has them: D. H. Warrington, P. Bufalini,
# Scripta Met. 5, 771 (1971).
PUBLISHED = {
    "3": (60.00, (1, 1, 1)), "5": (36.87, (1, 0, 0)), "7": (38.21, (1, 1, 1)),
    "9": (38.94, (1, 1, 0)), "11": (50.48, (1, 1, 0)), "13a": (22.62, (1, 0, 0)),
    "13b": (27.80, (1, 1, 1)), "15": (48.19, (2, 1, 0)), "17a": (28.07, (1, 0, 0)),
    "17b": (61.93, (2, 2, 1)), "19a": (26.53, (1, 1, 0)), "19b": (46.83, (1, 1, 1)),
    "21a": (21.79, (1, 1, 1)), "21b": (44.40, (2, 1, 1)), "23": (40.45, (3, 1, 1)),
    "25a": (16.25, (1, 0, 0)), "25b": (51.68, (3, 3, 1)), "27a": (31.58, (1, 1, 0)),
    "27b": (35.42, (2, 1, 0)), "29a": (43.61, (1, 0, 0)), "29b": (46.39, (2, 2, 1)),
}  # fmt: skip


def halves(one: np.ndarray, two: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Segments and pairs of a map with a left and a right grain."""
    quaternion = np.empty((10, 10, 4))
    quaternion[:, :5], quaternion[:, 5:] = one, two
    seen = dataset(quaternion)
    label = segment(seen)
    segments = boundary_segments(seen, label)
    return segments, boundary_pairs(segments, grain_table(seen, label), seen)


def beside(one: np.ndarray, axis: tuple[int, int, int], degrees: float) -> np.ndarray:
    """The crystal that is turned against another about one of its own axes."""
    return np.asarray((Rotation(turned(axis, degrees)) * Rotation(one)).data)


def test_coincidence_lattices_are_the_published_ones() -> None:
    found = dict(coincidences())
    assert list(found) == list(PUBLISHED)
    for name, (angle, axis) in PUBLISHED.items():
        assert np.degrees(2 * np.arccos(found[name][0])) == pytest.approx(angle, abs=0.02)
        ideal = np.array(axis) / np.linalg.norm(axis)
        np.testing.assert_allclose(
            found[name][1:] / np.linalg.norm(found[name][1:]), ideal, atol=1e-9
        )
    with pytest.raises(ParameterError, match="largest Sigma"):
        coincidences(2)


@pytest.mark.parametrize(("name", "angle", "axis"), [(n, *PUBLISHED[n]) for n in PUBLISHED])
def test_every_equivalent_of_a_sigma_is_named(
    name: str, angle: float, axis: tuple[int, int, int]
) -> None:
    exact = dict(coincidences())[name][0]
    ideal = Misorientation(turned(axis, np.degrees(2 * np.arccos(exact))), (symmetry.O,) * 2)
    every = ideal.equivalent(grain_exchange=True).data
    names, deviation = sigma_of(np.asarray(every))
    assert set(names) == {name}
    np.testing.assert_allclose(deviation, 0, atol=1e-4)


def test_either_grain_may_come_first() -> None:
    """Sigma 39b, 50.13 degrees about <321>, is the first that no symmetry brings to its inverse."""
    ideal = Misorientation(dict(coincidences(49))["39b"], (symmetry.O,) * 2)
    assert np.degrees(ideal.angle[0]) == pytest.approx(50.13, abs=0.01)
    every = ideal.equivalent(grain_exchange=True).data
    assert set(sigma_of(np.asarray(every), 49)[0]) == {"39b"}


@pytest.mark.parametrize(("turn", "name"), [(60 - 8.6, "3"), (60 - 8.7, "")])
def test_brandons_criterion_is_15_degrees_over_the_root(turn: float, name: str) -> None:
    one = random(1)[0]
    pairs = halves(one, beside(one, (1, 1, 1), turn))[1]
    # 51.3 degrees about <111> is within Brandon's tolerance of no other but Sigma 19b, 46.8 + 3.4.
    assert pairs["sigma"].tolist() == [name]
    if name:
        assert pairs["deviation_deg"][0] == pytest.approx(60 - turn)


def test_a_twin_boundary_has_angle_axis_and_length() -> None:
    one = random(1, 4)[0]
    other = np.asarray((Rotation(symmetry.O.data[17]) * Rotation(beside(one, (1, -1, 1), 60))).data)
    segments, pairs = halves(one, other)
    np.testing.assert_allclose(segments["angle_deg"], 60)
    np.testing.assert_allclose(segments["x_nm"], 5 * STEP)
    assert set(segments["normal"]) == {"x"}
    np.testing.assert_allclose(pairs[["u", "v", "w"]], [[3**-0.5] * 3], atol=1e-9)
    assert pairs["angle_deg"][0] == pytest.approx(60)
    assert (pairs["sigma"][0], pairs["kind"][0], pairs["phase"][0]) == ("3", "grain", "LMNO")


def test_the_staircase_is_as_long_as_the_circle() -> None:
    y, x = np.mgrid[:200, :200] - 99.3
    quaternion = np.where((np.hypot(y, x) < 80)[..., None], turned((0, 0, 1), 30.0), [1.0, 0, 0, 0])
    seen = dataset(quaternion)
    segments = boundary_segments(seen, segment(seen))
    assert segments["length_nm"].sum() == pytest.approx(2 * np.pi * 80 * STEP, rel=0.01)


def test_phase_boundaries_stand_apart() -> None:
    quaternion = np.tile([1.0, 0, 0, 0], (6, 6, 1))
    quaternion[:, 3:] = turned((0, 0, 1), 30.0)
    phase = np.zeros((6, 6), int)
    phase[3:] = 1
    seen = dataset(quaternion, phase)
    label = segment(seen)
    segments = boundary_segments(seen, label)
    pairs = boundary_pairs(segments, grain_table(seen, label), seen)
    assert pairs["kind"].tolist() == ["grain", "phase", "phase", "grain"]
    assert pairs["phase"].tolist() == ["LMNO", "", "", "Pt"]
    assert pairs["sigma"].tolist()[1:3] == ["", ""]
    np.testing.assert_allclose(pairs["angle_deg"], [30, 0, 0, 30], atol=1e-6)
    image = boundary_image(segments, pairs, label)
    assert image.to_numpy()[0].tolist() == [0, 0, 1, 0, 0, 0]
    assert image.to_numpy()[2, [0, 5]].tolist() == [2, 3]
    assert boundary_shares(pairs, "Pt").loc["Sigma 3", "share"] == 0


def test_random_crystals_have_mackenzies_distribution() -> None:
    known = voronoi((300, 300), 700, seed=2)
    seen = dataset(random(known.max() + 1)[known])
    label = segment(seen)
    pairs = boundary_pairs(boundary_segments(seen, label), grain_table(seen, label), seen)
    table = angle_distribution(pairs, "LMNO", "m-3m")

    def below(degrees: float) -> float:  # Mackenzie's density up to 45 degrees, integrated
        return 2 / 15 * (degrees - np.degrees(np.sin(np.radians(degrees))))

    for row in table[table["to_deg"] <= 45].itertuples():
        assert row.random == pytest.approx(below(row.to_deg) - below(row.from_deg), abs=0.003)
        assert row.by_length == pytest.approx(row.random, abs=0.03)
    assert table["to_deg"].iloc[-1] == 65
    inside = (table["by_length_low"] <= table["random"]) & (
        table["random"] <= table["by_length_high"]
    )
    assert inside.mean() >= 0.8
    assert table["random"].sum() == pytest.approx(1)


def test_intervals_of_shares_hold_what_random_crystals_have() -> None:
    """On one network of boundaries, with many draws of its crystals."""
    known = voronoi((120, 120), 90, seed=2)
    label = segment(dataset(random(known.max() + 1)[known]))
    seen = dataset(random(known.max() + 1)[known])
    segments = boundary_segments(seen, label)
    table = grain_table(seen, label)
    network = boundary_pairs(segments, table, seen)
    held = []
    expected = 2 / 15 * (40 - np.degrees(np.sin(np.radians(40))))
    for draw in range(200):
        drawn = random(len(table), draw)
        one, other = (
            Orientation(drawn[network[end] - 1], symmetry=symmetry.O) for end in ("one", "other")
        )
        angle = one.angle_with(other, degrees=True)
        # The share below 15 degrees is that of the whole table; 40 degrees stand in for 15.
        row = boundary_shares(network.assign(angle_deg=angle - 25), "LMNO").iloc[0]
        held.append(row["low"] <= expected <= row["high"])
    assert np.mean(held) >= 0.91
    assert np.mean(held) < 1


def test_one_large_grain_counts_once() -> None:
    """A hundred grains around one have a hundred boundaries with it, but no hundred samples."""
    pairs = pd.DataFrame(
        {"one": 1, "other": np.arange(2, 102), "kind": "grain", "phase": "LMNO", "length_nm": 1.0,
         "angle_deg": 40.0, "sigma": np.where(np.arange(100) < 30, "3", "")}
    )  # fmt: skip
    star = boundary_shares(pairs, "LMNO").loc["Sigma 3"]
    apart = boundary_shares(pairs.assign(one=np.arange(102, 202)), "LMNO").loc["Sigma 3"]
    assert star["share"] == apart["share"] == pytest.approx(0.3)
    # Of apart ones the interval is Wilson's of 30 in 100, or somewhat wider: 0.22 to 0.40.
    assert apart["low"] == pytest.approx(0.21, abs=0.02)
    assert apart["high"] == pytest.approx(0.40, abs=0.02)
    few = boundary_shares(pairs[:3], "LMNO").loc["Sigma 3"]
    assert np.isnan(few["low"])
    assert star["low"] <= apart["low"] + 1e-9
