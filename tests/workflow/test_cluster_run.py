"""A notebook whose computation goes to worker processes, and what its record says of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import pytest
from toy_project import LIGHT, make, results_of

from liscope import cluster_kinds as kinds
from liscope import progress
from liscope.cluster import Compute, connect, started
from liscope.progress import watch
from liscope.workflow.project import Project
from liscope.workflow.run import run

SUM = """import os
import time

import dask

from liscope import progress
from liscope.cluster import connect

where = connect()
bias = p.bias  # workers know the library, not the model of a toy
progress.QUIET = 0


@dask.delayed
def term(i):
    time.sleep(0.05)
    return bias * i, os.getpid()


with progress.watch("terms"):
    terms = dask.compute(*[term(i) for i in range(20)])[:]
total = sum(value for value, _ in terms)
elsewhere = os.getpid() not in {process for _, process in terms}"""
TELL = {
    **LIGHT,
    "work": SUM,
    "deliver": "from liscope.workflow.deliver import deliver\n\n"
    "deliver(p, summary={'total_V': total})\nwhere, elsewhere",
}


@pytest.fixture(scope="module")
def two() -> Iterator[Compute]:
    """Two worker processes."""
    with started("local", 2) as compute:
        yield compute


def test_a_run_computes_on_workers_and_says_so(
    root: Path, two: Compute, capfd: pytest.CaptureFixture[str]
) -> None:
    project = Project(make(root, **TELL))
    workflow = project.workflow("toy")
    checked = workflow.model.check({})

    def once(compute: Compute, shown: bool = False) -> tuple[dict[str, Any], dict[str, bytes], str]:
        result = run(
            project, workflow, checked, "specimen", force=True, progress=shown, compute=compute
        )
        record = json.loads((result.folder / "record.json").read_text())
        files = results_of(result.folder)
        return record, files, files.pop("notebook.ipynb").decode()

    record, there, notebook = once(two, shown=True)
    assert record["compute"] == dict(two.record) and record["compute"]["workers"] == 2
    assert "('2 worker processes', True)" in notebook
    assert two.environment["DASK_SCHEDULER_ADDRESS"] not in json.dumps(record) + notebook
    errors = capfd.readouterr().err
    assert "terms" in errors and "/20 [" in errors  # counted on the scheduler, shown here
    with started("none") as alone:
        record_alone, here, notebook = once(alone)
    assert "('one thread of this process', False)" in notebook
    assert record_alone["compute"]["kind"] == "none"
    assert here == there and record_alone["key"] == record["key"]


def test_tasks_on_a_cluster_are_counted(
    two: Compute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LISCOPE_RUN", str(tmp_path))
    monkeypatch.setattr(progress, "QUIET", 0.0)
    monkeypatch.setattr(progress, "_EVERY", 0.01)
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(progress, "_note", lambda _, note: seen.append(note))
    for name, value in two.environment.items():
        monkeypatch.setenv(name, value)
    connect()
    client = kinds.default()
    assert client is not None
    # a chain, so that only one task wants to be done at a time
    chain = dask.delayed(0)
    for _ in range(12):
        chain = dask.delayed(lambda value: time.sleep(0.1) or value + 1)(chain)
    with client, watch("steps"):
        assert chain.compute(optimize_graph=False) == 12
    assert {(note["label"], note["total"]) for note in seen} == {("steps", 13)}
    done = [note["done"] for note in seen]
    assert done == sorted(done) and done[0] <= 2 and done[-1] >= 10
    assert list(tmp_path.iterdir()) == []


def test_a_task_that_fails_on_a_cluster_leaves_no_note(
    two: Compute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LISCOPE_RUN", str(tmp_path))
    monkeypatch.setattr(progress, "QUIET", 0.0)
    for name, value in two.environment.items():
        monkeypatch.setenv(name, value)
    connect()
    client = kinds.default()
    assert client is not None
    with client, pytest.raises(ZeroDivisionError), watch("quotients"):
        dask.compute(*[dask.delayed(divmod)(1, i) for i in (1, 0, 2)])
    assert list(tmp_path.iterdir()) == []
