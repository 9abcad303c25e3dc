"""Holds a workflow's model, its notebook's parameters cell and its parameter files together."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from liscope.errors import LiscopeError
from liscope.workflow.parameters import Parameters
from liscope.workflow.params_file import load_parameters
from liscope.workflow.project import Project, Workflow


class CellParameter(NamedTuple):
    """One line of the parameters cell: ``name = value  # comment``."""

    name: str
    value: object
    comment: str


def cell_parameters(workflow: Workflow) -> list[CellParameter]:
    """Return the lines of the notebook's cell tagged ``parameters``.

    Raises
    ------
    ValueError
        If there is not one such cell, or it holds anything but names and literal values.
    """
    cells = [
        "".join(cell["source"])
        for cell in workflow.document["cells"]
        if "parameters" in cell.get("metadata", {}).get("tags", [])
    ]
    if len(cells) != 1:
        raise ValueError(f"{len(cells)} cells are tagged 'parameters', one is needed")
    lines = cells[0].splitlines()
    return [_parameter(statement, lines) for statement in ast.parse(cells[0]).body]


def check_consistency(project: Project, workflow: Workflow) -> list[str]:
    """Return what disagrees between model, notebook and parameter files; nothing if all is well."""
    return [f"{workflow.name}: {fault}" for fault in _faults(project, workflow)]


def _parameter(statement: ast.stmt, lines: list[str]) -> CellParameter:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            pass
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            pass
        case _:
            raise ValueError(f"line {statement.lineno} is not 'name = value'")
    # From the end of the value: a '#' inside a text is none.
    end = (statement.end_lineno or 1) - 1
    tail = lines[end].encode()[statement.end_col_offset :].decode()
    return CellParameter(name, ast.literal_eval(value), tail.partition("#")[2].strip())


def _faults(project: Project, workflow: Workflow) -> Iterator[str]:
    try:
        found = cell_parameters(workflow)
    except (SyntaxError, ValueError) as error:
        yield f"parameters cell: {error}"
        return
    yield from _faults_of_cell(workflow.model, found)
    code = "\n".join(workflow.sources())
    for call in ("from_namespace(globals())", "deliver("):
        if call not in code:
            yield f"no cell calls {call}"
    for file in workflow.samples:
        yield from _faults_of_file(workflow.model, file)


def _faults_of_cell(model: type[Parameters], found: list[CellParameter]) -> Iterator[str]:
    names = [parameter.name for parameter in found]
    if names != list(model.model_fields):
        yield f"cell has {', '.join(names)}; model has {', '.join(model.model_fields)}"
    defaults = model.check({}).plain()
    for name, value, comment in found:
        if name in defaults and _json(value) != _json(defaults[name]):
            yield f"{name} is {value!r} in the cell, {defaults[name]!r} in the model"
        unit = model.meaning(name).unit if name in defaults else ""
        if not comment or unit not in comment:
            yield f"{name} needs a comment{f' with its unit {unit}' if unit else ''}"


def _faults_of_file(model: type[Parameters], file: Path) -> Iterator[str]:
    import yaml  # what papermill reads parameter files with; needed nowhere else

    try:
        ours = load_parameters(model, file, [])
        theirs = model.check(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    except LiscopeError as error:
        yield f"{file.name}: {error}"
        return
    if ours != theirs:
        yield f"{file.name}: means something else to papermill than to liscope"
    if ours.sample != file.stem:
        yield f"{file.name}: sample should be '{file.stem}'"


def _json(value: Any) -> str:
    """Compare as the run sees values: tuples are lists, but 1 is not True."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = float(value)
    return json.dumps(value, default=str)
