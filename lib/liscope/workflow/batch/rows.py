"""The samples of a sweep as rows of a table."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import NoneType

from liscope.errors import ParameterError
from liscope.workflow.batch.ranges import MOST
from liscope.workflow.batch.samples import Sample, is_absolute
from liscope.workflow.parameters import Parameters, nearest, short
from liscope.workflow.params_file import LARGEST, parse_yaml, read_text
from liscope.workflow.project import Project
from liscope.workflow.quantities import kinds_of

_LARGEST_CSV = 5_000_000  # bytes; ten thousand rows of five hundred characters
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,20})?", re.ASCII)
# Cells that a spreadsheet executes; a number with its sign is none.
_FORMULA = re.compile(r"[=@\t\r]|[+-](?![\d.])")


def table_samples(
    project: Project, model: type[Parameters], sweep: Path, name: str
) -> list[Sample]:
    """Return the rows of a table: CSV, or YAML with a list of mappings.

    Empty cells of a CSV table are not given; ``null`` is given as nothing. Cells for text are
    taken as they are, all others are read as a line of a parameter file is.

    Parameters
    ----------
    project, model
        Where the table may lie beside the sweep's folder, and what its columns are.
    sweep
        The sweep file; the table's path is relative to it.
    name
        The table's path.

    Raises
    ------
    ParameterError
        With a line for the first thing that is wrong.
    """
    file = _inside(project, sweep, name)
    if file.suffix.lower() == ".csv":
        rows = _csv_rows(file, model)
    elif file.suffix.lower() in (".yaml", ".yml"):
        rows = _yaml_rows(file)
    else:
        raise ParameterError(f"{file.name}: right is a table in .csv or .yaml")
    found = list(islice(rows, MOST + 1))
    if not found or len(found) > MOST:
        raise ParameterError(f"{file.name}: got {len(found) or 'no'} rows; right is 1 to {MOST}")
    return found


def _inside(project: Project, sweep: Path, name: str) -> Path:
    """Return the path of a table, which lies in the project or near the sweep file."""
    try:
        file = (sweep.parent / name).resolve()
        roots = (project.root.resolve(), sweep.parent.resolve())
        inside = any(file.is_relative_to(root) for root in roots)
    except (OSError, RuntimeError, ValueError):  # a loop of links, a NUL
        raise ParameterError(f"samples: {short(name)} cannot be read as a path") from None
    if is_absolute(name) or not inside:
        raise ParameterError(
            f"samples: {short(name)} leads out of the project; right is a path from the sweep file"
        )
    return file


def _csv_rows(file: Path, model: type[Parameters]) -> Iterator[Sample]:
    text = read_text(file, _LARGEST_CSV)
    if "\0" in text:
        raise ParameterError(f"{file.name}: not a table in text")
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        head = [cell.strip() for cell in next(rows, [])]
        _check_head(file, head, model)
        for row in rows:
            if any(cell.strip() for cell in row):
                yield _csv_row(f"{file.name}, line {rows.line_num}", head, row, model)
    except csv.Error as error:
        raise ParameterError(f"{file.name}, line {rows.line_num}: {error}") from None


def _check_head(file: Path, head: list[str], model: type[Parameters]) -> None:
    place = f"{file.name}, line 1"
    if "sample" not in head:
        semicolon = ";" in "".join(head)
        advice = "with commas between columns, not semicolons" if semicolon else "in the first line"
        raise ParameterError(f"{place}: there is no column 'sample' {advice}")
    for number, name in enumerate(head):
        if name in head[:number]:
            raise ParameterError(f"{place}: two columns are called {short(name)}")
        if name not in model.model_fields:
            shown = short(name, quoted=False) if name else f"column {number + 1} without a name"
            advice = nearest(name, model.model_fields)
            raise ParameterError(f"{place}: {shown}: no such parameter; {advice}")


def _csv_row(place: str, head: list[str], row: list[str], model: type[Parameters]) -> Sample:
    if len(row) != len(head):
        raise ParameterError(f"{place}: {len(row)} cells, where the first line has {len(head)}")
    values: dict[str, object] = {}
    for name, text in zip(head, (cell.strip() for cell in row), strict=True):
        if _FORMULA.match(text):
            raise ParameterError(
                f"{place}: {name}: got {short(text)}, which spreadsheets take for a formula; "
                "right is a value"
            )
        if text:
            values[name] = _cell(model, name, text, place)
    if "sample" not in values:
        raise ParameterError(f"{place}: a row without a sample")
    return Sample(values, dict.fromkeys(head, place))


def _cell(model: type[Parameters], name: str, text: str, place: str) -> object:
    kinds = kinds_of(model.model_fields[name].annotation)
    if kinds <= {str, NoneType} and not (text == "null" and NoneType in kinds):
        return text
    if _NUMBER.fullmatch(text):
        return text  # the parameter reads it; a YAML reader takes a second for a thousand cells
    return parse_yaml(text, f"{place}: {name}")[0]


def _yaml_rows(file: Path) -> Iterator[Sample]:
    rows, lines = parse_yaml(read_text(file, LARGEST), file.name)
    if not isinstance(rows, list):
        raise ParameterError(f"{file.name}: right is a list of 'name: value' mappings")
    for number, row in enumerate(rows):
        place = f"{file.name}, line {lines[(number,)]}"
        if (
            not isinstance(row, dict)
            or not all(isinstance(name, str) for name in row)
            or "sample" not in row
        ):
            raise ParameterError(
                f"{place}: got {short(row)}; right is 'name: value' for each parameter, with sample"
            )
        yield Sample(row, {name: f"{file.name}, line {lines[(number, name)]}" for name in row})
