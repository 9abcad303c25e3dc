"""What comes out of a rerun, held against numbers whose difference is known."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from bokeh.plotting import figure as plot
from matplotlib.figure import Figure
from PIL import Image

from liscope.readers import write_ome_zarr
from liscope.workflow.interactive import write_interactive
from liscope.workflow.share.comparison import CLOSE, DIFFERS, SAME, Verdict, compare, distance
from liscope.workflow.share.plots import values_of

VALUES = np.array([1.0, -20.0, 3e5, np.nan])


def write(folder: Path, name: str, content: Any) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json":
        path.write_text(json.dumps(content))
    elif path.suffix == ".csv":
        pd.DataFrame(content).to_csv(path, index=False, float_format="%.17g")
    elif path.suffix == ".nc":
        content.to_netcdf(path, engine="h5netcdf")
    elif path.suffix == ".zarr":
        write_ome_zarr(content, path)
    elif path.suffix == ".png":
        Image.fromarray(content).save(path)
    else:
        drawn = plot(width=200, height=200)
        drawn.image(image=[content], x=0, y=0, dw=1, dh=1)
        write_interactive(path.with_suffix(""), drawn, "")


@pytest.fixture
def verdict(tmp_path: Path) -> Callable[..., Verdict]:
    def of(name: str, old: Any, new: Any, rtol: float = 1e-6) -> Verdict:
        write(tmp_path / "old", name, old)
        write(tmp_path / "new", name, new)
        (found,) = compare(tmp_path / "old", tmp_path / "new", rtol)
        return found

    return of


def dataset(values: np.ndarray, units: str = "nA", **others: Any) -> xr.Dataset:
    return xr.Dataset({"current": ("x", values, {"units": units}), **others})


def volume(
    values: np.ndarray, step: float = 0.1, channel: str = "Co", **attrs: str
) -> xr.DataArray:
    """Return a volume of one channel; its history differs from that of any other."""
    coords = {
        dim: (dim, step * np.arange(n), {"units": "um"})
        for dim, n in zip("zyx", values.shape, strict=True)
    }
    told = {"units": "count", "history": f"made of {id(values)}", **attrs}
    return xr.DataArray(
        values[None], {"channel": [channel], **coords}, ("channel", *"zyx"), attrs=told
    )


def large() -> np.ndarray:
    """Return numbers of several blocks; in the last there are but small ones."""
    values = np.random.default_rng(1).normal(1e3, 1, (40, 8, 300))
    values[32:] = 1e-10
    return values


VOXELS = large()
NOISE = VOXELS.copy()
NOISE[35, 3, 290] = 3e-10  # seen on their block alone, a large difference
HOLE = VOXELS.copy()
HOLE[0, 0, 0] = np.nan
PICTURE = np.full((20, 30, 3), 100, dtype=np.uint8)
SPECK = PICTURE.copy()
SPECK[3, 4] = (100, 103, 100)
MARKED = PICTURE.copy()
MARKED[3, 4] = 255
IMAGE = np.arange(16.0).reshape(4, 4)
CASES: dict[str, tuple[str, Any, Any, str, str]] = {
    "summary": ("summary.json", {"a": 1.5, "b": "x"}, {"a": 1.5, "b": "x"}, SAME, ""),
    "summary, close": ("summary.json", {"a": 1.0}, {"a": 1.0 + 1e-9}, CLOSE, "1.0e-09"),
    "summary, apart": ("summary.json", {"a": 1.0}, {"a": 1.1}, DIFFERS, "9.1e-02"),
    "summary, small ones too": (
        "summary.json", {"a": 1e9, "b": 1e-9}, {"a": 1e9, "b": 2e-9}, DIFFERS, "5.0e-01",
    ),
    "summary, text": ("summary.json", {"a": "x"}, {"a": "y"}, DIFFERS, "a: 'x' -> 'y'"),
    "summary, truth": ("summary.json", {"a": True}, {"a": 1}, DIFFERS, "a: True -> 1"),
    "summary, nothing": ("summary.json", {"a": None}, {"a": 1}, DIFFERS, "a: None -> 1"),
    "summary, name": ("summary.json", {"a": 1}, {"b": 1}, DIFFERS, "None"),
    "table": ("tables/t.csv", {"v": VALUES}, {"v": VALUES}, SAME, ""),
    "table, close": ("tables/t.csv", {"v": VALUES}, {"v": VALUES * (1 + 3e-8)}, CLOSE, "3.0e-08"),
    "table, apart": ("tables/t.csv", {"v": VALUES}, {"v": VALUES * (1 + 3e-5)}, DIFFERS, "3.0e-05"),
    "table, rounding about zero": (
        "tables/t.csv", {"v": [1.0, 0.0]}, {"v": [1.0, 1e-15]}, CLOSE, "1.0e-09",
    ),
    "table, each column by itself": (
        "tables/t.csv", {"v": [1e9], "w": [1e-9]}, {"v": [1e9], "w": [2e-9]}, DIFFERS, "5.0e-01",
    ),
    "table, row": ("tables/t.csv", {"v": [1.0]}, {"v": [1.0, 2.0]}, DIFFERS, "column v"),
    "table, column": ("tables/t.csv", {"v": [1.0]}, {"v": [1.0], "w": [1.0]}, DIFFERS, "column w"),
    "table, text": ("tables/t.csv", {"v": ["a"]}, {"v": ["b"]}, DIFFERS, "column v: 'a' -> 'b'"),
    "table, NaN": ("tables/t.csv", {"v": [1.0, 2.0]}, {"v": [1.0, np.nan]}, DIFFERS, "'2'"),
    "array, close": (
        "arrays/a.nc", dataset(VALUES), dataset(VALUES * (1 + 3e-8)), CLOSE, "3.0e-08",
    ),
    "array, apart": (
        "arrays/a.nc", dataset(VALUES), dataset(VALUES * (1 + 3e-5)), DIFFERS, "3.0e-05",
    ),
    "array, NaN": ("arrays/a.nc", dataset(VALUES), dataset(np.ones(4)), DIFFERS, "inf"),
    "array, shape": ("arrays/a.nc", dataset(VALUES), dataset(VALUES[:3]), DIFFERS, "shape of"),
    "array, type": (
        "arrays/a.nc", dataset(VALUES), dataset(VALUES.astype("f4")), DIFFERS, "dtype of",
    ),
    "array, units": ("arrays/a.nc", dataset(VALUES), dataset(VALUES, "pA"), DIFFERS, "units of"),
    "array, variable": (
        "arrays/a.nc", dataset(VALUES), dataset(VALUES, b=("x", VALUES)), DIFFERS, "'b'",
    ),
    "array, texts": (
        "arrays/a.nc", dataset(VALUES, b=("y", ["u"])), dataset(VALUES, b=("y", ["v"])), DIFFERS,
        "other texts",
    ),
    "volume": (
        "volumes/v.ome.zarr", volume(VOXELS, history=""), volume(VOXELS, history=""), SAME, "",
    ),
    "volume, rounding about zero": (
        "volumes/v.ome.zarr", volume(VOXELS), volume(NOISE), CLOSE, "2.0e-07",
    ),
    "volume, close": (
        "volumes/v.ome.zarr", volume(VOXELS), volume(VOXELS * (1 + 3e-8)), CLOSE, "3.0e-08",
    ),
    "volume, apart": (
        "volumes/v.ome.zarr", volume(VOXELS), volume(VOXELS * (1 + 3e-5)), DIFFERS, "3.0e-05",
    ),
    "volume, NaN": ("volumes/v.ome.zarr", volume(VOXELS), volume(HOLE), DIFFERS, "inf"),
    "volume, shape": (
        "volumes/v.ome.zarr", volume(VOXELS), volume(VOXELS[1:]), DIFFERS, "(1, 40, 8, 300)",
    ),
    "volume, type": (
        "volumes/v.ome.zarr", volume(VOXELS), volume(VOXELS.astype("f4")), DIFFERS, "dtype",
    ),
    "volume, step": (
        "volumes/v.ome.zarr", volume(VOXELS), volume(VOXELS, 0.11), DIFFERS, "9.1e-02",
    ),
    "volume, step, close": (
        "volumes/v.ome.zarr", volume(VOXELS), volume(VOXELS, 0.1 + 1e-10), CLOSE, "1.0e-09",
    ),
    "volume, channel": (
        "volumes/v.ome.zarr", volume(VOXELS), volume(VOXELS, channel="Ni"), DIFFERS, "'Co' -> 'Ni'",
    ),
    "volume, units": (
        "volumes/v.ome.zarr", volume(VOXELS), volume(VOXELS, units="1"), DIFFERS, "'count' -> '1'",
    ),
    "volume, levels": (
        "volumes/v.ome.zarr", volume(VOXELS), volume(np.ones((8, 600, 8))), DIFFERS, "parts: ",
    ),
    "figure": ("figures/f.png", PICTURE, PICTURE, SAME, ""),
    "figure, shade": ("figures/f.png", PICTURE, SPECK, CLOSE, "3 of 255"),
    "figure, mark": ("figures/f.png", PICTURE, MARKED, DIFFERS, "0.17 % of the pixels"),
    "figure, size": ("figures/f.png", PICTURE, PICTURE[:10], DIFFERS, "30 x 20 -> 30 x 10"),
    "page": ("interactive/p.html", IMAGE, IMAGE, CLOSE, "0.0e+00"),
    "page, close": ("interactive/p.html", IMAGE, IMAGE * (1 + 3e-8), CLOSE, "3.0e-08"),
    "page, apart": ("interactive/p.html", IMAGE, IMAGE * 1.1, DIFFERS, "9.1e-02"),
    "page, shape": ("interactive/p.html", IMAGE, IMAGE[:2], DIFFERS, "other shapes"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_verdict(case: str, verdict: Callable[..., Verdict]) -> None:
    name, old, new, state, detail = CASES[case]
    found = verdict(name, old, new)
    assert found.name == name.removesuffix(".png")
    assert found.state == state and detail in found.detail, found


def test_the_tolerance_decides(verdict: Callable[..., Verdict]) -> None:
    changed = VALUES * (1 + 3e-5)
    assert verdict("tables/t.csv", {"v": VALUES}, {"v": changed}, 1e-4).state == CLOSE


def test_what_is_missing_or_new_differs(tmp_path: Path) -> None:
    write(tmp_path / "old", "tables/gone.csv", {"v": [1]})
    write(tmp_path / "new", "tables/new.csv", {"v": [1]})
    found = list(compare(tmp_path / "old", tmp_path / "new"))
    assert found == [
        Verdict("tables/gone.csv", DIFFERS, "is missing"),
        Verdict("tables/new.csv", DIFFERS, "is new"),
    ]


def test_a_vector_drawing_alone_is_judged_by_its_pixels(tmp_path: Path) -> None:
    for folder in ("old", "new"):
        write(tmp_path / folder, "figures/f.png", PICTURE)
        drawn = Figure()
        drawn.savefig(tmp_path / folder / "figures/f.svg", metadata={"Title": folder})
    (found,) = compare(tmp_path / "old", tmp_path / "new")
    assert found == Verdict("figures/f", CLOSE, "0 of 255 in a pixel at most")


@pytest.mark.parametrize(
    "name", ["summary.json", "arrays/a.nc", "figures/f.png", "interactive/p.html"]
)
def test_a_damaged_result_differs(tmp_path: Path, name: str) -> None:
    for folder, content in (("old", b"{\xff\x1b[31m"), ("new", b"{}")):
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    (found,) = compare(tmp_path / "old", tmp_path / "new")
    assert found.state == DIFFERS and found.detail.isprintable()


@pytest.fixture
def volumes(tmp_path: Path) -> tuple[Path, Path]:
    """Two volumes whose voxels are the same, but not their bytes."""
    for folder in ("old", "new"):
        write(tmp_path / folder, "volumes/v.ome.zarr", volume(VOXELS, history=folder))
    return tmp_path / "old/volumes/v.ome.zarr", tmp_path / "new/volumes/v.ome.zarr"


def verdict_of(volumes: tuple[Path, Path]) -> Verdict:
    (found,) = compare(volumes[0].parents[1], volumes[1].parents[1])
    assert found.detail.isprintable()
    return found


@pytest.mark.parametrize("what", ["zarr.json", "scale0/volume/c/0/0/0/0", "scale0", "other", ""])
@pytest.mark.parametrize("side", [0, 1])
def test_links_in_a_volume_are_refused(
    volumes: tuple[Path, Path], what: str, side: int, tmp_path: Path
) -> None:
    assert verdict_of(volumes).state == CLOSE
    place, secret = volumes[side] / what, tmp_path / "secret"
    if place.exists():
        place.rename(secret)
    place.symlink_to(secret if secret.exists() else tmp_path)
    found = verdict_of(volumes)
    assert found.state == DIFFERS and "holds a link" in found.detail, found


@pytest.mark.parametrize("what", ["scale0/volume/zarr.json", "zarr.json", "scale1/zarr.json"])
def test_nothing_in_a_volume_is_unpickled(volumes: tuple[Path, Path], what: str) -> None:
    """Neither by an array, nor by metadata of arrays that a group has for all of them."""
    pickled = [{"name": "numcodecs.pickle", "configuration": {}}]
    array = json.loads((volumes[0] / "scale0/volume/zarr.json").read_text()) | {"codecs": pickled}
    told = json.loads((volumes[0] / what).read_text())
    if told["node_type"] == "array":
        told = array
    else:
        names = ["scale0/volume", "scale1/volume", "volume"]
        every = {"kind": "inline", "must_understand": False}
        told["consolidated_metadata"] = every | {"metadata": dict.fromkeys(names, array)}
    (volumes[0] / what).write_text(json.dumps(told))
    found = verdict_of(volumes)
    if told is array:
        assert found.state == DIFFERS and "asks for unpickling" in found.detail
    else:  # not used; zarr may refuse it when it reads it
        assert found.state == CLOSE or "pickle" in found.detail, found


@pytest.mark.parametrize("change", ["cut", "nothing", "no json", "chunk", "renamed"])
def test_a_damaged_volume_differs(volumes: tuple[Path, Path], change: str) -> None:
    old = volumes[0]
    if change == "cut":
        (old / "scale0/volume/zarr.json").unlink()
    elif change == "nothing":
        for path in sorted(old.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    elif change == "no json":
        (old / "zarr.json").write_bytes(b"{\xff\x1b[31m")
    elif change == "chunk":
        (old / "scale0/volume/c/0/0/0/0").write_bytes(b"\x1b[31m")
    else:
        (old / "scale0/volume").rename(old / "scale0/other")
    assert verdict_of(volumes).state == DIFFERS


def test_volumes_are_compared_block_by_block(tmp_path: Path) -> None:
    values = np.zeros((200, 128, 256), np.float32)
    for folder, value in (("old", 1), ("new", 1 + 1e-6)):
        write(tmp_path / folder, "volumes/v.ome.zarr", volume(values + np.float32(value)))
    tracemalloc.start()
    (found,) = compare(tmp_path / "old", tmp_path / "new", 1e-5)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # As complex numbers, a volume would be four times what it is on the disk.
    assert found.state == CLOSE and most < 3 * values.nbytes, most


@pytest.mark.parametrize("shape", [[0], [5, 0], [2**32, 2**32], [1]])
def test_no_more_is_unpacked_than_the_shape_says(shape: list[int]) -> None:
    bomb = base64.b64encode(gzip.compress(bytes(2**26), 9)).decode()
    array = {"dtype": "float64", "shape": shape, "array": {"data": bomb}}
    tracemalloc.start()
    with contextlib.suppress(ValueError):
        assert values_of(array).shape == tuple(shape)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2**22


def test_an_array_of_nothing() -> None:
    nothing = base64.b64encode(gzip.compress(b"")).decode()
    found = values_of({"dtype": "float64", "shape": [0, 3], "array": {"data": nothing}})
    assert found.shape == (0, 3) and found.dtype == float


def test_distance_of_what_is_infinite() -> None:
    assert distance([np.inf, 1], [np.inf, 1]) == 0
    assert distance([np.inf, 1], [-np.inf, 1]) == np.inf
    assert distance([], []) == 0
    assert distance([0.0], [0.0]) == 0
    assert distance([1 + 1j], [1 + 1.1j]) == pytest.approx(0.1 / abs(1 + 1.1j))
