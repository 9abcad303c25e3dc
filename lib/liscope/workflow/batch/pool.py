"""Runs the runs of a sweep side by side: threads of this process, each with a kernel."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol

from liscope.errors import LiscopeError
from liscope.workflow.batch.plan import Job, Plan
from liscope.workflow.folders import name_of
from liscope.workflow.kernel import Stopped, stop_kernels
from liscope.workflow.project import Project
from liscope.workflow.run import run

if TYPE_CHECKING:
    from liscope.cluster import Compute

_LOOK = 0.5  # seconds between two looks at what is running


@dataclass(frozen=True)
class Outcome:
    """How a run ended: with a folder, with a one-line error, or not at all."""

    job: Job
    folder: Path | None = None
    key: str = ""
    error: str = ""

    @property
    def state(self) -> str:
        """The state as the table says it."""
        return "done" if self.folder else "failed" if self.error else "not run"


class View(Protocol):
    """What shows how far a batch has come."""

    def ended(self, outcome: Outcome) -> None:
        """Take note of a run that has just ended."""

    def running(self, labels: Sequence[str]) -> None:
        """Take note of what is running now."""


def run_all(
    project: Project, plan: Plan, jobs: int, compute: Compute, view: View
) -> tuple[list[Outcome], bool]:
    """Run what is not done yet; a failure does not keep the others from running.

    Parameters
    ----------
    project, plan
        What to run.
    jobs
        How many at a time.
    compute
        Where the kernels compute.
    view
        What is told of every run.

    Returns
    -------
    outcomes
        One for each run of the plan, in its order.
    stopped
        Whether Ctrl-C ended it early; all kernels have ended then.
    """
    outcomes = {id(before.job): before for before in outcomes_before(project, plan)}
    due = [job for job in plan.jobs if not job.done]
    busy: dict[int, str] = {}
    ended: SimpleQueue[Outcome] = SimpleQueue()

    def work(job: Job) -> None:
        busy[id(job)] = job.label
        outcome = _one(project, plan, job, compute)
        del busy[id(job)]
        ended.put(outcome)

    def take(timeout: float | None) -> bool:
        try:
            outcome = ended.get(block=timeout is not None, timeout=timeout)
        except Empty:
            return False
        outcomes[id(outcome.job)] = outcome
        view.ended(outcome)
        return True

    stopped = _through_pool(work, take, due, jobs, lambda: view.running(list(busy.values())))
    return [outcomes[id(job)] for job in plan.jobs], stopped


def outcomes_before(project: Project, plan: Plan) -> list[Outcome]:
    """Return the outcomes of a plan's runs before any of them is run."""
    results = project.results(plan.workflow.name)
    return [
        Outcome(job, results / name_of(job.sample, job.key) if job.done else None, job.key)
        for job in plan.jobs
    ]


def _through_pool(
    work: Callable[[Job], None],
    take: Callable[[float | None], bool],
    due: Sequence[Job],
    jobs: int,
    look: Callable[[], None],
) -> bool:
    """Hand the jobs to threads and take their outcomes; tell whether Ctrl-C came between."""
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(work, job) for job in due]
        left = len(futures)
        try:
            while left:
                left -= take(_LOOK)
                look()
        except BaseException as error:  # Ctrl-C, or nobody reads any more what is shown
            pool.shutdown(wait=False, cancel_futures=True)
            while not all(future.done() for future in futures):
                stop_kernels()  # again and again: some have only begun to start
                with suppress(KeyboardInterrupt):  # it is being done
                    time.sleep(0.1)
            if not isinstance(error, KeyboardInterrupt):
                raise
            while take(None):
                pass
            return True
    return False


def _one(project: Project, plan: Plan, job: Job, compute: Compute) -> Outcome:
    try:
        result = run(
            project, plan.workflow, job.parameters, job.sample, progress=False, compute=compute
        )
        return Outcome(job, result.folder, result.key)
    except Stopped:
        return Outcome(job, key=job.key)
    except (LiscopeError, OSError) as error:  # such as a full disk
        return Outcome(job, key=job.key, error=" ".join(str(error).split()))
    except BaseException as error:  # whatever it is, the others go on
        line = f"{plan.workflow.name} {job.sample}: {type(error).__name__}: {error}"
        return Outcome(job, key=job.key, error=" ".join(line.split()))
