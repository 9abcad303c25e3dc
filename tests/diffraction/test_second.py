"""Two crystals on top of each other."""

import numpy as np
import pytest
from drawn_patterns import disorientation, patterns, random_orientations

from liscope.diffraction.index import index
from liscope.diffraction.library import Library
from liscope.diffraction.second import index_second
from liscope.diffraction.structures import open_crystal
from liscope.specimens.spot_patterns import MEDIUM, Content, Optics, record

N = 40
CRYSTALS = (open_crystal("lmno"), open_crystal("pt"))


def recorded(layers: int) -> tuple[np.ndarray, np.ndarray]:
    """Return patterns of one or two LMNO crystals of 15 nm, and their orientations (N, 2, 4)."""
    orientation = np.stack([random_orientations(N, 30), random_orientations(N, 31)], axis=1)
    content = Content(
        phase=np.zeros((N, layers), int),
        orientation=orientation[:, :layers],
        thickness=np.full((N, layers), 15.0),
        grain=np.arange(N * layers).reshape(N, layers),
        glass=np.zeros(N),
        window=np.zeros(N),
    )
    rng = np.random.default_rng(6)
    return record(content, CRYSTALS, Optics(), MEDIUM, rng), orientation


def test_the_second_of_two_crystals_is_found(two_phases: Library) -> None:
    pictures, true = recorded(2)
    first = index(pictures, two_phases)
    of_first = np.stack(
        [disorientation(first.orientation[:, 0], true[:, i], CRYSTALS[0]) for i in (0, 1)]
    )
    which = of_first.argmin(axis=0)
    right = of_first.min(axis=0) < 2.5
    assert right.mean() > 0.8
    found = index_second(pictures, two_phases, first.orientation[:, 0], first.phase[:, 0])
    other = np.where(which[:, None] == 0, true[:, 1], true[:, 0])
    away = disorientation(found.orientation[:, 0], other, CRYSTALS[0])
    near = (away < 2.5) & (found.phase[:, 0] == 0)
    assert near[right].mean() > 0.7


def test_a_single_crystal_leaves_nothing_that_fits_as_well(two_phases: Library) -> None:
    one, true = recorded(1)
    two, both = recorded(2)
    kind = np.zeros(N, int)
    left = index_second(one, two_phases, true[:, 0], kind)
    more = index_second(two, two_phases, both[:, 0], kind)
    # what is explained of the squared norm, in which `decide` counts evidence
    of_one = (left.score[:, 0] * left.norm) ** 2
    of_two = (more.score[:, 0] * more.norm) ** 2
    assert np.median(of_one) < 0.4 * np.median(of_two)
    assert np.median(left.score[:, 0]) < 0.8 * np.median(more.score[:, 0])


def test_without_noise_nothing_is_left_of_a_known_crystal(two_phases: Library) -> None:
    true = random_orientations(8, 32)
    pictures = patterns(CRYSTALS[0], true, two_phases.beam, two_phases.geometry)
    whole = index(pictures, two_phases)
    rest = index_second(pictures, two_phases, true, np.zeros(8, int))
    # the outskirts of spots, which no background hides here
    assert np.all(rest.norm**2 < 0.25 * whole.norm**2)


@pytest.mark.parametrize("none", [-1, -3])
def test_without_a_first_crystal_nothing_is_taken_away(two_phases: Library, none: int) -> None:
    pictures, true = recorded(1)
    alone = index(pictures[:8], two_phases)
    found = index_second(pictures[:8], two_phases, true[:8, 0], np.full(8, none))
    np.testing.assert_allclose(found.score, alone.score, atol=1e-6)
    np.testing.assert_allclose(found.norm, alone.norm, rtol=1e-6)
