"""The command ``liscope lab``."""

from __future__ import annotations

import click


@click.command("lab")
def lab() -> None:
    """To come."""
