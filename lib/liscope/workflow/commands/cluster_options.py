"""The options that say where to compute, for every command that runs notebooks."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from liscope.cluster import KINDS, started


def cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--cluster``, ``--workers`` and ``--memory`` to a command.

    The command gets them as ``compute``: a context in which the workers are there, and which gives
    the :class:`liscope.cluster.Compute` that `run` takes.
    """

    @click.option(
        "--cluster",
        metavar=f"[{'|'.join(KINDS)}|ADDRESS]",
        help="Where dask computes; by default at DASK_SCHEDULER_ADDRESS, else in threads.",
    )
    @click.option("--workers", type=int, metavar="N", help="Threads, or worker processes.")
    @click.option("--memory", metavar="SIZE", help="Of a worker, such as '4 GB'.")
    @wraps(command)
    def with_options(
        *arguments: Any, cluster: str | None, workers: int | None, memory: str | None, **others: Any
    ) -> Any:
        return command(*arguments, compute=started(cluster, workers, memory), **others)

    return with_options
