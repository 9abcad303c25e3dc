"""Real instrument files by name: from a folder on disk, or from their public address.

``data/registry.yaml`` lists each file's address, sha256, size and licence. The files themselves
are not part of the project.
"""

from __future__ import annotations

import difflib
import hashlib
import logging
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import pooch
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from liscope.errors import ReaderError


def project_root() -> Path:
    """Return the checkout that this package was installed from."""
    return Path(__file__).parents[2]


def fetch(name: str) -> Path:
    """Return the path of the real file `name`, downloading it where it is not on disk.

    The folder that the environment variable LISCOPE_REAL names is searched first, then
    ``data/real/`` of the project, where downloads are kept.

    Raises
    ------
    ReaderError
        If the name is not in the registry, or the file can neither be found nor downloaded as
        the registry describes it.
    """
    entry = _entry(name)
    found = _on_disk(name, entry["sha256"])
    return found if found else _download(name, entry)


@lru_cache(maxsize=4)
def registry(path: Path | None = None) -> dict[str, dict[str, Any]]:
    """Return the registry: name -> address, sha256, bytes, licence, what.

    Raises
    ------
    ReaderError
        If ``data/registry.yaml`` is missing or no YAML.
    """
    path = path or project_root() / "data" / "registry.yaml"
    try:
        return dict(YAML(typ="safe").load(path.read_text(encoding="utf-8")))
    except (OSError, YAMLError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ReaderError(f"'data/{path.name}' cannot be read: {reason}") from None


def _entry(name: str) -> dict[str, Any]:
    files = registry()
    if name in files:
        return files[name]
    near = difflib.get_close_matches(name, files, n=3, cutoff=0.3) or sorted(files)
    raise ReaderError(f"no real file is called '{name}'; near it: {', '.join(near)}")


def _on_disk(name: str, sha256: str) -> Path | None:
    """Return the first file of that name and content below the folders for real files."""
    given = os.environ.get("LISCOPE_REAL")
    folders = [Path(given)] if given else []
    for folder in [*folders, project_root() / "data" / "real"]:
        for path in sorted(folder.rglob(name)) if folder.is_dir() else ():
            if path.is_file() and _sha256(path) == sha256:
                return path
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(name: str, entry: dict[str, Any]) -> Path:
    """Download into ``data/real/``; pooch keeps the file only if its sha256 is right."""
    folder = project_root() / "data" / "real"
    pooch.get_logger().setLevel(logging.WARNING)
    try:
        return Path(pooch.retrieve(entry["address"], f"sha256:{entry['sha256']}", name, folder))
    except Exception as error:  # whatever the network, the server or the disk come up with
        reason = " ".join(f"{type(error).__name__} {error}".split())[:120]
        raise ReaderError(
            f"'{name}' is not on disk and cannot be downloaded ({reason}); "
            f"get it from {entry['address']} and set LISCOPE_REAL to its folder"
        ) from None
