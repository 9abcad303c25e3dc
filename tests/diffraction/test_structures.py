"""Crystals: reflection conditions and structure factors as textbooks have them."""

from pathlib import Path

import numpy as np
import pytest
from diffsims.utils.lobato_scattering_params import ATOMIC_SCATTERING_PARAMS_LOBATO
from drawn_patterns import crystal, titanium, triclinic
from orix.vector import Miller

from liscope.diffraction.structures import Crystal, electron_wavelength, open_crystal
from liscope.errors import ReaderError


@pytest.mark.parametrize(("voltage", "wavelength"), [(100, 3.701), (200, 2.508), (300, 1.969)])
def test_electrons_have_the_wavelength_of_textbooks(voltage: float, wavelength: float) -> None:
    # in pm; Williams and Carter, Transmission Electron Microscopy, 2009, table 1.2
    assert 100 * electron_wavelength(voltage) == pytest.approx(wavelength, abs=0.001)


def test_a_spinel_has_the_reflections_of_its_space_group() -> None:
    lmno = open_crystal("lmno")
    assert (lmno.name, lmno.point_group) == ("lmno", "m-3m")
    assert lmno.volume == pytest.approx(8.16**3)
    vectors, factors = lmno.reflections(1.0)
    hkl = np.rint(8.16 * vectors).astype(int)
    np.testing.assert_allclose(hkl / 8.16, vectors, atol=1e-9)
    # International Tables A, Fd-3m: hkl all odd or all even; 0kl with k + l = 4n; h00 with h = 4n
    assert np.all(np.ptp(hkl % 2, axis=1) == 0)
    for axis in range(3):
        others = np.delete(hkl[hkl[:, axis] == 0], axis, axis=1)
        assert np.all(others.sum(axis=1) % 4 == 0)
    assert np.linalg.norm(vectors, axis=1).max() <= 1.0
    # {111} is the strongest beside {400} and {440}, and nothing seen in spinels is missing
    seen = {tuple(sorted(abs(row), reverse=True)) for row in hkl}
    assert {(1, 1, 1), (2, 2, 0), (3, 1, 1), (4, 0, 0), (3, 3, 1), (5, 1, 1), (4, 4, 0)} <= seen
    family = np.sort(abs(hkl), axis=1)[:, ::-1]
    assert len(set(np.round(abs(factors[np.all(family == (3, 1, 1), axis=1)]), 6))) == 1


def test_a_face_centred_metal_has_unmixed_indices_only() -> None:
    vectors, factors = open_crystal("pt").reflections(1.2)
    lattice = 1 / (np.linalg.norm(vectors, axis=1).min() / np.sqrt(3))
    assert lattice == pytest.approx(3.92, abs=0.01)  # platinum
    hkl = np.rint(lattice * vectors).astype(int)
    assert np.all(np.ptp(hkl % 2, axis=1) == 0)
    for radius in np.unique(np.round(np.linalg.norm(vectors, axis=1), 6)):
        alike = np.isclose(np.linalg.norm(vectors, axis=1), radius)
        assert np.ptp(abs(factors[alike])) < 1e-6


def miller(crystal: Crystal, vectors: np.ndarray) -> np.ndarray:
    """Return the indices of reciprocal vectors by orix."""
    return np.asarray(Miller(xyz=vectors, phase=crystal.phase).hkl)


def lobato(element: str, g: np.ndarray) -> np.ndarray:
    """Lobato and Van Dyck, Acta Cryst. A70 (2014) 636, eq. 17."""
    a, b = np.array(ATOMIC_SCATTERING_PARAMS_LOBATO[element]).T
    g2 = g[:, None] ** 2
    return np.asarray((a * (2 + b * g2) / (1 + b * g2) ** 2).sum(axis=1))


def test_close_packed_planes_interfere_as_two_atoms_do(tmp_path: Path) -> None:
    metal = titanium(tmp_path)
    assert metal.point_group == "6/mmm"
    vectors, factors = metal.reflections(1.2)
    h, k, l = miller(metal, vectors).T  # noqa: E741
    # |F|^2 = 4 f^2 cos^2(pi ((h + 2k) / 3 + l / 2)), Cullity, Elements of X-ray Diffraction, 4-6
    expected = 2 * abs(np.cos(np.pi * ((h + 2 * k) / 3 + l / 2)))
    assert expected.min() > 0.9  # 00l with odd l and their like are extinct
    ratio = abs(factors) / lobato("Ti", np.linalg.norm(vectors, axis=1)) / expected
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)


def test_a_cell_in_another_setting_keeps_its_own_glide_plane(tmp_path: Path) -> None:
    atoms = [("Mn", 0.11, 0.23, 0.37), ("O", 0.31, 0.43, 0.17)]
    lattice = (5.1, 6.2, 7.3, 90, 99, 90)
    turned = ("x,y,z", "1/2-x,1/2+y,1/2-z", "-x,-y,-z", "1/2+x,1/2-y,1/2+z")
    cell = crystal(tmp_path, "other", ("P 1 21/n 1", 14), lattice, atoms, turned)
    vectors, _ = cell.reflections(0.8)
    hkl = np.rint(miller(cell, vectors)).astype(int)
    in_plane = hkl[hkl[:, 1] == 0]
    # International Tables A, P2_1/n: h0l with h + l = 2n; the standard P2_1/c would have l = 2n
    assert np.all((in_plane[:, 0] + in_plane[:, 2]) % 2 == 0)
    assert np.any(in_plane[:, 2] % 2 == 1)
    assert np.all(hkl[np.all(hkl[:, [0, 2]] == 0, axis=1), 1] % 2 == 0)


def test_a_crystal_without_symmetry_obeys_friedel(tmp_path: Path) -> None:
    vectors, factors = triclinic(tmp_path).reflections(0.8)
    order = np.lexsort(np.round(vectors, 6).T)
    back = np.lexsort(np.round(-vectors, 6).T)
    np.testing.assert_allclose(vectors[order], -vectors[back], atol=1e-9)
    np.testing.assert_allclose(abs(factors[order]), abs(factors[back]), rtol=1e-9)


def test_what_is_no_crystal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match="no crystal 'unobtainium'; there are lmno, pt, or give"):
        open_crystal("unobtainium")
    (tmp_path / "empty.cif").write_text("nothing\n")
    with pytest.raises(ReaderError, match=r"empty\.cif: "):
        open_crystal("empty.cif", tmp_path)


def test_a_file_without_a_space_group_is_refused(tmp_path: Path) -> None:
    named = crystal(tmp_path, "named", ("P 1", 1), (4, 4, 4, 90, 90, 90), [("Fe", 0, 0, 0)])
    kept = [line for line in named.path.read_text().splitlines() if "space_group" not in line]
    other = tmp_path / "unnamed.cif"
    other.write_text("\n".join(kept) + "\n")
    with pytest.raises(ReaderError, match=r"unnamed\.cif: "):
        open_crystal(str(other))
