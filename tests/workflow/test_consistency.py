from __future__ import annotations

import json

import pytest
from toy_project import CELLS, make

from liscope.workflow.consistency import check_consistency
from liscope.workflow.project import Project

CELL = CELLS["parameters"]


def faults(project: Project) -> str:
    return "\n".join(check_consistency(project, project.workflow("toy")))


def test_a_consistent_project_has_no_faults(light: Project) -> None:
    assert faults(light) == ""


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("bias = 1.5", "bias = 2.5", "bias is 2.5 in the cell, 1.5 in the model"),
        ("count = 10", "count = True", "count is True in the cell"),
        ("# V, bias", "# bias", "bias needs a comment with its unit V"),
        ("  # how many terms", "", "count needs a comment"),
        ('note = ""', 'extra = ""', "cell has sample, bias, count, side, boxes, cut, extra"),
        ('side = "tip"', 'side = "t" + "ip"', "parameters cell: malformed"),
        ("count = 10", "count: int = 10", ""),
        ("count = 10", "import os", "parameters cell: line 3 is not 'name = value'"),
        ("count = 10", "count =", "parameters cell: invalid syntax"),
        ('note = ""', 'note = "# text"', "note is '# text' in the cell, '' in the model"),
        ("note = \"\"  # a remark, with a '#'", 'note = "#"', "note needs a comment"),
    ],
)
def test_a_cell_that_departs_from_the_model(light: Project, old: str, new: str, fault: str) -> None:
    assert old in CELL
    make(light.root, parameters=CELL.replace(old, new))
    found = faults(light)
    assert fault in found and bool(found) == bool(fault)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("sample: other", "first.yaml: sample should be 'first'"),
        ("sample: first\nbias: 40", "first.yaml: bias (first.yaml, line 2): got 40"),
        ("sample: first\nbias: 010", "first.yaml, line 2: bias: got 010"),
        ("sample: first\nnote: 1e-3", "got 0.001"),
    ],
)
def test_parameter_files_that_are_wrong(light: Project, text: str, fault: str) -> None:
    (light.root / "params/toy/first.yaml").write_text(text)
    assert fault in faults(light)


def test_order_tag_and_calls(light: Project) -> None:
    lines = CELL.splitlines()
    make(light.root, parameters="\n".join([*lines[1:], lines[0]]))
    assert "cell has bias" in faults(light)
    make(light.root, check="p = 1", deliver="1")
    assert "no cell calls from_namespace" in faults(light)
    assert "no cell calls deliver" in faults(light)
    file = light.root / "notebooks/toy.ipynb"
    file.write_text(json.dumps(json.loads(file.read_text())).replace('["parameters"]', "[]"))
    assert "0 cells are tagged 'parameters'" in faults(light)
