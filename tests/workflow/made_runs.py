"""Finished runs as `liscope run` leaves them, made without a kernel."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from liscope.workflow.keys import components
from liscope.workflow.project import Project


def make_run(project: Project, days: float = 0, key: str = "", **values: object) -> Path:
    """Write a run of the toy workflow that ended some days ago.

    With ``key`` it is one of other code: its name is that key, and its notebook another.
    """
    workflow = project.workflow("toy")
    parameters = workflow.model.check(values)
    parts = components(project, workflow, parameters)
    made_of = asdict(parts) | ({"notebook": "another"} if key else {})
    folder = project.results("toy") / f"{parameters.sample}-{key or parts.key}"
    folder.mkdir(parents=True)
    summary = b'{"total_V": 1.5}'
    (folder / "summary.json").write_bytes(summary)
    (folder / "index.html").write_text("<p>a run</p>")
    record = {
        "workflow": "toy",
        "title": workflow.title,
        "sample": parameters.sample,
        "key": key or parts.key,
        "ended": (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="milliseconds"),
        "parameters": parts.parameters,
        "components": made_of,
        "outputs": {"summary.json": {"sha256": hashlib.sha256(summary).hexdigest(), "bytes": 16}},
    }
    (folder / "record.json").write_text(json.dumps(record))
    return folder


FIRST = {"sample": "first", "bias": 2.0, "count": 7}  # what the toy's first.yaml says


def make_batch(project: Project, name: str, *runs: Path, **counts: int) -> Path:
    """Write the folder of a batch whose page shows these runs."""
    folder = project.root / "results/batches" / name
    folder.mkdir(parents=True)
    rows = [f"toy,{run.name[:-13]},{run.name[-12:]},done" for run in runs]
    (folder / "table.csv").write_text("\n".join(["workflow,sample,key,state", *rows]) + "\n")
    (folder / "index.html").write_text("<p>a batch</p>")
    (folder / "record.json").write_text(json.dumps({"sweep": name, **counts}))
    return folder
