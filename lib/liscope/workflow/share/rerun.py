"""Executes the runs of a supplement again, and compares what comes out."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import liscope
from liscope.errors import LiscopeError, ParameterError
from liscope.workflow.keys import surroundings
from liscope.workflow.parameters import short
from liscope.workflow.project import Project, Workflow
from liscope.workflow.record import packages
from liscope.workflow.run import run
from liscope.workflow.share.comparison import DIFFERS, Verdict, compare
from liscope.workflow.share.crate_reading import RecordedRun, read_crate
from liscope.workflow.share.layout import SUPPLEMENT, lay_out
from liscope.workflow.share.unpack import unpack

if TYPE_CHECKING:
    from liscope.cluster import Compute

_OURS = re.compile(r"liscope\.parameters\.[a-z_][a-z0-9_]*:[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Rerun:
    """What became of one run: the comparison of its results, or why there is none."""

    name: str
    verdicts: list[Verdict] = field(default_factory=list)
    failure: str = ""

    @property
    def same(self) -> bool:
        """Whether it ran and nothing differs."""
        return not self.failure and all(one.state != DIFFERS for one in self.verdicts)


@dataclass(frozen=True)
class Opened:
    """A supplement laid out as a project, nothing of which was executed yet."""

    project: Project
    runs: list[RecordedRun]

    @property
    def notebooks(self) -> list[str]:
        """The notebooks that a rerun executes."""
        return sorted({run.workflow for run in self.runs})


def open_supplement(archive: Path, root: Path) -> Opened:
    """Unpack a supplement below ``root`` and lay out its project there; executes nothing.

    Raises
    ------
    ReaderError
        If the archive or what it says of itself is damaged, or could do harm.
    """
    names = unpack(archive, root / SUPPLEMENT)
    runs, right = read_crate(root / SUPPLEMENT, names)
    return Opened(lay_out(root / SUPPLEMENT, root, runs, right), runs)


def execute(opened: Opened, rtol: float, compute: Compute | None = None) -> Iterator[Rerun]:
    """Execute one run after the other and compare its results; this runs foreign code."""
    from liscope import data  # here, as in `keys`

    # Data names are taken from the project around the current folder.
    data.registry.cache_clear()
    with contextlib.chdir(opened.project.root):
        for recorded in opened.runs:
            try:
                yield _execute(opened.project, recorded, rtol, compute)
            except (LiscopeError, OSError) as error:  # such as a folder in a result's place
                yield Rerun(recorded.name, failure=" ".join(str(error).split()))


def _execute(
    project: Project, recorded: RecordedRun, rtol: float, compute: Compute | None
) -> Rerun:
    workflow = project.workflow(recorded.workflow)
    _check_model(workflow)
    parameters = workflow.model.check(recorded.parameters)
    if parameters.sample != recorded.sample:
        raise ParameterError(f"sample: got {recorded.sample!r}, but its parameters say otherwise")
    if set(parameters.inputs().values()) != {given.name for given in recorded.inputs}:
        raise ParameterError("its parameters name other data than its record; ask its authors")
    for given in recorded.inputs:
        own = not given.specimen and not given.name.startswith("real:")
        if own and not (project.root / given.name).exists():
            raise ParameterError(
                f"{short(given.name)} is not in the archive ({given.bytes} bytes, "
                f"sha256 {given.sha256}); ask its authors"
            )
    result = run(project, workflow, parameters, parameters.sample, force=True, compute=compute)
    old = project.root / SUPPLEMENT / "results" / recorded.name
    return Rerun(recorded.name, list(compare(old, result.folder, rtol)))


def _check_model(workflow: Workflow) -> None:
    """Refuse a notebook whose parameters are not the installed library's own."""
    if not _OURS.fullmatch(workflow.declared):
        raise ParameterError(
            f"its parameters ({short(workflow.declared)}) are not part of liscope; ask its authors"
        )


def surroundings_differ(opened: Opened) -> list[str]:
    """Say in which way this place differs from the one where the supplement was made."""
    first = opened.runs[0]
    found = []
    if first.code.liscope != liscope.__version__:
        found.append(f"liscope {liscope.__version__} is installed, not {first.code.liscope}")
    elif changed := _library(opened, first):
        found.append(changed)
    versions = packages()
    others = [
        f"{name} {versions[name]} (not {version})"
        for name, version in first.packages.items()
        if name != "liscope" and versions.get(name, version) != version
    ]
    if others:
        shown = ", ".join(others[:5])
        more = f" and {len(others) - 5} more" * (len(others) > 5)
        found.append(f"other packages: {shown}{more}")
    return found


def _library(opened: Opened, first: RecordedRun) -> str:
    with contextlib.suppress(LiscopeError), contextlib.chdir(opened.project.root):
        workflow = opened.project.workflow(first.workflow)
        _check_model(workflow)
        was, now = first.components.library, surroundings(opened.project, workflow).library
        changed = sorted(name for name in was.keys() | now if was.get(name) != now.get(name))
        more = f" and {len(changed) - 4} more" * (len(changed) > 4)
        return f"library changed: {', '.join(changed[:4])}{more}" if changed else ""
    return ""


def counted(reruns: Sequence[Rerun]) -> dict[str, int]:
    """Return how many results there are in each state."""
    states = [verdict.state for rerun in reruns for verdict in rerun.verdicts]
    return {state: states.count(state) for state in dict.fromkeys(states)}
