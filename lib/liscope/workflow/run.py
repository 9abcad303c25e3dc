"""Runs a workflow on a sample: checks, runs, records, and shows the folder whole or not at all."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

from liscope.errors import RunError
from liscope.progress import FILE as PROGRESS
from liscope.workflow.deliver import KERNEL_NOTE
from liscope.workflow.folders import name_of, publish, running_folder, scratch_of
from liscope.workflow.keys import Components, components, differences
from liscope.workflow.parameters import Parameters
from liscope.workflow.project import Project, Workflow
from liscope.workflow.record import RECORD, altered, make_record, now, write_record

if TYPE_CHECKING:
    from liscope.cluster import Compute


@dataclass(frozen=True)
class RunResult:
    """Where a run's results are, and whether they were there already."""

    folder: Path
    key: str
    fresh: bool


def run(
    project: Project,
    workflow: Workflow,
    parameters: Parameters,
    sample: str,
    *,
    force: bool = False,
    progress: bool | None = None,
    compute: Compute | None = None,
) -> RunResult:
    """Run a workflow on a sample, unless the same was done before.

    Parameters
    ----------
    project, workflow, parameters, sample
        What to run.
    force
        Run although the results are there, and replace them.
    progress
        Show progress bars; by default on a terminal only.
    compute
        Where its dask computations run; by default in threads of the kernel. The results do not
        depend on it, nor does their key.

    Raises
    ------
    ParameterError
        If data that goes in is missing.
    RunError
        If the notebook did not run to its end; it is kept up to the failing cell.
    """
    parts = components(project, workflow, parameters)
    name = name_of(sample, parts.key)
    results = project.results(workflow.name)
    done = (results / name / RECORD).is_file()
    if done and not force and not altered(results / name):
        return RunResult(results / name, parts.key, fresh=True)
    bars = sys.stderr.isatty() if progress is None else progress
    bar = f"{workflow.name} {sample}" * bars
    with running_folder(results, name) as folder:
        _fill(project, workflow, parts, sample, folder, bar, compute)
        if changed := list(differences(asdict(parts), components(project, workflow, parameters))):
            raise RunError(f"{workflow.name} {sample}: {'; '.join(changed)} during the run; repeat")
        final = publish(folder, name, replace=done)
    failed_notebook(results, name).unlink(missing_ok=True)
    return RunResult(final, parts.key, fresh=False)


def failed_notebook(results: Path, name: str) -> Path:
    """Return where the notebook of a failed run is kept."""
    return results / f"{name}.failed.ipynb"


def _fill(
    project: Project,
    workflow: Workflow,
    parts: Components,
    sample: str,
    folder: Path,
    bar: str,
    compute: Compute | None,
) -> None:
    """Run the notebook and write all that belongs in the run's folder, the record last."""
    # Imported here: a run that is up to date needs neither Jupyter nor its pages.
    from liscope.workflow.kernel import execute, save
    from liscope.workflow.pages import write_page

    started = now()
    scratch = scratch_of(folder)
    scratch.mkdir(mode=0o700)
    with _watched(folder / PROGRESS, shown=bool(bar)):
        outcome = execute(
            workflow.document,
            parts.parameters,
            root=project.root,
            folder=folder,
            scratch=scratch,
            bar=bar or None,
            environment=compute.environment if compute else None,
        )
    failure = outcome.failure
    if failure is None and not (folder / KERNEL_NOTE).is_file():
        failure = "it ended without a call of deliver()"
    if failure is not None:
        kept = failed_notebook(folder.parent, name_of(sample, parts.key))
        save(outcome.notebook, kept)
        where = kept.relative_to(project.root)
        raise RunError(f"{workflow.name} {sample}: {failure}; the notebook so far: {where}")
    save(outcome.notebook, folder / "notebook.ipynb")
    record = make_record(workflow, sample, parts, folder, started)
    record["compute"] = dict(compute.record) if compute else {"kind": "threads"}
    (folder / KERNEL_NOTE).unlink()
    (folder / PROGRESS).unlink(missing_ok=True)
    write_page(folder, record, outcome.notebook, workflow.model)
    write_record(folder, record)


@contextmanager
def _watched(note: Path, *, shown: bool) -> Iterator[None]:
    """Show what the library in the kernel notes about its progress, while the notebook runs."""
    if not shown:
        yield
        return
    stop = Event()
    watcher = Thread(target=_watch, args=(note, stop), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()


def _watch(note: Path, stop: Event) -> None:
    from tqdm import tqdm

    bar = None
    while not stop.wait(0.2):
        try:
            found = json.loads(note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = None
        if bar is not None and (found is None or found["label"] != bar.desc.removesuffix(": ")):
            bar.close()
            bar = None
        if found is not None:
            bar = bar or tqdm(desc=found["label"], total=found["total"], position=1, leave=False)
            bar.n = found["done"]
            bar.refresh()
    if bar is not None:
        bar.close()
