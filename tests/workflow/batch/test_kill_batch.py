"""The process of a sweep is killed again and again; see ``benchmarks/batch_kills.py`` for more."""

from __future__ import annotations

from pathlib import Path

import batch_kills
import pytest

RUNS, KILLS = 6, 3


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for kernels in /proc")
def test_a_killed_sweep_goes_on_where_it_was(tmp_path: Path) -> None:
    undisturbed = batch_kills.project(tmp_path / "calm", RUNS)
    lasts = batch_kills.calm(undisturbed)
    root = batch_kills.project(tmp_path / "storm", RUNS)
    found = batch_kills.storm(root, KILLS, lasts, seed=20261121)
    assert found.killed >= 2, "the kills came too late to show anything"
    assert batch_kills.faults(root, undisturbed, found, RUNS) == []
