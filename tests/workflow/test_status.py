from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import toy_project
from made_runs import FIRST, make_batch, make_run
from toy_project import LIGHT, make

import liscope
from liscope.data import files_of
from liscope.errors import LiscopeError, ReaderError, RunError
from liscope.workflow.keys import missing_input
from liscope.workflow.params_file import load_parameters
from liscope.workflow.project import Project
from liscope.workflow.run import run
from liscope.workflow.status import status, usage


@pytest.fixture
def scan(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file behind the toy's input, and `liscope.data` that finds it."""
    file = root / "scan.bin"
    file.write_bytes(b"scan")

    def locate(name: str, download: bool = True) -> Path | None:
        if name == "specimen":
            return None
        if not file.is_file():
            raise ReaderError(f"no data '{name}'")
        return file

    data = ModuleType("liscope.data")
    data.locate = locate  # type: ignore[attr-defined]
    data.files_of = files_of  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "liscope.data", data)
    monkeypatch.setattr("liscope.data", data, raising=False)
    return file


@pytest.fixture
def ran(scan: Path) -> Iterator[Project]:
    """A project whose one sample is up to date."""
    project = Project(make(scan.parent, model="ToyWithData", **LIGHT))
    assert one(project) == ("missing", "")
    go(project)
    assert one(project) == ("fresh", "")
    yield project


def go(project: Project) -> Path:
    workflow = project.workflow("toy")
    parameters = load_parameters(workflow.model, workflow.samples[0], [])
    return run(project, workflow, parameters, "first").folder


def one(project: Project) -> tuple[str, str]:
    (found,) = status(project)
    assert (found.workflow, found.sample) == ("toy", "first")
    return found.state, found.why


def test_status_says_what_has_changed(ran: Project) -> None:
    root = ran.root
    (root / "params/toy/first.yaml").write_text("sample: first\nbias: 3 V\ncount: 7\n")
    why = "run with other parameters only: parameter bias 2.0 -> 3.0"
    assert one(ran) == ("stale", why)
    (root / "params/toy/first.yaml").write_text("sample: first\nbias: 2\ncount: 7\n")
    assert one(ran) == ("fresh", "")

    (root / "requirements.lock").write_text("numpy==2.4.6\n")
    assert one(ran) == ("stale", "locked packages changed")
    (root / "requirements.lock").unlink()

    (root / "scan.bin").write_bytes(b"another")
    assert one(ran) == ("stale", "input changed: scan")
    (root / "scan.bin").write_bytes(b"scan")

    prose = json.loads((root / "notebooks/toy.ipynb").read_text())
    prose["cells"][0]["source"] = "other words"
    prose["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x"}]
    (root / "notebooks/toy.ipynb").write_text(json.dumps(prose))
    assert one(ran) == ("fresh", ""), "words and outputs change no result"

    make(root, model="ToyWithData", **(LIGHT | {"work": "total = 2"}))
    (root / "requirements.lock").write_text("numpy==2.4.6\n")
    assert one(ran) == ("stale", "notebook changed; locked packages changed")


def test_status_names_the_files_of_the_library(
    ran: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(Path(liscope.__file__).parent, tmp_path / "elsewhere")
    monkeypatch.setattr(liscope, "__file__", str(copy / "__init__.py"))
    assert one(ran) == ("fresh", ""), "the place of the library does not matter"
    (copy / "units.py").write_text("changed = True\n")
    (copy / "errors.py").unlink()
    assert one(ran) == ("stale", "library changed: errors.py, units.py")


def test_status_of_failed_refused_and_missing_data(ran: Project) -> None:
    root = ran.root
    make(root, model="ToyWithData", **(LIGHT | {"work": "1 / 0"}))
    with pytest.raises(RunError):
        go(ran)
    state, why = one(ran)
    assert state == "failed" and (root / why.removeprefix("see ")).is_file()
    (root / "params/toy/first.yaml").write_text("sample: first\nbias: 20\n")
    state, why = one(ran)
    assert state == "refused" and why.startswith("bias (first.yaml, line 2): got 20")
    (root / "params/toy/first.yaml").write_text("sample: first\n")
    (root / "scan.bin").unlink()
    assert one(ran) == ("missing", "scan: no data 'scan'")


def test_the_record_names_inputs(ran: Project) -> None:
    (folder,) = toy_project.shown_folders(ran.root)
    (entry,) = json.loads((folder / "record.json").read_text())["inputs"]
    assert (entry["name"], entry["bytes"]) == ("scan", 4)
    assert entry["sha256"] == hashlib.sha256(b"scan").hexdigest()


def test_projects_without_workflows_or_none_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "params").mkdir()
    (tmp_path / "notebooks/deep").mkdir()
    (tmp_path / "notebooks/plain.ipynb").write_text('{"cells": [], "metadata": {}}')
    monkeypatch.chdir(tmp_path / "notebooks/deep")
    assert Project.here().root == tmp_path
    assert list(status(Project.here())) == []
    with pytest.raises(LiscopeError, match="toy: no such workflow"):
        Project.here().workflow("toy")
    (tmp_path / "notebooks/plain.ipynb").write_text("{")
    with pytest.raises(LiscopeError, match=r"plain\.ipynb: cannot be read"):
        Project.here().workflows()


@pytest.mark.parametrize(
    ("name", "missing"), [("specimen", False), ("scan", False), ("missing", True)]
)
def test_which_samples_lack_their_data(ran: Project, name: str, missing: bool) -> None:
    if name == "missing":
        (ran.root / "scan.bin").unlink()
    why = missing_input(ran.workflow("toy").model.check({"scan": name}))
    assert why == ("scan: no data 'missing'" if missing else "")


def test_a_measurement_that_is_a_folder_counts_with_all_its_files(
    scan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = scan.parent / "spot (1)"
    folder.mkdir()
    for peak in ("Li+", "total"):
        (folder / f"spot (1) - {peak}.txt").write_text(peak)
    sys.modules["liscope.data"].locate = lambda name, download=True: folder  # type: ignore[attr-defined]
    project = Project(make(scan.parent, model="ToyWithData", **LIGHT))
    go(project)
    assert one(project) == ("fresh", "")
    (folder / "spot (1) - Li+.txt").write_text("Li2")
    assert one(project) == ("stale", "input changed: scan")
    (folder / "spot (1) - Li+.txt").write_text("Li+")
    (folder / "spot (1) - Na+.txt").write_text("Na+")
    assert one(project)[0] == "stale"


def test_a_sample_with_trials_only_says_so(light: Project) -> None:
    make_run(light, **(FIRST | {"bias": 3.0}))
    make_run(light, **(FIRST | {"bias": 3.0, "count": 9}))
    assert one(light) == (
        "stale",
        "run with other parameters only: parameter bias 3.0 -> 2.0",
    )
    make_run(light, key="aaaaaaaaaaaa", **FIRST)
    assert one(light) == ("stale", "notebook changed")
    (folder,) = (light.root / "results/toy").glob("first-aaaa*")
    (folder / "record.json").write_text("{")
    state, why = one(light)
    assert state == "stale" and why.startswith("the record in first-aaaaaaaaaaaa is damaged")
    make_run(light, **FIRST)
    assert one(light) == ("fresh", "")


def test_what_results_hold(light: Project) -> None:
    assert usage(light) == []
    run = make_run(light, **FIRST)
    make_run(light, **(FIRST | {"bias": 3.0}))
    (run / "figures").mkdir()
    (run / "figures/large.png").write_bytes(bytes(25_000_000))
    (run / "figures/link.png").symlink_to("/dev/zero")
    run.with_name("first-0123456789ab.failed.ipynb").write_text("{}")
    scratch = light.root / "results/scratch"
    scratch.mkdir()
    for name in ("a.ipynb", "b.ipynb", ".hidden.ipynb"):
        (scratch / name).write_text("{}")
    make_batch(light, "biases", run, done=1, done_before=189, failed=10)
    make_batch(light, "begun")
    assert usage(light) == [
        "batch begun: nothing yet",
        "batch biases: 190 done, 10 failed",
        "results/ takes 25 MB: toy 25 MB in 2 runs, 1 failed notebook, 2 scratch notebooks",
    ]
