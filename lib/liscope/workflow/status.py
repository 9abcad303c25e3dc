"""Says of every sample whether its results are up to date, and if not, why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from liscope.errors import LiscopeError, RunError
from liscope.workflow.folders import name_of, runs_of
from liscope.workflow.inventory import (
    Run,
    batches,
    failed_notebooks,
    finished_runs,
    rooms,
    scratch_copies,
    shown_size,
    size_of,
)
from liscope.workflow.keys import (
    Components,
    Surroundings,
    components,
    differences,
    surroundings,
)
from liscope.workflow.parameters import Parameters
from liscope.workflow.params_file import load_parameters
from liscope.workflow.project import Project, Workflow
from liscope.workflow.record import RECORD, altered, read_record
from liscope.workflow.run import failed_notebook


@dataclass(frozen=True)
class Status:
    """The state of one sample: ``fresh``, ``stale``, ``missing``, ``failed`` or ``refused``."""

    workflow: str
    sample: str
    state: str
    why: str = ""


def status(project: Project) -> Iterator[Status]:
    """Return the state of every parameter file; starts no kernel and simulates nothing."""
    for workflow in project.workflows():
        around = surroundings(project, workflow)
        for file in workflow.samples:
            try:
                parameters = load_parameters(workflow.model, file, [])
            except LiscopeError as error:
                why = str(error).partition("\n")[0]
                yield Status(workflow.name, file.stem, "refused", why)
            else:
                state, why = _state(project, workflow, parameters, around)
                yield Status(workflow.name, parameters.sample, state, why)


def _state(
    project: Project, workflow: Workflow, parameters: Parameters, around: Surroundings
) -> tuple[str, str]:
    try:
        parts = components(project, workflow, parameters, download=False, around=around)
    except LiscopeError as error:  # data that goes in is not there
        return "missing", str(error).partition("\n")[0]
    results, sample = project.results(workflow.name), parameters.sample
    name = name_of(sample, parts.key)
    if (results / name / RECORD).is_file():
        spoilt = altered(results / name)
        return ("stale", f"{spoilt} is not what the run wrote") if spoilt else ("fresh", "")
    failed = failed_notebook(results, name)
    if failed.is_file():
        return "failed", f"see {failed.relative_to(project.root)}"
    folders = runs_of(results, sample)
    if not folders:
        return "missing", ""
    whys = [_differs(folder, parts) for folder in reversed(folders)]
    nearest = "; ".join(sorted(whys, key=len)[0])
    trials = not any(_made_with(folder, parameters) for folder in folders)
    return "stale", f"run with other parameters only: {nearest}" if trials else nearest


def _differs(folder: Path, parts: Components) -> list[str]:
    """Return what has changed since an earlier run."""
    try:
        return list(differences(read_record(folder)["components"], parts))
    except RunError as error:
        return [str(error)]


def _made_with(folder: Path, parameters: Parameters) -> bool:
    try:
        return Run(folder, read_record(folder)).made_with(parameters)
    except RunError:
        return True  # who knows


def usage(project: Project) -> list[str]:
    """Return what ``results/`` holds and how much disk it takes, in a line or two."""
    results = project.root / "results"
    if not results.is_dir():
        return []
    runs = Counter(run.folder.parent.name for run in finished_runs(results))
    parts = [
        f"{room.name} {shown_size(size_of(room))} in {_counted(runs[room.name], 'run')}"
        for room in rooms(results)
    ]
    parts += [
        _counted(len(found), kind)
        for kind, found in (
            ("failed notebook", failed_notebooks(results)),
            ("scratch notebook", scratch_copies(results)),
        )
        if found
    ]
    lines = [
        f"batch {batch.folder.name}: {batch.counts or 'nothing yet'}" for batch in batches(results)
    ]
    return [*lines, f"results/ takes {shown_size(size_of(results))}: {', '.join(parts)}"]


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
