"""Copies of a workflow's notebook to explore in, and what was explored in them.

A copy lies in ``results/scratch/`` and holds a sample's parameters in its own parameters cell, each
beside its comment, so that the notebook itself is never edited.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from filelock import FileLock

from liscope.errors import ParameterError, RunError
from liscope.workflow.folders import write_whole
from liscope.workflow.parameter_cells import (
    INJECTED,
    parameters_cell,
    read_cell,
    rewrite_cell,
    tagged,
)
from liscope.workflow.parameters import Parameters, nearest, short
from liscope.workflow.project import SCRATCH, Project, Workflow

_LARGEST = 200_000_000  # bytes; a notebook with every map of a session in it is smaller


def sample_file(workflow: Workflow, sample: str) -> Path:
    """Return the parameter file of a sample.

    Raises
    ------
    ParameterError
        If there is none of that name.
    """
    files = {file.stem: file for file in workflow.samples}
    if sample not in files:
        hint = nearest(sample, files) if files else "there are none"
        raise ParameterError(f"{short(sample, quoted=False)}: no such sample; {hint}")
    return files[sample]


def make_copy(project: Project, workflow: Workflow, parameters: Parameters) -> Path:
    """Write a copy of the notebook with ``parameters`` in it, without outputs; return its path.

    A copy in which somebody has worked is left alone: the next one gets a number.

    Raises
    ------
    RunError
        If the notebook has no parameters cell of plain values, or the folder is a link.
    """
    folder = project.root / "results" / SCRATCH
    if folder.is_symlink():
        raise RunError(f"results/{SCRATCH} leads elsewhere: remove this link")
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{workflow.name}-{parameters.sample}"
    with FileLock(folder / ".lock"):
        number = 1
        while True:
            path = folder / (f"{stem}.ipynb" if number == 1 else f"{stem}-{number}.ipynb")
            text = _copy(workflow, parameters, path.relative_to(project.root).as_posix())
            if not path.exists():
                write_whole(path, text)
                return path
            if path.read_bytes() == text.encode():
                return path
            number += 1


def explored(project: Project, file: Path) -> tuple[Workflow, dict[str, object]]:
    """Return workflow and parameters of an explored notebook; nothing of it is executed.

    A cell tagged ``injected-parameters``, as papermill makes it, wins over the parameters cell.

    Raises
    ------
    ParameterError
        If it is no notebook of this project, or its parameters are code.
    """
    document = _document(file)
    declared = document["metadata"].get("liscope", {})
    known = [w for w in project.workflows() if w.declared == declared.get("parameters")]
    workflow = next((w for w in known if w.name == declared.get("workflow")), None)
    if not known:
        names = ", ".join(w.name for w in project.workflows()) or "there are none"
        raise ParameterError(f"{file.name}: not of a workflow of this project ({names})")
    try:
        cells = [parameters_cell(document), *tagged(document, INJECTED)]
        found = [one for cell in cells for one in read_cell("".join(cell["source"]))]
    except ValueError as error:
        raise ParameterError(f"{file.name}: parameters cell: {error}") from None
    return workflow or known[0], {one.name: one.value for one in found}


def _copy(workflow: Workflow, parameters: Parameters, place: str) -> str:
    document = json.loads(json.dumps(workflow.document))
    try:
        cell = parameters_cell(document)
        source = rewrite_cell("".join(cell["source"]), parameters.plain())
    except ValueError as error:
        raise RunError(f"{workflow.notebook.name}: parameters cell: {error}") from None
    cell["source"] = source.splitlines(keepends=True)
    for other in document["cells"]:
        if other["cell_type"] == "code":
            other |= {"outputs": [], "execution_count": None}
    document["cells"].insert(0, _note(workflow, place))
    document["metadata"]["liscope"]["workflow"] = workflow.name
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _note(workflow: Workflow, place: str) -> dict[str, Any]:
    text = (
        f"> A copy of `notebooks/{workflow.notebook.name}` to explore in. Once it is saved, "
        f"`liscope keep {place} --as NAME` makes a parameter file of the values in its "
        "parameters cell."
    )
    return {"cell_type": "markdown", "id": "scratch-copy", "metadata": {}, "source": text}


def _document(file: Path) -> dict[str, Any]:
    """Return a notebook from a file that nobody vouches for."""
    try:
        if not file.is_file():
            raise ParameterError(f"{file}: no such notebook")
        if file.stat().st_size > _LARGEST:
            raise ParameterError(f"{file.name}: larger than {_LARGEST // 10**6} MB; no notebook is")
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParameterError(f"{file}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        document = None
    if not _is_notebook(document):
        raise ParameterError(f"{file.name}: not a notebook")
    sound: dict[str, Any] = document
    return sound


def _is_notebook(document: object) -> bool:
    match document:
        case {"cells": [*cells], "metadata": {**metadata}}:
            return isinstance(metadata.get("liscope", {}), dict) and all(map(_is_cell, cells))
    return False


def _is_cell(cell: object) -> bool:
    match cell:
        case {"cell_type": str(), "source": str() | [*_] as source, "metadata": {**metadata}}:
            tags = metadata.get("tags", [])
            return all(isinstance(line, str) for line in source) and isinstance(tags, list)
    return False
