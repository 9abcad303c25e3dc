"""Runs a notebook in a kernel of its own, and judges by the kernel's end whether it succeeded."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

from liscope.errors import RunError
from liscope.workflow.executed import cleaned, failure_of, scrubbed
from liscope.workflow.folders import write_whole

_LONGEST_SOCKET = 85  # a socket's path is limited to some 104 characters
_alive: dict[Any, int] = {}  # process numbers of kernels, by their managers' classes


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
    environment: Mapping[str, str] | None = None,
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
    environment
        Variables for the kernel, besides those of this process.

    Raises
    ------
    Stopped
        If `stop_kernels` was called meanwhile.
    """
    # Imported here, as all of Jupyter takes a second that `list` and `status` do not need.
    import nbformat
    import papermill
    from nbclient.exceptions import DeadKernelError

    reads: Any = nbformat.reads  # it has no types
    notebook = reads(json.dumps(document), as_version=4)
    manager = _manager(folder, scratch, environment or {})
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
            kernel_manager_class=manager,
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
    finally:
        _alive.pop(manager, None)
    if manager.stopped:
        raise Stopped("stopped")
    executed = seen[0] if seen else notebook
    if failure := failure_of(executed, failure):
        failure = scrubbed(failure, root)
    return Outcome(cleaned(executed, root, cut=failure is not None), failure)


class Stopped(RunError):
    """The run was ended from outside, and is neither done nor failed."""


def stop_kernels() -> None:
    """End the kernels of this process at once, with what they have started."""
    for manager, kernel in list(_alive.items()):
        manager.stopped = True
        with suppress(OSError):  # it has ended meanwhile
            if os.name == "posix":
                os.killpg(kernel, signal.SIGKILL)  # each kernel leads a group of its own
            else:
                os.kill(kernel, signal.SIGTERM)


def save(notebook: Any, path: Path) -> None:
    """Write a notebook to ``path``, whole."""
    import nbformat  # here, see above

    writes: Any = nbformat.writes  # it has no types
    write_whole(path, f"{writes(notebook).rstrip()}\n")


@lru_cache(maxsize=1)
def _engine() -> str:
    """Register papermill's own engine, with the notebook kept when the kernel dies."""
    logging.getLogger("papermill").addHandler(logging.NullHandler())  # we tell it ourselves
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


def _manager(folder: Path, scratch: Path, further: Mapping[str, str]) -> Any:
    """Return the class of a kernel manager that tells the kernel where its run is."""
    from jupyter_client.manager import AsyncKernelManager

    # Over sockets in a private folder no port can clash and nobody else can listen.
    short = len(str(scratch)) < _LONGEST_SOCKET and os.name == "posix"
    environment = {
        "LISCOPE_RUN": str(folder),
        "IPYTHONDIR": str(scratch / "ipython"),  # no start-up files, no shared history
        "PYTHONHASHSEED": "0",
        "MATPLOTLIBRC": os.devnull,  # figures look alike whoever makes them
        **further,
    }

    class RunKernelManager(AsyncKernelManager):
        stopped = False

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

        async def _async_post_start_kernel(self, **options: Any) -> None:
            _alive[type(self)] = self.provisioner.pid  # type: ignore[union-attr]
            await super()._async_post_start_kernel(**options)

    return RunKernelManager
