"""Which runs the supplements that were written refer to, so that nobody removes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from liscope.errors import RunError
from liscope.workflow.folders import write_whole
from liscope.workflow.project import Project

LEDGER = ".shared.json"


def shared_runs(project: Project) -> dict[str, list[str]]:
    """Return the runs in each supplement: by its file name, as "workflow/sample-key".

    Raises
    ------
    RunError
        If the file that says so is damaged: then nothing that may be shared should be removed.
    """
    file = _ledger(project)
    if not file.exists():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if all(isinstance(run, str) for runs in found.values() for run in runs):
            return {str(name): list(runs) for name, runs in found.items()}
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        pass
    raise RunError(f"results/{LEDGER} is damaged: remove it and share the supplements again")


def remember(project: Project, supplement: str, runs: Sequence[str]) -> None:
    """Note the runs of a supplement; those of one of the same name stay.

    Raises
    ------
    RunError
        If the file with earlier notes is damaged.
    """
    from filelock import FileLock  # here, as in `overview`

    file = _ledger(project)
    file.parent.mkdir(exist_ok=True)
    with FileLock(file.parent / ".lock"):
        earlier = shared_runs(project)
        noted = earlier | {supplement: sorted({*earlier.get(supplement, []), *runs})}
        write_whole(file, json.dumps(noted, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def _ledger(project: Project) -> Path:
    return project.root / "results" / LEDGER
