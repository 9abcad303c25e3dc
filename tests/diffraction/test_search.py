"""The first search beside a correlation that turns templates step by step."""

import numpy as np
import pytest
from drawn_patterns import disorientation, patterns, random_orientations
from scipy.interpolate import CubicSpline
from scipy.signal import resample
from scipy.spatial.transform import Rotation

from liscope.diffraction import search as searching
from liscope.diffraction.library import DIRECTIONS, HARMONICS, Library
from liscope.diffraction.polar import AZIMUTHS, direct_beam, spots_only, unrolled
from liscope.diffraction.refine import orientation
from liscope.diffraction.search import search, vertex

FINE = 1440  # azimuths, of which both 180 and 96 are divisors


def smoothed(rows: np.ndarray) -> np.ndarray:
    """Return rings (..., FINE) that have the harmonics of the first search only."""
    spectrum = np.fft.rfft(rows, axis=-1)
    spectrum[..., 0] = 0
    spectrum[..., HARMONICS + 1 :] = 0
    return np.asarray(resample(np.fft.irfft(spectrum, AZIMUTHS, axis=-1), FINE, axis=-1))


def turned(rings: np.ndarray, template: tuple[np.ndarray, ...], mirror: int) -> np.ndarray:
    """Return the correlation (DIRECTIONS,) of rings with spots of a template, turn by turn."""
    row, azimuth, weight = template
    angle = np.arange(FINE + 1) * 2 * np.pi / FINE
    curves = CubicSpline(angle, np.append(rings, rings[:, :1], axis=1).T, bc_type="periodic")
    spot = np.arange(len(row))
    out = np.empty(DIRECTIONS)
    for i in range(DIRECTIONS):
        at = (mirror * azimuth + 2 * np.pi * i / DIRECTIONS) % (2 * np.pi)
        out[i] = np.sum(weight * curves(at)[spot, row])
    return out


@pytest.mark.parametrize("which", [0, 1])
def test_correlations_are_those_of_turning_the_template(two_phases: Library, which: int) -> None:
    phase = two_phases.phases[which]
    shells = phase.rows.shape[0]
    rows = np.random.default_rng(0).gamma(0.5, size=(2, shells, AZIMUTHS)).astype(np.float32)
    even, odd = (searching._correlations(rows, two_phases, phase, part, np) for part in (0, 1))
    whole = np.concatenate([even + odd, even - odd])
    assert whole.shape == (DIRECTIONS, 2, 2, phase.around.shape[0])
    zones = nearest_zones(two_phases, which)
    rings = smoothed(rows)
    for pattern, zone in ((0, 3), (1, 40), (1, 77)):
        template = tuple(x[zones[zone]] for x in (phase.row, phase.azimuth, phase.weight))
        for i, mirror in enumerate((1, -1)):
            expected = AZIMUTHS / 2 * turned(rings[pattern], template, mirror)
            found = whole[:, i, pattern, zone]
            np.testing.assert_allclose(found, expected, atol=1e-4 * abs(expected).max())


def nearest_zones(library: Library, which: int) -> np.ndarray:
    """Return which templates the coarse ones are: those that their spectra are the spectra of."""
    phase = library.phases[which]
    real, imaginary = phase.spectrum[0]
    first = (real + 1j * imaginary)[0]  # the second harmonic, (rows, coarse)
    wave = phase.weight * np.exp(-2j * phase.azimuth)
    own = np.zeros((len(phase.row), first.shape[0]), complex)
    np.add.at(own, (np.arange(len(own))[:, None], phase.row), wave)
    apart = np.abs(own[:, None] - first.T[None]).sum(axis=-1)
    assert apart.min(axis=0).max() < 1e-3
    return np.asarray(apart.argmin(axis=0))


@pytest.fixture(scope="module")
def drawn(two_phases: Library) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    true = random_orientations(24, 11)
    crystal = two_phases.phases[0].crystal
    pictures = patterns(crystal, true, two_phases.beam, two_phases.geometry)
    centres = direct_beam(pictures)
    polar, _ = spots_only(unrolled(pictures, centres, two_phases.grid))
    return true, pictures, polar


def test_the_best_candidate_lies_next_to_the_truth(
    two_phases: Library, drawn: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    true, _, polar = drawn
    phase = two_phases.phases[0]
    found = search(polar, two_phases, phase)
    assert found.zone.shape == (24, searching.KEPT)
    first = found.score.argmax(axis=1)[:, None]
    matrix = np.take_along_axis(orientation(phase, found), first[..., None, None], axis=1)[:, 0]
    q = np.roll(Rotation.from_matrix(matrix).as_quat(), 1, axis=-1)
    away = disorientation(q, true, phase.crystal)
    # a degree between zones, one between azimuths; further where a tilt hardly changes the spots
    assert np.median(away) < 0.8
    assert np.mean(away < 2) > 0.9


def test_scores_of_the_search_are_cosines(
    two_phases: Library, drawn: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    found = search(drawn[2], two_phases, two_phases.phases[0])
    wrong = search(drawn[2], two_phases, two_phases.phases[1])
    assert np.all((found.score > 0) & (found.score < 1))
    assert np.all(found.score.max(axis=1) > wrong.score.max(axis=1))
    assert set(np.unique(found.mirror)) == {-1.0, 1.0}


def test_a_parabola_has_its_vertex_where_it_is() -> None:
    place = np.array([1.7, 2.2, 3.0, 0.4])
    curve = 5 - (np.arange(5) - place[:, None]) ** 2
    step = curve.argmax(axis=1)
    shift = vertex(curve, step, np)
    # nothing lies beyond the first step, so that no parabola is put through it
    np.testing.assert_allclose(step + shift, [1.7, 2.2, 3.0, 0.0])
