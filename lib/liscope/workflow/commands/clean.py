"""The command ``liscope clean``."""

from __future__ import annotations

import click


@click.command("clean")
def clean() -> None:
    """To come."""
