"""The command ``liscope share``."""

from __future__ import annotations

import click


@click.command("share")
def share() -> None:
    """To come."""
