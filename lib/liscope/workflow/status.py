"""Says of every sample whether its results are up to date, and if not, why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from liscope.errors import LiscopeError, RunError
from liscope.workflow.folders import name_of, runs_of
from liscope.workflow.keys import Components, components, differences
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
        for file in workflow.samples:
            try:
                parameters = load_parameters(workflow.model, file, [])
            except LiscopeError as error:
                why = str(error).partition("\n")[0]
                yield Status(workflow.name, file.stem, "refused", why)
            else:
                state, why = _state(project, workflow, parameters)
                yield Status(workflow.name, parameters.sample, state, why)


def _state(project: Project, workflow: Workflow, parameters: Parameters) -> tuple[str, str]:
    try:
        parts = components(project, workflow, parameters, download=False)
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
    whys = [_differs(folder, parts) for folder in reversed(runs_of(results, sample))]
    return ("stale", "; ".join(sorted(whys, key=len)[0])) if whys else ("missing", "")


def _differs(folder: Path, parts: Components) -> list[str]:
    """Return what has changed since an earlier run."""
    try:
        return list(differences(read_record(folder)["components"], parts))
    except RunError as error:
        return [str(error)]
