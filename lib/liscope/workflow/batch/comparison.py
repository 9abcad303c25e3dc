"""The notebook that compares the runs of a sweep: which columns it starts with."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from liscope.workflow.batch.plan import Plan
from liscope.workflow.batch.table import Table

_TEMPLATE = Path(__file__).parent / "comparison.ipynb"
_PROPOSED = " -p y median"  # in the template, which knows no column


def comparison_notebook(table: Table, plan: Plan) -> str:
    """Return the notebook as text, with its parameters set to columns of ``table``."""
    notebook = json.loads(_TEMPLATE.read_text(encoding="utf-8"))
    model = plan.workflow.model
    # What goes with the samples is not told again where something else varied.
    units = {name: model.meaning(name).unit for name in plan.varied or _different(table, [])}
    first = defaults(table, plan.varied)
    chosen = {**first, "varied": {"sample": "", **units}}
    other = (_moving(table)[1:] or [first["y"]])[0]
    proposed = f" -p y {shlex.quote(other)}" if other else ""
    for cell in notebook["cells"]:
        if cell["id"] == "parameters":
            cell["source"] = _with_defaults(cell["source"], chosen)
        if cell["id"] == "question":
            cell["source"] = [text.replace(_PROPOSED, proposed) for text in cell["source"]]
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def defaults(table: Table, varied: Sequence[str]) -> dict[str, str]:
    """Return the columns to plot first: a number against what varied most like a number.

    Returns
    -------
    Column names for ``x``, ``y`` and ``colour``; nothing where there is no such column.
    """
    names = _different(table, varied) or ["sample"]
    x = next((name for name in names if _is_number(table, name)), names[0])
    others = [name for name in names if name != x]
    return {"x": x, "y": ([*_moving(table), ""])[0], "colour": (others or [""])[0]}


def _different(table: Table, varied: Sequence[str]) -> list[str]:
    """Return the parameters that are not the same in all runs; first those of ``vary``."""
    different = [name for name in table.parameters if _count(table, name) > 1]
    return list(dict.fromkeys([*(name for name in varied if name in different), *different]))


def _moving(table: Table) -> list[str]:
    """Return the summary numbers that differ between runs; all of them if none does."""
    numbers = [name for name in table.results.values() if _is_number(table, name)]
    moving = [name for name in numbers if len({row.get(name) for row in table.rows} - {None}) > 1]
    return moving or numbers


def _with_defaults(source: Sequence[str], chosen: Mapping[str, object]) -> list[str]:
    lines = []
    for line in source:
        name, equals, rest = line.partition(" = ")
        comment = rest.partition("  # ")[2]
        known = equals and name in chosen
        value = json.dumps(chosen[name], ensure_ascii=False) if known else ""
        lines.append(f"{name} = {value}  # {comment}" if known else line)
    return lines


def _count(table: Table, name: str) -> int:
    return len({json.dumps(row.get(name)) for row in table.rows})


def _is_number(table: Table, name: str) -> bool:
    values = [row.get(name) for row in table.rows]
    found = [value for value in values if value is not None]
    return bool(found) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in found
    )
