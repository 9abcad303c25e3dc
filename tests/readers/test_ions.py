"""SIMS images: every count in its place, on known files of each format and on real ones.

Numbers of the real NanoSIMS files come from the package sims 2.0.2 (SIMS(path).data).
"""

import json
import sys
import tracemalloc
from types import ModuleType, SimpleNamespace

import h5py
import numpy as np
import pytest
import simsh5
import synthetic_ions as files
import xarray as xr

from liscope import data
from liscope.errors import DataError, ReaderError
from liscope.readers import read_curves, read_ions, read_scan, with_field
from liscope.units import registry, to_units

LABELS, MASSES = ["12C", "12C 14N"], [12.0, 26.003]


@pytest.fixture
def opened(tmp_path):
    def opened(raw: bytes, name: str):
        (tmp_path / name).write_bytes(raw)
        return read_ions(tmp_path / name)

    return opened


def centres(count: int, extent: float) -> np.ndarray:
    return (np.arange(count) + 0.5) * extent / count


# ----------------------------------------------------------------------------------- Cameca

REAL = {
    "OpenMIMS_doc_040702_06-05mos-03a.im": {
        "labels": ["12C", "13C", "12C 14N", "12C 15N"],
        "totals": [300600778, 2747429, 327112517, 3060112],
        "corner": [995, 5, 2878, 30],  # [0, 0]
        "inside": [1416, 11, 1394, 10],  # [10, 200]
        "bottom": [553, 6, 1064, 6],  # [-1, 3]
        "masses": [12.041737258776685, 13.043450045425997, 26.054462728515578, 27.03032481296242],
        "size": (512, 41.402),
        "dwell": 0.055,
    },
    "RTIimage.im": {
        "labels": ["12C2", "ion 2"],  # the second one has no name
        "totals": [818720, 118239],
        "corner": [14, 3],
        "inside": [1, 2],
        "bottom": [24, 4],
        "masses": [24.0, np.nan],
        "size": (256, 5.007),
        "dwell": np.nan,
    },
}


@pytest.mark.parametrize("name", list(REAL))
def test_real_nanosims(real, name):
    peer, ions = REAL[name], read_ions(real / "sims" / "nanosims" / name)
    counts = ions.counts
    assert counts.dims == ("ion", "y", "x") and list(ions.ion) == peer["labels"]
    np.testing.assert_array_equal(counts.sum(("y", "x")), peer["totals"])
    np.testing.assert_array_equal(counts[:, 0, 0], peer["corner"])
    np.testing.assert_array_equal(counts[:, 10, 200], peer["inside"])
    np.testing.assert_array_equal(counts[:, -1, 3], peer["bottom"])
    np.testing.assert_array_equal(ions.mass, peer["masses"])
    side, extent = peer["size"]
    for axis in (ions.x, ions.y):
        np.testing.assert_allclose(axis, centres(side, extent), rtol=1e-12)
        assert axis.attrs["units"] == "um"
    assert ions.attrs["primary_beam"] == "Cs+" and ions.attrs["dead_time_corrected"] == "no"
    np.testing.assert_equal(ions.attrs["dwell_time"], peer["dwell"])
    assert ions.attrs["polarity"] == "negative"  # cyanide and carbon anions, under caesium


def test_real_isotope_ratios_are_near_nature(real):
    """13C/12C 0.0108 and 15N/14N 0.0037 in nature; the label of 15N is the experiment's."""
    counts = read_ions(real / "sims" / "nanosims" / next(iter(REAL))).counts
    total = counts.sum(("y", "x")).to_series()
    assert total["13C"] / total["12C"] == pytest.approx(0.0108, rel=0.2)
    assert total["12C 15N"] / total["12C 14N"] > 0.0037


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("frames", [1, 3])
def test_nanosims(opened, order, frames):
    images = files.picture(frames=frames)
    ions = opened(files.nanosims(images, LABELS, MASSES, order), "a.im")
    np.testing.assert_array_equal(ions.counts, images if frames > 1 else images[:, 0])
    assert ions.counts.dims == (("ion", "frame", "y", "x") if frames > 1 else ("ion", "y", "x"))
    assert list(ions.ion) == LABELS
    np.testing.assert_array_equal(ions.mass, MASSES)
    np.testing.assert_allclose(ions.x, centres(4, 8.0))
    np.testing.assert_allclose(ions.y, centres(3, 6.0))
    assert ions.attrs["dwell_time"] == pytest.approx(250e-6)


def test_what_nanosims_files_hold_no_image(real):
    for name, what in (
        ("depth_profile.dp", "depth profile"),
        ("is01_R1_KH03-27_01.is", "isotope measurement"),
    ):
        with pytest.raises(ReaderError, match=f"'{name}' is no image but of kind '{what}'"):
            read_ions(real / "sims" / "nanosims" / name)


# ---------------------------------------------------------------------------------- ION-TOF


def test_surfacelab_rows_count_from_the_bottom(opened):
    raw = b"# Deadtime Correction: off\n# Polarity: Negative\n"
    raw += b"0 0 5\n1 0 6\n0 1 7\n1 1 8\n0 2 9\n1 2 0\n"
    ions = opened(raw, "film.txt")
    np.testing.assert_array_equal(ions.counts, [[[9, 0], [7, 8], [5, 6]]])
    assert list(ions.ion) == ["film"] and np.isnan(ions.mass.item())
    assert ions.attrs["dead_time_corrected"] == "no" and ions.attrs["polarity"] == "negative"


def test_surfacelab_files_of_a_measurement_come_together(tmp_path):
    folder = tmp_path / "film"
    folder.mkdir()
    images = files.picture(3)
    names = ["film (10) - Li+.txt", "film (2) - CH_3+.txt", "film (0) - total.txt"]
    for name, image in zip(names, images, strict=True):
        (folder / name).write_bytes(files.surfacelab(image))
    (folder / "notes.md").write_text("not an image")
    ions = read_ions(folder)
    assert list(ions.ion) == ["total", "CH_3+", "Li+"]  # in the order of their numbers
    np.testing.assert_array_equal(ions.counts, images[::-1, 0])
    assert ions.attrs["source"] == "film" and ions.attrs["dead_time_corrected"] == "yes"
    listed = read_ions([folder / name for name in names[:2]])
    assert list(listed.ion) == ["CH_3+", "Li+"]
    xr.testing.assert_equal(listed.counts, ions.counts[1:])


def test_surfacelab_slices_are_frames(opened):
    images = files.picture(1, frames=2)
    ions = opened(files.surfacelab(images[0]), "film (7) - Cl-.txt")
    np.testing.assert_array_equal(ions.counts, images)
    assert list(ions.ion) == ["Cl-"]


@pytest.mark.parametrize(
    ("line", "width", "height"),
    [
        ("Field of view: 200 x 150 um", 200, 150),
        ("FieldOfView: 0.2 mm", 200, 150),
        ("Raster size: 200 um", 200, 150),  # square pixels
        ("Raster size: 500 µm²", np.sqrt(500 * 4 / 3), np.sqrt(500 * 3 / 4)),  # an area
        ("Raster size: 7.5e-5 mm^2", 10, 7.5),
        ("Field of view: 10.0 µm x 10.0 µm", 10, 10),
        ("Field of view: 10x10 um", 10, 10),
        ("Field of view: 0.5 x 0.5 mm^2", 500, 500),
        ("Field of view: 0.5 mm × 250 ~m", 500, 250),
    ],
)
def test_surfacelab_field_of_view(opened, line, width, height):
    ions = opened(files.surfacelab(files.picture()[0], f"# {line}\n"), "film.txt")
    np.testing.assert_allclose(ions.x, centres(4, width))
    np.testing.assert_allclose(ions.y, centres(3, height))
    assert ions.x.units == "um" and ions.attrs["left_aside"] == ""


@pytest.mark.parametrize("told", ["256 x 256", "10 s", "0,5 mm", "10 x 10 x 5 um", "large", "0 um"])
def test_surfacelab_field_of_view_that_is_not_understood_is_told(opened, told):
    raw = files.surfacelab(files.picture()[0], f"# Field of view: {told}\n")
    ions = opened(raw, "film.txt")
    assert ions.x.units == ions.y.units == "pixel"
    assert ions.attrs["left_aside"] == told


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("# a\n0 0 1\n1 0 2\n0 1 3\n", "has 3 pixels, not 2 x 2 x 1; it is cut short"),
        ("# a\n0 0 1\n0 0 2\n", "has 2 pixels, not 1 x 1 x 1"),
        ("# a\n0 0 1\n0 0 2\n1 1 1\n1 0 5\n", "has a pixel twice"),
        ("# a\n0 0.5 1\n", "without a whole number"),
        ("# a\n0 0\n", "has 2 columns"),
        ("# a\n0 0 1\n0 x 1\n", "damaged or no SurfaceLab image file"),
        ("# a\n# b\n", "no pixels behind its header"),
        ("# a\n5 5 1\n", "cut short"),
        ("# Binning: 200 channels\nChannel\tm/z\tIntensity\n100\t0.1\t0\n", "is a SurfaceLab spec"),
    ],
)
def test_what_is_wrong_with_a_surfacelab_file(opened, written, words):
    with pytest.raises(ReaderError) as caught:
        opened(written.encode(), "film.txt")
    assert words in str(caught.value) and str(caught.value).startswith("'film.txt'")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("a (1) - Li.txt", "b (1) - Li.txt"), "has 2 measurements ('a', 'b'); give a folder to"),
        (("a (1) - Li.txt", "a (2) - Li.txt"), "has peak 'Li' twice; give each spot its folder"),
        ((), "is a folder without SurfaceLab images"),
    ],
)
def test_a_folder_holds_one_measurement(tmp_path, names, words):
    for name in names:
        (tmp_path / name).write_bytes(files.surfacelab(files.picture()[0]))
    with pytest.raises(ReaderError) as caught:
        read_ions(tmp_path)
    assert words in str(caught.value) and str(tmp_path.parent) not in str(caught.value)


def test_a_folder_names_the_file_that_is_wrong(tmp_path):
    (tmp_path / "a (1) - Li.txt").write_bytes(files.surfacelab(files.picture()[0]))
    (tmp_path / "a (2) - O.txt").write_bytes(b"# a\n0 0\n")
    with pytest.raises(ReaderError, match=r"holds 'a \(2\) - O\.txt', which has 2 columns"):
        read_ions(tmp_path)


def test_real_surfacelab_spectra_and_profiles_are_no_images(real):
    for path in ((real / "sims").glob("spectra/P_*1.txt"), (real / "sims").glob("depth/*.txt")):
        for file in path:
            with pytest.raises(ReaderError, match="SurfaceLab spectrum or depth profile, no image"):
                read_ions(file)


def test_bif6(opened):
    images = files.picture(3)[:, 0]
    windows = [(0.0, 0.0, 0.0), (6.9, 7.02, 7.1), (18.9, 19.0, 19.1)]
    ions = opened(files.bif6(images, windows), "film.bif6")
    np.testing.assert_array_equal(ions.counts, images)
    assert list(ions.ion) == ["total", "7.02 u", "19.00 u"]
    np.testing.assert_allclose(ions.mass, [np.nan, 7.02, 19.0], rtol=1e-6)
    assert ions.x.attrs["units"] == "pixel"
    with pytest.raises(ReaderError, match="declares 192 bytes of data at byte 12"):
        opened(files.bif6(images, windows)[:-1], "cut.bif6")


class StandIn:
    """What pySPM.ITA and ITM offer (0.6.3), for two peaks; row 0 is the bottom, as stored."""

    images = files.picture()[:, 0, ::-1]
    polarity, spp, Nscan = "Positive", 5, 7

    def __init__(self, path: str) -> None:
        sys.stdout.write("pySPM talks")
        self.size = {"pixels": {"x": 4, "y": 3}, "real": {"x": 8e-6, "y": 6e-6, "unit": "m"}}

    def get_masses(self) -> list[dict]:
        window = {"lmass": 6.9, "cmass": 7.0, "umass": 7.1}
        return [
            {"id": 0, "SN": "a", "assign": "Li+", "desc": "", **window},
            {"id": 1, "SN": "b", "assign": "", "desc": "", **window},
        ]

    def get_added_image_by_SN(self, serial: str, raw: bool = False) -> np.ndarray:
        if serial == "b":
            raise MissingBlock
        return self.images[0]

    def get_added_image(self, channel: int) -> np.ndarray:
        return self.images[channel]

    def reconstruct(self, windows: list) -> list[SimpleNamespace]:
        assert windows == [(6.9, 7.1)] * 2
        return [SimpleNamespace(pixels=image) for image in self.images]


class MissingBlock(Exception):
    pass


@pytest.mark.parametrize("name", ["film.ita", "film.itm"])
def test_iontof_adapter_with_a_stand_in(opened, monkeypatch, capsys, name):
    package, block = ModuleType("pySPM"), ModuleType("pySPM.Block")
    package.ITA = package.ITM = StandIn
    block.MissingBlockError = MissingBlock
    monkeypatch.setitem(sys.modules, "pySPM", package)
    monkeypatch.setitem(sys.modules, "pySPM.Block", block)
    ions = opened(b"ITStrF01", name)
    np.testing.assert_array_equal(ions.counts, files.picture()[:, 0])
    assert list(ions.ion) == ["Li+", "7.00 u"]
    np.testing.assert_allclose(ions.y, centres(3, 6.0))
    assert ions.attrs["polarity"] == "positive" and ions.attrs["shots_per_pixel"] == 5
    assert capsys.readouterr().out == ""


def test_iontof_says_how_to_install_what_it_needs(opened, monkeypatch):
    monkeypatch.setitem(sys.modules, "pySPM", None)
    with pytest.raises(ReaderError, match=r"'a\.ita' needs the package pySPM: pip install"):
        opened(b"ITStrF01", "a.ita")


# ------------------------------------------------------------------------------------- HDF5


def phi_images() -> dict[float, np.ndarray]:
    """Three ions of two nominal masses; counts on both sides of 255."""
    lithium, other = files.picture(1, 2)[0], 30 * files.picture(1, 2)[0]
    return {7.016: lithium, 15.995: other, 16.031: lithium + 1}


def test_sims_h5(opened):
    images = phi_images()
    ions = opened(files.sims_h5(images), "film.h5")
    assert list(ions.ion) == ["7 u", "16 u"] and ions.attrs["polarity"] == "negative"
    assert ions.counts.chunks is not None and ions.attrs["format"] == "SIMS-H5"
    np.testing.assert_array_equal(ions.counts[0], images[7.016])
    np.testing.assert_array_equal(ions.counts[1], images[15.995] + images[16.031])


def test_sims_h5_equals_its_makers_reader(opened, tmp_path):
    ions = opened(files.sims_h5(phi_images()), "film.h5")
    with simsh5.open_archive(tmp_path / "film.h5") as archive:
        for mass, image in zip((7, 16), ions.counts.sum("frame"), strict=True):
            peer = simsh5.ion_image(archive, mass - 0.5, mass + 0.5)
            np.testing.assert_array_equal(image, peer[::-1])  # PHI: the bottom row first
        np.testing.assert_array_equal(
            ions.counts.sum(("ion", "y", "x")), simsh5.depth_profile(archive)[1]
        )


def test_sims_h5_refuses_counts_outside_the_image(opened, tmp_path):
    opened(files.sims_h5(phi_images()), "film.h5")
    with h5py.File(tmp_path / "film.h5", "r+") as file:
        file["data/mass_csr/pixel_id"][-1] = 2**32 - 1
    ions = read_ions(tmp_path / "film.h5")
    with pytest.raises(ReaderError, match=r"'film\.h5' has a count in pixel 4294967295 of 24"):
        ions.counts.compute()


def test_tofwerk(opened):
    images = files.picture(3, 2)
    labels = ["[7Li]+", "nominal_1", "[6Li]+"]
    ions = opened(files.tofwerk(images, labels, [7.016, 1.0, 6.015]), "film.h5")
    assert list(ions.ion) == ["nominal_1", "[6Li]+", "[7Li]+"]  # nominal, then by mass
    np.testing.assert_allclose(ions.mass, [1.0, 6.015, 7.016], rtol=1e-6)
    assert ions.counts.chunks is not None
    np.testing.assert_array_equal(ions.counts, images[[1, 2, 0]])
    np.testing.assert_allclose(ions.x, centres(4, 8.0))
    np.testing.assert_allclose(ions.y, centres(3, 6.0))
    assert ions.attrs["format"] == "TOFWERK .h5" and ions.attrs["polarity"] == "positive"


def test_tofwerk_file_of_its_readers_authors(real, capfd):
    path = real / "volume" / "rosettasciio" / "tofwerk_synth" / "fib_sims_opened.h5"
    ions = read_ions(path)
    assert ions.sizes == {"ion": 10, "frame": 5, "y": 16, "x": 16}
    with h5py.File(path) as file:
        stored = file["PeakData/PeakData"][:]
    np.testing.assert_array_equal(ions.counts, stored.transpose(3, 0, 1, 2))
    np.testing.assert_allclose(ions.x, centres(16, 10.0))  # field of view 0.01 mm
    assert capfd.readouterr() == ("", "")


def test_a_file_larger_than_memory_opens_at_once(tmp_path):
    path = tmp_path / "large.h5"
    path.write_bytes(files.tofwerk(files.picture(1, 1), ["nominal"], [1.0]))
    with h5py.File(path, "r+") as file:
        del file["PeakData/PeakData"]
        shape = (20_000, 256, 256, 1)
        file.create_dataset("PeakData/PeakData", shape, "f4", chunks=(1, 256, 256, 1))
        file.attrs["NbrWrites"] = shape[0]
    tracemalloc.start()
    counts = read_ions(path).counts
    assert counts.nbytes > 5e9  # declared; the file holds none of it
    assert float(counts[0, 12_345, 0, 0].compute()) == 0
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3e8  # one block of dask, 128 MiB, and what unpacks it


def damaged(raw: bytes, tmp_path, change) -> ReaderError:
    path = tmp_path / "film.h5"
    path.write_bytes(raw)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(ReaderError) as caught:
        read_ions(path)
    return caught.value


def test_hdf5_never_follows_a_file_elsewhere(tmp_path):
    def link(file):
        del file["FIBImages"]
        file["FIBImages"] = h5py.ExternalLink("/etc/passwd", "/")

    def storage(file):
        del file["PeakData/PeakData"]
        where = [("/etc/passwd", 0, h5py.h5f.UNLIMITED)]
        file.create_dataset("PeakData/PeakData", (1, 3, 4, 1), "f4", external=where)

    raw = files.tofwerk(files.picture(1), ["nominal"], [1.0])
    assert "points to other files" in str(damaged(raw, tmp_path, link))
    assert "keeps its data in other files" in str(damaged(raw, tmp_path, storage))


def test_hdf5_of_absurd_size_is_refused(tmp_path):
    def axis(file):
        del file["FullSpectra/MassAxis"]
        file.create_dataset("FullSpectra/MassAxis", (10**12,), "f4", chunks=(1000,))

    raw = files.tofwerk(files.picture(1), ["nominal"], [1.0])
    assert "declares 4000000000000 bytes" in str(damaged(raw, tmp_path, axis))
    shape = lambda file: file["geometry"].attrs.modify("row_shape", (9999, 1, 9999, 9999))  # noqa: E731
    assert "too many for one image" in str(damaged(files.sims_h5(phi_images()), tmp_path, shape))


def test_other_hdf5_is_refused(tmp_path):
    other = lambda file: file.attrs.__delitem__("TofDAQ Version")  # noqa: E731
    raw = files.tofwerk(files.picture(1), ["nominal"], [1.0])
    assert "neither of TOFWERK nor SIMS-H5" in str(damaged(raw, tmp_path, other))
    events = lambda file: file.__delitem__("PeakData/PeakData")  # noqa: E731
    assert "raw events but no peaks" in str(damaged(raw, tmp_path, events))
    mosaic = lambda file: file.attrs.modify("acquisition_mode", "mosaic")  # noqa: E731
    assert "is a mosaic" in str(damaged(files.sims_h5(phi_images()), tmp_path, mosaic))


# ------------------------------------------------------------------------------------- all

SMALL = {
    "a.im": files.nanosims(files.picture(), LABELS, MASSES),
    "a.txt": files.surfacelab(files.picture()[0]),
    "a.bif6": files.bif6(files.picture()[:, 0], [(0, 0, 0), (1, 2, 3)]),
    "phi.h5": files.sims_h5(phi_images()),
    "tofwerk.h5": files.tofwerk(files.picture(1, 2), ["nominal"], [1.0]),
}


@pytest.mark.parametrize("name", list(SMALL))
def test_one_data_model(opened, tmp_path, name):
    ions = opened(SMALL[name], name)
    assert list(ions) == ["counts"] and ions.counts.dims[0] == "ion"
    assert ions.counts.attrs["quantity"] == "counts"
    for array in (ions.counts, ions.mass, ions.x, ions.y):
        registry().parse_units(array.attrs["units"])
    xr.testing.assert_identical(to_units(ions.counts, "count"), ions.counts)
    assert ions.attrs["dead_time_corrected"] in ("yes", "no", "unknown")
    assert ions.attrs["source"] == name and isinstance(json.loads(ions.attrs["metadata"]), dict)
    assert f"read from {name} by liscope.readers." in ions.counts.attrs["history"]
    ions.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "a.nc", engine="h5netcdf"), ions.load())


def test_the_size_of_a_raster_can_be_given(opened):
    ions = opened(SMALL["a.bif6"], "a.bif6")
    with pytest.raises(DataError, match="cannot convert 'pixel' to 'um'"):
        to_units(ions.x, "um")
    sized = with_field(ions, 100.0)
    np.testing.assert_allclose(sized.x, centres(4, 100.0))
    np.testing.assert_allclose(sized.y, centres(3, 75.0))  # square pixels
    np.testing.assert_allclose(with_field(ions, 100.0, 90.0).y, centres(3, 90.0))
    assert sized.counts.attrs["history"].endswith("with_field(width=100.0, height=75.0)")
    assert ions.x.attrs["units"] == "pixel" and sized.x.attrs["units"] == "um"
    with pytest.raises(DataError, match="give its size in um"):
        with_field(ions, 0.0)


def test_images_handed_to_the_other_functions(tmp_path):
    (tmp_path / "a.bif6").write_bytes(SMALL["a.bif6"])
    for reader, kind in ((read_scan, "scan"), (read_curves, "I-V curve")):
        with pytest.raises(ReaderError, match=f"is a BIF6 file, no {kind}; open it with read_ions"):
            reader(tmp_path / "a.bif6")


def test_open_ions_by_name(real, tmp_path):
    ions = data.open_ions("real:RTIimage.im")
    assert int(ions.counts.sum()) == 936959
    (tmp_path / "a (1) - Li.txt").write_bytes(SMALL["a.txt"])
    assert list(data.open_ions(str(tmp_path)).ion) == ["Li"]
    with pytest.raises(ReaderError, match="no file"):
        data.open_scan(str(tmp_path))
