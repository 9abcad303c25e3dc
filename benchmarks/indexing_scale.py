"""Index a large .blo: scaling to cores, memory, and the same bytes on a cluster of processes.

    python benchmarks/indexing_scale.py [--gigabytes 4] [--part 0.25] [--folder FOLDER]

A file of ``--gigabytes`` of simulated patterns (a few hundred, over and over) is indexed by two
threads, and the peak memory of the process is read. A ``--part`` of it, in gigabytes, is indexed by
one thread, by two, and by two worker processes of dask.distributed; the results are compared
byte for byte.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import xarray as xr
from distributed import Client, LocalCluster

from liscope.diffraction.library import Library, library
from liscope.diffraction.polar import Geometry
from liscope.diffraction.scan import match
from liscope.diffraction.structures import open_crystal
from liscope.diffraction.templates import Beam
from liscope.readers import read_diffraction, write_blockfile
from liscope.specimens import spot_patterns

COLUMNS = 512  # positions in a line of the scan
FRAME = 128 * 128 + 6  # bytes of a pattern in the file


def write(path: Path, gigabytes: float) -> None:
    """Write a .blo of about that size."""
    some, _, _ = spot_patterns.bench_set(COLUMNS, spot_patterns.MEDIUM, 0)
    rows = max(round(gigabytes * 1e9 / FRAME / COLUMNS), 2)
    line = da.from_array(some[None], chunks=(1, 64, 128, 128))
    pattern = da.concatenate([line] * rows).rechunk((4, COLUMNS, 128, 128))
    step, k = {"units": "nm"}, {"units": "1/angstrom"}
    side = 0.022 * (np.arange(128) - 63.5)
    scan = xr.Dataset(
        {"pattern": (("y", "x", "ky", "kx"), pattern)},
        {
            "y": ("y", np.arange(rows) * 2.5, step),
            "x": ("x", np.arange(COLUMNS) * 2.5, step),
            "ky": ("ky", side, k),
            "kx": ("kx", side, k),
        },
    )
    write_blockfile(scan.assign_attrs(beam_energy=200.0), path)


def timed(scan: xr.Dataset, templates: Library, **scheduler: object) -> tuple[xr.Dataset, float]:
    """Return what is found, and the seconds it took."""
    begin = time.perf_counter()
    with dask.config.set(**scheduler):
        found = match(scan, templates).compute()
    return found, time.perf_counter() - begin


def same(one: xr.Dataset, two: xr.Dataset) -> bool:
    """Return whether two results agree byte for byte."""
    return all(one[name].values.tobytes() == two[name].values.tobytes() for name in one.data_vars)


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--part", type=float, default=0.25)
    parser.add_argument("--folder", type=Path, help="where the file is written and removed again")
    given = parser.parse_args()
    crystals = [open_crystal(name) for name in ("lmno", "pt")]
    templates = library(crystals, Geometry(np.eye(2) / 0.022, (128, 128)), Beam())
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        path = Path(folder) / "scan.blo"
        write(path, given.gigabytes)
        whole = read_diffraction(path)
        scan = whole.isel(y=slice(0, max(round(given.part * 1e9 / FRAME / COLUMNS), 4)))
        scan["pattern"] = scan["pattern"].chunk(y=2)
        timed(scan.isel(y=slice(0, 2)), templates, scheduler="synchronous")
        one, alone = timed(scan, templates, scheduler="synchronous")
        two, both = timed(scan, templates, scheduler="threads", num_workers=2)
        count = scan["y"].size * scan["x"].size
        print(
            f"{count} patterns: one thread {alone:.1f} s ({count / alone:.0f}/s), two {both:.1f} s"
        )
        print(f"scaling to two threads {alone / both:.2f}; same bytes: {same(one, two)}")
        with LocalCluster(2, threads_per_worker=1, processes=True) as cluster, Client(cluster):
            three, apart = timed(scan, templates)
        print(f"two processes {apart:.1f} s; same bytes: {same(one, three)}")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        _, took = timed(whole, templates, scheduler="threads", num_workers=2)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        size, count = path.stat().st_size / 1e9, whole["y"].size * whole["x"].size
        print(f"{size:.2f} GB, {count} patterns: {took:.0f} s ({count / took:.0f}/s)")
        print(f"peak memory {peak:.2f} GiB ({before:.2f} before)")


if __name__ == "__main__":
    main()
