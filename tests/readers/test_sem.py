"""SEM pictures: real ones of FEI, Zeiss and ImageJ, small ones with all that is told.

Sums and pixel sizes come from RosettaSciIO 0.15 (SOURCES.md), but for pixels that are not square:
there it gives the rows the width of a pixel, and FEI's own text is the reference.
"""

import io
import zipfile

import dask
import numpy as np
import pytest
import synthetic_eds as files
import tifffile
from PIL import Image

from liscope.errors import ReaderError
from liscope.readers import read_sem

PICTURE = np.arange(30, dtype="u2").reshape(6, 5)


@pytest.fixture
def unpacked(real, tmp_path):
    def unpacked(archive: str, member: str):
        with zipfile.ZipFile(real / "volume" / "rosettasciio" / "tiff" / archive) as held:
            return read_sem(held.extract(member, tmp_path))

    return unpacked


@pytest.fixture
def opened(tmp_path):
    def opened(raw: bytes, name: str = "a.tif"):
        (tmp_path / name).write_bytes(raw)
        return read_sem(tmp_path / name)

    return opened


def _written(data: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, data, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(("bits", "total"), [(16, 189_324_800), (8, 739_550)])
def test_real_helios(unpacked, bits, total):
    found = unpacked("tiff_FEI_Helios.zip", f"FEI-Helios-Ebeam-{bits}bits.tif")
    assert found.image.dims == ("y", "x") and found.image.shape == (471, 512)
    assert dask.is_dask_collection(found.image.data)
    assert int(found.image.astype(int).sum()) == total
    np.testing.assert_allclose(found.x[[0, 1]], [1.6862, 5.0586], rtol=1e-9)
    assert found.x.units == "um" and found.attrs["beam_energy"] == 5
    assert found.attrs["detector"] == "ETD" and found.attrs["dwell_time"] == 1e-5
    assert found.attrs["data_bar"] == 471 - 442  # the text says 442 rows of the specimen
    assert found.attrs["format"] == "FEI .tif"


def test_real_navigation_camera(unpacked):
    found = unpacked("tiff_FEI_Helios.zip", "FEI-Helios-navcam.tif")
    # x from HFW / ResolutionX, y from VFW / ResolutionY of its text
    np.testing.assert_allclose(found.x[1] - found.x[0], 263.9739583, rtol=1e-9)
    np.testing.assert_allclose(found.y[1] - found.y[0], 263.974609375, rtol=1e-9)
    for name in ("with-no-IRBeam", "with-no-IRBeam-bad-floats"):
        bare = unpacked("tiff_FEI_Helios.zip", f"FEI-Helios-navcam-{name}.tif")
        assert bare.x.units == "pixel" and bare.image.shape == (551, 768)


def test_real_zeiss(unpacked):
    found = unpacked("tiff_Zeiss_SEM.zip", "ZEISS_SEM_multipage.tif")
    assert found.image.dims == ("slice", "y", "x") and found.image.shape == (2, 1536, 2048)
    assert int(found.image.astype(int).sum()) == 403_501_723
    np.testing.assert_allclose(found.x[1] - found.x[0], 1.2326225e-2, rtol=1e-9)
    assert found.attrs["beam_energy"] == 1.8 and found.attrs["tilt"] == pytest.approx(52.6)
    assert found.attrs["detector"] == "InLens" and found.image.chunks[0] == (1, 1)


@pytest.mark.parametrize(
    ("name", "pixel", "tilt"), [("1k", 2.614514, 0), ("512pix", 1.1649976e-2, 0)]
)
def test_real_zeiss_of_other_widths(unpacked, name, pixel, tilt):
    found = unpacked("tiff_Zeiss_SEM.zip", f"test_tiff_Zeiss_SEM_{name}.tif")
    np.testing.assert_allclose(found.x[1] - found.x[0], pixel, rtol=1e-6)
    assert abs(found.attrs["tilt"]) == tilt


def test_real_imagej_stack(real):
    path = real / "volume" / "rosettasciio" / "tiff"
    found = read_sem(path / "test_loading_image_saved_with_imageJ_stack.tif")
    assert found.image.shape == (2, 68, 68) and found.image.dtype == np.float32
    np.testing.assert_allclose(found.x[1] - found.x[0], 0.16867471098853332, rtol=1e-9)
    peer = tifffile.imread(path / "test_loading_image_saved_with_imageJ_stack.tif")
    np.testing.assert_array_equal(found.image, peer)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"byteorder": ">"}])
def test_what_fei_tells(opened, options):
    found = opened(files.fei(PICTURE, 4, **options))
    np.testing.assert_array_equal(found.image, PICTURE)
    assert found.image.dtype == np.dtype("u2")  # native, whatever the file has
    np.testing.assert_allclose(found.y[:2], [0.005, 0.015])  # 10 nm high,
    np.testing.assert_allclose(found.x[:2], [0.0025, 0.0075])  # 5 nm wide
    assert found.attrs["tilt"] == pytest.approx(52, abs=1e-4)
    assert found.attrs["tilt_correction"] == pytest.approx(-38, abs=1e-4)
    assert found.attrs["working_distance"] == 4 and found.attrs["data_bar"] == 2


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"bigtiff": True}])
def test_pages_are_slices(opened, options):
    stack = np.stack([PICTURE, PICTURE + 100, PICTURE + 200])
    found = opened(_written(stack, photometric="minisblack", metadata=None, **options))
    np.testing.assert_array_equal(found.image, stack)
    assert found.image.chunks == ((1, 1, 1), (6,), (5,)) and list(found["slice"]) == [0, 1, 2]
    assert found.x.units == "pixel" and np.isnan(found.attrs["beam_energy"])


def test_lzw(opened):
    buffer = io.BytesIO()
    Image.fromarray(PICTURE).save(buffer, "TIFF", compression="tiff_lzw")
    np.testing.assert_array_equal(opened(buffer.getvalue()).image, PICTURE)


def test_dots_per_inch_are_no_calibration(opened):
    found = opened(_written(PICTURE, resolution=(300, 300), resolutionunit=2))
    assert found.x.units == "pixel"


def test_imagej_with_unequal_pixels(opened):
    stack = np.stack([PICTURE, PICTURE]).astype("u2")
    raw = _written(stack, imagej=True, resolution=(10, 20), metadata={"unit": "um", "axes": "ZYX"})
    found = opened(raw)  # 10 pixels a um along x, 20 along y
    np.testing.assert_allclose(found.x[1] - found.x[0], 0.1)
    np.testing.assert_allclose(found.y[1] - found.y[0], 0.05)
    np.testing.assert_array_equal(found.image, stack)


SOUND = files.fei(PICTURE, 4)
WRONG = [
    (b"", "is empty"),
    (b"plain words", "does not begin"),
    (SOUND[:8], "copy it again"),
    (SOUND[:60], "copy it again"),
    (_written(np.ones((6, 5, 3), "u1"), photometric="rgb"), "save it in grey"),
    (_written(np.ones((64, 64), "u2"), metadata=None)[:3000], "cut short"),
    (_written(np.ones((64, 64), "c8"), metadata=None), "declares a page"),
]


@pytest.mark.parametrize(("raw", "words"), WRONG)
def test_what_is_refused(opened, raw, words):
    with pytest.raises(ReaderError) as caught:
        opened(raw)
    message = str(caught.value)
    assert words in message and message.startswith("'a.tif'") and "\n" not in message


def test_declared_sizes_are_checked(opened):
    big = SOUND.replace(b"\1\1\4\0\1\0\0\0\6\0\0\0", b"\1\1\4\0\1\0\0\0\0\0\0\x7f")  # ImageLength
    sized = big if big != SOUND else SOUND.replace(
        b"\1\1\3\0\1\0\0\0\6\0\0\0", b"\1\1\4\0\1\0\0\0\0\0\0\x7f"
    )  # fmt: skip
    assert sized != SOUND
    with pytest.raises(ReaderError, match=r"header is damaged|cut short"):
        opened(sized)


def test_damaged_pixels_are_said_when_they_are_asked_for(opened):
    raw = bytearray(_written(np.ones((64, 64), "u2"), compression="zlib", metadata=None))
    at = raw.index(b"\x78\x9c") if b"\x78\x9c" in raw else raw.index(b"\x78\xda")
    raw[at : at + 8] = b"\xff" * 8
    found = opened(bytes(raw))
    with pytest.raises(ReaderError, match=r"'a.tif'"):
        found.image.compute()
