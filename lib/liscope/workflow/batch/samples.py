"""The samples of a sweep: by name, or as files; `rows` has those in a table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from liscope.errors import ParameterError
from liscope.workflow.batch.ranges import MOST
from liscope.workflow.parameters import Parameters, nearest, short
from liscope.workflow.params_file import read_values
from liscope.workflow.project import Project, Workflow
from liscope.workflow.quantities import Input


@dataclass(frozen=True)
class Sample:
    """What is given for one sample, and where: "films.csv, line 3"."""

    values: dict[str, object]
    where: dict[str, str]


def named_sample(workflow: Workflow, name: object, where: str) -> Sample:
    """Return the sample of one of a workflow's parameter files.

    Raises
    ------
    ParameterError
        If there is no such file, or it is damaged.
    """
    files = {file.stem: file for file in workflow.samples}
    if not isinstance(name, str) or name not in files:
        advice = nearest(str(name), files) if files else "there is none yet"
        raise ParameterError(
            f"samples ({where}): {short(name, quoted=False)} is no file of params/{workflow.name}; "
            f"{advice}"
        )
    values, lines = read_values(files[name])
    if values.get("sample") != name:
        raise ParameterError(
            f"sample ({name}.yaml): got {short(values.get('sample'))}; right is '{name}', "
            "as the file is called"
        )
    return Sample(values, {key: f"{name}.yaml, line {line}" for key, line in lines.items()})


def file_samples(project: Project, model: type[Parameters], given: Any, where: str) -> list[Sample]:
    """Return a sample for each file that a pattern finds below the project's root.

    Its name is the file's, made a plain one; its data name is the path from the root.

    Parameters
    ----------
    project, model
        Where the files lie, and what the parameters are.
    given
        ``{"files": pattern, "parameter": name}``.
    where
        Where it was given, for the error.

    Raises
    ------
    ParameterError
        If the pattern leads out of the project or finds nothing, the parameter names no data, or
        two files would be one sample.
    """
    if given.keys() != {"files", "parameter"} or not all(map(_is_text, given.values())):
        raise ParameterError(
            f"samples ({where}): got {short(given)}; right is "
            '{files: "data/*.gwy", parameter: stressed}'
        )
    name, place = given["parameter"], f"samples ({where})"
    data = [key for key in model.model_fields if isinstance(model.meaning(key), Input)]
    if name not in data:
        advice = nearest(name, data) if data else "the workflow has none"
        raise ParameterError(f"{place}: {short(name, quoted=False)} takes no data; {advice}")
    paths = _files(project.root, given["files"], place)
    samples = [_plain_name(path, place) for path in paths]
    seen: dict[str, str] = {}
    for sample, path in zip(samples, paths, strict=True):
        if sample in seen:
            both = f"{short(seen[sample])} and {short(path)}"
            raise ParameterError(f"{place}: {both} would both be sample '{sample}'; rename one")
        seen[sample] = path
    return [
        Sample({"sample": sample, name: path}, {name: where, "sample": where})
        for sample, path in zip(samples, paths, strict=True)
    ]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def is_absolute(name: str) -> bool:
    """Return whether a path starts elsewhere than here, on any system."""
    return bool(PureWindowsPath(name).anchor or PurePosixPath(name).anchor or name.startswith("~"))


def _files(root: Path, pattern: str, place: str) -> list[str]:
    """Return the files that a pattern finds, as paths from the root, in order of their names."""
    parts = PurePosixPath(pattern).parts
    if is_absolute(pattern) or ".." in parts or "\\" in pattern or "\0" in pattern or not parts:
        raise ParameterError(
            f"{place}: {short(pattern)} leads out of the project; right is a pattern from its root"
        )
    if parts.count("**") > 1 or any("**" in part and part != "**" for part in parts):
        raise ParameterError(f"{place}: {short(pattern)}; right is '**' once, as a folder")
    hidden = any(part.startswith(".") for part in parts)
    found = (path for path in root.glob(pattern) if path.is_file())
    names = (path.relative_to(root).as_posix() for path in found)
    paths = sorted(islice((n for n in names if hidden or "/." not in f"/{n}"), MOST + 1))
    if not paths or len(paths) > MOST:
        count = f"more than {MOST} files" if paths else "no file"
        raise ParameterError(f"{place}: {short(pattern)} finds {count} below the project's root")
    return paths


def _plain_name(path: str, place: str) -> str:
    """Return a file's name as a sample's: letters, digits, '_', '-' and single dots."""
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ParameterError(f"{place}: the name of {short(path)} is not in UTF-8") from None
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", PurePosixPath(path).stem)
    plain = re.sub(r"\.{2,}", ".", plain).strip("._-")[:64].rstrip("._-")
    if not plain:
        raise ParameterError(f"{place}: {short(path)} has no name for a sample; rename it")
    return plain
