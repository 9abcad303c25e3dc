"""A small project with one notebook, written where a test wants it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

MODEL = '''
from typing import Annotated, Literal

from pydantic import Field

from liscope.workflow.parameters import Input, Meaning, Parameters, Quantity


class Toy(Parameters):
    """Toy sums over a scan.

    More about it.
    """

    sample: Annotated[str, Meaning("name of the sample")] = "specimen"
    bias: Annotated[float, Quantity("V", "bias during read-out")] = Field(1.5, ge=-12, le=12)
    count: Annotated[int, Meaning("how many terms")] = Field(10, gt=0)
    side: Annotated[Literal["tip", "sample"], Meaning("where `bias` is applied")] = "tip"
    boxes: Annotated[
        list[tuple[float, float, float, float]], Quantity("um", "x, y, width, height")
    ] = Field([[0, 0, 1, 1]], max_length=4)
    cut: Annotated[float | None, Quantity("nm", "cut-off")] = None
    note: Annotated[str, Meaning("a remark")] = ""


class ToyWithData(Toy):
    """Toy that reads a scan."""

    scan: Annotated[str, Input("the scan")] = "scan"
'''

CELLS = {
    "parameters": """sample = "specimen"  # name of the sample
bias = 1.5  # V, bias during read-out
count = 10  # how many terms
side = "tip"  # where bias is applied
boxes = [[0.0, 0.0, 1.0, 1.0]]  # um; x, y, width, height
cut = None  # nm, cut-off
note = ""  # a remark, with a '#'""",
    "check": "from toy_model import Toy\n\np = Toy.from_namespace(globals())",
    "work": "total = sum(p.bias * i for i in range(p.count))\ntotal",
    "figure": """import matplotlib.pyplot as plt
import pandas as pd
import xarray as xr

fig, ax = plt.subplots(figsize=(3, 2))
ax.plot([0, p.count], [0, total])
ax.set_xlabel("term")
plt.show()""",
    "deliver": """from liscope.workflow.deliver import deliver

table = pd.DataFrame({"term": range(p.count), "value": [p.bias * i for i in range(p.count)]})
deliver(
    p,
    figures={"growth": (fig, "How the sum grows")},
    tables={"terms": table},
    arrays={"terms": xr.Dataset({"value": ("term", table["value"].to_numpy())})},
    summary={"total_V": total, "undefined": float("nan"), "note": p.note, "cut": p.cut is None},
)""",
}
LIGHT = {  # the same without the libraries that are slow to import
    "figure": "",
    "deliver": "from liscope.workflow.deliver import deliver\n\n"
    "deliver(p, summary={'total_V': total, 'note': p.note})",
}
PROSE = r"""# Toy

The sum is $s = \sum_i V_i$, with

$$V_i = \frac{i\,V}{1 + \alpha^2}$$

| a | b |
|-|-|
| 1 | 2 |
"""


def notebook(cells: dict[str, str], model: str = "Toy") -> dict[str, object]:
    """Return a notebook of some prose and these code cells."""
    prose = {"cell_type": "markdown", "id": "prose", "metadata": {}, "source": PROSE}
    code = [
        {
            "cell_type": "code",
            "id": name,
            "metadata": {"tags": ["parameters"]} if name == "parameters" else {},
            "source": source.splitlines(keepends=True),
            "execution_count": None,
            "outputs": [],
        }
        for name, source in cells.items()
    ]
    return {
        "cells": [prose, *code],
        "metadata": {"liscope": {"parameters": f"toy_model:{model}"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def make(root: Path, model: str = "Toy", **changed: str) -> Path:
    """Write the project below ``root``; a cell in ``changed`` replaces that of its name."""
    for folder in ("notebooks", "params/toy", "model"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "model/toy_model.py").write_text(MODEL)
    (root / "notebooks/toy.ipynb").write_text(json.dumps(notebook({**CELLS, **changed}, model)))
    (root / "params/toy/first.yaml").write_text("sample: first\nbias: 2 V\ncount: 7\n")
    return root


def environment(root: Path) -> dict[str, str]:
    """Return the environment in which the project's model can be imported."""
    others = [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "model"), *others])}


def command(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``liscope`` in the project."""
    return subprocess.run(
        [sys.executable, "-m", "liscope", *arguments],
        cwd=root,
        env=environment(root),
        capture_output=True,
        text=True,
        timeout=120,
    )


def complete(folder: Path) -> bool:
    """Tell whether a run's folder holds its record and all outputs, to the byte."""
    record = json.loads((folder / "record.json").read_text())
    found = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "record.json"
    }
    return found == {name: output["sha256"] for name, output in record["outputs"].items()}


def shown_folders(root: Path) -> list[Path]:
    """Return the folders of runs that a user sees."""
    return sorted(path for path in (root / "results/toy").glob("[!.]*") if path.is_dir())


def results_of(folder: Path) -> dict[str, bytes]:
    """Return the content of tables, figures, arrays and summary."""
    kinds = ("tables/*", "figures/*", "arrays/*", "summary.json", "notebook.ipynb")
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for kind in kinds
        for path in folder.glob(kind)
    }
