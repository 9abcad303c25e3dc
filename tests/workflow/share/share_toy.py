"""A small project whose parameters are the library's own, so that it can be rerun elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import toy_project
import xarray as xr

import liscope
from liscope.workflow.deliver import KERNEL_NOTE, deliver
from liscope.workflow.keys import components
from liscope.workflow.pages import write_page
from liscope.workflow.project import Project
from liscope.workflow.record import make_record, now, write_record

MODEL = "liscope.parameters.tip_stress_maps:TipStressMaps"
SCAN = "time,current\n0,1.5\n1,2.5\n"
CELLS = {
    "parameters": """sample = "lmo"
stressed = "specimen:lmo/stressed"
pristine = "specimen:lmo/pristine"
direction = "trace"
bias = None
bias_side = None
areas = [[0.35, 2.25, 1.5, 1.5], [2.25, 2.25, 1.5, 1.5], [4.15, 2.25, 1.5, 1.5]]
area_names = ["3 V", "5 V", "10 V"]
quoted = [69.0, 160.0, None]
margin = 0.08
path_factor = 5.0""",
    "check": "from liscope.parameters.tip_stress_maps import TipStressMaps\n\n"
    "p = TipStressMaps.from_namespace(globals())",
    "work": """from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from bokeh.plotting import figure as plot
from matplotlib.figure import Figure

given = Path(p.stressed).read_text() if Path(p.stressed).exists() else "simulated"
values = p.margin * np.arange(1, 8) / 3
drawn = Figure(figsize=(3, 2))
drawn.subplots().plot(values)
shown = plot(width=300, height=200, tools="hover", tooltips=[("v", "@image")])
_ = shown.image(image=[values * values[:, None]], x=0, y=0, dw=1, dh=1)
axes = {dim: (dim, np.arange(7), {"units": "um"}) for dim in "zyx"}
cell = xr.DataArray(np.multiply.outer(values * values[:, None], values), axes, tuple("zyx"))""",
    "deliver": """from liscope.workflow.deliver import deliver

deliver(
    p,
    figures={"growth": (drawn, "How it grows & shrinks")},
    tables={"terms": pd.DataFrame({"value": values})},
    arrays={"terms": xr.Dataset({"value": ("term", values)})},
    volumes={"cell": cell},
    summary={"total": values.sum(), "given": len(given)},
    interactive={"squares": (shown, "Squares to hover over")},
)""",
}
CITATION = """cff-version: 1.2.0
message: Please cite it.
title: "Sums of <toys>"
license: GPL-3.0-or-later
authors:
  - given-names: Ada
    family-names: Example
    orcid: https://orcid.org/0000-0000-0000-0001
  - name: The toy group
references:
  - type: article
    title: On toys
    doi: 10.1234/toys
"""


def make(root: Path) -> Path:
    """Write the project: one sample of the user's own file, one of a simulated specimen."""
    for folder in ("notebooks", "params/toy", "data"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    notebook = toy_project.notebook(CELLS)
    notebook["metadata"] = {"liscope": {"parameters": MODEL}}
    (root / "notebooks/toy.ipynb").write_text(json.dumps(notebook))
    own = "stressed: data/my scan.csv\npristine: null\nareas: []\narea_names: []\nquoted: []\n"
    (root / "params/toy/own.yaml").write_text(f"sample: own\n{own}")
    (root / "params/toy/simulated.yaml").write_text("sample: simulated\nmargin: 60 nm\n")
    (root / "data/my scan.csv").write_text(SCAN)
    (root / "CITATION.cff").write_text(CITATION)
    (root / "LICENSE").write_text("The licence.\n")
    (root / "requirements.lock").write_text("numpy==2.0\n")
    return root


def install(folder: Path) -> Path:
    """Copy the library into a folder for PYTHONPATH."""
    package = Path(liscope.__file__).parent
    shutil.copytree(package, folder / "liscope", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def command(
    where: Path, library: Path, *arguments: str, answer: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``liscope`` in a folder, as it is installed in ``library``."""
    return subprocess.run(
        [sys.executable, "-m", "liscope", *arguments],
        cwd=where,
        env={**os.environ, "PYTHONPATH": str(library), **environment},
        input=answer,
        capture_output=True,
        text=True,
        timeout=120,
    )


def finished_run(project: Project, name: str = "toy", /, **values: Any) -> Path:
    """Write a finished run of the toy with these parameters, as its notebook would have."""
    workflow = project.workflow(name)
    parameters = workflow.model.check(values)
    parts = components(project, workflow, parameters)
    folder = project.results(name) / f"{parameters.sample}-{parts.key}"
    folder.mkdir(parents=True)
    figure, axes = plt.subplots()
    axes.plot([0, 1])
    os.environ["LISCOPE_RUN"] = str(folder)
    try:
        deliver(
            parameters,
            figures={"growth": (figure, "How it grows")},
            tables={"terms": pd.DataFrame({"value": [1.5, 2.5]})},
            arrays={"terms": xr.Dataset({"value": ("term", [1.5, 2.5])})},
            summary={"total": 4.0},
        )
    finally:
        del os.environ["LISCOPE_RUN"]
        plt.close(figure)
    notebook = nbformat.reads(json.dumps(workflow.document), as_version=4)
    nbformat.write(notebook, folder / "notebook.ipynb")
    record = make_record(workflow, parameters.sample, parts, folder, now())
    (folder / KERNEL_NOTE).unlink()
    write_page(folder, record, notebook, workflow.model)
    write_record(folder, record)
    return folder


OWN = {
    "sample": "own", "stressed": "data/my scan.csv", "pristine": None,
    "areas": [], "area_names": [], "quoted": [],
}  # fmt: skip


def contents(archive: Path) -> dict[str, bytes]:
    """Return the files of an archive, by another reader than ours."""
    with zipfile.ZipFile(archive) as source:
        names = [name for name in source.namelist() if not name.endswith("/")]
        return {name: source.read(name) for name in names}


def packed(archive: Path, members: dict[str, bytes]) -> Path:
    """Write an archive, by another writer than ours."""
    with zipfile.ZipFile(archive, "w") as target:
        for name, content in members.items():
            target.writestr(name, content)
    return archive
