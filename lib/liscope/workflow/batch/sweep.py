"""Reads a sweep file: a workflow, its samples, what varies and what stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from liscope.errors import ParameterError
from liscope.workflow.batch.faults import Faults
from liscope.workflow.batch.ranges import values_of
from liscope.workflow.batch.rows import table_samples
from liscope.workflow.batch.samples import Sample, file_samples, named_sample
from liscope.workflow.parameters import is_plain_name, nearest, short
from liscope.workflow.params_file import LARGEST, Place, parse_yaml, read_text
from liscope.workflow.project import Project, Workflow

_KEYS = ("workflow", "samples", "vary", "fixed")


class Axis(NamedTuple):
    """A parameter that varies: its values, and where they were given."""

    name: str
    values: list[object]
    where: str


@dataclass(frozen=True)
class Sweep:
    """What a sweep file says; `text` is the file."""

    name: str
    text: str
    workflow: Workflow
    samples: list[Sample]
    axes: list[Axis]
    fixed: dict[str, object]
    where: dict[str, str]


def read_sweep(project: Project, file: Path, faults: Faults) -> Sweep:
    """Return what a sweep file says; faults of single samples and parameters are noted.

    Parameters
    ----------
    project
        Where its workflow is.
    file
        A YAML file with ``workflow``, ``samples``, and ``vary`` or ``fixed`` or both.
    faults
        Where to note what does not keep the rest from being looked at.

    Raises
    ------
    ParameterError
        If the file cannot be read, or names no workflow of the project.
    """
    if not is_plain_name(file.stem):
        raise ParameterError(
            f"{short(file.name)}: results are kept under this name; right is a name of letters, "
            "digits, '_', '-' and single '.', such as sweep_1.yaml"
        )
    text = read_text(file, LARGEST)
    given, lines = parse_yaml(text, file.name)
    if not isinstance(given, dict):
        raise ParameterError(f"{file.name}: right is {', '.join(_KEYS)}, each with a colon")
    for key in [key for key in given if key not in _KEYS]:
        line = lines.get((str(key),), 1)
        advice = nearest(str(key), _KEYS)
        faults.add(f"{file.name}, line {line}: {short(key, quoted=False)}: no such key; {advice}")
    workflow = _workflow(project, file, given, lines)
    reader = _Reader(project, file, workflow, given, lines, faults)
    fixed = reader.mapping("fixed")
    vary = reader.mapping("vary")
    return Sweep(
        name=file.stem,
        text=text,
        workflow=workflow,
        samples=reader.samples(vary | fixed),
        axes=reader.axes(vary, fixed),
        fixed=fixed,
        where={name: reader.place("fixed", name) for name in fixed}
        | {name: reader.place("vary", name) for name in vary},
    )


def _workflow(
    project: Project, file: Path, given: Mapping[str, object], lines: Mapping[Place, int]
) -> Workflow:
    name = given.get("workflow")
    place = f"workflow ({file.name}, line {lines.get(('workflow',), 1)})"
    if not isinstance(name, str):
        raise ParameterError(f"{place}: got {short(name)}; right is the name of a workflow")
    known = {workflow.name: workflow for workflow in project.workflows()}
    if name not in known:
        advice = nearest(name, known) if known else "the project has none"
        raise ParameterError(f"{place}: {short(name, quoted=False)}: no such workflow; {advice}")
    return known[name]


@dataclass(frozen=True)
class _Reader:
    """Reads the parts of one file."""

    project: Project
    file: Path
    workflow: Workflow
    given: Mapping[str, Any]
    lines: Mapping[Place, int]
    faults: Faults

    def place(self, *keys: str) -> str:
        """Return where something was given: "sweep.yaml, line 5"."""
        return f"{self.file.name}, line {self.lines.get(keys, 1)}"

    def mapping(self, key: str) -> dict[str, Any]:
        """Return what is under ``vary`` or ``fixed``."""
        found = self.given.get(key)
        if found is None:
            return {}
        if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
            self.faults.add(f"{key} ({self.place(key)}): right is 'parameter: ...' lines below it")
            return {}
        if "sample" in found:
            self.faults.add(f"sample ({self.place(key, 'sample')}): right is below 'samples'")
        return {name: value for name, value in found.items() if name != "sample"}

    def axes(self, vary: Mapping[str, Any], fixed: Mapping[str, Any]) -> list[Axis]:
        """Return what varies, in the file's order."""
        axes = []
        for name, given in vary.items():
            where = self.place("vary", name)
            if name in fixed:
                self.faults.add(f"{short(name, quoted=False)} ({where}): it is fixed as well")
            with self.faults.caught():
                values = values_of(self.workflow.model, name, given, where)
                axes.append(Axis(name, values, where))
        return axes

    def samples(self, elsewhere: Mapping[str, Any]) -> list[Sample]:
        """Return the samples; a table and files give nothing that is given elsewhere."""
        given, model, place = self.given.get("samples"), self.workflow.model, self.place("samples")
        samples: list[Sample] = []
        with self.faults.caught():
            if isinstance(given, list) and given:
                samples = self._named(given, place)
            elif isinstance(given, str) and is_plain_name(given) and "." not in given:
                raise ParameterError(
                    f"samples ({place}): got {short(given)}; right is a list, such as [{given}], "
                    "or a table in .csv or .yaml"
                )
            elif isinstance(given, str):
                samples = table_samples(self.project, model, self.file, given)
            elif isinstance(given, dict):
                samples = file_samples(self.project, model, given, place)
            else:
                raise ParameterError(
                    f"samples ({place}): got {short(given)}; right is a list of names of "
                    f'params/{self.workflow.name}, a table, or {{files: "data/*", parameter: ...}}'
                )
        self._check_twice(samples, elsewhere, named=isinstance(given, list))
        return samples

    def _named(self, names: list[object], place: str) -> list[Sample]:
        samples = []
        for name in names:
            with self.faults.caught():
                samples.append(named_sample(self.workflow, name, place))
        return samples

    def _check_twice(
        self, samples: list[Sample], elsewhere: Mapping[str, Any], *, named: bool
    ) -> None:
        seen: set[object] = set()
        for sample in samples:
            name = str(sample.values["sample"])
            if name in seen:
                place = self.place("samples") if named else sample.where["sample"]
                self.faults.add(f"samples ({place}): {short(name)} is there twice")
            seen.add(name)
        given = {} if named else dict.fromkeys(key for one in samples for key in one.where)
        for name in [name for name in given if name in elsewhere and name != "sample"]:
            self.faults.add(
                f"{name} ({samples[0].where[name]}): it is given by 'vary' or 'fixed' as well"
            )
