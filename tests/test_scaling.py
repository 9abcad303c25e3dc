"""The simulation of a task graph, where the answer is known on paper."""

from __future__ import annotations

import numpy as np
import pytest
from scaling_simulation import Cluster, bound, makespan, stragglers

TASKS = np.full(100, 2.0)


@pytest.mark.parametrize(
    "workers, rounds", [(1, 100), (2, 50), (3, 34), (64, 2), (100, 1), (400, 1)]
)
def test_equal_tasks_come_in_rounds(workers: int, rounds: int) -> None:
    assert makespan(TASKS, 0, Cluster(workers)) == pytest.approx(2 * rounds)


def test_a_start_comes_once(workers: int = 4) -> None:
    assert makespan(TASKS, 0, Cluster(workers, startup=7)) == pytest.approx(57)


def test_storage_is_shared_alike() -> None:
    # ten read at once, each at a tenth: 1 s, then 2 s of work; the next ten meanwhile do nothing
    slow = Cluster(10, storage=10.0)
    assert makespan(TASKS[:10], 1.0, slow) == pytest.approx(3)
    assert makespan(TASKS[:20], 1.0, slow) == pytest.approx(6)
    assert makespan(TASKS[:1], 1.0, slow) == pytest.approx(2.1)  # alone it has all of it
    assert makespan(TASKS[:1], 1.0, Cluster(1, storage=10.0, link=2.0)) == pytest.approx(2.5)
    many = makespan(TASKS, 100.0, Cluster(100, storage=10.0))
    assert many == pytest.approx(100 * 100 / 10 + 2)


def test_the_scheduler_is_hidden_until_it_cannot_keep_up() -> None:
    hidden = makespan(TASKS, 0, Cluster(2, overhead=0.01))
    assert 100 < hidden < 100.1
    limited = makespan(np.full(5000, 0.01), 0, Cluster(100, overhead=0.001))
    assert limited == pytest.approx(5000 * 0.001 + 0.01, rel=0.05)
    assert bound(np.full(5000, 0.01), 0, Cluster(100, overhead=0.001)) == "scheduler"
    assert bound(TASKS, 1e3, Cluster(2, storage=1.0)) == "storage"


def test_a_straggler_is_waited_for() -> None:
    costs = stragglers(TASKS, 0.5, 10.0, np.random.default_rng(0))
    assert set(costs) == {2.0, 20.0}
    last = np.r_[TASKS[:9], 20.0]
    assert makespan(last, 0, Cluster(10)) == pytest.approx(20)


def test_lost_workers_cost_what_they_had() -> None:
    calm = makespan(TASKS, 0, Cluster(10))
    lossy = Cluster(10, loss=60.0, replaced=5.0)  # each lost once a minute
    spent = np.array([makespan(TASKS, 0, lossy, seed) for seed in range(50)])
    assert (spent >= calm - 1e-9).all() and calm < spent.mean() < 2 * calm
    kept = np.array(
        [makespan(TASKS, 0, Cluster(10, loss=60.0, replaced=5.0, kept=True), s) for s in range(50)]
    )
    assert kept.mean() > 1.1 * spent.mean()  # results are lost as well


def test_one_lost_worker_by_hand() -> None:
    # one worker, lost at a known time t with one task done each 2 s: the running task is done again
    for seed in range(20):
        at = 3600 / 60 * np.random.default_rng(seed).exponential()
        if at < 20:
            after, done = at + 5.0, int(at // 2)
            again = 3600 / 60 * _second(seed)
            if again > 20:
                found = makespan(TASKS[:10], 0, Cluster(1, loss=60.0, replaced=5.0), seed)
                assert found == pytest.approx(after + 2 * (10 - done))


def _second(seed: int) -> float:
    rng = np.random.default_rng(seed)
    rng.exponential()
    return float(rng.exponential())
