"""What goes into a supplement, laid out as the project that it can be rerun in."""

from __future__ import annotations

import io
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import liscope
from liscope.errors import LiscopeError, ParameterError
from liscope.workflow.pages import TEMPLATES
from liscope.workflow.params_file import load_parameters
from liscope.workflow.project import Project
from liscope.workflow.record import RECORD
from liscope.workflow.share.citation import Citation, read_citation
from liscope.workflow.share.inputs import Data, data_of
from liscope.workflow.share.selection import Selection, SharedRun

LIBRARY = "lib/liscope"
_OF_THE_LIBRARY = ("pyproject.toml", "environment.yml")
_BLOCK = 2**20  # bytes


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
    own = _present(project.root, ("CITATION.cff", "requirements.lock"))
    members = {**made, **own, **_library(project), **_registry(data)}
    for one in data.values():
        members |= one.files
    for name, member in members.items():
        if isinstance(member, Path) and not member.is_file():
            raise ParameterError(f"{name} is not there any more; run it again")
    for name, member in {**made, **own}.items():
        _refuse_machine(project, name, member)
    cff = members.get("CITATION.cff")
    citation = read_citation(cff if isinstance(cff, Path) else None)
    members["README.md"] = _readme(citation, runs, members)
    return Supplement(citation, runs, [folder.name for folder in selection.batches], data, members)


def _present(folder: Path, names: Iterable[str]) -> dict[str, Path | bytes]:
    return {name: folder / name for name in names if (folder / name).is_file()}


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
    """Return this library's source and, from a checkout, what it takes to install it.

    The licence beside the pages is the project's, where it has one.
    """
    package = Path(liscope.__file__).resolve().parent
    found = _below(LIBRARY, package)
    checkout = package.parents[1]
    if package.parent.name == "lib" and _is_ours(checkout / "pyproject.toml"):
        licence = _present(checkout, ["LICENSE"])
        found |= licence | _present(checkout, _OF_THE_LIBRARY)
        found |= {f"{LIBRARY}/{name}": file for name, file in licence.items()}
    return found | _present(project.root, ["LICENSE"])


def _is_ours(file: Path) -> bool:
    try:
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        return bool(project["name"] == "liscope")
    except (OSError, ValueError, KeyError, TypeError):
        return False


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
    paths = {project.root, project.root.resolve(), Path.home()}
    if path := first_of([f"{path}/" for path in paths if len(path.parts) > 1], member):
        raise ParameterError(
            f"{name} holds a path of this machine ({path.removesuffix('/')}); give data by its "
            "path in the project, clear such outputs, and run again"
        )


def first_of(texts: Iterable[str], member: Path | bytes) -> str:
    """Return one of these texts that a member holds, else nothing; large files go in blocks."""
    wanted = {text.encode(): text for text in texts}
    overlap = max(map(len, wanted), default=1)
    with io.BytesIO(member) if isinstance(member, bytes) else member.open("rb") as stream:
        seen = b""
        while block := stream.read(_BLOCK):
            seen = seen[-overlap:] + block
            for text in wanted:
                if text in seen:
                    return wanted[text]
    return ""


def _readme(
    citation: Citation, runs: list[SharedRun], members: Mapping[str, Path | bytes]
) -> bytes:
    """Return what to do with the archive, in a few lines."""
    from jinja2 import Environment, FileSystemLoader  # here: a moment to load

    # Plain text: nothing is escaped.
    environment = Environment(loader=FileSystemLoader(TEMPLATES), keep_trailing_newline=True)
    text = environment.get_template("supplement_readme.md.j2").render(
        citation=citation,
        number=len(runs),
        record=runs[0].record,
        installable="pyproject.toml" in members,
        locked="requirements.lock" in members,
        licence="LICENSE" in members,
    )
    return text.encode()
