"""Where a workflow's dask computations run: in the notebook's process, or on workers elsewhere.

The parent process starts workers or finds them (:func:`started`) and hands kernels a few
environment variables; a notebook calls :func:`connect` and computes as before. Workers need this
environment and the files under the same paths, nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from liscope.errors import ParameterError

KINDS = ("none", "threads", "local", "slurm", "gateway")
ADDRESS = "DASK_SCHEDULER_ADDRESS"  # dask's own name, so that any dask program sees the same
WORKERS = "LISCOPE_WORKERS"
_LARGE = "64 MB"  # of a task graph, before dask warns: templates are 11 MB, and travel once
_ONE_EACH = {"OPENBLAS_NUM_THREADS": "1"}  # the same everywhere, as workers have it
_NOWHERE = ("", "None")  # what the variable says where there is no scheduler


@dataclass(frozen=True)
class Compute:
    """Where kernels compute.

    Attributes
    ----------
    environment
        Variables that make a kernel compute there.
    record
        ``kind``, ``workers``, ``threads_per_worker`` and ``memory_per_worker`` in bytes (None: no
        limit), for the run's record. It names no host, user or address.
    """

    environment: Mapping[str, str]
    record: Mapping[str, str | int | None]


def started(
    kind: str | None = None, workers: int | None = None, memory: str | None = None
) -> AbstractContextManager[Compute]:
    """Start workers, or find them, and stop at the end what was started.

    Parameters
    ----------
    kind
        ``none`` (one thread of the notebook's process), ``threads`` of it, ``local`` worker
        processes, jobs of ``slurm``, workers of a ``gateway``, or the address of a running
        scheduler (``tcp://...``). By default what DASK_SCHEDULER_ADDRESS says, else ``threads``.
    workers
        How many threads or worker processes; by default as many as there are cores. For ``slurm``
        and ``gateway`` it must be said.
    memory
        Of a worker, such as ``4 GB``; a local one that needs more is started afresh, SLURM ends
        its job. By default an equal part of the machine; for SLURM what dask's ``jobqueue.yaml``
        says, else 2 GiB.

    Raises
    ------
    ParameterError
        If there is no such kind, nobody listens at the address, its workers have other versions, an
        option does not belong to the kind or asks for too much, or a package is missing.
    """
    where = kind or os.environ.get(ADDRESS, "")
    where = "threads" if where in _NOWHERE else where
    _check(where, workers, memory)
    return _started(where, workers, memory)


@contextmanager
def _started(where: str, workers: int | None, memory: str | None) -> Iterator[Compute]:
    if where in ("none", "threads"):
        yield _here(where, workers)
        return
    from liscope.cluster_kinds import opened  # here: it is slow to import

    with opened(where, workers, memory) as client:
        yield _there(where if where in KINDS else "address", workers, client)


def connect() -> str:
    """Compute on the scheduler that DASK_SCHEDULER_ADDRESS names, from now on in this process.

    Without that variable computations stay here. In either case matrix products keep to one thread,
    as blocks run side by side. A notebook calls it once, before it computes, in its own thread.

    Returns
    -------
    In words where computations run, without host and address.

    Raises
    ------
    ParameterError
        If nobody listens at the address.
    """
    from threadpoolctl import threadpool_limits

    # By the notebook's thread: OpenBLAS 0.3.31 hears no other, and its threads take twice the time.
    threadpool_limits(limits=1, user_api="blas")
    address = os.environ.get(ADDRESS, "")
    if address in _NOWHERE:
        alone = os.environ.get("DASK_SCHEDULER") == "synchronous"
        return "one thread of this process" if alone else "threads of this process"
    from dask import config

    from liscope.cluster_kinds import client_of, default

    client = default() or client_of(address, set_as_default=True)  # a cell may run twice
    config.set({"distributed.admin.large-graph-warning-threshold": _LARGE})
    count = int(os.environ.get(WORKERS, 0)) or len(_workers(client))
    return "one worker process" if count == 1 else f"{count} worker processes"


def _check(where: str, workers: int | None, memory: str | None) -> None:
    """Refuse a kind that there is not, and what a kind cannot do."""
    if where not in KINDS and ":" not in where:
        right = f"{', '.join(KINDS)}, or an address such as tcp://10.0.0.1:8786"
        raise ParameterError(f"cluster: got '{where}'; right is {right}")
    if workers is not None and workers < 1:
        raise ParameterError(f"workers: got {workers}; right is at least 1")
    if workers is None and where in ("slurm", "gateway"):
        raise ParameterError(f"workers: say how many {where} is to start, as in --workers 8")
    if workers is not None and (where == "none" or where not in KINDS):
        raise ParameterError(f"workers: '{where}' takes none; leave it out")
    if memory is not None and where not in ("local", "slurm"):
        raise ParameterError("memory: only 'local' and 'slurm' limit a worker's; leave it out")


def _here(kind: str, workers: int | None) -> Compute:
    """Return how the notebook's own process computes."""
    from dask.system import CPU_COUNT

    threads = 1 if kind == "none" else workers or CPU_COUNT
    environment = {
        ADDRESS: "None",  # dask reads it as None: nobody looks for a scheduler
        "DASK_SCHEDULER": "synchronous" if kind == "none" else "threads",
        "DASK_NUM_WORKERS": str(threads),
        **_ONE_EACH,
    }
    return Compute(environment, _record(kind, 1, threads, None))


def _there(kind: str, workers: int | None, client: Any) -> Compute:
    """Return how a scheduler's workers compute."""
    found = _workers(client)
    count = workers or len(found)
    threads = min((one["nthreads"] for one in found), default=None)
    memory = min((one["memory_limit"] for one in found), default=None)
    environment = {ADDRESS: client.scheduler.address, **_ONE_EACH}
    if kind != "address":
        environment[WORKERS] = str(count)  # some may come later
    return Compute(environment, _record(kind, count, threads, memory or None))


def _workers(client: Any) -> list[Any]:
    return list(client.scheduler_info(n_workers=-1)["workers"].values())


def _record(
    kind: str, workers: int, threads: int | None, memory: int | None
) -> dict[str, str | int | None]:
    return {
        "kind": kind,
        "workers": workers,
        "threads_per_worker": threads,
        "memory_per_worker": memory,
    }
