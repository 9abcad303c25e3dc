"""The command ``liscope clean``."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from liscope.errors import RunError

if TYPE_CHECKING:
    from liscope.workflow.cleaning import Item


@click.command("clean")
@click.option("--older-than", metavar="AGE", help="Runs and notebooks older than 12h, 30d or 8w.")
@click.option("--stale", is_flag=True, help="Runs of earlier code, data or packages.")
@click.option("--failed", is_flag=True, help="The notebooks that failed runs have left.")
@click.option("--scratch", is_flag=True, help="The copies that 'liscope lab' has made.")
@click.option("--thorough", is_flag=True, help="Also runs that stay otherwise, see above.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def clean(
    older_than: str | None,
    stale: bool,
    failed: bool,
    scratch: bool,
    thorough: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Remove runs and notebooks from results/ after showing what would go; selections add up.

    A run that a supplement refers to always stays. The run that stands for its sample (the newest
    with the parameters of its file) and runs on the page of a batch stay without --thorough. Of
    --stale, runs stay whose sample was not run again since, and those that nobody can run again,
    because data or parameters are no longer there.
    """
    if not (older_than or stale or failed or scratch):
        raise click.UsageError("choose of --older-than AGE, --stale, --failed, --scratch")
    # Imported here: the other commands need none of it.
    from liscope.workflow.cleaning import Wanted, age_of, select
    from liscope.workflow.overview import write_overview
    from liscope.workflow.project import Project
    from liscope.workflow.removal import remove

    age = age_of(older_than) if older_than else None
    project = Project.here()
    items, kept = select(project, Wanted(age, stale, failed, scratch, thorough))
    _show(items, kept)
    if dry_run or not (project.root / "results").is_dir():
        return
    if items and not yes:
        click.confirm("Remove these?", abort=True)
    faults = remove(project, items)
    write_overview(project)
    if faults:
        raise RunError("\n".join(faults))


def _show(items: list[Item], kept: list[str]) -> None:
    from liscope.workflow.inventory import shown_size  # here, see above

    for item in items:
        size, age = shown_size(item.size), _shown_age(item.age)
        click.echo(f"{size:>9} {age:>8}  {item.name} ({item.why})")
    for why, number in Counter(kept).items():
        click.echo(f"kept: {number} run{'' if number == 1 else 's'} {why}")
    total = shown_size(sum(item.size for item in items))
    click.echo(f"{total} in all" if items else "nothing to remove")


def _shown_age(age: timedelta) -> str:
    hours = max(age.total_seconds() / 3600, 0)
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} d"
