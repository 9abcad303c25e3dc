"""Print constraints that hold every direct dependency at its lower bound (see `make oldest`)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path


def oldest(settings: dict[str, object]) -> list[str]:
    """Return ``name==bound.*`` for each dependency of pyproject.toml and of its test group."""
    project, groups = settings["project"], settings["dependency-groups"]
    assert isinstance(project, dict) and isinstance(groups, dict)
    needed = [*project["dependencies"], *groups["test"]]
    return [re.sub(r"(\[.*\])?>=(.*)", r"==\2.*", item) for item in needed]


if __name__ == "__main__":
    print("\n".join(oldest(tomllib.loads(Path("pyproject.toml").read_text()))))
