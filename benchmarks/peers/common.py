"""What a peer's script is given and hands back; needs numpy alone, runs in the peer's environment.

The folder holds ``patterns.npy`` (n, size, size), uint8, and ``setup.json`` (optics and crystals);
what comes back lies in ``PEER.npz``: phase (n,), orientation (n, 4), score (n,), and what it cost.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

WARM_UP = 8  # patterns, indexed once before the clock runs: compilation is a fixed cost

Answer = tuple[np.ndarray, np.ndarray, np.ndarray]


def given() -> tuple[Path, np.ndarray, dict[str, Any]]:
    """Return the folder, the patterns and the setup named on the command line."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    setup = json.loads((folder / "setup.json").read_text())
    return folder, np.load(folder / "patterns.npy")[:count], setup


def measure(name: str, prepare: Callable[[dict], Callable[[np.ndarray], Answer]]) -> None:
    """Time ``prepare`` (library, compilation) and the indexing it returns apart; write both.

    The indexing returns per pattern the index of its phase (or -1), a quaternion (w, x, y, z) in
    whatever frame, and a score, higher for better.
    """
    folder, patterns, setup = given()
    begin = time.process_time()
    index = prepare(setup)
    library = time.process_time() - begin
    index(patterns[:WARM_UP])
    fixed = time.process_time() - begin
    begin, clock = time.process_time(), time.perf_counter()
    phase, orientation, score = index(patterns)
    seconds, wall = time.process_time() - begin, time.perf_counter() - clock
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB on Linux
    costs = {"seconds": seconds, "wall": wall, "library": library, "fixed": fixed, "rss": memory}
    np.savez(folder / f"{name}.npz", phase=phase, orientation=orientation, score=score, **costs)
