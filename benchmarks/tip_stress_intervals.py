"""Count how often the 95 % intervals of the tip-stress maps hold the truth.

    python benchmarks/tip_stress_intervals.py [--seeds 400] [--first 0]

Simulates each film once a seed, analyses its maps as the notebook does, and compares the change of
each area with what was put in. Percentages are of the current (of its factor: 100 x ln). It exits
with 1 unless each interval holds the truth in at least 90 % of the seeds and is at most four times
as wide as the estimates scatter. Takes about 0.6 s a seed and film on one core: 400 seeds of both
films some 5 minutes on two cores.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr
from tqdm import tqdm

from liscope import probe
from liscope.specimens import tip_stress

COVERAGE = 90.0  # per cent, the least
WIDTH = 4.0  # standard deviations over the seeds, the most
WINDOW = 100  # consecutive seeds
MARGIN = 0.08  # um, as in the notebook
NEAR = (0.04, MARGIN)  # um, as far as a side that was found may lie from the true one
UNCHANGED = {"lmo": (), "mno2": ("3 V", "5 V")}  # areas that stress leaves as they were


def registered(tree: xr.DataTree) -> tuple[probe.Comparison, xr.DataArray, xr.DataArray, float]:
    """Return a specimen's maps on one grid, each current (nA) by itself, and the noise (nA)."""
    scans = [tree[name].to_dataset() for name in ("pristine", "stressed")]
    found = [probe.amplifier(scan.current) for scan in scans]
    before, after = (
        probe.conduction(scan.current, amplifier.offset, scan.bias, scan.bias_side)
        for scan, amplifier in zip(scans, found, strict=True)
    )
    heights = [probe.level(scan.z) for scan in scans]
    before = probe.onto(before, probe.find_drift(heights[1], heights[0]))
    ceilings = (found[0].reach, found[1].reach)
    errors = (found[0].offset_error, found[1].offset_error)
    return probe.compare(before, after, ceilings, errors), before, after, found[1].noise


def true_areas(truth: xr.Dataset) -> list[probe.Area]:
    """Return the rectangles that were stressed (um)."""
    side, keys = float(truth.side), ("area", "left", "top")
    return [
        probe.Area(str(name), float(left), float(top), side, side)
        for name, left, top in zip(*(truth[key].values for key in keys), strict=True)
    ]


def farthest_side(film: str, found: list[probe.Area], true: list[probe.Area]) -> float:
    """Return how far (um) a side that was found lies from the true one; infinite for others."""
    changed = [area for area in true if area.name not in UNCHANGED[film]]
    if len(found) != len(changed):
        return np.inf
    return float(np.max(np.abs(np.array([*map(sides, found)]) - [*map(sides, changed)])))


def sides(area: probe.Area) -> list[float]:
    """Return left, top, right and bottom of an area, um."""
    return [area.left, area.top, area.left + area.width, area.top + area.height]


def one_seed(film: str, seed: int) -> pd.DataFrame:
    """Simulate and analyse one film; return its :func:`rows` with how far found areas lie off."""
    tree = tip_stress.simulate(film, seed)
    maps, before, after, noise = registered(tree)
    truth = tree["truth"].to_dataset()
    areas = true_areas(truth)
    table = probe.change_table(maps, areas, after, MARGIN)
    found = probe.find_areas(probe.change_map(before, after, noise))
    return rows(film, seed, truth, table).assign(farthest=farthest_side(film, found, areas))


def rows(film: str, seed: int, truth: xr.Dataset, table: pd.DataFrame) -> pd.DataFrame:
    """Return a row an area and change: what was put in, value, low and high, as 100 x ln."""
    found = []
    for area in table.index:
        for change in ("same_place", "stress"):
            numbers = table.loc[area, [f"{change}_percent{end}" for end in ("", "_low", "_high")]]
            with np.errstate(divide="ignore"):
                value, low, high = 100 * np.log1p(numbers.to_numpy(float) / 100)
            put_in = 100 * np.log(float(truth[change].sel(area=area)))
            found.append((film, seed, area, change, put_in, value, low, high))
    columns = ["film", "seed", "area", "change", "put in", "value", "low", "high"]
    return pd.DataFrame(found, columns=columns)


def table_of(results: pd.DataFrame) -> pd.DataFrame:
    """Return one row a film, area and change: what the seeds say together."""
    together = {}
    for key, part in results.groupby(["film", "area", "change"], sort=False):
        error = part["value"] - part["put in"]
        holds = 100.0 * ((part["low"] <= part["put in"]) & (part["put in"] <= part["high"]))
        spread = error.std()
        together[key] = {
            "put in / %": 100 * np.expm1(part["put in"].iloc[0] / 100),
            "bias / %": error.mean(),
            "sd / %": spread,
            "coverage / %": holds.mean(),
            f"worst {WINDOW}": holds.rolling(min(WINDOW, len(holds))).mean().min(),
            "width / sd": (part["high"] - part["low"]).mean() / spread,
        }
    return pd.DataFrame.from_dict(together, orient="index")


def _one_seed(job: tuple[str, int]) -> pd.DataFrame:
    return one_seed(*job)


def _all(jobs: list[tuple[str, int]]) -> Iterator[pd.DataFrame]:
    with multiprocessing.Pool(os.cpu_count()) as pool:
        yield from tqdm(pool.imap(_one_seed, jobs, chunksize=4), total=len(jobs), unit="seed")


def main() -> int:
    """Run all seeds, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=400, help="how many (default: 400)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default: 0)")
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.seeds)
    if len(seeds) < 2:
        parser.error(f"--seeds {given.seeds}: at least 2 are needed for a standard deviation")
    results = pd.concat(_all([(film, seed) for film in tip_stress.FILMS for seed in seeds]))
    table = table_of(results)
    print(table.to_string(float_format="{:.2f}".format))
    for film, farthest in results.groupby("film", sort=False)["farthest"]:
        share = [f"{100 * (farthest <= near).mean():.1f} % ({1000 * near:g} nm)" for near in NEAR]
        number = f"{100 * np.isfinite(farthest).mean():.1f} %"
        print(
            f"{film}: find_areas finds as many as there are {number}, in place {', '.join(share)}"
        )
    # Negated, so that a NaN counts as a failure.
    failed = table[~((table["coverage / %"] >= COVERAGE) & (table["width / sd"] <= WIDTH))]
    bars = f"coverage at least {COVERAGE:g} %, width at most {WIDTH:g} standard deviations"
    print(f"{'FAILED in ' + str(len(failed)) + ' rows' if len(failed) else 'holds'}: {bars}")
    return 1 if len(failed) else 0


if __name__ == "__main__":
    sys.exit(main())
