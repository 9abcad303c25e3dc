"""Glass told from empty: lamellae whose truth is known, and real glass."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from lamella_scans import lamella, true_geometry

from liscope.conventions import AMORPHOUS, EMPTY, UNKNOWN
from liscope.diffraction import polar
from liscope.diffraction.beam import beam_centres, drift
from liscope.diffraction.halo import halo, radial_profiles, with_glass
from liscope.diffraction.polar import Geometry
from liscope.diffraction.virtual import ring_means

UNTUNED = [("lmno_pristine", 11), ("lmno_cycled_roi1", 12)]
FIRST = 0.40  # 1/angstrom, where with_glass looks for a halo


def known(truth: xr.Dataset) -> xr.Dataset:
    """Return an orientation map in which the crystals are right and the rest is not known."""
    phase = truth["phase"].where(truth["phase"] >= 0, UNKNOWN)
    return xr.Dataset({"phase": phase, "score": xr.zeros_like(phase, float)})


@pytest.mark.parametrize(("name", "seed"), UNTUNED)
def test_what_is_called_glass_or_empty_is(name: str, seed: int) -> None:
    scan, truth = lamella(name, seed)
    profiles = radial_profiles(scan, drift(beam_centres(scan)), true_geometry())
    found = with_glass(known(truth), profiles)
    for kind in (AMORPHOUS, EMPTY):
        called = found.phase.values == kind
        assert called.sum() > 50
        assert (truth.phase.values[called] == kind).mean() >= 0.95
    left = (truth.phase.values < 0) & (found.phase.values == UNKNOWN)
    assert left.sum() < 0.15 * (truth.phase.values < 0).sum()
    sure = found.glass.values >= 0.5
    between = (truth.phase.values < 0) & np.isfinite(found.glass.values)
    expected = np.where(sure, found.glass, 1 - found.glass)[between].mean()
    right = (np.where(sure, AMORPHOUS, EMPTY) == truth.phase.values)[between].mean()
    assert right > expected - 0.02  # probabilities promise no more than they hold


def test_amorphous_is_not_porous() -> None:
    """The shares that a single lumped number hides, where most of it is glass."""
    scan, truth = lamella(*UNTUNED[1])
    profiles = radial_profiles(scan, drift(beam_centres(scan)), true_geometry())
    found = with_glass(known(truth), profiles).phase.values
    for kind in (AMORPHOUS, EMPTY):
        assert (found == kind).mean() == pytest.approx(
            float((truth.phase == kind).mean()), abs=0.02
        )


def test_one_level_alone_is_not_told() -> None:
    scan, truth = lamella(*UNTUNED[1])
    centres = drift(beam_centres(scan))
    profiles = radial_profiles(scan, centres, true_geometry())
    for kind in (AMORPHOUS, EMPTY):
        only = known(truth)
        # whatever is of the other kind passes for crystal, so that one kind is left
        only["phase"] = only["phase"].where(truth["phase"] == kind, 0)
        # mixed places, where both are, belong to neither
        if kind == AMORPHOUS:
            only["phase"] = only["phase"].where(truth["glass"] > 60, 0)
        else:
            only["phase"] = only["phase"].where(truth["glass"] < 1, 0)
        found = with_glass(only, profiles)
        assert (found.phase.values != kind).all()


def scaled(profile: np.ndarray, radius: np.ndarray, halo_at: float) -> xr.DataArray:
    """Return a profile (1, 1, k) whose halo, at ``halo_at`` px, is put where it is looked for."""
    k = xr.DataArray(radius * FIRST / halo_at, dims="k", attrs={"units": "1/angstrom"})
    return xr.DataArray(profile[None, None], {"k": k}, ("y", "x", "k"))


def peak(profile: np.ndarray, radius: np.ndarray, low: float, high: float) -> float:
    """Return where a profile rises most above a straight line of its logarithm."""
    near = (radius > low) & (radius < high)
    r, value = radius[near], np.log(profile[near])
    line = np.interp(r, r[[0, -1]], value[[0, -1]])
    return float(r[np.argmax(value - line)])


def test_real_glass_has_a_halo(real: Path) -> None:
    """Patterns without a calibration: a halo's shape is tested, not its place.

    The brightest ring of the first is some 85 px from the shadow's tip; silica's first halo lies at
    about 480 points of its profile.
    """
    folder = real / "diffraction" / "pyxem-demos"
    if not (folder / "Amorphous.hspy").is_file():
        pytest.skip("no patterns of real glass")
    with h5py.File(folder / "Amorphous.hspy") as file:
        pattern = file["Experiments/__unnamed__/data"][:].astype(np.float32)
    centre = middle(pattern)
    grid = polar.grid(Geometry(np.eye(2), pattern.shape), 30, 195)
    rings = polar.unrolled(pattern[None], np.array([centre], np.float32), grid)
    profile = ring_means(rings)[0]
    at = peak(profile, grid.radius, 50, 130)
    found = float(halo(scaled(profile, grid.radius, at))[0, 0])
    assert found > 0.1 * np.interp(at, grid.radius, profile)

    with h5py.File(folder / "amorphousSiO2.hspy") as file:
        silica = file["Experiments/__unnamed__/data"][:]
    radius = np.arange(len(silica), dtype=float)
    at = peak(silica, radius, 330, 620)
    found = float(halo(scaled(silica[150:1500], radius[150:1500], at))[0, 0])
    assert found > 0.1 * silica[int(at)]


def test_a_fall_without_a_halo_has_none() -> None:
    radius = np.arange(30.0, 195.0)
    fall = 900 * np.exp(-radius / 40) + 3
    assert abs(float(halo(scaled(fall, radius, 85.0))[0, 0])) < 0.03 * fall[55]


def middle(pattern: np.ndarray) -> tuple[float, float]:
    """Return the middle of the round screen, whose rim the camera sees."""
    lit = pattern > 0.2 * np.median(pattern[pattern > np.quantile(pattern, 0.6)])
    rows, columns = (np.flatnonzero(lit.mean(axis) > 0.2) for axis in (1, 0))
    return (columns[0] + columns[-1]) / 2, (rows[0] + rows[-1]) / 2
