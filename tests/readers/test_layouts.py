"""Orientation, scaling and metadata on files whose every pixel is known."""

import json
import struct

import numpy as np
import pytest
import synthetic_scans as files

from liscope.errors import ReaderError
from liscope.readers import channel, read_scan
from liscope.readers.common import guess_quantity


@pytest.fixture
def opened(tmp_path):
    def opened(raw: bytes, name: str = "scan.dat"):
        (tmp_path / name).write_bytes(raw)
        return read_scan(tmp_path / name)

    return opened


@pytest.mark.parametrize("scan_dir", ["down", "up"])
def test_nanonis_order_of_acquisition(opened, scan_dir):
    rows = slice(None, None, -1 if scan_dir == "up" else 1)
    both = np.stack([files.picture()[rows], files.picture(100)[rows, ::-1]])
    back = files.picture(200)[rows, ::-1]
    raw = files.sxm([("Z", "m", "both", both), ("LI X", "A", "backward", back[None])], scan_dir)
    scan = opened(raw)
    assert list(scan) == ["z", "z_retrace", "li_x_retrace"]
    np.testing.assert_array_equal(scan.z, files.picture())
    np.testing.assert_array_equal(scan.z_retrace, files.picture(100))
    np.testing.assert_array_equal(scan.li_x_retrace, files.picture(200))
    assert scan.li_x_retrace.attrs["quantity"] == "other"  # a derivative, though in ampere
    assert scan.attrs["slow_axis"] == scan_dir
    assert (scan.attrs["scan_centre_x"], scan.attrs["scan_centre_y"]) == pytest.approx((1, -2))
    assert scan.attrs["scan_angle"] == 30 and scan.attrs["bias"] == -1.5
    np.testing.assert_allclose(scan.x, [0.5, 1.5, 2.5, 3.5])
    np.testing.assert_allclose(scan.y, [1, 3, 5])


def test_nanonis_keeps_lines_that_were_not_scanned_as_nan(opened):
    image = files.picture()
    image[1:] = np.nan
    scan = opened(files.sxm([("Z", "m", "forward", image[None])]))
    assert np.isnan(scan.z.values).sum() == 8 and np.isfinite(scan.z.values[0]).all()


def test_nanoscope_integers_to_units(opened):
    stored = (files.picture()[::-1] * 100).astype("<i2")
    wide = (files.picture()[::-1] * 2**24).astype("<i4")
    scale = "V [Sens. {}] (0.0003750000 {}/LSB) {} {}"
    images = [
        ("Height", "Trace", stored, {"@2:Z scale": scale.format("Zsens", "V", 65.536, "V")}),
        # the header says 2 bytes, the block holds 4, as NanoScope 9 writes it
        ("TUNA Current", "Retrace", wide, {"@2:Z scale": scale.format("tunaSens", "V", 256, "V")}),
        ("Phase", "Trace", stored, {"@2:Z scale": "V (0.005 \xba/LSB) 327.68 \xba"}),
    ]
    scan = opened(files.nanoscope(images))
    np.testing.assert_allclose(scan.height, files.picture() * 100 * 65.536 / 65536 * 10)
    np.testing.assert_allclose(scan.tuna_current_retrace, files.picture() * 5)
    np.testing.assert_allclose(scan.phase, files.picture() * 0.5)
    units = [array.attrs["units"] for array in scan.data_vars.values()]
    assert units == ["nm", "pA", "deg"]
    assert channel(scan, "current", "retrace").name == "tuna_current_retrace"
    assert scan.attrs["bias"] == 1.5 and scan.attrs["bias_side"] == "sample"
    assert scan.attrs["scan_angle"] == pytest.approx(90, abs=1e-4)
    assert (scan.attrs["scan_centre_x"], scan.attrs["scan_centre_y"]) == pytest.approx((0.1, -0.05))
    assert scan.attrs["slow_axis"] == "down" and scan.attrs["line_time"] == 0.5


@pytest.mark.parametrize(
    ("lines", "aspect", "height"),
    # 3 of 6 lines kept; a 4:3 frame with all lines; non-square pixels; pySPM's test of a real
    # header (512 x 358 of 512 lines, 300 nm) and of one of 16:1 follow the same rule
    [("6", "1:1", 2.0), ("3", "4:3", 3.0), ("3", "1:1", 4.0)],
)
def test_nanoscope_height_of_the_frame(opened, lines, aspect, height):
    stored = files.picture().astype("<i2")
    more = {"@2:Z scale": "V (0.0003 V/LSB) 20 V"}
    scan_list = files.SCAN | {"Lines": lines, "Aspect Ratio": aspect}
    scan = opened(files.nanoscope([("Input", "Trace", stored, more)], scan_list))
    assert float(scan.y[-1] + scan.y[0]) == pytest.approx(height)
    assert float(scan.x[-1] + scan.x[0]) == pytest.approx(4.0)


@pytest.mark.parametrize("order", ["<", ">"])
def test_asylum(opened, order):
    planes = {
        "HeightTrace": files.picture()[::-1],
        "HeightRetrace": files.picture(100)[::-1],
        "CurrentTrace": files.picture(200)[::-1],
        "UserIn0Trace": files.picture(300)[::-1],
    }
    note = "ScanRate: 4\nSurfaceVoltage: -2\nTipVoltage: 0\nScanDown: 1\nUserIn0Unit:nN\n"
    scan = opened(files.ibw(planes, note, order))
    assert list(scan) == ["height", "height_retrace", "current", "userin0"]
    for offset, array in zip((0, 100, 200, 300), scan.data_vars.values(), strict=True):
        np.testing.assert_array_equal(array, files.picture(offset))
    assert [a.attrs["units"] for a in scan.data_vars.values()] == ["m", "m", "A", "nN"]
    assert scan.attrs["bias"] == -2 and scan.attrs["bias_side"] == "sample"
    assert scan.attrs["slow_axis"] == "down" and scan.attrs["line_time"] == 0.25
    assert float(scan.x[-1] + scan.x[0]) == pytest.approx(4.0)
    assert float(scan.y[-1] + scan.y[0]) == pytest.approx(2.0)


def test_asylum_refuses_a_changed_header(opened):
    raw = bytearray(files.ibw({"HeightTrace": files.picture()}, ""))
    raw[133] ^= 1
    with pytest.raises(ReaderError, match="its header is damaged"):
        opened(bytes(raw))


def test_gwyddion_leaves_other_grids_aside(opened):
    small = np.ones((2, 2))
    raw = files.gwy(
        {
            "/0/data": files.field(small, 1e-6, 1e-6, z="V"),
            "/0/data/title": "Overview",
            "/2/data": files.field(files.picture(), 4e-6, 3e-6),
            "/2/data/title": "Z (Forward)",
            "/2/meta": {"Sample bias": "-3 V", "Date": "2020"},
            "/10/data": files.field(files.picture(5), 4e-6, 3e-6, z="pA"),
            "/10/data/title": "Current Backward",
        }
    )
    scan = opened(raw)
    assert list(scan) == ["z", "current_retrace"]
    np.testing.assert_array_equal(scan.current_retrace, files.picture(5))
    assert scan.current_retrace.attrs["units"] == "pA"
    assert scan.attrs["left_aside"] == "Overview"
    assert scan.attrs["bias"] == -3 and scan.attrs["bias_side"] == "sample"
    assert json.loads(scan.attrs["metadata"])["2"]["Date"] == "2020"
    np.testing.assert_allclose(scan.y, [0.5, 1.5, 2.5])


def test_gwyddion_names_units_that_pint_cannot_read(opened):
    entries = {"/0/data": files.field(files.picture(), 1e-6, 1e-6, z="log(Pa)")}
    attrs = opened(files.gwy(entries)).channel_0.attrs
    assert attrs["units"] == "1" and attrs["vendor_units"] == "log(Pa)"


@pytest.mark.parametrize("dtype", ["<i2", "<i4", "<f4"])
def test_park(opened, dtype):
    scan = opened(files.park(files.picture()[::-1].astype(dtype)))
    np.testing.assert_allclose(scan.z_height, 0.5 * (2 * files.picture() + 1))
    assert scan.z_height.attrs["units"] == "nm" and scan.z_height.attrs["direction"] == "trace"
    assert scan.attrs["bias"] == 0.5 and scan.attrs["bias_side"] == "sample"
    assert scan.attrs["setpoint"] == 5 and scan.attrs["setpoint_units"] == "nN"
    assert scan.attrs["slow_axis"] == "up" and scan.attrs["line_time"] == 0.5
    np.testing.assert_allclose(scan.x, [0.5, 1.5, 2.5, 3.5])
    np.testing.assert_allclose(scan.y, [1, 3, 5])


def test_park_backward_current_with_tip_bias(opened):
    stored = files.picture()[::-1].astype("<i4")
    raw = files.park(stored, source="Current", unit="pA", forward=0, tip=2.0, sample=0.0)
    scan = opened(raw)
    assert channel(scan, "current", "retrace").name == "current_retrace"
    assert scan.attrs["bias"] == 2.0 and scan.attrs["bias_side"] == "tip"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image_type": 1}, "not an image"),
        ({"compressed": 1}, "compressed"),
        ({"nx": 60000, "ny": 60000}, "declares 7200000000 bytes"),
        ({"nx": 0}, "0 x 3 pixels"),
        ({"width": float("nan")}, "no usable scan size"),
    ],
)
def test_park_refuses(opened, changes, words):
    with pytest.raises(ReaderError, match=words):
        opened(files.park(files.picture().astype("<i2"), **changes))


def test_an_ordinary_tiff_is_named_as_such(opened):
    import io

    import tifffile

    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((8, 8), np.uint8))
    with pytest.raises(ReaderError, match="without Park measurement data"):
        opened(file.getvalue())


def _deep(levels: int) -> bytes:
    body = b""
    for _ in range(levels):
        body = b"a\0o" + b"GwyContainer\0" + struct.pack("<I", len(body)) + body
    return b"GWYP" + b"GwyContainer\0" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (_deep(5000), "too deeply"),
        (b"GWYP" + b"GwyContainer\0" + struct.pack("<I", 8) + b"a\0sbcdef", "text without end"),
        (b"GWYP" + b"GwyContainer\0" + struct.pack("<I", 7) + b"a\0S\xff\xff\xff\xff", "without"),
        (b"GWYP" + b"GwyContainer\0" + struct.pack("<I", 7) + b"a\0D\xff\xff\xff\xff", "declares"),
        (files.gwy({"/0/data": "text"}), "holds no image"),
        (files.gwy({f"/{i}/data/title": "" for i in range(100_001)}), "more than 100000 entries"),
        (files.gwy({"/0/data": files.field(np.ones((2, 2)), float("nan"), 1.0)}), "no usable"),
    ],
)
def test_hostile_gwyddion(opened, raw, words):
    with pytest.raises(ReaderError, match=words):
        opened(raw, "scan.gwy")


def test_endless_title_is_cut(opened):
    entries = {"/0/data": files.field(files.picture(), 1e-6, 1e-6)}
    title = {"/0/data/title": "Current" + " " * 5_000_000 + "map"}
    assert opened(files.gwy(entries | title)).current.attrs["long_name"] == "Current"


@pytest.mark.parametrize(
    ("label", "units", "quantity"),
    [
        ("Z", "m", "height"),
        ("Height Sensor", "nm", "height"),
        ("ZSensor", "V", "other"),
        ("Deflection Error", "V", "deflection"),
        ("Amplitude Error", "V", "other"),
        ("Amplitude", "pm", "amplitude"),
        ("TUNA Current", "pA", "current"),
        ("LockIn Demod 1 X", "A", "other"),
        ("Bias", "V", "bias"),
        ("Deformation", "m", "other"),
    ],
)
def test_quantity(label, units, quantity):
    assert guess_quantity(label, units) == quantity


def test_nanoscope_images_cannot_share_one_block(opened):
    """Each image would take memory, the file only header lines."""
    stored = np.zeros((500, 500), "<i2")
    more = {"@2:Z scale": "V (0.0003 V/LSB) 20 V", "Data offset": "4096"}
    raw = files.nanoscope([("Input", "Trace", stored, more)] * 3)
    assert opened(raw).sizes == {"y": 500, "x": 500}
    with pytest.raises(ReaderError, match="declares more image data than it holds"):
        opened(raw[: 4096 + stored.nbytes])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.gwy", b"", "is empty"),
        ("noise.sxm", b"\x80\xff" * 99, "does not begin as a Nanonis"),
        ("noise.001", b"text", "does not begin as a NanoScope"),
        ("noise.xyz", b"text", "none of the known scan formats"),
        ("line\nbreak.gwy", b"GWYP", "copy it again"),
    ],
)
def test_other_files(opened, name, content, words):
    with pytest.raises(ReaderError, match=words) as caught:
        opened(content, name)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(ReaderError, match=r"'absent\.gwy' is no file"):
        read_scan(tmp_path / "absent.gwy")
    with pytest.raises(ReaderError, match="is no file"):
        read_scan(tmp_path)
    with pytest.raises(ReaderError, match="'a b' is no file"):
        read_scan("a\0b")
