"""Reads parameters from a YAML file and from ``name=value``.

YAML 1.1 (PyYAML, papermill) and YAML 1.2 read some plain words differently: ``010`` is 8 or 10,
``12:30:45`` is 45045 or text, ``no`` is false or text. Such words are refused, so that a file
means the same to every program that reads it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from liscope.errors import ParameterError
from liscope.workflow.parameters import Parameters, short

Model = TypeVar("Model", bound=Parameters)

Place = tuple[str | int, ...]

LARGEST = 100_000  # bytes; a parameter file has some dozens of lines
_DEEPEST = 6
_TWO_MEANINGS = re.compile(
    r"""(?ix) yes|no|on|off                               # switches in YAML 1.1
    | [-+]?0[0-9_]+ | [-+]?0[xob][0-9a-f_]+               # octal in one, decimal in the other
    | [-+]?[0-9.]*_[0-9_.]*(e[-+]?[0-9]+)?                # 1_000
    | [-+]?[0-9][0-9_]*(:[0-9]+)+(\.[0-9_]*)?             # numbers to the base of 60
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([t\s].*)?            # dates
    | <<|="""
)


def load_parameters(model: type[Model], file: Path | None, assignments: Sequence[str]) -> Model:
    """Return the parameters from ``file``, overridden by ``assignments``.

    Parameters
    ----------
    model
        What the workflow's parameters are.
    file
        A YAML file with one ``name: value`` a line, or None for the defaults.
    assignments
        Texts ``name=value``, read by the same rules as a line of the file.

    Raises
    ------
    ParameterError
        With one line for each fault, which names file, line and parameter.
    """
    values: dict[str, object] = {}
    where: dict[str, str] = {}
    if file is not None:
        values, lines = read_values(file)
        where = {name: f"{file.name}, line {line}" for name, line in lines.items()}
    given = [_assignment(text) for text in assignments]
    names = [name for name, _ in given]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ParameterError(f"{short(min(twice), quoted=False)}: given twice with -p")
    return model.check(values | dict(given), where | dict.fromkeys(names, "-p"))


def read_values(file: Path) -> tuple[dict[str, object], dict[str, int]]:
    """Return the values of a file of ``name: value`` lines, unchecked, and the line of each.

    Raises
    ------
    ParameterError
        If there is no such file, or it is not one of such lines.
    """
    values, lines = parse_yaml(read_text(file, LARGEST), file.name)
    if values is None:
        values = {}
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise ParameterError(f"{file.name}: not a list of 'name: value' lines")
    return values, {str(place[0]): line for place, line in lines.items() if len(place) == 1}


def read_text(file: Path, largest: int) -> str:
    """Return a text file of at most ``largest`` bytes.

    Raises
    ------
    ParameterError
        If there is no such file, or it is larger, or not in UTF-8.
    """
    try:
        if file.exists() and not file.is_file():
            raise ParameterError(f"{file.name}: cannot be read (not a file)")
        with file.open("rb") as stream:
            raw = stream.read(largest + 1)
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise ParameterError(f"{file.name}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ParameterError(f"{file.name}: not a text file in UTF-8") from None
    if len(raw) > largest:
        raise ParameterError(
            f"{file.name}: larger than {largest} bytes, the most that is read here"
        )
    return text


def _assignment(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ParameterError(f"-p {short(text)}: should be name=value")
    return name.strip(), parse_yaml(value.strip(), f"-p {short(name.strip(), quoted=False)}")[0]


def parse_yaml(text: str, source: str) -> tuple[Any, dict[Place, int]]:
    """Return the value of a YAML text, and the line of each name and list item in it.

    Parameters
    ----------
    text
        YAML without tags, anchors, directives, and words that programs read differently.
    source
        Where the text is from, for errors.

    Returns
    -------
    value
        What the text says.
    lines
        Line by place: ``("vary", "margin")``, ``(3, "sample")``.

    Raises
    ------
    ParameterError
        With one line that names source and line.
    """
    # Imported here: `liscope list` and the notebooks need no YAML.
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    yaml = YAML(typ="safe", pure=True)
    try:
        if fault := _first(_fault_of_event, _with_depth(yaml.parse(text))):
            raise ParameterError(f"{source}{fault}")
        node = yaml.compose(text)
        if fault := _first(_fault_of_word, _words(node)):
            raise ParameterError(f"{source}{fault}")
        value = yaml.load(text)
    except YAMLError as error:
        raise ParameterError(f"{source}{_place(error)}") from None
    except ValueError:
        raise ParameterError(f"{source}: a number of thousands of digits") from None
    return value, dict(_lines(node))


def _lines(node: Any, place: Place = ()) -> Iterator[tuple[Place, int]]:
    """Return the line of everything below a YAML node that has a name or a number."""
    if node is None or isinstance(node.value, str):
        return
    for number, item in enumerate(node.value):
        name, content = item if isinstance(item, tuple) else (None, item)
        here = (*place, str(name.value) if name else number)
        yield here, (name or content).start_mark.line + 1
        yield from _lines(content, here)


def _place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "not a YAML text"
    line = f", line {mark.line + 1}" if mark else ""
    return f"{line}: {' '.join(str(problem).split())}"


def _first(fault: Callable[[Any, Any], str | None], items: Iterable[tuple[Any, Any]]) -> str | None:
    """Return the first fault with its line, such as ", line 3: tags (!) are not accepted"."""
    for item, context in items:
        if text := fault(item, context):
            return f", line {item.start_mark.line + 1}: {text}"
    return None


def _with_depth(events: Iterable[Any]) -> Iterator[tuple[Any, int]]:
    depth = -2  # the stream and the document
    for event in events:
        kind = type(event).__name__
        depth += kind.endswith("StartEvent") - kind.endswith("EndEvent")
        yield event, depth


def _fault_of_event(event: Any, depth: int) -> str | None:
    """Refuse what no parameter needs, before anything is built from it."""
    if getattr(event, "anchor", None):
        return "anchors (&, *) are not accepted"
    if getattr(event, "version", None) or getattr(event, "tags", None):
        return "directives (%) are not accepted"
    if getattr(event, "tag", None):
        return "tags (!) are not accepted"
    return f"nested deeper than {_DEEPEST} levels" if depth > _DEEPEST else None


def _words(node: Any, name: str = "") -> Iterator[tuple[Any, str]]:
    """Return every single value below a YAML node, with the outermost name it belongs to."""
    if node is None or isinstance(node.value, str):
        yield from [(node, name)] if node else []
        return
    for item in node.value:
        if isinstance(item, tuple):
            yield from _words(item[0], name)
            yield from _words(item[1], name or str(item[0].value))
        else:
            yield from _words(item, name)


def _fault_of_word(node: Any, name: str) -> str | None:
    if node.style or not _TWO_MEANINGS.fullmatch(node.value):
        return None
    switch = node.value.lower() in ("yes", "no", "on", "off")
    advice = "true or false" if switch else "a plain decimal number"
    return (
        f"{f'{name}: ' if name else ''}got {node.value}, which programs read differently; "
        f"right is {advice}, or '{node.value}' in quotes for text"
    )
