from __future__ import annotations

import contextlib
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import share_toy

import liscope
from liscope.workflow.project import Project
from liscope.workflow.share.selection import select
from liscope.workflow.share.supplement import write_supplement


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A toy project around the current folder, and a copy of the library to make keys of."""
    root = share_toy.make(tmp_path / "a project")
    copy = shutil.copytree(Path(liscope.__file__).parent, tmp_path / "library/lib/liscope")
    monkeypatch.setattr(liscope, "__file__", str(copy / "__init__.py"))
    monkeypatch.chdir(root)
    return Project(root)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where liscope is installed: a copy with no checkout around it."""
    folder = tmp_path_factory.mktemp("site")
    return share_toy.install(folder)


@pytest.fixture(scope="session")
def supplement(tmp_path_factory: pytest.TempPathFactory, library: Path) -> Path:
    """The supplement of a run that was executed by ``liscope run``."""
    root = share_toy.make(tmp_path_factory.mktemp("writing side") / "project")
    done = share_toy.command(root, library, "run", "toy", "-f", "params/toy/own.yaml")
    assert done.returncode == 0, done.stderr
    done = share_toy.command(root, library, "share", "toy", "-o", "toy.zip")
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.splitlines()
    assert first == "left out: toy simulated: has no run that is up to date"
    assert last.startswith("toy.zip: 1 run, ")
    return root / "toy.zip"


@pytest.fixture(scope="session")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The supplement of two runs that were made without a kernel."""
    root = share_toy.make(tmp_path_factory.mktemp("two") / "project")
    project = Project(root)
    with contextlib.chdir(root):
        for values in (share_toy.OWN, {"sample": "simulated", "margin": 0.06}):
            share_toy.finished_run(project, **values)
        write_supplement(project, select(project, ["toy"]), root / "toy.zip")
    return root / "toy.zip"
