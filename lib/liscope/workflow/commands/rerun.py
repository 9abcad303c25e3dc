"""The command ``liscope rerun``."""

from __future__ import annotations

import click


@click.command("rerun")
def rerun() -> None:
    """To come."""
