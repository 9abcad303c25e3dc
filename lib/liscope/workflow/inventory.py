"""What lies in ``results/``: finished runs, failed notebooks, scratch copies and batches."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from liscope.errors import LiscopeError, ParameterError, RunError
from liscope.workflow.folders import name_of
from liscope.workflow.parameters import Parameters
from liscope.workflow.params_file import load_parameters
from liscope.workflow.project import BATCHES, SCRATCH, Project
from liscope.workflow.record import RECORD, read_record

TABLE = "table.csv"  # of a batch
_NAMING = ("workflow", "sample", "key")  # its columns that name a run
_TEXTS = ("workflow", "title", "sample", "key", "ended")


@dataclass(frozen=True)
class Run:
    """A finished run: its folder and its record."""

    folder: Path
    record: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Workflow and folder, as the ledger of supplements has it."""
        return f"{self.folder.parent.name}/{self.folder.name}"

    @property
    def sample(self) -> tuple[str, str]:
        """Workflow and sample."""
        return self.record["workflow"], self.record["sample"]

    @property
    def parameters(self) -> dict[str, Any]:
        """The values it was run with."""
        found: dict[str, Any] = self.record["components"]["parameters"]
        return found

    def made_with(self, parameters: Parameters) -> bool:
        """Tell whether it was run with these parameters, by an earlier model perhaps."""
        try:
            return type(parameters).check(self.parameters) == parameters
        except ParameterError:
            return False


def rooms(results: Path) -> list[Path]:
    """Return the folders of the workflows."""
    found = sorted(results.glob("[!.]*")) if results.is_dir() else []
    return [path for path in found if path.is_dir() and path.name not in (SCRATCH, BATCHES)]


def finished_runs(results: Path) -> list[Run]:
    """Return all finished runs by workflow and sample, newest first; damaged ones are left out."""
    runs = []
    for room in rooms(results):
        for record in room.glob(f"[!.]*/{RECORD}"):
            with suppress(RunError, RecursionError):  # `liscope status` names it
                runs.append(Run(record.parent, read_record(record.parent)))
    sound = [run for run in runs if _is_sound(run.record)]
    sound.sort(key=lambda run: str(run.record["ended"]), reverse=True)
    return sorted(sound, key=lambda run: run.sample)


def by_sample(runs: Iterable[Run]) -> Iterator[tuple[tuple[str, str], list[Run]]]:
    """Return the runs of `finished_runs` sample by sample."""
    for sample, group in groupby(runs, key=lambda run: run.sample):
        yield sample, list(group)


def sample_parameters(project: Project) -> dict[tuple[str, str], Parameters]:
    """Return what the parameter files say, by workflow and sample; what is refused is left out."""
    found = {}
    for workflow in project.workflows():
        for file in workflow.samples:
            with suppress(LiscopeError):  # `liscope status` names it
                found[workflow.name, file.stem] = load_parameters(workflow.model, file, [])
    return found


def best_of(runs: list[Run], parameters: Parameters | None) -> Run:
    """Return the run of a sample that stands for it, of at least one, newest first.

    It is the newest with the sample's parameters as they stand; failing that, the newest.
    """
    of_file = [run for run in runs if parameters is not None and run.made_with(parameters)]
    return (of_file or runs)[0]


def failed_notebooks(results: Path) -> list[Path]:
    """Return the notebooks that failed runs have left."""
    return [path for room in rooms(results) for path in sorted(room.glob("[!.]*.failed.ipynb"))]


def scratch_copies(results: Path) -> list[Path]:
    """Return the copies of notebooks to explore in."""
    return sorted((results / SCRATCH).glob("[!.]*.ipynb"))


@dataclass(frozen=True)
class Batch:
    """A batch: its folder and what its record counts."""

    folder: Path
    record: Mapping[str, Any]

    @property
    def counts(self) -> str:
        """How many runs are done, failed and left: "190 done, 10 failed"."""
        numbers = {
            "done": self._count("done_before") + self._count("done"),
            "failed": self._count("failed"),
            "not run": self._count("not_run"),
        }
        return ", ".join(f"{number} {word}" for word, number in numbers.items() if number)

    def _count(self, name: str) -> int:
        number = self.record.get(name)
        return number if isinstance(number, int) else 0


def batches(results: Path) -> list[Batch]:
    """Return the batches that have run so far."""
    found = []
    for file in sorted((results / BATCHES).glob(f"[!.]*/{RECORD}")):
        with suppress(OSError, ValueError, RecursionError):  # damaged: the batch writes it again
            record = json.loads(file.read_text(encoding="utf-8"))
            found.append(Batch(file.parent, record if isinstance(record, dict) else {}))
    return found


def batch_runs(results: Path) -> dict[str, str]:
    """Return the batch that shows it, by the name of each run that a batch shows.

    Raises
    ------
    RunError
        If a batch has no record, or a table that cannot be read.
    """
    found: dict[str, str] = {}
    files = [path for name in (TABLE, RECORD) for path in (results / BATCHES).glob(f"[!.]*/{name}")]
    for folder in sorted({file.parent for file in files}):
        try:
            (folder / RECORD).lstat()
            runs = table_runs(folder)
        except (OSError, ValueError):
            raise RunError(
                f"the batch {folder.name}: cannot be read which runs it shows; "
                "run the batch again, or --thorough"
            ) from None
        found |= {f"{workflow}/{name}": folder.name for workflow, name in runs}
    return found


def table_runs(folder: Path) -> list[tuple[str, str]]:
    """Return workflow and folder of each run in a batch's table; spreadsheets may have saved it.

    Raises
    ------
    OSError, ValueError
        If the table cannot be read.
    """
    try:
        with (folder / TABLE).open(encoding="utf-8-sig", newline="") as stream:
            table = csv.DictReader(stream)
            if not set(_NAMING) <= set(table.fieldnames or ()):
                raise ValueError("it has no columns that name a run")
            rows = [[row[name] for name in _NAMING] for row in table]
    except csv.Error as error:
        raise ValueError(str(error)) from None
    if any(cell is None for row in rows for cell in row):
        raise ValueError("a row is too short")
    return [(workflow, name_of(sample, key)) for workflow, sample, key in rows if key]


def size_of(path: Path) -> int:
    """Return the bytes in a file or below a folder; links are not followed."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    total = 0
    with os.scandir(path) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # removed by somebody just now
                total += _size(entry)
    return total


def _size(entry: os.DirEntry[str]) -> int:
    if entry.is_dir(follow_symlinks=False):
        return size_of(Path(entry))
    return entry.stat(follow_symlinks=False).st_size


def shown_size(size: float) -> str:
    """Return bytes for a person: ``12.3 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def _is_sound(record: Mapping[str, Any]) -> bool:
    parts = record["components"]
    parameters = parts.get("parameters") if isinstance(parts, dict) else None
    texts = all(isinstance(record.get(name), str) for name in _TEXTS)
    return texts and isinstance(parameters, dict)
