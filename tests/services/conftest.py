"""SLURM and Dask Gateway on this machine alone, where they are installed, and stopped again."""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dask
import pytest

SETTINGS = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "sinfo", "squeue", "scancel")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """SLURM with one node of two cores."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "/usr/sbin", prepend=os.pathsep)
        if absent := [name for name in PROGRAMS if shutil.which(name) is None]:
            pytest.skip(f"no {', '.join(absent)}: apt-get install slurmctld slurmd munge")
        folder = tmp_path_factory.mktemp("slurm")
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        with _daemons(folder), dask.config.set({"jobqueue.slurm.log-directory": str(folder)}):
            yield


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A gateway whose workers are processes here."""
    pytest.importorskip("dask_gateway_server", reason="pip install 'dask-gateway-server[local]'")
    programs = Path(sys.executable).parent
    (tmp_path / "conf.py").write_text(f"""
c.DaskGateway.backend_class = "dask_gateway_server.backends.local.UnsafeLocalBackend"
c.DaskGateway.address = "127.0.0.1:18100"
c.Proxy.address = "127.0.0.1:18101"
c.UnsafeLocalBackend.clusters_directory = "{tmp_path}/clusters"
c.ClusterConfig.worker_memory = "1 G"
c.ClusterConfig.scheduler_cmd = ["{programs}/dask", "scheduler"]
c.ClusterConfig.worker_cmd = ["{programs}/dask", "worker"]
""")
    server = subprocess.Popen(
        [programs / "dask-gateway-server", "-f", tmp_path / "conf.py"],
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        stderr=subprocess.DEVNULL,
    )
    monkeypatch.setenv("DASK_GATEWAY__ADDRESS", "http://127.0.0.1:18101")
    time.sleep(5)
    try:
        with dask.config.set({"gateway.address": "http://127.0.0.1:18101"}):
            yield
    finally:
        server.terminate()
        server.wait(timeout=30)


@contextmanager
def _daemons(folder: Path) -> Iterator[None]:
    """Start SLURM's daemons, by hand and with all they need in one folder."""
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "key").touch(mode=0o600)
    (folder / "key").write_bytes(secrets.token_bytes(1024))
    host = socket.gethostname().partition(".")[0]
    text = SETTINGS.format(host=host, user=getpass.getuser(), folder=folder, ports=_free_ports())
    (folder / "slurm.conf").write_text(text)
    files = ("socket", "key-file", "log-file", "pid-file", "seed-file")
    names = ("munge.socket", "key", "munged.log", "munged.pid", "seed")
    own = [f"--{option}={folder / name}" for option, name in zip(files, names, strict=True)]
    commands = [
        ["munged", "-F", "--force", *own],
        ["slurmctld", "-D"],
        ["slurmd", "-D", "-N", host],
    ]
    running: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            running.append(_start(command))
            time.sleep(1)
        _wait_for_node()
        yield
    finally:
        for daemon in reversed(running):
            daemon.terminate()
            daemon.wait(timeout=30)


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _wait_for_node() -> None:
    for _ in range(60):
        told = subprocess.run(["sinfo", "-h", "-o", "%t"], capture_output=True)
        if told.stdout.strip() == b"idle":
            return
        time.sleep(0.5)
    raise TimeoutError("SLURM's node does not come up; see the logs in its folder")


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]
