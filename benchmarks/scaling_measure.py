"""Where time and bytes go per pattern and per voxel, on the cores of this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import dask
import dask.array as da
import numpy as np
import psutil
import zarr
from distributed import Client
from indexing_scale import COLUMNS, write
from threadpoolctl import threadpool_limits

from liscope.cluster import ADDRESS, started
from liscope.diffraction import index as parts
from liscope.diffraction import polar
from liscope.diffraction.decision import decide
from liscope.diffraction.library import Library, library
from liscope.diffraction.polar import Geometry
from liscope.diffraction.refine import refine
from liscope.diffraction.scan import match
from liscope.diffraction.search import search
from liscope.diffraction.structures import open_crystal
from liscope.diffraction.templates import Beam
from liscope.readers import read_diffraction

CHANNELS, LEVELS = 8, 64  # of the volume, and of its joint histogram
CHUNK = (16, 128, 128)  # voxels of a chunk
QUIET = 0.05  # of all cores, which others may take before a measurement is repeated


class Wall(NamedTuple):
    """Seconds of a computation; CPU seconds of scheduler and client, and of the workers.

    ``others`` is the share of all cores that other people's processes took meanwhile.
    """

    seconds: float
    scheduler: float
    workers: float
    others: float


class Measured(NamedTuple):
    """A piece of work of one size."""

    count: int  # patterns or voxels
    steps: dict[str, float]  # CPU seconds in all
    blocks: np.ndarray  # CPU seconds of each block
    bytes_in: float  # a pattern or voxel
    bytes_out: float


class Stopwatch:
    """CPU seconds of this process by step."""

    def __init__(self) -> None:
        self.steps: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Add to a step."""
        begin = time.process_time()
        yield
        self.steps[name] = self.steps.get(name, 0.0) + time.process_time() - begin


# ------------------------------------------------------------------------------------- patterns


def templates() -> Library:
    """Return the library of the ASTAR workflow: two phases, steps of 1 degree."""
    crystals = [open_crystal(name) for name in ("lmno", "pt")]
    return library(crystals, Geometry(np.eye(2) / 0.022, (128, 128)), Beam())


def scan(folder: Path, lines: int) -> Any:
    """Return a scan of lines of 512 patterns in a file, lazily and a line a block."""
    path = folder / f"{lines}.blo"
    if not path.exists():
        write(path, lines * COLUMNS * (128 * 128 + 6) / 1e9)
    return read_diffraction(path).chunk(y=1)


def patterns(folder: Path, lines: int, known: Library) -> Measured:
    """Index a scan step by step in one thread."""
    opened = scan(folder, lines)
    watch, blocks = Stopwatch(), []
    for line in range(lines):
        before = sum(watch.steps.values())
        with watch("read"), dask.config.set(scheduler="synchronous"):
            flat = opened["pattern"][line].values
        for some in parts.batches(len(flat), known):
            _one_batch(flat[some], known, watch)
        blocks.append(sum(watch.steps.values()) - before)
    with dask.config.set(scheduler="synchronous"):
        few = match(opened.isel(y=slice(0, 2)), known).compute()
    begin = time.process_time()
    decide(few)
    watch.steps["decide"] = (time.process_time() - begin) * lines / 2
    out = few.nbytes / (2 * COLUMNS)
    size = (folder / f"{lines}.blo").stat().st_size / (lines * COLUMNS)
    return Measured(lines * COLUMNS, watch.steps, np.array(blocks), size, out)


def _one_batch(some: np.ndarray, known: Library, watch: Stopwatch) -> None:
    """Do what :func:`liscope.diffraction.index.index` does, with a watch."""
    with watch("centre"):
        centres = polar.direct_beam(some)
    with watch("polar"):
        spots, norm = polar.spots_only(polar.unrolled(some, centres, known.grid))
    found = []
    for phase in known.phases:
        with watch("search"):
            best = parts.best(search(spots, known, phase), parts.REFINED)
        with watch("refine"):
            found.append(refine(spots, known, phase, best))
    with watch("choose"):
        parts._different(found, known, norm)


# --------------------------------------------------------------------------------------- voxels


def volume(folder: Path, chunks: int) -> zarr.Array[Any]:
    """Return counts (z, y, x, channel) of that many chunks on disk, as a stack would have them."""
    path = folder / f"{chunks}.zarr"
    shape = (CHUNK[0] * chunks, *CHUNK[1:], CHANNELS)
    if path.exists():
        return zarr.open_array(path)
    made = zarr.create_array(path, shape=shape, chunks=(*CHUNK, CHANNELS), dtype="u2")
    rng = np.random.default_rng(0)
    for part in range(chunks):
        dose = rng.gamma(2.0, 4.0, (*CHUNK, 1)) * np.linspace(0.2, 2.0, CHANNELS)
        made[part * CHUNK[0] : (part + 1) * CHUNK[0]] = rng.poisson(dose)
    return made


def moments(block: np.ndarray, watch: Stopwatch | None = None) -> np.ndarray:
    """Return count, sums, products and the joint histogram of two channels of a block, in a row."""
    watch = watch or Stopwatch()
    flat = block.reshape(-1, CHANNELS)
    with watch("covariance"):
        values = flat.astype(np.float64)
        products, sums = values.T @ values, values.sum(axis=0)
    with watch("histogram"):
        level = np.minimum(flat[:, :2], LEVELS - 1).astype(np.int64)
        joint = np.bincount(level[:, 0] * LEVELS + level[:, 1], minlength=LEVELS**2)
    row = np.concatenate([[len(flat)], sums, products.ravel(), joint])
    return row[None, None, None].astype(np.float64)


def reduced(stack: zarr.Array[Any]) -> da.Array:
    """Return the moments of a whole stack in one pass, lazily."""
    array = da.from_zarr(stack)
    width = 1 + CHANNELS + CHANNELS**2 + LEVELS**2
    ones = tuple((1,) * len(size) for size in array.chunks[:3])
    rows = array.map_blocks(
        moments, dtype=np.float64, chunks=(*ones, (width,)), meta=np.empty((0,) * 4)
    )
    return rows.sum(axis=(0, 1, 2))


def voxels(folder: Path, chunks: int) -> Measured:
    """Reduce a stack step by step in one thread."""
    stack = volume(folder, chunks)
    watch, blocks = Stopwatch(), []
    for part in range(chunks):
        before = sum(watch.steps.values())
        with watch("read and unpack"):
            block = stack[part * CHUNK[0] : (part + 1) * CHUNK[0]]
        moments(np.asarray(block), watch)
        blocks.append(sum(watch.steps.values()) - before)
    stored = sum(one.stat().st_size for one in (folder / f"{chunks}.zarr").rglob("c/**/*"))
    count = int(np.prod(stack.shape[:3]))
    return Measured(count, watch.steps, np.array(blocks), stored / count, 0.0)


def check(stack: zarr.Array[Any]) -> None:
    """Hold the reduction against numpy's own covariance and histogram."""
    row = reduced(stack).compute()
    flat = np.asarray(stack[:]).reshape(-1, CHANNELS)
    count, sums = row[0], row[1 : 1 + CHANNELS]
    products = row[1 + CHANNELS : 1 + CHANNELS + CHANNELS**2].reshape(CHANNELS, CHANNELS)
    ours = (products - np.outer(sums, sums) / count) / (count - 1)
    np.testing.assert_allclose(ours, np.cov(flat.T), rtol=1e-9)
    cut = np.minimum(flat[:, :2], LEVELS - 1)
    joint = np.histogram2d(*cut.T, bins=LEVELS, range=[[0, LEVELS]] * 2)[0]
    np.testing.assert_array_equal(row[-(LEVELS**2) :].reshape(LEVELS, LEVELS), joint)


# ---------------------------------------------------------------------------------- on a cluster


class Cluster:
    """Worker processes that have loaded the library."""

    def __init__(self, workers: int) -> None:
        self.open = ExitStack()
        compute = self.open.enter_context(started("local", workers))
        self.client = self.open.enter_context(Client(compute.environment[ADDRESS]))
        self.client.run(_load)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *error: object) -> None:
        self.open.close()

    def best(self, work: Callable[[], Any], tries: int) -> Wall:
        """Return the least disturbed of some computations; few of them where nobody disturbs."""
        found: list[Wall] = []
        while len(found) < 2 or (found[-1].others > QUIET and len(found) < tries):
            _wait_for_quiet()
            found.append(self._wall(work))
        return min(found, key=lambda wall: wall.others)

    def _wall(self, work: Callable[[], Any]) -> Wall:
        busy, own, theirs = _busy(), time.process_time(), self.spent()
        begin = time.perf_counter()
        work()
        seconds = time.perf_counter() - begin
        own, theirs = time.process_time() - own, self.spent() - theirs
        others = max(_busy() - busy - own - theirs, 0.0) / (seconds * psutil.cpu_count())
        return Wall(seconds, own, theirs, others)

    def spent(self) -> float:
        """Return the CPU seconds of all workers so far."""
        return float(sum(self.client.run(_spent).values()))

    def memory(self) -> float:
        """Return the largest memory that a worker ever held, in bytes."""
        return float(max(self.client.run(_peak).values()))


def bytes_a_task(folder: Path, lines: int, known: Library) -> float:
    """Return the bytes that go over the wire for a task more, whatever goes there once."""

    def sent(count: int) -> int:
        before = psutil.net_io_counters(pernic=True)["lo"].bytes_sent
        match(scan(folder, lines).isel(y=slice(0, count)), known).compute()
        return int(psutil.net_io_counters(pernic=True)["lo"].bytes_sent - before)

    with Cluster(1):  # the least of three, as others use the same wire
        once, all_ = (min(sent(count) for _ in range(3)) for count in (1, lines))
        return (all_ - once) / (lines - 1)


def _wait_for_quiet() -> None:
    """Wait a minute at most for others to pause."""
    for _ in range(30):
        if psutil.cpu_percent(2.0) < 100 * QUIET:
            return


def _load() -> None:
    import liscope.diffraction.scan
    import liscope.readers  # noqa: F401


def _spent() -> float:
    return time.process_time()


def _peak() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def _busy() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)


def one_thread() -> Any:
    """Return a context in which matrix products stay in one thread, as in a worker."""
    return threadpool_limits(limits=1)
