"""Shows how far a long computation has come, wherever somebody can see it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")

QUIET = 2.0  # seconds before anything is shown
_EVERY = 0.2  # seconds between two notes
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
    """Show how far the dask computations inside have come, task by task.

    Work on a cluster of dask.distributed is not seen from here; its dashboard shows it.
    """
    from dask.callbacks import Callback  # here: it is slow to import

    steps: list[Iterator[int]] = []

    def start(graph: Mapping[object, object]) -> None:
        steps.append(track(range(len(graph)), label))
        next(steps[-1], None)  # an item is done when the next one is asked for

    def done(*_: object) -> None:
        next(steps[-1], None)

    def finish(*_: object) -> None:
        for _left in steps.pop():
            pass

    with Callback(start=start, posttask=done, finish=finish):
        yield


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
