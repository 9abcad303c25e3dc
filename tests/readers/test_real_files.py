"""Every public real file, against numbers of independent programs.

The constants come from pySPM 0.6.3 (SXM.get_channel, Bruker.get_channel: arrays as stored, so
rows and columns are turned here), igor2 0.5.15 (binarywave.load()["wave"]["wData"][x, y, i]) and
gwyfile 0.3.0 (load()["/3/data"].data).
"""

import json

import numpy as np
import pytest
import xarray as xr

from liscope.errors import DataError, ReaderError
from liscope.readers import channel, read_scan
from liscope.units import registry, to_units

FILES = [
    ("P0089OP0027.ibw", (256, 256), 2.0, 2.0),
    ("bipm.gwy", (500, 500), 5.0, 5.0),
    ("file_landscape.gwy", (170, 220), 1.0, 1.0),
    ("old_bruker.002", (256, 256), 15.0, 15.0),
    ("pySPM_test.sxm", (256, 256), 5.0, 5.0),
]


@pytest.mark.parametrize(("name", "shape", "width", "height"), FILES)
def test_grid_in_um(real, name, shape, width, height):
    scan = read_scan(real / "spm" / name)
    for array in scan.data_vars.values():
        assert array.dims == ("y", "x") and array.shape == shape
        registry().parse_units(array.attrs["units"])
    for axis, extent in ((scan.x, width), (scan.y, height)):
        step = extent / axis.size
        assert axis.attrs["units"] == "um" and axis.dtype == np.float64
        np.testing.assert_allclose(axis, (np.arange(axis.size) + 0.5) * step, rtol=1e-9)


@pytest.mark.parametrize("name", [row[0] for row in FILES])
def test_survives_netcdf_and_zarr(real, tmp_path, name):
    scan = read_scan(real / "spm" / name)
    scan.to_netcdf(tmp_path / "scan.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "scan.nc", engine="h5netcdf"), scan)
    scan.to_zarr(tmp_path / "scan.zarr", consolidated=False)
    xr.testing.assert_identical(xr.open_zarr(tmp_path / "scan.zarr", consolidated=False), scan)
    assert isinstance(json.loads(scan.attrs["metadata"]), dict | list)


def test_nanonis(real):
    scan = read_scan(real / "spm" / "pySPM_test.sxm")
    assert list(scan) == ["z", "z_retrace", "current", "current_retrace"]
    # pySPM[r, c] of a scan upwards lies in row 255 - r, backward lines also in column 255 - c
    peer = {
        "z": (-4.859435307480453e-07, -4.823417043553491e-07, -5.492529453476891e-07),
        "z_retrace": (-4.443735690529138e-07, -4.885341127192078e-07, -5.374984084483003e-07),
        "current": (8.09058264827911e-10, 1.8910525922954946e-10, 2.508949714652431e-10),
        "current_retrace": (4.48184289680853e-09, 9.827073876866876e-11, 1.2129323587184437e-11),
    }
    for name, values in peer.items():
        stored = scan[name].values[::-1, :: -1 if "retrace" in name else 1]
        assert (stored[0, 0], stored[10, 200], stored[255, 3]) == values
    assert float(scan.current.max()) == 1.0000049677216793e-08  # the preamplifier clips at 10 nA
    assert (scan.z.attrs["units"], scan.current.attrs["units"]) == ("m", "A")
    assert scan.attrs["bias"] == 0.2 and scan.attrs["bias_side"] == "sample"
    assert scan.attrs["setpoint"] == 2e-10 and scan.attrs["setpoint_units"] == "A"
    assert scan.attrs["slow_axis"] == "up" and scan.attrs["line_time"] == pytest.approx(0.9984)
    history = "read from pySPM_test.sxm by liscope.readers.nanonis"
    assert scan.attrs["history"] == channel(scan, "current").attrs["history"] == history


def test_nanonis_retrace_lies_on_trace(real):
    scan = read_scan(real / "spm" / "pySPM_test.sxm")
    trace, retrace = scan.z.values.ravel(), scan.z_retrace.values
    aligned = np.corrcoef(trace, retrace.ravel())[0, 1]
    mirrored = np.corrcoef(trace, retrace[:, ::-1].ravel())[0, 1]
    assert aligned > 0.96 > mirrored


def test_nanoscope(real):
    scan = read_scan(real / "spm" / "old_bruker.002")
    height = to_units(scan.height, "nm").values[::-1]  # pySPM: the bottom row first
    peer = (230.546989812854, 566.6053926905639, 107.1299965826294)
    np.testing.assert_allclose((height[0, 0], height[10, 200], height[255, 3]), peer, rtol=1e-12)
    assert height.min() == pytest.approx(52.300479918054194, rel=1e-12)
    assert height.max() == pytest.approx(757.0924404385254, rel=1e-12)
    assert scan.height.attrs["direction"] == "trace" and scan.height.attrs["long_name"] == "Height"
    assert scan.attrs["bias"] == 0.0 and scan.attrs["bias_side"] == "unknown"
    assert scan.attrs["line_time"] == pytest.approx(1 / 1.50498)


def test_asylum(real):
    scan = read_scan(real / "spm" / "P0089OP0027.ibw")
    names = ("height", "amplitude", "deflection", "phase", "userin0")
    assert list(scan) == [f"{name}_retrace" for name in names]
    assert [a.attrs["units"] for a in scan.data_vars.values()] == ["m", "m", "m", "deg", "V"]
    peer = {  # igor2 wData[x, y] for (0, 0), (200, 10), (3, 255); y counts from the bottom
        "height_retrace": (6.0260277e-09, 1.5954242e-09, 1.8575292e-08),
        "phase_retrace": (16.936605, 38.617588, 228.80313),
        "userin0_retrace": (0.0620687, 0.064053535, 0.06328106),
    }
    for name, values in peer.items():
        wave = scan[name].values[::-1].T
        np.testing.assert_allclose((wave[0, 0], wave[200, 10], wave[3, 255]), values, rtol=1e-6)
    assert scan.attrs["bias"] == 1.0 and scan.attrs["bias_side"] == "tip"
    # the note's ImageFrameTime, 255.59 s, is 256 lines
    assert 256 * scan.attrs["line_time"] == pytest.approx(255.59, rel=1e-4)


def test_gwyddion_rows_and_columns(real):
    scan = read_scan(real / "spm" / "file_landscape.gwy")
    field = scan.left_top_right_bottom
    assert field.values[10, 200] == 6.24659330219417e-10
    assert np.unravel_index(field.values.argmax(), field.shape) == (105, 19)
    assert field.attrs["long_name"] == "Left_Top_Right_Bottom"
    assert channel(scan, "height", "unknown").name == "left_top_right_bottom"


def test_gwyddion_without_units_stays_without(real):
    scan = read_scan(real / "spm" / "gwyfile_test.gwy")
    assert scan.test.attrs["units"] == scan.x.attrs["units"] == "1"
    assert scan.test.values[0, 1] == 0.0008107090919537423
    assert scan.test.values[127, 0] == 0.0005477757460090849


def test_old_gwyddion_numbers_are_in_base_units(real):
    scan = read_scan(real / "spm" / "bipm.gwy")
    image = channel(scan, "height", "unknown")
    assert image.attrs["units"] == "m"
    # the first two numbers of the file, as a hex editor shows them
    assert image.values[0, :2].tobytes().hex() == "fae1f0a165d1f13e" + "0f4dc47164d2f13e"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bruker_data_header.000", "ends at byte 34693"),
        ("bruker_data_header.002", "ends at byte 43130"),
        ("force_bruker.001", "holds force curves, not an image"),
        (
            "Line0010Point0025.ibw",
            "without image channels, not an image (a curve? see read_curves)",
        ),
        ("STS_grid_lockin.3ds", "a Nanonis .3ds file, no scan; open it with read_curves"),
        ("Bias-Spectroscopy041.dat", "a Nanonis .dat file, no scan; open it with read_curves"),
    ],
)
def test_what_is_no_image_is_refused(real, name, words):
    with pytest.raises(ReaderError) as caught:
        read_scan(real / "spm" / name)
    message = str(caught.value)
    assert message.startswith(f"'{name}'") and words in message
    assert "\n" not in message and str(real) not in message


def test_channel_names_what_there_is(real):
    scan = read_scan(real / "spm" / "pySPM_test.sxm")
    assert channel(scan, "current").name == "current"
    assert channel(scan, "height", "retrace").name == "z_retrace"
    with pytest.raises(DataError, match=r"no phase channel; it has z \(height\), z_retrace"):
        channel(scan, "phase")
    with pytest.raises(
        DataError, match=r"direction 'unknown'; it has direction 'retrace', 'trace'"
    ):
        channel(scan, "height", "unknown")
