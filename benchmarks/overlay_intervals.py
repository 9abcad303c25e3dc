"""Count how often the intervals of the C-AFM/SIMS overlay hold, and how often places are misjudged.

    python benchmarks/overlay_intervals.py [--seeds 100] [--first 0]

Each seed is another film of one kind, analysed as the notebook does, aligned by topography. Every
measure has one value for this kind of film, which is estimated by its mean over all films at the
true placement; reported is how often the 95 % interval of a film holds that value, and how wide it
is in standard deviations over the films. Then, over films with 0.5 to 30 lithium ions per pixel,
how often a conductive place is said to have no lithium although nearly all of it (80 %) is a
domain, or to have some although nearly none of it is, and how often it cannot be told. Exits with 1
unless each interval holds in at least 88 % of the films and is at most six standard deviations
wide, and each error occurs in at most 2 % of the places. Takes about 12 s a seed on one core.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys

import numpy as np
import pandas as pd
import xarray as xr
from registration import BEAM, by_topography
from scipy import ndimage
from tqdm import tqdm

from liscope import colocalisation, probe, registration, sims
from liscope.colocalisation import KINDS
from liscope.specimens import conductive_lithium as films

COVERAGE, WIDTH, ERROR = 88.0, 6.0, 2.0
MEASURES = ("pearson", "spearman", "manders_lithium", "manders_current", "dice")


def analysed(tree: xr.DataTree) -> tuple[xr.DataArray, xr.Dataset, registration.Placement]:
    """Return counts, current as the beam sees it, and the placement."""
    cafm, ions = tree["cafm"].to_dataset(), tree["sims"].to_dataset()
    found = registration.register(*by_topography(cafm, ions), drift_orders=2).trusted()
    amplifier = probe.amplifier(cafm.current)
    current = probe.conduction(cafm.current, amplifier.offset, cafm.bias, cafm.bias_side)
    floor = 3 * float(np.nan_to_num(amplifier.noise))
    return sims.summed(ions, ["Li+"]), colocalisation.seen_by_beam(current, BEAM, floor), found


def measures_of(seed: int) -> list[dict[str, object]]:
    """Return value, interval and the value at the true placement, a row a measure."""
    tree = films.simulate(seed)
    counts, seen, placement = analysed(tree)
    limits = colocalisation.thresholds(
        counts, colocalisation.on_grid(seen, counts, placement), BEAM
    )
    table, _ = colocalisation.correspondence(counts, seen, placement, limits, BEAM)
    there = seen.interp(y=tree["truth"].cafm_y, x=tree["truth"].cafm_x)
    true = colocalisation.measures(colocalisation.pair_of(counts, there, limits), limits)
    return [
        {"seed": seed, "measure": name, "true": true[name], **table.loc[name].to_dict()}
        for name in MEASURES
    ]


def places_of(seed: int) -> list[dict[str, object]]:
    """Return what each conductive place is called, and how much of it is a domain."""
    dose = float(np.exp(np.random.default_rng(seed).uniform(np.log(0.5), np.log(30))))
    tree = films.simulate(seed, films.with_defects(counts=dose))
    counts, seen, placement = analysed(tree)
    placed = colocalisation.on_grid(seen, counts, placement)
    limits = colocalisation.thresholds(counts, placed, BEAM)
    pair = colocalisation.pair_of(counts, placed, limits)
    objects = colocalisation.find_objects(pair, limits, BEAM)
    label, _ = ndimage.label(pair.masks(limits)[0], np.ones((3, 3)))
    domain = ndimage.mean(tree["truth"].lithium.to_numpy() > 0.5, label, np.arange(label.max() + 1))
    areas = np.bincount(label.ravel()) * np.prod(pair.field.pixel)
    middles = np.array(ndimage.center_of_mass(label > 0, label, np.arange(1, label.max() + 1)))
    found = []
    for _, place in objects[objects["kind"].isin(KINDS[:3])].iterrows():
        at = pair.field.indices(place[["y_um", "x_um"]].to_numpy(float))
        number = int(np.argmin(np.hypot(*(middles - at).T))) + 1
        assert np.isclose(areas[number], place["area_um2"])
        found.append({"dose": dose, "kind": place["kind"], "domain": domain[number]})
    return found


def main() -> int:
    """Run all seeds, print both tables, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100, help="how many (default: 100)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default: 0)")
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.seeds)
    tables = []
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for work in (measures_of, places_of):
            rows = tqdm(pool.imap(work, seeds), total=len(seeds), unit="seed")
            tables.append(pd.DataFrame([row for part in rows for row in part]))
    measures, places = tables
    value = measures.groupby("measure")["true"].transform("mean")
    measures["holds"] = 100.0 * ((measures["low"] <= value) & (value <= measures["high"]))
    grouped = measures.groupby("measure", sort=False)
    spread, width = grouped["value"].std(), (measures["high"] - measures["low"])
    table = pd.DataFrame(
        {
            "value": grouped["true"].mean(),
            "bias": grouped["value"].mean() - grouped["true"].mean(),
            "sd": spread,
            "coverage / %": grouped["holds"].mean(),
            "width / sd": width.groupby(measures["measure"]).mean() / spread,
        }
    )
    print(table.to_string(float_format="{:.3f}".format))
    rich, poor = (places[mask] for mask in (places["domain"] > 0.8, places["domain"] < 0.2))
    called = pd.DataFrame(
        {
            name: 100 * part["kind"].value_counts(normalize=True).reindex(KINDS[:3], fill_value=0)
            for name, part in ((f"{len(rich)} in domains", rich), (f"{len(poor)} elsewhere", poor))
        }
    )
    print("\nconductive places are called / %")
    print(called.to_string(float_format="{:.1f}".format))
    fine = table["coverage / %"].min() >= COVERAGE and table["width / sd"].max() <= WIDTH
    right = called.iloc[1, 0] <= ERROR and called.iloc[0, 1] <= ERROR
    print(f"intervals: {'hold' if fine else 'FAILED'}; places: {'hold' if right else 'FAILED'}")
    return 0 if fine and right else 1


if __name__ == "__main__":
    sys.exit(main())
