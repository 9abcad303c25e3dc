"""What of Binder's build can be checked without Binder."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "postBuild"
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())


def test_post_build_is_a_script_that_the_shell_accepts() -> None:
    assert os.access(SCRIPT, os.X_OK)
    assert SCRIPT.read_text().startswith("#!/bin/sh\n")
    done = subprocess.run(["sh", "-n", SCRIPT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_post_build_names_no_host_and_no_place() -> None:
    text = SCRIPT.read_text().removeprefix("#!/bin/sh\n")
    assert not re.search(r"://|index-url|find-links|(?<![\w.])/(?:home|root|tmp|work)\b", text)


def test_post_build_calls_what_the_environment_has() -> None:
    lines = [line for line in SCRIPT.read_text().splitlines() if line and line[0] != "#"]
    called = {line.split()[0] for line in lines} - {"set"}
    assert called == {"liscope", "python"}
    assert 'liscope = "liscope.workflow.cli:main"' in (ROOT / "pyproject.toml").read_text()


def test_the_environment_has_jupyterlab_a_kernel_and_this_library() -> None:
    packages = [entry for entry in ENVIRONMENT["dependencies"] if isinstance(entry, str)]
    names = {re.split(r"[<>=!~ ]", entry)[0] for entry in packages}
    assert {"python", "pip", "jupyterlab", "ipykernel", "ipywidgets"} <= names
    assert ENVIRONMENT["channels"] == ["conda-forge"]
    (pip,) = [entry["pip"] for entry in ENVIRONMENT["dependencies"] if isinstance(entry, dict)]
    assert "-e ." in pip


def test_no_other_file_takes_the_environments_place() -> None:
    """repo2docker looks into binder/ and .binder/ alone, where there are such folders."""
    assert not [name for name in ("binder", ".binder") if (ROOT / name).exists()]
