"""Write environment.yml from pyproject.toml, for conda, mamba and Binder.

Usage: python tools/environment_yml.py          writes the file
       python tools/environment_yml.py --check  fails if the file is not what would be written
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "environment.yml"
# Where conda-forge differs.
CONDA_NAMES = {"dask": "dask-core", "matplotlib": "matplotlib-base", "msgpack": "msgpack-python"}
# Not on conda-forge, or not surely.
PIP_ONLY = {"connected-components-3d", "edt", "ngff-zarr", "simsh5"}
HEAD = "# Made by tools/environment_yml.py from pyproject.toml; change it there.\n"


def environment() -> str:
    """Return the text of environment.yml: what a notebook needs, and JupyterLab."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, groups = settings["project"], settings["dependency-groups"]
    needed = sorted([*project["dependencies"], *groups["lab"]])
    lines = ["name: liscope", "channels:", "  - conda-forge", "dependencies:"]
    # One version: repo2docker understands no other pin, and would begin with a Python of its own.
    lines += [f"  - python={project['requires-python'].removeprefix('>=')}"]
    lines += [f"  - {conda(item)}" for item in needed if name(item) not in PIP_ONLY]
    lines += ["  - pip", "  - pip:"]
    lines += [f"      - {item}" for item in needed if name(item) in PIP_ONLY]
    return HEAD + "\n".join([*lines, "      - -e ."]) + "\n"


def name(requirement: str) -> str:
    """Return the distribution's name in a requirement such as ``dask[array]>=2025.7``."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    return found.group() if found else requirement


def conda(requirement: str) -> str:
    """Return a requirement as conda spells it: its own name, no extras."""
    plain = name(requirement)
    return CONDA_NAMES.get(plain, plain) + re.sub(r"^[^<>=!~]*", "", requirement)


if __name__ == "__main__":
    if "--check" not in sys.argv:
        TARGET.write_text(environment())
    elif not TARGET.is_file() or TARGET.read_text() != environment():
        sys.exit("environment.yml is not what pyproject.toml says: run tools/environment_yml.py")
