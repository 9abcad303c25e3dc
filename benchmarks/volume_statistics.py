"""Covariances and a joint histogram of counts in Zarr on two workers, beside dask.array's.

    python benchmarks/volume_statistics.py FOLDER [--slices 200] [--shape 1000 1500] [--memory 1GiB]
                                           [--no-dask]

Poisson counts of five channels are written to FOLDER, unless they lie there (some 5 MB a slice of
1000 x 1500). Two worker processes of one thread each find all means and covariances and the joint
histogram of two channels, 256 x 256: by ``joint_statistics``, and by ``dask.array.cov`` with
``histogram2d``. Reported are wall and CPU seconds, the largest resident memory of a worker,
how much of it came after imports, whether the histograms are equal, and how far the covariances lie
apart. Exits with 1 if they differ, or ours takes longer. 200 slices are 300 million voxels.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import psutil
import xarray as xr
import zarr
from distributed import Client, KilledWorker, LocalCluster

from liscope.volume import joint_statistics

CHANNELS = ("Co", "Zr", "Al", "C", "6Li+")
PAIR = ("6Li+", "Zr")
BINS, HIGH = 256, 64.0
STEP = (0.06, 0.0814, 0.0814)  # um


def counts(folder: Path, slices: int, shape: tuple[int, int]) -> xr.DataArray:
    """Return the counts, written where they are not there."""
    path = folder / f"counts_{slices}_{shape[0]}_{shape[1]}.zarr"
    size = (len(CHANNELS), slices, *shape)
    if not path.exists():
        rng = np.random.default_rng(0)
        store = zarr.create_array(path, shape=size, chunks=(1, 10, *shape), dtype=np.uint16)
        for channel, start in itertools.product(range(len(CHANNELS)), range(0, slices, 10)):
            block = rng.poisson(rng.uniform(1, 12, (1, *shape)), (min(10, slices - start), *shape))
            store[channel, start : start + 10] = block
    axes = {
        dim: (dim, step * np.arange(n), {"units": "um"})
        for dim, n, step in zip("zyx", size[1:], STEP, strict=True)
    }
    return xr.DataArray(
        da.from_zarr(path), {"channel": list(CHANNELS), **axes}, ("channel", *"zyx")
    )


def ours(volume: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Return covariances and joint histogram."""
    moments, histograms = joint_statistics(volume, [PAIR], BINS, dict.fromkeys(PAIR, (0.0, HIGH)))
    return moments["covariance"].to_numpy(), histograms[0].to_numpy()


def by_dask(volume: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Return the same by dask.array."""
    lazy = volume.data.reshape(len(CHANNELS), -1)
    one, other = (CHANNELS.index(name) for name in PAIR)
    ends = ((0.0, HIGH), (0.0, HIGH))
    histogram = da.histogram2d(lazy[one], lazy[other], BINS, ends)[0]
    return da.compute(da.cov(lazy), histogram)


def used() -> tuple[float, float]:
    """Return CPU seconds and the largest resident memory (GiB) of this process."""
    spent = psutil.Process().cpu_times()
    return spent.user + spent.system, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measured(
    work: Callable[[xr.DataArray], tuple[np.ndarray, np.ndarray]], volume: xr.DataArray, memory: str
) -> tuple[dict[str, float], tuple[np.ndarray, np.ndarray]]:
    """Return what a work costs on two fresh workers, and what it found."""
    with (
        LocalCluster(2, threads_per_worker=1, memory_limit=memory, dashboard_address=None) as place,
        Client(place) as client,
    ):
        work(volume[:, :10, :64, :64])  # imports and compiles
        before = client.run(used)
        begin = time.perf_counter()
        found = work(volume)
        wall = time.perf_counter() - begin
        after = client.run(used)
    cpu = sum(after[one][0] - before[one][0] for one in before)
    peak = max(memory for _, memory in after.values())
    more = max(after[one][1] - before[one][1] for one in before)
    return {"wall s": wall, "CPU s": cpu, "GiB a worker": peak, "of it beyond imports": more}, found


def main() -> int:
    """Print the table, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--shape", type=int, nargs=2, default=[1000, 1500])
    parser.add_argument("--memory", default="1GiB", help="limit of a worker (default: 1GiB)")
    parser.add_argument("--no-dask", action="store_true", help="ours alone")
    chosen = parser.parse_args()
    volume = counts(chosen.folder, chosen.slices, tuple(chosen.shape))
    rows, results = {}, {}
    works = {"liscope": ours} | ({} if chosen.no_dask else {"dask.array": by_dask})
    for name, work in works.items():
        try:
            rows[name], results[name] = measured(work, volume, chosen.memory)
        except KilledWorker:
            print(f"{name}: its workers died of more than {chosen.memory} each")
            continue
        print(name, {key: round(value, 2) for key, value in rows[name].items()}, flush=True)
    print(f"{volume[0].size / 1e6:.0f} million voxels of {len(CHANNELS)} channels")
    print(pd.DataFrame(rows).T.to_string(float_format="{:.2f}".format))
    if len(results) < len(works) or chosen.no_dask:
        return int("liscope" not in results)
    (mine, cells), (its, others) = results["liscope"], results["dask.array"]
    apart = float(np.abs(mine / its - 1).max())
    equal = bool((cells == others).all())
    ratio = rows["dask.array"]["wall s"] / rows["liscope"]["wall s"]
    print(
        f"histograms equal: {equal}; covariances apart by {apart:.1e}; wall over ours {ratio:.1f}"
    )
    return int(not equal or apart > 1e-6 or ratio < 1)


if __name__ == "__main__":
    sys.exit(main())
