"""Describes a notebook as a workflow with typed parameters, and the values that a run gave them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args, get_origin
from urllib.parse import quote

from liscope.workflow.project import Workflow
from liscope.workflow.quantities import leaf_types
from liscope.workflow.share.inputs import Data
from liscope.workflow.share.selection import SharedRun

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

WORKFLOW = ["File", "SoftwareSourceCode", "ComputationalWorkflow"]
_BIOSCHEMAS = "https://bioschemas.org/profiles"
_LANGUAGE = "#jupyter"
_TYPES = {float: "Float", int: "Integer", bool: "Boolean", str: "Text"}


def add_workflow(crate: ROCrate, runs: Sequence[SharedRun]) -> None:
    """Say of the notebook of these runs, a file of the crate, what goes in and what comes out.

    By hand, because the ``rocrate`` package knows no Jupyter as the language of a workflow.
    """
    if crate.get(_LANGUAGE) is None:
        language = {"name": "Jupyter Notebook (Python)", "url": "https://jupyter.org/"}
        add_entity(crate, _LANGUAGE, "ComputerLanguage", **language)
    workflow = runs[0].workflow
    outputs = sorted({name for run in runs for name in run.record["outputs"]})
    files = {name for run in runs for name in run.parameters.inputs() if _is_file(run, name)}
    inputs = [_add_formal(crate, workflow, name, files) for name in workflow.model.model_fields]
    notebook: Any = crate.get(f"notebooks/{quote(workflow.notebook.name)}")
    notebook["conformsTo"] = {"@id": f"{_BIOSCHEMAS}/ComputationalWorkflow/1.0-RELEASE"}
    notebook["name"] = workflow.title
    notebook["version"] = runs[0].record["components"]["notebook"][:12]
    notebook["programmingLanguage"] = {"@id": _LANGUAGE}
    notebook["softwareRequirements"] = {"@id": "lib/liscope/"}
    if crate.get("requirements.lock"):
        notebook.append_to("softwareRequirements", {"@id": "requirements.lock"})
    notebook["input"] = inputs
    notebook["output"] = [_add_slot(crate, workflow, name) for name in outputs]


def output_id(workflow: Workflow, name: str) -> str:
    """Return the name of the output that a file of a run is an example of."""
    return f"#{quote(workflow.name)}/output/{quote(name)}"


def add_parameter_values(
    crate: ROCrate, run: SharedRun, data: dict[str, Data]
) -> list[dict[str, str]]:
    """Add what a run was given, and return the references to it."""
    given = []
    inputs = run.parameters.inputs()
    for name, value in run.parameters.plain().items():
        if value is None:
            continue
        formal = _formal_id(run.workflow, name)
        behind = data.get(inputs.get(name, ""))
        if behind and (behind.files or behind.address):
            key = _key_of(behind)
            _append(crate.get(key), "exampleOfWork", formal)
        else:
            key = _add_value(crate, run, name, value, behind)
        _append(crate.get(formal), "workExample", key)
        given.append({"@id": key})
    return given


def _key_of(data: Data) -> str:
    if data.is_folder:
        return f"{quote(data.name)}/"
    return next(map(quote, data.files), data.address)


def _add_value(crate: ROCrate, run: SharedRun, name: str, value: Any, behind: Data | None) -> str:
    key = f"#run/{quote(run.name)}/{name}"
    told: dict[str, Any] = {
        "name": name,
        "value": json.dumps(value) if isinstance(value, list) else value,
        "exampleOfWork": {"@id": _formal_id(run.workflow, name)},
    }
    if unit := run.workflow.model.meaning(name).unit:
        told["unitText"] = unit
    if behind and behind.simulated:
        told["description"] = "simulated by the library"
    elif behind:
        told["description"] = f"not in this archive; {behind.size} bytes, sha256 {behind.sha256}"
    add_entity(crate, key, "PropertyValue", **told)
    return key


def _append(entity: Any, name: str, key: str) -> None:
    """Refer from an entity to another one, once."""
    references = entity.properties().get(name, [])
    if {"@id": key} not in (references if isinstance(references, list) else [references]):
        entity.append_to(name, {"@id": key}, compact=True)


def _formal_id(workflow: Workflow, name: str) -> str:
    return f"#{quote(workflow.name)}/input/{name}"


def _is_file(run: SharedRun, name: str) -> bool:
    return not run.parameters.inputs()[name].startswith("specimen:")


def _add_formal(crate: ROCrate, workflow: Workflow, name: str, files: set[str]) -> dict[str, str]:
    field, meaning = workflow.model.model_fields[name], workflow.model.meaning(name)
    told: dict[str, Any] = {
        "conformsTo": {"@id": f"{_BIOSCHEMAS}/FormalParameter/1.0-RELEASE"},
        "name": name,
        "description": meaning.meaning,
        "additionalType": "File" if name in files else _type(field.annotation),
        "multipleValues": _is_list(field.annotation),
        "valueRequired": False,
        "defaultValue": json.dumps(workflow.model.model_validate({}).plain()[name]),
    }
    if meaning.unit:
        told["unitText"] = meaning.unit
    add_entity(crate, _formal_id(workflow, name), "FormalParameter", **told)
    return {"@id": _formal_id(workflow, name)}


def _add_slot(crate: ROCrate, workflow: Workflow, name: str) -> dict[str, str]:
    key = output_id(workflow, name)
    add_entity(
        crate,
        key,
        "FormalParameter",
        conformsTo={"@id": f"{_BIOSCHEMAS}/FormalParameter/1.0-RELEASE"},
        name=name,
        additionalType="File",
    )
    return {"@id": key}


def add_entity(crate: ROCrate, key: str, kind: str, **properties: Any) -> None:
    """Describe something that is no file of the archive."""
    from rocrate.model.contextentity import ContextEntity  # here: slow to import

    crate.add(ContextEntity(crate, key, {"@type": kind, **properties}))


def _type(annotation: Any) -> str:
    leaves = leaf_types(annotation)
    return next(name for kind, name in _TYPES.items() if kind in leaves)


def _is_list(annotation: Any) -> bool:
    kinds = (annotation, *get_args(annotation))
    return any(get_origin(kind) in (list, tuple) for kind in kinds)
