"""Writes parameters as a file that a person reads: one a line, with its unit and meaning.

The file means the same to YAML 1.1 (papermill) and 1.2; that it reads back as it was meant is
checked before it is there.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from liscope.errors import ParameterError, RunError
from liscope.workflow.folders import write_new, write_whole
from liscope.workflow.parameters import Parameters
from liscope.workflow.params_file import load_parameters
from liscope.workflow.project import Project, Workflow
from liscope.workflow.quantities import Input

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")  # as an item of a list
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(?::[A-Za-z0-9_./-]+)?")  # such as specimen:lmo/sims
_SPECIAL = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null|nan|inf")


def write_params(
    project: Project, workflow: Workflow, parameters: Parameters, *, replace: bool = False
) -> Path:
    """Write ``params/<workflow>/<sample>.yaml``, and return its path.

    Parameters
    ----------
    project, workflow, parameters
        What to write, and where.
    replace
        Replace a file of that name.

    Raises
    ------
    ParameterError
        If there is such a file already, or the folder leads out of the project.
    """
    folder = project.root / "params"
    path = folder / workflow.name / f"{parameters.sample}.yaml"
    shown = path.relative_to(project.root).as_posix()
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ParameterError(f"{shown} leads out of the project; nothing was written")
    text = params_text(parameters)
    _check(text, parameters)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        (write_whole if replace else write_new)(path, text)
    except FileExistsError:
        raise ParameterError(
            f"{shown} is there already: choose a name with --as, or --replace"
        ) from None
    return path


def params_text(parameters: Parameters) -> str:
    """Return the file's text: the sample, all data that goes in, and what differs from defaults."""
    values, defaults = parameters.plain(), type(parameters).check({}).plain()
    lines = ["# Explored by hand, and kept."]
    for name, value in values.items():
        meaning = parameters.meaning(name)
        if name == "sample":
            lines.append(f"sample: {_scalar(value)}")
        elif isinstance(meaning, Input) or value != defaults[name]:
            comment = ", ".join(part for part in (meaning.unit, meaning.meaning) if part)
            lines += _lines(name, value, " ".join(comment.split()))
    return "\n".join(lines) + "\n"


def _lines(name: str, value: object, comment: str) -> list[str]:
    """Return one line, or one for each row of a table."""
    if isinstance(value, list) and any(isinstance(row, list) for row in value):
        return [f"{name}:  # {comment}", *(f"  - {_flow(row)}" for row in value)]
    text = _flow(value) if isinstance(value, list) else _scalar(value)
    return [f"{name}: {text}  # {comment}"]


def _flow(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return _scalar(value, _WORD)


def _scalar(value: object, plain: re.Pattern[str] = _NAME) -> str:
    if isinstance(value, str):
        simple = plain.fullmatch(value) and not _SPECIAL.fullmatch(value)
        return value if simple else _quoted(value)
    if isinstance(value, float):
        return re.sub(r"^(-?\d+)e", r"\1.0e", repr(value))  # 1e-05 is text to YAML 1.1
    return json.dumps(value)


def _quoted(text: str) -> str:
    """Return a text in double quotes, with what does not show written as its code."""
    return "".join(
        one if one.isprintable() else f"\\U{ord(one):08x}"
        for one in json.dumps(text, ensure_ascii=False)
    )


def _check(text: str, parameters: Parameters) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder, "kept.yaml")
        file.write_text(text, encoding="utf-8")
        if load_parameters(type(parameters), file, []) != parameters:
            raise RunError("these parameters cannot be written as a file; nothing was written")
