"""The command ``liscope lab``."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

import click

from liscope.errors import RunError


@click.command("lab")
@click.argument("workflow")
@click.argument("sample", required=False)
@click.option("-f", "file", type=click.Path(path_type=Path), help="The sample's parameters.")
@click.option("-p", "assignments", multiple=True, metavar="NAME=VALUE", help="One parameter.")
@click.option("--no-browser", is_flag=True, help="Print JupyterLab's address instead.")
@click.option("--copy-only", is_flag=True, help="Make the copy, print its path, start nothing.")
def lab(
    workflow: str,
    sample: str | None,
    file: Path | None,
    assignments: tuple[str, ...],
    no_browser: bool,
    copy_only: bool,
) -> None:
    """Explore WORKFLOW in JupyterLab, on a copy of its notebook with the parameters of SAMPLE.

    The notebook itself stays as it is. "liscope keep" makes a parameter file of what was explored.
    """
    # Imported here: the other commands need none of it.
    from liscope.workflow.params_file import load_parameters
    from liscope.workflow.project import Project
    from liscope.workflow.scratch_copies import make_copy, sample_file

    if sample and file:
        raise click.UsageError("name a sample, or a file with -f, not both")
    project = Project.here()
    chosen = project.workflow(workflow)
    file = sample_file(chosen, sample) if sample else file
    parameters = load_parameters(chosen.model, file, assignments)
    python = None if copy_only else jupyterlab_python(project.root)
    path = make_copy(project, chosen, parameters)
    click.echo(path.relative_to(project.root))
    if python:
        _start(python, project.root, path, no_browser)


def jupyterlab_python(root: Path) -> str:
    """Return the Python that has JupyterLab: this one, or that of the project's ``.venv-lab``.

    Raises
    ------
    RunError
        If there is none.
    """
    beside = root / ".venv-lab" / "bin" / "python"
    if find_spec("jupyterlab"):
        return sys.executable
    if beside.is_file():
        return str(beside)
    raise RunError("JupyterLab is not installed: 'make lab' does it, in an environment of its own")


def _start(python: str, root: Path, notebook: Path, no_browser: bool) -> NoReturn:
    """Become JupyterLab, so that Ctrl-C and its exit status are its own."""
    address = quote(f"/lab/tree/{notebook.relative_to(root).as_posix()}")
    command = [
        *(python, "-m", "jupyterlab"),
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url={address}",  # unlike a file's name, also without a browser
        *(["--no-browser"] if no_browser else []),
    ]
    # Without the folder of a run, `deliver` writes nothing.
    environment = {name: value for name, value in os.environ.items() if name != "LISCOPE_RUN"}
    sys.stdout.flush()
    os.execve(python, command, environment)
