"""Shows how far a batch has come: a bar on a terminal, else a line for each run."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from liscope.workflow.batch.pool import Outcome, View


@contextmanager
def shown(name: str, runs: int) -> Iterator[View]:
    """Show ``runs`` runs of the sweep ``name``, as the place where it is shown allows."""
    if not sys.stderr.isatty():
        yield _Lines(runs)
        return
    from tqdm import tqdm  # here: only a terminal needs it

    with tqdm(total=runs, desc=name, unit="run", dynamic_ncols=True) as bar:
        yield _Bar(bar)


class _Lines:
    def __init__(self, runs: int) -> None:
        self._runs = runs
        self._ended = 0

    def ended(self, outcome: Outcome) -> None:
        if outcome.state == "not run":
            return
        self._ended += 1
        line = f"{self._ended} of {self._runs}: {outcome.job.label}: {outcome.state}"
        click.echo(f"{line}, {outcome.error}" if outcome.error else line)

    def running(self, labels: Sequence[str]) -> None:
        pass


class _Bar:
    """The bar says how many failed and what is running; a failure has a line above it."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._failed = 0

    def ended(self, outcome: Outcome) -> None:
        if outcome.error:
            self._failed += 1
            self._bar.write(f"{outcome.job.label}: failed, {outcome.error}", file=sys.stderr)
        self._bar.update(outcome.state != "not run")

    def running(self, labels: Sequence[str]) -> None:
        text = f"{self._failed} failed" + (f", now {'; '.join(labels)}" if labels else "")
        room = max(20, shutil.get_terminal_size().columns - 70)
        self._bar.set_postfix_str(text if len(text) <= room else f"{text[: room - 1]}…")
