"""The data that goes into the runs of a supplement: taken along, or named by address."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.machinery import all_suffixes
from pathlib import Path
from typing import Any

from liscope.errors import LiscopeError, ParameterError
from liscope.workflow.project import Project
from liscope.workflow.share.names import fault_of
from liscope.workflow.share.selection import SharedRun

LARGEST = 100 * 2**20  # bytes; larger data goes along only where that is asked for
# Licences that let anybody pass a file on as it is.
_OPEN = ("CC", "MIT", "BSD", "Apache", "GPL", "LGPL", "AGPL", "ISC", "MPL", "ODbL", "PDDL", "EUPL")
_TAKEN = ("notebooks/", "params/", "results/.", "supplement/")


@dataclass(frozen=True)
class Data:
    """What stands behind a data name: ``files`` by their names in the archive, if any."""

    name: str
    simulated: bool = False
    sha256: str = ""
    size: int = 0
    files: dict[str, Path] = field(default_factory=dict)
    address: str = ""
    licence: str = ""
    what: str = ""

    @property
    def is_folder(self) -> bool:
        """Whether it is a measurement whose files share a folder."""
        return any(file != self.name for file in self.files) and not self.address


def data_of(project: Project, runs: Iterable[SharedRun], with_inputs: bool) -> dict[str, Data]:
    """Return all data that goes into the runs, by name.

    Files of the project go along, and public ones whose licence lets them; those above 100 MiB
    only with ``with_inputs``.

    Raises
    ------
    ParameterError
        If a name leads out of the project, where nobody else would have a file.
    """
    entries = {entry["name"]: entry for run in runs for entry in run.record["inputs"]}
    return {name: _data(project, entries[name], with_inputs) for name in sorted(entries)}


def fault_of_input(name: str) -> str:
    """Say why a file of that name is no input of a supplement; nothing if it is one.

    Programs are none: a file ``numpy.py`` would take the place of the library.
    """
    fault = fault_of(name) or ("a folder" if name.endswith("/") else "")
    return fault or ("a program" if name.lower().endswith(tuple(all_suffixes())) else "")


def is_taken(name: str) -> str:
    """Say why data cannot lie there, among what a rerun puts in place; nothing if it can."""
    taken = f"{name}/".startswith(_TAKEN) or name == "results"
    return "in the place of others" if taken else ""


def _data(project: Project, entry: dict[str, Any], with_inputs: bool) -> Data:
    name = entry["name"]
    if entry.get("specimen"):
        return Data(name, simulated=True)
    real = name.removeprefix("real:") if name.startswith("real:") else ""
    known = _registered(real) if real else {}
    files: dict[str, Path] = {}
    if (with_inputs or entry["bytes"] <= LARGEST) and (
        not real or is_open(known.get("licence", ""))
    ):
        files = _public_file(real) if real else _own_files(project, name)
    elif not real:
        _own_files(project, name)  # refused all the same where it is not in the project
    return Data(
        name,
        sha256=entry["sha256"],
        size=entry["bytes"],
        files=files,
        address=known.get("address", ""),
        licence=known.get("licence", ""),
        what=known.get("what", ""),
    )


def is_open(licence: str) -> bool:
    """Tell whether a licence of the registry lets anybody pass the file on."""
    return licence.startswith(_OPEN)


def _registered(name: str) -> dict[str, Any]:
    from liscope import data  # here, as in `keys`

    return data.registry()[name]


def _public_file(name: str) -> dict[str, Path]:
    from liscope import data  # here, as in `keys`

    try:
        return {f"data/real/{name}": data.fetch(name, download=False)}
    except LiscopeError:
        return {}  # by address


def _own_files(project: Project, name: str) -> dict[str, Path]:
    from liscope import data  # here, as in `keys`

    path = project.root / name
    if fault := fault_of_input(name):
        raise ParameterError(
            f"input {name!r}: cannot be shared ({fault}); put it into the project's data/ "
            "and run again with that path"
        )
    home, prefix = (path, name) if path.is_dir() else (path.parent, name.rpartition("/")[0])
    names = {one.relative_to(home).as_posix(): one for one in data.files_of(path)}
    files = {f"{prefix}/{one}".lstrip("/"): found for one, found in names.items()}
    for one in files:
        if fault := fault_of_input(one) or is_taken(one):
            raise ParameterError(
                f"input {one!r}: cannot be shared ({fault}); keep it out of the measurement's "
                "folder, and that in the project's data/, and run again"
            )
    return files
