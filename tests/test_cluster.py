"""Real worker processes: the same numbers, whatever happens to them, and nothing left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import dask
import numpy as np
import psutil
import pytest
import xarray as xr
from dask_jobqueue import SLURMCluster
from distributed import LocalCluster

from liscope import cluster_kinds as kinds
from liscope.cluster import Compute, connect, started
from liscope.diffraction.library import Library, library
from liscope.diffraction.polar import Geometry
from liscope.diffraction.scan import match
from liscope.diffraction.structures import open_crystal
from liscope.diffraction.templates import Beam
from liscope.errors import ParameterError
from liscope.specimens.lamella import simulate


@pytest.fixture(autouse=True)
def _nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DASK_SCHEDULER_ADDRESS", "DASK_SCHEDULER", "DASK_NUM_WORKERS", "LISCOPE_WORKERS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def two() -> Iterator[Compute]:
    """Two worker processes."""
    with started("local", 2, "1 GB") as compute:
        yield compute


@pytest.fixture
def connected(two: Compute, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """This process as a notebook that computes on the two."""
    for name, value in two.environment.items():
        monkeypatch.setenv(name, value)
    assert connect() == connect() == "2 worker processes"
    client = kinds.default()
    assert client is not None
    with client:
        yield client


@pytest.fixture(scope="module")
def scan() -> xr.Dataset:
    """A scan of 192 patterns, a line a block."""
    patterns = simulate("lmno_pristine", size=(16, 12))["scan"].to_dataset().compute()
    return patterns.chunk(y=1)


@pytest.fixture(scope="module")
def templates() -> Library:
    """Few templates."""
    crystals = [open_crystal(name) for name in ("lmno", "pt")]
    return library(crystals, Geometry(np.eye(2) / 0.022, (128, 128)), Beam(), 4.0, 8.0)


def found(scan: xr.Dataset, templates: Library, **scheduler: Any) -> dict[str, bytes]:
    """Return the bytes of all that indexing finds."""
    with dask.config.set(**scheduler):
        maps = match(scan, templates).compute()
    return {str(name): maps[name].to_numpy().tobytes() for name in maps.variables}


@pytest.fixture(scope="module")
def alone(scan: xr.Dataset, templates: Library) -> dict[str, bytes]:
    """What one thread finds."""
    maps = found(scan, templates, scheduler="synchronous")
    assert len(set(maps["score"])) > 100  # there is something to compare
    return maps


def test_threads_and_processes_find_the_same_bytes(
    scan: xr.Dataset, templates: Library, alone: dict[str, bytes], connected: Any
) -> None:
    assert found(scan, templates, scheduler="threads", num_workers=2) == alone
    assert found(scan, templates) == alone
    assert len(set(connected.run(os.getpid).values()) - {os.getpid()}) == 2


def test_a_killed_worker_is_replaced_and_changes_nothing(
    scan: xr.Dataset, templates: Library, alone: dict[str, bytes], connected: Any
) -> None:
    before = connected.run(os.getpid)
    lost = []

    def kill() -> None:
        while not any(connected.processing().values()):
            time.sleep(0.02)
        address = max(before, key=lambda one: len(connected.processing().get(one, ())))
        lost.append(address)
        os.kill(before[address], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    assert found(scan, templates) == alone
    killer.join()
    connected.wait_for_workers(2, timeout=20)
    after = connected.run(os.getpid)
    assert len(lost) == 1 and before[lost[0]] not in after.values()


def test_the_record_tells_what_but_not_where(two: Compute) -> None:
    assert two.record == {
        "kind": "local",
        "workers": 2,
        "threads_per_worker": 1,
        "memory_per_worker": 10**9,
    }
    text = json.dumps(two.record)
    assert not re.search(r"://|\d+\.\d+\.\d+", text) and socket.gethostname() not in text


def test_the_scheduler_of_the_environment_is_taken(
    two: Compute, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = two.environment["DASK_SCHEDULER_ADDRESS"]
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", address)
    with started() as compute:
        assert compute.environment["DASK_SCHEDULER_ADDRESS"] == address
        assert "LISCOPE_WORKERS" not in compute.environment
        assert compute.record == {**two.record, "kind": "address"}
    with started("none") as compute:  # what is said beats the environment
        assert compute.record["kind"] == "none"
    with started(address) as compute:  # and closing our connection did not close theirs
        assert compute.record["workers"] == 2


def test_other_versions_are_refused(two: Compute, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = kinds.metadata.version("numpy")
    monkeypatch.setattr(kinds.metadata, "version", lambda name: "0.1")
    with (
        pytest.raises(ParameterError, match=r"worker there has .*, here it is 0\.1"),
        started(two.environment["DASK_SCHEDULER_ADDRESS"]),
    ):
        pass
    assert ours != "0.1"


TOLD = """
import threading, dask
from liscope.cluster import connect
print(connect())
tasks = [dask.delayed(lambda _: threading.get_ident())(i) for i in range(4)]
here = {threading.get_ident()}
print(set(dask.compute(*tasks)) == here, dask.config.get("num_workers"))
print(dask.config.get("scheduler_address", "unset"))
"""


@pytest.mark.parametrize(
    "kind, workers, said",
    [
        ("none", None, ["one thread of this process", "True 1", "None"]),
        ("threads", 3, ["threads of this process", "False 3", "None"]),
        (None, None, ["threads of this process", f"False {dask.system.CPU_COUNT}", "None"]),
    ],
)
def test_a_process_alone_computes_as_told(
    kind: str | None, workers: int | None, said: list[str]
) -> None:
    with started(kind, workers) as compute:
        lines = subprocess.check_output(
            [sys.executable, "-c", TOLD], text=True, env={**os.environ, **compute.environment}
        )
    assert lines.splitlines() == said
    assert compute.record["memory_per_worker"] is None and compute.record["workers"] == 1


BLAS = """
import threading, numpy, scipy.linalg, threadpoolctl
from liscope.cluster import connect
connect()
def tell():
    print({one["num_threads"] for one in threadpoolctl.threadpool_info()})
thread = threading.Thread(target=tell)
thread.start()
thread.join()
tell()
"""


@pytest.mark.parametrize("told", [True, False])
def test_matrix_products_keep_to_one_thread(told: bool) -> None:
    with started("threads", 2) as compute:
        more = compute.environment if told else {"OPENBLAS_NUM_THREADS": "2"}
        script = BLAS.replace("connect()\n", "") if told else BLAS  # by liscope run, or by hand
        lines = subprocess.check_output(
            [sys.executable, "-c", script], text=True, env={**os.environ, **more}
        )
    assert lines.splitlines() == ["{1}", "{1}"]


@pytest.mark.parametrize(
    "arguments, line",
    [
        (("clusters",), "cluster: got 'clusters'; right is none, threads, local, slurm"),
        (("threads", 0), "workers: got 0; right is at least 1"),
        (("none", 2), "workers: 'none' takes none"),
        (("tcp://127.0.0.1:1", 2), "workers: 'tcp://127.0.0.1:1' takes none"),
        (("threads", 2, "4 GB"), "memory: only 'local' and 'slurm'"),
        (("slurm",), "workers: say how many slurm is to start"),
        (("gateway",), "workers: say how many gateway is to start"),
        (("local", 2, "much"), "memory: got 'much'; right is at least 256 MiB"),
        (("local", 2, "-4 GB"), "memory: got '-4 GB'"),
        (("local", 2, "inf"), "memory: got 'inf'"),
        (("local", 2, "nan GB"), "memory: got 'nan GB'"),
        (("local", 2, "1e400"), "memory: got '1e400'"),
        (("local", 2, "10 kB"), "memory: got '10 kB'"),
        (("local", 2, "900 TB"), "memory: 2 workers of .* need more than this"),
        (("local", 10**9), "memory: .* workers of 256.00 MiB need more"),
        (("gateway", 2), r"gateway needs pip install \"liscope\[gateway\]\""),
        (("tcp://",), "no scheduler of dask answers"),
        (("udp://127.0.0.1:1",), "no scheduler of dask answers"),
        (("tcp://no.such.host.invalid:8786",), "no scheduler of dask answers"),
        (("tcp://127.0.0.1:1",), "no scheduler of dask answers"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    arguments: tuple[Any, ...], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "TIMEOUT", 0.5)
    monkeypatch.setitem(sys.modules, "dask_gateway", None)
    begin = time.monotonic()
    with pytest.raises(ParameterError, match=line) as error, started(*arguments):
        pass
    assert "\n" not in str(error.value)
    assert time.monotonic() - begin < 3


def test_another_service_at_the_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "TIMEOUT", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            while True:
                try:
                    server.accept()[0].sendall(b"SSH-2.0-OpenSSH_9.2\r\n" * 9)
                except OSError:
                    return

        threading.Thread(target=greet, daemon=True).start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", address)
        with pytest.raises(ParameterError, match="no scheduler of dask answers"):
            connect()
    assert kinds.default() is None


WAITS = """
import sys
from liscope.cluster import started

if __name__ == "__main__":
    with started("local", 2) as compute:
        print("ready", flush=True)
        sys.stdin.readline()
        raise OSError("no space left")
"""


@pytest.mark.parametrize("end", ["KeyboardInterrupt", "OSError: no space left"])
def test_no_worker_outlives_its_parent(end: str, tmp_path: Any) -> None:
    script = tmp_path / "waits.py"
    script.write_text(WAITS)
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process = subprocess.Popen([sys.executable, script], text=True, start_new_session=True, **pipes)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 2
    if end == "KeyboardInterrupt":
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        errors = process.communicate(timeout=20)[1]
    else:
        errors = process.communicate("\n", timeout=20)[1]
    assert errors.count("Traceback") == 1 and errors.splitlines()[-1] == end
    end = time.monotonic() + 10
    while any(map(_lives, workers)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(map(_lives, workers))


def _lives(process: psutil.Process) -> bool:
    # Where nobody takes notice of the end of an orphan, its number is left.
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def job(**told: Any) -> str:
    """Return the job script, with some of ``jobqueue.yaml`` as told."""
    yaml = {f"jobqueue.slurm.{name.replace('_', '-')}": value for name, value in told.items()}
    with dask.config.set(yaml), SLURMCluster(**kinds._job(None)) as cluster:
        return str(cluster.job_script())


def test_a_slurm_job_asks_for_what_a_worker_needs() -> None:
    script = job()
    for line in ("#SBATCH --cpus-per-task=1", "#SBATCH --mem=2G", "#SBATCH -t 00:30:00"):
        assert line in script.splitlines()
    assert f"{sys.executable} -m distributed.cli.dask_worker tcp://" in script
    assert "--lifetime=1440s --lifetime-stagger=180s" in script  # 27 of 30 minutes at most


def test_jobqueue_yaml_has_the_say() -> None:
    script = job(cores=8, processes=4, memory="32 GiB", queue="cpu", worker_extra_args=["--no-x"])
    for line in ("#SBATCH --cpus-per-task=8", "#SBATCH --mem=32G", "#SBATCH -p cpu"):
        assert line in script.splitlines()
    assert "--nworkers 4" in script and "--no-x" in script and "lifetime" not in script


@pytest.mark.parametrize(
    "walltime, seconds",
    [("30", 1800), ("2:30", 150), ("01:02:03", 3723), ("1-0", 86400), ("2-1:30", 178200)],
)
def test_walltimes_are_read_as_slurm_reads_them(walltime: str, seconds: int) -> None:
    # sbatch(1), --time: minutes, minutes:seconds, hours:minutes:seconds, days-hours, ...
    assert kinds._seconds(walltime) == seconds


def test_without_slurm_it_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ParameterError, match="no sbatch here"), started("slurm", 2):
        pass


def test_a_gateway_s_cluster_is_used_and_shut_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in of dask-gateway; tests/test_cluster_services.py has the real one."""
    closed = []

    class Cluster(LocalCluster):
        def get_client(self, set_as_default: bool = True) -> Any:
            return kinds.dd.Client(self, set_as_default=set_as_default)

        def __exit__(self, *error: Any) -> Any:
            closed.append(self.status.name)
            return super().__exit__(*error)

    class Gateway:
        def new_cluster(self, shutdown_on_close: bool) -> Any:
            assert shutdown_on_close
            return Cluster(n_workers=0, threads_per_worker=1, dashboard_address="127.0.0.1:0")

    class Absent:
        def __init__(self) -> None:
            raise ValueError("No dask-gateway address provided\nor found")

    module = SimpleNamespace(
        Gateway=Gateway, GatewayClusterError=KeyError, GatewayServerError=KeyError
    )
    monkeypatch.setitem(sys.modules, "dask_gateway", module)
    with started("gateway", 1) as compute:
        assert compute.record["kind"] == "gateway" and compute.record["workers"] == 1
        assert not closed
    assert closed == ["running"]
    module.Gateway = Absent
    with pytest.raises(ParameterError, match="address provided or found"), started("gateway", 1):
        pass
