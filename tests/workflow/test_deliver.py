from __future__ import annotations

import hashlib
import json
import math
import tracemalloc
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure
from test_parameters import Scan
from toy_project import make

from liscope.errors import DataError, RunError
from liscope.readers import read_ome_zarr
from liscope.workflow.deliver import deliver, plain_name
from liscope.workflow.project import Project


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setenv("LISCOPE_RUN", str(folder))
    return folder


def test_the_summary_is_strict_json_without_numpy(folder: Path) -> None:
    values = {
        "b": np.float32(0.5),
        "a": np.int64(3),
        "c": np.bool_(True),
        "d": math.nan,
        "e": np.float64("inf"),
        "f": xr.DataArray(2.5),
        "g": "µm",
        "h": None,
        "i": 0.1 + 0.2,
    }
    shown = deliver(Scan(), summary=values)
    found = json.loads((folder / "summary.json").read_text())
    expected = [("a", 3), ("b", 0.5), ("c", True), ("d", None), ("e", None), ("f", 2.5)]
    # In the order given; numbers with ten digits, as in tables.
    assert list(found) == list(values)
    assert sorted(found.items()) == [*expected, ("g", "µm"), ("h", None), ("i", 0.3)]
    assert found["c"] is True and type(found["a"]) is int
    assert list(shown.index) == list(values) and shown.loc["g", "value"] == "µm"


@pytest.mark.parametrize("name", ["../up", "a b", "a/b", "", "1st", "é", 3, "a" * 65, "a\n"])
def test_names_stay_in_their_folder(folder: Path, name: str) -> None:
    for given in ({"summary": {name: 1}}, {"tables": {name: pd.DataFrame()}}):
        with pytest.raises(RunError, match="is no name for a result"):
            deliver(Scan(), **given)
    with pytest.raises(RunError, match="is no name for a result"):
        deliver(Scan(), figures={name: Figure()})
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("number conductive, Li cannot be told", "number_conductive_Li_cannot_be_told"),
        (" r / ceiling ", "r_ceiling"),
        ("3 V", "_3_V"),
        ("é", "_"),
        ("", "_"),
        ("../up", "up"),
        ("a" * 99, "a" * 64),
        ("9" * 99, "_" + "9" * 63),
    ],
)
def test_any_text_has_a_plain_name_that_is_taken(folder: Path, text: str, name: str) -> None:
    assert plain_name(text) == name
    deliver(Scan(), summary={name: 1})
    assert json.loads((folder / "summary.json").read_text()) == {name: 1}


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"summary": {"a": [1, 2]}}, "summary 'a' is"),
        ({"summary": {"a": 1j}}, "summary 'a' is 1j"),
        ({"summary": {"a": {"b": 1}}}, "summary 'a' is"),
        ({"tables": {"a": [1]}}, "table 'a' is list, not a pandas DataFrame"),
        ({"figures": {"a": "x"}}, "figure 'a' is str, not a matplotlib Figure"),
        ({"arrays": {"a": xr.DataArray(1)}}, "array 'a' is DataArray, not an xarray Dataset"),
        ({"volumes": {"a": np.ones((2, 2, 2))}}, "volume 'a' is ndarray, not an xarray DataArray"),
    ],
)
def test_other_types_are_refused_by_name(
    folder: Path, given: dict[str, dict[str, object]], fault: str
) -> None:
    with pytest.raises(RunError, match=fault):
        deliver(Scan(), **given)  # type: ignore[arg-type]
    assert not (folder / "summary.json").exists()


def test_tables_and_arrays_can_be_read_again(folder: Path) -> None:
    table = pd.DataFrame({"x": [0.1, 1 / 3, math.nan], "name": ["a", 'b,"', "é"]})
    named = table.set_index("name")
    data = xr.Dataset({"v": ("x", [1.0, 2.0], {"units": "V"})}, {"x": [0, 1]})
    deliver(Scan(), tables={"plain": table, "named": named}, arrays={"data": data})
    read = pd.read_csv(folder / "tables/plain.csv")
    pd.testing.assert_frame_equal(read, table, rtol=1e-9)
    assert list(pd.read_csv(folder / "tables/named.csv").columns) == ["name", "x"]
    with xr.open_dataset(folder / "arrays/data.nc", engine="h5netcdf") as found:
        xr.testing.assert_identical(found.load(), data)


def volume(planes: int = 6, side: int = 20) -> xr.DataArray:
    """Return a lazy volume of two channels, every block of which is made when it is asked for."""
    ones = da.ones((2, planes, side, side), chunks=(1, 8, side, side), dtype=np.float32)
    coords = {
        dim: (dim, 0.1 * np.arange(n), {"units": "um"})
        for dim, n in zip("zyx", ones.shape[1:], strict=True)
    }
    values = ones * da.arange(side, dtype=np.float32)
    return xr.DataArray(values, {"channel": ["Co", "Zr"], **coords}, ("channel", *"zyx"))


def phases() -> xr.Dataset:
    probability = (volume() / 19).rename(channel="phase").astype(np.float32)
    label = probability.argmax("phase").astype(np.uint8) + np.uint8(1)
    return xr.Dataset({"probability": probability, "label": label})


def sums(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_volumes_and_phases_can_be_read_again_and_are_the_same_bytes_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv("LISCOPE_RUN", str(tmp_path / name))
        deliver(Scan(), volumes={"counts": volume(), "phases": phases()})
    folder = tmp_path / "first/volumes"
    assert sorted(path.name for path in folder.iterdir()) == ["counts.ome.zarr", "phases.ome.zarr"]
    np.testing.assert_array_equal(read_ome_zarr(folder / "counts.ome.zarr"), volume())
    labels = read_ome_zarr(folder / "phases.ome.zarr/labels/phases")
    np.testing.assert_array_equal(labels, phases().label)
    found = sums(folder)
    assert len(found) > 20 and found == sums(tmp_path / "second/volumes")
    # The record of a run lists no file whose name starts with a dot.
    assert not any(part.startswith(".") for name in found for part in name.split("/"))


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (volume().isel(z=[0, 1, 3]), "volume 'cell': 'z' is not evenly spaced"),
        (volume().isel(z=0), "volume 'cell': has dims"),
        (volume().drop_vars("x"), "volume 'cell': 'x' has no units"),
        (volume() > 3, "volume 'cell': holds 4800 values of bool; a volume holds numbers"),
        (volume().isel(x=slice(0)), "volume 'cell': holds 0 values"),
        (xr.Dataset({"label": volume()}), "volume 'cell': has no 'probability'"),
    ],
)
def test_a_volume_that_cannot_be_written_is_named(
    folder: Path, given: xr.DataArray | xr.Dataset, fault: str
) -> None:
    with pytest.raises(DataError, match=fault):
        deliver(Scan(), volumes={"cell": given})
    assert not list((folder / "volumes").iterdir()) and not (folder / "summary.json").exists()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_lazy_volume_is_never_in_memory_as_a_whole(folder: Path) -> None:
    large = volume(200, 256)
    with dask.config.set(scheduler="synchronous"):
        deliver(Scan(), volumes={"first": volume()})  # loads libraries
        (folder / ".kernel.json").unlink()
        tracemalloc.start()
        deliver(Scan(), volumes={"large": large})
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert large.nbytes > 1e8 and most < large.nbytes / 4, most
    found = read_ome_zarr(folder / "volumes/large.ome.zarr")
    assert found.shape == large.shape and found[1, 199, 3, 255] == 255


def test_captions_keep_the_order_of_the_figures(folder: Path) -> None:
    deliver(Scan(), figures={"zebra": (Figure(), "Ein Zebra µ"), "ant": Figure()})
    found = json.loads((folder / "figures/captions.json").read_text())
    assert list(found.items()) == [("zebra", "Ein Zebra µ"), ("ant", "")]


def test_by_hand_nothing_is_written(
    light: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = light.root  # type: ignore[attr-defined]
    monkeypatch.chdir(root / "notebooks")
    monkeypatch.delenv("LISCOPE_RUN", raising=False)
    before = sorted(root.rglob("*"))
    from toy_model import Toy  # type: ignore[import-not-found]

    deliver(Toy(), tables={"a": pd.DataFrame()}, summary={"a": 1})
    assert capsys.readouterr().out.count("'liscope run toy'") == 1
    deliver(Scan())
    assert "'liscope run <workflow>'" in capsys.readouterr().out
    assert sorted(root.rglob("*")) == before


def test_by_hand_it_names_the_sample_and_how_to_keep_what_was_explored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make(tmp_path / "toy")
    monkeypatch.chdir(root)
    monkeypatch.syspath_prepend(root / "model")
    monkeypatch.delenv("LISCOPE_RUN", raising=False)
    model = Project.here().workflow("toy").model
    monkeypatch.setenv("JPY_SESSION_NAME", str(root / "notebooks/toy.ipynb"))
    deliver(model(sample="first"), summary={})
    assert "'liscope run toy first'" in capsys.readouterr().out
    monkeypatch.setenv("JPY_SESSION_NAME", str(root / "results/scratch/toy-first.ipynb"))
    deliver(model(sample="other"), summary={})
    said = capsys.readouterr().out
    assert "'liscope run toy'" in said
    assert "'liscope keep results/scratch/toy-first.ipynb' keeps" in said
