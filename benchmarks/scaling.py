"""What patterns and voxels cost, and what 10 TB or 1 TB of them would need on a cluster.

    python benchmarks/scaling.py [--quick] [--tries 4] [--folder FOLDER] [--figure docs/scaling.png]

1. CPU seconds by step, and bytes, at three sizes each, in one thread.
2. One and two worker processes: measured wall time beside that of the simulated task graph
   (``scaling_simulation.py``), which knows the costs of 1. and the overhead of empty tasks only.
3. The simulation, extrapolated to a cluster. Writes the figure.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scaling_measure as measure
from matplotlib.figure import Figure
from scaling_measure import Measured
from scaling_simulation import HELD, Cluster, makespan, stragglers

from liscope.diffraction.library import Library
from liscope.diffraction.scan import match
from liscope.figures.style import BLUE, GREEN, GREY, ORANGE

LINES, CHUNKS = (2, 8, 32), (8, 32, 128)  # of 512 patterns; of 262 144 voxels
WORKERS = (16, 32, 64, 128, 256, 512, 1024)
STORAGE = (1e9, 5e9, 20e9)  # bytes a second, for all workers
LINK = 1e9  # of one worker
CAMPAIGN, VOLUME = 10e12, 1e12  # bytes
TASK = 4096  # patterns of a task in the campaign
SLAB = 32  # chunks of a task in the volume
EMPTY = 2000  # tasks that do nothing
SLOW, FACTOR, LOSS = 0.02, 3.0, 0.01  # share and factor of slow tasks; workers lost an hour


class Seen(NamedTuple):
    """What was measured on worker processes, in seconds and bytes."""

    overhead: float
    latency: float
    startup: float
    memory: float

    def cluster(self, workers: int, storage: float = np.inf, loss: float = 0.0) -> Cluster:
        """Return a cluster to simulate."""
        return Cluster(workers, storage, LINK, self.overhead, self.latency, self.startup, loss)


def steps(name: str, each: str, sizes: list[Measured]) -> None:
    """Print a table of CPU time by step."""
    print(f"\n{name}: CPU us a {each}")
    names = list(sizes[-1].steps)
    print("| count |" + "".join(f" {step} |" for step in names) + f" all | {each}s/s |")
    for one in sizes:
        cost = [1e6 * one.steps[step] / one.count for step in names]
        cells = "".join(f" {value:.3g} |" for value in cost)
        print(f"| {one.count} |{cells} {sum(cost):.3g} | {1e6 / sum(cost):.4g} |")
    last = sizes[-1]
    print(f"bytes: {last.bytes_in:.4g} in, {last.bytes_out:.4g} out")
    print(f"spread of blocks: {last.blocks.std() / last.blocks.mean():.1%}")


def compare(folder: Path, known: Library, sizes: tuple[Measured, Measured], tries: int) -> Seen:
    """Print measured and simulated wall times of one and two workers."""
    lines, chunks = len(sizes[0].blocks), len(sizes[1].blocks)
    lazy = match(measure.scan(folder, lines), known)
    stack = measure.reduced(measure.volume(folder, chunks))
    print("\n| work | workers | tasks | measured / s | simulated / s | ratio | others |")
    seen = None
    for workers in (1, 2):
        with measure.Cluster(workers) as cluster:
            startup = cluster.spent() / workers
            empty = cluster.best(lambda: _empty(cluster), tries)
            own = empty.workers / EMPTY
            seen = seen or _fitted(empty, startup)  # one worker tells, two are foretold
            _row("empty tasks", workers, np.full(EMPTY, own), empty, seen)
            lazy.isel(y=slice(0, 2)).compute()  # everything is loaded
            for work, computed, one in (("indexing", lazy, sizes[0]), ("moments", stack, sizes[1])):
                wall = cluster.best(computed.compute, tries)
                _row(work, workers, one.blocks + own, wall, seen)
            memory = cluster.memory()
    wire = measure.bytes_a_task(folder, lines, known)
    print(f"scheduler {1e3 * seen.overhead:.2f} ms, latency {1e3 * seen.latency:.1f} ms a task")
    print(f"a worker starts in {seen.startup:.1f} CPU s and takes up to {memory / 1e9:.2f} GB")
    print(f"over the wire {wire / 1e3:.0f} kB a task")
    return seen._replace(memory=memory)


def _fitted(empty: measure.Wall, startup: float) -> Seen:
    """Return what empty tasks on one worker tell, which holds ``HELD`` at a time."""
    each, own = empty.scheduler / EMPTY, empty.workers / EMPTY
    return Seen(each, max(HELD * empty.seconds / EMPTY - each - own, 0.0), startup, 0.0)


def _empty(cluster: measure.Cluster) -> Any:
    futures = cluster.client.map(_nothing, range(EMPTY), pure=False)
    return cluster.client.gather(futures)


def _nothing(number: int) -> int:
    return number


def _row(work: str, workers: int, costs: np.ndarray, wall: measure.Wall, seen: Seen) -> None:
    told = makespan(costs, 0.0, seen._replace(startup=0.0).cluster(workers))
    print(
        f"| {work} | {workers} | {len(costs)} | {wall.seconds:.2f} | {told:.2f} "
        f"| {told / wall.seconds:.2f} | {wall.others:.0%} |"
    )


def costs_of(one: Measured, total: float, block: int, rng: np.random.Generator) -> np.ndarray:
    """Return the seconds of every block of so many patterns or voxels of ``total`` bytes."""
    count = max(round(total / one.bytes_in / block), 1)
    each = sum(one.steps.values()) / one.count * block
    spread = one.blocks.std() / one.blocks.mean()
    return stragglers(each * rng.lognormal(0.0, spread, count), SLOW, FACTOR, rng)


def extrapolate(name: str, one: Measured, total: float, block: int, seen: Seen) -> Any:
    """Print hours on a cluster by workers and storage, and return them."""
    costs = costs_of(one, total, block, np.random.default_rng(0))
    size = block * one.bytes_in
    print(
        f"\n{name}: {len(costs)} tasks of {size / 1e6:.0f} MB, {costs.sum() / 3600:.0f} core hours"
    )
    print("| workers |" + "".join(f" {rate / 1e9:g} GB/s |" for rate in STORAGE))
    hours = []
    for workers in WORKERS:
        clusters = [seen.cluster(workers, rate, LOSS) for rate in STORAGE]
        hours.append([makespan(costs, size, cluster) / 3600 for cluster in clusters])
        print(f"| {workers} |" + "".join(f" {value:.3g} h |" for value in hours[-1]))
    core = size / costs.mean()
    print(f"one core takes {core / 1e6:.3g} MB/s: " + "; ".join(
        f"{rate / 1e9:g} GB/s feed {rate / core:.0f}" for rate in STORAGE
    ))  # fmt: skip
    return np.array(hours)


def by_block(one: Measured, seen: Seen, blocks: list[int]) -> Any:
    """Print and return how a tenth of the campaign depends on the patterns of a task."""
    print("\n1 TB on 256 workers, 20 GB/s\n| patterns a task | tasks | minutes | of the ideal |")
    found = []
    for block in blocks:
        costs = costs_of(one, CAMPAIGN / 10, block, np.random.default_rng(0))
        cluster = seen.cluster(256, 20e9, LOSS)
        spent = makespan(costs, block * one.bytes_in, cluster)
        ideal = costs.sum() / 256
        found.append(spent / 60)
        print(f"| {block} | {len(costs)} | {spent / 60:.1f} | {spent / ideal:.2f} |")
    return np.array(found)


def draw(one: Measured, hours: Any, blocks: list[int], minutes: Any, path: Path) -> None:
    """Write the figure."""
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    cost, time_, block = figure.subplots(1, 3)
    names = list(one.steps)
    cost.barh(names, [1e6 * one.steps[name] / one.count for name in names], color=BLUE)
    cost.invert_yaxis()
    cost.set(xlabel="CPU time of a pattern / µs", title="(a) measured, one core")
    styles = ((ORANGE, "o", "-"), (BLUE, "s", "--"), (GREEN, "^", ":"))
    for (colour, marker, line), rate, column in zip(styles, STORAGE, hours.T, strict=True):
        label = f"storage {rate / 1e9:g} GB/s"
        time_.loglog(WORKERS, column, color=colour, marker=marker, ls=line, label=label)
    ideal = sum(one.steps.values()) / one.count * CAMPAIGN / one.bytes_in / 3600
    time_.loglog(WORKERS, ideal / np.array(WORKERS), color=GREY, lw=1, label="cores alone")
    time_.set(xlabel="worker processes of one thread", ylabel="time / h")
    time_.set_title("(b) 10 TB of patterns, simulated")
    time_.legend(frameon=False)
    block.semilogx(blocks, minutes, color=BLUE, marker="s")
    block.set(xlabel="patterns in a task", ylabel="time / min", ylim=(0, None))
    block.set_title("(c) 1 TB on 256 workers, simulated")
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main() -> None:
    """Measure, compare, extrapolate and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--tries", type=int, default=4, help="repeats where others disturb")
    parser.add_argument("--folder", type=Path, help="where files are written and removed again")
    parser.add_argument("--figure", type=Path, default=Path("docs/scaling.png"))
    given = parser.parse_args()
    few = 1 if given.quick else None
    known = measure.templates()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        with measure.one_thread():
            measure.patterns(folder, 2, known)  # the first one loads things
            scans = [measure.patterns(folder, lines, known) for lines in LINES[:few]]
            stacks = [measure.voxels(folder, chunks) for chunks in CHUNKS[:few]]
        measure.check(measure.volume(folder, CHUNKS[0]))
        steps("4D-STEM indexing", "pattern", scans)
        steps("moments of a volume", "voxel", stacks)
        seen = compare(folder, known, (scans[len(scans) // 2], stacks[-1]), given.tries)
    blocks = [2048, 8192] if given.quick else [128, 512, 2048, 8192, 32768, 131072]
    hours = extrapolate("10 TB of patterns", scans[-1], CAMPAIGN, TASK, seen)
    extrapolate("1 TB of voxels", stacks[-1], VOLUME, SLAB * int(np.prod(measure.CHUNK)), seen)
    draw(scans[-1], hours, blocks, by_block(scans[-1], seen, blocks), given.figure)


if __name__ == "__main__":
    main()
