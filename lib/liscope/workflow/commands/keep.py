"""The command ``liscope keep``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("keep")
@click.argument("notebook", type=click.Path(path_type=Path))
@click.option("--as", "sample", metavar="SAMPLE", help="The file's and the sample's name.")
@click.option("--replace", is_flag=True, help="Replace a parameter file of that name.")
def keep(notebook: Path, sample: str | None, replace: bool) -> None:
    """Make a parameter file of what was explored in NOTEBOOK.

    The values are read from the saved notebook's parameters cell, and checked; nothing of the
    notebook is executed.
    """
    # Imported here: the other commands need none of it.
    from liscope.workflow.params_writer import write_params
    from liscope.workflow.project import Project
    from liscope.workflow.scratch_copies import explored

    project = Project.here()
    workflow, values = explored(project, notebook)
    where = dict.fromkeys(values, notebook.name) | ({"sample": "--as"} if sample else {})
    parameters = workflow.model.check(values | ({"sample": sample} if sample else {}), where)
    path = write_params(project, workflow, parameters, replace=replace)
    shown = path.relative_to(project.root)
    click.echo(f"{shown}; run it: liscope run {workflow.name} -f {shown}")
