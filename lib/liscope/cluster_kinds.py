"""Worker processes of each kind, as a client of dask.distributed that stops them at its end."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module, metadata
from platform import python_version
from typing import Any, cast

from dask import config
from dask.system import CPU_COUNT
from dask.utils import format_bytes, parse_bytes
from distributed import Client
from distributed.system import MEMORY_LIMIT

from liscope.errors import ParameterError
from liscope.progress import track

LEAST = 256 * 2**20  # bytes, below which a worker cannot even load the library
TIMEOUT = 5  # seconds in which a scheduler must answer
SAME = ("liscope", "numpy", "scipy", "dask", "distributed")  # packages that make the numbers
# On a free port, and without a dashboard: it takes a second to load, and is open to everybody.
QUIET = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
# Ctrl-C in a terminal reaches workers as well; it is the parent that stops them.
DEAF = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)"
RESTART = "120 s"  # that a worker which died may take to come back, or it is given up for good
# Arrays of some megabytes come and go all the time. Workers that return each to the system at once,
# as dask has them do, spend a third of their time on that.
HOARD = {"MALLOC_TRIM_THRESHOLD_": 128 * 2**20, "MALLOC_MMAP_THRESHOLD_": 32 * 2**20}

dd: Any = import_module("distributed")  # it has no types


def opened(where: str, workers: int | None, memory: str | None) -> AbstractContextManager[Client]:
    """Return a client of workers of a kind, or at an address; leaving it stops what was started.

    Raises
    ------
    ParameterError
        As :func:`liscope.cluster.started` says.
    """
    limit = None if memory is None else _size(memory)
    if where == "local":
        return _local(workers or CPU_COUNT, limit)
    if where == "slurm":
        return _slurm(workers or 1, limit)
    return _gateway(workers or 1) if where == "gateway" else _address(where)


def client_of(address: str, *, set_as_default: bool) -> Client:
    """Return a client of the scheduler at an address.

    Raises
    ------
    ParameterError
        If no scheduler of dask answers there within some seconds.
    """
    with warnings.catch_warnings(), _silent():
        warnings.simplefilter("ignore")  # of other versions, with addresses: checked by the parent
        if address.startswith("gateway://"):
            name = address.rpartition("/")[2]
            cluster = _gateway_answer(lambda gateway: gateway.connect(name))
            client = cluster.get_client(set_as_default=set_as_default)
        else:
            _check_answer(address)
            client = dd.Client(address, timeout=TIMEOUT, set_as_default=set_as_default)
    return cast(Client, client)


def _check_answer(address: str) -> None:
    """Refuse an address where nobody listens, or somebody else; a client would take long for it."""

    async def knock() -> None:
        arguments = dd.Security().get_connection_args("client")
        await (await dd.comm.connect(address, timeout=TIMEOUT, **arguments)).close()

    try:
        with ThreadPoolExecutor(1) as thread:  # a notebook's own thread runs a loop already
            thread.submit(asyncio.run, knock()).result()
    except (OSError, ValueError, TypeError, MemoryError):  # as others' answers make dask do
        raise ParameterError(
            "cluster: no scheduler of dask answers at the address that --cluster or "
            "DASK_SCHEDULER_ADDRESS gives; start one there, or leave it out"
        ) from None


def default() -> Client | None:
    """Return the client that this process has already, if it has one."""
    try:
        return cast(Client, dd.Client.current())
    except ValueError:
        return None


@contextmanager
def _local(workers: int, memory: int | None) -> Iterator[Client]:
    """Start processes of one thread each on this machine."""
    each = memory or MEMORY_LIMIT // workers
    if each < LEAST or workers * each > MEMORY_LIMIT:
        raise ParameterError(
            f"memory: {workers} workers of {format_bytes(memory or LEAST)} need more than this "
            f"machine's {format_bytes(MEMORY_LIMIT)}; give less memory or fewer workers"
        )
    with (
        config.set({f"distributed.nanny.pre-spawn-environ.{name}": n for name, n in HOARD.items()}),
        config.set({"distributed.deploy.lost-worker-timeout": RESTART}),
        dd.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=each,
            preload=DEAF,
            scheduler_kwargs=QUIET,
        ) as cluster,
        dd.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def _slurm(workers: int, memory: int | None) -> Iterator[Client]:
    """Submit jobs; a worker that ends, or is lost, is replaced."""
    with (
        _package("dask_jobqueue", "slurm").SLURMCluster(**_job(memory)) as cluster,
        dd.Client(cluster, set_as_default=False) as client,
    ):
        _check_job(cluster.job_script())
        cluster.scale(workers)
        _first_worker(client)  # before jobs are replaced, lest a broken one come again and again
        cluster.adapt(minimum=workers, maximum=workers)
        yield client


def _job(memory: int | None) -> dict[str, Any]:
    """Return what a job needs and dask's ``jobqueue.yaml`` does not say."""
    told = config.get("jobqueue.slurm")
    processes = told["processes"] or 1
    job: dict[str, Any] = {"scheduler_options": QUIET | told["scheduler-options"]}
    job |= {"cores": told["cores"] or 1, "processes": processes}
    job["memory"] = f"{memory * processes} B" if memory else told["memory"] or "2 GiB"
    if not told["worker-extra-args"] and told["walltime"]:
        last = _seconds(told["walltime"])  # a worker hands over its work before SLURM ends it
        lifetime = [f"--lifetime={0.8 * last:.0f}s", f"--lifetime-stagger={0.1 * last:.0f}s"]
        job["worker_extra_args"] = lifetime
    return job


def _seconds(walltime: str) -> int:
    """Return the seconds of SLURM's [days-]hours:minutes:seconds, or minutes[:seconds]."""
    days, _, clock = walltime.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    if days:
        parts += [0] * (3 - len(parts))
    elif len(parts) < 3:
        parts = [0, *parts, 0][:3]
    return ((int(days or 0) * 24 + parts[0]) * 60 + parts[1]) * 60 + parts[2]


def _check_job(script: str) -> None:
    """Ask SLURM whether it would take the job."""
    try:
        subprocess.run(
            ["sbatch", "--test-only"],
            input=script,
            text=True,
            capture_output=True,
            check=True,
            timeout=60,
        )
    except FileNotFoundError:
        raise ParameterError("cluster: no sbatch here; start on a machine of the cluster") from None
    except subprocess.TimeoutExpired:
        raise ParameterError("cluster: SLURM does not answer; try later, see sinfo") from None
    except subprocess.CalledProcessError as error:
        why = error.stderr.strip().splitlines() or ["no reason given"]
        raise ParameterError(
            f"cluster: SLURM refuses the job ({why[-1]}); see jobqueue.yaml"
        ) from None


@contextmanager
def _gateway(workers: int) -> Iterator[Client]:
    """Start a cluster through the gateway that dask's ``gateway.yaml`` names."""
    cluster = _gateway_answer(lambda gateway: gateway.new_cluster(shutdown_on_close=True))
    with cluster, cluster.get_client(set_as_default=False) as client:
        cluster.scale(workers)
        _first_worker(client)
        _check_versions(client)
        yield client


def _gateway_answer(ask: Callable[[Any], Any]) -> Any:
    """Return what the gateway that dask's ``gateway.yaml`` names answers."""
    package = _package("dask_gateway", "gateway")
    known = (package.GatewayClusterError, package.GatewayServerError, OSError, ValueError)
    try:
        return ask(package.Gateway())
    except known as error:
        why = " ".join(str(error).split())
        raise ParameterError(
            f"cluster: no cluster of the gateway ({why}); see gateway.yaml"
        ) from None


@contextmanager
def _address(address: str) -> Iterator[Client]:
    with client_of(address, set_as_default=False) as client:
        if not client.scheduler_info(n_workers=-1)["workers"]:
            raise ParameterError("cluster: the scheduler there has no workers; start some first")
        _check_versions(client)
        yield client


def _first_worker(client: Client) -> None:
    """Wait for a worker, however long the queue is, and show it."""
    for _ in track(range(1), "waiting for the first worker"):
        client.wait_for_workers(1)


def _check_versions(client: Client) -> None:
    """Refuse workers that would not give the same numbers."""
    ours = versions()
    try:
        theirs = client.run(versions).values()
    except ModuleNotFoundError:
        raise ParameterError(
            "cluster: a worker there has no liscope; use one environment"
        ) from None
    for found in theirs:
        for name in ours:
            if found[name] != ours[name]:
                raise ParameterError(
                    f"cluster: a worker there has {name} {found[name]}, here it is {ours[name]}; "
                    "use one environment"
                )


def versions() -> dict[str, str]:
    """Return the versions that make the numbers, of this process."""
    return {"Python": python_version()} | {name: metadata.version(name) for name in SAME}


def _size(memory: str) -> int:
    """Return a size in bytes."""
    try:
        size = int(parse_bytes(memory))
    except (ValueError, OverflowError):
        size = 0
    if size < LEAST:
        raise ParameterError(f"memory: got '{memory}'; right is at least 256 MiB, such as '4 GB'")
    return size


def _package(name: str, extra: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise ParameterError(f'cluster: {extra} needs pip install "liscope[{extra}]"') from None


@contextmanager
def _silent() -> Iterator[None]:
    """Keep dask's own words about a connection, with addresses in them, off the screen."""
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)
