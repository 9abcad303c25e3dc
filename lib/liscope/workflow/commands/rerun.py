"""The command ``liscope rerun``."""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from liscope.errors import ParameterError, RunError
from liscope.workflow.commands.cluster_options import cluster_options

if TYPE_CHECKING:
    from liscope.cluster import Compute
    from liscope.workflow.share.rerun import Opened, Rerun


@click.command("rerun")
@click.argument("archive", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--into", type=click.Path(path_type=Path), help="An empty or new folder.")
@click.option("--rtol", type=click.FloatRange(0, 1), help="Relative tolerance (default: 1e-6).")
@click.option("--yes", is_flag=True, help="Execute the notebooks without asking.")
@cluster_options
def rerun(
    archive: Path,
    into: Path | None,
    rtol: float | None,
    yes: bool,
    compute: AbstractContextManager[Compute],
) -> None:
    """Execute the supplement ARCHIVE again, and compare the results with those in it.

    Exit code 0 only if every run succeeds and no result differs.
    """
    # Imported here: a listing needs none of it.
    from liscope.workflow.share.comparison import RTOL
    from liscope.workflow.share.layout import SUPPLEMENT
    from liscope.workflow.share.rerun import counted, execute, open_supplement, surroundings_differ

    root, made = _place(archive, into)
    try:
        opened = open_supplement(archive, root)
        click.echo(f"unpacked into {root}")
        for difference in surroundings_differ(opened):
            click.echo(f"here: {difference}")
        if not yes:
            _ask(archive, opened)
    except BaseException:  # also where the answer is no
        _clear(root, made)
        raise
    reruns = []
    with compute as where:
        for one in execute(opened, RTOL if rtol is None else rtol, where):
            _show(one)
            reruns.append(one)
    click.echo("; ".join(f"{number} {state}" for state, number in counted(reruns).items()))
    click.echo(f"kept in {root}: results/ has the new results, {SUPPLEMENT}/ those it came with")
    if failed := [one.name for one in reruns if not one.same]:
        raise RunError(f"{len(failed)} of {len(reruns)} runs failed or differ: {', '.join(failed)}")


def _place(archive: Path, into: Path | None) -> tuple[Path, bool]:
    """Return the folder to work in, and whether it was made for this."""
    if into is None:
        try:
            beside = archive.resolve().parent
            return Path(tempfile.mkdtemp(prefix=f"{archive.stem}-", dir=beside)), True
        except OSError as error:
            raise ParameterError(f"{archive.parent}: {error.strerror}; use --into") from None
    if into.is_dir() and not any(into.iterdir()):
        return into.resolve(), False
    if into.exists() or not into.parent.is_dir():
        raise ParameterError(f"{into}: should be an empty folder, or a new one in one that exists")
    into.mkdir()
    return into.resolve(), True


def _clear(root: Path, made: bool) -> None:
    for path in [root] if made else list(root.iterdir()):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _ask(archive: Path, opened: Opened) -> None:
    question = (
        f"This executes foreign code on this machine, as you: the notebooks "
        f"{', '.join(opened.notebooks)} of {archive.name}. Go on?"
    )
    unanswered = ParameterError(
        f"nobody here to answer, so nothing was executed; {archive.name} is executed without a "
        "question where --yes is given"
    )
    if sys.stdin is None:  # closed
        raise unanswered
    try:
        right = click.confirm(question)
    except click.Abort:  # the end of the input, or Ctrl-C
        if sys.stdin.isatty():
            raise
        click.echo()
        raise unanswered from None
    if not right:
        raise click.Abort


def _show(one: Rerun) -> None:
    click.echo(one.name)
    if one.failure:
        click.echo(f"    not rerun: {one.failure}")
    width = max((len(verdict.name) for verdict in one.verdicts), default=0)
    for verdict in one.verdicts:
        detail = f" ({verdict.detail})" if verdict.detail else ""
        click.echo(f"    {verdict.name:{width}}  {verdict.state}{detail}")
