"""Holds a workflow's model, its notebook's parameters cell and its parameter files together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from liscope.errors import LiscopeError
from liscope.workflow.parameter_cells import CellParameter, parameters_cell, read_cell
from liscope.workflow.parameters import Parameters
from liscope.workflow.params_file import load_parameters
from liscope.workflow.project import Project, Workflow


def check_consistency(project: Project, workflow: Workflow) -> list[str]:
    """Return what disagrees between model, notebook and parameter files; nothing if all is well."""
    return [f"{workflow.name}: {fault}" for fault in _faults(project, workflow)]


def _faults(project: Project, workflow: Workflow) -> Iterator[str]:
    try:
        found = read_cell("".join(parameters_cell(workflow.document)["source"]))
    except ValueError as error:
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
