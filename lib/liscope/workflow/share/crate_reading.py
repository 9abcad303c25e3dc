"""Reads what a supplement says of itself; every word of it is checked before it is used."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

from pydantic import BaseModel, Field, ValidationError

from liscope.checksums import sha256
from liscope.errors import ReaderError
from liscope.workflow.parameters import short
from liscope.workflow.record import RECORD
from liscope.workflow.share.crate import METADATA
from liscope.workflow.share.names import WORKFLOW

_LARGEST = 16 * 2**20  # bytes of a description; one of a thousand runs has as many
Sum = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Version = Annotated[str, Field(pattern=r"^[A-Za-z0-9.+!_-]{1,100}$")]


class Output(BaseModel):
    """A file that a run wrote."""

    sha256: Sum


class Given(BaseModel):
    """Data that went into a run."""

    name: str
    sha256: Sum | None = None
    bytes: int = 0
    specimen: bool = False


class Parts(BaseModel):
    """What a run was made of."""

    notebook: str
    parameters: dict[str, Any]
    library: dict[str, str]
    inputs: dict[str, dict[str, Any]]
    lock: str


class Code(BaseModel):
    """Which liscope it was."""

    liscope: Version


class RecordedRun(BaseModel):
    """The record of a run, as far as a rerun needs it."""

    workflow: Annotated[str, Field(pattern=WORKFLOW)]
    sample: Annotated[str, Field(max_length=64)]
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
    parameters: dict[str, Any]
    inputs: list[Given]
    outputs: dict[str, Output]
    components: Parts
    code: Code
    packages: dict[str, Version]

    @property
    def name(self) -> str:
        """Workflow, sample and key, as below ``results/``."""
        return f"{self.workflow}/{self.sample}-{self.key}"


def read_crate(folder: Path, names: Sequence[str]) -> tuple[list[RecordedRun], set[str]]:
    """Return the runs in an unpacked supplement, and the files whose checksum is right.

    Parameters
    ----------
    folder
        Where it was unpacked.
    names
        Its files.

    Raises
    ------
    ReaderError
        If it is no description of runs, or a file is not what the description says.
    """
    if METADATA not in names:
        raise ReaderError(f"no supplement: it has no {METADATA}")
    graph = read_json(folder / METADATA).get("@graph")
    if not isinstance(graph, list) or not all(isinstance(one, dict) for one in graph):
        raise ReaderError(f"{METADATA}: no description of a supplement")
    right = set(_verified(folder, graph, set(names)))
    runs = [_record(folder, name, right) for name in _records(graph, right)]
    if not runs:
        raise ReaderError(f"{METADATA}: names no run that could be repeated")
    return runs, right


def read_json(file: Path) -> dict[str, Any]:
    """Return a JSON object from a file of somebody else's.

    Raises
    ------
    ReaderError
        If it is larger than any, or no JSON object.
    """
    if file.stat().st_size > _LARGEST:
        raise ReaderError(f"{file.name}: larger than {_LARGEST} bytes; none is")
    try:
        found = json.loads(file.read_text(encoding="utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:80]
        raise ReaderError(f"{file.name}: cannot be read as JSON ({reason})") from None
    if not isinstance(found, dict):
        raise ReaderError(f"{file.name}: not a JSON object")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _verified(folder: Path, graph: list[dict[str, Any]], names: set[str]) -> Iterator[str]:
    """Yield every file that is described with its checksum."""
    for entity in graph:
        name, expected = unquote(str(entity.get("@id", ""))), entity.get("sha256")
        if name in names and expected is not None:
            if sha256(folder / name) != expected:
                raise ReaderError(f"{short(name)}: not what the description says (sha256)")
            yield name


def _records(graph: list[dict[str, Any]], right: set[str]) -> list[str]:
    """Return the record of each run that the description names."""
    found = set()
    for entity in graph:
        kinds, results = entity.get("@type"), entity.get("result")
        if "CreateAction" in (kinds if isinstance(kinds, list) else [kinds]):
            listed = results if isinstance(results, list) else [results]
            keys = {unquote(str(one.get("@id"))) for one in listed if isinstance(one, dict)}
            found |= {name for name in keys & right if name.endswith(f"/{RECORD}")}
    return sorted(found)


def _record(folder: Path, name: str, right: set[str]) -> RecordedRun:
    try:
        record = RecordedRun.model_validate(read_json(folder / name))
    except ValidationError as error:
        where = short(".".join(map(str, error.errors()[0]["loc"])))
        raise ReaderError(f"{short(name)}: not the record of a run ({where})") from None
    results = f"results/{record.name}"
    if name != f"{results}/{RECORD}" or f"notebooks/{record.workflow}.ipynb" not in right:
        raise ReaderError(f"{short(name)}: the record of another run, or without its notebook")
    for output, entry in record.outputs.items():
        path = f"{results}/{output}"
        if path not in right or sha256(folder / path) != entry.sha256:
            raise ReaderError(f"{short(path)}: not what the run wrote, or not in the archive")
    return record
