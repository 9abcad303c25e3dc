"""What becomes of candidates: by hand for a few pixels, by truth for a simulated lamella."""

from typing import NamedTuple

import numpy as np
import pytest
import xarray as xr
from drawn_patterns import disorientation, random_orientations
from orix.quaternion import Rotation

from liscope.diffraction import decision
from liscope.diffraction.decision import decide
from liscope.diffraction.library import library
from liscope.diffraction.polar import Geometry
from liscope.diffraction.scan import match
from liscope.diffraction.structures import open_crystal
from liscope.diffraction.templates import Beam
from liscope.specimens import lamella

A, B, C, D = random_orientations(4, 40)
NORM = 1.43
CANDIDATES = 3


class Said(NamedTuple):
    """Candidates of one pixel: orientations, phases and scores."""

    orientation: list[np.ndarray]
    score: list[float]
    phase: tuple[int, ...] = (0, 0, 0)


def matched(said: list[list[Said]]) -> xr.Dataset:
    """Return candidates as the scan gives them."""
    shape = (len(said), len(said[0]))
    orientation = np.full((*shape, CANDIDATES, 4), np.nan)
    phase = np.full((*shape, CANDIDATES), -1, np.int8)
    score = np.zeros((*shape, CANDIDATES), np.float32)
    for y, row in enumerate(said):
        for x, pixel in enumerate(row):
            n = len(pixel.score)
            orientation[y, x, :n] = np.reshape(pixel.orientation, (n, 4))
            phase[y, x, :n], score[y, x, :n] = pixel.phase[:n], pixel.score
    every = ("y", "x", "candidate")
    return xr.Dataset(
        {
            "orientation": ((*every, "quaternion"), orientation.astype(np.float32)),
            "phase": (every, phase),
            "score": (every, score, {"units": "1"}),
            "norm": (every[:2], np.full(shape, NORM, np.float32), {"units": "1"}),
            "phase_name": ("phase_id", ["lmno", "pt"]),
            "point_group": ("phase_id", ["m-3m", "m-3m"]),
            "lattice": (("phase_id", "cell"), np.ones((2, 6)), {"units": "angstrom, degree"}),
        },
        {
            name: (name, np.arange(float(n)), {"units": "nm"})
            for name, n in zip("yx", shape, strict=True)
        },
    )


def sure(q: np.ndarray) -> Said:
    """A pixel that has no doubt."""
    return Said([q, D], [0.6, 0.2])


def torn(wrong: np.ndarray, right: np.ndarray) -> Said:
    """A pixel to which the wrong orientation looks a little better."""
    return Said([wrong, right], [0.400, 0.398])


def away(om: xr.Dataset, y: int, x: int, q: np.ndarray) -> float:
    """Return the angle of the map's orientation to another in degrees."""
    found = om["orientation"].to_numpy()[y, x]
    return float(disorientation(found[None], q[None], open_crystal("lmno"))[0])


def turned(q: np.ndarray, degrees: float) -> np.ndarray:
    """Return an orientation some degrees away, and one that symmetry makes equivalent."""
    tilt = Rotation.from_axes_angles([1, 2, 3], degrees, degrees=True)
    quarter = Rotation.from_axes_angles([0, 0, 1], 90, degrees=True)
    return np.asarray((quarter * Rotation(q) * tilt).data[0])


def test_a_doubtful_pixel_follows_its_grain() -> None:
    grain = [[sure(A) for _ in range(3)] for _ in range(3)]
    grain[0][1] = sure(turned(A, 1.0))  # bent, and written in another of the 24 ways
    grain[1][1] = torn(B, turned(A, 1.0))
    scan = matched(grain)
    alone, together = decide(scan, neighbours=False), decide(scan)
    assert away(alone, 1, 1, B) < 0.01
    assert away(together, 1, 1, A) < 1.01
    assert together["reliability"][1, 1] > 0.7 > alone["reliability"][1, 1]
    assert together["companion_reliability"][1, 1] < alone["companion_reliability"][1, 1]
    companion = together["companion"].to_numpy()[1, 1]
    assert disorientation(companion[None], B[None], open_crystal("lmno"))[0] < 0.01


def test_pixels_that_are_sure_stay_on_both_sides_of_a_boundary() -> None:
    left, right = Said([A, B], [0.6, 0.3]), Said([B, A], [0.6, 0.3])
    om = decide(matched([[left, left, right, right] for _ in range(4)]))
    for y in range(4):
        for x, q in enumerate((A, A, B, B)):
            assert away(om, y, x, q) < 0.01


def test_a_sure_pixel_alone_in_another_grain_stays_as_it_is() -> None:
    grain = [[sure(A) for _ in range(3)] for _ in range(3)]
    grain[1][1] = sure(B)
    om = decide(matched(grain))
    assert away(om, 1, 1, B) < 0.01
    assert away(om, 0, 0, A) < 0.01


def test_neighbours_of_another_grain_change_nothing() -> None:
    grain = [[sure(C) for _ in range(3)] for _ in range(3)]
    grain[1][1] = torn(B, A)
    alone, together = decide(matched(grain), neighbours=False), decide(matched(grain))
    for name in ("orientation", "reliability", "companion_reliability", "phase_reliability"):
        np.testing.assert_allclose(together[name][1, 1], alone[name][1, 1], atol=1e-12)


def test_neighbours_of_another_phase_change_nothing() -> None:
    platinum = Said([A, D], [0.6, 0.2], (1, 1, 1))
    grain = [[platinum for _ in range(3)] for _ in range(3)]
    grain[1][1] = torn(B, A)
    alone, together = decide(matched(grain), neighbours=False), decide(matched(grain))
    np.testing.assert_allclose(
        together["reliability"][1, 1], alone["reliability"][1, 1], atol=1e-12
    )
    assert together["phase"].to_numpy().tolist() == [[1, 1, 1], [1, 0, 1], [1, 1, 1]]


def test_neighbours_beyond_a_few_degrees_are_another_grain() -> None:
    def of(angle: float) -> float:
        grain = [[sure(turned(A, angle)) for _ in range(3)] for _ in range(3)]
        grain[1][1] = torn(B, A)
        return away(decide(matched(grain)), 1, 1, A)

    assert of(2.5) < 0.01
    assert of(3.5) > 5


def test_one_lonely_pixel_believes_its_own_evidence() -> None:
    scores = np.array([0.31, 0.30, 0.24])
    scan = matched([[Said([A, B, C], [*scores], (0, 1, 0))]])
    om = decide(scan, neighbours=False)
    evidence = decision.EVIDENCE * (scores * NORM) ** 2
    odds = np.exp(evidence - evidence[0])
    share = odds / (odds.sum() + np.exp(decision.NONE_OF_THEM))
    assert float(om["reliability"][0, 0]) == pytest.approx(share[0], rel=1e-5)
    assert float(om["companion_reliability"][0, 0]) == pytest.approx(share[1], rel=1e-5)
    assert float(om["phase_reliability"][0, 0]) == pytest.approx(
        (share[0] + share[2]) / share.sum(), rel=1e-5
    )
    assert float(om["score"][0, 0]) == pytest.approx(0.31)
    xr.testing.assert_allclose(decide(scan), om)  # it has no neighbours


def test_what_fits_nothing_is_no_crystal() -> None:
    om = decide(matched([[sure(A), Said([B, C], [0.04, 0.03]), sure(A), Said([], [])]]))
    assert om["phase"].to_numpy().tolist() == [[0, -3, 0, -3]]
    assert np.isnan(om["orientation"].to_numpy()[0, [1, 3]]).all()
    assert np.isfinite(om["orientation"].to_numpy()[0, [0, 2]]).all()
    assert om["crystalline"].to_numpy()[0, 0] > 0.99 > 0.01 > om["crystalline"].to_numpy()[0, 1]
    assert om["phase"].attrs["flag_values"] == [-3, -2, -1]
    assert np.isnan(om["reliability"].to_numpy()[0, [1, 3]]).all()
    assert np.all((om["reliability"][0, ::2] >= 0) & (om["reliability"][0, ::2] <= 1))
    assert om["orientation"].attrs["convention"].startswith("passive, sample to crystal")
    assert "decided with neighbours" in str(om.attrs["history"])


def test_a_blank_pattern_leaves_its_neighbours_alone() -> None:
    grain = [[sure(A) for _ in range(4)] for _ in range(4)]
    grain[1][2] = Said([], [])
    om = decide(matched(grain))
    phase = om["phase"].to_numpy()
    assert phase[1, 2] == -3
    assert np.sum(phase == 0) == 15
    assert np.isnan(om["reliability"][1, 2])
    assert np.sum(om["reliability"].to_numpy() > 0.9) == 15


# --------------------------------------------------------------------------------- a lamella


class Judged(NamedTuple):
    """Pixels of crystals: what probability was stated, and whether it was right."""

    om: xr.Dataset
    stated: np.ndarray
    right: np.ndarray
    empty: np.ndarray


@pytest.fixture(scope="module")
def judged() -> Judged:
    simulated = lamella.simulate("lmno_pristine", seed=7, size=(24, 44))
    true = simulated["truth"].to_dataset()
    angle, oval = np.deg2rad(true.attrs["rotation"]), true.attrs["ellipticity"] / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    camera = Geometry(np.diag([1 + oval, 1 - oval]) @ turn / true.attrs["k_pixel"], (128, 128))
    crystals = [open_crystal("lmno"), open_crystal("pt")]
    scan = simulated["scan"].to_dataset()
    with_centres = true[["centre_x", "centre_y"]]
    om = decide(match(scan, library(crystals, camera, Beam()), with_centres))
    phase, names = true["phase"].to_numpy(), om["phase"].to_numpy()
    both = (phase >= 0) & (names >= 0)
    right = np.zeros(both.sum(), bool)
    for i, crystal in enumerate(crystals):
        of_it = phase[both] == i
        angles = disorientation(
            om["orientation"].to_numpy()[both][of_it],
            true["orientation"].to_numpy()[both][of_it],
            crystal,
        )
        right[of_it] = (angles < 2.5) & (names[both][of_it] == i)
    empty = (phase < 0) & ~(true["thickness"].to_numpy() > 0)
    return Judged(om, om["reliability"].to_numpy()[both], right, empty)


def test_stated_probabilities_are_true(judged: Judged) -> None:
    high = judged.stated >= 0.95
    assert high.mean() > 0.2
    assert judged.right[high].mean() >= 0.9
    assert judged.stated.mean() == pytest.approx(judged.right.mean(), abs=0.1)
    assert judged.right[high].mean() > judged.right[~high].mean() + 0.05


def test_glass_and_pores_are_not_said_to_be_crystals(judged: Judged) -> None:
    assert judged.empty.sum() > 30
    phase = judged.om["phase"].to_numpy()
    assert np.mean(phase[judged.empty] == -3) > 0.9
    assert len(judged.stated) > 0.4 * phase.size
