"""Which runs go into a supplement: those whose code, data and results are still as they were."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from liscope.errors import LiscopeError, ParameterError, RunError
from liscope.workflow.folders import name_of
from liscope.workflow.inventory import table_runs
from liscope.workflow.keys import components, differences
from liscope.workflow.parameters import Parameters, short
from liscope.workflow.params_file import load_parameters
from liscope.workflow.project import BATCHES, Project, Workflow
from liscope.workflow.record import RECORD, altered, read_record
from liscope.workflow.share.names import WORKFLOW


@dataclass(frozen=True)
class SharedRun:
    """A finished run, unaltered and up to date."""

    workflow: Workflow
    folder: Path
    record: dict[str, Any]
    parameters: Parameters

    @property
    def name(self) -> str:
        """Workflow, sample and key, as below ``results/``."""
        return f"{self.workflow.name}/{self.folder.name}"


@dataclass
class Selection:
    """Runs by name, the batches that they were chosen by, and what was left out and why."""

    runs: dict[str, SharedRun] = field(default_factory=dict)
    batches: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def select(project: Project, names: Sequence[str], everything: bool = False) -> Selection:
    """Return the runs that are named: by their folder, their batch, or their workflow.

    Of a workflow, the run of each parameter file that is up to date.

    Raises
    ------
    ParameterError
        If there is no such run, or it is altered or not up to date any more.
    """
    selection = Selection()
    known = {workflow.name: workflow for workflow in project.workflows()}
    for name in known if everything else names:
        if name in known:
            _add(selection, _up_to_date(project, known[name], selection.left_out))
            continue
        folder = _folder(project, name, known)
        if folder.parent.name == BATCHES:
            selection.batches.append(folder)
            _add(selection, (_run(project, run) for run in _of_batch(project, folder, known)))
        else:
            _add(selection, [_run(project, folder)])
    if not selection.runs:
        reasons = "; ".join(selection.left_out)
        raise ParameterError(f"nothing to share{f': {reasons}' if reasons else ''}; run it first")
    return selection


def _add(selection: Selection, runs: Iterable[SharedRun]) -> None:
    selection.runs |= {run.name: run for run in runs}


def _folder(project: Project, name: str, known: Iterable[str]) -> Path:
    """Return a folder two levels below ``results/``, from a path as a shell gives it."""
    folder = Path(name).resolve()
    if folder.parent.parent != (project.root / "results").resolve() or not folder.is_dir():
        raise ParameterError(
            f"{short(name, quoted=False)}: neither the folder of a run in results/ "
            f"nor a workflow ({', '.join(known)})"
        )
    return folder


def _up_to_date(project: Project, workflow: Workflow, left_out: list[str]) -> Iterator[SharedRun]:
    """Yield the run of each parameter file; note those that have none."""
    for file in workflow.samples:
        try:
            parameters = load_parameters(workflow.model, file, [])
            key = components(project, workflow, parameters, download=False).key
            folder = project.results(workflow.name) / name_of(parameters.sample, key)
            if not (folder / RECORD).is_file():
                raise RunError("has no run that is up to date")
            yield _run(project, folder)
        except LiscopeError as error:
            left_out.append(f"{workflow.name} {file.stem}: {str(error).splitlines()[0]}")


def _of_batch(project: Project, folder: Path, known: Iterable[str]) -> Iterator[Path]:
    """Yield the folders of all finished runs in a batch's table."""
    try:
        names = table_runs(folder)
    except (OSError, ValueError):
        raise ParameterError(
            f"{folder.name}: its table cannot be read; run the batch again"
        ) from None
    for workflow, name in names:
        if workflow not in known:
            raise ParameterError(
                f"{folder.name}: its table names {short(workflow)}, which is no workflow; "
                "run the batch again"
            )
        path = project.results(workflow) / name
        if path.parent.parent == project.root / "results" and (path / RECORD).is_file():
            yield path


def _run(project: Project, folder: Path) -> SharedRun:
    """Return a finished run after every check.

    What is shared beside it (notebook, library, data) must be what it was made of.
    """
    name = f"results/{folder.parent.name}/{folder.name}"
    if spoilt := altered(folder):
        raise ParameterError(f"{name}: {spoilt} is not what the run wrote; run it again")
    record = read_record(folder)
    if name != _place(record):
        raise ParameterError(
            f"{name}: not where its run put it; give it its name back, or run it again"
        )
    workflow = project.workflow(record["workflow"])
    if not re.fullmatch(WORKFLOW, workflow.name):
        raise ParameterError(
            f"{short(workflow.notebook.name)}: a supplement names its notebooks with letters, "
            "digits and _.- only; rename it, and run it again"
        )
    parameters = workflow.model.check(record["parameters"])
    parts = components(project, workflow, parameters, download=False)
    if whys := list(differences(record["components"], parts)):
        raise ParameterError(f"{name}: {'; '.join(whys)} since it was run; run it again")
    return SharedRun(workflow, project.results(workflow.name) / folder.name, record, parameters)


def _place(record: dict[str, Any]) -> str:
    """Return where a run of this record lies."""
    workflow, sample, key = (str(record.get(name)) for name in ("workflow", "sample", "key"))
    return f"results/{workflow}/{name_of(sample, key)}"
