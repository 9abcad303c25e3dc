"""What a sweep leaves behind: ``results/batches/<name of the sweep file>/``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from liscope.errors import RunError
from liscope.workflow.batch.comparison import comparison_notebook
from liscope.workflow.batch.gallery import gallery
from liscope.workflow.batch.plan import Plan
from liscope.workflow.batch.pool import Outcome
from liscope.workflow.batch.table import Table
from liscope.workflow.folders import clear_half_written, write_whole
from liscope.workflow.project import BATCHES, Project
from liscope.workflow.record import RECORD, code_version, now

_NOTEBOOK = "comparison.ipynb"


@contextmanager
def batch_folder(project: Project, name: str) -> Iterator[Path]:
    """Hold the folder of a sweep while it runs.

    Raises
    ------
    RunError
        If another process is running the sweep.
    """
    folder = project.results(BATCHES) / name
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            clear_half_written(folder)
            yield folder
    except Timeout:
        raise RunError(f"the sweep {name} is running already; wait for it, or stop it") from None


def write_batch(
    folder: Path, plan: Plan, outcomes: Sequence[Outcome], started: datetime, jobs: int
) -> None:
    """Write table, page, notebook, the sweep itself and a record, each of them whole.

    A notebook that was changed by hand stays as it is. Only the record depends on time.
    """
    table = Table(plan.workflow.name, outcomes)
    write_whole(folder / "table.csv", table.csv())
    write_whole(folder / "sweep.yaml", plan.text)
    write_whole(folder / "index.html", gallery(plan, outcomes))
    notebook = comparison_notebook(table, plan)
    if _is_ours(folder):
        write_whole(folder / _NOTEBOOK, notebook)
        written = _hash(notebook)
    else:
        written = _written(folder)
    record = _record(plan, outcomes, started, jobs) | {"comparison": written}
    write_whole(folder / RECORD, json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def _record(
    plan: Plan, outcomes: Sequence[Outcome], started: datetime, jobs: int
) -> dict[str, Any]:
    ended = now()
    states = [outcome.state for outcome in outcomes]
    before = sum(job.done for job in plan.jobs)
    return {
        "sweep": plan.name,
        "workflow": plan.workflow.name,
        "started": started.isoformat(timespec="milliseconds"),
        "ended": ended.isoformat(timespec="milliseconds"),
        "seconds": round((ended - started).total_seconds(), 2),
        "runs": len(states),
        "done_before": before,
        "done": states.count("done") - before,
        "failed": states.count("failed"),
        "not_run": states.count("not run"),
        "at_a_time": jobs,
        "code": code_version(),
    }


def _is_ours(folder: Path) -> bool:
    """Tell whether the notebook is not there, or as it was written."""
    file = folder / _NOTEBOOK
    return not file.is_file() or _hash(file.read_text(encoding="utf-8")) == _written(folder)


def _written(folder: Path) -> str:
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return str(record["comparison"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
