"""What a notebook that was run tells of the machine, and how it is kept."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from liscope.workflow import folders
from liscope.workflow.executed import cleaned
from liscope.workflow.kernel import save


def executed(**data: str) -> Any:
    output = new_output("display_data", data)
    return new_notebook(cells=[new_code_cell("x", id="one", outputs=[output])])


@pytest.mark.parametrize(
    "kind", ["text/plain", "text/html", "text/markdown", "text/latex", "text/x-other"]
)
def test_no_text_tells_of_the_machine(tmp_path: Path, kind: str) -> None:
    text = f"<a href='{tmp_path}/data/a.csv'>{sys.prefix}/lib</a> <X at 0x7f00deadbeef>"
    notebook = cleaned(executed(**{kind: text, "image/png": "AAAA"}), tmp_path, cut=False)
    found = notebook.cells[0].outputs[0].data
    assert found[kind] == "<a href='data/a.csv'><env>/lib</a> <X at 0x…>"
    assert found["image/png"] == "AAAA"


def test_a_notebook_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "one.failed.ipynb"
    save(executed(**{"text/plain": "first"}), file)
    before = file.read_bytes()
    assert nbformat.read(file, as_version=4).cells[0].outputs[0].data["text/plain"] == "first"
    assert before.endswith(b"}\n")

    def killed(_: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(folders.os, "fsync", killed)
        save(executed(**{"text/plain": "second"}), file)
    assert file.read_bytes() == before
