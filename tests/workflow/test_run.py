from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest
import toy_project
from toy_project import command, complete, make, results_of, shown_folders

from liscope.data import files_of
from liscope.errors import ParameterError, ReaderError, RunError
from liscope.workflow.keys import components
from liscope.workflow.parameters import Parameters
from liscope.workflow.project import Project
from liscope.workflow.run import RunResult, run

AWKWARD = "'single' \"double\" back\\slash\nline é \u2028 {braces} %s # hash"


def go(project: Project, values: dict[str, object] | None = None, force: bool = False) -> RunResult:
    workflow = project.workflow("toy")
    parameters: Parameters = workflow.model.check({"sample": "one", **(values or {})})
    return run(project, workflow, parameters, "one", force=force)


def failure(root: Path, **cells: str) -> tuple[str, list[Path]]:
    """Return the message of a run that fails, and the files it leaves."""
    project = Project(make(root, **(toy_project.LIGHT | cells)))
    with pytest.raises(RunError) as caught:
        go(project)
    assert "\x1b" not in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value), sorted((root / "results/toy").glob("[!.]*"))


def test_a_run_keeps_all_that_was_delivered(done: Path) -> None:
    (folder,) = shown_folders(done)
    assert complete(folder)
    assert {path.name for path in folder.rglob("*") if path.is_file()} == {
        *("notebook.ipynb", "index.html", "record.json", "summary.json", "thumbnail.jpg"),
        *("growth.png", "growth.svg", "captions.json", "terms.csv", "terms.nc"),
    }
    summary = json.loads((folder / "summary.json").read_text())
    assert summary == {"cut": True, "note": "", "total_V": 42.0, "undefined": None}
    table = (folder / "tables/terms.csv").read_text()
    assert table == "term,value\n" + "".join(f"{i},{2 * i}\n" for i in range(7))


def test_the_record_says_what_the_run_was_made_of(done: Path) -> None:
    (folder,) = shown_folders(done)
    record = json.loads((folder / "record.json").read_text())
    assert folder.name == f"first-{record['key']}"
    assert record["parameters"]["bias"] == record["components"]["parameters"]["bias"] == 2.0
    assert "workflow/run.py" in record["components"]["library"]
    assert {"numpy", "papermill", "liscope"} <= record["packages"].keys()
    assert 20 < record["peak_memory_MiB"] < 2000
    assert 0.5 < record["seconds"] < 120
    assert record["started"] < record["ended"]


def test_no_file_of_a_run_names_this_machine(done: Path) -> None:
    (folder,) = shown_folders(done)
    here = [str(done), str(Path(sys.prefix)), str(Path(toy_project.__file__).parents[2])]
    for path in [*folder.rglob("*"), done / "results/index.html"]:
        if path.is_file():
            content = path.read_bytes()
            assert not [name for name in here if name.encode() in content], path


def test_values_reach_the_notebook_as_they_are(light: Project) -> None:
    result = go(light, {"note": AWKWARD, "bias": "500 mV"})
    summary = json.loads((result.folder / "summary.json").read_text())
    assert summary == {"note": AWKWARD, "total_V": 22.5}


def test_a_run_is_not_redone_unless_forced(light: Project) -> None:
    first = go(light)
    before = (first.folder / "record.json").read_bytes()
    again = go(light)
    assert again.fresh and not first.fresh and again.folder == first.folder
    assert (first.folder / "record.json").read_bytes() == before
    forced = go(light, force=True)
    assert not forced.fresh and forced.folder == first.folder and complete(forced.folder)
    assert (first.folder / "record.json").read_bytes() != before
    assert not list(light.results("toy").glob(".[!l]*")), "something was left behind"


def test_the_same_run_gives_the_same_bytes(done: Path, tmp_path: Path) -> None:
    other = shutil.copytree(done, tmp_path / "other", ignore=shutil.ignore_patterns("results"))
    forced = command(other, "run", "toy", "-f", "params/toy/first.yaml", "--force")
    assert forced.returncode == 0, forced.stderr
    (ours,), (theirs,) = shown_folders(done), shown_folders(other)
    assert results_of(ours) == results_of(theirs)
    assert len(results_of(ours)) == 7


def test_a_failing_cell_is_named_and_the_notebook_kept(root: Path) -> None:
    message, left = failure(root, work="total = 1\n1 / 0", figure="print('unreached')")
    assert "toy one: code cell 4 of 6 ('total = 1'): ZeroDivisionError: division by zero" in message
    assert "at the cell, line 2: 1 / 0" in message
    assert [path.name[:4] + path.name[16:] for path in left] == ["one-.failed.ipynb"]
    kept = json.loads(left[0].read_text())
    assert "".join(kept["cells"][-1]["source"]) == "total = 1\n1 / 0"
    assert str(left[0].relative_to(root)) in message
    assert str(root) not in left[0].read_text() and sys.prefix not in left[0].read_text()


def test_an_error_for_persons_is_told_without_code(root: Path) -> None:
    message, _ = failure(root, work="from liscope.units import factor\nfactor('nm', 'V')")
    assert message.startswith("toy one: cannot convert 'nm' to 'V'")
    assert "units.py" not in message and "DataError" not in message


def test_any_other_error_inside_the_library_names_the_library_line(root: Path) -> None:
    message, _ = failure(root, work="from liscope.units import factor\nfactor()")
    assert "TypeError: factor() missing" in message


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os\nprint('before', flush=True)\nos._exit(137)", "the kernel died"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "the kernel died"),
        ("import sys\nsys.exit(0)", "it ended the notebook early"),
        ("raise SystemExit", "it ended the notebook early"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_no_early_end_passes_for_success(root: Path, code: str, reason: str) -> None:
    message, left = failure(root, work=code)
    assert reason in message
    assert [path.name[16:] for path in left] == [".failed.ipynb"]


def test_a_notebook_must_deliver_and_only_once(root: Path) -> None:
    assert "without a call of deliver()" in failure(root, deliver="1 + 1")[0]
    twice = "from liscope.workflow.deliver import deliver\ndeliver(p)\ndeliver(p)"
    assert "deliver was called twice" in failure(root, deliver=twice)[0]


def test_an_early_end_after_deliver_is_a_failure_too(root: Path) -> None:
    ending = toy_project.LIGHT["deliver"] + "\nimport sys\nsys.exit(0)"
    assert "it ended the notebook early" in failure(root, deliver=ending)[0]


def test_a_failure_leaves_earlier_runs_alone_and_is_forgotten_after_success(light: Project) -> None:
    good = go(light)
    before = results_of(good.folder)
    broken = "import os\nif os.environ.get('BREAK'): raise ValueError\ntotal = 1"
    make(light.root, **(toy_project.LIGHT | {"work": broken}))
    with pytest.MonkeyPatch.context() as patch, pytest.raises(RunError, match="ValueError"):
        patch.setenv("BREAK", "1")
        go(light)
    assert results_of(good.folder) == before and complete(good.folder)
    assert list(light.results("toy").glob("*.failed.ipynb"))
    fixed = go(light)
    assert complete(fixed.folder) and fixed.folder != good.folder
    assert not list(light.results("toy").glob("*.failed.ipynb"))


def test_the_notebook_runs_in_the_project_and_the_caller_stays_where_it_is(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    deliver = toy_project.LIGHT["deliver"].replace("p.note", "str(sorted(os.listdir()))")
    project = Project(make(root, **(toy_project.LIGHT | {"deliver": f"import os\n{deliver}"})))
    summary = json.loads((go(project).folder / "summary.json").read_text())
    assert summary["note"] == "['model', 'notebooks', 'params', 'results']"
    assert Path.cwd() == tmp_path


def test_missing_data_is_refused_before_a_kernel_starts(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locate(name: str, download: bool = True) -> Path | None:
        raise ReaderError(f"no data '{name}'")

    data = ModuleType("liscope.data")
    data.locate = locate  # type: ignore[attr-defined]
    data.files_of = files_of  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "liscope.data", data)
    monkeypatch.setattr("liscope.data", data, raising=False)
    project = Project(make(root, model="ToyWithData", **toy_project.LIGHT))
    with pytest.raises(ParameterError, match="scan: no data 'scan'"):
        go(project)
    assert not project.results("toy").exists()


def test_what_lies_deep_in_a_folder_of_data_is_in_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make(tmp_path / "toy", model="ToyWithData")
    chunk = root / "scan.zspy" / "data" / "0.0"
    chunk.parent.mkdir(parents=True)
    monkeypatch.chdir(root)
    monkeypatch.syspath_prepend(root / "model")
    workflow = Project.here().workflow("toy")
    keys = set()
    for content in ("one", "two"):
        chunk.write_text(content)
        parameters = workflow.model.check({"scan": "scan.zspy"})
        keys.add(components(Project(root), workflow, parameters).key)
    assert len(keys) == 2
