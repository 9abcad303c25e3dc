"""Where the project lies that somebody works in."""

from __future__ import annotations

from pathlib import Path


def find_root() -> Path | None:
    """Return the folder with ``notebooks/`` and ``params/``: around here, or our own checkout."""
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if (folder / "notebooks").is_dir() and (folder / "params").is_dir():
            return folder
    return None
