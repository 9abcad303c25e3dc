"""The record beside the results: what they were made of, with what, and when."""

from __future__ import annotations

import json
import platform
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import liscope
from liscope.checksums import sha256
from liscope.errors import RunError
from liscope.workflow.deliver import KERNEL_NOTE
from liscope.workflow.keys import Components
from liscope.workflow.project import Workflow

RECORD = "record.json"


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


def make_record(
    workflow: Workflow, sample: str, parts: Components, folder: Path, started: datetime
) -> dict[str, Any]:
    """Return the record of a run, all but its outputs.

    It names no machine, no user, and no path but those that the parameters name.
    """
    ended = now()
    note = json.loads((folder / KERNEL_NOTE).read_text(encoding="utf-8"))
    return {
        "workflow": workflow.name,
        "title": workflow.title,
        "sample": sample,
        "key": parts.key,
        "started": started.isoformat(timespec="milliseconds"),
        "ended": ended.isoformat(timespec="milliseconds"),
        "seconds": round((ended - started).total_seconds(), 2),
        **note,
        "parameters": parts.parameters,
        "inputs": [{"name": name, **found} for name, found in parts.inputs.items()],
        "code": code_version(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": packages(),
        "components": asdict(parts),
    }


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """List the outputs in ``folder`` and write the record; nothing may be written after it."""
    outputs = {
        path.relative_to(folder).as_posix(): {"sha256": sha256(path), "bytes": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }
    text = json.dumps(record | {"outputs": outputs}, indent=1, ensure_ascii=False)
    (folder / RECORD).write_text(text + "\n", encoding="utf-8")


def read_record(folder: Path) -> dict[str, Any]:
    """Return the record of a finished run.

    Raises
    ------
    RunError
        If it is damaged, or the folder has just been removed.
    """
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if record["components"] and record["outputs"] and record["ended"]:
            return record
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    raise RunError(f"the record in {folder.name} is damaged: remove the folder, run again")


def altered(folder: Path) -> str:
    """Return the name of a file that is not what the run in ``folder`` wrote; else nothing."""
    try:
        outputs = read_record(folder)["outputs"]
    except RunError:
        return RECORD
    for name, entry in outputs.items():
        path = folder / name
        if not path.is_file() or sha256(path) != entry["sha256"]:
            return str(name)
    return ""


@lru_cache(maxsize=1)
def code_version() -> dict[str, Any]:
    """Return liscope's version, and the commit where it runs from a git checkout."""
    root = Path(liscope.__file__).resolve().parents[2]
    version: dict[str, Any] = {"liscope": liscope.__version__}
    commit = _git(root, "rev-parse", "HEAD") if (root / ".git").exists() else None
    if commit:
        version |= {"commit": commit, "modified": bool(_git(root, "status", "--porcelain"))}
    return version


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


@lru_cache(maxsize=1)
def packages() -> dict[str, str]:
    """Return the versions of all installed packages; leftovers of broken installs have no name."""
    every = metadata.distributions()
    found = {name: one.version for one in every if (name := one.metadata["Name"])}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))
