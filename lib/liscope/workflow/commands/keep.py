"""The command ``liscope keep``."""

from __future__ import annotations

import click


@click.command("keep")
def keep() -> None:
    """To come."""
