from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from toy_project import CELLS, LIGHT, command, environment, make, notebook

from liscope.errors import LiscopeError
from liscope.workflow import folders, params_writer
from liscope.workflow.commands.keep import keep as command_keep
from liscope.workflow.parameter_cells import read_cell
from liscope.workflow.parameters import Parameters
from liscope.workflow.params_file import load_parameters
from liscope.workflow.params_writer import params_text, write_params
from liscope.workflow.project import Project
from liscope.workflow.scratch_copies import explored

CELL = CELLS["parameters"]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A toy project for tests that leave it as it is: made once."""
    root = make(tmp_path_factory.mktemp("toy"), **LIGHT)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root / "model"))
        patch.delitem(sys.modules, "toy_model", raising=False)
        yield Project(root)


def explore(project: Project, cell: str = CELL, injected: str | None = None) -> Path:
    """Write a scratch notebook with this parameters cell."""
    document = notebook({**CELLS, **LIGHT, "parameters": cell})
    if injected is not None:
        extra = notebook({"more": injected})["cells"][1]  # type: ignore[index]
        extra["metadata"]["tags"] = ["injected-parameters"]
        document["cells"].insert(2, extra)  # type: ignore[attr-defined]
    file = project.root / "explored.ipynb"
    file.write_text(json.dumps(document))
    return file


def keep(project: Project, file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return command(project.root, "keep", str(file), *arguments)


def test_what_was_explored_comes_back_as_a_file_that_runs(light: Project) -> None:
    file = explore(light, CELL.replace("bias = 1.5", "bias = -2.25").replace('"tip"', '"sample"'))
    done = keep(light, file, "--as", "mine")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "params/toy/mine.yaml; run it: liscope run toy -f params/toy/mine.yaml\n"
    kept = light.root / "params/toy/mine.yaml"
    assert kept.read_text().splitlines() == [
        "# Explored by hand, and kept.",
        "sample: mine",
        "bias: -2.25  # V, bias during read-out",
        "side: sample  # where `bias` is applied",
    ]
    ran = command(light.root, "run", "toy", "-f", "params/toy/mine.yaml")
    assert ran.returncode == 0, ran.stderr
    (record,) = (light.root / "results/toy").glob("mine-*/record.json")
    found = json.loads(record.read_text())["parameters"]
    assert (found["sample"], found["bias"], found["side"]) == ("mine", -2.25, "sample")
    assert (found["count"], found["cut"]) == (10, None)


def test_the_injected_cell_wins_and_the_data_always_stands_in_the_file(root: Path) -> None:
    project = Project(make(root, model="ToyWithData", **LIGHT))
    document = notebook({**CELLS, "parameters": CELL}, "ToyWithData")
    extra = notebook({"more": 'bias = 3\nscan = "scan"'})["cells"][1]  # type: ignore[index]
    extra["metadata"]["tags"] = ["injected-parameters"]
    document["cells"].append(extra)  # type: ignore[attr-defined]
    file = root / "explored.ipynb"
    file.write_text(json.dumps(document))
    assert keep(project, file, "--as", "x.1").returncode == 0
    assert yaml.safe_load((root / "params/toy/x.1.yaml").read_text()) == {
        "sample": "x.1",
        "bias": 3.0,
        "scan": "scan",
    }


@pytest.mark.parametrize(
    "values",
    [
        {"note": text}
        for text in (
            *("yes", "No", "on", "y", "null", "~", "true", "1", "0x1f", "010", "1_000", "12:30:45"),
            *(
                "1e-3",
                ".inf",
                "NaN",
                "2026-01-01",
                "- a",
                "a: b",
                "a #b",
                "#",
                "'",
                '"',
                "\\",
                "\t",
            ),
            *(" lead", "trail ", "line\nbreak", "\r\n", "\x00", "\x7f", "\x85", "\u2028", "\ufeff"),
            *("µm", "日本", "😀", "%x", "@x", "`x`", "!!python/object:x", "&a", "*a", "{a}", "[a]"),
            *("|", ">", "?", "<<", "=", "specimen:lmo/stressed", "real:a b.sxm", "$(touch x)"),
        )
    ]
    + [{"bias": number} for number in (1e-5, -1e-7, 0.1 + 0.2, 3.0, 12.0, 5e-324)]
    + [{"count": 10**18}, {"cut": 1e22}, {"boxes": []}, {"boxes": [(0.0, 1e-9, 2.5, 1e16)] * 2}],
)
def test_every_value_reads_back_the_same_by_both_yamls(
    toy: Project, values: dict[str, object]
) -> None:
    model = toy.workflow("toy").model
    parameters = model.check({"sample": "s", **values})
    file = write_params(toy, toy.workflow("toy"), parameters)
    assert load_parameters(model, file, []) == parameters
    papermills = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert model.check(papermills) == parameters
    assert [type(papermills[name]) for name in values] == [type(values[name]) for name in values]
    assert len(file.read_text().split("\n")) == 4 + len(values.get("boxes", []))  # type: ignore[arg-type]
    file.unlink()


def test_tables_are_written_row_by_row(toy: Project) -> None:
    parameters = toy.workflow("toy").model.check({"boxes": [[0, 1, 2, 3.5], [4, 5, 6, 7]]})
    assert params_text(parameters).splitlines()[2:] == [
        "boxes:  # um, x, y, width, height",
        "  - [0.0, 1.0, 2.0, 3.5]",
        "  - [4.0, 5.0, 6.0, 7.0]",
    ]


def test_nothing_is_overwritten_unasked(light: Project) -> None:
    file, kept = explore(light), light.root / "params/toy/first.yaml"
    before = kept.read_text()
    done = keep(light, file, "--as", "first")
    assert done.returncode == 2 and kept.read_text() == before
    assert "params/toy/first.yaml is there already" in done.stderr
    assert keep(light, file, "--as", "first", "--replace").returncode == 0
    assert kept.read_text().splitlines()[1:] == ["sample: first"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "count = 10",
            "count = __import__('os').system('id')",
            "malformed value of count",
        ),
        ("count = 10", "count = 5 + 5", "malformed value of count, line"),
        ("count = 10", "count = [n for n in (1,)]", "malformed value of count"),
        ("count = 10", 'count = f\'{open("pwned", "w")}\'', "malformed value of count"),
        ("count = 10", "count = {10}", "malformed value of count"),
        ("count = 10", "count = b'10'", "malformed value of count"),
        ("count = 10", "count = 1 + 2j", "malformed value of count"),
        ("count = 10", "count = 0x" + "f" * 5000, "malformed value of count"),
        ("count = 10", "count = " + "9" * 5000, "Exceeds the limit"),
        ("count = 10", "count = " + "-" * 3000 + "1", "parameters cell: nested too deep"),
        ("count = 10", "count = " + "[" * 5000 + "]" * 5000, "too many nested parentheses"),
        ("count = 10", "import os; os.system('touch pwned')", "is not 'name = value'"),
        ("count = 10", "open('pwned', 'w')", "is not 'name = value'"),
        ("count = 10", "count, bias = 1, 2", "is not 'name = value'"),
        ("count = 10", "p.count = 10", "is not 'name = value'"),
        ("count = 10", "count += 10", "is not 'name = value'"),
        ("count = 10", "%run evil.py", "invalid syntax, line"),
        ("count = 10", "!touch pwned", "invalid syntax, line"),
        ("count = 10", "count =", "invalid syntax, line"),
        ("count = 10", "count = 10\x00", "null bytes"),
        ("count = 10", "count = '\ud800'", "surrogates not allowed"),
        ("count = 10", "#" * 100_001, "more than 100000 characters"),
        ("count = 10", "count = 0", "count (explored.ipynb): got 0; right is"),
        ("count = 10", "count = True", "count (explored.ipynb): got True"),
        ("bias = 1.5", "bias = 1e999", "bias (explored.ipynb): got inf"),
        ("bias = 1.5", "bias = 13", "bias (explored.ipynb): got 13"),
        ("bias = 1.5", "bais = 1.5", "bais (explored.ipynb): no such parameter"),
        ("bias = 1.5", "__class__ = 1.5", "__class__ (explored.ipynb): no such parameter"),
        ('sample = "specimen"', 'sample = "../../../up"', "sample (explored.ipynb): got"),
        ('sample = "specimen"', 'sample = "a/b"', "sample (explored.ipynb): got"),
        ('sample = "specimen"', 'sample = ""', "sample (explored.ipynb): got"),
    ],
)
def test_code_and_wrong_values_are_refused(
    toy: Project, old: str, new: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(toy.root)
    before = sorted(toy.root.rglob("*"))
    assert old in CELL
    for file in (explore(toy, CELL.replace(old, new)), explore(toy, CELL, new)):
        with pytest.raises(LiscopeError) as refused:
            workflow, values = explored(toy, file)
            workflow.model.check(values, dict.fromkeys(values, file.name))
        assert message in str(refused.value) and "\n" not in str(refused.value)
    file.unlink()
    assert sorted(toy.root.rglob("*")) == before


@pytest.mark.parametrize("sample", ["../up", "a/b", "/x", "..", "", "a b", "-x", "a\nb: 1"])
def test_names_that_would_lead_elsewhere_are_refused(
    toy: Project, sample: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(toy.root)
    before = sorted(toy.root.rglob("*"))
    file = explore(toy, CELL.replace('"specimen"', '"../x"'))
    refused = CliRunner().invoke(command_keep, [str(file), f"--as={sample}"]).exception
    assert isinstance(refused, LiscopeError)
    assert str(refused).startswith("sample (") and "\n" not in str(refused)
    file.unlink()
    assert sorted(toy.root.rglob("*")) == before


def test_a_folder_that_leads_out_of_the_project_is_refused(light: Project, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (light.root / "params/toy/mine.yaml").symlink_to(outside / "mine.yaml")
    done = keep(light, explore(light), "--as", "mine", "--replace")
    assert done.returncode == 2 and "leads out of the project" in done.stderr
    (light.root / "params/toy").rename(light.root / "params/was")
    (light.root / "params/toy").symlink_to(outside)
    done = keep(light, explore(light), "--as", "mine")
    assert done.returncode == 2 and "leads out of the project" in done.stderr
    assert not list(outside.iterdir())


def bare(**changed: object) -> dict[str, object]:
    return notebook({**CELLS, **LIGHT}) | changed


NO_NOTEBOOKS: dict[str, str | bytes] = {
    "empty": "",
    "no json": "{",
    "nested": "[" * 100_000,
    "nested in a notebook": '{"cells": ' + "[" * 100_000,
    "a number": "5",
    "digits": "1" * 10_000,
    "binary": b"\xff\xfe\x00",
    "no cells": '{"metadata": {}}',
    "cells are text": json.dumps(bare(cells="text")),
    "a cell is text": json.dumps(bare(cells=["text"])),
    "no metadata": json.dumps(bare(metadata=None)),
    "wrong metadata": json.dumps(bare(metadata={"liscope": "toy"})),
    "wrong source": json.dumps(bare(cells=[{"cell_type": "code", "source": 5, "metadata": {}}])),
    "wrong lines": json.dumps(bare(cells=[{"cell_type": "code", "source": [5], "metadata": {}}])),
    "wrong tags": json.dumps(
        bare(cells=[{"cell_type": "code", "source": "", "metadata": {"tags": 5}}])
    ),
}


@pytest.mark.parametrize("name", NO_NOTEBOOKS)
def test_what_is_no_notebook(toy: Project, name: str) -> None:
    file, content = toy.root / "x.ipynb", NO_NOTEBOOKS[name]
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(LiscopeError, match=r"x\.ipynb: not a notebook"):
        explored(toy, file)
    file.unlink()


def test_files_that_are_absent_no_files_or_too_large(toy: Project) -> None:
    file = toy.root / "x.ipynb"
    with pytest.raises(LiscopeError, match="no such notebook"):
        explored(toy, file)
    os.mkfifo(file)
    with pytest.raises(LiscopeError, match="no such notebook"):
        explored(toy, file)
    file.unlink()
    file.touch()
    os.truncate(file, 10**12)  # takes no room
    with pytest.raises(LiscopeError, match="larger than 200 MB"):
        explored(toy, file)
    file.unlink()


@pytest.mark.parametrize("declared", ["os:system", "toy_model:Other", "", "antigravity:x", 5, None])
def test_a_notebook_of_no_workflow_of_this_project_imports_nothing(
    toy: Project, declared: object
) -> None:
    file = toy.root / "x.ipynb"
    file.write_text(json.dumps(bare(metadata={"liscope": {"parameters": declared}})))
    with pytest.raises(LiscopeError, match="not of a workflow of this project"):
        explored(toy, file)
    file.unlink()
    assert "antigravity" not in sys.modules


def test_two_workflows_of_one_model_are_told_apart(light: Project) -> None:
    document = bare()
    (light.root / "notebooks/second.ipynb").write_text(json.dumps(document))
    document["metadata"] = {"liscope": {"parameters": "toy_model:Toy", "workflow": "toy"}}
    file = light.root / "x.ipynb"
    file.write_text(json.dumps(document))
    assert explored(light, file)[0].name == "toy"


def test_cells_are_counted(toy: Project) -> None:
    file = explore(toy)
    document = json.loads(file.read_text())
    document["cells"].append(document["cells"][1])
    file.write_text(json.dumps(document))
    with pytest.raises(LiscopeError, match="2 cells are tagged 'parameters', one is needed"):
        explored(toy, file)


def test_a_refusal_imports_nothing_heavy(light: Project) -> None:
    heavy = ("papermill", "nbformat", "matplotlib", "xarray", "pandas", "numpy")
    code = (
        "import sys\nfrom liscope.workflow.cli import cli\n"
        "try: cli.main(sys.argv[1:], standalone_mode=False)\n"
        "except Exception as error: print(error)\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    file = explore(light, CELL.replace("count = 10", "count = 0"))
    process = subprocess.run(
        [sys.executable, "-c", code, "keep", str(file)],
        cwd=light.root,
        env=environment(light.root),
        capture_output=True,
        text=True,
    )
    assert process.stdout.splitlines()[-1] == "[]"


def test_comments_are_read_from_the_end_of_the_value() -> None:
    (one, two) = read_cell('a = "# no\u2028 line"  # yes\nb = [1,\n     2]  # a list')
    assert (one.value, one.comment) == ("# no\u2028 line", "yes")
    assert (two.value, two.comment) == ([1, 2], "a list")


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_somebody_wrote_meanwhile_stays(
    light: Project, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def refuses(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not links:  # as on some file systems
        monkeypatch.setattr(folders.os, "link", refuses)
    workflow = light.workflow("toy")
    mine = workflow.model.check({"sample": "mine", "bias": 3.0})
    path = light.root / "params/toy/mine.yaml"
    real = params_writer.params_text

    def meanwhile(parameters: Parameters) -> str:
        path.write_text("sample: mine\n")
        return real(parameters)

    monkeypatch.setattr(params_writer, "params_text", meanwhile)
    with pytest.raises(LiscopeError, match=r"mine\.yaml is there already: choose a name"):
        write_params(light, workflow, mine)
    assert path.read_text() == "sample: mine\n"
    write_params(light, workflow, mine, replace=True)
    assert "bias: 3.0" in path.read_text()
    monkeypatch.setattr(params_writer, "params_text", real)
    path.unlink()
    assert write_params(light, workflow, mine).read_text().startswith("# Explored by hand")
    assert sorted(one.name for one in path.parent.iterdir()) == ["first.yaml", "mine.yaml"]
