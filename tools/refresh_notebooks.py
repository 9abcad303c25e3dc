"""Execute the notebooks with their defaults and keep the outputs, free of times and machine.

Usage: python tools/refresh_notebooks.py [NAME ...]

A committed notebook carries its outputs, so that it reads well on a code host; nbval holds it to
the tables in them. Run this after a change that moves a number, and look at what changed. The
figure of a cell tagged ``readme`` goes to docs/, where README.md shows it.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]


def refresh(path: Path) -> None:
    """Execute one notebook in place."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(notebook, resources={"metadata": {"path": str(ROOT)}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("metadata", {}).clear()
            if "readme" in cell.metadata.get("tags", []) and "image/png" in output.get("data", {}):
                picture = base64.b64decode(output["data"]["image/png"])
                (ROOT / "docs" / f"{path.stem}.png").write_bytes(picture)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "liscope": notebook.metadata["liscope"],
    }
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    names = sys.argv[1:] or [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    for name in names:
        print(f"executing {name}")
        refresh(ROOT / "notebooks" / f"{name}.ipynb")
