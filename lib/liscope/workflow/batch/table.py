"""The table of a sweep: one row a run, with its parameters and its summary numbers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from liscope.workflow.batch.pool import Outcome
from liscope.workflow.deliver import SUMMARY
from liscope.workflow.pages import read_json

FIRST = ("workflow", "sample", "key", "state", "error")


class Table:
    """Columns and rows; both depend on the sweep and its results alone, not on time or machine."""

    def __init__(self, workflow: str, outcomes: Sequence[Outcome]) -> None:
        self.parameters = list(type(outcomes[0].job.parameters).model_fields)
        summaries = [summary_of(outcome) for outcome in outcomes]
        names = dict.fromkeys(name for summary in summaries for name in summary)
        taken = {*FIRST, *self.parameters}
        self.results = {name: _free(name, taken) for name in names}
        self.rows = [
            _first(workflow, outcome)
            | outcome.job.parameters.plain()
            | {self.results[name]: value for name, value in summary.items()}
            for outcome, summary in zip(outcomes, summaries, strict=True)
        ]

    @property
    def columns(self) -> list[str]:
        """The names of all columns, in order."""
        return list(dict.fromkeys([*FIRST, *self.parameters, *self.results.values()]))

    def csv(self) -> str:
        """Return the table as text: numbers in full, lists as JSON, nothing for None.

        A text that a spreadsheet would take for a formula has an apostrophe before it.
        """
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(_cells(row, self.columns) for row in self.rows)
        return stream.getvalue()


def summary_of(outcome: Outcome) -> dict[str, Any]:
    """Return the summary numbers of a run; none where it did not end well."""
    return read_json(outcome.folder / SUMMARY) if outcome.folder else {}


def _first(workflow: str, outcome: Outcome) -> dict[str, Any]:
    return {
        "workflow": workflow,
        "key": outcome.key,
        "state": outcome.state,
        "error": outcome.error,
    }


def _free(name: str, taken: set[str]) -> str:
    """Return a column's name for a result; not one that a parameter has."""
    while name in taken:
        name = f"result_{name}"
    taken.add(name)
    return name


def _cells(row: Mapping[str, Any], columns: Iterable[str]) -> list[str]:
    return [_cell(row.get(name)) for name in columns]


def _cell(value: object) -> str:
    if isinstance(value, str):
        return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
    return "" if value is None else json.dumps(value, ensure_ascii=False)
