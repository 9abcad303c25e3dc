"""Orientation maps: known ones of each format, real ones, and the way to orix and back.

What files hold comes from their SOURCES.md, from their own lines, or from orix 0.15.
"""

import io
import json

import h5py
import numpy as np
import orix.io
import pytest
import synthetic_diffraction as files
import xarray as xr
from orix.crystal_map import CrystalMap, Phase, PhaseList
from orix.quaternion import Rotation
from orix.vector import Vector3d

from liscope import data
from liscope.errors import DataError, ReaderError
from liscope.readers import (
    from_crystal_map,
    read_orientations,
    read_scan,
    to_crystal_map,
    write_orientations,
)
from liscope.units import to_units

SHAPE = (files.NY, files.NX)


@pytest.fixture
def opened(tmp_path):
    def opened(raw: bytes, name: str):
        (tmp_path / name).write_bytes(raw)
        return read_orientations(tmp_path / name)

    return opened


def apart(one: xr.DataArray, other: np.ndarray) -> float:
    """The largest angle between two maps of orientations, degrees; where both have some."""
    dot = np.abs(np.nansum(one.values * other, axis=-1))
    has = np.isfinite(one.values).all(-1) & np.isfinite(other).all(-1)
    return float(np.rad2deg(2 * np.arccos(np.clip(dot[has], 0, 1))).max())


def known(euler: np.ndarray = files.EULER) -> np.ndarray:
    """Bunge's Euler angles as unit quaternions: Z(phi1), X(Phi), Z(phi2), as passive rotations."""
    first, middle, last = (euler / 2).T
    both, differ = first + last, first - last
    w = np.cos(middle) * np.cos(both)
    x, y = -np.sin(middle) * np.cos(differ), -np.sin(middle) * np.sin(differ)
    z = -np.cos(middle) * np.sin(both)
    return np.stack([w, x, y, z], -1).reshape(*SHAPE, 4)


EXPECTED_PHASE = np.where(files.PHASE > 0, files.PHASE - 1, -3).reshape(SHAPE)


# ---------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("name", ["a.ctf", "a.ang", "a.h5"])
def test_one_data_model(opened, tmp_path, name):
    raw = {"a.ctf": files.ctf(), "a.ang": files.ang(), "a.h5": files.orix_h5()}[name]
    found = opened(raw, name)
    step = {"a.ctf": 2.7, "a.ang": 1500.0, "a.h5": 2.5}[name]
    np.testing.assert_allclose(found.x, step * np.arange(4), rtol=1e-9)
    np.testing.assert_allclose(found.y, step * np.arange(3), rtol=1e-9)
    assert found.x.units == found.y.units == "nm" and to_units(found.x, "um").max() > 0
    np.testing.assert_array_equal(found.phase, EXPECTED_PHASE)
    assert found.phase.dtype == np.int8 and found.orientation.dtype == np.float64
    assert list(found["quaternion"].values) == ["w", "x", "y", "z"]
    np.testing.assert_array_equal(np.isnan(found.orientation).all("quaternion"), found.phase < 0)
    assert apart(found.orientation, known()) < 2e-3
    assert "passive, sample to crystal" in found.attrs["convention"]
    assert found.attrs["source"] == name and isinstance(json.loads(found.attrs["metadata"]), dict)
    assert f"read from {name} by liscope.readers." in found.orientation.attrs["history"]
    found.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "a.nc", engine="h5netcdf"), found)


def test_astar_columns(opened):
    found = opened(files.ctf(), "a.ctf")
    assert list(found.phase_name.values) == ["Fe Austenite", "alpha Ti"]
    assert list(found.point_group.values) == ["m-3m", "6/mmm"]
    assert list(found.space_group.values) == [225, 194]
    np.testing.assert_allclose(found.lattice[1], [2.95, 2.95, 4.68, 90, 90, 120])
    np.testing.assert_array_equal(found.astar_index.values.ravel(), files.INDEX)
    np.testing.assert_array_equal(found.astar_reliability.values.ravel(), np.arange(12))
    np.testing.assert_allclose(found.score, found.astar_index / 100)
    assert "no probability" in found.astar_reliability.attrs["comment"]
    assert "reliability" not in found  # that is a probability here
    plain = opened(files.ctf(astar=False), "b.ctf")
    assert {"MAD", "BC", "BS"} < set(plain) and "score" not in plain


def test_coordinates_with_few_digits_are_made_even(opened):
    """ASTAR rounds 1.92 nm a step to 0.0019, 0.0038, 0.0058 um."""
    found = opened(files.ctf(spacing=0.00192), "a.ctf")
    np.testing.assert_allclose(found.x, 1.92 * np.arange(4), atol=0.1)
    np.testing.assert_allclose(np.diff(found.x, 2), 0, atol=1e-12)


def test_ang_phases_are_told_by_their_numbers(opened):
    """The header lists phase 2 first, as EDAX does."""
    found = opened(files.ang(), "a.ang")
    assert list(found.phase_name.values) == ["Titanium", "Nickel"]
    assert list(found.point_group.values) == ["622", "432"]
    np.testing.assert_allclose(found.lattice[:, 2], [4.68, 3.52])


@pytest.mark.parametrize(
    ("raw", "name", "words"),
    [
        (files.ctf(points=11), "a.ctf", "declares 4 x 3 points but holds 11"),
        (files.ctf(phases=1), "a.ctf", "has points of phase 2, which its header does not list"),
        (files.ctf(phases=3), "a.ctf", "declares 3 phases but lists 2"),
        (files.ctf(phases=99), "a.ctf", "declares 99 phases"),
        (
            files.ctf().replace(b"XCells\t4", b"XCells\t99999"),
            "a.ctf",
            "declares an image of 99999",
        ),
        (files.ctf().replace(b"XCells\t4", b"XCells\t6000"), "a.ctf", "declares 6000 x 3 points"),
        (
            files.ctf().replace(b"\t0.0081\t", b"\t0.0011\t"),
            "a.ctf",
            "has points on no rectangular grid",
        ),
        (files.ctf().replace(b"3.5910;", b"0;"), "a.ctf", "has a phase 'Fe Austenite' that is non"),
        (files.ctf()[:200], "a.ctf", "has no line of headings"),
        (files.ang(points=11), "a.ang", "declares 4 x 3 points but holds 11"),
        (files.ang("HexGrid"), "a.ang", "has a hexagonal grid; resample it"),
        (files.ang().replace(b" 4.5", b" 4.1"), "a.ang", "has points on no rectangular grid"),
        (b"\x89HDF\r\n\x1a\n", "a.h5", "is damaged or no orix .h5 file"),
        (files.hspy(files.patterns()), "a.h5", "is no map that orix wrote"),
        (b"# nothing\n", "a.ang", "is damaged or no .ang file"),
        (b"something", "a.txt", "is none of the known orientation map formats"),
    ],
)
def test_what_is_wrong_with_a_file(opened, raw, name, words):
    with pytest.raises(ReaderError) as caught:
        opened(raw, name)
    assert words in str(caught.value) and str(caught.value).startswith(f"'{name}'")
    assert "\n" not in str(caught.value)


def test_names_in_another_encoding(opened):
    raw = files.ctf().replace(b"alpha Ti", "\u03b1 Ti".encode("iso-8859-7"))
    assert opened(raw, "a.ctf").phase_name.values[1].endswith(" Ti")


def test_hostile_hdf5(opened):
    memory = io.BytesIO(files.orix_h5())
    with h5py.File(memory, "r+") as file:
        del file["crystal_map/data/x"]
        file["crystal_map/data/x"] = h5py.ExternalLink("/etc/hostname", "/")
    with pytest.raises(ReaderError, match="points to other files"):
        opened(memory.getvalue(), "a.h5")
    with h5py.File(memory, "r+") as file:
        del file["crystal_map/data/x"]
        file["crystal_map/data"].create_dataset("x", (1 << 40,), "f8", chunks=(1 << 10,))
    with pytest.raises(ReaderError, match="declares 8796093022208 bytes"):
        opened(memory.getvalue(), "a.h5")


def test_nothing_is_printed(opened, capfd):
    opened(files.ang(), "a.ang")
    assert capfd.readouterr() == ("", "")


# --------------------------------------------------------------------------------- real maps


def test_real_steel(real):
    path = real / "diffraction" / "orix-data" / "sdss_ferrite_austenite.ang"
    found = read_orientations(path)
    assert found.phase.shape == (100, 117)
    assert list(found.phase_name.values) == ["austenite/austenite", "ferrite/ferrite"]
    assert [int((found.phase == i).sum()) for i in (0, 1)] == [5657, 6043]
    assert (found.dp >= 0.776).all() and (found.dp <= 0.842).all()
    np.testing.assert_allclose(found.y[[0, -1]], [0, 148_500])
    peer = orix.io.load(path, autogen_names=False)
    assert apart(found.orientation, peer.rotations.data.reshape(100, 117, 4)) < 1e-5


def test_real_astar_map(real):
    found = read_orientations(real / "diffraction" / "cautaerts2022" / "astar_g.ctf")
    assert found.phase.shape == (200, 260) and (found.phase == 1).all()
    assert list(found.phase_name.values) == ["Fe Austenite", "g-phase"]
    np.testing.assert_allclose(found.lattice[:, 0], [3.591, 11.154])
    np.testing.assert_allclose(np.diff(found.x), 5.0)  # 0.001 um in the header is wrong
    np.testing.assert_allclose(found.y[-1], 995)
    # the file's second line of points: 80.00 152.46 237.67  0.2500 14 55
    angles = np.deg2rad([[80.00, 152.46, 237.67]] * 12)
    dot = float(np.abs(found.orientation[0, 1].values @ known(angles)[0, 0]))
    assert dot == pytest.approx(1, abs=1e-12)
    assert float(found.astar_reliability[0, 1]) == 25 and float(found.astar_index[0, 1]) == 14
    assert float(found.astar_reliability.max()) == 51


# ------------------------------------------------------------------------------ orix and back


def example(units: str = "nm") -> xr.Dataset:
    """A map with everything: all kinds of points, a phase without any, an origin, properties."""
    rng = np.random.default_rng(1)
    orientation = rng.normal(size=(3, 4, 4))
    orientation /= np.linalg.norm(orientation, axis=-1, keepdims=True)
    phase = np.array([[0, 0, 2, 2], [2, -1, -2, -3], [0, 2, 2, 0]], np.int8)
    orientation[phase < 0] = np.nan
    orientation[2, 3] = np.nan  # its phase is known, its orientation is not
    lattice = [[3.9, 3.9, 3.9, 90, 90, 90], [4, 4, 6, 90, 90, 120], [np.nan] * 6]
    return xr.Dataset(
        {
            "orientation": (("y", "x", "quaternion"), orientation),
            "phase": (("y", "x"), phase),
            "phase_name": ("phase_id", ["Pt", "unseen", "LMNO"]),
            "point_group": ("phase_id", ["m-3m", "6/mmm", "432"]),
            "space_group": ("phase_id", [225, 0, 212]),
            "lattice": (("phase_id", "cell"), lattice),
            "score": (("y", "x"), rng.uniform(size=(3, 4))),
            "reliability": (("y", "x"), rng.uniform(size=(3, 4))),
            "spots": (("y", "x"), rng.integers(0, 50, (3, 4))),
        },
        {
            "y": ("y", 7.5 + 2.5 * np.arange(3), {"units": units}),
            "x": ("x", 1.25 + 2.5 * np.arange(4), {"units": units}),
            "quaternion": ["w", "x", "y", "z"],
            "cell": ["a", "b", "c", "alpha", "beta", "gamma"],
        },
    )


@pytest.mark.parametrize("units", ["nm", "pixel"])
def test_to_orix_and_back_without_loss(units):
    one = example(units)
    back = from_crystal_map(to_crystal_map(one))
    xr.testing.assert_allclose(back, one, rtol=1e-12)
    np.testing.assert_allclose(back.orientation, one.orientation, rtol=0, atol=3e-16)
    assert set(back) == set(one) and back.x.units == units
    for name in one.data_vars:
        assert back[name].dtype.kind == one[name].dtype.kind, name
    assert back.phase.dtype == np.int8 and back.spots.dtype == one.spots.dtype


def test_what_orix_makes_of_a_map():
    """orix's own turning of a vector is that of the convention: v_crystal = O v_sample."""
    one = example()
    xmap = to_crystal_map(one)
    assert xmap.shape == (3, 4) and xmap.dx == 2.5 and xmap.scan_unit == "nm"
    assert [phase.name for _, phase in xmap.phases] == ["not_indexed", "Pt", "unseen", "LMNO"]
    assert xmap.phases["LMNO"].space_group.number == 212
    np.testing.assert_array_equal(xmap.is_indexed.reshape(3, 4), one.orientation[..., 0].notnull())
    w, x, y, z = one.orientation.values[0, 2]
    # of the rotation matrix of a unit quaternion: its third column, where the beam points to
    beam = [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)]
    np.testing.assert_allclose((xmap.rotations[2] * Vector3d.zvector()).data[0], beam, atol=1e-12)


def test_from_orix_with_many_solutions_and_a_mask():
    rotations = Rotation.random((12, 3))
    y, x = np.divmod(np.arange(12), 4)
    xmap = CrystalMap(
        rotations,
        np.full(12, 5),
        x=0.5 * x,
        y=0.5 * y,
        phase_list=PhaseList([Phase("a", point_group="m-3m")], ids=[5]),
        prop={"scores": np.arange(36.0).reshape(12, 3), "phase": np.arange(12)},
        scan_unit="um",
    )
    found = from_crystal_map(xmap)
    np.testing.assert_allclose(found.orientation.values.reshape(12, 4), rotations[:, 0].data)
    np.testing.assert_array_equal(found.scores.values.ravel(), np.arange(0, 36, 3))
    np.testing.assert_array_equal(found["phase_"].values.ravel(), np.arange(12))
    np.testing.assert_allclose(found.x, [0, 500, 1000, 1500])
    assert np.isnan(found.lattice).all() and int(found.space_group[0]) == 0
    masked = from_crystal_map(xmap[xmap.scores[:, 0] != 15])
    assert int(masked.phase[1, 1]) == -3 and int((masked.phase == 0).sum()) == 11
    assert np.isnan(masked.scores[1, 1]) and float(masked.scores[2, 3]) == 33


def test_maps_of_one_line_and_one_point():
    for cut in ({"y": [1]}, {"x": [0]}, {"y": [0], "x": [0]}):
        one = example().isel(cut)
        xr.testing.assert_allclose(from_crystal_map(to_crystal_map(one)), one)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.drop_vars("phase"), "has no 'phase'"),
        (lambda d: d.isel(x=[0, 1, 3]), "'x' has no even steps"),
        (lambda d: d.assign(phase=d.phase + 1), "'phase' holds 3"),
        (lambda d: d.assign_coords(x=d.x.values), "'x' has no units"),
    ],
)
def test_what_is_no_map_is_refused(change, words):
    with pytest.raises(DataError, match=words):
        to_crystal_map(change(example()))


def test_hexagonal_grids_are_refused():
    y, x = np.divmod(np.arange(12), 4)
    with pytest.raises(DataError, match="resample hexagonal"):
        from_crystal_map(CrystalMap(Rotation.random(12), x=x + 0.5 * (y % 2), y=0.866 * y))


# ---------------------------------------------------------------------------------- writing


@pytest.mark.filterwarnings("ignore:Setting space group")
@pytest.mark.parametrize(("suffix", "degrees"), [(".h5", 1e-5), (".ang", 2e-3), (".ctf", 2e-4)])
def test_orix_reads_what_is_written(tmp_path, suffix, degrees):
    """Orientations within what is printed: 1e-5 rad in three angles, 1e-4 degrees, all digits."""
    one, path = example(), tmp_path / f"a{suffix}"
    write_orientations(one, path)
    xmap = orix.io.load(path)
    assert xmap.shape == (3, 4)
    scale = 1.0 if suffix == ".h5" else 1e3
    np.testing.assert_allclose(scale * xmap.x.reshape(3, 4)[0], one.x - one.x[0], atol=1e-9)
    np.testing.assert_allclose(scale * xmap.y.reshape(3, 4)[:, 0], one.y - one.y[0], atol=1e-9)
    indexed = one.orientation[..., 0].notnull().values
    np.testing.assert_array_equal(xmap.is_indexed.reshape(3, 4), indexed)
    names = np.array([xmap.phases[i].name if i >= 0 else "" for i in xmap.phase_id]).reshape(3, 4)
    expected = np.where(indexed, one.phase_name.values[one.phase.values], "")
    np.testing.assert_array_equal(names, expected)
    quaternion = xmap.rotations.data.reshape(3, 4, 4)
    assert apart(one.orientation, quaternion) < degrees
    cell = xmap.phases["Pt"].structure.lattice.abcABG()
    np.testing.assert_allclose(cell, [3.9, 3.9, 3.9, 90, 90, 90])
    assert sorted(found.name for found in tmp_path.iterdir()) == [f"a{suffix}"]


def test_h5_keeps_everything(tmp_path):
    one = example()
    write_orientations(one, tmp_path / "a.h5")
    back = read_orientations(tmp_path / "a.h5")
    kept = back.drop_vars("orientation")
    xr.testing.assert_allclose(kept, one.drop_vars("orientation"), rtol=1e-9)
    assert apart(back.orientation, one.orientation.values) < 1e-5
    np.testing.assert_allclose(back.x, one.x)


def test_text_formats_keep_what_they_can(tmp_path):
    one = example()
    write_orientations(one, tmp_path / "a.ang")
    back = read_orientations(tmp_path / "a.ang")
    has = one.orientation[..., 0].notnull()
    for column, written in (("score", "score"), ("ci", "reliability"), ("spots", "spots")):
        np.testing.assert_allclose(back[column].values[has], one[written].values[has], atol=6e-6)
    assert set(np.unique(back.phase)) == {-3, 0, 1}  # the phase without a point is left out
    write_orientations(one, tmp_path / "a.ctf")
    back = read_orientations(tmp_path / "a.ctf")
    assert list(back.phase_name.values) == ["Pt", "unseen", "LMNO"]
    assert list(back.space_group.values) == [225, 0, 212]
    np.testing.assert_array_equal(back.phase, np.where(has, one.phase, -3))
    np.testing.assert_allclose(back.BC, 100 * one.score, atol=0.5)
    np.testing.assert_allclose(back.BS, 100 * one.reliability, atol=0.5)
    assert (tmp_path / "a.ctf").read_bytes().startswith(b"Channel Text File\n")


def test_a_real_map_comes_back(real, tmp_path):
    one = read_orientations(real / "diffraction" / "cautaerts2022" / "astar_g.ctf")
    write_orientations(one, tmp_path / "a.ctf")
    back = read_orientations(tmp_path / "a.ctf")
    assert apart(back.orientation, one.orientation.values) < 2e-4
    np.testing.assert_array_equal(back.BC, one.astar_index)
    np.testing.assert_allclose(back.x, one.x)


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"is to be \.ang, \.ctf or \.h5"):
        write_orientations(example(), tmp_path / "a.txt")
    with pytest.raises(DataError, match="measures in um, the map in pixels"):
        write_orientations(example("pixel"), tmp_path / "a.ctf")
    write_orientations(example("pixel"), tmp_path / "a.h5")
    assert read_orientations(tmp_path / "a.h5").x.units == "pixel"


# -------------------------------------------------------------------------------------- all


def test_maps_handed_to_the_other_functions(tmp_path):
    (tmp_path / "a.ctf").write_bytes(files.ctf())
    with pytest.raises(ReaderError, match=r"is a \.ctf file, no scan; open it with read_orient"):
        read_scan(tmp_path / "a.ctf")


def test_open_orientations_by_name(real):
    assert data.open_orientations("real:sdss_ferrite_austenite.ang").sizes["x"] == 117
    with pytest.raises(ReaderError, match="no specimen"):
        data.open_orientations("specimen:no/such")
