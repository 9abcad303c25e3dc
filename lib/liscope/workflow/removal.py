"""Removes what was selected from ``results/``, and nothing else.

What goes is renamed first, under the guard of its folder, so that a run is there whole or not at
all however the process ends; what a killed process has left under its new name goes next time.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from liscope.workflow.cleaning import Item
from liscope.workflow.inventory import rooms
from liscope.workflow.ledger import shared_runs
from liscope.workflow.project import SCRATCH, Project

_GONE = ".gone-"


def remove(project: Project, items: Sequence[Item]) -> list[str]:
    """Remove what was selected, and return a line for each thing that could not be removed.

    Raises
    ------
    RunError
        If it cannot be read which runs the supplements refer to.
    """
    _finish(project.root / "results")
    shared = {run for runs in shared_runs(project).values() for run in runs}
    faults = []
    for item in items:
        if item.name in shared:  # since it was selected
            continue
        try:
            _take_away(item)
        except OSError as error:
            faults.append(f"{item.name}: not removed ({error.strerror or error})")
    return faults


def _finish(results: Path) -> None:
    """Remove what an earlier call, killed half-way, has renamed already."""
    for room in (*rooms(results), results / SCRATCH):
        for gone in () if room.is_symlink() else room.glob(f"{_GONE}*"):
            with suppress(OSError):
                _delete(gone)


def _take_away(item: Item) -> None:
    room = item.path.parent
    gone = room / f"{_GONE}{secrets.token_hex(4)}"
    with FileLock(room / ".lock"), suppress(FileNotFoundError):  # removed since it was selected
        if item.path.lstat().st_ino != item.place:
            return  # another run has taken its place
        item.path.rename(gone)
    _delete(gone)
    checkpoint = room / ".ipynb_checkpoints" / f"{item.path.stem}-checkpoint.ipynb"
    if not checkpoint.parent.is_symlink():
        checkpoint.unlink(missing_ok=True)  # JupyterLab's copy of a notebook


def _delete(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    for folder, _, _ in os.walk(path):  # what is read-only could not be emptied
        with suppress(FileNotFoundError):
            Path(folder).chmod(0o700)
    while path.exists():
        with suppress(FileNotFoundError):  # another clean deletes it as well
            shutil.rmtree(path)
