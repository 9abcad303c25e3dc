"""What a run of a sweep costs beyond its notebook's cells, beside plain papermill in a loop.

    python benchmarks/batch_overhead.py [--runs 12] [--work 0 2] [--repeats 3]

The same toy notebook, once as it is and once with some seconds of arithmetic in it, goes through
papermill in a loop in one process, and through ``liscope batch`` with one and with two kernels at
a time. CPU is that of the process and all of its kernels; what the cells themselves used, as the
kernel measures it, is taken off. The three take turns, so that other load on the machine meets all
of them; of the repeats the one with the least wall time counts, and the load is printed.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "workflow"))

from toy_project import CELLS, LIGHT, environment, make

LOOP = """import json, sys
import papermill
notebook, runs, out = sys.argv[1:]
for number in range(1, int(runs) + 1):
    papermill.execute_notebook(
        notebook, f"{out}/{number}.ipynb", {"sample": "first", "count": number},
        kernel_name="python3", language="python", progress_bar=False, log_output=False,
    )
"""
BEGIN = "import time\nbegun = time.process_time()\n"
WORK = """end = time.process_time() + {seconds}
while time.process_time() < end:
    sum(range(10_000))
total = p.bias * p.count"""
END = """
with open("cells.txt", "a") as log:
    log.write(f"{time.process_time() - begun}\\n")
"""


class Cost(NamedTuple):
    """Of a run: wall time, CPU beyond the cells, CPU of the cells, in seconds."""

    wall: float
    overhead: float
    cells: float


def project(root: Path, seconds: float) -> Path:
    """Write a toy project whose notebook notes what its cells use."""
    cells = LIGHT | {"check": BEGIN + CELLS["check"], "deliver": LIGHT["deliver"] + END}
    return make(root, **(cells | {"work": WORK.format(seconds=seconds)}))


def by_papermill(root: Path, runs: int) -> list[str]:
    """Return the command that runs the notebook in a loop."""
    (root / "out").mkdir(exist_ok=True)
    return [sys.executable, "-c", LOOP, "notebooks/toy.ipynb", str(runs), "out"]


def by_batch(jobs: int) -> Callable[[Path, int], list[str]]:
    """Return what makes the command that runs a sweep."""

    def command(root: Path, runs: int) -> list[str]:
        vary = f"vary: {{count: {{from: 1, to: {runs}, step: 1}}}}"
        (root / "sweep.yaml").write_text(f"workflow: toy\nsamples: [first]\n{vary}\n")
        return [sys.executable, "-m", "liscope", "batch", "sweep.yaml", "--jobs", str(jobs)]

    return command


WAYS = {
    "papermill in a loop": by_papermill,
    "liscope batch, 1 kernel": by_batch(1),
    "liscope batch, 2 kernels": by_batch(2),
}


def measure(way: Callable[[Path, int], list[str]], seconds: float, runs: int) -> Cost:
    """Run the notebook ``runs`` times in a fresh project."""
    with tempfile.TemporaryDirectory() as folder:
        root = project(Path(folder), seconds)
        before, begun = _cpu(), time.monotonic()
        done = subprocess.run(
            way(root, runs), cwd=root, env=environment(root), capture_output=True, text=True
        )
        wall, cpu = time.monotonic() - begun, _cpu() - before
        assert done.returncode == 0, done.stderr
        cells = [float(line) for line in (root / "cells.txt").read_text().split()]
    assert len(cells) == runs
    return Cost(wall / runs, (cpu - sum(cells)) / runs, sum(cells) / runs)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print a table for each amount of work."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--work", type=float, nargs="+", default=[0, 2])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    for seconds in options.work:
        found: dict[str, list[Cost]] = {name: [] for name in WAYS}
        loads = []
        for _ in range(options.repeats):
            for name, way in WAYS.items():
                loads.append(os.getloadavg()[0])
                found[name].append(measure(way, seconds, options.runs))
        print(f"\n{options.runs} runs with {seconds:g} s of work each; load {median(loads):.1f}")
        print(f"{'seconds a run':26}{'wall':>8}{'cells':>8}{'beyond':>8}")
        best = {name: min(costs) for name, costs in found.items()}
        for name, cost in best.items():
            print(f"{name:26}{cost.wall:8.2f}{cost.cells:8.2f}{cost.overhead:8.2f}")
        one, two = (best[f"liscope batch, {kernels}"].wall for kernels in ("1 kernel", "2 kernels"))
        print(f"two kernels side by side: {one / two:.2f} times the throughput of one")


if __name__ == "__main__":
    main()
