"""What a stated probability is worth: fit the two constants of the decision, and check them.

    python benchmarks/reliability.py [--seeds 3]

On single patterns of random orientation (``spot_patterns.bench_set``) the constants ``EVIDENCE``
and ``NONE_OF_THEM`` of ``liscope.diffraction.decision`` are fitted by maximum likelihood. Then,
with those in the library, every specimen's scan is decided with and without
neighbours: how many are wrong, and of those called so and so sure, how many are right.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
import pandas as pd
import xarray as xr
from scipy.optimize import minimize
from scipy.special import logsumexp

from liscope.diffraction import decision
from liscope.diffraction.index import Candidates, index
from liscope.diffraction.library import Library, library
from liscope.diffraction.polar import Geometry
from liscope.diffraction.scan import match
from liscope.diffraction.structures import open_crystal
from liscope.diffraction.templates import Beam
from liscope.grains.agreement import SURE, agreement
from liscope.grains.disorientation import angle_between, operators
from liscope.specimens import open_specimen, spot_patterns

RIGHT = 2.5  # degrees
SETS = {"medium": spot_patterns.MEDIUM, "hard": spot_patterns.HARD}
LAMELLAE = ("lmno_pristine", "lmno_cycled_roi1", "lmno_cycled_roi2")
CUBIC = operators("m-3m")
BINS = (0, 0.5, 0.8, 0.95, 1.001)


def templates(matrix: np.ndarray) -> Library:
    """Return templates of both crystals for a camera."""
    crystals = [open_crystal(name) for name in ("lmno", "pt")]
    return library(crystals, Geometry(matrix, (128, 128)), Beam())


def log_loss(constants: np.ndarray, found: Candidates, right: np.ndarray) -> float:
    """Return the mean negative logarithm of the probability of what is right."""
    explained = (found.score * found.norm[:, None]) ** 2
    evidence = np.where(found.score > 0, constants[0] * explained, -np.inf)
    none = constants[1] + evidence.max(axis=1, keepdims=True)
    every = np.concatenate([evidence, none], axis=1)
    sure = every - logsumexp(every, axis=1, keepdims=True)
    place = np.where(right.any(axis=1), right.argmax(axis=1), right.shape[1])
    return float(-sure[np.arange(len(place)), place].mean())


def fit(camera: spot_patterns.Camera) -> np.ndarray:
    """Return both constants as single patterns have them."""
    patterns, phase, orientation = spot_patterns.bench_set(2048, camera, 0)
    crystal = phase >= 0
    found = index(patterns[crystal], templates(np.eye(2) / 0.022))
    true = np.repeat(orientation[crystal][:, None], found.score.shape[1], axis=1)
    given = np.nan_to_num(found.orientation, nan=0.5)
    angle = angle_between(given.reshape(-1, 4), true.reshape(-1, 4), CUBIC)
    near = angle.reshape(found.score.shape) < RIGHT
    right = near & (found.phase == phase[crystal][:, None])
    return np.asarray(minimize(log_loss, (1.0, -3.0), args=(found, right), method="Nelder-Mead").x)


def decided(name: str, seed: int) -> tuple[xr.Dataset, dict[bool, xr.Dataset]]:
    """Return the truth about one specimen, and its maps without and with neighbours."""
    tree = open_specimen(name, seed)
    scan, truth = tree["scan"].to_dataset(), tree["truth"].to_dataset()
    turn, oval = np.deg2rad(truth.attrs["rotation"]), truth.attrs["ellipticity"] / 2
    rotated = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = np.diag([1 + oval, 1 - oval]) @ rotated / truth.attrs["k_pixel"]
    matched = match(scan, templates(matrix), truth[["centre_x", "centre_y"]]).compute()
    return truth, {how: decision.decide(matched, how) for how in (False, True)}


def judged(found: xr.Dataset, truth: xr.Dataset) -> list[dict[str, object]]:
    """Return, for each crystal and range of stated probability, how many are right."""
    rows: list[dict[str, object]] = []
    for i, crystal in enumerate(("lmno", "pt")):
        of_it = truth["phase"].values == i
        angle = angle_between(
            np.nan_to_num(found["orientation"].values[of_it], nan=0.5),
            truth["orientation"].values[of_it],
            CUBIC,
        )
        right = (angle < RIGHT) & (found["phase"].values[of_it] == i)
        sure = np.nan_to_num(found["reliability"].values[of_it])
        for low, high in itertools.pairwise(BINS):
            chosen = (sure >= low) & (sure < high)
            counts = {"points": chosen.sum(), "right": right[chosen].sum()}
            rows.append({"crystal": crystal, "from": low, "stated": sure[chosen].sum(), **counts})
    return rows


def called_sure(found: xr.Dataset, truth: xr.Dataset) -> dict[str, float]:
    """Return how many points of the map are called sure, and how many are of a crystal there."""
    sure = int((found["reliability"] >= SURE).sum())
    share = agreement(found, truth)["a crystal's in the beam, of all so sure"]
    crystals = {
        "a crystal in the beam": float((truth["crystal_phase"] >= 0).mean()),
        "called one": float((found["phase"] >= 0).mean()),
    }
    return {"called sure": sure, "right": share * sure, **crystals}


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    for name, camera in SETS.items():
        evidence, none = fit(camera)
        print(f"{name}: EVIDENCE {evidence:.2f}, NONE_OF_THEM {none:.2f}", flush=True)
    print(f"in use: EVIDENCE {decision.EVIDENCE}, NONE_OF_THEM {decision.NONE_OF_THEM}")
    rows, sure = [], []
    for name, seed in itertools.product(LAMELLAE, range(1, 1 + given.seeds)):
        truth, maps = decided(name, seed)
        for how, found in maps.items():
            case = {"specimen": name, "neighbours": how}
            rows += [case | row for row in judged(found, truth)]
            sure.append(case | called_sure(found, truth))
    table, keys = pd.DataFrame(rows), ["crystal", "neighbours"]
    whole = table.groupby(keys)[["points", "right"]].sum()
    print((1 - whole["right"] / whole["points"]).rename("wrong share").to_string())
    binned = table.groupby([*keys, "from"])[["points", "stated", "right"]].sum()
    for column in ("stated", "right"):
        binned[column] /= binned["points"]
    print(binned.round(3).to_string())
    every = pd.DataFrame(sure).groupby("neighbours")[["called sure", "right"]].sum()
    print("Of all points called 0.95 sure, also where glass or nothing is thicker than crystals,")
    print("so many have the phase and orientation of a crystal that the beam meets there:")
    print((every["right"] / every["called sure"]).round(4).to_string())
    print(pd.DataFrame(sure).round(3).to_string())


if __name__ == "__main__":
    main()
