"""Count how often unrelated maps are called correlated at p < 0.05: by our test and by others.

    python benchmarks/colocalisation_null.py [--pairs 400] [--first 0]

Each pair is two independent simulated maps, smooth or made of places, one seen as Poisson counts.
They are compared as they lie, and once more after being aligned by the very values compared, as our
registration does it, whatever its verdict. Other tests: the p-value of
``skimage.measure.pearson_corr_coeff``, the permutation of pixels, the scrambling of blocks
(S. V. Costes et al., doi:10.1529/biophysj.103.038422) and toroidal shifts that are not aligned
again. Related maps are compared too, to show that the test can say yes. Exits with 1 unless ours is
at most 8 % for all unrelated pairs (5 % and what 400 pairs scatter) and at least 90 % for related
ones. Takes about 0.5 s a pair and kind on one core, 400 pairs 10 minutes.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import pandas as pd
import xarray as xr
from scipy import ndimage
from skimage.measure import pearson_corr_coeff
from tqdm import tqdm

from liscope import colocalisation, registration
from liscope.registration import Placement
from liscope.registration.refine import refine
from liscope.registration.search import find_start

SIDE, STEP = 128, 0.0625  # pixels, um
LEVEL = 0.05
MOST = 8.0  # per cent: 5 and what 400 pairs scatter, twice over
WINDOW, ROTATION = 1.0, 10.0  # um and degrees of the alignment
SHUFFLES = 199
BLOCK = 8  # pixels, of the block scrambling
MARGIN = 24  # pixels that an alignment may turn or shift out of the other map


def smooth_map(length: float, rng: np.random.Generator) -> np.ndarray:
    """Return a smooth random map of unit variance; ``length`` in pixels."""
    field = ndimage.gaussian_filter(rng.standard_normal((2 * SIDE, 2 * SIDE)), length)
    field = field[SIDE // 2 : -SIDE // 2, SIDE // 2 : -SIDE // 2]
    return (field - field.mean()) / field.std()


def pair(kind: str, seed: int) -> tuple[xr.DataArray, xr.DataArray]:
    """Return two maps as they are compared: counts (root) and log current."""
    rng = np.random.default_rng([seed, *kind.encode()])
    one, other = smooth_map(4, rng), smooth_map(3, rng)
    if kind == "related":
        other = 0.6 * one + 0.8 * other
    if kind == "places":
        one, other = ((field > 1.0).astype(float) for field in (one, other))
    counts = rng.poisson(3 * np.exp(0.7 * one))
    axis = (np.arange(SIDE) + 0.5) * STEP
    coords = {name: (name, axis, {"units": "um"}) for name in ("y", "x")}
    fixed = xr.DataArray(
        counts, coords, ("y", "x"), "counts", {"units": "count", "quantity": "counts"}
    )
    noisy = other + 0.1 * rng.standard_normal(other.shape)
    moving = xr.DataArray(noisy, coords, ("y", "x"), "log current", {"units": "1"})
    return registration.contrast(fixed), moving


def aligned(fixed: xr.DataArray, moving: xr.DataArray) -> Placement:
    """Return where our registration would place the map, were there no verdict."""
    still, other = ((image.to_numpy(), registration.Field.of(image)) for image in (fixed, moving))
    start = find_start(still, other, ROTATION, WINDOW)
    return refine(still, other, start.placement)[0]


def permuted(a: np.ndarray, b: np.ndarray, rng: np.random.Generator, block: int = 1) -> float:
    """Return the p-value of the correlation when blocks of pixels are shuffled."""
    rows, columns = (n // block for n in a.shape)
    a, b = a[: rows * block, : columns * block], b[: rows * block, : columns * block]
    tiles = a.reshape(rows, block, columns, block).swapaxes(1, 2).reshape(-1, block**2)
    tiles_b = b.reshape(rows, block, columns, block).swapaxes(1, 2).reshape(-1, block**2)
    observed = abs(np.corrcoef(tiles.ravel(), tiles_b.ravel())[0, 1])
    shuffled = [
        abs(np.corrcoef(rng.permutation(tiles).ravel(), tiles_b.ravel())[0, 1])
        for _ in range(SHUFFLES)
    ]
    return (1 + sum(one >= observed for one in shuffled)) / (1 + SHUFFLES)


def p_values(kind: str, seed: int) -> list[dict[str, object]]:
    """Return a row a test for one pair of maps."""
    rng = np.random.default_rng(seed)
    fixed, moving = pair(kind, seed)
    there = registration.Field.of(fixed)
    in_place = Placement(np.eye(2), np.zeros(2), there.centre, 1.0)
    found = []
    for state in ("as they lie", "aligned by what is compared"):
        own = state.startswith("aligned")
        placement = aligned(fixed, moving) if own else in_place
        freedom = {"window": WINDOW, "rotation": ROTATION} if own else {}
        placed = registration.onto(moving, fixed, placement).to_numpy()
        inner = slice(
            MARGIN, SIDE - MARGIN
        )  # what the maps have in common however they are aligned
        a, b = fixed.to_numpy()[inner, inner], np.nan_to_num(placed)[inner, inner]
        tests = {
            "liscope": colocalisation.shift_null(fixed, moving, placement, **freedom).chance,
            "skimage pearson_corr_coeff": pearson_corr_coeff(a, b)[1],
            "pixels permuted": permuted(a, b, rng),
            f"blocks of {BLOCK} scrambled": permuted(a, b, rng, BLOCK),
        }
        if own:
            tests["shifts, not aligned again"] = colocalisation.shift_null(
                fixed, moving, placement
            ).chance
        found += [{"maps": kind, "state": state, "test": name, "p": p} for name, p in tests.items()]
    return found


def main() -> int:
    """Run all pairs, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=400, help="how many (default: 400)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default: 0)")
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.pairs)
    kinds = ("smooth", "places", "related")
    jobs = [(kind, seed) for kind in kinds for seed in seeds]
    results = pd.DataFrame([row for job in tqdm(jobs) for row in p_values(*job)])
    called = (
        100 * (results["p"] < LEVEL).groupby([results[c] for c in ("state", "maps", "test")]).mean()
    )
    table = called.unstack("maps")[list(kinds)]
    print("called correlated / %")
    print(table.to_string(float_format="{:.1f}".format))
    mine = table.xs("liscope", level="test")
    holds = bool(
        (mine[["smooth", "places"]] <= MOST).to_numpy().all() and (mine["related"] >= 90).all()
    )
    print(
        f"{'holds' if holds else 'FAILED'}: at most {MOST:g} % of unrelated, 90 % of related pairs"
    )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
