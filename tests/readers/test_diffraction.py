"""Diffraction scans: every pattern in its place, on known files of each format and on real ones.

Numbers of the real files come from their SOURCES.md, and from RosettaSciIO 0.15.
"""

import io
import json
import pickle
import shutil
import struct
import tracemalloc
import zipfile

import dask.array as da
import h5py
import numpy as np
import pytest
import synthetic_diffraction as files
import xarray as xr
import zarr
from rsciio.blockfile import file_reader as rosetta_blo

from liscope import data
from liscope.errors import DataError, ReaderError
from liscope.readers import read_diffraction, read_ions, read_scan, write_blockfile
from liscope.readers.patterns import BLOCK, frame_chunks, wavelength
from liscope.units import registry, to_units

SQUARE = files.patterns((3, 4, 5, 5))
SCAN = files.patterns()


@pytest.fixture
def opened(tmp_path):
    def opened(raw: bytes, name: str):
        (tmp_path / name).write_bytes(raw)
        return read_diffraction(tmp_path / name)

    return opened


# ------------------------------------------------------------------------------- blockfiles


def test_real_blockfile(real):
    path = real / "diffraction" / "rosettasciio" / "test1.blo"
    scan = read_diffraction(path)
    assert scan.pattern.shape == (3, 2, 144, 144) and scan.pattern.dtype == np.uint8
    assert float(scan.pattern.mean()) == pytest.approx(41.5105, abs=5e-5)
    assert int(scan.pattern.max()) == 255
    np.testing.assert_array_equal(scan.pattern, rosetta_blo(str(path))[0]["data"])
    np.testing.assert_allclose(scan.y, [0, 12.8, 25.6])
    assert scan.attrs["beam_energy"] == 200 and scan.attrs["camera_length"] == 200
    assert scan.attrs["camera_gamma"] == "on" and scan.attrs["scan_rotation"] == 25
    # 0.01606 cm a pixel, seen from 20 cm, with 0.02508 angstrom: 0.0320 1/angstrom
    step = float(np.diff(to_units(scan.kx, "1/angstrom"))[0])
    assert step == pytest.approx(0.016062 / 20 / 0.025079, rel=1e-4)
    assert "nominal" in scan.attrs["k_calibration"]
    # the stored bright field is that of the same frames: both see the one weak position
    direct = scan.pattern[..., 62:82, 62:82].mean(("ky", "kx"))
    assert direct.values.argmin() == scan.vbf.values.argmin() == 0


def test_wavelengths_of_electrons():
    """Of the table in Reimer & Kohl (2008), pm."""
    for kilovolts, picometres in ((100, 3.7014), (200, 2.5079), (300, 1.9687)):
        assert wavelength(kilovolts) == pytest.approx(picometres / 100, rel=5e-5)
    assert np.isnan(wavelength(0)) and np.isnan(wavelength(np.nan))


def test_blockfile_in_all_its_parts(opened):
    scan = opened(files.blockfile(SQUARE), "a.blo")
    np.testing.assert_array_equal(scan.pattern, SQUARE)
    np.testing.assert_array_equal(scan.vbf, np.arange(200, 188, -1).reshape(3, 4))
    np.testing.assert_array_equal(scan.y, [0, 2, 4])
    np.testing.assert_array_equal(scan.x, [0, 3, 6, 9])
    assert scan.kx.values[2] == scan.ky.values[2] == 0  # the middle of five
    assert scan.attrs["precession_angle"] == 0.7 and scan.attrs["camera_gamma"] == "off"


@pytest.mark.parametrize("absent", ["voltage", "sdp", "camera"])
def test_without_a_calibration_patterns_are_in_pixels(opened, absent):
    scan = opened(files.blockfile(SQUARE, **{absent: 0}), "a.blo")
    assert scan.kx.units == scan.ky.units == "pixel" and scan.x.units == "nm"
    np.testing.assert_array_equal(scan.kx, [-2, -1, 0, 1, 2])
    assert "in pixels" in scan.attrs["k_calibration"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda raw: raw[:-1], "declares 4 x 3 patterns but holds 11: 1 are missing"),
        (lambda raw: raw[: -7 * 31], "holds 5: 7 are missing"),
        (lambda raw: raw[:4200], "10 are missing"),
        (lambda raw: raw[:100], "ends at byte 100"),
        (lambda raw: raw[:24] + struct.pack("<H", 60_000) + raw[26:], "do not fit each other"),
        (lambda raw: raw[:20] + struct.pack("<H", 4) + raw[22:], "no pattern where number 11"),
        (lambda raw: raw[:12] + struct.pack("<I", 1 << 31) + raw[16:], "12 are missing"),
        (lambda raw: raw[:8] + struct.pack("<I", 5000) + raw[12:], "do not fit each other"),
    ],
)
def test_what_is_wrong_with_a_blockfile(opened, change, words):
    with pytest.raises(ReaderError) as caught:
        opened(change(files.blockfile(SQUARE)), "a.blo")
    assert words in str(caught.value) and str(caught.value).startswith("'a.blo'")


# ---------------------------------------------------------------------------------- writing


def test_a_written_blockfile_is_read_by_rosettasciio(opened, tmp_path):
    scan = opened(files.hspy(SQUARE), "a.hspy")
    square = scan.assign_coords(ky=scan.ky, kx=scan.kx.copy(data=scan.ky.values * 1.0))
    square.pattern.data = square.pattern.data.rechunk((2, 3, 5, 5))
    write_blockfile(square, tmp_path / "b.blo")
    found = rosetta_blo(str(tmp_path / "b.blo"), lazy=False)[0]
    np.testing.assert_array_equal(found["data"], SQUARE)
    assert [axis["scale"] for axis in found["axes"][:2]] == [2, 3]
    header = found["original_metadata"]["blockfile_header"]
    assert header["Beam_energy"] == 80_000 and header["Acquisition_time"] == 0
    again = read_diffraction(tmp_path / "b.blo")
    np.testing.assert_array_equal(again.pattern, SQUARE)
    np.testing.assert_allclose(np.diff(again.kx), 0.1, rtol=1e-6)
    np.testing.assert_array_equal(again.vbf, SQUARE[:, :, 2, 2])  # the middle pixel of five
    assert list(tmp_path.glob("*.part")) == []


def test_a_blockfile_comes_back_as_it_was(opened, tmp_path):
    scan = opened(files.blockfile(SQUARE), "a.blo")
    write_blockfile(scan, tmp_path / "b.blo")
    again = read_diffraction(tmp_path / "b.blo")
    xr.testing.assert_equal(again, scan)
    for name in ("beam_energy", "camera_length", "scan_rotation", "precession_angle", "notes"):
        assert again.attrs[name] == scan.attrs[name]


def test_frames_are_numbered_through_the_blocks(opened, tmp_path):
    scan = opened(files.blockfile(SQUARE), "a.blo")
    scan.pattern.data = scan.pattern.data.rechunk((1, 4, 5, 5))
    write_blockfile(scan, tmp_path / "b.blo")
    raw = (tmp_path / "b.blo").read_bytes()
    assert raw[4096:] == files.blockfile(SQUARE)[4096:]  # the same bright field and frames


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.assign(pattern=d.pattern.astype("u2")), "holds uint8, not uint16"),
        (lambda d: d.isel(kx=slice(4)), "holds square patterns"),
        (lambda d: d.drop_vars("pattern"), "holds 'pattern'"),
        (lambda d: d.isel(x=[0, 1, 3]), "'x' has no regular step"),
        (lambda d: d.assign_attrs(beam_energy=np.nan), "needs square pixels and attrs"),
    ],
)
def test_what_no_blockfile_holds_is_refused(opened, tmp_path, change, words):
    scan = change(opened(files.blockfile(SQUARE), "a.blo"))
    with pytest.raises(DataError, match=words):
        write_blockfile(scan, tmp_path / "b.blo")
    assert not (tmp_path / "b.blo").exists() and not list(tmp_path.glob("*.part"))


def test_a_failing_block_leaves_no_file(opened, tmp_path):
    scan = opened(files.blockfile(SQUARE), "a.blo")

    def fails(block):
        raise OSError("disk")

    scan.pattern.data = scan.pattern.data.map_blocks(fails, dtype="u1")
    with pytest.raises(OSError, match="disk"):
        write_blockfile(scan, tmp_path / "b.blo")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.blo"]


def test_memory_stays_that_of_some_blocks(tmp_path):
    """256 MiB of patterns pass through reader and writer in blocks of 32 MiB."""
    frames = da.zeros((256, 64, 128, 128), chunks=(8, 64, 128, 128), dtype="u1")
    axes = {dim: (dim, np.arange(n), {"units": "pixel"}) for dim, n in (("y", 256), ("x", 64))}
    axes |= {dim: (dim, np.arange(128), {"units": "pixel"}) for dim in ("ky", "kx")}
    scan = xr.Dataset({"pattern": (("y", "x", "ky", "kx"), frames)}, axes)
    tracemalloc.start()
    write_blockfile(scan, tmp_path / "a.blo")
    found = read_diffraction(tmp_path / "a.blo")
    assert found.pattern.data.chunksize == (32, 64, 128, 128)
    assert int(found.pattern.sum().compute(scheduler="synchronous")) == 0
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4.5 * BLOCK, peak / BLOCK


@pytest.mark.parametrize(
    ("shape", "itemsize", "chunks"),
    [
        ((400, 480, 144, 144), 1, (3, 480, 144, 144)),
        ((400, 480, 512, 512), 2, (1, 64, 512, 512)),
        ((2, 3, 8192, 8192), 4, (1, 1, 8192, 8192)),
        ((2, 3, 5, 5), 1, (2, 3, 5, 5)),
    ],
)
def test_blocks_hold_whole_frames(shape, itemsize, chunks):
    assert frame_chunks(shape, itemsize) == chunks


# ----------------------------------------------------------------------------- RosettaSciIO

SMALL = {
    "a.blo": (files.blockfile(SQUARE), SQUARE),
    "a.mib": (files.merlin(files.patterns((12, 5, 6), "u2")), files.patterns(dtype="u2")),
    "a_000.tvips": (files.tvips(files.patterns((12, 5, 6))), files.patterns((1, 12, 5, 6), "u2")),
    "a.dm3": (files.micrograph(SCAN), SCAN.astype("u2")),
    "a.hspy": (files.hspy(SCAN), SCAN),
}


@pytest.mark.parametrize("name", list(SMALL))
def test_one_data_model(opened, tmp_path, name):
    raw, frames = SMALL[name]
    scan = opened(raw, name)
    assert scan.pattern.dims == ("y", "x", "ky", "kx")
    assert isinstance(scan.pattern.data, da.Array) and scan.pattern.dtype == frames.dtype
    np.testing.assert_array_equal(scan.pattern, frames)
    for array in (scan.pattern, scan.y, scan.x, scan.ky, scan.kx):
        registry().parse_units(array.attrs["units"])
    assert scan.attrs["source"] == name and isinstance(json.loads(scan.attrs["metadata"]), dict)
    assert str(tmp_path) not in str(scan.attrs)
    assert f"read from {name} by liscope.readers." in scan.pattern.attrs["history"]
    scan.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "a.nc", engine="h5netcdf"), scan.load())


def test_hyperspy_axes(opened):
    scan = opened(files.hspy(SCAN), "a.hspy")
    np.testing.assert_allclose(scan.y, [10, 12, 14])
    np.testing.assert_allclose(scan.x, [0, 3, 6, 9])
    np.testing.assert_allclose(scan.ky, [-0.2, -0.1, 0, 0.1, 0.2], atol=1e-12)
    np.testing.assert_allclose(scan.kx, [-0.6, -0.4, -0.2, 0, 0.2, 0.4], atol=1e-12)
    assert scan.kx.units == "1/angstrom" and scan.attrs["beam_energy"] == 80
    assert scan.attrs["format"] == "HyperSpy .hspy"
    assert scan.attrs["k_calibration"] == "as the file tells; the origin is the file's own"


def test_digitalmicrograph_axes(opened):
    scan = opened(files.micrograph(SCAN), "a.dm3")
    np.testing.assert_allclose(scan.y, [0, 2, 4])
    np.testing.assert_allclose(np.diff(scan.kx), 0.05)  # 0.5 1/nm
    assert "middle of the frame" in scan.attrs["k_calibration"]


def test_real_patterns_of_a_published_scan(real):
    scan = read_diffraction(real / "diffraction" / "cautaerts2022" / "subset_data.hspy")
    assert scan.pattern.shape == (2, 2, 256, 256) and scan.pattern.dtype == np.uint16
    np.testing.assert_allclose(np.diff(scan.kx), 0.01261, rtol=1e-9)
    np.testing.assert_allclose(scan.y, [200, 202])
    mean = scan.pattern.mean(("y", "x"))
    row, column = np.unravel_index(mean.values.argmax(), mean.shape)
    assert abs(row - 128) < 4 and abs(column - 131) < 4  # the incident beam


def test_other_real_files(real):
    folder = real / "diffraction" / "rosettasciio"
    single = read_diffraction(folder / "test_diffraction_pattern.dm3")
    assert single.pattern.shape == (1, 1, 87, 87) and single.attrs["beam_energy"] == 200
    np.testing.assert_allclose(np.diff(single.kx), 0.017443, rtol=1e-4)  # 0.17443 1/nm
    py4dstem = read_diffraction(folder / "py4DSTEM_size2x3x4x5.h5")
    assert py4dstem.pattern.shape == (2, 3, 4, 5) and py4dstem.kx.units == "1/angstrom"
    series = read_diffraction(folder / "test_tvips_2345_000.tvips")
    assert series.pattern.shape == (1, 6, 4, 5) and series.pattern.dtype == np.uint16
    ramp = series.pattern.values.ravel()
    np.testing.assert_array_equal(ramp, np.arange(120))
    amorphous = read_diffraction(real / "diffraction" / "pyxem-demos" / "Amorphous.hspy")
    assert amorphous.kx.units == "pixel"  # the file tells 8e-20 1/nm
    with pytest.raises(ReaderError, match="holds no diffraction patterns"):
        read_diffraction(real / "diffraction" / "pyxem-demos" / "amorphousSiO2.hspy")


@pytest.mark.parametrize(
    ("archive", "name", "shape", "dtype"),
    [
        ("Merlin_navigation4x2_ROI", "001_4x2_6bit", (2, 4, 256, 256), "u1"),
        ("Merlin_navigation4x2_ROI", "002_4x2_6bit_roi128", (2, 4, 128, 256), "u1"),
        ("Merlin_Single_Quad", "Single_9_Frame_CounterDepth_24_Rows_256", (1, 9, 256, 256), "u4"),
        ("Merlin_Single_Quad", "Quad_1_Frame_CounterDepth_12_Rows_256", (1, 1, 512, 512), "u2"),
    ],
)
def test_real_merlin(real, tmp_path, archive, name, shape, dtype):
    """Shapes of RosettaSciIO's own tests; the counts straight from the file's last frame."""
    with zipfile.ZipFile(real / "diffraction" / "rosettasciio" / f"{archive}.zip") as packed:
        members = [m for m in packed.namelist() if m.split("/")[-1].startswith(name + ".")]
        for member in members:
            (tmp_path / member.split("/")[-1]).write_bytes(packed.read(member))
    scan = read_diffraction(tmp_path / f"{name}.mib")
    assert scan.pattern.shape == shape and scan.pattern.dtype == dtype
    assert scan.attrs["missing_frames"] == 0 and scan.attrs["format"] == "Merlin .mib"
    size = int(np.prod(shape[2:])) * np.dtype(dtype).itemsize
    raw = (tmp_path / f"{name}.mib").read_bytes()[-size:]
    last = np.frombuffer(raw, np.dtype(dtype).newbyteorder(">")).reshape(shape[2:])
    np.testing.assert_array_equal(scan.pattern[-1, -1], last[::-1])


def test_an_interrupted_merlin_scan_says_so(opened, tmp_path):
    raw = files.merlin(files.patterns((12, 5, 6), "u2"))
    header = "HDR,\t\nFrames in Acquisition (Number):\t12\nFrames per Trigger (Number):\t4\nEnd\t"
    (tmp_path / "a.hdr").write_text(header)
    scan = opened(raw[: 9 * (384 + 60)], "a.mib")
    assert scan.pattern.shape == (2, 4, 5, 6) and scan.attrs["missing_frames"] == 4
    with pytest.raises(ReaderError, match="not a whole number of frames"):
        opened(raw[:-1], "a.mib")
    with pytest.raises(ReaderError, match="raw ones; save them processed"):
        opened(raw.replace(b",U16,", b",R64,"), "b.mib")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.dm3", "ends at byte"),
        ("a_000.tvips", "is damaged or no"),
        ("a.hspy", "is damaged or no"),
    ],
)
def test_what_is_cut_short_is_refused(opened, name, words):
    with pytest.raises(ReaderError) as caught:
        opened(SMALL[name][0][:-100], name)
    assert words in str(caught.value) and str(caught.value).startswith(f"'{name}'")


@pytest.mark.parametrize("tag", [(5, 20, 15, 0, 0, 2**31 - 1), (4, 20, 18, 0, 2**31 - 1)])
def test_two_thousand_million_empty_tags_are_not_counted(opened, tag):
    """Arrays of empty structs or strings need no bytes, only time."""
    raw = files.micrograph(SCAN)
    evil = struct.pack(">BH1s4s", 21, 1, b"x", b"%%%%") + struct.pack(f">{len(tag)}I", *tag)
    with pytest.raises(ReaderError, match="arrays of nothing"):
        opened(raw[:12] + struct.pack(">2BI", 1, 0, 2) + evil + raw[18:], "a.dm3")


def test_a_large_series_comes_in_blocks(opened):
    """40 MiB of Merlin frames: blocks of whole frames, up to 32 MiB."""
    scan = opened(files.merlin(np.ones((20, 1024, 1024), "u2")), "a.mib")
    assert scan.pattern.data.chunksize[2:] == (1024, 1024)
    assert max(np.prod(scan.pattern.data.chunksize) * 2, BLOCK) == BLOCK
    assert (scan.pattern[-1, -1] == 1).all()


def test_images_are_no_patterns(opened):
    memory = io.BytesIO(files.hspy(SCAN))
    with h5py.File(memory, "r+") as file:
        for axis in (2, 3):
            file[f"Experiments/__unnamed__/axis-{axis}"].attrs["units"] = "nm"
    with pytest.raises(ReaderError, match=r"holds images \(their axes are in nm\)"):
        opened(memory.getvalue(), "a.hspy")


@pytest.mark.parametrize("hostile", ["external", "soft", "virtual", "huge", "one_piece"])
def test_hostile_hdf5(opened, tmp_path, hostile):
    memory = io.BytesIO(files.hspy(SCAN, chunks=hostile != "one_piece"))
    with h5py.File(memory, "r+") as file:
        place = file["Experiments/__unnamed__/metadata"]
        if hostile == "external":
            place["other"] = h5py.ExternalLink("/etc/hostname", "/")
        elif hostile == "soft":
            place["other"] = h5py.SoftLink("/")
        elif hostile == "virtual":
            layout = h5py.VirtualLayout((4,), "u1")
            layout[:] = h5py.VirtualSource("b.h5", "a", (4,))
            place.create_virtual_dataset("other", layout)
        elif hostile == "huge":
            place.create_dataset("_list_other", (1 << 40,), "u1", chunks=(1 << 20,))
    with pytest.raises(ReaderError) as caught:
        opened(memory.getvalue(), "a.hspy")
    assert any(
        words in str(caught.value)
        for words in ("other files", "declares 1099511627776 bytes", "in one piece")
    )


def test_metadata_is_not_unpickled(opened, tmp_path):
    """Bytes that would write a file when unpickled stay bytes."""

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "evil"), "w"))

    memory = io.BytesIO(files.hspy(SCAN))
    with h5py.File(memory, "r+") as file:
        place = file["Experiments/__unnamed__/metadata"]
        place.attrs["_bs_function"] = np.void(pickle.dumps(Evil()))
        place.create_dataset("learned", data=np.bytes_(pickle.dumps(Evil()).replace(b"\0", b"")))
    opened(memory.getvalue(), "a.hspy").load()
    assert not (tmp_path / "evil").exists()


# ------------------------------------------------------------------------------------ zspy


@pytest.fixture
def folder(tmp_path):
    """A folder as HyperSpy writes it with Zarr 2."""
    root = zarr.open_group(tmp_path / "a.zspy", mode="w", zarr_format=2)
    root.attrs.update({"file_format": "ZSpy", "file_format_version": "3.3"})
    signal = root.create_group("Experiments").create_group("__unnamed__")
    array = signal.create_array("data", shape=SCAN.shape, chunks=(1, 2, 5, 6), dtype="u1")
    array[:] = SCAN
    for i, (name, scale, offset, units) in enumerate(files.AXES):
        told = {"name": name, "scale": scale, "offset": offset, "units": units}
        told |= {"size": SCAN.shape[i], "navigate": i < 2}
        signal.create_group(f"axis-{i}").attrs.update(told)
    signal.create_group("metadata").create_group("General").attrs["title"] = "scan"
    signal.create_group("original_metadata")
    return tmp_path / "a.zspy"


def test_zspy(folder):
    scan = read_diffraction(folder)
    np.testing.assert_array_equal(scan.pattern, SCAN)
    assert isinstance(scan.pattern.data, da.Array) and scan.attrs["format"] == "HyperSpy .zspy"
    np.testing.assert_allclose(scan.x, [0, 3, 6, 9])


@pytest.mark.parametrize("place", ["filters", "compressor"])
def test_zspy_is_not_unpickled(folder, place):
    told = json.loads((folder / "Experiments/__unnamed__/data/.zarray").read_text())
    told[place] = [{"id": "pickle"}] if place == "filters" else {"id": "pickle"}
    (folder / "Experiments/__unnamed__/data/.zarray").write_text(json.dumps(told))
    with pytest.raises(ReaderError, match=r"'a\.zspy' asks for unpickling"):
        read_diffraction(folder)


def test_damaged_zspy(folder):
    place = folder / "Experiments/__unnamed__/data/.zarray"
    told = json.loads(place.read_text())
    place.write_text(json.dumps(told | {"chunks": [1 << 20] * 4}))
    with pytest.raises(ReaderError, match="it is damaged"):
        read_diffraction(folder)
    place.write_text("{")
    with pytest.raises(ReaderError, match=r"'a\.zspy' is damaged"):
        read_diffraction(folder)
    shutil.rmtree(folder / "Experiments")
    with pytest.raises(ReaderError, match="describes 0 arrays"):
        read_diffraction(folder)


# ------------------------------------------------------------------------------------- all


def test_scans_handed_to_the_other_functions(tmp_path):
    (tmp_path / "a.blo").write_bytes(SMALL["a.blo"][0])
    for reader, kind in ((read_scan, "scan"), (read_ions, "SIMS image")):
        words = f"is a NanoMEGAS .blo file, no {kind}; open it with read_diffraction"
        with pytest.raises(ReaderError, match=words):
            reader(tmp_path / "a.blo")


def test_open_diffraction_by_name(real):
    assert data.open_diffraction("real:test1.blo").sizes["kx"] == 144
    with pytest.raises(ReaderError, match="no specimen"):
        data.open_diffraction("specimen:no/such")
