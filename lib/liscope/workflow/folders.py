"""The folder of a run appears whole or not at all.

A run works in ``.running-<sample>-<key>-<token>`` and holds a lock there, which the operating
system frees however the run ends. Folders are made, cleared and renamed only under the one guard
of the workflow's results, so that no two processes meet half-way.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

_LOCK = ".lock"
_RUNNING = ".running-"
_OLD = ".old-"
_NEW = ".new-"


def name_of(sample: str, key: str) -> str:
    """Return the name of a finished run's folder."""
    return f"{sample}-{key}"


def runs_of(results: Path, sample: str) -> list[Path]:
    """Return the finished runs of one sample, oldest first."""
    pattern = re.compile(rf"{re.escape(sample)}-[0-9a-f]{{12}}")
    found = [
        path
        for path in results.glob(f"{sample}-*")
        if pattern.fullmatch(path.name) and (path / "record.json").is_file()
    ]
    return sorted(found, key=lambda path: (path / "record.json").stat().st_mtime_ns)


def scratch_of(running: Path) -> Path:
    """Return the short path for a running folder's sockets; a socket's path must be short."""
    return Path(tempfile.gettempdir()) / f"liscope-{running.name.rpartition('-')[2]}"


@contextmanager
def running_folder(results: Path, name: str) -> Iterator[Path]:
    """Make a folder to run in, which is gone afterwards unless it was published.

    Folders left behind by killed runs are cleared first.
    """
    results.mkdir(parents=True, exist_ok=True)
    folder = results / f"{_RUNNING}{name}-{secrets.token_hex(4)}"
    lock = FileLock(folder / _LOCK)
    with _guard(results):
        _clear(results)
        folder.mkdir()
        lock.acquire()
    try:
        yield folder
    finally:
        lock.release()
        _discard(folder)


def publish(folder: Path, name: str, *, replace: bool = False) -> Path:
    """Give a running folder its final name; if a run of that name is there, keep that one.

    Parameters
    ----------
    folder
        The running folder, complete.
    name
        The final name.
    replace
        Put the new run in the place of an earlier one of the same name.
    """
    results = folder.parent
    final = results / name
    _sync(folder)
    with _guard(results):
        _clear_old(results)
        (folder / _LOCK).unlink(missing_ok=True)
        if final.exists() and (replace or not (final / "record.json").is_file()):
            final.rename(results / f"{_OLD}{name}")
        if not final.exists():
            folder.rename(final)
        _sync_folder(results)
        _clear_old(results)
    return final


@contextmanager
def _guard(results: Path) -> Iterator[None]:
    with FileLock(results / _LOCK):
        yield


def _clear(results: Path) -> None:
    """Remove what killed runs have left: folders whose lock is free."""
    _clear_old(results)
    for folder in results.glob(f"{_RUNNING}*"):
        lock = FileLock(folder / _LOCK)
        with suppress(Timeout, OSError):
            lock.acquire(timeout=0)
            _discard(folder)
            lock.release()


def _clear_old(results: Path) -> None:
    """Finish a replacement, also one that was killed between its two renames."""
    for old in results.glob(f"{_OLD}*"):
        final = results / old.name.removeprefix(_OLD)
        if final.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(final)


def _discard(folder: Path) -> None:
    shutil.rmtree(scratch_of(folder), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def write_whole(path: Path, content: str) -> None:
    """Write a text file such that a reader sees the old one or the new one, also after a kill."""
    _fresh(path.parent, content).replace(path)


def write_new(path: Path, content: str) -> None:
    """Write a text file whole where there is none of its name.

    Raises
    ------
    FileExistsError
        If there is one, also one that was written at the same moment.
    """
    fresh = _fresh(path.parent, content)
    try:
        os.link(fresh, path)  # unlike a rename it replaces nothing
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        path.touch(exist_ok=False)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _fresh(folder: Path, content: str) -> Path:
    descriptor, name = tempfile.mkstemp(prefix=_NEW, dir=folder)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    Path(name).chmod(0o644)
    return Path(name)


def clear_half_written(folder: Path) -> None:
    """Remove what killed calls of `write_whole` and `write_new` have left."""
    for path in folder.glob(f"{_NEW}*"):
        path.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Wait until everything below ``folder`` is on the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("r+b") as stream:
                os.fsync(stream.fileno())
        elif path.is_dir():
            _sync_folder(path)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # elsewhere a folder cannot be opened
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
