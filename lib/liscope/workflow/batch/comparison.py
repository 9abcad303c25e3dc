"""The notebook that compares the runs of a sweep: which columns it starts with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from liscope.workflow.batch.plan import Plan
from liscope.workflow.batch.table import Table

_TEMPLATE = Path(__file__).parent / "comparison.ipynb"


def comparison_notebook(table: Table, plan: Plan) -> str:
    """Return the notebook as text, with its parameters set to columns of ``table``."""
    notebook = json.loads(_TEMPLATE.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["id"] == "parameters":
            cell["source"] = _with_defaults(cell["source"], defaults(table, plan.varied))
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def defaults(table: Table, varied: Sequence[str]) -> dict[str, str]:
    """Return the columns to plot first: a number against what varied most like a number.

    Returns
    -------
    Column names for ``x``, ``y`` and ``colour``; nothing where there is no such column.
    """
    different = [name for name in table.parameters if _count(table, name) > 1]
    names = list(dict.fromkeys([*(n for n in varied if n in different), *different])) or ["sample"]
    x = next((name for name in names if _is_number(table, name)), names[0])
    numbers = [name for name in table.results.values() if _is_number(table, name)]
    moving = [name for name in numbers if len({row.get(name) for row in table.rows} - {None}) > 1]
    others = [name for name in names if name != x]
    return {"x": x, "y": (moving or numbers or [""])[0], "colour": (others or [""])[0]}


def _with_defaults(source: Sequence[str], chosen: dict[str, str]) -> list[str]:
    lines = []
    for line in source:
        name, equals, rest = line.partition(" = ")
        comment = rest.partition("  # ")[2]
        known = equals and name in chosen
        lines.append(f"{name} = {json.dumps(chosen[name])}  # {comment}" if known else line)
    return lines


def _count(table: Table, name: str) -> int:
    return len({json.dumps(row.get(name)) for row in table.rows})


def _is_number(table: Table, name: str) -> bool:
    values = [row.get(name) for row in table.rows]
    found = [value for value in values if value is not None]
    return bool(found) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in found
    )
