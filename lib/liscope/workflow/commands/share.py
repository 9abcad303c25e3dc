"""The command ``liscope share``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("share")
@click.argument("results", nargs=-1)
@click.option(
    "-o",
    "archive",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("supplement.zip"),
    show_default=True,
    help="The archive to write.",
)
@click.option("--all", "everything", is_flag=True, help="The up-to-date run of every sample.")
@click.option("--with-inputs", is_flag=True, help="Take data above 100 MiB along as well.")
def share(results: tuple[str, ...], archive: Path, everything: bool, with_inputs: bool) -> None:
    """Write RESULTS as a supplement that others can read and execute: one zip archive.

    RESULTS are folders of runs (results/WORKFLOW/SAMPLE-KEY), folders of batches
    (results/batches/NAME), or workflows, of which all runs that are up to date are taken.
    """
    if everything == bool(results):
        raise click.UsageError("name folders of results or workflows, or use --all alone")
    # Imported here: a listing needs none of it.
    from liscope.workflow.ledger import remember
    from liscope.workflow.project import Project
    from liscope.workflow.share.selection import select
    from liscope.workflow.share.supplement import write_supplement

    project = Project.here()
    selection = select(project, results, everything)
    for reason in selection.left_out:
        click.echo(f"left out: {reason}")
    remember(project, archive.name, list(selection.runs))  # first, or a kill between forgets it
    supplement = write_supplement(project, selection, archive, with_inputs)
    for data in supplement.data.values():
        if not (data.files or data.simulated):
            click.echo(f"by checksum only: {data.name} ({data.size / 2**20:.1f} MiB)")
    size = archive.stat().st_size / 2**20
    number = len(supplement.runs)
    click.echo(f"{archive}: {number} run{'' if number == 1 else 's'}, {size:.1f} MiB")
