"""AZtec's .h5oina, on files written by the specification: counts, places, slices, refusals."""

import math
from dataclasses import dataclass

import dask
import h5py
import numpy as np
import pytest
import synthetic_oina as files

from liscope.errors import ReaderError
from liscope.readers import line_maps, read_eds

SHAPE = (6, 9)
RNG = np.random.default_rng(5)
LIVE = RNG.uniform(0.002, 0.03, SHAPE).astype("f4").astype(float)
MAPS = {name: RNG.poisson(mean, SHAPE) for name, mean in (("Co", 3), ("Zr", 80), ("C", 0.4))}


@dataclass
class Folder:
    """Opens bytes as a file."""

    path: object

    def __call__(self, raw: bytes, name: str = "a.h5oina"):
        (self.path / name).write_bytes(raw)
        return read_eds(self.path / name)


@pytest.fixture
def opened(tmp_path):
    return Folder(tmp_path)


@pytest.mark.parametrize("version", ["2.0", "3.0", "4.0", "5.0", "6.0", "7.0", "8.0"])
def test_rates_become_the_counts_that_were_measured(opened, version):
    found = opened(files.oina([MAPS], LIVE, version=version))
    assert found.counts.dims == ("element", "y", "x")
    assert set(found.element.values) == {"Co", "Zr", "C"}
    for name, counts in MAPS.items():  # each pixel has a live time of its own
        np.testing.assert_array_equal(found.counts.sel(element=name), counts)
    assert found.counts.attrs["units"] == "count" and found.attrs["format_version"] == version
    assert found.attrs["live_time"] == pytest.approx(LIVE.sum(), rel=1e-6)


def test_many_counts_stay_whole_numbers(opened):
    many = {"Co": RNG.integers(10_000, 60_000, SHAPE)}
    found = opened(files.oina([many], LIVE))
    np.testing.assert_allclose(found.counts.sel(element="Co"), many["Co"], rtol=1e-6)


def test_places_energy_and_header(opened):
    found = opened(files.oina([MAPS], LIVE, step=(0.06, 0.08)))
    np.testing.assert_allclose(found.y, (np.arange(6) + 0.5) * 0.06, rtol=1e-6)
    np.testing.assert_allclose(found.x, (np.arange(9) + 0.5) * 0.08, rtol=1e-6)
    assert found.x.units == "um"
    assert found.attrs["tilt"] == pytest.approx(52) and found.attrs["beam_energy"] == 5
    assert found.attrs["binning"] == 4 and "Co La1,2" in found.attrs["lines"]
    assert found.attrs["format"] == "Oxford .h5oina"


def test_slices_of_one_file(opened):
    twice = {name: 2 * counts for name, counts in MAPS.items()}
    found = opened(files.oina([MAPS, twice, MAPS], LIVE, names=["1", "2", "5"]))
    assert found.counts.dims == ("element", "slice", "y", "x")
    np.testing.assert_array_equal(found["slice"], [1, 2, 5])  # the files' own numbers
    np.testing.assert_array_equal(found.counts.sel(element="Zr", slice=2), twice["Zr"])
    np.testing.assert_array_equal(found.counts.sel(element="Zr", slice=5), MAPS["Zr"])


def test_detectors_are_added(opened):
    found = opened(files.oina([MAPS], LIVE, version="6.0", detectors=2))
    np.testing.assert_array_equal(found.counts.sel(element="Zr"), 2 * MAPS["Zr"])
    assert found.attrs["detectors"] == 2


def test_pixels_outside_the_area_are_nothing(opened):
    part = {"Co": np.where(np.eye(*SHAPE) > 0, np.nan, MAPS["Co"].astype(float))}
    found = opened(files.oina([part], LIVE))
    np.testing.assert_array_equal(found.counts.sel(element="Co"), part["Co"])


def test_spectra_are_lazy_and_their_windows_are_maps(opened):
    spectra = np.zeros((*SHAPE, 300), int)
    spectra[..., 98] = MAPS["Co"]  # (98 * 10 - 200) eV = 0.78 keV
    spectra[..., 224] = MAPS["Zr"]  # 2.04 keV
    found = opened(files.oina([MAPS], LIVE, spectra=spectra))
    assert dask.is_dask_collection(found.spectrum.data)
    np.testing.assert_allclose(found.energy[[0, 98]], [-0.2, 0.78], atol=1e-9)
    np.testing.assert_array_equal(found.spectrum, spectra)
    maps = line_maps(found, ["Zr", "Co"], width=0.05)
    np.testing.assert_array_equal(maps.counts.sel(element="Co"), MAPS["Co"])
    np.testing.assert_array_equal(maps.counts.sel(element="Zr"), MAPS["Zr"])


def test_an_electron_image_around_the_map(opened):
    image = RNG.integers(0, 60_000, (24, 36)).astype("u2")  # half the map's pixels, twice its field
    found = opened(files.oina([MAPS], LIVE, image=image))
    np.testing.assert_array_equal(found.bse, image)
    assert found.bse.dims == ("y_bse", "x_bse")
    # the field begins half a map's width left of the map, and ends as far right of it
    width, height = 9 * 0.0814, 6 * 0.0814
    own = width * 2 / 36
    np.testing.assert_allclose(found.x_bse[[0, -1]], [-width / 2 + own / 2, 1.5 * width - own / 2])
    np.testing.assert_allclose(found.y_bse[0], -height / 2 + own / 2, rtol=1e-6)


def test_peak_areas_are_told_apart(opened):
    found = opened(files.oina([MAPS], LIVE, kind="Peak Area"))
    assert found.attrs["intensities"] == "peak area"
    assert opened(files.oina([MAPS], LIVE)).attrs["intensities"] == "window integral"


def _without(raw: bytes, name: str) -> bytes:
    import io

    buffer = io.BytesIO(raw)
    with h5py.File(buffer, "a") as file:
        del file[name]
    return buffer.getvalue()


def _with(raw: bytes, name: str, value) -> bytes:
    import io

    buffer = io.BytesIO(_without(raw, name))
    with h5py.File(buffer, "a") as file:
        file[name] = value
    return buffer.getvalue()


SOUND = files.oina([MAPS], LIVE)
WRONG = [
    (_without(SOUND, "1/EDS/Data/Live Time"), "tells no live time"),
    (_without(SOUND, "1/EDS"), "holds no EDS"),
    (_without(SOUND, "Index"), "neither of AZtec"),
    (_with(SOUND, "1/EDS/Header/X Cells", np.array([[10]])), "declares 6 x 10 pixels but"),
    (_with(SOUND, "1/EDS/Header/X Cells", np.array([[2**31 - 1]])), "header is damaged"),
    (_with(SOUND, "1", h5py.ExternalLink("other.h5", "/")), "points to other files"),
    (files.oina([MAPS], LIVE, index_type="Feature"), "particle analysis"),
    (files.oina([MAPS, {"Co": MAPS["Co"]}], LIVE), "slices of different size or lines"),
    (files.oina([{"Co": MAPS["Co"][:1]}], LIVE[:1], step=(0, 0.1)), "line scan"),
    (SOUND[: len(SOUND) // 2], "copy it again"),
    (SOUND[:20], "copy it again"),
]


@pytest.mark.parametrize(("raw", "words"), WRONG)
def test_what_is_refused(opened, raw, words):
    with pytest.raises(ReaderError) as caught:
        opened(raw)
    message = str(caught.value)
    assert words in message and message.startswith("'a.h5oina'") and "\n" not in message


def test_format_1_has_eds_beside_ebsd(opened):
    found = opened(files.oina([MAPS], LIVE, version="1.0"))
    assert found.attrs["format_version"] == "1.0"
    np.testing.assert_array_equal(found.counts.sel(element="Co"), MAPS["Co"])


def test_tilt_that_is_not_told(opened):
    found = opened(_without(SOUND, "1/EDS/Header/Tilt Angle"))
    assert math.isnan(found.attrs["tilt"])
