"""Reads from a notebook that was run why it ended, and takes out what hangs on the machine."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")
_OURS = ("ReaderError", "DataError", "ParameterError", "RunError")
_CELL_FILE = re.compile(r"\S*/ipykernel_\d+/\d+\.py")


def failure_of(notebook: Any, failure: str | None) -> str | None:
    """Return in one paragraph where and why the notebook ended early, or None."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    for number, cell in enumerate(cells, 1):
        for output in cell.outputs:
            if output.output_type == "error" and output.ename in _OURS:
                return " ".join(_ANSI.sub("", output.evalue).split())  # says it all to a person
            if output.output_type == "error":
                return f"{_where(number, cells)}: {_reason(output)}"
    started = [cell for cell in cells if cell.metadata.papermill.start_time]
    if failure is not None:
        return f"{_where(len(started), cells)}: {failure or 'it failed'}" if started else failure
    missed = [number for number, cell in enumerate(cells, 1) if cell.execution_count is None]
    return f"{_where(missed[0], cells)}: it did not run" if missed else None


def _where(number: int, cells: list[Any]) -> str:
    line = cells[number - 1].source.strip().splitlines()[0]
    return f"code cell {number} of {len(cells)} ({line[:50].rstrip()!r})"


def _reason(output: Any) -> str:
    message = " ".join(_ANSI.sub("", output.evalue).split())[:300]
    if output.ename == "SystemExit":
        return f"it ended the notebook early (SystemExit {message})"
    place = _last_own_line("\n".join(output.traceback))
    return f"{output.ename}: {message}" + (f", at {place}" if place else "")


def _last_own_line(traceback: str) -> str:
    """Return the last line of the notebook or of this library in an IPython traceback."""
    own, found = "", ""
    for line in _ANSI.sub("", traceback).splitlines():
        if match := re.match(r"(?:File (?P<file>.+?):\d+|Cell In)\b", line):
            inside = match["file"] is None or "site-packages" not in match["file"]
            own = Path(match["file"] or "the cell").name if inside else ""
        elif own and (arrow := re.match(r"-+> (\d+) (.*)", line)):
            found = f"{own}, line {arrow[1]}: {arrow[2].strip()}"
    return found


def cleaned(notebook: Any, root: Path, *, cut: bool) -> Any:
    """Remove from a notebook what differs from run to run, or from machine to machine.

    With ``cut``, also the cells after the last one that ran.
    """
    notebook.metadata.pop("papermill", None)
    if cut:
        ran = [
            number
            for number, cell in enumerate(notebook.cells)
            if cell.metadata.get("papermill", {}).get("start_time")
        ]
        notebook.cells = notebook.cells[: max(ran, default=-1) + 1]
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell["id"] = "injected-parameters"  # papermill gives it a random one
        for output in cell.get("outputs", []):
            _clean_output(output, root)
    return notebook


def _clean_output(output: Any, root: Path) -> None:
    for name in ("text", "evalue"):
        if name in output:
            output[name] = scrubbed(output[name], root)
    if "traceback" in output:
        output["traceback"] = [scrubbed(line, root) for line in output["traceback"]]
    for kind, content in output.get("data", {}).items():
        if kind.startswith("text/"):
            output["data"][kind] = scrubbed(content, root)


def scrubbed(text: str, root: Path) -> str:
    """Replace the paths of this machine in a text."""
    text = _ADDRESS.sub(" at 0x…", _CELL_FILE.sub("<cell>", text))
    for path, name in (
        (f"{root}/", ""),
        (str(root), "."),
        (sys.prefix, "<env>"),
        (str(Path.home()), "~"),
    ):
        text = text.replace(path, name) if len(path) > 2 else text
    return text
