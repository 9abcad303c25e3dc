"""How many runs at a time, and for how long: by what earlier runs of the workflow took."""

from __future__ import annotations

from contextlib import suppress
from statistics import median
from typing import NamedTuple

from liscope.errors import RunError
from liscope.workflow.project import Project, Workflow
from liscope.workflow.record import RECORD, read_record

_LOOKED_AT = 50  # records
_GUESS = 1024.0  # MiB for a run, where no record says
_SHARE = 0.8  # of the free memory
_THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR")


class Earlier(NamedTuple):
    """The typical time of an earlier run in seconds, and the most memory that one held in MiB."""

    seconds: float | None
    memory: float | None


def earlier_runs(project: Project, workflow: Workflow) -> Earlier:
    """Return what the newest runs of a workflow took; None where there is none to go by."""
    files = project.results(workflow.name).glob(f"[!.]*/{RECORD}")
    newest = sorted(files, key=lambda file: file.stat().st_mtime_ns)[-_LOOKED_AT:]
    records = []
    for file in newest:
        with suppress(RunError):
            records.append(read_record(file.parent))
    seconds = [found for r in records if isinstance(found := r.get("seconds"), int | float)]
    memory = [found for r in records if isinstance(found := r.get("peak_memory_MiB"), int | float)]
    return Earlier(median(seconds) if seconds else None, max(memory, default=None))


def cores() -> int:
    """Return how many cores this process may use."""
    from dask.system import CPU_COUNT  # here, as is psutil below: `liscope list` needs neither

    return int(CPU_COUNT)


def most_jobs(earlier: Earlier, runs: int) -> int:
    """Return how many of ``runs`` can go side by side, by cores and free memory."""
    import psutil  # type: ignore[import-untyped]

    free = psutil.virtual_memory().available / 2**20
    by_memory = int(_SHARE * free / (earlier.memory or _GUESS))
    return max(1, min(cores(), by_memory, runs))


def thread_limits(jobs: int) -> dict[str, str]:
    """Return the variables that keep ``jobs`` kernels from using more threads than cores."""
    each = str(max(1, cores() // jobs))
    return {f"{name}_NUM_THREADS": each for name in _THREADS} | {"DASK_NUM_WORKERS": each}


def estimate(earlier: Earlier, runs: int, jobs: int) -> str:
    """Say how long ``runs`` will take, ``jobs`` at a time."""
    if earlier.seconds is None:
        return "no earlier run to go by"
    seconds = earlier.seconds * -(-runs // jobs)  # in rounds
    return f"about {in_words(seconds)}"


def in_words(seconds: float) -> str:
    """Return a time in a unit that suits it: "50 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
