"""Grains of an orientation map of a million pixels, beside the same done with orix.

    python benchmarks/grain_step.py [--side 1000] [--grains 4000] [--seeds 1] [--peer-side 250]

Each map has the cells of random points as grains, with an orientation noise of 0.5 to 0.8 degrees
(median), 1 to 3 % of single wrong pixels, and each pixel given as any of its 24 equivalents. Timed
are segmentation with cleaning, the grain table (sizes, mean orientations, spread), the boundaries
pixel by pixel and pair by pair with coincidence lattices, and the size table: CPU seconds of all
threads. The peer does the first part only, grains without cleaning: ``Orientation.angle_with`` for
all neighbours, and connected components; on the first ``--peer-side`` rows and columns, in the same
run, beside ours of the same part. Exits with 1 unless the whole step takes less than 5 CPU seconds
(for a million pixels), the adjusted Rand index against the known grains is at least 0.98, and both
find the same grains. Takes about 15 s a seed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from orix.quaternion import Orientation, symmetry
from scipy import sparse

sys.path.append(str(Path(__file__).parents[1] / "tests" / "grains"))
import grain_maps

from liscope import grains

SECONDS, RAND = 5.0, 0.98
MILLION = 1e6


def specimen(side: int, count: int, seed: int) -> tuple[xr.Dataset, np.ndarray]:
    """Return an orientation map and its known grains."""
    rng = np.random.default_rng(seed)
    known = grain_maps.voronoi((side, side), count, seed)
    crystals = grain_maps.random(known.max() + 1, seed)
    noise, wrong = rng.uniform(0.5, 0.8), rng.uniform(0.01, 0.03)
    return grain_maps.dataset(grain_maps.noisy(crystals[known], noise, wrong, seed)), known


def timed(times: dict[str, float], name: str, work: Callable[[], object]) -> object:
    """Return the result of the work, and note its CPU seconds."""
    begin = time.process_time()
    result = work()
    times[name] = time.process_time() - begin
    return result


def ours(seen: xr.Dataset) -> tuple[xr.DataArray, dict[str, float]]:
    """Return the labels, and the CPU seconds of each part."""
    times: dict[str, float] = {}
    label = timed(times, "segmentation", lambda: grains.segment(seen))
    table = timed(times, "grain table", lambda: grains.grain_table(seen, label))
    edges = timed(times, "boundary segments", lambda: grains.boundary_segments(seen, label))
    pairs = timed(times, "grain pairs", lambda: grains.boundary_pairs(edges, table, seen))
    timed(times, "boundary shares", lambda: grains.boundary_shares(pairs, "LMNO"))
    timed(times, "sizes", lambda: grains.size_table(grains.sizes_of(table, label, "LMNO")))
    return label, times


def peer(seen: xr.Dataset) -> np.ndarray:
    """Return grains (y, x) by orix' disorientation of neighbours and scipy's components."""
    every = Orientation(seen["orientation"].to_numpy(), symmetry=symmetry.Oh)
    node = np.arange(every.size).reshape(every.shape)
    ends = []
    for here, there in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        alike = every[here].angle_with(every[there], degrees=True) < 5
        ends.append(np.stack([node[here][alike], node[there][alike]]))
    one, two = np.concatenate(ends, axis=1)
    graph = sparse.coo_array((np.ones(one.size, bool), (one, two)), (node.size, node.size))
    return sparse.csgraph.connected_components(graph, directed=False)[1].reshape(node.shape)


def row(side: int, count: int, seed: int, peer_side: int) -> dict[str, float]:
    """Return what one seed comes to."""
    seen, known = specimen(side, count, seed)
    label, times = ours(seen)
    part = seen.isel(y=slice(peer_side), x=slice(peer_side))
    both: dict[str, float] = {}
    mine = timed(both, "ours", lambda: grains.segment(part, small="stay"))
    theirs = timed(both, "orix", lambda: peer(part))
    return {
        "grains": float(label.max()),
        **{f"{name} / s": spent for name, spent in times.items()},
        "whole step / s": sum(times.values()),
        "Rand index": grain_maps.rand_index(label.to_numpy(), known),
        "orix / ours": both["orix"] / both["ours"],
        "same grains": grain_maps.rand_index(mine.to_numpy(), theirs),
    }


def main() -> int:
    """Run all seeds, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--side", type=int, default=1000, help="pixels (default: 1000)")
    parser.add_argument("--grains", type=int, default=4000, help="of the map (default: 4000)")
    parser.add_argument("--seeds", type=int, default=1, help="how many (default: 1)")
    parser.add_argument("--peer-side", type=int, default=250, help="pixels (default: 250)")
    given = parser.parse_args()
    ours(specimen(50, 10, 0)[0])  # imports and symmetry operators, once
    results = pd.DataFrame(
        [row(given.side, given.grains, seed, given.peer_side) for seed in range(given.seeds)]
    )
    print(results.T.to_string(float_format="{:.3f}".format))
    allowed = SECONDS * max(1.0, given.side**2 / MILLION)
    failed = []
    if not (results["whole step / s"] < allowed).all():
        failed.append("time")
    if not (results["Rand index"] >= RAND).all():
        failed.append("grains")
    if not np.allclose(results["same grains"], 1):
        failed.append("orix' grains")
    bars = f"below {allowed:g} CPU seconds, Rand index at least {RAND:g}, the grains of orix"
    print(f"FAILED: {', '.join(failed)}" if failed else f"holds: {bars}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
