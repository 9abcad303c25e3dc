"""What goes into a supplement, laid out as the project that it can be rerun in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import liscope
from liscope.errors import LiscopeError, ParameterError
from liscope.workflow.params_file import load_parameters
from liscope.workflow.project import Project
from liscope.workflow.record import RECORD
from liscope.workflow.share.citation import Citation, read_citation
from liscope.workflow.share.inputs import Data, data_of
from liscope.workflow.share.selection import Selection, SharedRun

LIBRARY = "lib/liscope"
_OF_THE_LIBRARY = ("pyproject.toml", "README.md", "environment.yml", "LICENSE")


@dataclass(frozen=True)
class Supplement:
    """All that a supplement holds but the pages that describe it.

    ``members`` are files and bytes by their names in the archive.
    """

    citation: Citation
    runs: list[SharedRun]
    batches: list[str]
    data: dict[str, Data]
    members: dict[str, Path | bytes]

    @property
    def folders(self) -> list[str]:
        """What is described as one, though it is many files; each with "/" at its end."""
        measurements = [f"{one.name}/" for one in self.data.values() if one.is_folder]
        return [f"{LIBRARY}/", *measurements]


def gather(project: Project, selection: Selection, with_inputs: bool = False) -> Supplement:
    """Return what a supplement with the selected runs holds.

    Raises
    ------
    ParameterError
        If something in it would tell where it was made, or cannot be shared.
    """
    runs = [selection.runs[name] for name in sorted(selection.runs)]
    data = data_of(project, runs, with_inputs)
    made = {**dict(_of_runs(runs)), **_parameters(runs)}
    for folder in selection.batches:
        made |= _below(f"results/batches/{folder.name}", folder)
    own = {name: project.root / name for name in ("CITATION.cff", "requirements.lock")}
    for name, member in {**made, **own}.items():
        _refuse_machine(project, name, member)
    members = {**made, **own, **_library(project), **_registry(data)}
    for one in data.values():
        members |= one.files
    members = {name: one for name, one in members.items() if _is_there(one)}
    cff = members.get("CITATION.cff")
    citation = read_citation(cff if isinstance(cff, Path) else None)
    return Supplement(citation, runs, [folder.name for folder in selection.batches], data, members)


def _is_there(member: Path | bytes) -> bool:
    return isinstance(member, bytes) or member.is_file()


def _of_runs(runs: Iterable[SharedRun]) -> Iterator[tuple[str, Path | bytes]]:
    for run in runs:
        yield f"notebooks/{run.workflow.notebook.name}", run.workflow.notebook
        for name in (*run.record["outputs"], RECORD):
            yield f"results/{run.name}/{name}", run.folder / name


def _parameters(runs: Iterable[SharedRun]) -> dict[str, Path | bytes]:
    """Return a parameter file for each run: that of the project, or one made from the record."""
    files: dict[str, Path | bytes] = {}
    for run in runs:
        name = f"params/{run.workflow.name}/{run.parameters.sample}.yaml"
        if name in files:  # other parameters of the same sample
            name = f"params/{run.workflow.name}/{run.record['key']}/{run.parameters.sample}.yaml"
        files[name] = _parameter_file(run)
    return files


def _parameter_file(run: SharedRun) -> Path | bytes:
    for file in run.workflow.samples:
        try:
            if load_parameters(run.workflow.model, file, []) == run.parameters:
                return file
        except LiscopeError:
            continue  # not the one
    lines = [f"{name}: {json.dumps(value)}" for name, value in run.parameters.plain().items()]
    return "\n".join([*lines, ""]).encode()


def _library(project: Project) -> dict[str, Path | bytes]:
    """Return this library's source, and what it takes to install it."""
    package = Path(liscope.__file__).resolve().parent
    found: dict[str, Path | bytes] = {}
    for name in _OF_THE_LIBRARY:
        own = project.root / name
        found[name] = own if own.is_file() else package.parents[1] / name
    return found | _below(LIBRARY, package)


def _below(name: str, folder: Path) -> dict[str, Path | bytes]:
    return {
        f"{name}/{path.relative_to(folder).as_posix()}": path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".pyc" and not path.name.startswith(".")
    }


def _registry(data: dict[str, Data]) -> dict[str, Path | bytes]:
    """Return the part of the data registry that the runs need."""
    public = {one.name.removeprefix("real:"): one for one in data.values() if one.address}
    entries = {
        name: {
            "address": one.address,
            "sha256": one.sha256,
            "bytes": one.size,
            "licence": one.licence,
            "what": one.what,
        }
        for name, one in public.items()
    }
    # JSON is YAML as well.
    text = json.dumps(entries, indent=1, ensure_ascii=False) + "\n"
    return {"data/registry.yaml": text.encode()} if entries else {}


def _refuse_machine(project: Project, name: str, member: Path | bytes) -> None:
    """Refuse what tells where on which machine it was made."""
    if not _is_there(member):
        return
    content = member if isinstance(member, bytes) else member.read_bytes()
    for path in {project.root, project.root.resolve(), Path.home()}:
        if len(path.parts) > 1 and f"{path}/".encode() in content:
            raise ParameterError(
                f"{name} holds a path of this machine ({path}); give data by its path in the "
                "project, clear such outputs, and run again"
            )
