"""The volume workflow from stacks to microstructure, beside the same written with other libraries.

    python benchmarks/volume_chain.py FOLDER --peers PYTHON [--slices 39] [--shape 216 352]

One specimen as by ``volume_scale.py`` goes through our steps, and through
``peers/volume_chain.py``: SimpleITK, scipy.ndimage and dask-image, which PYTHON has, with zarr and
dask. Each runs in a process of its own, from Zarr to the sizes and contacts of the phases; the
peers keep everything in memory, ours writes the labels to Zarr. The peers are told where SIMS lies
to a micrometre, which ours finds. Reported are CPU and wall seconds of each step (of what is
imported first, apart), the largest resident memory, how far EDS slices end off their places (drift;
pixels, rms), how far SIMS ends beside its place on EDS (nm), Dice and the error of the share of
both oxides (per cent). Exits with 1 unless ours takes a third of the peers' CPU seconds and agrees
as well with what was put in. 39 slices of 216 x 352 take two minutes, ``--slices 25 --shape 1000
1500`` half an hour.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from volume_scale import VOXEL, analysis, specimen

from liscope import volume
from liscope.volume.frames import Frames

PHASES = ("LLZTO", "LCO")
NEAR = np.array([0.6, -0.8])  # um, from where the fields lie to where the peers begin
BAR = 3.0  # times our CPU seconds
STEPS = (
    "imports", "drift", "registration", "resampling", "phases", "statistics", "components",
    "microstructure",
)  # fmt: skip
SAME = {"phases' signals": "phases", "labels": "phases"}  # ours resamples as it labels


def told(store: Path) -> tuple[xr.Dataset, xr.Dataset, xr.Dataset]:
    """Return both stacks, and what was put in."""
    eds, sims, known = (
        xr.open_zarr(store, group=name, consolidated=False) for name in ("eds", "sims", "truth")
    )
    return eds, sims, known


def near_place(store: Path) -> np.ndarray:
    """Return by how much (y, x) SIMS's field lies off EDS's, to a micrometre, um."""
    eds, sims, known = told(store)
    number = eds["slice"].to_numpy()[eds.sizes["slice"] // 2]
    middle = np.array([float(eds[dim].mean()) for dim in "yx"])
    one, other = (volume.known_frames(known, name, np.array([number])) for name in ("eds", "sims"))
    section = np.linalg.solve(one.matrix[0], middle - one.offset[0])
    seen = other.pictured(section)[0] - [float(sims[dim][0]) for dim in "yx"]
    seen[0] /= np.cos(np.deg2rad(sims.attrs["tilt"]))
    start = middle - [float(eds[dim][0]) for dim in "yx"]
    start[0] /= np.cos(np.deg2rad(eds.attrs["tilt"]))
    return np.asarray(seen - start + NEAR)


def judged(
    store: Path,
    label: xr.DataArray,
    names: list[str],
    at: dict[str, Frames],
    slices: dict[str, np.ndarray] | None = None,
) -> pd.Series:
    """Return how labels and the places of slices (None: all) agree with what was put in."""
    eds, sims, known = told(store)
    if slices:
        eds, sims = eds.sel(slice=slices["eds"]), sims.sel(slice=slices["sims"])
    error = volume.misplaced(known, eds["counts"], sims["counts"], at["eds"], at["sims"])
    numbers = eds["slice"].to_numpy()
    off = at["eds"].offset - volume.known_frames(known, "eds", numbers).offset
    drift = np.sqrt(((off - off.mean(0)) ** 2).mean()) / float(eds["y"][1] - eds["y"][0])
    labels = volume.known_labels(known.load(), label, numbers, at["eds"])
    table = volume.agreement(label, names, labels, list(known.attrs["phase_names"]))
    found = {"drift px": float(drift), "misplaced nm": float(np.median(error))}
    for name in PHASES:
        row = table.loc[name]
        found |= {f"Dice {name}": row["dice"], f"{name} off %": row["found"] - row["put_in"]}
    return pd.Series(found)


def theirs(store: Path, python: str) -> tuple[pd.DataFrame, pd.Series]:
    """Return the peers' seconds by step, and how they agree."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(__file__).with_name("peers") / "volume_chain.py"
        near = [f"{value:.3f}" for value in near_place(store)]
        subprocess.run([python, script, store, folder, *near], check=True)
        with np.load(Path(folder) / "peers.npz") as given:
            made = dict(given)
    times = pd.DataFrame(made["times"], list(made["steps"]), ["wall", "cpu"])
    frames = {}
    for name, depth in (("eds", "depth"), ("sims", "sims_depth")):
        offset = made[f"{name}_offset"]
        matrix = np.tile(made[f"{name}_matrix"], (len(offset), 1, 1))
        frames[name] = Frames(matrix, offset, made[depth])
    grid = volume.Grid(VOXEL, (float(made["depth"][0]), 0.0, 0.0), made["label"].shape)
    label = xr.DataArray(made["label"], grid.coordinates(), ("z", "y", "x"))
    found = judged(store, label, ["LLZTO", "LCO", "carbon"], frames)
    return times, pd.concat([found, pd.Series({"peak GiB": float(made["peak"])})])


def ours(store: Path, out: Path) -> tuple[pd.DataFrame, pd.Series]:
    """Return our seconds by step, and how we agree."""
    frames = out.with_suffix(".npz")
    command = [sys.executable, __file__, "--child", str(store), str(out)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    steps = json.loads(said.splitlines()[-1])
    times = pd.DataFrame.from_dict(steps["times"], "index", columns=["wall", "cpu", "held"])
    times = times.rename(SAME).groupby(level=0).sum()[["wall", "cpu"]]
    with np.load(frames) as made:
        at = {
            name: Frames(*(made[f"{name}_{part}"] for part in ("matrix", "offset", "depth")))
            for name in ("eds", "sims")
        }
        slices = {name: made[f"{name}_slices"] for name in at}
    label = xr.open_zarr(out, consolidated=False)["label"].load()
    found = judged(store, label, steps["names"], at, slices)
    return times, pd.concat([found, pd.Series({"peak GiB": steps["peak"]})])


def child(store: Path, out: Path) -> None:
    """Analyse in this process; write the places beside ``out`` and print the rest."""
    found = analysis(store, out)
    parts = ("matrix", "offset", "depth")
    frames = {
        f"{name}_{part}": getattr(at, part) for name, at in found.at.items() for part in parts
    }
    slices = {f"{name}_slices": numbers for name, numbers in found.slices.items()}
    np.savez(out.with_suffix(".npz"), **frames, **slices)
    steps = found.steps
    peak = max(held for *_, held in steps.times.values())
    print(json.dumps({"times": steps.times, "names": found.names, "peak": peak}))


def main() -> int:
    """Print both tables, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--peers", metavar="PYTHON", help="of an environment that has them")
    parser.add_argument("--slices", type=int, default=39)
    parser.add_argument("--shape", type=int, nargs=2, default=[216, 352])
    parser.add_argument("--child", type=Path, nargs=2)
    chosen = parser.parse_args()
    if chosen.child:
        child(*chosen.child)
        return 0
    if not (chosen.folder and chosen.peers):
        parser.error("FOLDER and --peers PYTHON are needed")
    store = specimen(chosen.folder, chosen.slices, tuple(chosen.shape))
    out = store.with_name(store.stem + "_labels.zarr")
    found = {"liscope": ours(store, out), "peers": theirs(store, chosen.peers)}
    times = pd.concat({name: one[0] for name, one in found.items()}, axis=1)
    times = times.reindex(STEPS)
    times.loc["all but imports"] = times.drop("imports").sum()
    print(times.to_string(float_format="{:.1f}".format, na_rep=""))
    agrees = pd.DataFrame({name: one[1] for name, one in found.items()})
    print(agrees.to_string(float_format="{:.3f}".format))
    ratio = (
        times.loc["all but imports", ("peers", "cpu")]
        / times.loc["all but imports", ("liscope", "cpu")]
    )
    dice = agrees.loc[[f"Dice {name}" for name in PHASES]]
    off = agrees.loc[["drift px", "misplaced nm"]]
    good = bool((dice["liscope"] >= dice["peers"]).all() and (off["liscope"] <= off["peers"]).all())
    print(f"\nCPU seconds of the peers over ours: {ratio:.1f}; agrees as well or better: {good}")
    return int(ratio < BAR or not good)


if __name__ == "__main__":
    sys.exit(main())
