"""The command line: ``liscope list``, ``run``, ``status``, and the commands in ``commands``.

What is heavy (Jupyter, figures, arrays) is imported by the functions that need it, so that a
listing or a refused parameter takes no second.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import click

from liscope.errors import LiscopeError, ParameterError, ReaderError, RunError
from liscope.workflow.commands.batch import batch
from liscope.workflow.commands.clean import clean
from liscope.workflow.commands.cluster_options import cluster_options
from liscope.workflow.commands.keep import keep
from liscope.workflow.commands.lab import lab
from liscope.workflow.commands.rerun import rerun
from liscope.workflow.commands.share import share
from liscope.workflow.parameters import Parameters
from liscope.workflow.project import Project, Workflow

if TYPE_CHECKING:
    from liscope.cluster import Compute

_FAILED, _REFUSED, _STOPPED = 1, 2, 130


class _Job(NamedTuple):
    workflow: Workflow
    parameters: Parameters
    sample: str


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Run the notebooks of a project, and say which results are up to date."""


@cli.command("list")
def list_() -> None:
    """List the workflows and their samples."""
    for workflow in Project.here().workflows():
        click.echo(f"{workflow.name}: {workflow.title}")
        for file in workflow.samples:
            click.echo(f"    {file.stem}")


@cli.command("run")
@click.argument("workflow", required=False)
@click.argument("samples", nargs=-1)
@click.option(
    "-f", "files", multiple=True, type=click.Path(path_type=Path), help="A sample's parameters."
)
@click.option("-p", "assignments", multiple=True, metavar="NAME=VALUE", help="One parameter.")
@click.option("--all", "everything", is_flag=True, help="All samples whose data is at hand.")
@click.option("--force", is_flag=True, help="Run although the results are there.")
@cluster_options
def run_(
    workflow: str | None,
    samples: tuple[str, ...],
    files: tuple[Path, ...],
    assignments: tuple[str, ...],
    everything: bool,
    force: bool,
    compute: AbstractContextManager[Compute],
) -> None:
    """Run WORKFLOW on SAMPLES of params/, on those of other parameter files, or on its defaults."""
    if everything == (workflow is not None) or (everything and (files or assignments)):
        raise click.UsageError("name a workflow, or use --all alone")
    from liscope.workflow.scratch_copies import sample_file  # here, see above

    project = Project.here()
    if workflow is None:
        jobs = _all_jobs(project)
    else:
        named = [sample_file(project.workflow(workflow), sample) for sample in samples]
        jobs = _jobs(project.workflow(workflow), (*named, *files), assignments)
    with compute as where:
        failed = _run_all(project, jobs, force, where)
    # Imported here, see above.
    from liscope.workflow.overview import write_overview

    page = write_overview(project)
    if failed < len(jobs):
        click.echo(_path(page))
    if failed:
        raise RunError(f"{failed} of {len(jobs)} runs failed") if len(jobs) > 1 else _Told


@cli.command("status")
def status_() -> None:
    """Say of every sample whether its results are up to date, and if not, why."""
    from liscope.workflow.status import status, usage  # here, see above

    project = Project.here()
    for entry in status(project):
        why = f" ({entry.why})" if entry.why else ""
        click.echo(f"{entry.state:8}{entry.workflow} {entry.sample}{why}")
    for line in usage(project):
        click.echo(line)


for _command in (batch, share, rerun, lab, keep, clean):
    cli.add_command(_command)


class _Told(RunError):
    """A failure that was told already."""


def _jobs(workflow: Workflow, files: Sequence[Path], assignments: Sequence[str]) -> list[_Job]:
    """Check all parameters and inputs, before anything runs."""
    from liscope.workflow.keys import check_inputs
    from liscope.workflow.params_file import load_parameters

    found = []
    for file in files or (None,):
        parameters = load_parameters(workflow.model, file, assignments)
        named = any(text.startswith("sample=") for text in assignments)
        if file and not named and parameters.sample != file.stem:
            raise ParameterError(
                f"sample ({file.name}): got '{parameters.sample}'; right is '{file.stem}', "
                "as the file is called"
            )
        check_inputs(parameters)
        found.append(_Job(workflow, parameters, parameters.sample))
    return found


def _all_jobs(project: Project) -> list[_Job]:
    from liscope.workflow.keys import missing_input
    from liscope.workflow.params_file import load_parameters

    jobs = []
    for workflow in project.workflows():
        for file in workflow.samples:
            parameters = load_parameters(workflow.model, file, [])
            if why := missing_input(parameters):
                click.echo(f"{workflow.name} {file.stem}: left out, {why}")
            else:
                jobs.append(_Job(workflow, parameters, parameters.sample))
    return jobs


def _run_all(project: Project, jobs: Sequence[_Job], force: bool, compute: Compute) -> int:
    """Run one after the other; a failure does not keep the others from running."""
    from liscope.workflow.run import run

    failed = 0
    for job in jobs:
        try:
            result = run(project, *job, force=force, compute=compute)
        except RunError as error:
            _tell(error)
            failed += 1
        else:
            state = "up to date" if result.fresh else "done"
            click.echo(f"{job.workflow.name} {job.sample}: {state}, {_path(result.folder)}")
    return failed


def _path(path: Path) -> str:
    """Return a path as short as it can be from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _tell(error: Exception) -> None:
    for line in str(error).splitlines():
        click.echo(f"liscope: {line}", err=True)


def main() -> NoReturn:
    """Run the command line: exit 0, 1 after a failed run, 2 for what was refused."""
    try:
        cli.main(standalone_mode=False, prog_name="liscope")
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
    except click.ClickException as error:
        _tell(ParameterError(error.format_message()))
        sys.exit(_REFUSED)
    except click.Abort:
        _tell(RunError("stopped"))
        sys.exit(_STOPPED)
    except _Told:
        sys.exit(_FAILED)
    except (ParameterError, ReaderError) as error:
        _tell(error)
        sys.exit(_REFUSED)
    except (LiscopeError, OSError) as error:  # such as a full disk
        _tell(error)
        sys.exit(_FAILED)
    sys.exit(0)
