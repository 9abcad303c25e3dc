"""Preferred orientation of few grains, beside solid angles and orix."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from grain_maps import dataset, random
from orix.crystal_map import Phase
from orix.quaternion import Orientation, Rotation, symmetry
from orix.vector import Miller, Vector3d

from liscope.errors import DataError, ParameterError
from liscope.grains import fibre, inverse_poles, poles, texture_index
from liscope.grains.texture import uniform_share

SEEN: xr.Dataset = dataset(random(4).reshape(2, 2, 4))


def table_of(quaternions: np.ndarray, area: np.ndarray | None = None) -> pd.DataFrame:
    table = pd.DataFrame(quaternions, columns=["qw", "qx", "qy", "qz"])
    table.index = pd.RangeIndex(1, len(table) + 1, name="grain")
    return table.assign(phase="LMNO", area_nm2=1.0 if area is None else area)


def along_y(count: int, seed: int = 0) -> np.ndarray:
    """Crystals with [111] along y, turned about it at random."""
    to = Orientation.from_align_vectors(
        Miller(uvw=[1, 1, 1], phase=Phase(point_group="m-3m")), Vector3d([0, 1, 0])
    )
    spin = np.random.default_rng(seed).uniform(0, 360, count)
    return np.asarray((to * Rotation.from_axes_angles([0, 1, 0], spin, degrees=True)).data)


@pytest.mark.parametrize(("direction", "caps"), [((1, 1, 1), 8), ((0, 0, 1), 6), ((1, 1, 0), 12)])
def test_the_random_share_is_the_solid_angle(direction: tuple[int, int, int], caps: int) -> None:
    row = fibre(table_of(random(3000)), SEEN, "LMNO", direction, "y", 10).loc["number"]
    assert row["random"] == pytest.approx(caps * (1 - np.cos(np.radians(10))) / 2)
    assert row["share_low"] <= row["random"] <= row["share_high"]
    assert row["mud"] == pytest.approx(1, abs=0.2)
    assert row["verdict"] == "cannot tell"


def test_overlapping_caps_are_counted_once() -> None:
    every = np.concatenate([np.eye(3), -np.eye(3)])
    assert uniform_share(every, 90) == 1
    assert 0.9 < uniform_share(every, 50) < 1  # none is farther than 54.7 degrees from all six


def test_a_fibre_is_found_where_orix_puts_it() -> None:
    table = table_of(np.concatenate([along_y(20), random(20)]))
    on_y, on_x = (fibre(table, SEEN, "LMNO", (1, 1, 1), axis).loc["number"] for axis in "yx")
    orientation = Orientation(table[["qw", "qx", "qy", "qz"]], symmetry=symmetry.Oh)
    directions = (orientation * Vector3d([0, 1, 0])).in_fundamental_sector(symmetry.Oh)
    near = np.degrees(directions.angle_with(Vector3d([1, 1, 1]))) < 10
    assert on_y["share"] == near.mean() >= 0.5
    assert on_y["verdict"] == "more than random"
    assert on_y["p"] < 1e-6
    assert on_x["share"] < 0.4


def test_areas_count_but_grains_are_the_samples() -> None:
    """One grain of half the area is along the axis: that is no texture."""
    table = table_of(np.concatenate([along_y(1), random(30)]), np.append(30.0, np.ones(30)))
    rows = fibre(table, SEEN, "LMNO", (1, 1, 1), "y")
    assert rows.loc["area", "share"] >= 0.5
    assert rows.loc["area", "p"] > 0.01  # of one random grain in sixteen, with a little help
    assert rows.loc["area", "verdict"] == "cannot tell"
    pixels = fibre(
        table_of(np.repeat(table.iloc[:1, :4], 30, axis=0)), SEEN, "LMNO", (1, 1, 1), "y"
    )
    assert pixels.loc["number", "p"] < 1e-9  # what counting pixels would have claimed


def test_chance_is_right_for_random_crystals() -> None:
    every = random(40 * 60)
    p = [
        fibre(table_of(part), SEEN, "LMNO", (1, 1, 1), "y").loc["number", "p"]
        for part in every.reshape(60, 40, 4)
    ]
    assert np.mean(np.array(p) < 0.05) <= 0.1
    index = [
        texture_index(table_of(part), SEEN, "LMNO").iloc[0] for part in every.reshape(60, 40, 4)
    ]
    assert np.mean([row["p"] < 0.05 for row in index]) <= 0.12
    assert np.mean([row["index"] for row in index]) == pytest.approx(1, abs=0.1)
    assert np.mean([row["low"] <= 1 <= row["high"] for row in index]) >= 0.85


def test_the_index_of_a_fibre_is_that_of_turns_about_it() -> None:
    """Of crystals that share [111], 30 of 120 degrees of turns are within 15 degrees."""
    row = texture_index(table_of(along_y(300)), SEEN, "LMNO").loc["LMNO"]
    ball = 24 * (np.radians(15) - np.sin(np.radians(15))) / np.pi
    # Turned by 60 degrees they are twins and never alike; of either sense of [111] there is one.
    assert row["index"] == pytest.approx(30 / 120 / ball, rel=0.05)
    assert row["p"] < 1e-9
    assert row["grains"] == 300


def test_poles_are_those_of_orix() -> None:
    table = table_of(random(5))
    orientation = Orientation(table[["qw", "qx", "qy", "qz"]], symmetry=symmetry.Oh)
    crystal = Miller(uvw=[1, 1, 1], phase=Phase(point_group="m-3m")).symmetrise(unique=True)
    found = poles(table, SEEN, "LMNO", (1, 1, 1))
    assert len(found) == 5 * 8
    for number in table.index:
        expected = (~orientation[number - 1] * crystal.unit).data.reshape(-1, 3)
        own = found.loc[found["grain"] == number, ["x", "y", "z"]].to_numpy()
        distance = np.linalg.norm(own[:, None] - expected[None], axis=-1)
        assert distance.min(axis=1).max() < 1e-9
        assert distance.min(axis=0).max() < 1e-9
    inside = inverse_poles(table, SEEN, "LMNO", "x")[["u", "v", "w"]].to_numpy()
    seen = np.sort(np.abs((orientation * Vector3d([1, 0, 0])).data), axis=1)
    np.testing.assert_allclose(np.sort(inside, axis=1), seen, atol=1e-9)
    assert (inside[:, 2] >= inside.max(axis=1) - 1e-9).all()


def test_a_hexagonal_direction_needs_and_uses_the_cell() -> None:
    seen = dataset(random(4).reshape(2, 2, 4), groups=("6/mmm", "m-3m"))
    cell = seen["lattice"].copy()
    cell[0] = [3.0, 3.0, 5.0, 90, 90, 120]
    assert len(poles(table_of(random(1)), seen.assign(lattice=cell), "LMNO", (0, 0, 1))) == 2
    with pytest.raises(DataError, match="need its 'lattice'"):
        poles(table_of(random(1)), seen.drop_vars("lattice"), "LMNO", (0, 0, 1))


def test_bad_input_is_refused() -> None:
    table = table_of(random(1))
    with pytest.raises(ParameterError, match="axis: 'w'"):
        fibre(table, SEEN, "LMNO", (1, 1, 1), "w")
    with pytest.raises(ParameterError, match="000"):
        fibre(table, SEEN, "LMNO", (0, 0, 0), "x")
    with pytest.raises(DataError, match="no grain of 'Pt'"):
        fibre(table, SEEN, "Pt", (1, 1, 1), "x")
    with pytest.raises(DataError, match="needs two"):
        texture_index(table, SEEN, "LMNO")
