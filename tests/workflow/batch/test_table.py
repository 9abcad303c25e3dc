"""Table, comparison notebook and view of a sweep, from runs that are only written down."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sweeps import sweep

from liscope.errors import DataError
from liscope.workflow.batch.comparison import comparison_notebook, defaults
from liscope.workflow.batch.folder import write_batch
from liscope.workflow.batch.gallery import gallery
from liscope.workflow.batch.plan import Plan, make_plan
from liscope.workflow.batch.plots import explore, plot, read_table, shown_columns
from liscope.workflow.batch.pool import Outcome
from liscope.workflow.batch.table import Table
from liscope.workflow.batch.view import shown
from liscope.workflow.project import Project
from liscope.workflow.record import now


def outcomes(plan: Plan, folder: Path, *summaries: dict[str, Any] | None) -> list[Outcome]:
    """Return runs with these summaries; None for one that failed."""
    found = []
    for number, (job, summary) in enumerate(zip(plan.jobs, summaries, strict=True)):
        run = folder / str(number)
        if summary is not None:
            run.mkdir()
            (run / "summary.json").write_text(json.dumps(summary))
            found.append(Outcome(job, run, f"12e4567890{number:02}"))
        else:
            found.append(Outcome(job, key=f"12e4567890{number:02}", error="=it broke"))
    return found


@pytest.fixture
def four(light: Project, tmp_path: Path) -> tuple[Plan, list[Outcome]]:
    plan = make_plan(light, sweep(light.root, "vary: {side: [tip, sample], bias: [1, 0.1]}"))
    assert [job.label for job in plan.jobs][1] == "first, side tip, bias 0.1 V"
    return plan, outcomes(
        plan,
        tmp_path,
        {"same": 5, "total_V": 1.5, "note": "+1", "word": 'a, "b"\n', "ok": True},
        {"same": 5, "total_V": None, "note": "x", "ok": False},
        None,
        {"same": 5, "total_V": 1e-300, "bias": 3, "key": "k"},
    )


def test_the_table_says_what_was_put_in(four: tuple[Plan, list[Outcome]]) -> None:
    table = Table("toy", four[1])
    rows = list(csv.DictReader(io.StringIO(table.csv(), newline="")))
    assert list(rows[0])[:6] == ["workflow", "sample", "key", "state", "error", "bias"]
    assert [row["state"] for row in rows] == ["done", "done", "failed", "done"]
    assert [row["total_V"] for row in rows] == ["1.5", "", "", "1e-300"]
    assert [row["bias"] for row in rows] == ["1.0", "0.1", "1.0", "0.1"]
    assert [rows[3][name] for name in ("result_bias", "result_key")] == ["3", "k"]
    assert (rows[0]["word"], rows[0]["ok"], rows[1]["ok"]) == ('a, "b"\n', "true", "false")
    assert json.loads(rows[0]["boxes"]) == [[0, 0, 1, 1]]
    assert (rows[0]["result_note"], rows[2]["error"]) == ("'+1", "'=it broke"), "no formulas"


def test_the_notebook_starts_with_what_varied(four: tuple[Plan, list[Outcome]]) -> None:
    plan, runs = four
    table = Table("toy", runs)
    chosen = {"x": "bias", "y": "total_V", "colour": "side"}
    assert defaults(table, plan.varied) == chosen
    notebook = json.loads(comparison_notebook(table, plan))
    (cell,) = [c for c in notebook["cells"] if c["metadata"].get("tags") == ["parameters"]]
    namespace: dict[str, Any] = {}
    for line in cell["source"]:
        name, _, value = line.partition(" = ")
        namespace[name] = json.loads(value.partition("  #")[0])
    assert namespace == {
        "table": "table.csv",
        **chosen,
        "varied": {"sample": "", "side": "", "bias": "V"},
    }
    question = "".join(notebook["cells"][0]["source"])
    assert "`papermill comparison.ipynb out.ipynb -p y total_V`" in question
    assert defaults(Table("toy", runs[2:3]), []) == {"x": "sample", "y": "", "colour": ""}


def test_any_number_is_plotted_against_numbers_and_words(
    four: tuple[Plan, list[Outcome]], tmp_path: Path
) -> None:
    (tmp_path / "table.csv").write_text(Table("toy", four[1]).csv())
    runs = read_table(tmp_path / "table.csv")
    assert list(runs["key"]) == ["12e456789000", "12e456789001", "12e456789003"]
    for x, points in (("bias", [0.1, 1.0]), ("side", [0, 1])):
        (axes,) = plot(runs, x, "total_V").axes
        assert sorted(axes.lines[0].get_xdata(orig=False)) == points
    (axes,) = plot(runs, "bias", "total_V", "side").axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["sample", "tip"]
    for arguments, fault in (
        (("bais", "total_V"), "no column 'bais'; there are workflow, sample"),
        (("bias", "side"), "y: got 'side'; right is a column of numbers: bias"),
        (("bias", ""), "y: got ''"),
    ):
        with pytest.raises(DataError, match=fault):
            plot(runs, *arguments)
    points = explore(runs, "side", "total_V", "ok")
    assert {"side", "total_V", "sample", "key"} <= {str(name) for name in points.dimensions()}


def test_axes_have_units_and_points_their_intervals(tmp_path: Path) -> None:
    rows = {"sample": ["a", "b"], "margin": [0.1, 0.2], "other_low_nm": [9, 9]}
    ends = {"width_low_nm": [1, 2], "width_high_nm": [4, 8], "area_low": [1, 2]}
    runs = pd.DataFrame({**rows, "width_value_nm": [3, 4], "area": [1.5, 2.5], **ends})
    units = {"sample": "", "margin": "um"}
    (axes,) = plot(runs, "margin", "width_value_nm", units=units).axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("margin (um)", "width_value_nm")
    (lines,) = axes.collections
    assert [line.tolist() for line in lines.get_segments()] == [
        [[0.1, 1], [0.1, 4]],
        [[0.2, 2], [0.2, 8]],
    ]
    assert len(plot(runs, "sample", "width_value_nm", "margin").axes[0].collections) == 2
    assert not plot(runs, "margin", "area").axes[0].collections, "an interval has two ends"
    assert shown_columns(runs, units, "area") == ["sample", "margin", "area"]
    with pytest.raises(DataError, match="no column 'aera'"):
        shown_columns(runs, units, "aera")


def test_a_card_has_the_first_number_that_differs(four: tuple[Plan, list[Outcome]]) -> None:
    page = gallery(*four)
    shown = re.findall(r'<p class="headline">(.*) <strong>(.*)</strong>', page)
    assert shown == [("total_V", "1.5"), ("total_V", "–"), ("total_V", "1e-300")]


def test_words_stay_words(light: Project, tmp_path: Path) -> None:
    for name, note in (("NA", "None"), ("nan", "-x"), ("b", "=y")):
        file = light.root / f"params/toy/{name}.yaml"
        file.write_text(f"sample: {name}\nnote: '{note}'\n")
    plan = make_plan(light, sweep(light.root, "samples: [NA, nan, b]"))
    runs = outcomes(plan, tmp_path, {"v": 1.5, "w": None}, {"v": -2, "w": "-z"}, {"v": None})
    (tmp_path / "table.csv").write_text(Table("toy", runs).csv())
    table = read_table(tmp_path / "table.csv")
    assert list(table["sample"]) == ["NA", "nan", "b"]
    assert list(table["note"]) == ["None", "-x", "=y"]
    assert list(table["v"].dropna()) == [1.5, -2.0] and list(table["w"].dropna()) == ["-z"]


def test_a_table_without_a_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no table of a sweep"):
        read_table(tmp_path / "none.csv")
    columns = ["workflow", "sample", "key", "state", "error"]
    pd.DataFrame([["toy", "a", "1", "failed", "x"]], columns=columns).to_csv(tmp_path / "table.csv")
    with pytest.raises(DataError, match=r"no run was done"):
        read_table(tmp_path / "table.csv")


def test_the_comparison_runs_where_it_lies(
    four: tuple[Plan, list[Outcome]], light: Project
) -> None:
    plan, runs = four
    folder = light.results("batches") / plan.name
    folder.mkdir(parents=True)
    write_batch(folder, plan, runs, now(), jobs=1)
    names = {path.name for path in folder.iterdir()}
    assert names == {"table.csv", "index.html", "comparison.ipynb", "sweep.yaml", "record.json"}
    code = "import papermill; papermill.execute_notebook('comparison.ipynb', 'out.ipynb')"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    outputs = [
        kind
        for cell in json.loads((folder / "out.ipynb").read_text())["cells"]
        for output in cell.get("outputs", [])
        for kind in output.get("data", {})
    ]
    assert outputs.count("image/png") == 1
    assert "application/vnd.holoviews_exec.v0+json" in outputs


def test_a_terminal_shows_what_failed_and_what_runs(
    four: tuple[Plan, list[Outcome]], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "200")
    with shown("sweep", 4) as view:
        view.ended(four[1][0])
        view.ended(four[1][2])
        view.running(["first, side tip", "first, side sample"])
    said = terminal.getvalue()
    assert "first, side sample, bias 1 V: failed, =it broke\n" in said
    assert "2/4" in said and "1 failed, now first, side tip; first, side sample" in said
