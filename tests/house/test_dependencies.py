"""What is declared, locked and shown to conda users must be the same thing."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = {
    "requirements.lock": ("test", "build"),
    "requirements-lab.lock": ("lab", "build"),
}


def _locked(name: str) -> dict[str, list[str]]:
    """Return the locked versions (more than one where platforms differ) by distribution."""
    versions: dict[str, list[str]] = {}
    for line in (ROOT / name).read_text().splitlines():
        if found := re.match(r"([A-Za-z0-9._-]+)==([^ ;\\]+)", line):
            versions.setdefault(canonicalize_name(found[1]), []).append(found[2])
    return versions


@pytest.mark.parametrize(("name", "groups"), LOCKS.items())
def test_lock_holds_a_right_version_of_every_dependency(name: str, groups: tuple[str, ...]) -> None:
    needed = list(SETTINGS["project"]["dependencies"])
    for group in groups:
        needed += SETTINGS["dependency-groups"][group]
    locked = _locked(name)
    for text in needed:
        requirement = Requirement(text)
        versions = locked.get(canonicalize_name(requirement.name), [])
        assert versions, f"{name} lacks {requirement.name}: run tools/lock.sh"
        assert all(version in requirement.specifier for version in versions), text


@pytest.mark.parametrize("name", LOCKS)
def test_lock_has_hashes_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text()
    entries = re.split(r"\n(?=\S)", text.strip())
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", entry) for entry in entries)
    assert not re.search(r"://|index-url|find-links|\s@\s", text)


def test_the_two_locks_do_not_contradict_each_other() -> None:
    one, other = (_locked(name) for name in LOCKS)
    assert {name: one[name] for name in one.keys() & other.keys()} == {
        name: other[name] for name in one.keys() & other.keys()
    }


def test_this_environment_is_the_locked_one() -> None:
    if Path(sys.prefix).name != ".venv":
        pytest.skip("not the environment that make creates")
    locked = _locked("requirements.lock")
    stray = {
        f"{name} {found.version}"
        for found in metadata.distributions()
        if (name := canonicalize_name(found.metadata["Name"]))
        not in ("liscope", "pip", "setuptools")
        and found.version not in locked.get(name, [])
    }
    assert not stray


def test_environment_yml_is_what_pyproject_says() -> None:
    check = [sys.executable, ROOT / "tools" / "environment_yml.py", "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "jupyterlab" in (ROOT / "environment.yml").read_text()


def test_jupyterlab_stays_out_of_the_environment_of_batches_and_tests() -> None:
    assert "jupyterlab" not in _locked("requirements.lock")
    assert "jupyterlab" in _locked("requirements-lab.lock")
