"""A sweep whose process is killed at random moments, beside the same sweep undisturbed.

    python benchmarks/batch_kills.py [--runs 200] [--kills 20] [--seed 1]

The toy notebook of the tests notes every execution in a file. At the end of the storm every run
must be there once and whole, none that was finished may have been executed again, the results and
the table must be the undisturbed ones to the byte, and no kernel may be left. Exit status 1 where
that is not so. Linux only: it looks for kernels in /proc.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "workflow"))

from toy_project import LIGHT, complete, environment, make, results_of, shown_folders

LOG = "executed.txt"
NOTE = f"""import os

with open("{LOG}", "a") as log:  # one line, so one write: two kernels do not mix
    log.write(f"{{os.environ['ROUND']}} {{p.side}}-{{p.count}}\\n")
total = p.bias * p.count"""
SWEEP = """workflow: toy
samples: [first]
vary:
  count: {{from: 1, to: {half}, step: 1}}
  side: [tip, sample]
"""


@dataclass
class Storm:
    """What happened: rounds that were killed while running, and what was finished after each."""

    killed: int = 0
    finished: dict[int, set[str]] = field(default_factory=dict)
    seconds: float = 0


def project(root: Path, runs: int) -> Path:
    """Write a toy project with a sweep of an even number of runs."""
    make(root, **(LIGHT | {"work": NOTE}))
    (root / "storm.yaml").write_text(SWEEP.format(half=runs // 2))
    return root


def start(root: Path, number: int) -> subprocess.Popen[str]:
    """Start ``liscope batch`` as round ``number``."""
    return subprocess.Popen(
        [sys.executable, "-m", "liscope", "batch", "storm.yaml", "--jobs", "2"],
        cwd=root,
        env=environment(root) | {"ROUND": str(number)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def calm(root: Path) -> float:
    """Run the sweep undisturbed; return how long it took."""
    begun = time.monotonic()
    process = start(root, 0)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return time.monotonic() - begun


def storm(root: Path, moments: Sequence[tuple[int, float]]) -> Storm:
    """Kill the sweep again and again, then let it come to its end.

    A moment is so many seconds after so many runs are there.
    """
    found, begun = Storm(), time.monotonic()
    for number, (runs, seconds) in enumerate(moments):
        process = start(root, number)
        while len(shown_folders(root)) < runs and process.poll() is None:
            time.sleep(0.01)
        time.sleep(seconds)
        process.kill()
        found.killed += process.wait() < 0
        found.finished[number] = executed_names(shown_folders(root))
    last = start(root, len(moments))
    _, errors = last.communicate()
    assert last.returncode == 0, errors
    found.seconds = time.monotonic() - begun
    return found


def faults(root: Path, undisturbed: Path, found: Storm, runs: int) -> list[str]:
    """Return what is not as it must be after the storm."""
    ours, theirs = shown_folders(root), shown_folders(undisturbed)
    lines = [f"{path.name} is not whole" for path in ours if not complete(path)]
    if [path.name for path in ours] != [path.name for path in theirs] or len(ours) != runs:
        lines.append(f"{len(ours)} runs, {len(theirs)} undisturbed, {runs} wanted")
    lines += [
        f"{one.name}: other results than undisturbed"
        for one, other in zip(ours, theirs, strict=False)
        if results_of(one) != results_of(other)
    ]
    tables = [base / "results/batches/storm/table.csv" for base in (root, undisturbed)]
    if tables[0].read_bytes() != tables[1].read_bytes():
        lines.append("the table is not the undisturbed one")
    left = [*root.glob("results/toy/.[!l]*"), *root.glob("results/batches/storm/.[!l]*")]
    lines += [f"{path.name} was left behind" for path in left]
    lines += [f"{name} was executed again" for name in sorted(executed_again(root, found))]
    return lines + [f"a kernel was left: {line}" for line in kernels(root)]


def executed_names(folders: list[Path]) -> set[str]:
    """Return the runs as the toy notebook names them, of folders that are there."""
    values = [json.loads((folder / "record.json").read_text())["parameters"] for folder in folders]
    return {f"{value['side']}-{value['count']}" for value in values}


def executed_again(root: Path, found: Storm) -> set[str]:
    """Return the runs that a later round executed although they were finished."""
    lines = [line.split() for line in (root / LOG).read_text().splitlines()]
    return {
        name for number, name in lines for past, names in found.finished.items()
        if int(number) > past and name in names
    }  # fmt: skip


def kernels(root: Path, patience: float = 15) -> list[str]:
    """Return the kernels of the project that have not ended within ``patience`` seconds."""
    deadline = time.monotonic() + patience
    while (found := _kernels(root)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def _kernels(root: Path) -> list[str]:
    marker = f"LISCOPE_RUN={root}/".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue  # it has ended meanwhile, or is another user's
    return found


def main() -> int:
    """Run both sweeps, print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        undisturbed = project(Path(folder) / "calm", options.runs)
        lasts = calm(undisturbed)
        root = project(Path(folder) / "storm", options.runs)
        draw = random.Random(options.seed)
        longest = 1.6 * lasts / options.kills
        found = storm(root, [(0, draw.uniform(0.2, longest)) for _ in range(options.kills)])
        wrong = faults(root, undisturbed, found, options.runs)
        executed = len((root / LOG).read_text().splitlines())
    finished = [len(names) for names in found.finished.values()]
    print(f"{options.runs} runs undisturbed: {lasts:.0f} s")
    print(f"{found.killed} of {options.kills} kills while it ran: {found.seconds:.0f} s in all")
    print(f"finished after each kill: {finished}")
    print(f"{executed} notebooks begun for {options.runs} runs; the others were killed with it")
    print(
        "\n".join(wrong) or "every run once and whole, the same results and table, no kernel left"
    )
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
