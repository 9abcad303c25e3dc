"""A task graph on a cluster, event by event: one scheduler, one storage, workers that may be lost.

Each task is handed out by the scheduler (one at a time, ``overhead`` each), reads its block from
storage that all share, computes, and is reported back. A worker holds one task more than it works
at, as dask's do, so that the scheduler's work is hidden until it cannot keep up.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from heapq import heappop, heappush

import numpy as np

HELD = 2  # tasks at a worker of one thread: dask's worker-saturation of 1.1, rounded up
READ, COMPUTED, HANDED, LOST, BACK = range(5)


@dataclass(frozen=True)
class Cluster:
    """What the tasks run on.

    Attributes
    ----------
    workers
        Of one thread each.
    storage, link
        Bytes a second that storage gives to all, and that one worker can take.
    overhead
        Seconds of the scheduler for a task.
    latency
        Seconds from the end of a task to another one's arrival, the scheduler's own not counted.
    startup
        Seconds of a worker before its first task (imports), also of a new one.
    loss
        Workers lost an hour, of each.
    replaced
        Seconds until another one takes its place.
    kept
        Results stay in the worker's memory until the end, and are lost with it.
    """

    workers: int
    storage: float = np.inf
    link: float = np.inf
    overhead: float = 0.0
    latency: float = 0.0
    startup: float = 0.0
    loss: float = 0.0
    replaced: float = 60.0
    kept: bool = False


def stragglers(
    costs: np.ndarray, share: float, factor: float, rng: np.random.Generator
) -> np.ndarray:
    """Return costs of which some are ``factor`` times as large."""
    return np.where(rng.random(costs.shape) < share, factor, 1.0) * costs


def makespan(costs: np.ndarray, size: float, cluster: Cluster, seed: int = 0) -> float:
    """Return the seconds until all tasks are done, and no worker holds a result that is missed.

    Parameters
    ----------
    costs
        (tasks,) seconds of computation.
    size
        Bytes that each task reads.
    cluster
        What they run on.
    seed
        Of the times at which workers are lost.
    """
    return _Run(costs, size, cluster, seed).end()


class _Run:
    """The state between two events."""

    def __init__(self, costs: np.ndarray, size: float, cluster: Cluster, seed: int) -> None:
        self.costs, self.size, self.cluster = costs, size, cluster
        self.rng = np.random.default_rng(seed)
        self.now = self.scheduler_free = 0.0
        self.todo = deque(range(len(costs)))
        self.left = len(costs)
        count = cluster.workers
        self.held: list[deque[int]] = [deque() for _ in range(count)]
        self.busy: list[int | None] = [None] * count
        self.results: list[list[int]] = [[] for _ in range(count)]
        self.life = [0] * count  # events of an earlier life of a worker do not count
        self.waiting: list[tuple[int, int]] = []  # workers that nothing was left for
        self.events: list[tuple[float, int, int, int, int]] = []
        # Storage is shared alike: all transfers see the same bytes go by, ``passed``.
        self.passed = self.since = 0.0
        self.reading: list[tuple[float, int, int, int]] = []
        for _ in range(HELD):  # all get a first task before anybody gets a second one
            for worker in range(count):
                self._ask(worker, cluster.startup)
        for worker in range(count):
            self._expect_loss(worker)

    def end(self) -> float:
        """Work until everything is done."""
        while self.left:
            arrival = self._next_read()
            if self.events and self.events[0][0] <= arrival:
                self.now, kind, worker, life, task = heappop(self.events)
                self._share()
            else:
                self.now = arrival
                self._share()
                _, worker, life, task = heappop(self.reading)
                kind = READ
            if life == self.life[worker]:
                self._handle(kind, worker, task)
        return self.now

    def _handle(self, kind: int, worker: int, task: int) -> None:
        if kind == READ:
            self._at(self.costs[task], COMPUTED, worker, task)
        elif kind == COMPUTED:
            self.left -= 1
            if self.cluster.kept:
                self.results[worker].append(task)
            self.busy[worker] = None
            self._ask(worker)
            self._work(worker)
        elif kind == HANDED:
            self.held[worker].append(task)
            self._work(worker)
        elif kind == LOST:
            self._lose(worker)
        else:
            for _ in range(HELD):
                self._ask(worker, self.cluster.startup)
            self._expect_loss(worker)

    def _expect_loss(self, worker: int) -> None:
        if self.cluster.loss:
            self._at(self.rng.exponential(3600 / self.cluster.loss), LOST, worker)

    def _ask(self, worker: int, delay: float = 0.0) -> None:
        """Have the scheduler hand out one more task, when it has time."""
        self.scheduler_free = max(self.now, self.scheduler_free) + self.cluster.overhead
        if not self.todo:
            self.waiting.append((worker, self.life[worker]))
            return
        after = max(self.scheduler_free - self.now + self.cluster.latency, delay)
        self._at(after, HANDED, worker, self.todo.popleft())

    def _work(self, worker: int) -> None:
        if self.busy[worker] is None and self.held[worker]:
            task = self.busy[worker] = self.held[worker].popleft()
            self._share()
            heappush(self.reading, (self.passed + self.size, worker, self.life[worker], task))

    def _lose(self, worker: int) -> None:
        """Give back what the worker had."""
        again = [*self.held[worker], *self.results[worker], *self._on_the_way(worker)]
        self.left += len(self.results[worker])
        if (task := self.busy[worker]) is not None:
            again.append(task)
        self.reading = [one for one in self.reading if one[1] != worker]
        self.reading.sort()
        self.held[worker].clear()
        self.results[worker].clear()
        self.busy[worker] = None
        self.life[worker] += 1
        self.todo.extendleft(again)
        self._at(self.cluster.replaced, BACK, worker)
        idle, self.waiting = self.waiting, []
        for other, life in idle:
            if life == self.life[other]:
                self._ask(other)

    def _on_the_way(self, worker: int) -> list[int]:
        life = self.life[worker]
        return [e[4] for e in self.events if e[1] == HANDED and e[2] == worker and e[3] == life]

    def _at(self, delay: float, kind: int, worker: int, task: int = -1) -> None:
        heappush(self.events, (self.now + delay, kind, worker, self.life[worker], task))

    def _rate(self) -> float:
        """Return the bytes a second that each transfer gets now."""
        return min(self.cluster.storage / max(len(self.reading), 1), self.cluster.link)

    def _share(self) -> None:
        if self.reading and np.isfinite(self._rate()):
            self.passed += (self.now - self.since) * self._rate()
        self.since = self.now

    def _next_read(self) -> float:
        if not self.reading:
            return np.inf
        rate = self._rate()
        left = self.reading[0][0] - self.passed
        return self.now + (max(left, 0.0) / rate if np.isfinite(rate) else 0.0)


def bound(costs: np.ndarray, size: float, cluster: Cluster) -> str:
    """Return what keeps the tasks from being faster: workers, storage or scheduler."""
    least = {
        "workers": costs.sum() / cluster.workers,
        "storage": len(costs) * size / cluster.storage,
        "scheduler": len(costs) * cluster.overhead,
    }
    return max(least, key=lambda name: least[name])


def sweep(costs: np.ndarray, size: float, cluster: Cluster, workers: list[int]) -> list[float]:
    """Return the seconds with so many workers."""
    return [makespan(costs, size, replace(cluster, workers=count)) for count in workers]
