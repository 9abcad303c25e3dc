"""A lamella's truth is what its settings say, and its patterns are what the truth says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from orix.quaternion import Orientation, Rotation, symmetry
from orix.vector import Miller, Vector3d
from scipy import ndimage
from scipy.spatial import cKDTree
from scipy.stats import gaussian_kde

from liscope import specimens
from liscope.diffraction.structures import open_crystal
from liscope.errors import ParameterError, ReaderError
from liscope.readers import read_diffraction
from liscope.specimens import lamella
from liscope.specimens.columns import PERFECT, PRISTINE, ROI1, ROI2, Film
from liscope.specimens.lamella import IDEAL, LAMELLAE, simulate
from liscope.specimens.textures import ORIGINS

UP = Vector3d((0, -1, 0))
FIELD = (96, 200)  # positions; large enough for shares, small enough for a test


def truth(name: str = "lmno_pristine", seed: int = 1, **film: float) -> xr.Dataset:
    """Return the truth of a lamella, of a perfect one with some defects where they are named."""
    matter = replace(PERFECT, **film) if film else None
    return simulate(name, seed, FIELD, film=matter)["truth"].to_dataset()


def share(found: xr.Dataset, phase: int) -> float:
    return float((found.phase == phase).mean())


def grains(found: xr.Dataset, phase: int = 0) -> xr.Dataset:
    return found.isel(label=np.flatnonzero((found.grain_phase == phase) & ~found.cut))


def turned(quaternions: xr.DataArray) -> Orientation:
    return Orientation(quaternions.to_numpy(), symmetry=symmetry.Oh)


def from_growth(found: xr.Dataset, hkl: tuple[int, int, int]) -> np.ndarray:
    """Return by how many degrees the nearest <hkl> of each grain misses the growth direction."""
    family = Miller(hkl=[hkl], phase=open_crystal("pt").phase).symmetrise(unique=True)
    up = Rotation(found.grain_orientation.to_numpy()) * UP
    cosine = up.unit.data @ family.unit.data.T
    return np.rad2deg(np.arccos(np.clip(cosine.max(1), -1, 1)))


@pytest.fixture(scope="module")
def pristine() -> xr.DataTree:
    """The lamella of the paper's size; its patterns are not simulated."""
    return simulate("lmno_pristine", 0, "paper")


@pytest.fixture(scope="module")
def small() -> xr.DataTree:
    return simulate("lmno_pristine", 4, (40, 48))


# -------------------------------------------------------------------------- the paper's numbers


def test_shares_before_cycling_are_those_of_the_paper(pristine: xr.DataTree) -> None:
    """57 % LMNO, 18 % Pt, 25 % pores or glass, on 1.2 um2 at 2.5 nm."""
    found = pristine["truth"].to_dataset()
    assert share(found, 0) == pytest.approx(0.57, abs=0.02)
    assert share(found, 1) == pytest.approx(0.18, abs=0.01)
    assert share(found, -1) + share(found, -2) == pytest.approx(0.25, abs=0.02)
    assert found.phase.size * 2.5**2 == pytest.approx(1.2e6)
    rows = np.flatnonzero((found.phase == 0).mean("x") > 0.3)
    assert np.ptp(rows) * 2.5 == pytest.approx(460, abs=10)


@pytest.mark.parametrize(
    ("name", "amorphous"), [("lmno_cycled_roi1", 0.5), ("lmno_cycled_roi2", 0.25)]
)
def test_after_cycling_more_is_amorphous_and_half_of_it_in_one_region(
    name: str, amorphous: float
) -> None:
    found = [truth(name, seed) for seed in range(2)]
    assert np.mean([share(one, -1) for one in found]) == pytest.approx(amorphous, abs=0.04)
    assert np.mean([share(one, -2) for one in found]) < 0.18


def mode(diameters: np.ndarray) -> float:
    at = np.linspace(3, 60, 600)
    return float(at[np.argmax(gaussian_kde(diameters)(at))])


def test_most_frequent_diameter_is_20_nm_before_and_10_nm_after_cycling(
    pristine: xr.DataTree,
) -> None:
    before = grains(pristine["truth"].to_dataset()).diameter.to_numpy()
    assert mode(before) == pytest.approx(20, abs=2.5)
    assert np.mean((before > 10) & (before < 40)) > 0.8
    assert (
        abs(np.mean(((np.log(before) - np.log(before).mean()) / np.log(before).std()) ** 3)) < 0.5
    )
    for name in ("lmno_cycled_roi1", "lmno_cycled_roi2"):
        after = grains(truth(name)).diameter.to_numpy()
        assert len(after) > 150 and mode(after) == pytest.approx(10, abs=1.8)


def test_diameter_in_the_table_is_that_of_the_area_in_the_map() -> None:
    found = truth()
    pixels = ndimage.sum_labels(np.ones(FIELD), found.grain, found.label)
    np.testing.assert_allclose(np.pi / 4 * found.diameter**2, pixels * 2.5**2)
    assert pixels.min() >= 4
    pieces = [ndimage.label(found.grain == one)[1] for one in found.label.values[:40]]
    assert set(pieces) == {1}
    ids = found.grain.to_numpy()
    border = np.unique(np.concatenate([ids[0], ids[-1], ids[:, 0], ids[:, -1]]))
    assert set(found.label.values[found.cut]) == set(border) - {0}


# ------------------------------------------------------------------------------------- geometry


def test_same_seed_gives_the_same_lamella_and_another_seed_another() -> None:
    one, same, other = (simulate("lmno_cycled_roi2", seed, (24, 30)) for seed in (5, 5, 6))
    xr.testing.assert_identical(one["truth"].to_dataset(), same["truth"].to_dataset())
    np.testing.assert_array_equal(one["scan"].pattern[:2], same["scan"].pattern[:2])
    assert (one["truth"].phase != other["truth"].phase).any()


def test_a_perfect_film_has_nothing_but_upright_crystals_of_full_thickness() -> None:
    found = truth(above=0.05)
    assert share(found, -1) == 0 and share(found, -2) == pytest.approx(0.05, abs=0.01)
    crystal = found.phase.to_numpy() >= 0
    assert np.all(found.thickness.to_numpy()[crystal] == 100)
    assert np.all(found.second_thickness == 0) and np.all(found.second_phase == -3)
    assert np.all(found.glass == 0)
    surface = np.argmax(found.phase.to_numpy() == 0, axis=0)
    assert np.ptp(surface) == 0
    assert set(np.unique(found.origin)) == {ORIGINS.index("random"), ORIGINS.index("fibre")}
    layer = found.isel(label=np.flatnonzero(found.origin == ORIGINS.index("fibre")))
    assert set(layer.grain_phase.values) == {1} and from_growth(layer, (1, 1, 1)).max() < 1e-4
    inside = found.grain.to_numpy() > 0
    mean = found.grain_orientation.to_numpy()[found.grain.to_numpy()[inside] - 1]
    np.testing.assert_allclose(found.orientation.to_numpy()[inside], mean, atol=1e-12)


@pytest.mark.parametrize("elongation", [1.0, 2.0])
def test_grains_are_elongated_along_the_growth(elongation: float) -> None:
    found = truth(elongation=elongation, spread=0.3)
    ids = grains(found).label.values
    ids = ids[np.isin(ids, found.grain[8:-25])]
    boxes = ndimage.find_objects(found.grain.to_numpy())
    tall, wide = (np.array([np.ptp([box[k].start, box[k].stop]) for box in boxes]) for k in (0, 1))
    ratio = np.exp(np.mean(np.log(tall[ids - 1] / wide[ids - 1])))
    assert ratio == pytest.approx(elongation, rel=0.15)


def test_columns_compete_so_that_grains_are_wider_at_the_surface() -> None:
    def widths(**film: float) -> np.ndarray:
        rows = np.concatenate(
            [truth(seed=seed, **film).grain.to_numpy() for seed in (1, 2)], axis=1
        )
        jumps = (np.diff(rows, axis=1) != 0).mean(1)
        return np.array([1 / jumps[12:24].mean(), 1 / jumps[58:70].mean()])

    even, competing = widths(spread=0.3), widths(spread=0.3, competition=0.6)
    assert competing[0] / competing[1] > 1.25 * even[0] / even[1]


def test_leaning_columns_lie_behind_each_other_at_boundaries_only() -> None:
    found = truth(lean=0.3, elongation=2.0)
    second = found.second_thickness.to_numpy()
    assert 0.05 < (second > 0).mean() < 0.5
    both = second > 0
    assert np.all(found.thickness.to_numpy()[both] >= second[both])
    total = (found.thickness + found.second_thickness).to_numpy()
    np.testing.assert_allclose(total[found.phase.to_numpy() >= 0], 100)
    ids = found.grain.to_numpy()
    rim = ndimage.maximum_filter(ids, 3) != ndimage.minimum_filter(ids, 3)
    assert rim[both].mean() > 0.9 and rim[~both].mean() < 0.5
    assert np.isfinite(found.second_orientation.to_numpy()[both]).all()
    assert np.isnan(found.second_orientation.to_numpy()[~both]).all()


def test_the_thicker_crystal_is_told_also_where_more_is_glass_or_nothing() -> None:
    found = truth("lmno_cycled_roi1")
    most, thicker = found.phase.to_numpy(), found.crystal_phase.to_numpy()
    crystal = most >= 0
    np.testing.assert_array_equal(thicker[crystal], most[crystal])
    np.testing.assert_array_equal(
        found.crystal_orientation.to_numpy()[crystal], found.orientation.to_numpy()[crystal]
    )
    np.testing.assert_array_equal(thicker >= 0, found.thickness.to_numpy() > 0)
    assert (thicker >= 0)[~crystal].any()
    there = np.isfinite(found.crystal_orientation.to_numpy()).all(axis=-1)
    np.testing.assert_array_equal(there, thicker >= 0)


def test_nothing_is_thicker_than_the_lamella() -> None:
    for name in LAMELLAE:
        found = truth(name)
        total = found.thickness + found.second_thickness + found.glass
        assert float(total.max()) <= 100 + 1e-9
        assert float(found.glass.where(found.phase >= 0).min()) >= 6  # the damaged skins
    crystalline, amorphised = (truth(crystallinity=c) for c in (1.0, 0.6))
    ratio = float(amorphised.thickness.max() / crystalline.thickness.max())
    assert ratio == pytest.approx(0.6)
    assert float(amorphised.glass.max()) == pytest.approx(40)


@pytest.mark.parametrize(("defect", "phase"), [("amorphous", -1), ("pores", -2)])
def test_glass_and_pores_take_the_share_of_the_film_that_is_said(defect: str, phase: int) -> None:
    for part in (0.1, 0.3):
        found = truth(**{defect: part, "above": 0.0})
        assert share(found, phase) / 0.82 == pytest.approx(part, abs=0.02)


def test_cracks_run_down_from_the_surface_and_cut_grains() -> None:
    whole, cracked = (truth(cracks=n, above=0.0) for n in (0.0, 20.0))
    open_ = (cracked.phase == -2).to_numpy()
    assert not (whole.phase == -2).any() and open_[0].sum() >= 2 * 10
    assert open_[0].sum() > 1.5 * open_[50].sum() > 0
    assert cracked.sizes["label"] > whole.sizes["label"]


def test_a_film_that_has_come_off_is_not_connected() -> None:
    bound, loose = (truth(detached=part) for part in (0.0, 1.0))
    assert bound.connected.all()
    film = loose.grain_phase == 0
    assert not loose.connected[film].any() and loose.connected[~film].all()
    half = truth(detached=0.5)
    interface = (half.phase == 1).to_numpy().argmax(0)
    above = half.phase.to_numpy()[interface - 1, np.arange(FIELD[1])]
    assert (above == -2).mean() == pytest.approx(0.5, abs=0.05)


def test_surface_and_interface_are_rough() -> None:
    interface = (truth(roughness=3.0).phase == 1).to_numpy().argmax(0) * 2.5
    assert interface.std() == pytest.approx(3.0, rel=0.2)


# --------------------------------------------------------------------------------- orientations


def test_platinum_at_the_interface_has_111_along_the_growth_and_below_it_has_not(
    pristine: xr.DataTree,
) -> None:
    found = pristine["truth"].to_dataset()
    away = from_growth(found, (1, 1, 1))
    first = (found.phase == 1).to_numpy().argmax(0)
    near = np.unique(found.grain.to_numpy()[first + 3, np.arange(800)])
    deep = np.unique(found.grain.to_numpy()[-1])
    assert np.median(away[near - 1]) < 4 and away[near - 1].max() < 15
    assert np.median(away[deep - 1]) > 15


def test_a_share_of_the_film_has_001_along_the_growth(pristine: xr.DataTree) -> None:
    film = grains(pristine["truth"].to_dataset())
    along = from_growth(film, (0, 0, 1)) < 20
    # of random directions, 3 caps of 20 degrees: 6 (1 - cos 20) / 2 = 18 %
    assert along.mean() == pytest.approx(0.25 + 0.75 * 0.18, abs=0.06)
    without = grains(truth(spread=0.4))
    assert (from_growth(without, (0, 0, 1)) < 20).mean() == pytest.approx(0.18, abs=0.08)


def below(found: xr.Dataset, origin: str) -> np.ndarray:
    """Return the disorientation (degrees) of grains of an origin from the platinum they lie on."""
    ids, columns = found.grain.to_numpy(), np.arange(found.sizes["x"])
    first = (found.phase == 1).to_numpy().argmax(0)
    upper, lower = ids[first - 1, columns], ids[first, columns]
    angles = []
    for one in found.label.values[found.origin == ORIGINS.index(origin)]:
        under = lower[upper == one]
        if len(under):
            pair = [
                found.grain_orientation.sel(label=k) for k in (one, np.bincount(under).argmax())
            ]
            angles.append(float(turned(pair[0]).angle_with(turned(pair[1]), degrees=True)[0]))
    return np.array(angles)


def test_epitaxial_grains_continue_the_platinum_or_its_twin(pristine: xr.DataTree) -> None:
    found = pristine["truth"].to_dataset()
    cube, twin = below(found, "epitaxial"), below(found, "epitaxial_twin")
    assert len(cube) > 5 and np.median(cube) < 1 and (cube < 2).mean() > 0.8
    assert len(twin) > 2 and np.abs(twin - 60).max() < 2
    film = found.isel(label=np.flatnonzero(found.origin == ORIGINS.index("epitaxial_twin")))
    assert from_growth(film, (1, 1, 1)).max() < 15  # [111] || [111]
    none = truth(epitaxy=0.0, fibre=0.5)
    assert not np.isin(
        none.origin, [ORIGINS.index("epitaxial"), ORIGINS.index("epitaxial_twin")]
    ).any()


def test_twins_share_a_111_with_the_grain_beside_them_and_are_turned_by_60_degrees() -> None:
    found = truth(twins=0.5, spread=0.3)
    ids = found.grain.to_numpy()
    new = found.label.values[found.origin == ORIGINS.index("twin")]
    assert len(new) > 20
    for one in new[:10]:
        rim = ndimage.binary_dilation(ids == one) & (ids != one) & (ids > 0)
        beside = found.grain_orientation.sel(label=np.unique(ids[rim]))
        own = turned(found.grain_orientation.sel(label=one))
        angles = [own.angle_with(other, degrees=True)[0] for other in turned(beside)]
        assert np.abs(np.array(angles) - 60).min() < 1e-3


def test_orientation_changes_inside_a_grain_by_as_much_as_is_said() -> None:
    found = truth(bending=0.5, spread=0.3)
    ids = found.grain.to_numpy()
    inside = ids > 0
    mean = found.grain_orientation.to_numpy()[ids[inside] - 1]
    cosine = np.abs(np.sum(found.orientation.to_numpy()[inside] * mean, axis=1))
    angle = np.rad2deg(2 * np.arccos(np.clip(cosine, 0, 1)))
    assert np.sqrt(np.mean(angle**2)) == pytest.approx(0.5, rel=0.2)


# ------------------------------------------------------------------------------------- the scan


def test_patterns_do_not_depend_on_the_blocks_they_are_asked_in(
    small: xr.DataTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = small["scan"].pattern[8:11].compute()
    np.testing.assert_array_equal(small["scan"].pattern[10].compute(), whole[2])
    monkeypatch.setattr(lamella, "BLOCK", 2 * 48 * 128**2)
    other = simulate("lmno_pristine", 4, (40, 48))["scan"].pattern
    assert other.chunks[0][0] == 2 and small["scan"].pattern.chunks[0][0] > 2
    np.testing.assert_array_equal(other[8:11].compute(), whole)
    assert (whole[0] != whole[1]).any()


def test_a_scan_looks_like_one_from_a_file_and_is_roughly_calibrated(small: xr.DataTree) -> None:
    scan, found = small["scan"].to_dataset(), small["truth"].to_dataset()
    assert scan.pattern.dims == ("y", "x", "ky", "kx") and scan.pattern.dtype == np.uint8
    assert scan.pattern.shape == (40, 48, 128, 128) and scan.pattern.chunks
    units = {name: scan[name].attrs["units"] for name in scan.dims}
    assert units == {"y": "nm", "x": "nm", "ky": "1/angstrom", "kx": "1/angstrom"}
    assert float(scan.x[1] - scan.x[0]) == pytest.approx(2.5)
    assert (found.k_pixel, found.attrs["rotation"], scan.scan_rotation) == (0.022, 12.0, 12.0)
    for axis in (scan.kx, scan.ky):
        assert float(axis[1] - axis[0]) == pytest.approx(0.022 * 1.02)
        assert float(axis[63] + axis[64]) == pytest.approx(0)
    assert (scan.beam_energy, scan.beam_energy_units, scan.precession_angle) == (200, "kV", 0.7)
    np.testing.assert_array_equal(scan.x, found.x)
    assert not set(scan.data_vars) & set(found.data_vars)


def test_incident_beam_is_where_the_truth_has_it_and_wanders(small: xr.DataTree) -> None:
    found = small["truth"].to_dataset()
    empty = np.argwhere((found.phase == -2).to_numpy()[:5])
    pattern = small["scan"].pattern[:5].compute().to_numpy().astype(float)
    u = np.arange(128)
    missed = []
    for y, x in empty[::3]:
        beam = pattern[y, x] * (np.hypot(u - 64, u[:, None] - 63) < 9)
        seen = (beam * u).sum() / beam.sum(), (beam * u[:, None]).sum() / beam.sum()
        missed.append(np.subtract(seen, (found.centre_x[y, x], found.centre_y[y, x])))
    assert len(missed) > 5 and np.abs(missed).max() < 0.5
    assert np.abs(np.mean(missed, 0)).max() < 0.15
    drift = float(found.centre_x[:, -1].mean() - found.centre_x[:, 0].mean())
    assert drift == pytest.approx(1.2, abs=0.1)


def test_spots_are_where_the_true_orientations_and_calibration_put_them() -> None:
    """Every bright spot is a reflection of one of the crystals at the place, to within a pixel."""
    tool = replace(lamella.Scan(), camera=replace(lamella.Scan().camera, count=0, background=0))
    tree = simulate("lmno_pristine", 2, (24, 32), replace(tool, window=0.0))
    found, pattern = tree["truth"].to_dataset(), tree["scan"].pattern[4::6].compute().to_numpy()
    angle, size = np.deg2rad(found.attrs["rotation"]), found.k_pixel
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    stretch = 1 + np.array([0.5, -0.5]) * found.ellipticity
    miller = [Miller.from_min_dspacing(open_crystal(n).phase, 0.66).data for n in ("lmno", "pt")]
    checked = 0
    for row, y in enumerate(range(4, 24, 6)):
        for x in np.flatnonzero(found.phase[y] >= 0)[::4]:
            here = found.isel(y=y, x=x)
            predicted = []
            for phase, orientation in (
                (here.phase, here.orientation), (here.second_phase, here.second_orientation)
            ):  # fmt: skip
                if phase >= 0:
                    g = (~Rotation(orientation.to_numpy()) * Vector3d(miller[int(phase)])).data
                    g = g[np.abs(g[:, 2]) < 0.1]
                    predicted.append((g[:, :2] @ turn.T) * stretch / size)
            tree_ = cKDTree(np.concatenate(predicted) + np.array([here.centre_x, here.centre_y]))
            one = pattern[row, x].astype(float)
            top = (ndimage.maximum_filter(one, 7) == one) & (one > 60) & (one < 255)
            v, u = np.nonzero(top)
            outer = np.hypot(u - 64, v - 63) > 10
            if outer.any():
                assert tree_.query(np.stack([u, v], 1)[outer])[0].max() < 1.0
                checked += int(outer.sum())
    assert checked > 60


def test_crystals_show_spots_glass_a_halo_and_pores_only_the_window() -> None:
    tree = simulate("lmno_cycled_roi1", 0, (32, 40))
    phase = tree["truth"].phase.to_numpy()
    pattern = tree["scan"].pattern.compute().to_numpy()[:, :, 20:108, 20:108].astype(float)
    away = np.hypot(*(np.indices((88, 88)) - 43.5))
    ring = np.abs(away * 0.022 - 0.4) < 0.03
    halo = pattern[..., ring].mean(-1)
    assert np.median(halo[phase == -1]) > 1.3 * np.median(halo[phase == 0])
    assert np.median(halo[phase == -2]) < 0.25 * np.median(halo[phase == 0])
    crest = pattern[..., (away > 24) & (away < 40)].max(-1)
    assert np.median(crest[phase == 0]) > 1.2 * np.median(crest[phase == -2])
    beam = pattern[..., away < 3].mean(-1)
    assert np.median(beam[phase == -2]) > np.median(beam[phase == 1])


def test_paper_size_is_lazy(pristine: xr.DataTree) -> None:
    pattern = pristine["scan"].pattern
    assert pattern.shape == (240, 800, 128, 128) and pattern.chunks[0][0] < 3
    assert pattern[100, 400:402].shape == (2, 128, 128)


def test_every_defect_of_the_scan_is_off_in_the_ideal_one() -> None:
    found = simulate("lmno_pristine", 0, (20, 24), IDEAL)
    attrs = found["truth"].attrs
    assert attrs["rotation"] == 0 and attrs["ellipticity"] == 0
    assert np.all(found["truth"].centre_x == 63.5) and np.all(found["truth"].centre_y == 63.5)
    assert float(found["scan"].kx[1] - found["scan"].kx[0]) == pytest.approx(0.022)
    again = found["scan"].pattern[18].compute()
    np.testing.assert_array_equal(again, found["scan"].pattern[18].compute())
    assert (again[..., 0, 0] == 1).all()  # neither noise nor background
    assert Film() == PRISTINE and ROI1 != ROI2


# ------------------------------------------------------------------------- by its name, as a file


def test_a_lamella_has_its_name_and_seed() -> None:
    assert specimens.check("lmno_cycled_roi1#12/scan") == ("lmno_cycled_roi1", 12, "scan")
    assert set(LAMELLAE) <= set(specimens.SPECIMENS)
    scan = specimens.measurement("lmno_cycled_roi2#3/scan")
    assert scan.pattern.shape == (72, 96, 128, 128)
    expected = simulate("lmno_cycled_roi2", 3)["truth"].to_dataset()
    xr.testing.assert_identical(specimens.truth("lmno_cycled_roi2#3/scan"), expected)
    with pytest.raises(ReaderError, match="'before'"):
        specimens.measurement("lmno_pristine/before")
    with pytest.raises(ParameterError, match="lmno_pristine"):
        simulate("lmno")
    with pytest.raises(ParameterError, match="paper"):
        simulate("lmno_pristine", size="huge")


def test_a_lamella_written_as_a_blockfile_is_read_as_it_was(tmp_path: Path) -> None:
    lamella.write("lmno_pristine", tmp_path / "one.blo", (12, 16), 3)
    read, made = (
        read_diffraction(tmp_path / "one.blo"),
        simulate("lmno_pristine", 3, (12, 16))["scan"],
    )
    np.testing.assert_array_equal(read.pattern, made.pattern)
    np.testing.assert_allclose(read.kx, made.kx, rtol=1e-3)
    for name in ("beam_energy", "camera_length", "scan_rotation", "precession_angle"):
        assert read.attrs[name] == made.attrs[name]
