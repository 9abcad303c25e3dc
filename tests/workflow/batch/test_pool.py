"""A pool ends, whatever a run or what shows it does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from liscope.workflow.batch import pool
from liscope.workflow.batch.pool import Outcome, run_all
from liscope.workflow.project import Project


class Silent:
    def ended(self, outcome: Outcome) -> None:
        pass

    def running(self, labels: Sequence[str]) -> None:
        pass


class Broken(Silent):
    def ended(self, outcome: Outcome) -> None:
        raise BrokenPipeError("nobody reads")


def plan(count: int) -> Any:
    jobs = [
        SimpleNamespace(parameters=None, label=f"run {i}", key="", done=False, sample=f"s{i}")
        for i in range(count)
    ]
    return SimpleNamespace(jobs=jobs, workflow=SimpleNamespace(name="toy"))


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    begun: list[str] = []

    def run(project: object, workflow: object, parameters: object, sample: str, **_: object) -> Any:
        begun.append(sample)
        if sample == "s1":
            raise asyncio.CancelledError
        return SimpleNamespace(folder=Path(sample), key="")

    monkeypatch.setattr(pool, "run", run)
    return begun


def test_a_run_that_is_cancelled_is_a_failed_one(begun: list[str], tmp_path: Path) -> None:
    outcomes, stopped = run_all(Project(tmp_path), plan(3), 1, None, Silent())  # type: ignore[arg-type]
    assert [one.state for one in outcomes] == ["done", "failed", "done"] and not stopped
    assert "CancelledError" in outcomes[1].error


def test_no_further_run_begins_where_nobody_reads(
    begun: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = pool.run

    def run(*arguments: Any, **options: Any) -> Any:
        import time

        time.sleep(0.2)
        return slow(*arguments, **options)

    monkeypatch.setattr(pool, "run", run)
    with pytest.raises(BrokenPipeError):
        run_all(Project(tmp_path), plan(30), 1, None, Broken())  # type: ignore[arg-type]
    assert len(begun) < 5
