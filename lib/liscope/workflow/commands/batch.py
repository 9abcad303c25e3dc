"""The command ``liscope batch``."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from liscope.errors import RunError
from liscope.workflow.commands.cluster_options import cluster_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from liscope.cluster import Compute
    from liscope.workflow.batch.plan import Plan
    from liscope.workflow.batch.pool import Outcome
    from liscope.workflow.project import Project


@click.command("batch")
@click.argument("sweep", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check everything, and only say what would run.")
@click.option("--jobs", type=click.IntRange(min=1), help="Runs at a time; by default what fits.")
@cluster_options
def batch(
    sweep: Path, dry_run: bool, jobs: int | None, compute: AbstractContextManager[Compute]
) -> None:
    """Run a workflow over the samples and parameters of the file SWEEP."""
    # Imported here, as below: a listing takes no second.
    from liscope.workflow.batch.plan import make_plan
    from liscope.workflow.batch.resources import earlier_runs, estimate, most_jobs
    from liscope.workflow.project import Project

    project = Project.here()
    plan = make_plan(project, sweep, download=not dry_run)
    left = sum(not job.done for job in plan.jobs)
    earlier = earlier_runs(project, plan.workflow)
    jobs = min(jobs, max(left, 1)) if jobs else most_jobs(earlier, left)
    click.echo(f"{plan.name}: {_runs(len(plan.jobs))}, {len(plan.jobs) - left} up to date")
    if left:
        click.echo(f"{_runs(left)} to do, {jobs} at a time: {estimate(earlier, left, jobs)}")
    if not dry_run:
        _run(project, plan, jobs, compute)


def _run(project: Project, plan: Plan, jobs: int, compute: AbstractContextManager[Compute]) -> None:
    """Run what is left, and write what the sweep leaves behind, also when it was stopped."""
    from liscope.workflow.batch.folder import batch_folder, write_batch
    from liscope.workflow.batch.pool import outcomes_before, run_all
    from liscope.workflow.batch.view import shown
    from liscope.workflow.overview import write_overview
    from liscope.workflow.record import now

    started = now()
    left = sum(not job.done for job in plan.jobs)
    with batch_folder(project, plan.name) as folder:
        outcomes, stopped = outcomes_before(project, plan), False
        if left:
            with compute as where, shown(plan.name, left) as view:
                outcomes, stopped = run_all(project, plan, jobs, _limited(where, jobs), view)
        write_batch(folder, plan, outcomes, started, jobs)
        write_overview(project)
    click.echo((folder / "index.html").relative_to(project.root))
    _tell(outcomes)
    if stopped:
        raise click.Abort


def _limited(compute: Compute, jobs: int) -> Compute:
    """Return where to compute, with no more threads in all kernels than there are cores."""
    from liscope.workflow.batch.resources import thread_limits

    limits = thread_limits(jobs)
    threads = int(limits["DASK_NUM_WORKERS"])
    if compute.record["kind"] == "threads":
        threads = min(threads, int(compute.record["threads_per_worker"] or threads))
        record = {**compute.record, "threads_per_worker": threads}
        limits["DASK_NUM_WORKERS"] = str(threads)
        return replace(compute, environment={**compute.environment, **limits}, record=record)
    return replace(compute, environment={**limits, **compute.environment})


def _tell(outcomes: Sequence[Outcome]) -> None:
    """Say what is done, and name what failed.

    Raises
    ------
    RunError
        If a run failed.
    """
    states = [outcome.state for outcome in outcomes]
    failed, left = states.count("failed"), states.count("not run")
    for outcome in outcomes:
        if outcome.error:
            click.echo(f"liscope: {outcome.job.label}: {outcome.error}", err=True)
    if left:
        click.echo(
            f"{states.count('done')} of {len(states)} done, {failed} failed, {left} left; "
            "the same command goes on from here"
        )
    elif failed:
        raise RunError(f"{failed} of {_runs(len(states))} failed")


def _runs(number: int) -> str:
    return f"{number} run" + "s" * (number != 1)
