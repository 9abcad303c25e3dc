"""What the tests of sweeps share."""

from __future__ import annotations

from pathlib import Path


def sweep(root: Path, text: str, name: str = "sweep.yaml") -> Path:
    """Write a sweep file into a toy project; what ``text`` leaves out is given."""
    given = {line.partition(":")[0] for line in text.splitlines()}
    head = [] if "workflow" in given else ["workflow: toy"]
    head += [] if "samples" in given else ["samples: [first]"]
    file = root / name
    file.write_text("\n".join([*head, text]) + "\n", encoding="utf-8")
    return file


def snapshot(folder: Path) -> dict[str, int]:
    """Return every path below a folder with its time; reading changes none of them."""
    return {str(path): path.lstat().st_mtime_ns for path in [folder, *folder.rglob("*")]}
