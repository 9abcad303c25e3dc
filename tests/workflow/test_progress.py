from __future__ import annotations

import json
from pathlib import Path

import dask
import pytest
from toy_project import LIGHT, make

from liscope import progress
from liscope.progress import track, watch
from liscope.workflow.project import Project
from liscope.workflow.run import run

SLOW = """import time

from liscope import progress

progress.QUIET = 0
for _ in progress.track(range(8), "slow sums"):
    time.sleep(0.15)
total = 1"""


def test_items_pass_and_notes_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISCOPE_RUN", str(tmp_path))
    monkeypatch.setattr(progress, "QUIET", 0.0)
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    note = tmp_path / ".progress"
    for item in track([10, 11, 12], "counting"):
        found = json.loads(note.read_text())
        assert found == {"label": "counting", "done": item - 10, "total": 3}
    assert list(tmp_path.iterdir()) == []
    broken = track(iter("ab"), "broken")
    assert next(broken) == "a" and json.loads(note.read_text())["total"] is None
    del broken
    assert not note.exists()


def test_short_work_is_silent_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LISCOPE_RUN", raising=False)
    assert list(track(range(3), "silent")) == [0, 1, 2]
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert list(track(range(3), "silent")) == [0, 1, 2]
    monkeypatch.setenv("LISCOPE_RUN", str(tmp_path))
    assert list(track(range(3), "silent")) == [0, 1, 2]
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shown", [True, False])
def test_a_run_shows_cells_and_the_library_s_progress(
    root: Path, capfd: pytest.CaptureFixture[str], shown: bool
) -> None:
    project = Project(make(root, **(LIGHT | {"work": SLOW})))
    workflow = project.workflow("toy")
    run(project, workflow, workflow.model.check({}), "specimen", progress=shown)
    output, errors = capfd.readouterr()
    assert output == ""
    assert ("toy specimen" in errors) == shown
    assert ("slow sums" in errors and "/8 [" in errors) == shown
    assert shown or errors == ""


def test_tasks_of_dask_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISCOPE_RUN", str(tmp_path))
    monkeypatch.setattr(progress, "QUIET", 0.0)
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    note, seen = tmp_path / ".progress", []

    def task(number: int) -> int:
        seen.append(json.loads(note.read_text()))
        return number**2

    work = [dask.delayed(task)(i) for i in range(5)]
    with watch("squares"):
        assert dask.compute(*work, scheduler="sync") == (0, 1, 4, 9, 16)
        assert not note.exists()  # one computation is over, another may follow
        assert dask.compute(work[3], scheduler="sync") == (9,)
    first, last = seen[:5], seen[5]
    assert {one["label"] for one in seen} == {"squares"}
    assert [one["done"] for one in first] == [0, 1, 2, 3, 4]
    assert len({one["total"] for one in first}) == 1 and first[0]["total"] >= 5 > last["total"]
    assert last["done"] == 0
    assert dask.compute(dask.delayed(int)(1), scheduler="sync") == (1,)  # no longer watched
    assert list(tmp_path.iterdir()) == []


def test_a_task_that_fails_leaves_no_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISCOPE_RUN", str(tmp_path))
    monkeypatch.setattr(progress, "QUIET", 0.0)
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    work = [dask.delayed(divmod)(1, i) for i in (1, 0, 2)]
    with pytest.raises(ZeroDivisionError), watch("quotients"):
        dask.compute(*work, scheduler="sync")
    assert list(tmp_path.iterdir()) == []
