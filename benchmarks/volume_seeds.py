"""What the volume workflow finds on specimens, beside what was put in: the bars of accuracy.

    python benchmarks/volume_seeds.py [--seeds 20] [--first 0] [--lateral 80] [--depth 65]

For each seed of ``llzto_lco`` the steps of the notebook with its defaults: depths, drift,
registration, one interpolation, phases, fractions and the loss of lithium. Columns: ``misplaced``
(nm, median over slices and places, SIMS against EDS), ``drift`` (nm, rms of the EDS pictures'
places against each other), ``depth`` (nm, rms), Dice and the fraction's error (per cent of the
volume) of each phase, ``loss`` (found over put in) and whether its interval holds it, ``blur`` (nm)
of the ion image as measured. Exits with 1 unless the median misplacement is below a third of a SIMS
pixel, Dice of LLZTO and LCO is at least 0.95 and the fraction of their labels within 1 % of the
volume for every seed, and the depth of the loss within 10 % (median). Takes some 20 CPU seconds a
seed.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import pandas as pd
import xarray as xr

from liscope import specimens, volume
from liscope.volume.response import X_RAYS

MARKS = {"LLZTO": "Zr", "LCO": "Co", "carbon": "C", "alumina": "Al"}
VOXEL = (0.06, 0.0814, 0.0814)  # um
BARS = {"misplaced": 24.0, "dice": 0.95, "fraction": 1.0, "loss": 0.1}


def analysed(
    eds: xr.Dataset, sims: xr.Dataset, x_rays: volume.Response = X_RAYS
) -> dict[str, object]:
    """Return what the steps of the notebook find, by name."""
    depths = volume.slice_depths(eds)
    drifts = {
        name: volume.slice_drift(one["counts"]) for name, one in (("eds", eds), ("sims", sims))
    }
    at = {
        name: volume.frames_of(one, depths, drifts[name])
        for name, one in (("eds", eds), ("sims", sims))
    }
    (eds, at["eds"]), (sims, at["sims"]) = (
        volume.without_bad(one, at[name], drifts[name])
        for name, one in (("eds", eds), ("sims", sims))
    )
    match = volume.register_stacks(
        eds["counts"], sims["counts"], at["eds"], at["sims"],
        rotation=5.0, shift=6.0, tilt=float(eds.attrs["tilt"]),
    )  # fmt: skip
    grid = volume.Grid.over(eds["counts"], at["eds"], VOXEL)
    parts = [
        volume.onto_grid(eds["counts"], at["eds"], grid),
        volume.onto_grid(sims["counts"], match.trusted(), grid),
    ]
    voxels = xr.concat(parts, "channel").compute()
    seen = {str(name): x_rays for name in eds["element"].to_numpy()}
    phases = volume.identify(voxels, MARKS, responses=seen).compute()
    width = volume.beam_width(voxels, phases)
    lost = volume.depletion(voxels, phases, width)
    return {
        "depths": depths, "drifts": drifts, "at": at, "match": match, "phases": phases,
        "stacks": (eds, sims), "lost": lost, "width": width,
        "fractions": volume.fraction_table(phases),
    }  # fmt: skip


def judged(seed: int, x_rays: volume.Response = X_RAYS) -> dict[str, float]:
    """Return one row: how far what was found is from what was put in."""
    tree = specimens.open_specimen("llzto_lco", seed)
    eds, sims, truth = (tree[name].to_dataset() for name in ("eds", "sims", "truth"))
    begin = time.process_time()
    found = analysed(eds, sims, x_rays)
    row = {"cpu_s": time.process_time() - begin}
    at, match, phases, lost = (found[name] for name in ("at", "match", "phases", "lost"))
    eds, sims = found["stacks"]
    numbers = eds["slice"].to_numpy()
    error = volume.misplaced(truth, eds["counts"], sims["counts"], at["eds"], match.trusted())
    known = volume.known_frames(truth, "eds", numbers)
    off = at["eds"].offset - known.offset
    row |= {
        "misplaced": float(np.median(error)),
        "misplaced_95": float(np.quantile(error, 0.95)),
        "drift": 1e3 * float(np.sqrt(((off - off.mean(0)) ** 2).sum(1).mean())),
        "depth": 1e3 * float(np.sqrt(((at["eds"].depth - known.depth) ** 2).mean())),
    }
    labels = volume.known_labels(truth, phases["label"], numbers, at["eds"])
    names = [str(name) for name in phases["phase"].to_numpy()]
    table = volume.agreement(phases["label"], names, labels, list(truth.attrs["phase_names"]))
    expected = 100 * found["fractions"]["expected"]
    for name in names:
        row[f"dice_{name}"] = table.loc[name, "dice"]
        row[f"labels_{name}"] = table.loc[name, "found"] - table.loc[name, "put_in"]
        row[f"expected_{name}"] = expected[name] - table.loc[name, "put_in"]
    put_in = truth.attrs["depletion_depth"]
    row |= {
        "loss": lost.depth / put_in,
        "held": float(lost.depth_low <= put_in <= lost.depth_high),
        "amplitude": lost.amplitude - truth.attrs["depletion_amplitude"],
        "blur": found["width"].lateral,
    }
    return row


def main() -> int:
    """Print one row a seed and the medians, and say whether they meet the bars."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--lateral", type=float, default=X_RAYS.lateral)
    parser.add_argument("--depth", type=float, default=X_RAYS.depth)
    chosen = parser.parse_args()
    x_rays = volume.Response(chosen.lateral, chosen.depth)
    rows = {}
    for seed in range(chosen.first, chosen.first + chosen.seeds):
        rows[seed] = judged(seed, x_rays)
        print(seed, {name: round(value, 3) for name, value in rows[seed].items()}, flush=True)
    table = pd.DataFrame(rows).T
    print(table.describe().loc[["min", "50%", "max"]].T.to_string(float_format="{:.3f}".format))
    middle = table.median()
    met = {
        "misplaced": middle["misplaced"] < BARS["misplaced"],
        "Dice": table[["dice_LLZTO", "dice_LCO"]].min().min() >= BARS["dice"],
        "fractions": table[["labels_LLZTO", "labels_LCO"]].abs().max().max() <= BARS["fraction"],
        "loss of lithium": (table["loss"] - 1).abs().median() <= BARS["loss"],
    }
    for name, good in met.items():
        print(f"{name}: {'met' if good else 'NOT MET'}")
    print(f"intervals of the loss hold the truth in {100 * table['held'].mean():.0f} % of seeds")
    return 0 if all(met.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
