from __future__ import annotations

import json
from pathlib import Path

import pytest
from toy_project import LIGHT, make

from liscope import progress
from liscope.progress import track
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
