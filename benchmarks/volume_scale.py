"""The volume workflow on stacks of any size: time by step, and the peak of memory.

    python benchmarks/volume_scale.py FOLDER [--slices 100 200] [--shape 1000 1500] [--times 1 10]
                                             [--workers]

For each number of slices a specimen of EDS (Co, Zr, Al, C, O) and SIMS (6Li+) is written to FOLDER
as Zarr, unless it lies there, and a process of its own takes it from stacks to microstructure:
drift and depths, registration, phases of the interpolated volume as labels in Zarr, covariances and
a joint histogram, components, fractions and contacts. Its largest resident memory is that of the
whole run. With ``--times`` the stacks are gone through so many times, forwards and backwards, as
one stack: ``--slices 100 --times 1 10`` is one of 100 and one of 1000 slices. With ``--workers``
dask computes on two worker processes as well, and the numbers are compared. Exits with 1 if a
process holds 3 GiB or more, the peak or the CPU time a slice grows by more than a tenth from the
first size, or the numbers of the workers differ by more than the order of adding up can make.
The folder needs 7 MB a slice of 1000 x 1500; a slice takes some 4 CPU seconds to write.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import xarray as xr

from liscope.volume.frames import Frames

GIB = 3.0
GROWTH = 1.1
LINEAR = 1.1  # of the first size's CPU time a slice
SAME = 1e-9  # of a number: what the order of adding up may change
MARKS = {"LLZTO": "Zr", "LCO": "Co", "carbon": "C", "alumina": "Al"}
VOXEL = (0.06, 0.0814, 0.0814)


def specimen(folder: Path, slices: int, shape: tuple[int, int]) -> Path:
    """Return the specimen's store, written where it is not there."""
    from liscope.specimens import llzto_lco

    path = folder / f"llzto_lco_{slices}_{shape[0]}_{shape[1]}.zarr"
    if not path.exists():
        elements = ("Co", "Zr", "Al", "C", "O")
        llzto_lco.write(path, 1, slices=slices, shape=shape, elements=elements)
    return path


class Steps:
    """Notes wall and CPU seconds of each step, and what it found."""

    def __init__(self) -> None:
        self.times: dict[str, tuple[float, float, float]] = {}
        self.numbers: dict[str, float] = {}
        self._start = self._now()
        self.times["imports"] = (self._start[1], self._start[1], _held())

    def _now(self) -> tuple[float, float]:
        children = [c for c in psutil.Process().children(recursive=True) if c.is_running()]
        busy = sum(sum(child.cpu_times()[:2]) for child in children)
        return time.perf_counter(), time.process_time() + busy

    def done(self, name: str, **numbers: float) -> None:
        """End a step."""
        now = self._now()
        self.times[name] = (now[0] - self._start[0], now[1] - self._start[1], _held())
        self.numbers |= {f"{name}: {key}": float(value) for key, value in numbers.items()}
        self._start = self._now()


@dataclass
class Found:
    """What was measured on the way, slices and frames of both stacks, and the phases' names."""

    steps: Steps
    slices: dict[str, np.ndarray]
    at: dict[str, Frames]
    names: list[str]


def repeated(stack: xr.Dataset, times: int) -> xr.Dataset:
    """Return a stack that goes through the slices so many times, forwards and backwards."""
    if times == 1:
        return stack
    count = int(stack["slice"].max()) + 1
    back = stack.isel(slice=slice(None, None, -1)).assign_coords(
        slice=count - 1 - stack["slice"].to_numpy()[::-1]
    )
    turns = [(stack, back)[i % 2] for i in range(times)]
    turns = [one.assign_coords(slice=one["slice"] + i * count) for i, one in enumerate(turns)]
    whole = xr.concat(turns, "slice", data_vars="minimal").drop_vars(
        "fiducial_gap", errors="ignore"
    )
    attrs = dict(stack.attrs)
    attrs |= {name: attrs[name] * times for name in ("slice_count", "total_depth") if name in attrs}
    return whole.assign_attrs(attrs)


def analysis(store: Path, out: Path, times: int = 1) -> Found:
    """Take a store from stacks to microstructure; labels go to ``out``."""
    from liscope import volume

    eds, sims = (
        repeated(xr.open_zarr(store, group=name, consolidated=False), times)
        for name in ("eds", "sims")
    )
    steps = Steps()
    depths = volume.slice_depths(eds)
    drifts = [volume.slice_drift(one["counts"]) for one in (eds, sims)]
    at = [
        volume.frames_of(one, depths, drift) for one, drift in zip((eds, sims), drifts, strict=True)
    ]
    (eds, at[0]), (sims, at[1]) = (
        volume.without_bad(*one) for one in zip((eds, sims), at, drifts, strict=True)
    )
    steps.done("drift", rms=np.sqrt((drifts[0].shift ** 2).mean()))
    tilt = float(eds.attrs["tilt"])
    shift = 0.5 * float(sims["x"][-1])
    match = volume.register_stacks(
        eds["counts"], sims["counts"], *at, rotation=5.0, shift=shift, tilt=tilt
    )
    steps.done("registration", found=match.found, rotation=match.rotation, x=match.shift[1])
    grid = volume.Grid.over(eds["counts"], at[0], VOXEL)
    parts = [volume.onto_grid(eds["counts"], at[0], grid)]
    parts.append(volume.onto_grid(sims["counts"], match.trusted(), grid))
    voxels = xr.concat(parts, "channel")
    phases = volume.identify(voxels, MARKS)
    steps.done("phases' signals")
    phases[["label"]].drop_encoding().to_zarr(out, mode="w", consolidated=False)
    steps.done("labels")
    moments, histograms = volume.joint_statistics(voxels, [("6Li+", "Zr")], 64)
    steps.done(
        "statistics",
        count=moments["count"],
        covariance=moments["covariance"].sum(),
        cells=histograms[0].sum(),
    )
    label = xr.open_zarr(out, consolidated=False)["label"]
    names = [str(name) for name in phases["phase"].to_numpy()]
    label = label.assign_attrs(phase_names=names)
    table = volume.component_table(volume.label_components(label), label)
    steps.done("components", count=len(table), voxels=table["voxels"].sum())
    fractions = volume.fraction_table(label)["fraction"]
    contacts = volume.contact_table(label)["per_volume_per_um"]
    steps.done("microstructure", **dict(fractions), contact=contacts.sum())
    slices = {name: one["slice"].to_numpy() for name, one in (("eds", eds), ("sims", sims))}
    return Found(steps, slices, {"eds": at[0], "sims": match.trusted()}, names)


def _held() -> float:
    """Return the largest resident memory of this process, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def child(store: Path, out: Path, times: int, workers: bool) -> None:
    """Analyse in this process, and print what was measured as JSON."""
    peak: list[float] = []
    if workers:
        from distributed import default_client

        from liscope.cluster import connect, started

        with started("local", 2, "3 GiB") as compute:
            os.environ.update(compute.environment)
            connect()
            steps = analysis(store, out, times).steps
            used = default_client().run(_held)
            peak = list(used.values())
    else:
        steps = analysis(store, out, times).steps
    peak.append(_held())
    print(json.dumps({"times": steps.times, "numbers": steps.numbers, "peak": peak}))


def measured(store: Path, times: int, workers: bool) -> dict[str, dict[str, float]]:
    """Return what a process of its own measures."""
    out = store.with_name(store.stem + "_labels.zarr")
    command = [sys.executable, __file__, "--child", str(store), str(out), "--times", str(times)]
    command += ["--workers"] if workers else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    found: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    """Print times by step and peaks for each size."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--slices", type=int, nargs="+", default=[100, 200])
    parser.add_argument("--shape", type=int, nargs=2, default=[1000, 1500])
    parser.add_argument("--times", type=int, nargs="+", default=[1])
    parser.add_argument("--workers", action="store_true")
    parser.add_argument("--child", type=Path, nargs=2)
    chosen = parser.parse_args()
    if chosen.child:
        child(*chosen.child, chosen.times[0], chosen.workers)
        return 0
    peaks, each, same = [], [], True
    for slices, times in itertools.product(chosen.slices, chosen.times):
        begin = time.perf_counter()
        store = specimen(chosen.folder, slices, tuple(chosen.shape))
        written = time.perf_counter() - begin
        one = measured(store, times, False)
        peaks.append(max(one["peak"]))
        print(f"{slices} slices {times} times, specimen in {written:.0f} s; {peaks[-1]:.2f} GiB")
        spent = one["times"]
        sums = [sum(each[i] for each in spent.values()) for i in (0, 1)]
        each.append(sums[1] / slices / times)
        for name, (wall, cpu, held) in (spent | {"all": (*sums, peaks[-1])}).items():
            seconds = f"{wall:8.1f} s wall {cpu:8.1f} s CPU {cpu / slices / times:7.3f} a slice"
            print(f"  {name:18s} {seconds}, {held:.2f} GiB", flush=True)
        if chosen.workers:
            two = measured(store, times, True)
            peaks[-1] = max(peaks[-1], *two["peak"])
            apart = [
                abs(value - two["numbers"][name]) / max(abs(value), 1e-12)
                for name, value in one["numbers"].items()
            ]
            same &= max(apart) < SAME
            print(f"  two workers: peak {max(two['peak']):.2f} GiB; apart by {max(apart):.1e}")
    flat = peaks[-1] <= GROWTH * peaks[0]
    linear = max(each) <= LINEAR * each[0]
    print(f"peak {'does not grow' if flat else 'GROWS'}; below {GIB} GiB: {max(peaks) < GIB}")
    print(f"CPU time {'is linear' if linear else 'is NOT LINEAR'} in slices; workers agree: {same}")
    return 0 if flat and linear and same and max(peaks) < GIB else 1


if __name__ == "__main__":
    sys.exit(main())
