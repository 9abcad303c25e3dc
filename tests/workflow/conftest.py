from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import toy_project

import liscope
from liscope.workflow.project import Project


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for a toy project, whose model this process and its kernels can import."""
    folder = tmp_path / "a project"  # with a space, as users have
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder / "model"))
    monkeypatch.setenv("PYTHONPATH", toy_project.environment(folder)["PYTHONPATH"])
    monkeypatch.delitem(sys.modules, "toy_model", raising=False)
    # Keys are made of a copy of the library, so that a test can change one of its files.
    copy = shutil.copytree(Path(liscope.__file__).parent, tmp_path / "library/lib/liscope")
    monkeypatch.setattr(liscope, "__file__", str(copy / "__init__.py"))
    return folder


@pytest.fixture
def light(root: Path) -> Project:
    """A toy project that runs fast."""
    return Project(toy_project.make(root, **toy_project.LIGHT))


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a toy project that was run in full with ``liscope run --all``."""
    folder = toy_project.make(tmp_path_factory.mktemp("done"))
    process = toy_project.command(folder, "run", "--all")
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[-1] == "results/index.html"
    return folder
