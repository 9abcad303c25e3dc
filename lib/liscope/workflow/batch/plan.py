"""Expands a sweep to its runs, and checks every one of them before any is run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from pathlib import Path
from typing import NamedTuple

from liscope.errors import ParameterError
from liscope.workflow.batch.faults import Faults
from liscope.workflow.batch.ranges import MOST
from liscope.workflow.batch.samples import Sample
from liscope.workflow.batch.sweep import Axis, Sweep, read_sweep
from liscope.workflow.folders import name_of
from liscope.workflow.keys import components, downloadable, locate, surroundings
from liscope.workflow.parameters import Parameters, short
from liscope.workflow.project import Project, Workflow
from liscope.workflow.record import RECORD, altered


@dataclass(frozen=True)
class Job:
    """One run of a sweep; `key` is empty while data is still to be downloaded."""

    parameters: Parameters
    label: str
    key: str
    done: bool

    @property
    def sample(self) -> str:
        """The sample's name."""
        return self.parameters.sample


@dataclass(frozen=True)
class Plan:
    """All runs of a sweep, in its order, and the names of what varies."""

    name: str
    text: str
    workflow: Workflow
    varied: list[str]
    jobs: list[Job]


class _Run(NamedTuple):
    """A run that was checked: where its values were given, and which of each axis they are."""

    parameters: Parameters
    where: Mapping[str, str]
    places: tuple[int, ...]


def make_plan(project: Project, file: Path, *, download: bool = True) -> Plan:
    """Return the runs of a sweep file: every sample with every combination of what varies.

    Parameters
    ----------
    project
        Where workflow, samples and data are.
    file
        The sweep file.
    download
        Get data that the registry knows and that is not on disk.

    Raises
    ------
    ParameterError
        With one line for each fault of file, samples, parameters and data.
    """
    faults = Faults()
    sweep = read_sweep(project, file, faults)
    runs = _checked(sweep, file, faults)
    later = _not_here(runs, faults, download)
    faults.tell()
    varied = [axis.name for axis in sweep.axes]
    jobs = list(_jobs(project, sweep.workflow, [run.parameters for run in runs], varied, later))
    return Plan(sweep.name, sweep.text, sweep.workflow, varied, jobs)


def label_of(parameters: Parameters, varied: Sequence[str]) -> str:
    """Return what tells a run from its neighbours: "lmo, margin 0.05 um"."""
    return ", ".join([parameters.sample, *(f"{n} {in_words(parameters, n)}" for n in varied)])


def in_words(parameters: Parameters, name: str) -> str:
    """Return the value of a parameter on one short line, with its unit."""
    value = parameters.model_dump(mode="json", include={name})[name]
    text = f"{value:.6g}" if isinstance(value, float) else value
    text = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
    text = " ".join(text.split()) or "''"
    unit = parameters.meaning(name).unit if value is not None else ""
    return (text if len(text) <= 40 else f"{text[:39]}…") + (f" {unit}" if unit else "")


def _jobs(
    project: Project,
    workflow: Workflow,
    runs: Sequence[Parameters],
    varied: Sequence[str],
    later: set[str],
) -> Iterator[Job]:
    """Say of every run what it would be called, and whether it is there."""
    around = surroundings(project, workflow)
    for parameters in runs:
        label = label_of(parameters, varied)
        if later & set(parameters.inputs().values()):
            yield Job(parameters, label, key="", done=False)
            continue
        key = components(project, workflow, parameters, around=around).key
        folder = project.results(workflow.name) / name_of(parameters.sample, key)
        done = (folder / RECORD).is_file() and not altered(folder)
        yield Job(parameters, label, key, done)


def _checked(sweep: Sweep, file: Path, faults: Faults) -> list[_Run]:
    """Return the runs that have no fault of their own."""
    standing_in = [] if sweep.samples else [Sample({}, {})]  # so that other faults are told too
    sweep = replace(sweep, samples=sweep.samples or standing_in)
    count = len(sweep.samples) * prod(len(axis.values) for axis in sweep.axes)
    if count > MOST:
        faults.add(f"{file.name}: {count} runs; right is at most {MOST}")
        return []
    runs = []
    for values, where, places in _combinations(sweep):
        if faults.enough:
            break
        try:
            runs.append(_Run(sweep.workflow.model.check(values, where), where, places))
        except ParameterError as error:
            for line in str(error).splitlines():
                if any(f"({place})" in line for place in set(where.values())):
                    faults.add(line)
                elif "sample" in values:
                    faults.add(f"{line} ({_given(sweep, values)})")
    for number, axis in enumerate(sweep.axes):
        _check_different(axis, number, runs, faults)
    return [] if standing_in else runs


def _combinations(
    sweep: Sweep,
) -> Iterator[tuple[dict[str, object], dict[str, str], tuple[int, ...]]]:
    for sample in sweep.samples:
        where = sample.where | sweep.where
        for places in product(*(range(len(axis.values)) for axis in sweep.axes)):
            chosen = zip(sweep.axes, places, strict=True)
            varied = {axis.name: axis.values[place] for axis, place in chosen}
            yield sample.values | sweep.fixed | varied, where, places


def _given(sweep: Sweep, values: Mapping[str, object]) -> str:
    """Say of which run a fault is, where the fault is no single parameter's."""
    varied = [f"{axis.name} {short(values[axis.name], quoted=False)}" for axis in sweep.axes]
    return ", ".join([str(values["sample"]), *varied])


def _check_different(axis: Axis, number: int, runs: Sequence[_Run], faults: Faults) -> None:
    """Refuse values that mean the same, such as 50 nm and 0.05 um."""
    seen: dict[str, int] = {}
    for run in runs:
        place = run.places[number]
        first = seen.setdefault(repr(getattr(run.parameters, axis.name)), place)
        if first != place:
            both = f"{short(axis.values[first])} and {short(axis.values[place])}"
            faults.add(f"{axis.name} ({axis.where}): {both} are the same; right is one of them")


def _not_here(runs: Sequence[_Run], faults: Faults, download: bool) -> set[str]:
    """Note data that there is not; return what a run will have to download."""
    seen: set[str] = set()
    later = set()
    for run in runs:
        for field, name in run.parameters.inputs().items():
            if name in seen:
                continue
            seen.add(name)
            try:
                locate(field, name, download)
            except ParameterError as error:
                if not download and downloadable(name):
                    later.add(name)
                else:
                    place = run.where.get(field)
                    line = str(error).removeprefix(f"{field}: ")
                    faults.add(f"{field}{f' ({place})' if place else ''}: {line}")
    return later
