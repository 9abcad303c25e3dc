"""Stacks of slices: every count in its place, every slice that is not whole named, nothing trusted.

Files are written by tifffile and numpy, and by hand where they are to be broken. Numbers of the
real files come from the package sims 2.0.2, Pillow and h5py.
"""

import json
import os
import pickle
import resource
import struct
import zlib
from pathlib import Path

import dask
import h5py
import numpy as np
import pytest
import tifffile
import xarray as xr
from PIL import Image
from synthetic_oina import oina

from liscope import data
from liscope.errors import ReaderError
from liscope.readers import read_stack

TOLD = {"kind": "eds", "pixel_size": 0.08, "slice_thickness": 60, "tilt": 52}
COUNTS = np.random.default_rng(6).poisson(9.0, (2, 5, 6, 8)).astype(np.uint16)
NAMES = ("Co", "Zr")


def sidecar(folder: Path, text: str | None = None, **told) -> Path:
    """Write ``stack.yaml``; what is None is left away."""
    told = {"channels": {name: "{channel}_{slice}.tif" for name in NAMES}} | TOLD | told
    said = {key: value for key, value in told.items() if value is not None}
    (folder / "stack.yaml").write_text(json.dumps(said) if text is None else text)  # JSON is YAML
    return folder


def slices(folder: Path, counts: np.ndarray = COUNTS, first: int = 1, **options) -> Path:
    for name, images in zip(NAMES, counts, strict=False):
        for i, image in enumerate(images):
            tifffile.imwrite(folder / f"{name}_{i + first:03d}.tif", image, **options)
    return folder


@pytest.fixture
def stack(tmp_path):
    """A folder of five whole slices of two channels."""
    return sidecar(slices(tmp_path))


# ------------------------------------------------------------------------- what is in a stack


PLAIN = [(f"{order}{kind}", None) for kind in ("u1", "u2", "i2", "u4", "f4") for order in "<>"]
PACKED = [(kind, "zlib") for kind in ("|u1", "<u2", ">u2", "<i2", "<i4", "<f4")]


@pytest.mark.parametrize(("kind", "compression"), PLAIN + PACKED)
def test_every_count_in_its_place(tmp_path, kind, compression):
    order = kind[0].replace("|", "<")
    folder = slices(tmp_path, COUNTS.astype(kind), byteorder=order, compression=compression)
    found = data.open_stack(str(sidecar(folder)))
    assert found.counts.dims == ("element", "slice", "y", "x")
    assert found.counts.dtype == np.dtype(kind[1:].replace("i", "u"))  # counts have no sign
    np.testing.assert_array_equal(found.counts, COUNTS)
    assert list(found.element) == ["Co", "Zr"] and list(found.slice) == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(found.x, 0.08 * (np.arange(8) + 0.5))
    np.testing.assert_allclose(found.y, 0.08 * (np.arange(6) + 0.5))
    assert {found[dim].attrs["units"] for dim in ("y", "x")} == {"um"}
    assert found.counts.attrs["units"] == "count"


def test_one_task_a_picture_and_nothing_is_read_before(stack):
    counts = read_stack(stack).counts
    assert counts.chunks == ((1,) * 2, (1,) * 5, (6,), (8,))
    (stack / "Zr_002.tif").unlink()
    np.testing.assert_array_equal(counts.isel(element=0), COUNTS[0])
    with pytest.raises(ReaderError, match=r"'Zr_002\.tif' cannot be read"):
        counts.isel(element=1, slice=1).compute()
    for scheduler in ("synchronous", "threads"):
        with dask.config.set(scheduler=scheduler):
            np.testing.assert_array_equal(counts[0], COUNTS[0])
    again = pickle.loads(pickle.dumps(counts.data))  # noqa: S301 - as it travels to workers
    np.testing.assert_array_equal(again[0].compute(), COUNTS[0])


def test_what_the_sidecar_tells(tmp_path):
    folder = slices(tmp_path)
    for i, image in enumerate(COUNTS[0]):
        tifffile.imwrite(folder / f"bse{i + 1}.tif", image.astype(np.uint8))
    told = {"total_depth": 2.34, "total_depth_error": 0.02, "fiducial_angle": 50.0}
    text = ["kind: sims", "channels: {6Li+: 'Co_{slice}.tif'}", "pixel_size: [0.1, 0.2]"]
    text += ["slice_thickness: 60", "tilt: 0", "bse: bse{slice}.tif", "notes: {gun: Xe}"]
    text += ["fiducial_gap: {1: 812.5, 3: 700.0}", *(f"{key}: {told[key]}" for key in told)]
    found = read_stack(sidecar(folder, "\n".join(text)))
    assert found.counts.dims[0] == "ion" and list(found.ion) == ["6Li+"]
    assert {key: found.attrs[key] for key in told} == told
    assert found.attrs["slice_thickness"] == 60 and found.attrs["tilt"] == 0
    np.testing.assert_array_equal(found.fiducial_gap, [812.5, np.nan, 700.0, np.nan, np.nan])
    np.testing.assert_array_equal(found.bse, COUNTS[0])
    np.testing.assert_allclose([found.y[0], found.x[0]], [0.05, 0.1])
    assert json.loads(found.attrs["metadata"])["notes"] == {"gun": "Xe"}


@pytest.mark.parametrize("mark", [",", ";", "\t", " "])
def test_matrices_as_text(tmp_path, mark):
    for i, image in enumerate(COUNTS[0]):
        comment = "Hiden" if i else ""
        np.savetxt(tmp_path / f"li {i}.csv", image, "%d", mark, header=comment)
    sidecar(tmp_path, kind="sims", channels={"6Li+": "li {slice}.csv"})
    found = read_stack(tmp_path)
    np.testing.assert_array_equal(found.counts[0], COUNTS[0])
    assert found.counts.dtype == np.uint32 and list(found.slice) == [0, 1, 2, 3, 4]


def test_rates_become_counts(tmp_path):
    for i, image in enumerate(COUNTS[0]):
        np.savetxt(tmp_path / f"{i}.txt", image / 0.025, "%.6f", "\t")
    rates = {"units": "count/s", "dwell_time": 0.025, "channels": {"Li": "{slice}.txt"}}
    found = read_stack(sidecar(tmp_path, **rates))
    np.testing.assert_allclose(found.counts[0], COUNTS[0], rtol=1e-5)
    assert found.counts.dtype == np.float32


def test_channels_as_pages_of_each_slice(tmp_path):
    for i in range(5):
        tifffile.imwrite(tmp_path / f"s{i}.tif", COUNTS[:, i], photometric="minisblack")
    channels = {name: "s{slice}.tif" for name in NAMES}
    np.testing.assert_array_equal(read_stack(sidecar(tmp_path, channels=channels)).counts, COUNTS)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_slices_as_pages_of_a_file(tmp_path, compression):
    pages = COUNTS.transpose(1, 0, 2, 3).reshape(10, 6, 8)  # channels first, as in ImageJ
    path = tmp_path / "all.tif"
    tifffile.imwrite(path, pages, photometric="minisblack", compression=compression)
    sidecar(tmp_path, channels=dict.fromkeys(NAMES, "all.tif"), first=10)
    found = read_stack(path)
    np.testing.assert_array_equal(found.counts, COUNTS)
    assert list(found.slice) == [10, 11, 12, 13, 14]
    with pytest.raises(ReaderError, match=r"slice 15: 'all\.tif' is missing"):
        read_stack(sidecar(tmp_path, channels=dict.fromkeys(NAMES, "all.tif"), first=10, last=15))
    tifffile.imwrite(path, pages[:9], photometric="minisblack")
    with pytest.raises(ReaderError, match=r"slice 14: 'all\.tif' holds 1 pictures for 2 channels"):
        read_stack(path)


@pytest.mark.parametrize("imagej", [True, False])
def test_a_large_stack_with_one_header(tmp_path, imagej):
    """ImageJ writes no more than one beyond 4 GB; tifffile does so when asked to."""
    path = tmp_path / "all.tif"
    tifffile.imwrite(path, COUNTS[0], imagej=imagej, truncate=True, photometric="minisblack")
    sidecar(tmp_path, channels={"Co": "all.tif"})
    np.testing.assert_array_equal(read_stack(path).counts[0], COUNTS[0])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ReaderError, match=r"has 'all\.tif', which declares pixels up to byte"):
        read_stack(path)


def test_folders_of_channels(tmp_path):
    for name, images in zip(NAMES, COUNTS, strict=True):
        (tmp_path / name).mkdir()
        for i, image in enumerate(images):
            tifffile.imwrite(tmp_path / name / f"{i}.tif", image)
    sidecar(tmp_path, channels={name: "{channel}/{slice}.tif" for name in NAMES})
    np.testing.assert_array_equal(read_stack(tmp_path).counts, COUNTS)
    names = [path.relative_to(tmp_path).as_posix() for path in data.files_of(tmp_path)]
    assert names == [f"{c}/{i}.tif" for c in NAMES for i in range(5)] + ["stack.yaml"]


# -------------------------------------------------------------------- slices that are not whole


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def other_size(path: Path) -> None:
    tifffile.imwrite(path, np.zeros((6, 9), np.uint16))


def other_type(path: Path) -> None:
    tifffile.imwrite(path, np.zeros((6, 8), np.uint8))


BROKEN = {
    "is missing": Path.unlink,
    r"declares pixels up to byte \d+, but ends at byte \d+: cut short": cut,
    "has 9 x 6 pixels, most have 8 x 6": other_size,
    "has pixels of type uint8, most have uint16": other_type,
    "is empty": lambda path: path.write_bytes(b""),
    "is damaged or cut short": lambda path: path.write_bytes(path.read_bytes()[:6]),
}


@pytest.mark.parametrize(("why", "harm"), BROKEN.items())
@pytest.mark.parametrize("number", [1, 4])
def test_a_slice_that_is_not_whole_is_named_or_left_out(stack, why, harm, number):
    harm(stack / f"Zr_00{number}.tif")
    rest = [n for n in range(1, 6) if n != number or (n == 1 and why == "?")]
    with pytest.raises(
        ReaderError, match=rf"^'{stack.name}' slice {number}: 'Zr_00{number}\.tif' {why}"
    ):
        read_stack(stack)
    found = data.open_stack(str(stack), missing="leave out")
    assert list(found.slice) == rest and found.attrs["slice_count"] == 5
    np.testing.assert_array_equal(found.counts, COUNTS[:, [n - 1 for n in rest]])
    (told,) = json.loads(found.attrs["left_out"])
    assert (told["slice"], told["file"]) == (number, f"Zr_00{number}.tif")
    assert "\n" not in told["why"] and told["why"]


def test_slices_missing_in_all_channels_and_at_the_end(stack):
    for name in ("Co_002.tif", "Zr_002.tif"):
        (stack / name).unlink()
    both = r"slice 2: 'Co_002\.tif' is missing; slice 2: 'Zr_002\.tif' is missing; complete the"
    with pytest.raises(ReaderError, match=both):
        read_stack(stack)
    sidecar(stack, first=0, count=8)
    found = read_stack(stack, missing="leave out")
    assert list(found.slice) == [1, 3, 4, 5] and found.attrs["slice_count"] == 8
    assert [one["slice"] for one in json.loads(found.attrs["left_out"])] == [0, 0, 2, 2, 6, 6, 7, 7]
    with pytest.raises(ReaderError, match=r"slice 0: 'Co_000.*6: 'Co_006[^;]*; and 3 more; comp"):
        read_stack(stack)


def test_every_file_that_is_not_whole_is_named(stack):
    harms = {"Co_001.tif": cut, "Zr_003.tif": other_size, "Zr_004.tif": other_type}
    for name, harm in harms.items():
        harm(stack / name)
    with pytest.raises(ReaderError) as caught:
        read_stack(stack)
    message = str(caught.value)
    assert "\n" not in message and message.endswith("(missing: leave out)")
    places = [message.index(f"slice {int(name[5])}: '{name}' ") for name in harms]
    assert places == sorted(places) and "more" not in message


def test_long_names_do_not_push_out_the_remedy(tmp_path):
    long = "a" * 150
    for i in (1, 9):
        plain(tmp_path / f"{long}_{i}.tif")
    sidecar(tmp_path, channels={"Co": f"{long}_{{slice}}.tif"})
    with pytest.raises(ReaderError, match=r"; and 2 more; .*\(missing: leave out\)$") as caught:
        read_stack(tmp_path)
    assert all(f"{long}_{i}.tif" in str(caught.value) for i in range(2, 7))


def test_no_slice_is_whole(stack):
    for path in stack.glob("Co*.tif"):
        path.unlink()
    with pytest.raises(ReaderError, match=r"has no slice that is whole; slice 1: 'Co_1\.tif'"):
        read_stack(stack, missing="leave out")


def test_missing_slices_are_refused_or_left_out_and_nothing_else(stack):
    with pytest.raises(ReaderError, match="neither 'refuse' nor 'leave out'"):
        read_stack(stack, missing="ignore")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1,2,3\n4,5\n6,7,8\n", "has 2 numbers in line 2 of the matrix, 3 in the first"),
        ("1,2,3\n4,5,6\n7,8", "has 2 numbers in line 3"),
        ("1,2,3\n4,5,6\n", "has 3 x 2 pixels, most have 3 x 3"),
        ("1,2,NaN\n4,5,6\n7,8,9", "holds 'NaN', which is no number"),
        ("1,2,inf\n4,5,6\n7,8,9", "holds 'inf'"),
        ("x,y,z\n1,2,3\n4,5,6", "holds 'xyz'"),
        ("1,5;2,5;1,0\n1,1;2,2;3,3\n1,1;2,2;3,3", "has decimal commas"),
        ("\x00" * 50, "holds "),
        ("# only words\n", "declares an image of 0 x 0 pixels"),
        ("[[1,2,3]]", r"holds '\[\[\]\]'"),
    ],
)
def test_tables_that_are_none(tmp_path, text, why):
    for i in range(3):
        np.savetxt(tmp_path / f"{i}.csv", np.eye(3), "%d", ",")
    (tmp_path / "3.csv").write_text(text)
    sidecar(tmp_path, channels={"Li": "{slice}.csv"})
    with pytest.raises(ReaderError, match=f"slice 3: '3.csv' {why}"):
        read_stack(tmp_path)
    assert read_stack(tmp_path, missing="leave out").sizes["slice"] == 3


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.full((6, 8), -1, np.int16), "holds -1, which nobody counted"),
        (np.full((6, 8), np.nan, np.float32), "holds values that are no numbers"),
        (np.full((6, 8), np.inf, np.float32), "holds values that are no numbers"),
    ],
)
def test_pixels_that_nobody_counted_are_refused_when_they_are_read(tmp_path, values, why):
    tifffile.imwrite(tmp_path / "0.tif", values)
    found = read_stack(sidecar(tmp_path, channels={"Li": "{slice}.tif"}))
    with pytest.raises(ReaderError, match=f"'0.tif' {why}"):
        found.counts.compute()


@pytest.mark.parametrize("text", ["1,-2\n3,4", "1e999,2\n3,4", "1,2e\n3,4", "1,--\n3,4"])
def test_tables_that_nobody_counted(tmp_path, text):
    (tmp_path / "0.csv").write_text(text)
    found = read_stack(sidecar(tmp_path, channels={"Li": "{slice}.csv"}))
    with pytest.raises(ReaderError, match=r"^'0\.csv' "):
        found.counts.compute()


def test_a_file_that_changes_after_it_was_looked_at(stack):
    found = read_stack(stack)
    cut(stack / "Co_001.tif")
    with pytest.raises(ReaderError, match=r"^'Co_001\.tif' "):
        found.counts.compute()


# --------------------------------------------------------------------------------- hostile files


def patched(path: Path, tag: int, value: int, ifd: int = 8) -> None:
    """Overwrite a tag's value in a little-endian TIFF file."""
    raw = bytearray(path.read_bytes())
    start = struct.unpack_from("<I", raw, 4)[0]
    for i in range(struct.unpack_from("<H", raw, start)[0]):
        place = start + 2 + 12 * i
        if struct.unpack_from("<H", raw, place)[0] == tag:
            struct.pack_into("<HHII", raw, place, tag, 4, 1, value)
    path.write_bytes(raw)


def plain(path: Path, **options) -> None:
    tifffile.imwrite(path, COUNTS[0, 0], byteorder="<", metadata=None, **options)


def huge(path: Path) -> None:
    plain(path)
    patched(path, 256, 10**9)


def many(path: Path) -> None:
    plain(path)
    patched(path, 256, 60000)
    patched(path, 257, 60000)


def elsewhere(path: Path) -> None:
    plain(path)
    patched(path, 273, 2**31)


def circle(path: Path) -> None:
    plain(path)
    raw = bytearray(path.read_bytes())
    start = struct.unpack_from("<I", raw, 4)[0]
    struct.pack_into("<I", raw, start + 2 + 12 * struct.unpack_from("<H", raw, start)[0], start)
    path.write_bytes(raw)


def outside(path: Path) -> None:
    secret = path.parent.parent / "secret.tif"
    plain(secret)
    path.unlink(missing_ok=True)
    path.symlink_to(secret)


def nowhere(path: Path) -> None:
    path.symlink_to(path.parent / "nothing")


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


HOSTILE = {
    "declares an image of 1000000000 x 6 pixels": huge,
    "declares 60000 x 60000 pixels, too many": many,
    "declares pixels up to byte 2147483744": elsewhere,
    "has pages that lead in a circle": circle,
    "is a link out of the folder": outside,
    "is missing|is no file": nowhere,
    "is no file": device,
    "is no file|is missing": lambda path: path.mkdir(),
    "is no +file": lambda path: os.mkfifo(path),
    "is a picture in colours": lambda path: tifffile.imwrite(
        path, np.zeros((6, 8, 3), np.uint8), photometric="rgb"
    ),
    "has 1 bits a pixel": lambda path: Image.fromarray(COUNTS[0, 0] > 9).save(path),
    "has 64 bits a pixel|is damaged|holds": lambda path: tifffile.imwrite(
        path, np.zeros((6, 8), np.complex64)
    ),
    "has its pixels in tiles": lambda path: plain(path, tile=(16, 16)),
    "holds no picture": lambda path: path.write_bytes(b"II*\0\xff\xff\xff\xff" + b"a" * 99),
    "is damaged or cut short ": lambda path: path.write_bytes(b"\0" * 1000),
    "is damaged  ?or cut short": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"a" * 99),
}


@pytest.mark.parametrize(
    ("why", "harm"), HOSTILE.items(), ids=[h.__name__ for h in HOSTILE.values()]
)
def test_hostile_pictures(tmp_path, why, harm):
    (tmp_path / "in").mkdir()
    folder = sidecar(tmp_path / "in", channels={"Li": "{slice}.tif"})
    plain(folder / "1.tif")
    plain(folder / "2.tif")
    harm(folder / "3.tif")
    with pytest.raises(ReaderError, match=f"^'in' slice 3: '3.tif' {why.strip()}") as caught:
        read_stack(folder)
    assert "\n" not in str(caught.value)
    found = read_stack(folder, missing="leave out")
    np.testing.assert_array_equal(found.counts[0], COUNTS[0, [0, 0]])


def test_a_picture_that_unpacks_to_more_than_it_declares(tmp_path):
    path = tmp_path / "1.tif"
    plain(path, compression="zlib")
    size = path.stat().st_size
    bomb = zlib.compress(bytes(1 << 28), 1)  # 256 MiB in one
    path.write_bytes(path.read_bytes() + bomb)
    patched(path, 273, size)
    patched(path, 279, len(bomb))
    found = read_stack(sidecar(tmp_path, channels={"Li": "{slice}.tif"}))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        assert found.counts.compute().shape == (1, 1, 6, 8)
    except ReaderError as error:
        assert "'1.tif'" in str(error)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 17  # kB: 128 MiB


@pytest.mark.parametrize("kind", [">i2", ">f4", "<u4", ">u4", "|i1", "<f8"])
def test_packed_types_that_pillow_would_read_wrong_are_refused(tmp_path, kind):
    image, order = COUNTS[0, 0].astype(kind), kind[0].replace("|", "<")
    tifffile.imwrite(tmp_path / "1.tif", image, byteorder=order, compression="zlib")
    with pytest.raises(ReaderError, match=r"slice 1: '1\.tif' holds .* packed as"):
        read_stack(sidecar(tmp_path, channels={"Li": "{slice}.tif"}))


@pytest.mark.parametrize("packing", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("predictor", [1, 2])
def test_packed_as_other_programs_do(tmp_path, packing, predictor):
    told = {"compression": packing, "tiffinfo": {317: predictor}}
    Image.fromarray(COUNTS[0, 0]).save(tmp_path / "1.tif", **told)
    found = read_stack(sidecar(tmp_path, channels={"Li": "{slice}.tif"}))
    np.testing.assert_array_equal(found.counts[0, 0], COUNTS[0, 0])


def test_one_number_twice(stack):
    (stack / "Co_1.tif").write_bytes((stack / "Co_001.tif").read_bytes())
    with pytest.raises(ReaderError, match=r"slice 1 twice: 'Co_001\.tif' and 'Co_1\.tif'"):
        read_stack(stack)


def test_a_folder_that_is_a_link_leads_nowhere_else(tmp_path):
    (tmp_path / "other").mkdir()
    plain(tmp_path / "other" / "1.tif")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "Co").symlink_to(tmp_path / "other")
    with pytest.raises(ReaderError, match=r"'Co/1\.tif' is a link out of the folder"):
        read_stack(sidecar(folder, channels={"Co": "Co/{slice}.tif"}))


PATTERNS = (
    "../{slice}.tif", "a/../../{slice}.tif", "/etc/{slice}.tif", "..\\{slice}.tif", "C:{slice}.tif",
    ".hidden/{slice}.tif", "./{slice}.tif", "a//{slice}.tif", ".*{slice}.tif", "[0-9]{slice}?.tif",
    "{slice.__class__}.tif", "{0}.tif", "{other}.tif", "{slice}{slice}.tif", "{slice}/a.tif",
    "{slice}", "{slice}.npy", "{slice}.h5", "a.csv", "a\n{slice}.tif", "a" * 300 + ".tif", "",
)  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_that_are_no_file_names(tmp_path, pattern):
    """Brackets of a regular expression are letters like others; the rest is refused."""
    plain(tmp_path / "1.tif")
    with pytest.raises(ReaderError, match=r"stack\.yaml with a wrong 'channels'|has none of"):
        read_stack(sidecar(tmp_path, channels={"Li": pattern}))


TOLD_WRONG = [
    ({"colour": "red"}, "an unknown key 'colour'; it may have kind, channels"),
    ({"kind": None}, "no 'kind'; it needs kind, channels, pixel_size"),
    ({"pixel_size": None}, "no 'pixel_size'"),
    ({"pixel_size": -1.0}, "a wrong 'pixel_size"),
    ({"pixel_size": float("nan")}, "a wrong 'pixel_size|that is no YAML"),
    ({"pixel_size": 81.4}, r"a wrong 'pixel_size' \(um\)"),
    ({"slice_thickness": 0.06}, r"a wrong 'slice_thickness' \(nm\)"),
    ({"pixel_size": "0.08"}, "a wrong 'pixel_size"),
    ({"pixel_size": True}, "a wrong 'pixel_size"),
    ({"pixel_size": [1.0, 2.0, 3.0]}, "a wrong 'pixel_size"),
    ({"kind": "stm"}, "a wrong 'kind'"),
    ({"tilt": 85}, "a wrong 'tilt'"),
    ({"tilt": -85}, "a wrong 'tilt'"),
    ({"units": "electrons"}, "a wrong 'units'"),
    ({"units": "count/s"}, "a contradiction: rates need dwell_time"),
    ({"count": 10**9}, "a wrong 'count'"),
    ({"first": -1}, "a wrong 'first'"),
    ({"last": 3, "count": 3}, "a contradiction: give last or count, not both"),
    ({"first": 5, "last": 3}, "a contradiction: the last slice"),
    ({"last": 999_999_999}, "a contradiction: the last slice"),
    ({"channels": {}}, "a wrong 'channels'"),
    ({"channels": ["a{slice}.tif"]}, "a wrong 'channels'"),
    ({"channels": {"../../x": "{channel}{slice}.tif"}}, "a wrong 'channels'.*leads out"),
    ({"channels": {"a\u2028b": "{slice}.tif"}}, "a wrong 'channels'.*one line"),
    ({"channels": {"a": "{slice}.tif", "b": "b.tif"}}, "a wrong 'channels'.*of all channels, or"),
    ({"bse": "../{slice}.tif"}, "a wrong 'bse'"),
]


@pytest.mark.parametrize(("told", "why"), TOLD_WRONG)
def test_sidecars_that_are_wrong(stack, told, why):
    with pytest.raises(ReaderError, match=rf"has a stack\.yaml (with )?{why}") as caught:
        read_stack(sidecar(stack, **told))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tilt", [-84.9, -52, 0, 84.9])
def test_a_section_leans_to_either_side(stack, tilt):
    assert read_stack(sidecar(stack, tilt=tilt)).attrs["tilt"] == tilt


BOMB = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a list",
        "just words",
        "kind: [",
        "kind: eds\nkind: sims",
        "!!python/object/apply:os.system ['touch hacked']",
        "a0: &a0 [1, 1]\n" + BOMB,
        "[" * 5000,
        "a: " + "x" * 300_000,
        "\x00\x01",
    ],
    ids=range(10),
)
def test_sidecars_that_are_none(stack, text, monkeypatch):
    monkeypatch.chdir(stack)
    with pytest.raises(ReaderError, match=r"has a stack\.yaml") as caught:
        read_stack(sidecar(stack, text))
    assert len(str(caught.value)) <= 300 and not (stack / "hacked").exists()


def test_no_sidecar(tmp_path):
    plain(tmp_path / "1.tif")
    for path in (tmp_path, tmp_path / "1.tif"):
        with pytest.raises(ReaderError, match=r"has no stack\.yaml"):
            read_stack(path)
    (tmp_path / "in").mkdir()
    (tmp_path / "stack.yaml").write_text("kind: eds")
    (tmp_path / "in" / "stack.yaml").symlink_to(tmp_path / "stack.yaml")
    with pytest.raises(ReaderError, match=r"has no stack\.yaml of its own"):
        read_stack(tmp_path / "in")


# ------------------------------------------------------------------------------ others' stacks


def test_all_files_of_a_stack_enter_its_checksum(stack, tmp_path_factory):
    whole = sorted(stack.iterdir())
    assert data.files_of(stack) == whole and len(whole) == 11
    assert data.files_of(stack / "stack.yaml") == whole == data.files_of(stack / "Co_001.tif")
    alone = tmp_path_factory.mktemp("alone")
    plain(alone / "a.tif")
    plain(alone / "b.tif")
    assert data.files_of(alone / "a.tif") == [alone / "a.tif"]


def numbered(numbers: list[int], **attrs) -> xr.Dataset:
    """Return a stack whose slices have these numbers."""
    counts = np.zeros((2, len(numbers), 6, 8), np.uint16)
    return xr.Dataset(
        {"counts": (("element", "slice", "y", "x"), counts, {"units": "count"})},
        {"element": list(NAMES), "slice": numbers},
        attrs,
    )


GAPS = [
    ([0, 1, 2, 4, 5], {}, "slice 3"),
    ([2, 3, 7], {}, "slices 4, 5, 6"),
    ([0, 1, 2, 3], {"slice_count": 6}, "slices 4, 5"),  # the end was never recorded
    ([0, 60], {}, rf"slices {', '.join(map(str, range(1, 21)))}, and 39 more"),
]


@pytest.mark.filterwarnings("ignore:The data type")
@pytest.mark.parametrize(("numbers", "attrs", "named"), GAPS)
def test_gaps_in_the_numbers_are_refused(tmp_path, monkeypatch, numbers, attrs, named):
    made = numbered(numbers, **attrs)
    made.to_zarr(tmp_path / "gaps.zarr", consolidated=False)
    monkeypatch.setattr(data.specimens, "measurement", lambda _: made)
    remedy = r"complete the series, or leave these slices out \(missing: leave out\)"
    for name in (str(tmp_path / "gaps.zarr"), "specimen:llzto_lco/eds"):
        source = name.removeprefix(f"{tmp_path}/")
        with pytest.raises(ReaderError, match=rf"^'{source}' {named}: not recorded; {remedy}$"):
            data.open_stack(name)
        assert list(data.open_stack(name, "leave out").slice) == numbers
    with pytest.raises(ReaderError, match="not recorded"):
        read_stack(tmp_path / "gaps.zarr")


@pytest.mark.filterwarnings("ignore:The data type")
@pytest.mark.parametrize("missing", ["refuse", "leave out"])
@pytest.mark.parametrize(
    ("numbers", "attrs", "why"),
    [
        ([0, 10**9], {}, r"has slices 0 to 1000000000 of "),
        ([0, 1], {"slice_count": 10**12}, r"has slices 0 to 1 of 1000000000000"),
        ([0, 1], {"left_out": '[{"slice": 999999999999}]'}, r"has slices 0 to 999999999999"),
        ([0, 1], {"slice_count": "many"}, "is damaged or no stack"),
        ([0, 1], {"left_out": "none"}, "is damaged or no stack"),
        ([0, 1], {"left_out": '[{"slice": 3}]'}, "is damaged or no stack"),
    ],
)
def test_numbers_that_are_none(tmp_path, numbers, attrs, why, missing):
    numbered(numbers, **attrs).to_zarr(tmp_path / "a.zarr", consolidated=False)
    with pytest.raises(ReaderError, match=rf"^'a\.zarr' {why}") as caught:
        read_stack(tmp_path / "a.zarr", missing=missing)
    assert "\n" not in str(caught.value)


def test_the_reference_specimen_lacks_what_its_parameters_say():
    with pytest.raises(ReaderError, match=r"^'specimen:llzto_lco/eds' slices 26, 36: not recorded"):
        data.open_stack("specimen:llzto_lco/eds")
    with pytest.raises(ReaderError, match=r"^'specimen:llzto_lco/sims' slices 11, 33: not recor"):
        data.open_stack("specimen:llzto_lco/sims")


@pytest.mark.filterwarnings("ignore:The data type")
@pytest.mark.parametrize("form", [2, 3])
def test_zarr_as_xarray_writes_it(tmp_path, form):
    stack = xr.Dataset(
        {"counts": (("element", "slice", "y", "x"), COUNTS, {"units": "count"})},
        {"element": list(NAMES), "slice": [0, 1, 2, 4, 5]},
        {"tilt": 52.0, "slice_thickness": 60.0, "slice_count": 6},
    )
    path = tmp_path / "large.zarr"
    stack.chunk(element=1, slice=2).to_zarr(path, zarr_format=form, consolidated=form == 2)
    found = data.open_stack(str(path), "leave out")
    np.testing.assert_array_equal(found.counts, COUNTS)
    assert found.counts.chunks[:2] == ((1, 1), (2, 2, 1)) and list(found.slice) == [0, 1, 2, 4, 5]
    assert found.attrs["tilt"] == 52 and found.attrs["slice_count"] == 6
    assert np.isnan(found.attrs["total_depth"]) and found.attrs["left_out"] == "[]"
    every = [path for path in path.rglob("*") if path.is_file()]
    assert data.files_of(path) == sorted(every) and len(every) > 6


def test_zarr_of_something_else(tmp_path):
    xr.Dataset({"counts": (("a", "b"), np.eye(3))}).to_zarr(tmp_path / "a.zarr", consolidated=False)
    with pytest.raises(ReaderError, match=r"'a\.zarr' holds no 'counts' with dims"):
        read_stack(tmp_path / "a.zarr")
    meta = tmp_path / "a.zarr" / "counts" / "zarr.json"
    meta.write_text(meta.read_text().replace('"bytes"', '"pickle"'))
    with pytest.raises(ReaderError, match="asks for unpickling"):
        read_stack(tmp_path / "a.zarr")


def test_real_nanosims_is_a_stack_of_one_slice(real):
    """Totals and pixels from the package sims 2.0.2."""
    found = data.open_stack("real:OpenMIMS_doc_040702_06-05mos-03a.im")
    assert found.counts.dims == ("ion", "slice", "y", "x") and found.counts.shape[1:] == (
        1,
        512,
        512,
    )
    totals = [300600778, 2747429, 327112517, 3060112]
    np.testing.assert_array_equal(found.counts.sum(("slice", "y", "x")), totals)
    np.testing.assert_array_equal(found.counts[:, 0, 10, 200], [1416, 11, 1394, 10])
    assert list(found.slice) == [1] and np.isnan(found.attrs["slice_thickness"])


def test_fib_sims_of_tofwerk(real):
    path = real / "volume" / "rosettasciio" / "tofwerk_synth" / "fib_sims_opened.h5"
    found = read_stack(path)
    with h5py.File(path) as file:
        peer = file["PeakData/PeakData"][:]  # (slice, y, x, peak)
    assert found.counts.dims == ("ion", "slice", "y", "x") and list(found.slice) == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(found.counts, peer.transpose(3, 0, 1, 2))
    np.testing.assert_allclose(np.diff(found.x), 0.625)


def test_slices_in_an_eds_file(tmp_path):
    counts = [{"Co": COUNTS[0, i], "Zr": COUNTS[1, i]} for i in range(3)]
    (tmp_path / "a.h5oina").write_bytes(oina(counts, np.full((6, 8), 0.5), names=["1", "2", "4"]))
    with pytest.raises(ReaderError, match=r"^'a\.h5oina' slice 3: not recorded; "):
        data.open_stack(str(tmp_path / "a.h5oina"))
    found = data.open_stack(str(tmp_path / "a.h5oina"), "leave out")
    assert found.counts.dims == ("element", "slice", "y", "x") and list(found.slice) == [1, 2, 4]
    np.testing.assert_allclose(found.counts, COUNTS[:, :3], atol=1e-3)
    # The stage's tilt is not the angle between the beam and a milled section: that is not told.
    assert found.attrs["stage_tilt"] == pytest.approx(52) and np.isnan(found.attrs["tilt"])
    assert found.attrs["slice_count"] == 4 and np.isnan(found.attrs["slice_thickness"])


def test_spectra_without_maps_are_no_stack(real):
    with pytest.raises(ReaderError, match=r"holds spectra only; name its elements .* stack\.yaml"):
        read_stack(real / "volume" / "rosettasciio" / "bruker" / "16x16_12bit_packed_8bit.bcf")


def test_real_imagej_stack(real, tmp_path):
    name = "test_loading_image_saved_with_imageJ_stack.tif"
    path = real / "volume" / "rosettasciio" / "tiff" / name
    (tmp_path / name).write_bytes(path.read_bytes())
    sidecar(tmp_path, channels={"Co": name}, pixel_size=0.16867471098853332)
    found = read_stack(tmp_path)
    with Image.open(path) as image:
        for i in range(2):
            image.seek(i)
            np.testing.assert_array_equal(found.counts[0, i], np.asarray(image))
    assert found.counts.shape == (1, 2, 68, 68)
