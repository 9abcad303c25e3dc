"""Runs a notebook in a kernel of its own, and judges by the kernel's end whether it succeeded."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

_LONGEST_SOCKET = 85  # a socket's path is limited to some 104 characters
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")
_OURS = ("ReaderError", "DataError", "ParameterError", "RunError")
_CELL_FILE = re.compile(r"\S*/ipykernel_\d+/\d+\.py")


@dataclass(frozen=True)
class Outcome:
    """The notebook as far as it ran, and why it did not run further."""

    notebook: Any
    failure: str | None


def execute(
    document: dict[str, Any],
    parameters: dict[str, Any],
    *,
    root: Path,
    folder: Path,
    scratch: Path,
    bar: str | None,
) -> Outcome:
    """Run a notebook with ``parameters``; ``folder`` is where `deliver` writes.

    Parameters
    ----------
    document
        The notebook.
    parameters
        Plain values by name, all of them checked.
    root
        The kernel's working folder.
    folder
        Where `deliver` writes.
    scratch
        An empty folder with a short path, for the kernel's sockets.
    bar
        The label of a progress bar, or None for none.
    """
    # Imported here, as all of Jupyter takes a second that `list` and `status` do not need.
    import nbformat
    import papermill
    from nbclient.exceptions import DeadKernelError

    logging.getLogger("papermill").addHandler(logging.NullHandler())  # we tell it ourselves
    reads: Any = nbformat.reads  # it has no types
    notebook = reads(json.dumps(document), as_version=4)
    seen: list[Any] = []
    failure = None
    try:
        papermill.execute_notebook(
            notebook,
            None,
            parameters,
            engine_name=_engine(),
            seen=seen,
            kernel_name="python3",
            language="python",
            kernel_manager_class=_manager(folder, scratch),
            resources={"metadata": {"path": str(root)}},
            request_save_on_cell_execute=False,
            coalesce_streams=True,
            store_widget_state=False,
            progress_bar={"desc": bar, "leave": False} if bar else False,
            log_output=False,
        )
    except papermill.PapermillExecutionError:
        failure = ""  # the failing cell says it better
    except DeadKernelError:
        failure = "the kernel died (killed, or out of memory)"
    except RuntimeError as error:
        failure = f"the kernel did not start ({error})"
    executed = seen[0] if seen else notebook
    failure = _failure(executed, failure)
    return Outcome(_cleaned(executed, root, cut=failure is not None), failure)


def save(notebook: Any, path: Path) -> None:
    """Write a notebook to ``path``."""
    import nbformat  # here, see above

    write: Any = nbformat.write  # it has no types
    write(notebook, path)


def _engine() -> str:
    """Register papermill's own engine, with the notebook kept when the kernel dies."""
    from papermill.engines import NBClientEngine, papermill_engines

    class KeepingEngine(NBClientEngine):  # type: ignore[misc]
        @classmethod
        def execute_managed_notebook(
            cls, nb_man: Any, kernel_name: str, *, seen: list[Any], **options: Any
        ) -> Any:
            seen.append(nb_man.nb)
            return super().execute_managed_notebook(nb_man, kernel_name, **options)

    papermill_engines.register("liscope", KeepingEngine)
    return "liscope"


def _manager(folder: Path, scratch: Path) -> Any:
    """Return the class of a kernel manager that tells the kernel where its run is."""
    from jupyter_client.manager import AsyncKernelManager

    # Over sockets in a private folder no port can clash and nobody else can listen.
    short = len(str(scratch)) < _LONGEST_SOCKET and os.name == "posix"
    environment = {
        "LISCOPE_RUN": str(folder),
        "IPYTHONDIR": str(scratch / "ipython"),  # no start-up files, no shared history
        "PYTHONHASHSEED": "0",
        "MATPLOTLIBRC": os.devnull,  # figures look alike whoever makes them
    }

    class RunKernelManager(AsyncKernelManager):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.connection_file = str(scratch / "kernel.json")
            if short:
                self.transport = "ipc"

        def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
            """Return the command of this Python, whatever kernels are installed elsewhere."""
            return [sys.executable, "-m", "ipykernel_launcher", "-f", self.connection_file]

        async def _async_pre_start_kernel(self, **options: Any) -> Any:
            options["env"] = {**os.environ, **environment}
            options["env"].pop("PYTHONSTARTUP", None)
            options["stderr"] = DEVNULL  # what a notebook says is in the notebook
            return await super()._async_pre_start_kernel(**options)

    return RunKernelManager


def _failure(notebook: Any, failure: str | None) -> str | None:
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


def _cleaned(notebook: Any, root: Path, *, cut: bool) -> Any:
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
            output[name] = _scrubbed(output[name], root)
    if "traceback" in output:
        output["traceback"] = [_scrubbed(line, root) for line in output["traceback"]]
    if text := output.get("data", {}).get("text/plain"):
        output["data"]["text/plain"] = _scrubbed(text, root)


def _scrubbed(text: str, root: Path) -> str:
    """Replace the paths of this machine in a text."""
    text = _ADDRESS.sub(" at 0x…", _CELL_FILE.sub("<cell>", text))
    for path, name in ((f"{root}/", ""), (sys.prefix, "<env>"), (str(Path.home()), "~")):
        text = text.replace(path, name) if len(path) > 2 else text
    return text
