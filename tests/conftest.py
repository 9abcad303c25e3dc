"""Where real instrument files lie, and the helpers that tests share with the benchmarks."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Test modules are imported one by one (import-mode=importlib); what they share is found here.
sys.path += [str(ROOT / "tests" / "readers"), str(ROOT / "benchmarks")]
# Or a toy project's compiled model would count as a file that a refused command has written.
sys.dont_write_bytecode = True


def _real_folder() -> Path:
    return Path(os.environ.get("LISCOPE_REAL") or ROOT.parent / "shared" / "real")


@pytest.fixture(scope="session", autouse=True)
def _real_files_in_environment() -> None:
    """Let `liscope.data.fetch`, also in notebooks that tests run, find the files on disk."""
    if _real_folder().is_dir():
        os.environ["LISCOPE_REAL"] = str(_real_folder())


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of real instrument files."""
    folder = _real_folder()
    if not folder.is_dir():
        pytest.skip("no folder of real instrument files: set LISCOPE_REAL to run this test")
    return folder
