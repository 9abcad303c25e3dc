"""The command ``liscope batch``."""

from __future__ import annotations

import click


@click.command("batch")
def batch() -> None:
    """To come."""
