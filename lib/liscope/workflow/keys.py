"""What a result depends on, and the key that names it.

A result is made of the notebook's code, its parameters, those files of this library that the
notebook can use, the data that goes in, and the locked packages. Each part is hashed by itself, so
that one can say which part has changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import liscope
from liscope.checksums import sha256
from liscope.errors import LiscopeError, ParameterError
from liscope.workflow.imports import used_files
from liscope.workflow.parameters import Parameters, short
from liscope.workflow.project import Project, Workflow

KEY_LENGTH = 12
_RUNS = "liscope.workflow.run"  # what a run's files look like depends on what makes them


@dataclass(frozen=True)
class Components:
    """The parts that a result is made of, as they are in the record."""

    notebook: str
    parameters: dict[str, Any]
    library: dict[str, str]
    inputs: dict[str, dict[str, Any]]
    lock: str

    @property
    def key(self) -> str:
        """The name of the result: the same parts have the same key."""
        text = json.dumps(vars(self), sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


@dataclass(frozen=True)
class Surroundings:
    """The parts that all runs of a workflow share."""

    notebook: str
    library: dict[str, str]
    lock: str


def surroundings(project: Project, workflow: Workflow) -> Surroundings:
    """Return what all runs of a workflow would be made of now."""
    lock = project.root / "requirements.lock"
    return Surroundings(
        notebook=hashlib.sha256(json.dumps(workflow.sources()).encode()).hexdigest(),
        library=_library(workflow),
        lock=sha256(lock) if lock.is_file() else "",
    )


def components(
    project: Project,
    workflow: Workflow,
    parameters: Parameters,
    download: bool = True,
    around: Surroundings | None = None,
) -> Components:
    """Return what a run would be made of now; starts no kernel and simulates nothing.

    With ``download`` false, data that is not on disk counts as missing. With ``around``, what
    all runs share is not looked at again.

    Raises
    ------
    ParameterError
        If data that goes in is missing.
    """
    inputs = {name: _input(field, name, download) for field, name in parameters.inputs().items()}
    shared = around or surroundings(project, workflow)
    return Components(
        notebook=shared.notebook,
        parameters=parameters.plain(),
        library=shared.library,
        inputs=inputs,
        lock=shared.lock,
    )


def check_inputs(parameters: Parameters) -> None:
    """Refuse parameters that name missing data.

    Raises
    ------
    ParameterError
        With the parameter's name.
    """
    for field, name in parameters.inputs().items():
        locate(field, name, download=True)


def missing_input(parameters: Parameters) -> str:
    """Return why data that goes in is not at hand without a download; else nothing."""
    try:
        for field, name in parameters.inputs().items():
            locate(field, name, download=False)
    except ParameterError as error:
        return str(error)
    return ""


def differences(old: dict[str, Any], new: Components) -> Iterator[str]:
    """Say what has changed since a record's components ``old``."""
    now = asdict(new)
    if old["notebook"] != now["notebook"]:
        yield "notebook changed"
    for name in _changed(old["parameters"], now["parameters"]):
        values = [short(part["parameters"].get(name)) for part in (old, now)]
        yield f"parameter {name} {values[0]} -> {values[1]}"
    for part, label in (("library", "library"), ("inputs", "input")):
        if names := _changed(old[part], now[part]):
            shown = names[:4] + [f"and {len(names) - 4} more"] * (len(names) > 4)
            yield f"{label} changed: {', '.join(shown)}"
    if old["lock"] != now["lock"]:
        yield "locked packages changed"


def _changed(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _library(workflow: Workflow) -> dict[str, str]:
    """Return the hash of every file of the library that a run of the workflow can use."""
    package = Path(liscope.__file__).resolve().parent
    others = (workflow.declared.partition(":")[0], _RUNS)
    used = used_files(package, "\n".join(workflow.sources()), others)
    return {path.relative_to(package).as_posix(): sha256(path) for path in used}


def _input(field: str, name: str, download: bool) -> dict[str, Any]:
    path = locate(field, name, download)
    if path is None:
        return {"specimen": True}  # made by this library, whose code is hashed
    files = _files_of(path)
    if files == [path]:
        return {"sha256": sha256(path), "bytes": path.stat().st_size}
    home = path if path.is_dir() else path.parent
    text = json.dumps({one.relative_to(home).as_posix(): sha256(one) for one in files})
    size = sum(one.stat().st_size for one in files)
    return {"sha256": hashlib.sha256(text.encode()).hexdigest(), "bytes": size, "files": len(files)}


def _files_of(path: Path) -> list[Path]:
    from liscope import data  # here, see below

    return data.files_of(path)


def downloadable(name: str) -> bool:
    """Return whether a data name stands in the registry of real files."""
    from liscope import data  # here, see below

    kind, _, rest = name.partition(":")
    return kind == "real" and rest in data.registry()


def locate(field: str, name: str, download: bool) -> Path | None:
    """Return the file behind a parameter's data name; None where a specimen is simulated.

    Raises
    ------
    ParameterError
        If there is none; without ``download``, also if it is not on disk yet.
    """
    # Imported here: only workflows with data need it, and tests put their own in its place.
    from liscope import data

    try:
        path: Path | None = data.locate(name, download)
    except LiscopeError as error:
        raise ParameterError(f"{field}: {error}") from None
    return path
