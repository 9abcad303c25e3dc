"""``liscope batch``: what it runs, what it leaves, and how it ends."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from batch_kills import kernels
from sweeps import snapshot, sweep
from toy_project import LIGHT, command, complete, environment, make, shown_folders

WORK = """import os
if p.count == 5:
    raise ValueError(f"five in {os.getcwd()}")
total = p.bias * p.count"""
THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR")
SWEEP = "vary:\n  count: [4, 5, 6]\n  bias: [0.1 V, -2]\n"


def table(root: Path, name: str = "sweep") -> list[dict[str, str]]:
    with (root / f"results/batches/{name}/table.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess]:
    """A sweep of six runs of which two fail."""
    root = make(tmp_path_factory.mktemp("failed") / "a project", **(LIGHT | {"work": WORK}))
    sweep(root, SWEEP)
    return root, command(root, "batch", "sweep.yaml", "--jobs", "2")


def test_a_failure_does_not_keep_the_others_from_running(
    failed: tuple[Path, subprocess.CompletedProcess],
) -> None:
    root, process = failed
    assert process.returncode == 1
    out = process.stdout.splitlines()
    assert out[:2] == [
        "sweep: 6 runs, 0 up to date",
        "6 runs to do, 2 at a time: no earlier run to go by",
    ]
    assert out[-1] == "results/batches/sweep/index.html"
    errors = process.stderr.splitlines()
    assert [line.partition(": toy first: ")[0] for line in errors[:-1]] == [
        "liscope: first, count 5, bias 0.1 V",
        "liscope: first, count 5, bias -2 V",
    ]
    assert all("ValueError: five in" in line for line in errors[:-1])
    assert errors[-1] == "liscope: 2 of 6 runs failed"
    assert len(shown_folders(root)) == 4 and all(map(complete, shown_folders(root)))


def test_the_table_has_every_run_in_order(failed: tuple[Path, object]) -> None:
    rows = table(failed[0])
    assert [(row["count"], row["bias"]) for row in rows] == [
        (count, bias) for count in "456" for bias in ("0.1", "-2.0")
    ]
    assert [row["state"] for row in rows] == ["done", "done", "failed", "failed", "done", "done"]
    totals = [float(row["total_V"]) if row["total_V"] else None for row in rows]
    assert totals == [0.4, -8.0, None, None, 0.6, -12.0]
    assert {row["sample"] for row in rows} == {"first"} and {row["workflow"] for row in rows} == {
        "toy"
    }
    names = {f"first-{row['key']}" for row in rows if row["state"] == "done"}
    assert names == {folder.name for folder in shown_folders(failed[0])}
    assert "ValueError" in rows[2]["error"] and str(failed[0]) not in rows[2]["error"]


def test_the_page_names_failures_and_leads_to_runs(failed: tuple[Path, object]) -> None:
    folder = failed[0] / "results/batches/sweep"
    page = (folder / "index.html").read_text()
    assert page.count("<article") == 4 and "4 done, 2 failed" in page
    assert "<strong>first, count 5, bias 0.1 V</strong>: toy first: code cell" in page
    for row in table(failed[0]):
        link = f"../../toy/first-{row['key']}/index.html"
        assert (link in page) == (row["state"] == "done")
        assert (folder / link).is_file() == (row["state"] == "done")
    assert "<script" not in page and "http" not in page.replace("http-equiv", "")
    assert (folder / "sweep.yaml").read_text() == (failed[0] / "sweep.yaml").read_text()


def test_a_dry_run_writes_nothing_and_goes_by_earlier_runs(
    failed: tuple[Path, subprocess.CompletedProcess],
) -> None:
    root, _ = failed
    before = snapshot(root)
    process = command(root, "batch", "sweep.yaml", "--dry-run", "--jobs", "8")
    assert process.returncode == 0 and snapshot(root) == before
    first, second = process.stdout.splitlines()
    assert first == "sweep: 6 runs, 4 up to date"
    assert second.startswith("2 runs to do, 2 at a time: about ") and second.endswith(" s")


def test_only_what_is_not_there_is_run_and_the_table_stays(
    failed: tuple[Path, subprocess.CompletedProcess],
) -> None:
    root, _ = failed
    folder = root / "results/batches/sweep"
    before = (folder / "table.csv").read_bytes(), snapshot(root / "results/toy")
    notebook = folder / "comparison.ipynb"
    notebook.write_text(notebook.read_text().replace('x = "count"', 'x = "bias"'))
    edited = notebook.read_bytes()
    process = command(root, "batch", "sweep.yaml")
    assert process.returncode == 1 and "2 runs to do" in process.stdout
    runs = [path for path in snapshot(root / "results/toy").items() if "first-" in path[0]]
    assert (folder / "table.csv").read_bytes() == before[0]
    assert [pair for pair in runs if before[1].get(pair[0]) != pair[1]] == [
        pair for pair in runs if pair[0].endswith("failed.ipynb")
    ]
    assert notebook.read_bytes() == edited, "a notebook that was changed by hand is kept"
    record = json.loads((folder / "record.json").read_text())
    assert (record["runs"], record["done_before"], record["failed"]) == (6, 4, 2)


def test_kernels_share_the_cores(tmp_path: Path) -> None:
    note = "','.join(os.environ[n] for n in NAMES)"
    names = [f"{name}_NUM_THREADS" for name in THREADS] + ["DASK_NUM_WORKERS"]
    deliver = LIGHT["deliver"].replace("p.note", note)
    root = make(tmp_path / "toy", **(LIGHT | {"deliver": f"import os\nNAMES = {names}\n{deliver}"}))
    sweep(root, "vary: {count: [1, 2]}")
    process = command(root, "batch", "sweep.yaml", "--jobs", "2")
    assert process.returncode == 0, process.stderr
    from dask.system import CPU_COUNT

    each = str(max(1, CPU_COUNT // 2))
    assert {row["result_note"] for row in table(root)} == {",".join([each] * 5)}
    folder, *_ = shown_folders(root)
    compute = json.loads((folder / "record.json").read_text())["compute"]
    assert compute["kind"] == "threads" and str(compute["threads_per_worker"]) == each


def test_a_sweep_runs_once_at_a_time_and_ctrl_c_stops_it(tmp_path: Path) -> None:
    wait = "import time\nopen(f'begun-{p.count}', 'w').close()\ntime.sleep(60 * (p.count > 1))"
    root = make(tmp_path / "toy", **(LIGHT | {"work": f"{wait}\ntotal = p.count"}))
    sweep(root, "vary: {count: [1, 2, 3, 4]}")
    process = subprocess.Popen(
        [sys.executable, "-m", "liscope", "batch", "sweep.yaml", "--jobs", "2"],
        cwd=root,
        env=environment(root),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not all((root / f"begun-{number}").exists() for number in (2, 3)):
        assert process.poll() is None
        time.sleep(0.05)
    second = command(root, "batch", "sweep.yaml")
    assert second.returncode == 1
    assert second.stderr == "liscope: the sweep sweep is running already; wait for it, or stop it\n"
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert (process.returncode, errors.strip().splitlines()[-1]) == (130, "liscope: stopped")
    last = out.splitlines()[-1]
    assert last == "1 of 4 done, 0 failed, 3 left; the same command goes on from here"
    assert [row["state"] for row in table(root)] == ["done", "not run", "not run", "not run"]
    assert not (root / "begun-4").exists() and not kernels(root, patience=0.5)
    assert len(shown_folders(root)) == 1 and not list(root.glob("results/toy/*.ipynb"))
    assert not list(root.glob("results/toy/.running-*"))
