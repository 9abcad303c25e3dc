"""Every notebook and every file of params/: consistent, small, and running end to end."""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import median

import nbformat
import pytest
from click.testing import CliRunner
from papermill.cli import papermill as command

from liscope.workflow.consistency import check_consistency
from liscope.workflow.project import Project

ROOT = Path(__file__).parents[2]
PROJECT = Project(ROOT)
WORKFLOWS = {workflow.name: workflow for workflow in PROJECT.workflows()}
SAMPLES = [
    (name, path.stem) for name in WORKFLOWS for path in (ROOT / "params" / name).glob("*.yaml")
]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_model_cell_and_parameter_files_agree(name: str) -> None:
    assert check_consistency(PROJECT, WORKFLOWS[name]) == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_notebook_reads_as_a_story(name: str) -> None:
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    prose = sum(len(c.source) for c in notebook.cells if c.cell_type == "markdown")
    assert notebook.cells[0].source.startswith("# ")
    steps = [cell for cell in code if "parameters" not in cell.metadata.get("tags", [])]
    lengths = [len([line for line in cell.source.splitlines() if line]) for cell in steps]
    assert median(lengths) <= 10 and max(lengths) <= 20, "long cells belong in the library"
    assert prose > 0.5 * sum(len(cell.source) for cell in code), "half as much prose as code"


@pytest.mark.parametrize("name", WORKFLOWS)
def test_committed_outputs_are_small_and_name_no_machine(name: str) -> None:
    text = (ROOT / "notebooks" / f"{name}.ipynb").read_text()
    assert len(text) < 1_500_000
    outputs = [one for cell in json.loads(text)["cells"] for one in cell.get("outputs", [])]
    assert "error" not in {one["output_type"] for one in outputs}
    assert "stderr" not in {one.get("name") for one in outputs}
    assert not re.search(r"(?<![\w.:/])/(home|Users|root|tmp|work|var)/|[A-Z]:\\\\", text)
    assert '"execution"' not in text  # times of execution


@pytest.mark.parametrize(("name", "sample"), SAMPLES)
def test_plain_papermill_runs_every_parameter_file(
    name: str, sample: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = ROOT / "params" / name / f"{sample}.yaml"
    if "real:" in path.read_text():
        request.getfixturevalue("real")
    out = tmp_path / "out.ipynb"
    _by_command(name, path, out)
    cells = json.loads(out.read_text())["cells"]
    counts = [c["execution_count"] for c in cells if c["cell_type"] == "code" and c["source"]]
    assert all(counts)


def test_two_maps_without_any_area_are_still_a_run(tmp_path: Path) -> None:
    none = tmp_path / "none.yaml"
    none.write_text("sample: none\nareas: []\narea_names: []\nquoted: []\n")
    out = tmp_path / "out.ipynb"
    _by_command("tip_stress_maps", none, out)
    assert "No area is given or found" in out.read_text()


def _by_command(name: str, path: Path, out: Path) -> None:
    """Run papermill as the README tells those who want nothing of ours around it."""
    notebook = str(ROOT / "notebooks" / f"{name}.ipynb")
    done = CliRunner().invoke(command, [notebook, str(out), "-f", str(path), "--cwd", str(ROOT)])
    assert done.exit_code == 0, done.output[-2000:]
