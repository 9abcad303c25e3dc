"""The page over all runs: one card a sample, earlier runs in a list below."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

from liscope.errors import RunError
from liscope.workflow.deliver import SUMMARY
from liscope.workflow.pages import POLICY, TEMPLATES, THUMBNAIL, image, read_json, shown, style
from liscope.workflow.project import Project
from liscope.workflow.record import RECORD, read_record


def write_overview(project: Project) -> Path:
    """Write ``results/index.html`` over all finished runs, and return its path."""
    from filelock import FileLock
    from jinja2 import Environment, FileSystemLoader

    results = project.root / "results"
    results.mkdir(exist_ok=True)
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    template = environment.get_template("overview.html.j2")
    # Under a lock, so that the page written last has seen every run.
    with FileLock(results / ".lock"):
        newest, older = _split(_runs(results))
        html = template.render(newest=newest, older=older, css=style(), policy=POLICY, shown=shown)
        return _replace(results / "index.html", html)


def _runs(results: Path) -> list[dict[str, Any]]:
    """Return what a card shows of every finished run, by workflow and sample, newest first."""
    folders = [path.parent for path in results.glob(f"*/[!.]*/{RECORD}")]
    runs: list[dict[str, Any]] = []
    for folder in folders:
        with suppress(RunError):  # a damaged record: `liscope status` names it
            record = read_record(folder)
            runs.append({"record": record, "folder": folder, "link": _link(results, folder)})
    runs.sort(key=lambda run: str(run["record"]["ended"]), reverse=True)
    return sorted(runs, key=_sample)


def _sample(run: dict[str, Any]) -> tuple[str, str]:
    return run["record"]["workflow"], run["record"]["sample"]


def _link(results: Path, folder: Path) -> str:
    return f"{folder.relative_to(results).as_posix()}/index.html"


def _split(runs: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the newest runs in one group a workflow, and all earlier ones."""
    newest: list[dict[str, Any]] = []
    older: list[dict[str, Any]] = []
    for _, same in groupby(runs, key=_sample):
        first, *rest = same
        newest.append(_card(first))
        older += rest
    groups = [list(group) for _, group in groupby(newest, key=lambda run: _sample(run)[0])]
    titled = [
        {"title": group[0]["record"]["title"], "runs": group, "count": len(group)}
        for group in groups
    ]
    return titled, older


def _card(run: dict[str, Any]) -> dict[str, Any]:
    thumbnail = run["folder"] / THUMBNAIL
    return run | {
        "summary": read_json(run["folder"] / SUMMARY),
        "thumbnail": image(thumbnail) if thumbnail.is_file() else "",
    }


def _replace(path: Path, text: str) -> Path:
    """Write a file whole: a reader sees the old one or the new one."""
    descriptor, name = tempfile.mkstemp(prefix=".index-", dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    fresh = Path(name)
    fresh.chmod(0o644)
    fresh.replace(path)
    return path
