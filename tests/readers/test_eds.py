"""EDS maps of Bruker, JEOL and Velox: real files and their known sums, small ones by count.

Numbers of the real files come from RosettaSciIO 0.15 (SOURCES.md beside them: Velox's with its
optional package sparse) and from the files themselves: sums that the vendor stored, an array that
the vendor's program exported (30x30_16bit.npy). Small files are written from the layouts by
synthetic_eds.py, and RosettaSciIO is asked about them too.
"""

import struct
import zipfile

import dask
import h5py
import numpy as np
import pytest
import synthetic_eds as files
import xarray as xr
from rsciio import bruker as rosetta_bruker
from rsciio import jeol as rosetta_jeol
from rsciio.bruker import _api as sfs

from liscope.errors import DataError, ParameterError, ReaderError
from liscope.readers import line_maps, read_diffraction, read_eds, read_ions, read_sem
from liscope.readers.eds import BLOCK
from liscope.readers.eds_lines import LINES

COUNTS = files.spectra()
FEW = np.minimum(COUNTS, 100)  # so that RosettaSciIO's guess of 8 bits is right


@pytest.fixture
def folder(real):
    return real / "volume" / "rosettasciio"


@pytest.fixture
def opened(tmp_path):
    def opened(raw: bytes, name: str):
        (tmp_path / name).write_bytes(raw)
        return read_eds(tmp_path / name)

    return opened


@pytest.fixture
def unpacked(folder, tmp_path):
    def unpacked(archive: str, member: str):
        with zipfile.ZipFile(folder / archive) as held:
            return held.extract(member, tmp_path)

    return unpacked


# ----------------------------------------------------------------------------------- Bruker

BCF = [
    ("30x30_instructively_packed_16bit_compressed.bcf", (30, 30), 18_621_362, 1.66740910949362),
    ("P45_the_default_job.bcf", (75, 100), 165_941, 8.73678506197786),
    ("test_TEM.bcf", (64, 64), 26_005, 0.000771004754204027),
    ("16x16_12bit_packed_8bit.bcf", (16, 16), 20_194, 0.966497572879043),
]


@pytest.mark.parametrize(("name", "shape", "total", "pixel"), BCF)
def test_real_hypermaps(folder, name, shape, total, pixel):
    path = folder / "bruker" / name
    found = read_eds(path)
    assert found.spectrum.dims == ("y", "x", "energy") and found.spectrum.shape[:2] == shape
    assert dask.is_dask_collection(found.spectrum.data)
    counts = found.spectrum.to_numpy()
    assert int(counts.sum()) == total
    # the program stored the sum of all spectra as well, of two files a few counts in a million more
    stored = sfs.BCF_reader(str(path)).header.spectra_data[0].data.astype(int)
    more = stored - counts.sum((0, 1), dtype=int)
    assert more.min() >= 0 and more.sum() <= {20_194: 4, 18_621_362: 225}.get(total, 0)
    assert found.x.units == "um" and found.energy.units == "keV"
    np.testing.assert_allclose(found.y[[0, 1]], [pixel / 2, 1.5 * pixel], rtol=1e-9)


def test_hypermap_against_what_the_vendor_exported(folder):
    found = read_eds(folder / "bruker" / BCF[0][0])
    exported = np.load(folder / "bruker" / "30x30_16bit.npy")
    np.testing.assert_array_equal(found.spectrum[..., 222:224], exported)
    np.testing.assert_allclose(found.energy[[0, 100]], [-0.47225277, -0.47225277 + 0.9999])
    assert found.attrs["elements"].split()[:3] == ["Al", "C", "Ca"]
    assert found.attrs["beam_energy"] == 20 and found.attrs["format"] == "Bruker .bcf"


def test_electron_images_of_a_hypermap(folder):
    found = read_eds(folder / "bruker" / "P45_the_default_job.bcf")
    assert int(found.bse.astype(int).sum()) == 302_966_312
    assert int(found.se.astype(int).sum()) == 197_505_760
    assert found.bse.dims == ("y", "x")


def test_hypermap_without_calibration(folder):
    found = read_eds(folder / "bruker" / "Hitachi_TM3030Plus.bcf")
    assert found.x.units == found.y.units == "pixel" and found.sizes["x"] == 320
    np.testing.assert_array_equal(found.x[:3], [0.5, 1.5, 2.5])
    assert max(found.spectrum.chunks[0]) * 320 * 2048 * 4 <= BLOCK
    assert int(found.spectrum.sum()) == 171_804


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("packing", ["instructed", "12 bit", "16 bit"])
def test_packings_of_a_hypermap(opened, tmp_path, packing, compress):
    np.testing.assert_array_equal(
        opened(files.bcf(COUNTS, packing, compress), "a.bcf").spectrum, COUNTS
    )
    found = opened(files.bcf(FEW, packing, compress), "b.bcf")
    np.testing.assert_array_equal(found.spectrum, FEW)
    peer = rosetta_bruker.file_reader(str(tmp_path / "b.bcf"))[-1]["data"]
    np.testing.assert_array_equal(peer, FEW)


def test_many_counts_in_a_run_of_words(opened, tmp_path):
    """More than fit 16 bits: RosettaSciIO's plain Python has them right, its compiled loop not."""
    many = COUNTS.copy()
    many[1, 1, 12:15] = 70_000, 3, 1
    np.testing.assert_array_equal(opened(files.bcf(many), "a.bcf").spectrum, many)
    stream = sfs.SFS_reader(str(tmp_path / "a.bcf")).get_file("EDSDatabase/SpectrumData0")
    np.testing.assert_array_equal(sfs.py_parse_hypermap(stream, many.shape, np.uint32), many)


def test_hypermap_in_blocks(opened, monkeypatch):
    monkeypatch.setattr("liscope.readers.eds.BLOCK", COUNTS[0].size * 4)
    found = opened(files.bcf(COUNTS, compress=True), "a.bcf")
    assert found.spectrum.chunks[0] == (1, 1, 1)
    np.testing.assert_array_equal(found.spectrum, COUNTS)
    assert found.attrs["tilt"] == 7


# ------------------------------------------------------------------------------------- JEOL


def test_real_jeol_folder(folder):
    found = read_eds(folder / "jeol")
    assert found.counts.dims == ("element", "y", "x") and found.counts.shape == (5, 512, 512)
    assert list(found.element.values) == ["C", "O", "S", "Fe", "Cu"]
    sums = found.counts.sum(("y", "x"))
    assert int(sums.sel(element="C")) == 62_728 and int(sums.sel(element="O")) == 15_509
    np.testing.assert_allclose(found.x[1] - found.x[0], 0.00869140625, rtol=1e-6)
    assert found.spectrum.shape == (512, 512, 4096) and "img1" in found
    largest = max(found.spectrum.chunks[0]) * 512 * 4096 * 4
    assert largest <= BLOCK
    assert int(found.spectrum.sum()) == 308_261


@pytest.mark.parametrize("part", [False, True])
def test_jeol_counts(opened, tmp_path, part):
    square = np.concatenate([COUNTS, COUNTS[:1]])  # 4096 is a whole number of lines
    found = opened(files.jeol_pts(square, frames=2, part=part), "a.pts")
    np.testing.assert_array_equal(found.spectrum[..., : files.CHANNELS], 2 * square)
    assert int(found.spectrum.sum()) == 2 * square.sum()  # without the frame that is not whole
    peer = rosetta_jeol.file_reader(str(tmp_path / "a.pts"), SI_dtype=np.uint32)[0]
    np.testing.assert_array_equal(found.spectrum, peer["data"])
    assert float(found.energy[0]) == pytest.approx(peer["axes"][2]["offset"])
    np.testing.assert_allclose(found.x, [15, 45, 75, 105])  # 120 mm at 1000 times, 4 pixels


def test_jeol_files_of_one_measurement(opened, tmp_path):
    image = np.arange(12).reshape(3, 4)
    opened(files.jeol_map(image, "Co K"), "a.map")
    opened(files.jeol_map(image + 1, "Zr L"), "b.map")
    found = read_eds([tmp_path / "a.map", tmp_path / "b.map"])
    np.testing.assert_array_equal(found.counts, [image, image + 1])
    assert list(found.element.values) == ["Co", "Zr"]
    peer = rosetta_jeol.file_reader(str(tmp_path / "b.map"))[0]["data"]
    np.testing.assert_array_equal(found.counts[1], peer)
    alone = opened(files.jeol_map(image, "IMG1"), "c.img")
    np.testing.assert_array_equal(alone.img1, image)
    with pytest.raises(ReaderError, match="different sizes"):
        (tmp_path / "d.map").write_bytes(files.jeol_map(image[:2], "C K"))
        read_eds([tmp_path / "a.map", tmp_path / "d.map"])


# ------------------------------------------------------------------------------------ Velox


def test_real_velox_map(unpacked):
    path = unpacked("emd/velox_emd_version11.zip", "Test SI 16x16 215 kx.emd")
    found = read_eds(path)
    assert found.spectrum.shape == (16, 16, 4096)
    # as many as the program's spectra of the four detectors hold together
    assert int(found.spectrum.sum()) == 42_097 == 13_945 + 6437 + 10_177 + 11_538
    with h5py.File(path) as file:
        stored = sum(group["Data"][:, 0].astype(int) for group in file["Data/Spectrum"].values())
    np.testing.assert_array_equal(found.spectrum.sum(("y", "x")), stored)
    np.testing.assert_allclose(found.x[1] - found.x[0], 3.5992492559614684e-3, rtol=1e-9)
    assert list(found.element.values) == ["C", "Ca", "O", "Cu"] and "haadf" in found
    assert found.attrs["beam_energy"] == 300 and found.attrs["detectors"] == 4


def test_real_velox_maps_are_windows_of_the_spectra(unpacked):
    found = read_eds(unpacked("emd/velox_emd_version11.zip", "Test SI 16x16 215 kx.emd"))
    ours = line_maps(found, {"C": (LINES["C"]["Ka"], 0.3)}).counts.values[0]
    theirs = found.counts.sel(element="C").values  # of a window that it does not tell
    assert np.corrcoef(theirs.ravel(), ours.ravel())[0, 1] > 0.85
    for turned in (ours.T, ours[::-1], ours[:, ::-1]):
        assert np.corrcoef(theirs.ravel(), turned.ravel())[0, 1] < 0.7


def test_real_pruned_velox_file_has_maps_only(unpacked):
    found = read_eds(
        unpacked("emd/velox_emd_version11.zip", "Test SI 16x16 ReducedData 215 kx.emd")
    )
    assert "spectrum" not in found and found.counts.shape == (4, 16, 16) and "haadf" in found


def test_real_velox_file_with_eels_beside(unpacked):
    found = read_eds(unpacked("emd/velox_EELS_EDS.zip", "example_velox_EELS_EDS.emd"))
    # 16 x 20 by the ends of pixels in the stream; RosettaSciIO takes an image of 128 x 128 for it
    assert found.spectrum.shape == (16, 20, 4096)
    assert int(found.spectrum.sum()) == 11_093 == 2330 + 1913 + 2099 + 1921 + 1156 + 1674
    assert list(found.element.values) == ["Co", "O", "Fe"]
    assert [d for d in found["a"].dims] == ["y_a", "x_a"] and found["a"].shape == (128, 128)


def test_a_series_of_images_is_no_eds_map(folder):
    with pytest.raises(ReaderError, match="holds images only"):
        read_eds(folder / "emd" / "fei_example_tem_stack.emd")


def test_velox_streams(opened, monkeypatch):
    found = opened(files.velox(COUNTS, frames=3, detectors=2), "a.emd")
    np.testing.assert_array_equal(found.spectrum, 6 * COUNTS)
    np.testing.assert_array_equal(found.counts.sel(element="Co"), COUNTS[..., 7])
    np.testing.assert_allclose(found.energy[[0, 1]], [-0.25, -0.24])
    np.testing.assert_allclose(found.x, np.array([1, 3, 5, 7]) * 1e-3)
    assert found.haadf.dims == ("y", "x")
    monkeypatch.setattr("liscope.readers.velox._PIECE", 7)
    monkeypatch.setattr("liscope.readers.eds.BLOCK", COUNTS[0].size * 4 * 2)
    again = opened(files.velox(COUNTS, frames=3, detectors=2), "a.emd")
    assert again.spectrum.chunks[0] == (2, 1)
    np.testing.assert_array_equal(again.spectrum, 6 * COUNTS)


def test_an_image_on_another_grid(opened):
    found = opened(files.velox(COUNTS, image=np.ones((6, 8), "u2")), "a.emd")
    assert found.haadf.dims == ("y_haadf", "x_haadf")


# -------------------------------------------------------------------------------- line maps


def _lines(extra: float = 0.0) -> xr.Dataset:
    """Spectra of 10 eV channels with known counts on known lines over a sloping background."""
    energy = np.arange(400) * 0.01 - 0.2
    cube = np.zeros((2, 3, 400), np.uint32)
    cube += (extra * (500 - np.arange(400))).astype(np.uint32)
    for line, count in ((2.04, 40), (0.78, 7), (0.28, 3)):
        at = round((line + 0.2) / 0.01)
        cube[:, :, at - 2 : at + 3] += np.array([1, 2, 3, 2, 1], np.uint32) * count
    axis = ("energy", energy, {"units": "keV"})
    about = {"units": "count", "history": "made up"}
    return xr.Dataset({"spectrum": (("y", "x", "energy"), cube, about)}, {"energy": axis})


def test_windows_hold_their_lines():
    maps = line_maps(_lines(), ["Zr", "Co La1", "C"], width=0.07)
    assert maps.counts.dtype == np.uint32 and maps.counts.attrs["units"] == "count"
    for name, count in (("Zr", 40), ("Co La1", 7), ("C", 3)):
        np.testing.assert_array_equal(maps.counts.sel(element=name), np.full((2, 3), 9 * count))
    assert maps.counts.attrs["history"].startswith("made up\nline_maps(")
    np.testing.assert_allclose(maps.line, [2.042, 0.776, 0.277], atol=1e-3)


def test_energies_of_lines():
    """Of exspy's table, which is from Chantler et al. (2005), doi 10.18434/T4HS32; keV."""
    chantler = {"Ag La": 2.9844, "Al Ka": 1.4865, "Au Ma": 2.1229, "B Ka": 0.1833, "C Ka": 0.2774}
    chantler |= {"Ba La": 4.4663, "Ca Ka": 3.6917, "Cl Ka": 2.6224, "Co La": 0.7757}
    chantler |= {"Co Ka": 6.9303, "Cr Ka": 5.4147, "Cu La": 0.9295, "Cu Ka": 8.0478, "Fe La": 0.705}
    for name, energy in chantler.items():
        element, line = name.split()
        assert LINES[element][line] == pytest.approx(energy, abs=1e-3)


def test_lines_as_parameters():
    maps = line_maps(_lines(), {"Zr": (2.042, 0.01), "Co": 0.776}, width=0.03)
    np.testing.assert_array_equal(maps.counts[0], np.full((2, 3), 3 * 40))
    np.testing.assert_array_equal(maps.counts[1], np.full((2, 3), 7 * 7))


@pytest.mark.parametrize("width", [0.08, 0.07])  # an even and an odd number of channels
def test_a_linear_background_is_taken_off(width):
    plain = line_maps(_lines(4), ["Zr", "Co"], width=width)
    maps = line_maps(_lines(4), ["Zr", "Co"], width=width, background=True)
    np.testing.assert_allclose(maps.counts.sel(element="Zr"), 9 * 40, atol=0.5)
    np.testing.assert_allclose(maps.counts.sel(element="Co"), 9 * 7, atol=0.5)
    assert float(plain.counts.sel(element="Co").max()) > 1000


def test_line_maps_stay_lazy_and_work_on_slices(opened):
    found = opened(files.velox(COUNTS), "a.emd")
    maps = line_maps(found, {"Co": (-0.18, 0.01)})  # channel 7
    assert dask.is_dask_collection(maps.counts.data) and "haadf" in maps
    np.testing.assert_array_equal(maps.counts[0], COUNTS[..., 7])
    slices = xr.concat([_lines(), _lines()], "slice")
    assert line_maps(slices, ["Zr"]).counts.dims == ("element", "slice", "y", "x")


@pytest.mark.parametrize(
    ("lines", "kind", "words"),
    [
        (["Xx"], ParameterError, "no X-ray line 'Xx'"),
        (["Zr Ka"], ParameterError, "no X-ray line 'Zr Ka'"),
        (["Au"], None, ""),
        ({"Cu": 8.05}, ParameterError, "lies outside -0.2 to 3.79 keV"),
        ({"Cu": (2.0, float("nan"))}, ParameterError, "outside"),
        ({"Cu": float("inf")}, ParameterError, "outside"),
        ([], ParameterError, "names no element"),
        ("Zr", ParameterError, "names no element"),
    ],
)
def test_lines_that_are_none(lines, kind, words):
    if kind is None:
        assert line_maps(_lines(), lines).counts.sizes["element"] == 1
        return
    with pytest.raises(kind, match=words):
        line_maps(_lines(), lines)


def test_energies_that_are_not_told():
    with pytest.raises(DataError, match="no spectra"):
        line_maps(xr.Dataset(), ["Zr"])
    bare = _lines().drop_vars("energy").assign_coords(energy=np.arange(400.0))
    with pytest.raises(DataError, match="not calibrated"):
        line_maps(bare, ["Zr"])


# ---------------------------------------------------------------------------------- refused

SOUND = files.bcf(COUNTS)
PTS = files.jeol_pts(COUNTS)
EMD = files.velox(COUNTS)


def _put(raw: bytes, at: int, what: bytes) -> bytes:
    return raw[:at] + what + raw[at + len(what) :]


WRONG = [
    (b"", "a.bcf", "is empty"),
    (SOUND[:8], "a.bcf", "copy it again"),
    (SOUND[:9000], "a.bcf", "a.bcf"),
    (_put(SOUND, 0x128, struct.pack("<I", 0xFFFFFFFF)), "a.bcf", "is damaged"),
    (_put(SOUND, 0x144, struct.pack("<I", 0xFFFFFFFF)), "a.bcf", "declares 4294967295 files"),
    (SOUND.replace(b"<Width>4<", b"<Width>99999999<"), "a.bcf", "is damaged"),
    (SOUND.replace(b"<Height>3<", b"<Height>99999999<"), "a.bcf", "is damaged"),
    (PTS[:100], "a.pts", "cut short"),
    (PTS[:0x300], "a.pts", "copy it again"),
    (PTS.replace(b"4x3\0", b"9x9\0").replace(b"9x9", b"0x9"), "a.pts", "declares 0 x 9 pixels"),
    (files.jeol_map(np.ones((3, 4)), "C K")[:-40], "a.map", "a.map"),
    (EMD[:3000], "a.emd", "copy it again"),
    (b"\0\0\0\0 an index of files", "a.asw", "give the folder with its files"),
    (b"plain words", "a.txt", "none of the known EDS map formats"),
    (b"plain words", "a.bcf", "does not begin as a Bruker .bcf file does"),
]


@pytest.mark.parametrize(("raw", "name", "words"), WRONG)
def test_what_is_refused(opened, raw, name, words):
    with pytest.raises(ReaderError) as caught:
        opened(raw, name)
    message = str(caught.value)
    assert words in message and message.startswith(f"'{name}'") and "\n" not in message


def test_a_header_that_unpacks_to_more_than_it_says(opened):
    raw = files.bcf(COUNTS, compress=True)
    at = raw.index(struct.pack("<II", 0x53434141, 512)) + 4
    with pytest.raises(ReaderError, match="larger than it declares"):
        opened(_put(raw, at, struct.pack("<I", 100)), "a.bcf")


def test_folders_in_circles_are_refused(opened):
    at = SOUND.index(b"HeaderData") - (4 + 4 * 8 + 4 + 4 + 176 + 1 + 3)
    assert struct.unpack_from("<i", SOUND, at + 40)[0] == 0  # lies in folder 0
    with pytest.raises(ReaderError, match="makes no sense"):
        opened(_put(SOUND, at + 40, struct.pack("<i", 1)), "a.bcf")


@pytest.mark.parametrize(("old", "new"), [(b"\x00\x00\x00\x00\x14\x00\x14\x00", b"\xff" * 4)])
def test_damage_among_the_counts_is_said_when_they_are_asked_for(opened, old, new):
    at = SOUND.rindex(old)
    found = opened(_put(SOUND, at, new), "a.bcf")
    with pytest.raises(ReaderError, match=r"'a.bcf' has spectra in line . that make no sense"):
        found.spectrum.compute()


def test_a_stream_that_ends_early(opened):
    with h5py.File(_file(EMD), "a") as file:
        del file["Data/SpectrumStream/stream0/AcquisitionSettings"]
        file["Data/SpectrumStream/stream0/AcquisitionSettings"] = ['{"bincount": "99999999"}']
        file.flush()
        raw = file.id.get_file_image()
    with pytest.raises(ReaderError, match="spectra of 99999999 channels"):
        opened(raw, "a.emd")


def _file(raw: bytes):
    import io

    return io.BytesIO(raw)


def test_other_readers_point_here(opened, tmp_path):
    opened(SOUND, "a.bcf")
    for reader in (read_diffraction, read_ions, read_sem):
        with pytest.raises(ReaderError, match="open it with read_eds"):
            reader(tmp_path / "a.bcf")
