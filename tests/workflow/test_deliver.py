from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure
from test_parameters import Scan
from toy_project import make

from liscope.errors import RunError
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
