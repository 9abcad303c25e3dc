"""Orientations between the templates' steps, from patterns that diffsims simulated."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn_patterns import (
    disorientation,
    patterns,
    random_orientations,
    titanium,
    triclinic,
    uranium,
)
from orix.quaternion import Rotation
from scipy.spatial import transform

from liscope.diffraction.index import index
from liscope.diffraction.library import Library, library
from liscope.diffraction.polar import Geometry
from liscope.diffraction.refine import rotated
from liscope.diffraction.structures import Crystal
from liscope.diffraction.templates import Beam

HALF_TURN_ABOUT_X = Rotation([0, 1, 0, 0])
HALF_TURN_ABOUT_Z = Rotation([0, 0, 0, 1])


@pytest.mark.parametrize(("which", "typical"), [(0, 0.15), (1, 0.4)])  # degrees
def test_orientations_are_found_between_the_templates(
    two_phases: Library, which: int, typical: float
) -> None:
    # Platinum shows so few spots that a tilt hardly changes them.
    crystal = two_phases.phases[which].crystal
    true = random_orientations(30, 12 + which)
    found = index(patterns(crystal, true, two_phases.beam, two_phases.geometry), two_phases)
    assert np.all(found.phase[:, 0] == which)
    away = disorientation(found.orientation[:, 0], true, crystal)
    assert np.median(away) < typical
    assert np.mean(away < 1) > (0.9 if which == 0 else 0.6)


def test_a_mirrored_pattern_is_of_a_crystal_turned_over(two_phases: Library) -> None:
    # A mirror at x = 0 leaves the beam's direction; with the inversion of a crystal that has a
    # centre it makes a half turn about x.
    crystal = two_phases.phases[0].crystal
    true = random_orientations(12, 14)
    pictures = patterns(crystal, true, two_phases.beam, two_phases.geometry)
    found = index(np.ascontiguousarray(pictures[:, :, ::-1]), two_phases).orientation[:, 0]
    over = (Rotation(true) * HALF_TURN_ABOUT_X).data
    away = disorientation(found, over, crystal)
    assert np.median(away) < 0.2
    assert np.median(disorientation(found, true, crystal)) > 10


def test_an_oval_turned_camera_off_the_middle_changes_nothing(two_phases: Library) -> None:
    crystal, angle = two_phases.phases[0].crystal, np.deg2rad(17)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    camera = Geometry(np.diag([1.02, 0.98]) @ turn / 0.024, (120, 128))
    templates = library([crystal], camera, Beam(), step=2.0, coarse=3.0)
    true = random_orientations(15, 15)
    pictures = patterns(crystal, true, templates.beam, camera, centre=(65.1, 58.2))
    centres = np.full((15, 2), [65.1, 58.2], np.float32)
    away = disorientation(index(pictures, templates, centres).orientation[:, 0], true, crystal)
    assert np.median(away) < 0.2
    assert np.mean(away < 1) > 0.85


@pytest.mark.parametrize(
    ("make", "pixel", "step"),
    [(titanium, 0.022, 2.0), (uranium, 0.022, 2.0), (triclinic, 0.015, 3.0)],
)
def test_crystals_need_not_be_cubic(
    make: Callable[[Path], Crystal], pixel: float, step: float, tmp_path: Path
) -> None:
    crystal = make(tmp_path)
    camera = Geometry(np.eye(2) / pixel, (128, 128))
    templates = library([crystal], camera, Beam(rod=0.012), step=step, coarse=2 * step)
    true = random_orientations(20, 16)
    found = index(patterns(crystal, true, templates.beam, camera), templates).orientation[:, 0]
    # Without upper Laue zones a half turn about the beam changes little; of that, nothing is said.
    half = (Rotation(true) * HALF_TURN_ABOUT_Z).data
    away = np.minimum(disorientation(found, true, crystal), disorientation(found, half, crystal))
    assert np.median(away) < 0.3
    assert np.mean(away < 2) > 0.8


@pytest.mark.parametrize("angle", [0.0, 1e-5, 1e-3, 0.5, 3.0])
def test_rows_turn_as_scipy_turns_them(angle: float) -> None:
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((2, 3, 7, 3))
    axis = rng.standard_normal((2, 3, 3))
    vector = angle * axis / np.linalg.norm(axis, axis=-1, keepdims=True)
    turns = transform.Rotation.from_rotvec(vector.reshape(-1, 3)).as_matrix().reshape(2, 3, 3, 3)
    expected = np.einsum("nkij,nkmj->nkmi", turns, rows)
    np.testing.assert_allclose(rotated(rows, vector, np), expected, atol=1e-9)
