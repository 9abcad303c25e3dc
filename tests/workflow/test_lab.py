from __future__ import annotations

import ast
import json
import os
import shutil
import sys
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner
from toy_project import CELLS, command, make

from liscope.errors import LiscopeError, RunError
from liscope.workflow.commands import lab as command_lab
from liscope.workflow.commands.lab import jupyterlab_python, lab
from liscope.workflow.parameter_cells import read_cell, rewrite_cell
from liscope.workflow.params_file import load_parameters
from liscope.workflow.params_writer import write_params
from liscope.workflow.project import Project
from liscope.workflow.scratch_copies import explored, make_copy

ROOT = Path(__file__).parents[2]


def cell_of(file: Path) -> str:
    cells = json.loads(file.read_text())["cells"]
    (source,) = [
        "".join(cell["source"])
        for cell in cells
        if "parameters" in cell["metadata"].get("tags", [])
    ]
    return source


def test_the_copy_holds_the_sample_and_its_comments_and_no_outputs(light: Project) -> None:
    original = light.root / "notebooks/toy.ipynb"
    document = json.loads(original.read_text())
    document["cells"][2] |= {
        "execution_count": 3,
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "x"}],
    }
    original.write_text(json.dumps(document))
    before = original.read_bytes()
    done = command(light.root, "lab", "toy", "first", "-p", "cut=2 um", "--copy-only")
    assert (done.returncode, done.stdout) == (0, "results/scratch/toy-first.ipynb\n")
    copy = light.root / "results/scratch/toy-first.ipynb"
    assert cell_of(copy).splitlines() == [
        'sample = "first"  # name of the sample',
        "bias = 2.0  # V, bias during read-out",
        "count = 7  # how many terms",
        'side = "tip"  # where bias is applied',
        "boxes = [[0.0, 0.0, 1.0, 1.0]]  # um; x, y, width, height",
        "cut = 2000.0  # nm, cut-off",
        "note = \"\"  # a remark, with a '#'",
    ]
    assert original.read_bytes() == before
    code = [c for c in json.loads(copy.read_text())["cells"] if c["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    same = [cell["source"] for cell in document["cells"] if cell["cell_type"] == "code"][1:]
    assert [cell["source"] for cell in code][1:] == same


def test_the_copy_is_a_valid_notebook_that_runs(light: Project) -> None:
    import nbformat

    workflow = light.workflow("toy")
    copy = make_copy(light, workflow, workflow.model.check({"sample": "s", "note": "a\n'b\" \\"}))
    nbformat.validate(nbformat.read(copy, as_version=4))  # type: ignore[no-untyped-call]
    namespace = {one.name: one.value for one in read_cell(cell_of(copy))}
    assert workflow.model.from_namespace(namespace).plain()["note"] == "a\n'b\" \\"


def test_a_copy_with_work_in_it_is_left_alone(light: Project) -> None:
    workflow = light.workflow("toy")
    parameters = workflow.model.check({})
    first = make_copy(light, workflow, parameters)
    assert make_copy(light, workflow, parameters) == first, "nobody has worked in it"
    document = json.loads(first.read_text())
    document["cells"][-1]["source"] = "my work"
    first.write_text(json.dumps(document))
    second = make_copy(light, workflow, parameters)
    assert second.name == "toy-specimen-2.ipynb"
    assert "keep results/scratch/toy-specimen-2.ipynb" in second.read_text()
    assert "my work" in first.read_text()


def test_round_trip_of_values_through_a_copy(light: Project) -> None:
    workflow = light.workflow("toy")
    for number, values in enumerate(
        (
            {"note": "\u2028 \x00 \x7f µ 😀 {x} %s"},
            {"note": "' \" ''' \"\"\" \\ \\n"},
            {"boxes": []},
            {"boxes": [[1e-9, 2e22, -0.0, 5]] * 3, "cut": 1e-300},
            {"bias": -12, "count": 10**15, "side": "sample"},
        )
    ):
        parameters = workflow.model.check({"sample": f"s{number}", **values})
        _, found = explored(light, make_copy(light, workflow, parameters))
        assert workflow.model.check(found) == parameters


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("a = 1; b = 2  # both", "a = 5; b = [true]  # both"),
        ("a: int = 1\nb = 2", "a: int = 5\nb = [true]"),
        ("µ = 0; a = (1)  # é\nb = 2", "µ = 0; a = (5)  # é\nb = [true]"),
        ("a = 1\nb = [\n    1,  # one\n    2,\n]  # list", "a = 5\nb = [true]  # list"),
        ("a = 5  # five\nb = 2", "a = 5  # five\nb = [true]"),
        ("a = 1\r\nb = '\u2028'\r\n", "a = 5\nb = [true]\n"),
    ],
)
def test_cells_that_are_written_otherwise(cell: str, written: str) -> None:
    found = rewrite_cell(cell, {"a": 5, "b": [True], "c": 0})
    assert found == written.replace("true", "True")
    ast.parse(found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["toi"], "toi: no such workflow; known: toy"),
        (["toy", "frist"], "frist: no such sample; did you mean first?"),
        (["toy", "../../first"], "'../../first': no such sample"),
        (["toy", "/etc/passwd"], "no such sample; known are first"),
        (["toy", "first", "-f", "params/toy/first.yaml"], "not both"),
        (["toy", "first", "-p", "bias=20"], "bias (-p): got 20"),
        (["toy", "first", "-p", "x = __import__('os').system('id'); y=1"], "no such parameter"),
        (["toy", "-f", "/dev/zero"], "cannot be read (not a file)"),
        (["toy", "-p", "sample=../up"], "sample (-p): got '../up'"),
        ([], "workflow"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(
    light: Project, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(light.root)
    with pytest.raises((LiscopeError, click.UsageError)) as refused:
        lab.main(arguments, standalone_mode=False)
    assert message in str(refused.value) and "\n" not in str(refused.value)
    assert not (light.root / "results").exists()


def test_a_parameters_cell_with_code_gives_no_copy(light: Project) -> None:
    make(light.root, parameters=CELLS["parameters"].replace("count = 10", "count = 5 + 5"))
    done = command(light.root, "lab", "toy", "--copy-only")
    assert done.returncode == 1 and "malformed value of count" in done.stderr
    assert not list(light.root.glob("results/scratch/*.ipynb"))


def test_a_scratch_folder_that_leads_elsewhere_is_refused(light: Project, tmp_path: Path) -> None:
    (light.root / "results").mkdir()
    (tmp_path / "outside").mkdir()
    (light.root / "results/scratch").symlink_to(tmp_path / "outside")
    done = command(light.root, "lab", "toy", "--copy-only")
    assert done.returncode == 1 and "results/scratch leads elsewhere" in done.stderr
    assert not list((tmp_path / "outside").iterdir())


@pytest.fixture
def without_jupyterlab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_lab, "find_spec", lambda name: None)


@pytest.mark.usefixtures("without_jupyterlab")
def test_jupyterlab_of_the_environment_beside_or_none(light: Project) -> None:
    with pytest.raises(RunError, match="JupyterLab is not installed: 'make lab' does it"):
        jupyterlab_python(light.root)
    python = light.root / ".venv-lab/bin/python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert jupyterlab_python(light.root) == str(python)


def test_jupyterlab_of_its_own_environment(light: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_lab, "find_spec", lambda name: name == "jupyterlab")
    assert jupyterlab_python(light.root) == sys.executable


@pytest.mark.usefixtures("without_jupyterlab")
def test_what_jupyterlab_is_started_with(light: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    python = light.root / ".venv-lab/bin/python"
    python.parent.mkdir(parents=True)
    python.touch()
    started: list[tuple[str, list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execve", lambda *arguments: started.append(arguments))
    monkeypatch.setenv("LISCOPE_RUN", "/somewhere")
    monkeypatch.chdir(light.root / "params")
    done = CliRunner().invoke(lab, ["toy", "first", "--no-browser"])
    assert done.exit_code == 0, done.output
    ((program, command_, environment),) = started
    assert program == str(python)
    assert command_ == [
        *(str(python), "-m", "jupyterlab"),
        f"--ServerApp.root_dir={light.root}",
        "--LabApp.default_url=/lab/tree/results/scratch/toy-first.ipynb",
        "--no-browser",
    ]
    assert "LISCOPE_RUN" not in environment and environment["PATH"] == os.environ["PATH"]


@pytest.mark.usefixtures("without_jupyterlab")
def test_without_jupyterlab_there_is_no_copy(
    light: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(light.root)
    done = CliRunner().invoke(lab, ["toy", "first"])
    assert isinstance(done.exception, LiscopeError)
    assert not (light.root / "results").exists()


def test_every_sample_of_this_project_can_be_explored_and_kept(tmp_path: Path) -> None:
    for name in ("notebooks", "params"):
        shutil.copytree(ROOT / name, tmp_path / name)
    project = Project(tmp_path)
    for workflow in project.workflows():
        for file in workflow.samples:
            parameters = load_parameters(workflow.model, file, [])
            found, values = explored(project, make_copy(project, workflow, parameters))
            assert (found.name, workflow.model.check(values)) == (workflow.name, parameters)
            kept = write_params(project, workflow, parameters, replace=True)
            assert workflow.model.check(yaml.safe_load(kept.read_text())) == parameters
