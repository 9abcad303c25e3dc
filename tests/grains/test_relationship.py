"""Film on Pt: grown grain by grain, by texture alone, or by chance."""

import numpy as np
import pandas as pd
import pytest
from grain_maps import STEP, dataset, random, turned
from orix.quaternion import Orientation, Rotation, symmetry
from test_texture import along_y

from liscope.errors import DataError
from liscope.grains import grain_table, interface, relationship, segment

SIDE = 6  # pixels of a grain's width


def bilayer(film: np.ndarray, pt: np.ndarray, gap: int = 0, film_side: int = SIDE) -> pd.DataFrame:
    """Interface of a row of film grains on a row of Pt grains, with unknown pixels between."""
    width = SIDE * len(pt)
    quaternion = np.empty((12 + gap, width, 4))
    quaternion[:6] = film[np.minimum(np.arange(width) // film_side, len(film) - 1)]
    quaternion[6:] = np.repeat(pt, SIDE, axis=0)
    phase = np.zeros(quaternion.shape[:2], int)
    phase[6:] = 1
    phase[6 : 6 + gap] = -3
    seen = dataset(quaternion, phase)
    label = segment(seen, threshold_deg=2)
    table = grain_table(seen, label)
    return relationship(interface(seen, label, table, "LMNO", "Pt"), table).assign(
        pairs=len(interface(seen, label, table, "LMNO", "Pt"))
    )


def grown(pt: np.ndarray, degrees: float = 0.0, seed: int = 0) -> np.ndarray:
    """Film crystals turned about the [111] of Pt that is along y, and off by a few degrees."""
    rng = np.random.default_rng(seed)
    off = Rotation.from_axes_angles(
        rng.standard_normal((len(pt), 3)), rng.uniform(0, 3, len(pt)), degrees=True
    )
    twin = Rotation(turned((1, 1, 1), degrees))
    return np.asarray((off * twin * Rotation(pt)).data)


def test_deviations_are_those_of_orix() -> None:
    one, other = random(30, 1), random(30, 2)
    seen = dataset(np.stack([np.repeat(one, 4, 0), np.repeat(other, 4, 0)]).repeat(4, axis=0),
                   np.array([[0], [1]]).repeat(4, axis=0).repeat(120, axis=1))  # fmt: skip
    label = segment(seen)
    pairs = interface(seen, label, grain_table(seen, label), "LMNO", "Pt")
    assert len(pairs) == 30
    np.testing.assert_allclose(pairs["length_nm"], 4 * STEP * np.pi / 4)
    film, pt = (Orientation(part, symmetry=symmetry.Oh) for part in (one, other))
    np.testing.assert_allclose(pairs["cube_deg"], film.angle_with(pt, degrees=True), atol=1e-5)
    twins = [
        Orientation((Rotation(turned(axis, 60)) * Rotation(one)).data, symmetry=symmetry.Oh)
        for axis in ((1, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1))
    ]
    expected = np.min([twin.angle_with(pt, degrees=True) for twin in twins], axis=0)
    np.testing.assert_allclose(pairs["twin_deg"], expected, atol=1e-5)
    diagonals = np.array([[1, 1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]]) / np.sqrt(3)
    axes = [np.einsum("nij,kj->nki", (~part).to_matrix(), diagonals) for part in (film, pt)]
    dots = np.abs(np.einsum("nki,nli->nkl", *axes)).max(axis=(1, 2))
    np.testing.assert_allclose(pairs["parallel_deg"], np.degrees(np.arccos(dots)), atol=1e-6)


@pytest.mark.parametrize(("degrees", "kind", "other"), [
    (0.0, "cube on cube", "twinned"), (60.0, "twinned", "cube on cube"),
    (180.0, "twinned", "cube on cube"),
])  # fmt: skip
def test_film_that_grew_on_its_grains_is_told_from_texture(
    degrees: float, kind: str, other: str
) -> None:
    pt = along_y(14)
    table = bilayer(grown(pt, degrees), pt)
    row = table.loc[kind]
    assert row["share"] == pytest.approx(1)
    assert row["verdict"] == table.loc["cube on cube or twinned", "verdict"] == "grain by grain"
    assert row["exchanged"] < 0.5
    assert table.loc[other, "share"] < 0.2
    # That both have [111] upwards says nothing about grains.
    assert table.loc["<111> parallel", "share"] == pytest.approx(1)
    assert table.loc["<111> parallel", "verdict"] == "by texture alone"


def test_two_textures_are_no_epitaxy() -> None:
    table = bilayer(along_y(14, 1), along_y(14, 2))
    assert table.loc["<111> parallel", ["share", "verdict"]].tolist() == [1, "by texture alone"]
    assert table.loc["cube on cube", "verdict"] != "grain by grain"


def test_random_film_is_no_more_than_chance() -> None:
    table = bilayer(random(14, 1), along_y(14))
    assert table.loc["cube on cube", "verdict"] == "no more than chance"
    assert table.loc["<111> parallel", "verdict"] == "no more than chance"
    # <111> of random cubic pairs within 5 degrees: 4 x 4 pairs of axes, 1 - cos 5 degrees each.
    assert table.loc["<111> parallel", "random"] == pytest.approx(
        16 * (1 - np.cos(np.radians(5))), abs=0.012
    )


def test_few_grains_cannot_tell() -> None:
    pt = along_y(4)
    table = bilayer(grown(pt), pt)
    assert set(table["verdict"]) == {"cannot tell"}
    assert table["share_low"].isna().all()


def test_one_pt_grain_under_many_is_one_sample() -> None:
    """Pt of one grain, film of many that share its [111] and nothing else."""
    pt = np.repeat(along_y(1), 14, axis=0)
    table = bilayer(along_y(14, 1), pt)
    assert table.loc["<111> parallel", "verdict"] == "cannot tell"


def test_a_strip_of_unknown_pixels_is_bridged_but_no_void() -> None:
    pt = along_y(6)
    assert bilayer(grown(pt), pt, gap=2)["pairs"].iloc[0] >= 6
    with pytest.raises(DataError, match="meet nowhere"):
        bilayer(grown(pt), pt, gap=4)


def test_other_crystal_systems_are_refused() -> None:
    seen = dataset(random(4).reshape(2, 2, 4), groups=("6/mmm", "m-3m"))
    label = segment(seen)
    with pytest.raises(DataError, match="'LMNO' is not cubic"):
        interface(seen, label, grain_table(seen, label), "LMNO", "Pt")
