"""Which misorientations boundaries have, beside those of random crystals."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from liscope.grains.disorientation import Floats, operators, random_orientations, smallest
from liscope.grains.shares import of_pairs

LOW_ANGLE = 15.0  # degrees, below which a boundary is one of low angle
RANDOM = 200_000  # pairs, whose distribution is known to 1 % in bins of 5 degrees


def boundary_shares(pairs: pd.DataFrame, phase: str) -> pd.DataFrame:
    """Return which part of the length of a phase's grain boundaries is of which kind.

    Rows: below 15 degrees, each Sigma that occurs (Sigma 3 always), and all Sigma together. The
    boundaries of one grain are alike, since its orientation is in all of them; intervals (``low``,
    ``high``) therefore come from grain pairs that share their grains, not from pixel edges.
    ``grains`` is the number of grains that a share rests on.
    """
    own = pairs[(pairs["kind"] == "grain") & (pairs["phase"] == phase)]
    sigma = own["sigma"].to_numpy(str)
    kinds = {f"below {LOW_ANGLE:g} degrees": (own["angle_deg"] < LOW_ANGLE).to_numpy()}
    seen = sorted(set(sigma) - {"", "3"}, key=lambda name: (int(name.rstrip("abcd")), name))
    kinds |= {f"Sigma {name}": sigma == name for name in ("3", *seen)}
    kinds["any Sigma"] = sigma != ""
    length = own["length_nm"].to_numpy(float)
    ends = own["one"].to_numpy(np.int64), own["other"].to_numpy(np.int64)
    rows = {}
    for name, hit in kinds.items():
        found = of_pairs(hit, length, *ends)
        rows[name] = {
            "length_nm": float(length[hit].sum()), "share": found.value,
            "low": found.low, "high": found.high, "grains": len(np.unique(ends)),
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("kind")


def random_pairs(point_group: str, count: int = RANDOM) -> Floats:
    """Return misorientations (count, 4) of least angle between random crystals of a group.

    For cubic crystals their angles have Mackenzie's distribution (Biometrika 45, 229 (1958),
    doi:10.1093/biomet/45.1-2.229).

    Raises
    ------
    ParameterError
        If there is no such point group.
    """
    identity = np.tile([1.0, 0.0, 0.0, 0.0], (count, 1))
    drawn = random_orientations(count, np.random.default_rng(0))
    return smallest(identity, drawn, operators(point_group))


def angle_distribution(
    pairs: pd.DataFrame, phase: str, point_group: str, width_deg: float = 5.0
) -> pd.DataFrame:
    """Return the distribution of disorientation angles of a phase's grain boundaries.

    One row a bin: ``from_deg``, ``to_deg``; the share of boundary length, ``by_length``, with
    ``by_length_low`` and ``by_length_high``; the share of grain pairs, ``by_number``; and that of
    random crystals, ``random``.

    Raises
    ------
    ParameterError
        If there is no such point group.
    """
    own = pairs[(pairs["kind"] == "grain") & (pairs["phase"] == phase)]
    turns = 2 * np.degrees(np.arccos(np.minimum(random_pairs(point_group)[:, 0], 1)))
    edges = np.arange(0, turns.max() + width_deg, width_deg)
    angle, length = own["angle_deg"].to_numpy(float), own["length_nm"].to_numpy(float)
    ends = own["one"].to_numpy(np.int64), own["other"].to_numpy(np.int64)
    rows = []
    for low, high in pairwise(edges):
        inside = (angle >= low) & (angle < high)
        rows.append(
            {"from_deg": low, "to_deg": high}
            | of_pairs(inside, length, *ends).columns("by_length")
            | {"by_number": inside.mean() if inside.size else np.nan}
            | {"random": float(np.mean((turns >= low) & (turns < high)))}
        )
    return pd.DataFrame(rows)
