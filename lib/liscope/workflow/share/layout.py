"""Lays out a project from an unpacked supplement, to execute its runs again."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from liscope.errors import ParameterError, ReaderError
from liscope.workflow.parameters import short
from liscope.workflow.params_file import parse_yaml, read_text
from liscope.workflow.project import Project
from liscope.workflow.share.crate_reading import Given, RecordedRun, read_json
from liscope.workflow.share.inputs import fault_of_input, is_taken
from liscope.workflow.share.names import fault_of

SUPPLEMENT = "supplement"  # where it is unpacked, below the project
_REGISTRY = "data/registry.yaml"
_LARGEST = 10**6  # bytes of a registry


def lay_out(source: Path, root: Path, runs: list[RecordedRun], right: set[str]) -> Project:
    """Copy what the runs need from an unpacked supplement; nothing that could be imported.

    Parameters
    ----------
    source
        Where the supplement was unpacked.
    root
        The folder of the project.
    runs, right
        The runs, and the files whose checksum is right.

    Raises
    ------
    ReaderError
        If a notebook is none, or data would come from anywhere else than it should.
    """
    names = {f"notebooks/{run.workflow}.ipynb" for run in runs}
    for name in sorted(names):
        _check_notebook(source / name)
    names |= {name for name in right if name.startswith("params/") and name.endswith(".yaml")}
    names |= right & {"requirements.lock", _REGISTRY}
    if _REGISTRY in names:
        _check_registry(source / _REGISTRY)
    for run in runs:
        for given in run.inputs:
            names |= set(_files_of(given, right))
    for folder in ("notebooks", "params", "results"):
        (root / folder).mkdir(exist_ok=True)
    for name in sorted(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, root / name)
    return Project(root)


def _files_of(given: Given, right: Iterable[str]) -> Iterator[str]:
    """Yield the files of the supplement that stand behind a data name."""
    if given.specimen:
        return
    real = given.name.startswith("real:")
    path = given.name.removeprefix("real:")
    fault = (fault_of_input(path) or "a path" * ("/" in path)) if real else fault_of_input(path)
    if fault:
        raise ReaderError(f"input {short(given.name)}: cannot be laid out ({fault})")
    base = f"data/real/{path}" if real else path
    if fault := is_taken(base):
        raise ReaderError(f"input {short(given.name)}: cannot be laid out ({fault})")
    for name in right:
        if _is_part(name, base):
            if fault := fault_of_input(name):
                raise ReaderError(f"input {short(name)}: cannot be laid out ({fault})")
            yield name


def _is_part(name: str, base: str) -> bool:
    """Tell whether a file of the supplement is of the data ``base``, a file or a folder."""
    from liscope.data import belongs  # here, as in `keys`

    folder, _, last = name.rpartition("/")
    home, _, first = base.rpartition("/")
    inside = folder == base or (base.lower().endswith(".zspy") and name.startswith(f"{base}/"))
    return inside or name == base or (folder == home and belongs(last, first))


def _check_notebook(file: Path) -> None:
    import nbformat  # here: slow to import

    document = read_json(file)
    checked: Any = nbformat  # it has no types
    try:
        checked.validate(checked.from_dict(document))
        document["metadata"].get("liscope", {}).get("parameters")  # as a workflow has it
    except Exception as error:  # whatever the schema's own library comes up with
        reason = short(" ".join(str(error).split()))
        raise ReaderError(f"{file.name}: not a notebook ({reason})") from None


def _check_registry(file: Path) -> None:
    """Refuse a registry by which anything but a public file could be fetched."""
    try:
        entries, _ = parse_yaml(read_text(file, _LARGEST), file.name)
        for name, entry in entries.items():
            public = str(entry["address"]).startswith(("https://", "doi:"))
            if not public or fault_of(name) or "/" in name or len(entry["sha256"]) != 64:
                raise ReaderError(f"{_REGISTRY}: {short(name)} is no public file")
    except ParameterError as error:
        raise ReaderError(f"data/{error}") from None
    except (KeyError, TypeError, AttributeError):
        raise ReaderError(f"{_REGISTRY}: cannot be read as a list of files") from None
