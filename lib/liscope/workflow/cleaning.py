"""Selects what can be removed from ``results/``: runs, failed notebooks, scratch copies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from liscope.errors import LiscopeError, ParameterError
from liscope.workflow.inventory import (
    Run,
    batch_runs,
    best_of,
    by_sample,
    failed_notebooks,
    finished_runs,
    sample_parameters,
    scratch_copies,
    size_of,
)
from liscope.workflow.keys import components, surroundings
from liscope.workflow.ledger import shared_runs
from liscope.workflow.parameters import short
from liscope.workflow.project import Project
from liscope.workflow.record import now

_AGE = re.compile(r"([0-9]{1,5})\s*([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}


@dataclass(frozen=True)
class Wanted:
    """What is to go; the parts add up.

    ``thorough`` takes runs as well that stand for their sample, or that a batch's page shows.
    """

    older_than: timedelta | None = None
    stale: bool = False
    failed: bool = False
    scratch: bool = False
    thorough: bool = False


@dataclass(frozen=True)
class Item:
    """A run's folder or a notebook that would go, with the number of its place on the disk."""

    path: Path
    why: str
    age: timedelta
    size: int
    place: int

    @property
    def name(self) -> str:
        """Where it lies below ``results/``."""
        return f"{self.path.parent.name}/{self.path.name}"


def age_of(text: str) -> timedelta:
    """Return the time that a text such as "30d", "12h" or "8w" means.

    Raises
    ------
    ParameterError
        If it means none.
    """
    match = _AGE.fullmatch(text.strip())
    if not match:
        raise ParameterError(f"--older-than: got {short(text)}; right is such as 12h, 30d or 8w")
    return timedelta(hours=int(match[1]) * _HOURS[match[2]])


def select(project: Project, wanted: Wanted) -> tuple[list[Item], list[str]]:
    """Return what would go, and for each run that stays although it was meant, the reason.

    A run that a supplement refers to always stays.

    Raises
    ------
    RunError
        If it cannot be read which runs the supplements refer to or, unless ``thorough``, which
        runs the pages of the batches show.
    """
    results = project.root / "results"
    shared = {run: name for name, runs in shared_runs(project).items() for run in runs}
    shown = {} if wanted.thorough else batch_runs(results)
    items: list[Item] = []
    kept: list[str] = []
    for run, why, stands in _meant(project, wanted):
        if run.name in shared:
            kept.append(f"in the supplement {shared[run.name]}")
        elif run.name in shown:
            kept.append(f"on the page of the batch {shown[run.name]} (unless --thorough)")
        elif stands and not wanted.thorough:
            kept.append("standing for a sample (unless --thorough)")
        else:
            items.append(_item(run.folder, why, _age(run)))
    for paths, kind, chosen in (
        (failed_notebooks(results), "failed", wanted.failed),
        (scratch_copies(results), "scratch copy", wanted.scratch),
    ):
        items += _notebooks(paths, kind, chosen, wanted.older_than)
    return items, kept


def _meant(project: Project, wanted: Wanted) -> Iterator[tuple[Run, str, bool]]:
    """Yield each run that is meant, why, and whether it stands for its sample."""
    files = sample_parameters(project)
    stale = _Stale(project) if wanted.stale else None
    for sample, same in by_sample(finished_runs(project.root / "results")):
        best = best_of(same, files.get(sample))
        # Where nothing newer is there, what is stale is the last that is known of the sample.
        rerun = stale is not None and (wanted.thorough or best not in stale)
        for run in same:
            if run.folder.is_symlink() or run.folder.parent.is_symlink():
                continue
            if wanted.older_than is not None and _age(run) > wanted.older_than:
                yield run, "old", run is best
            elif stale is not None and (rerun or run is best) and run in stale:
                yield run, "stale", run is best


class _Stale:
    """Holds the runs whose parameters would give another key now."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._workflows = {workflow.name: workflow for workflow in project.workflows()}
        self._around = {
            name: surroundings(project, workflow) for name, workflow in self._workflows.items()
        }

    def __contains__(self, run: Run) -> bool:
        name = run.record["workflow"]
        if name not in self._workflows:
            return False  # its notebook is gone, so that nobody can run it again
        workflow, around = self._workflows[name], self._around[name]
        try:
            parameters = workflow.model.check(run.parameters)
            parts = components(self._project, workflow, parameters, False, around)
        except LiscopeError:
            return False  # its data or its parameters are of the past: the same
        return bool(run.record["key"] != parts.key)


def _notebooks(
    paths: Sequence[Path], kind: str, chosen: bool, older_than: timedelta | None
) -> Iterator[Item]:
    for path in paths:
        if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
            continue
        age = now() - _written(path)
        if chosen or (older_than is not None and age > older_than):
            yield _item(path, kind, age)


def _item(path: Path, why: str, age: timedelta) -> Item:
    return Item(path, why, age, size_of(path), path.lstat().st_ino)


def _age(run: Run) -> timedelta:
    """Return the time since a run ended."""
    try:
        return now() - datetime.fromisoformat(run.record["ended"])
    except (ValueError, TypeError):  # no time, or none with its zone
        return now() - _written(run.folder)


def _written(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
