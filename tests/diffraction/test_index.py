"""Phases and orientations of simulated patterns whose truth is known, and of real ones."""

from pathlib import Path
from typing import Any

import array_api_strict
import numpy as np
import pytest
from drawn_patterns import Bench, disorientation

from liscope.data import open_diffraction
from liscope.diffraction.decision import decide
from liscope.diffraction.index import BATCH, DIFFERENT, Candidates, index
from liscope.diffraction.library import Library, library
from liscope.diffraction.polar import Geometry, direct_beam
from liscope.diffraction.scan import match
from liscope.diffraction.structures import Crystal, open_crystal
from liscope.diffraction.templates import Beam


def test_phases_are_told_apart(bench: Bench) -> None:
    crystal = bench.phase >= 0
    assert np.mean(bench.found.phase[crystal, 0] == bench.phase[crystal]) >= 0.99


def test_orientations_are_those_of_the_simulation(bench: Bench) -> None:
    lmno = bench.phase == 0
    away = disorientation(
        bench.found.orientation[lmno, 0], bench.orientation[lmno], open_crystal("lmno")
    )
    assert np.median(away) < 0.45
    assert np.mean(away < 2) >= 0.88


def test_glass_explains_less_than_crystals(bench: Bench) -> None:
    score = bench.found.score[:, 0]
    glass = bench.phase < 0
    assert score[glass].max() < np.percentile(score[~glass], 2)
    explained = score * bench.found.norm
    assert np.median(explained[glass]) < np.median(explained[~glass])


def test_candidates_differ_and_come_in_order(bench: Bench) -> None:
    found = bench.found
    assert np.all(np.diff(found.score, axis=1) <= 0)
    there = found.phase >= 0
    np.testing.assert_array_equal(there, found.score > 0)
    np.testing.assert_array_equal(there, np.isfinite(found.orientation).all(axis=-1))
    np.testing.assert_allclose(np.linalg.norm(found.orientation[there], axis=-1), 1, atol=1e-6)
    for phase, name in enumerate(("lmno", "pt")):
        both = (found.phase[:, 0] == phase) & (found.phase[:, 1] == phase)
        one, two = found.orientation[both, 0], found.orientation[both, 1]
        assert both.sum() > 10
        assert disorientation(one, two, open_crystal(name)).min() > DIFFERENT - 0.01


def test_blocks_of_any_size_give_the_same(two_phases: Library, bench: Bench) -> None:
    few = np.array([0, BATCH - 1, BATCH, 2 * BATCH + 5])
    found = index(bench.patterns[few], two_phases)
    np.testing.assert_array_equal(found.phase[:, 0], bench.found.phase[few, 0])
    np.testing.assert_allclose(found.score, bench.found.score[few], atol=1e-5)


def same(found: Candidates, expected: Candidates) -> None:
    """Candidates are the same but for rounding in single precision."""
    np.testing.assert_allclose(found.score, expected.score, atol=1e-4)
    np.testing.assert_allclose(found.norm, expected.norm, rtol=1e-4)
    np.testing.assert_array_equal(found.phase[:, 0], expected.phase[:, 0])
    cosine = np.abs(np.sum(found.orientation[:, 0] * expected.orientation[:, 0], axis=-1))
    assert np.mean(cosine > 1 - 1e-6) > 0.95  # two that fit alike may change places


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_any_namespace_of_the_array_api_gives_the_same(
    two_phases: Library, bench: Bench, dtype: Any
) -> None:
    strict = two_phases.on(array_api_strict)
    patterns = bench.patterns[:20].astype(dtype)
    found = index(patterns, strict)
    same(found, Candidates(*(part[:20] for part in bench.found)))
    centres = direct_beam(patterns)
    same(index(patterns, strict, centres), index(patterns, two_phases, centres))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_torch_gives_the_same(two_phases: Library, bench: Bench, device: str) -> None:
    torch = pytest.importorskip("torch")
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")
    found = index(bench.patterns[:100], two_phases.on(torch, device))
    same(found, Candidates(*(part[:100] for part in bench.found)))


def test_brightness_does_not_matter(two_phases: Library, bench: Bench) -> None:
    brighter = index(3.0 * bench.patterns[:30].astype(np.float32), two_phases)
    np.testing.assert_allclose(brighter.score, bench.found.score[:30], atol=1e-4)


def test_shot_noise_alone_fits_nothing(two_phases: Library) -> None:
    noise = np.random.default_rng(0).poisson(30, (20, 128, 128)).astype(np.uint8)
    found = index(noise, two_phases)
    assert found.score[:, 0].max() < 0.12


# --------------------------------------------------------------------------------- real patterns

# pyxem 0.21 on the first pattern of subset_data.hspy: direct beam centred by its centre of mass,
# difference of Gaussians (2 and 8 px), 360 azimuths, square roots of intensities; diffsims'
# templates of austenite one degree apart, without precession, excitation error 0.03 1/angstrom.
# Its best template lies as to_vectors() puts it on the picture, with z away from diffsims' Ewald
# sphere, whose centre is on the other side.
PYXEM = np.array([0.59945745, 0.23859286, 0.282534, 0.70985826])


@pytest.fixture(scope="module")
def steel(real: Path) -> Path:
    folder = real / "diffraction" / "cautaerts2022"
    if not folder.is_dir():
        pytest.skip("no patterns of Cautaerts et al. 2022 here")
    return folder


@pytest.fixture(scope="module")
def measured(steel: Path) -> np.ndarray:
    pattern = open_diffraction(str(steel / "subset_data.hspy"))["pattern"]
    return pattern.to_numpy().reshape(4, 256, 256)


def steel_index(patterns: np.ndarray, crystal: Crystal, step: float = 1.0) -> Candidates:
    """Return the candidates of the four patterns, of 0.01261 1/angstrom a pixel."""
    camera = Geometry(np.eye(2) / 0.01261, (256, 256))
    beam = Beam(precession=0.0, rod=0.02)  # nanobeam, no precession
    templates = library([crystal], camera, beam, step=step, coarse=2 * step)
    return index(patterns, templates, direct_beam(patterns, (131, 128)))


def test_neighbours_in_a_real_grain_agree_with_each_other_and_with_pyxem(
    steel: Path, measured: np.ndarray
) -> None:
    austenite = open_crystal(str(steel / "austeniteLP.cif"))
    found = steel_index(measured, austenite)
    first = found.orientation[:, 0]
    pairs = [(i, j) for i in range(4) for j in range(i)]
    one, two = (first[list(k)] for k in zip(*pairs, strict=True))
    assert disorientation(one, two, austenite).max() < 1.5
    assert disorientation(first, np.tile(PYXEM, (4, 1)), austenite).max() < 1.5


def test_another_lattice_fits_worse(steel: Path, measured: np.ndarray, tmp_path: Path) -> None:
    text = (steel / "austeniteLP.cif").read_text()
    assert "3.59000" in text
    scores = []
    for name, cell in (("own", 3.59), ("larger", 3.59 * 1.07), ("smaller", 3.59 / 1.07)):
        path = tmp_path / f"{name}.cif"
        path.write_text(text.replace("3.59000", f"{cell:.5f}"))
        scores.append(steel_index(measured, open_crystal(str(path))).score[:, 0])
    own, *others = scores
    assert own.min() > 1.25 * np.max(others)


def test_the_same_metal_without_its_symmetry_is_found_as_well(
    steel: Path, measured: np.ndarray
) -> None:
    # Copper, 0.9 % larger than austenite, and in a file that gives it the space group P1: beams
    # from half a sphere of directions, and an orientation that is one of 24.
    copper = open_crystal(str(steel / "Cu.cif"))
    assert copper.point_group == "1"
    found = steel_index(measured, copper, step=3.0)
    austenite = open_crystal(str(steel / "austeniteLP.cif"))
    away = disorientation(found.orientation[:, 0], np.tile(PYXEM, (4, 1)), austenite)
    assert np.median(away) < 3


def test_a_phase_that_precipitates_has_its_own_templates(steel: Path) -> None:
    g_phase = open_crystal(str(steel / "g-phaseLP.cif"))
    assert g_phase.point_group == "m-3m"
    vectors, _ = g_phase.reflections(0.6)
    lattice = g_phase.phase.structure.lattice.a
    hkl = np.rint(lattice * vectors).astype(int)
    assert np.all(np.ptp(hkl % 2, axis=1) == 0)  # F m -3 m
    # a cell of 11 angstrom instead of 3.6: many more reflections than austenite
    assert len(vectors) > 10 * len(open_crystal(str(steel / "austeniteLP.cif")).reflections(0.6)[0])


def test_a_real_blockfile_goes_all_the_way(real: Path, steel: Path) -> None:
    path = real / "diffraction" / "rosettasciio" / "test1.blo"
    if not path.is_file():
        pytest.skip("no test1.blo here")
    scan = open_diffraction(str(path))
    assert scan["pattern"].shape == (3, 2, 144, 144)
    camera = Geometry(np.eye(2) / 0.016, (144, 144))
    austenite = open_crystal(str(steel / "austeniteLP.cif"))
    om = decide(match(scan, library([austenite], camera, Beam(), step=2.0, coarse=4.0)))
    assert om["phase"].shape == (3, 2)
    crystal = (om["phase"] >= 0).to_numpy()
    assert np.all(np.isfinite(om["orientation"].to_numpy()[crystal]))
    for name in ("score", "reliability", "crystalline", "phase_reliability"):
        assert np.all((om[name] >= 0) & (om[name] <= 1) | ~crystal)
