"""Shows how far a long computation has come, wherever somebody can see it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any, TypeVar

Item = TypeVar("Item")

QUIET = 2.0  # seconds before anything is shown
_EVERY = 0.2  # seconds between two notes
_PATIENCE = 2.0  # seconds for a last answer of a scheduler
FILE = ".progress"


def track(iterable: Iterable[Item], label: str, total: int | None = None) -> Iterator[Item]:
    """Return the items of ``iterable`` one by one, and show how many are done.

    A notebook under ``liscope run`` leaves a note for the runner, which shows it; a terminal and
    JupyterLab show a bar; elsewhere nothing is shown. Work of less than two seconds stays silent.

    Parameters
    ----------
    iterable
        What is worked through.
    label
        A few words on what is done.
    total
        How many items there are, where ``iterable`` has no length.
    """
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    if folder := os.environ.get("LISCOPE_RUN"):
        return _noting(iterable, label, total, Path(folder) / FILE)
    if sys.stderr.isatty() or "JPY_SESSION_NAME" in os.environ:
        return _bar(iterable, label, total)
    return iter(iterable)


@contextmanager
def watch(label: str) -> Iterator[None]:
    """Show how far the dask computations inside have come, task by task, wherever they run."""
    client = _client()
    with _watch_process(label) if client is None else _watch_cluster(label, client):
        yield


@contextmanager
def _watch_process(label: str) -> Iterator[None]:
    """Count the tasks that this process ends."""
    from dask.callbacks import Callback  # here: it is slow to import

    steps: list[Iterator[int]] = []

    def start(graph: Mapping[object, object]) -> None:
        steps.append(track(range(len(graph)), label))
        next(steps[-1], None)  # an item is done when the next one is asked for

    def done(*_: object) -> None:
        next(steps[-1], None)

    def finish(*_: object) -> None:
        _exhaust(steps.pop())

    with Callback(start=start, posttask=done, finish=finish):
        yield


def _client() -> Any:
    """Return the client of dask.distributed that computations of this process go to, or None."""
    if "distributed" not in sys.modules:
        return None
    from dask.base import get_scheduler

    client = getattr(get_scheduler(), "__self__", None)
    return client if hasattr(client, "run_on_scheduler") else None


@contextmanager
def _watch_cluster(label: str, client: Any) -> Iterator[None]:
    """Ask the scheduler now and then how many of this client's tasks are done."""
    stop = Event()
    watcher = Thread(target=_poll, args=(label, client, stop), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join(_PATIENCE)


def _poll(label: str, client: Any, stop: Event) -> None:
    work: object = None
    steps: Iterator[int] = iter(())
    shown = 0
    with suppress(Exception):  # such as a scheduler that knows nothing of this library
        while not stop.wait(_EVERY):
            found, done, total = client.run_on_scheduler(_tasks, client.id)
            if found != work:
                _exhaust(steps)
                work, steps, shown = found, track(range(total), label), 0
                next(steps, None)
            for _ in range(shown, done):
                next(steps, None)
            shown = max(shown, done)
    _exhaust(steps)


def _tasks(client: str, dask_scheduler: Any) -> tuple[tuple[str, ...], int, int]:
    """Return, on the scheduler, what a client wants, and how many of the tasks for it are done."""
    wanted = {task.group for task in dask_scheduler.clients[client].wants_what}
    groups, left = set(), list(wanted)
    while left:
        group = left.pop()
        if group not in groups:
            groups.add(group)
            left += group.dependencies
    done = ("memory", "released", "forgotten", "erred")
    count = sum(group.states[state] for group in groups for state in done)
    return tuple(sorted(group.name for group in wanted)), count, sum(map(len, groups))


def _exhaust(steps: Iterator[int]) -> None:
    for _ in steps:
        pass


def _bar(iterable: Iterable[Item], label: str, total: int | None) -> Iterator[Item]:
    from tqdm.auto import tqdm  # here: it is slow to import in a notebook

    return iter(tqdm(iterable, desc=label, total=total, delay=QUIET, leave=False))


def _noting(iterable: Iterable[Item], label: str, total: int | None, file: Path) -> Iterator[Item]:
    due = time.monotonic() + QUIET
    try:
        for done, item in enumerate(iterable):
            if time.monotonic() >= due:
                _note(file, {"label": label, "done": done, "total": total})
                due = time.monotonic() + _EVERY
            yield item
    finally:
        file.unlink(missing_ok=True)


def _note(file: Path, note: dict[str, object]) -> None:
    """Write the note whole, as it is read at any time."""
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(note), encoding="utf-8")
    fresh.replace(file)
