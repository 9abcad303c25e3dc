"""Templates beside diffsims' own, and the directions of the beam that they cover."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from diffsims.utils.shape_factor_models import lorentzian, lorentzian_precession
from drawn_patterns import random_orientations, spots, titanium, triclinic, uranium
from orix.quaternion import Rotation
from orix.quaternion.symmetry import Oh
from orix.vector import Vector3d

from liscope.diffraction.spots import expected_spots
from liscope.diffraction.structures import Crystal, electron_wavelength, open_crystal
from liscope.diffraction.templates import Beam, Zones, rocked, seen_by, zones
from liscope.diffraction.templates import of as reflections_of

BEAM = Beam(inner=0.1, outer=1.2)


@pytest.fixture(scope="module")
def cubic() -> Zones:
    return zones(open_crystal("lmno"), Beam(outer=1.3))


@pytest.mark.parametrize("precession", [0.0, 0.7, 1.2])
def test_excitation_is_that_of_diffsims_up_to_a_factor(precession: float) -> None:
    away = np.linspace(-0.06, 0.06, 41)[:, None]
    radius = np.linspace(0.05, 1.4, 9)
    beam = Beam(precession=precession, rod=0.008)
    own = rocked(away, radius**2, beam)
    theirs = lorentzian_precession(away, 0.008, radius, np.deg2rad(precession))
    np.testing.assert_allclose(own / theirs, (own / theirs)[20, 0], rtol=1e-6)
    if precession == 0:
        np.testing.assert_allclose(own, np.broadcast_to(lorentzian(away, 0.008), own.shape))


@pytest.mark.parametrize("make", [titanium, uranium, triclinic, lambda _: open_crystal("lmno")])
def test_spots_are_where_diffsims_has_them_and_as_strong(
    make: Callable[[Path], Crystal], tmp_path: Path
) -> None:
    crystal = make(tmp_path)
    for orientation in random_orientations(4, 3):
        ((at, intensity),) = spots(crystal, orientation, BEAM)
        own = expected_spots(crystal, orientation, BEAM)
        away = np.linalg.norm(at, axis=1) > 0.15  # the inner radius is that of the vector
        away &= intensity > 0.003 * intensity[away].max()
        place, share = at[away], intensity[away] / intensity[away].max()
        assert len(place) > 6
        seen = np.stack([own["kx"], own["ky"]], axis=-1)
        nearest = np.linalg.norm(seen[None] - place[:, None], axis=-1)
        assert nearest.min(axis=1).max() < 1e-6
        np.testing.assert_allclose(own["intensity"][nearest.argmin(axis=1)], share, rtol=1e-5)


def test_templates_hold_the_strongest_spots_of_diffsims(cubic: Zones) -> None:
    beam = replace(BEAM, inner=0.15, outer=1.3)
    for zone in (137, 500, 700):  # off the axes, where spots would lie on top of each other
        ((at, intensity),) = spots(cubic.crystal, cubic.orientation[zone], beam)
        outside = np.linalg.norm(at, axis=1) > 0.151
        at, root = at[outside], np.sqrt(intensity[outside])
        own = np.stack([cubic.x[zone], cubic.y[zone]], axis=-1)[cubic.weight[zone] > 0]
        weight = cubic.weight[zone][cubic.weight[zone] > 0]
        assert np.sum(weight**2) == pytest.approx(1)
        distance = np.linalg.norm(own[:, None] - at[None], axis=-1)
        assert distance.min(axis=1).max() < 1e-6
        np.testing.assert_allclose(
            weight / weight.max(), root[distance.argmin(axis=1)] / root.max(), rtol=1e-4
        )
        assert np.all(np.diff(weight) <= 0)


def test_the_beam_goes_the_other_way_than_diffsims(cubic: Zones) -> None:
    # A reflection on the Ewald sphere, whose centre is where the beam comes from (z < 0).
    k = 1 / electron_wavelength(200)
    vector = np.array([0.3, 0.4, np.sqrt(k**2 - 0.25) - k])
    on, off = vector, vector * [1, 1, -1]
    beam = Beam(precession=0.0)
    own = reflections_of(cubic.crystal, beam)._replace(vectors=np.stack([on, off]))
    seen = seen_by(Rotation.identity(), own)[0]
    np.testing.assert_allclose(seen, [on, off])
    away = np.sqrt(k**2 - 0.25) - k - seen[:, 2]
    excited = rocked(away, np.full(2, 0.25), beam)
    assert excited[0] == pytest.approx(1)
    assert excited[1] < 0.5
    assert np.linalg.norm(seen[0] + [0, 0, k]) == pytest.approx(k)


def test_zones_of_a_cubic_crystal_are_those_of_orix_at_one_degree(cubic: Zones) -> None:
    # orix.sampling.get_sample_reduced_fundamental(1, point_group=Oh) has 1081 directions, as the
    # benchmarks of pyxem and of Cautaerts et al. 2022 (10.1016/j.ultramic.2022.113517) have
    assert len(cubic.orientation) == 1081


def directions(zones: Zones) -> np.ndarray:
    """Return the crystal directions along the beam by orix."""
    return np.asarray((Rotation(zones.orientation) * Vector3d.zvector()).data)


def test_every_direction_of_the_beam_has_a_zone_nearby(cubic: Zones) -> None:
    beams = Rotation(random_orientations(2000, 8)) * Vector3d.zvector()
    sector = Oh.fundamental_sector
    reduced = beams.in_fundamental_sector(Oh).data
    assert np.all(np.isfinite(sector.center.data))
    cosine = np.clip(reduced @ directions(cubic).T, -1, 1)
    assert np.rad2deg(np.arccos(cosine.max(axis=1))).max() < 0.75


@pytest.mark.parametrize("make", [titanium, triclinic])
def test_so_has_every_direction_of_crystals_of_lower_symmetry(
    make: Callable[[Path], Crystal], tmp_path: Path
) -> None:
    own = zones(make(tmp_path), Beam(outer=0.6), step=4.0, coarse=8.0)
    beams = (Rotation(random_orientations(1000, 9)) * Vector3d.zvector()).data
    group = own.crystal.phase.point_group.laue
    every = np.concatenate([(g * Vector3d(directions(own))).data.reshape(-1, 3) for g in group])
    nearest = np.rad2deg(np.arccos(np.clip(beams @ every.T, -1, 1).max(axis=1)))
    assert nearest.max() < 3.0


@pytest.mark.parametrize("make", [titanium, triclinic, lambda _: open_crystal("pt")])
def test_the_shares_of_the_coarse_zones_hold_all_zones(
    make: Callable[[Path], Crystal], tmp_path: Path
) -> None:
    own = zones(make(tmp_path), Beam(outer=0.8), step=2.0, coarse=4.0)
    assert set(own.around.ravel().tolist()) == set(range(len(own.orientation)))
    at = directions(own)
    assert len(own.coarse) < len(at) / 2
    apart = np.rad2deg(np.arccos(np.clip(at[own.coarse] @ at[own.coarse].T, -1, 1)))
    np.fill_diagonal(apart, np.inf)
    six = np.sort(apart, axis=1)[:, :6]
    chosen = np.take_along_axis(apart, own.next_to, axis=1)
    np.testing.assert_allclose(np.sort(chosen, axis=1), six, atol=1e-6)


def test_what_a_tilt_may_excite_is_among_the_candidates(cubic: Zones) -> None:
    rng = np.random.default_rng(2)
    seen = 0
    for zone in rng.integers(0, 1081, 20):
        axis = [*rng.standard_normal(2), 0]
        tilt = Rotation.from_axes_angles(axis, 1.4, degrees=True)
        tilted = (Rotation(cubic.orientation[zone]) * tilt).data[0]
        own = expected_spots(cubic.crystal, tilted, Beam(outer=1.3))
        strong = own.isel(spot=own["intensity"] > 0.1)
        kept = cubic.candidates[zone][cubic.strength[zone] > 0]
        hkl = {tuple(row) for row in np.rint(8.16 * kept).astype(int)}
        assert set(zip(*(strong[name].values for name in "hkl"), strict=True)) <= hkl
        seen += strong.sizes["spot"]
    assert seen > 100
