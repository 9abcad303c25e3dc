"""The process of a sweep is killed again and again; see ``benchmarks/batch_kills.py`` for more."""

from __future__ import annotations

import random
from pathlib import Path

import batch_kills
import pytest

RUNS = 6


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for kernels in /proc")
def test_a_killed_sweep_goes_on_where_it_was(tmp_path: Path) -> None:
    undisturbed = batch_kills.project(tmp_path / "calm", RUNS)
    batch_kills.calm(undisturbed)
    root = batch_kills.project(tmp_path / "storm", RUNS)
    draw = random.Random(20261121)
    moments = [(runs, draw.uniform(0, 0.5)) for runs in (0, 1, 3)]
    found = batch_kills.storm(root, moments)
    assert found.killed == 3, "the kills came too late to show anything"
    assert len(found.finished[2]) >= 3
    assert batch_kills.faults(root, undisturbed, found, RUNS) == []
