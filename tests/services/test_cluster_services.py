"""Workers from a real SLURM and from a real Dask Gateway, where these can run."""

from __future__ import annotations

import os
import subprocess
import time
from typing import Any

import dask
import pytest

from liscope import cluster_kinds as kinds
from liscope.cluster import Compute, connect, started
from liscope.errors import ParameterError

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:distributed")


def jobs() -> list[str]:
    """Return the numbers of the jobs that SLURM knows."""
    return subprocess.check_output(["squeue", "-h", "-t", "R,PD", "-o", "%i"], text=True).split()


def numbers(compute: Compute, monkeypatch: pytest.MonkeyPatch, said: str) -> tuple[Any, Any]:
    """Compute as a notebook would, and return the result and the processes that had a part."""
    for name, value in compute.environment.items():
        monkeypatch.setenv(name, value)
    assert connect() == said
    client = kinds.default()
    assert client is not None
    with client:
        client.wait_for_workers(2, timeout=60)  # type: ignore[no-untyped-call]
        values = dask.compute([dask.delayed(pow)(i, 2) for i in range(20)])[0]
        return values, set(client.run(os.getpid).values())  # type: ignore[no-untyped-call]


def test_slurm_starts_replaces_and_ends_workers(
    slurm: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = {"distributed.deploy.lost-worker-timeout": "2s"}
    with dask.config.set(patient), started("slurm", 2, "500 MB") as compute:
        assert compute.record["kind"] == "slurm" and compute.record["workers"] == 2
        assert compute.record["threads_per_worker"] == 1
        assert compute.record["memory_per_worker"] == pytest.approx(500e6, rel=0.01)
        values, first = numbers(compute, monkeypatch, "2 worker processes")
        assert values == [i**2 for i in range(20)] and len(first) == 2
        before = jobs()
        assert len(before) == 2
        subprocess.run(["scancel", before[0]], check=True)
        end = time.monotonic() + 60
        while set(jobs()) <= set(before) and time.monotonic() < end:
            time.sleep(0.5)
        values, second = numbers(compute, monkeypatch, "2 worker processes")
        assert values == [i**2 for i in range(20)] and len(second - first) == 1
    end = time.monotonic() + 20
    while jobs() and time.monotonic() < end:
        time.sleep(0.2)
    assert not jobs()


@pytest.mark.parametrize(
    "memory, queue, why", [("900 GB", None, "not available"), ("1 GB", "nope", "partition")]
)
def test_a_job_that_slurm_would_refuse_is_refused_in_one_line(
    slurm: None, memory: str, queue: str | None, why: str
) -> None:
    with (
        dask.config.set({"jobqueue.slurm.queue": queue}),
        pytest.raises(ParameterError, match=f"SLURM refuses the job .*{why}.*jobqueue.yaml"),
        started("slurm", 2, memory),
    ):
        pass
    assert not jobs()


def test_a_gateway_starts_and_ends_workers(gateway: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with started("gateway", 2) as compute:
        assert compute.record["kind"] == "gateway" and compute.record["workers"] == 2
        assert "127.0.0.1" not in str(compute.record)
        values, processes = numbers(compute, monkeypatch, "2 worker processes")
        assert values == [i**2 for i in range(20)] and len(processes) == 2
    from dask_gateway import Gateway

    with Gateway() as client:
        assert client.list_clusters() == []
