"""A run is killed at any moment: its folder is there whole, or not at all."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_project import CELLS, command, complete, environment, make, results_of, shown_folders

START = [sys.executable, "-m", "liscope", "run", "toy"]
# Without xarray: the run is made ten times.
CHANGED = {
    "figure": "import pandas as pd\nfrom matplotlib.figure import Figure\n\n"
    "fig = Figure(figsize=(2, 2))\nfig.subplots().plot([0, 1])",
    "deliver": CELLS["deliver"].replace("    arrays={", "    # {"),
}


def running(root: Path) -> list[Path]:
    return list((root / "results/toy").glob(".running-*"))


def after(seconds: float) -> Callable[[Path, float], bool]:
    return lambda _, begun: time.monotonic() - begun > seconds


def at(file: str) -> Callable[[Path, float], bool]:
    return lambda root, _: any((folder / file).exists() for folder in running(root))


def at_the_end(root: Path, _: float) -> bool:
    return bool(shown_folders(root))


def kernels(tokens: set[str]) -> list[str]:
    """Return the command lines of the kernels of killed runs that are still there."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        lines += [line] if any(f"liscope-{token}" in line for token in tokens) else []
    return lines


def kill(root: Path, due: Callable[[Path, float], bool], delay: float) -> tuple[bool, set[str]]:
    """Start a run and kill it; tell whether it was still running, and its folders' tokens."""
    begun = time.monotonic()
    process = subprocess.Popen(
        START, cwd=root, env=environment(root), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and not due(root, begun):
        time.sleep(0.001)
    time.sleep(delay)
    tokens = {folder.name.rpartition("-")[2] for folder in running(root)}
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL, tokens


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks for kernels in /proc")
def test_a_killed_run_leaves_no_half_results(tmp_path: Path) -> None:
    begun = time.monotonic()
    calm = make(tmp_path / "calm", **CHANGED)
    assert command(calm, "run", "toy").returncode == 0
    lasts = time.monotonic() - begun
    (expected,) = shown_folders(calm)

    root = make(tmp_path / "stormy", **CHANGED)
    draw = random.Random(20261121)
    moments = [after(lasts * draw.uniform(0.15, 0.9)) for _ in range(4)]
    moments += [at("summary.json"), at("index.html"), at("record.json"), at_the_end]
    killed, tokens = 0, set()
    for due in moments:
        was_running, found = kill(root, due, draw.uniform(0, 0.005))
        killed += was_running
        tokens |= found
        for folder in shown_folders(root):
            assert complete(folder), f"{folder.name} is not whole"
            folder.rename(tmp_path / f"whole-{killed}")  # so that the next one runs again
    assert killed >= 6, "the kills came too late to show anything"
    assert tokens, "no run was killed while it had its folder"

    deadline = time.monotonic() + 15
    while kernels(tokens) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not kernels(tokens), "a kernel outlived its killed run"

    last = command(root, "run", "toy")
    assert last.returncode == 0, last.stderr
    (folder,) = shown_folders(root)
    assert complete(folder)
    assert results_of(folder) == results_of(expected)
    assert not running(root), "what killed runs have left was not cleared"


def test_an_interrupted_run_stops_its_kernel_and_says_so(tmp_path: Path) -> None:
    marker = "open('begun', 'w').close()"
    root = make(tmp_path / "toy", work=f"import time\n{marker}\ntime.sleep(60)")
    process = subprocess.Popen(
        START, cwd=root, env=environment(root), stderr=subprocess.PIPE, text=True
    )
    while not (root / "begun").exists():
        assert process.poll() is None
        time.sleep(0.05)
    (folder,) = running(root)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors.strip()) == (130, "liscope: stopped")
    assert not running(root)
    assert not kernels({folder.name.rpartition("-")[2]})


def test_a_replacement_killed_half_way_is_undone(tmp_path: Path) -> None:
    from liscope.workflow.folders import running_folder

    results = tmp_path / "results"
    (results / ".old-one-0123456789ab").mkdir(parents=True)
    (results / ".old-one-0123456789ab/record.json").write_text("{}")
    with running_folder(results, "two-0123456789ab"):
        assert (results / "one-0123456789ab/record.json").read_text() == "{}"
        assert not (results / ".old-one-0123456789ab").exists()


def test_a_folder_in_use_is_not_cleared(tmp_path: Path) -> None:
    from liscope.workflow.folders import publish, running_folder

    with running_folder(tmp_path, "one-0123456789ab") as first:
        (first / "record.json").write_text("first")
        with running_folder(tmp_path, "one-0123456789ab") as second:
            assert first.is_dir() and second.is_dir() and first != second
            (second / "record.json").write_text("second")
            final = publish(second, "one-0123456789ab")
        publish(first, "one-0123456789ab")
    assert (final / "record.json").read_text() == "second", "the first to finish is kept"
    assert [path.name for path in tmp_path.iterdir()] in (
        [".lock", final.name],
        [final.name, ".lock"],
    )


def test_two_runs_of_one_key_at_a_time(tmp_path: Path) -> None:
    root = make(tmp_path / "toy", **CHANGED)
    pair = [
        subprocess.Popen(START, cwd=root, env=environment(root), stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in pair:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    (folder,) = shown_folders(root)
    assert complete(folder) and not running(root)
