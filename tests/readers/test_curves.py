"""I-V curves: order of acquisition, units and places, on known files and on real ones.

Numbers of the real files come from a text editor (.dat) and from od, the octal dump (.3ds).
"""

import json
from pathlib import Path

import numpy as np
import pytest
import synthetic_curves as files
import xarray as xr

from liscope import data
from liscope.errors import ReaderError
from liscope.readers import read_curves, read_ions, read_scan
from liscope.units import registry, to_units

UP = [0.0, 1.0, 2.0]


@pytest.fixture
def opened(tmp_path):
    def opened(raw: bytes | str, name: str):
        (tmp_path / name).write_bytes(raw if isinstance(raw, bytes) else raw.encode())
        return read_curves(tmp_path / name)

    return opened


# ---------------------------------------------------------------------------------- Nanonis


def test_the_backward_sweep_follows_as_it_was_measured(opened):
    found = opened(
        files.dat(
            {
                "Bias calc (V)": UP,
                "Current (A)": [1, 2, 3],
                "Current [bwd] (A)": [6, 5, 4],  # stored along the same bias, measured 4, 5, 6
                "Z (m) [filt]": [7, 8, 9],
            }
        ),
        "iv.dat",
    )
    np.testing.assert_array_equal(found.bias, [[0, 1, 2, 2, 1, 0]])
    np.testing.assert_array_equal(found.current, [[1, 2, 3, 4, 5, 6]])
    np.testing.assert_array_equal(found.z_filt, [[7, 8, 9, np.nan, np.nan, np.nan]])
    np.testing.assert_allclose(found.time, [0.004 * np.arange(6)])
    assert found.attrs["sweep_time"] == pytest.approx(0.02)
    assert (found.x.item(), found.y.item()) == pytest.approx((1.0, -2.0))
    assert found.attrs["bias_side"] == "sample" and found.x.attrs["units"] == "um"


def test_each_kept_sweep_is_a_curve_and_their_average_none(opened):
    found = opened(
        files.dat(
            {
                "Bias calc (V)": UP,
                "Current [AVG] (A)": [2, 2, 2],
                "Current [00001] (A)": [1, 1, 1],
                "Current [00002] (A)": [3, 3, 3],
                "Current [AVG] [bwd] (A)": [5, 5, 5],
                "Current [00001] [bwd] (A)": [6, 5, 4],
                "Current [00002] [bwd] (A)": [9, 8, 7],
                "Bias (V)": [0.1, 1.1, 2.1],
            }
        ),
        "iv.dat",
    )
    np.testing.assert_array_equal(found.current, [[1, 1, 1, 4, 5, 6], [3, 3, 3, 7, 8, 9]])
    np.testing.assert_array_equal(found.curve, [1, 2])
    np.testing.assert_array_equal(found.bias_2[:, :3], [[0.1, 1.1, 2.1]] * 2)
    assert "current_avg" not in found


def test_an_average_alone_is_a_curve(opened):
    found = opened(files.dat({"Bias (V)": UP, "Current [AVG] (A)": [2, 3, 4]}), "iv.dat")
    np.testing.assert_array_equal(found.current, [[2, 3, 4]])


def test_grid(opened):
    current = np.arange(12.0).reshape(4, 3)
    raw = files.grid({"Current (A)": current, "Current [bwd] (A)": -current}, (-1, 1), (2, 2))
    found = opened(raw, "iv.3ds")
    np.testing.assert_array_equal(found.bias, [[-1, 0, 1, 1, 0, -1]] * 4)
    np.testing.assert_array_equal(found.current[:, :3], current)
    np.testing.assert_array_equal(found.current[:, 3:], -current[:, ::-1])
    np.testing.assert_allclose(found.x, [0, 0.001, 0, 0.001], rtol=1e-6)
    np.testing.assert_allclose(found.y, [0, 0, 0.001, 0.001], rtol=1e-6)
    np.testing.assert_allclose(found.z, 5e-9, rtol=1e-6)
    np.testing.assert_allclose(found.time, [[0, 1, 2, 3, 4, 5]] * 4)
    assert found.z.attrs["units"] == "m" and found.attrs["missing_curves"] == 0


def test_curves_that_a_stopped_grid_lacks_are_counted(opened):
    current = np.arange(12.0).reshape(4, 3)
    raw = files.grid({"Current (A)": current}, (-1, 1), (2, 2))
    found = opened(raw[:-20], "cut.3ds")  # within the last record
    np.testing.assert_array_equal(found.current, current[:3])
    assert found.attrs["missing_curves"] == 1
    start, size = raw.index(b"END:\r\n") + 6, 4 * (7 + 3)
    filled = raw[: start + size] + np.full(10, np.nan, ">f4").tobytes() + raw[start + 2 * size :]
    found = opened(filled, "filled.3ds")
    np.testing.assert_array_equal(found.curve, [1, 3, 4])
    np.testing.assert_array_equal(found.current, current[[0, 2, 3]])
    with pytest.raises(ReaderError, match="holds no finished curve"):
        opened(raw[: start + 8], "empty.3ds")


def test_a_sweep_in_segments(opened):
    key = "Segment Start (V), Segment End (V), Settling (s), Integration (s), Steps (xn), Lockin"
    more = {"Filetype": "MLS", key: "0E+0,1E+0,0,0,3,0;1E+0,-1E+0,0,0,2,0"}
    raw = files.grid({"Current (A)": np.zeros((1, 4))}, (0, -1), (1, 1), more)
    np.testing.assert_array_equal(opened(raw, "mls.3ds").bias, [[0, 0.5, 1, -1]])
    raw = files.grid({"Current (A)": np.zeros((1, 5))}, (0, -1), (1, 1), more)
    with pytest.raises(ReaderError, match="segments of 4 points, but curves of 5"):
        opened(raw, "mls.3ds")


def test_real_point_spectroscopy(real):
    found = read_curves(real / "spm" / "Bias-Spectroscopy041.dat")
    assert found.sizes == {"curve": 1, "point": 512}
    current, bias = found.current.values[0], found.bias.values[0]
    assert (bias[0], bias[255], bias[256], bias[511]) == (-2, 2, 2, -2)
    for row, forward, backward, filtered in (  # rows of the table, counted from 0
        (99, -10.0007e-9, -6.37548e-9, -10.0007e-9),
        (127, -8.82516e-12, -14.4299e-12, -15.1294e-12),
        (139, 1.41641e-9, 657.121e-12, 1.44697e-9),
    ):
        assert (current[row], current[511 - row]) == (forward, backward)
        assert found.current_filt.values[0, row] == filtered
    assert found.current.attrs["units"] == "A" and found.attrs["bias_side"] == "sample"
    assert found.time.values[0, 1] == pytest.approx(800e-6)  # 200 us settling, 600 us integration
    assert json.loads(found.attrs["metadata"])["Date"] == "07.07.2020 15:01:50"


def test_real_hysteresis(real):
    """Loop areas over the largest current that a script of another project gave, V."""
    found = read_curves(real / "spm" / "Bias-Spectroscopy041.dat")
    forward, backward = np.split(found.current.values[0], 2)
    gap, bias = forward - backward[::-1], found.bias.values[0, :256]
    scale = np.abs(found.current.values).max()
    assert abs(np.trapezoid(gap, bias)) / scale == pytest.approx(0.036, abs=5e-4)
    assert np.trapezoid(np.abs(gap), bias) / scale == pytest.approx(0.173, abs=5e-4)


def test_real_grid(real):
    found = read_curves(real / "spm" / "STS_grid_lockin.3ds")
    assert found.sizes == {"curve": 900, "point": 200} and found.attrs["missing_curves"] == 0
    single = np.float32
    assert found.current.values[0, 0] == single(-1.3747145e-10)
    np.testing.assert_array_equal(
        found.current.values[30, :4],
        np.array([-1.3888912e-10, -1.2544452e-10, -1.2216729e-10, -1.264874e-10], single),
    )
    assert found.lockinx.values[899, 199] == single(3.7345605)
    np.testing.assert_allclose(found.bias[:, [0, -1]], [[-0.22, 0.22]] * 900, rtol=1e-6)
    assert found.attrs["sweep_time"] == pytest.approx(199 * 0.016, rel=1e-6)


def test_real_grid_lies_where_its_header_says(real):
    """Centre 84.51877, 632.9924 nm; 5 x 5 nm, turned by 45 degrees, 30 x 30 places."""
    found = read_curves(real / "spm" / "STS_grid_lockin.3ds")
    x, y = (1000 * found[axis].values.reshape(30, 30) for axis in "xy")
    # the instrument's own places begin 0.078 nm off in both directions: half a pixel, not quite
    assert (x.mean(), y.mean()) == pytest.approx((84.51877, 632.9924), abs=5 / 30)
    for axis in (0, 1):
        pitch = np.hypot(np.diff(x, axis=axis), np.diff(y, axis=axis))
        np.testing.assert_allclose(pitch, 5 / 30, rtol=2e-3)


# ----------------------------------------------------------------------------------- Asylum


def test_asylum(opened):
    channels = {"Defl": [5, 6, 7], "Current": [1, 2, 3], "Bias": [0, 0.5, 1]}
    found = opened(files.ibw(channels, "XLVDT: 1e-6\nYLVDT: -2e-6\n"), "iv.ibw")
    np.testing.assert_array_equal(found.bias, [[0, 0.5, 1]])
    np.testing.assert_array_equal(found.current, [[1, 2, 3]])
    np.testing.assert_array_equal(found.defl, [[5, 6, 7]])
    np.testing.assert_allclose(found.time, [[0, 0.5, 1.0]])
    assert [found[n].attrs["units"] for n in ("bias", "current", "defl")] == ["V", "A", "m"]
    assert (found.x.item(), found.y.item()) == pytest.approx((1.0, -2.0))


# ------------------------------------------------------------------------------------ tables


def test_table(opened):
    found = opened(files.CSV, "iv.csv")
    nan = np.nan
    np.testing.assert_array_equal(found.curve, ["b", "a"])  # in the order of the file
    np.testing.assert_array_equal(found.bias, [[0, 1, 0], [-1, 0, nan]])
    np.testing.assert_array_equal(found.current, [[1, 2, 3], [4, 5, nan]])
    np.testing.assert_array_equal(found.time, [[0, 1, 3], [0, 1, nan]])
    np.testing.assert_array_equal(found.friction, [[7, 8, 9], [1, 2, nan]])
    np.testing.assert_array_equal(found.group, ["film 1", "film 2"])
    np.testing.assert_array_equal(found.x, [2.5, nan])
    np.testing.assert_array_equal(found.y, [nan, nan])
    units = [found[n].attrs["units"] for n in ("bias", "current", "time", "friction")]
    assert units == ["V", "nA", "s", "mV"]
    assert found.attrs["sweep_time"] == 2.0  # median of 3 s and 1 s
    assert json.loads(found.attrs["metadata"])["comments"] == ["# a table made by hand"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_of_one_curve_with_units_in_brackets(opened, separator):
    rows = [["Bias (mV)", "Current [pA]", "time (ms)", "x (nm)", "lock_in"], "1000", "2000"]
    rows = [rows[0], ["0", "1", "0", "500", "3"], ["1000", "2", "20", "500", "4"]]
    found = opened("\n".join(separator.join(row) for row in rows), "iv.tsv")
    np.testing.assert_array_equal(found.bias, [[0, 1000]])
    np.testing.assert_allclose(found.time, [[0, 0.02]])
    assert found.x.item() == pytest.approx(0.5)
    units = [found[n].attrs["units"] for n in ("bias", "current", "lock_in")]
    assert units == ["mV", "pA", "1"]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("bias,current_A\n1,2", "no column 'bias' with a unit; name it 'bias_V'"),
        ("bias_V,height_nm\n1,2", "no column 'current' with a unit; name it 'current_A'"),
        ("bias_nm,current_A\n1,2", "gives 'bias' in 'nm', not in V"),
        ("bias_V;current_A\n0,5;1", "has '0,5' in column 'bias'; write numbers, with a decimal"),
        ("bias_V,current_A\n1,2,3\n", "damaged or no table file"),
        ("bias_V,current_A\n", "no rows"),
        ("bias_V,current_A,x_um\n1,2,3\n1,2,4", "changes 'x' within a curve"),
        ("bias_V,current_A,time_V\n1,2,3", "gives 'time' in 'V'; write time_s"),
        ("bias_V,current_A,bias (V)\n1,2,3", "names a column twice"),
    ],
)
def test_what_is_wrong_with_a_table(opened, table, words):
    with pytest.raises(ReaderError) as caught:
        opened(table, "iv.csv")
    assert words in str(caught.value) and str(caught.value).startswith("'iv.csv'")


# ------------------------------------------------------------------------------------- all


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (files.dat({"Bias calc (V)": UP, "Current (A)": UP, "Current [bwd] (A)": UP}), "iv.dat"),
        (files.grid({"Current (A)": np.ones((4, 3))}, (-1, 1), (2, 2)), "iv.3ds"),
        (files.ibw({"Bias": UP, "Current": UP}), "iv.ibw"),
        (files.CSV, "iv.csv"),
    ],
)
def test_one_data_model(opened, tmp_path, raw, name):
    found = opened(raw, name)
    assert {"bias", "current", "time"} <= set(found) and set(found.dims) == {"curve", "point"}
    for array in found.data_vars.values():
        assert array.dims == ("curve", "point")
        registry().parse_units(array.attrs["units"])
    assert found.attrs["source"] == name and isinstance(json.loads(found.attrs["metadata"]), dict)
    module = found.attrs["history"].split()[-1]
    assert module.startswith("liscope.readers.") and found.current.attrs["history"].endswith(module)
    found.to_netcdf(tmp_path / "iv.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "iv.nc", engine="h5netcdf"), found)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Line0010Point0025.ibw", "no bias among its channels Raw, Defl, ZSnsr"),
        ("P0089OP0027.ibw", "holds images, no I-V curve; open it with read_scan"),
        ("pySPM_test.sxm", "is a Nanonis .sxm file, no I-V curve; open it with read_scan"),
        ("bipm.gwy", "is a Gwyddion file, no I-V curve; open it with read_scan"),
    ],
)
def test_what_is_no_curve_is_refused(real, name, words):
    with pytest.raises(ReaderError) as caught:
        read_curves(real / "spm" / name)
    message = str(caught.value)
    assert message.startswith(f"'{name}'") and words in message and str(real) not in message


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"Z rel (m)": UP, "Current (A)": UP}, "it sweeps 'Z rel (m)', not the bias"),
        ({"Bias (V)": UP, "Z (m)": UP}, "no current besides the bias, its channels: Z (m)"),
    ],
)
def test_other_spectroscopy_is_refused(opened, columns, words):
    with pytest.raises(ReaderError, match="holds no I-V curve") as caught:
        opened(files.dat(columns), "z.dat")
    assert words in str(caught.value)


def test_curves_handed_to_the_other_functions(real):
    path = real / "spm" / "Bias-Spectroscopy041.dat"
    for reader, kind in ((read_scan, "scan"), (read_ions, "SIMS image")):
        with pytest.raises(ReaderError, match=f"no {kind}; open it with read_curves"):
            reader(path)


def test_open_curves_by_name(real):
    found = data.open_curves("real:Bias-Spectroscopy041.dat")
    assert found.sizes["point"] == 512 and found.attrs["format"] == "Nanonis .dat"


@pytest.mark.parametrize("micro", ["u", "\u00b5", "\u03bc"])
def test_a_micro_sign_behind_an_underscore_is_a_unit(micro: str, tmp_path: Path) -> None:
    file = tmp_path / "iv.csv"
    file.write_text(f"bias_V,current_{micro}A\n0,1\n1,2\n2,3\n", encoding="utf-8")
    current = to_units(read_curves(file).current, "nA")
    np.testing.assert_allclose(current, [[1000, 2000, 3000]])
