"""Index the same patterns with numpy on one core and with torch on a GPU, where there is one.

    python benchmarks/indexing_gpu.py [--patterns 16384]

Prints both rates, the share of patterns with the same phase, and how far orientations and scores
lie apart. Without torch or a CUDA device it says so and stops.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from threadpoolctl import threadpool_limits

from liscope.diffraction.index import Candidates, index
from liscope.diffraction.library import Library, library
from liscope.diffraction.polar import Geometry
from liscope.diffraction.structures import open_crystal
from liscope.diffraction.templates import Beam
from liscope.errors import DataError
from liscope.grains.disorientation import angle_between, operators
from liscope.specimens import spot_patterns


def timed(patterns: np.ndarray, templates: Library) -> tuple[Candidates, float]:
    """Return the candidates, and patterns per second of wall time."""
    index(patterns[:256], templates)
    begin = time.perf_counter()
    found = index(patterns, templates)
    return found, len(patterns) / (time.perf_counter() - begin)


def main() -> None:
    """Run both and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patterns", type=int, default=16384)
    given = parser.parse_args()
    crystals = [open_crystal(name) for name in ("lmno", "pt")]
    templates = library(crystals, Geometry(np.eye(2) / 0.022, (128, 128)), Beam())
    try:
        on_gpu = templates.on_gpu()
    except DataError as error:
        print(f"skipped: {error}")
        return
    some, _, _ = spot_patterns.bench_set(2048, spot_patterns.MEDIUM, 0)
    patterns = np.concatenate([some] * -(-given.patterns // len(some)))[: given.patterns]
    with threadpool_limits(1):
        one, slow = timed(some, templates)
    two, fast = timed(patterns, on_gpu)
    print(f"one core {slow:.0f}/s, GPU {fast:.0f}/s, ratio {fast / slow:.1f}")
    count = min(len(some), given.patterns)
    angle = angle_between(
        np.nan_to_num(one.orientation[:count, 0]),
        np.nan_to_num(two.orientation[:count, 0]),
        operators("m-3m"),
    )
    same = one.phase[:count, 0] == two.phase[:count, 0]
    apart = np.abs(one.score[:count, 0] - two.score[:count, 0]).max()
    print(f"same phase {same.mean():.4f}; within 0.01 degrees {np.mean(angle < 0.01):.4f}")
    print(f"scores at most {apart:.2g} apart")


if __name__ == "__main__":
    main()
