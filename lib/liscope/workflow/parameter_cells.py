"""The cell of a notebook that names its parameters: ``name = value  # unit, meaning`` a line.

A cell is read as text, never executed: a value is a number, a text, a truth value, None, or a list
of these.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

PARAMETERS = "parameters"
INJECTED = "injected-parameters"
_LARGEST = 100_000  # characters; a cell has some dozens of lines
_LONGEST = 64  # bits of a whole number


class CellParameter(NamedTuple):
    """One line of a parameters cell: ``name = value  # comment``."""

    name: str
    value: object
    comment: str


def tagged(document: Mapping[str, Any], tag: str) -> list[dict[str, Any]]:
    """Return the code cells of a notebook that carry ``tag``."""
    return [
        cell
        for cell in document["cells"]
        if cell.get("cell_type") == "code" and tag in cell.get("metadata", {}).get("tags", [])
    ]


def parameters_cell(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the one cell tagged ``parameters``.

    Raises
    ------
    ValueError
        If there is not one such cell.
    """
    cells = tagged(document, PARAMETERS)
    if len(cells) != 1:
        raise ValueError(f"{len(cells)} cells are tagged 'parameters', one is needed")
    return cells[0]


def read_cell(source: str) -> list[CellParameter]:
    """Return the lines of a parameters cell.

    Raises
    ------
    ValueError
        If it holds anything but names and literal values.
    """
    lines = _lines(source)
    found = []
    for name, value in _statements(source):
        # From the end of the value: a '#' inside a text is none.
        tail = lines[(value.end_lineno or 1) - 1][value.end_col_offset :].decode()
        found.append(CellParameter(name, _literal(name, value), tail.partition("#")[2].strip()))
    return found


def rewrite_cell(source: str, values: Mapping[str, object]) -> str:
    """Return a parameters cell with other values in it; comments, and what is equal, stay.

    Raises
    ------
    ValueError
        If the cell holds anything but names and literal values.
    """
    lines = _lines(source)
    for name, value in reversed(list(_statements(source))):
        if name in values and _differ(values[name], _literal(name, value)):
            first, last = value.lineno - 1, (value.end_lineno or value.lineno) - 1
            start, tail = lines[first][: value.col_offset], lines[last][value.end_col_offset :]
            lines[first : last + 1] = [start + literal(values[name]).encode() + tail]
    return b"\n".join(lines).decode()


def literal(value: object) -> str:
    """Return a plain value as Python writes it, texts in double quotes."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(literal, value))}]"
    return repr(value)


def _lines(source: str) -> list[bytes]:
    """Return the lines as the parser counts them, in which columns are bytes."""
    return source.replace("\r\n", "\n").replace("\r", "\n").encode().split(b"\n")


def _statements(source: str) -> Iterator[tuple[str, ast.expr]]:
    if len(source) > _LARGEST:
        raise ValueError(f"more than {_LARGEST} characters; no parameters cell has so many")
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        raise ValueError(f"{error.msg}, line {error.lineno}") from None
    except (RecursionError, MemoryError):
        raise ValueError("nested too deep") from None
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value
            case _:
                raise ValueError(f"line {statement.lineno} is not 'name = value'")


def _literal(name: str, value: ast.expr) -> object:
    try:
        found = ast.literal_eval(value)
    except (ValueError, TypeError, RecursionError, MemoryError):
        found = value  # code
    if not _is_plain(found):
        kinds = "a number, a text, True, False, None, or a list of these"
        raise ValueError(f"malformed value of {name}, line {value.lineno}; right is {kinds}")
    return found


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, int):
        return value.bit_length() <= _LONGEST
    return value is None or isinstance(value, float | str)


def _differ(one: object, other: object) -> bool:
    return json.dumps(one) != json.dumps(other)  # tuples are lists, but 1 is not True
