"""Results of the volume's steps as tables, and which line to look along."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from liscope.errors import DataError
from liscope.volume.beam import Width
from liscope.volume.depletion import Depletion
from liscope.volume.registering import Match
from liscope.volume.response import Response

if TYPE_CHECKING:
    import pandas as pd

Line = tuple[float, float, float, float, float]
LEVEL = 1.96  # standard errors on either side of a 95 % interval
BEYOND = 0.5  # um, that a line reaches beyond the particle
_ASSUMED = (np.nan, np.nan, "assumed")


def match_table(match: Match) -> pd.DataFrame:
    """Return turn, shift and depth of SIMS against EDS: ``value``, ``low``, ``high``, ``unit``."""
    import pandas as pd

    errors = np.sqrt(np.diag(match.covariance))
    residual = 1e3 * np.sqrt((match.residual**2).mean(0))
    rows = {
        "rotation": (match.rotation, np.rad2deg(errors[0]), "degree"),
        "shift y": (match.shift[0], errors[1], "um"),
        "shift x": (match.shift[1], errors[2], "um"),
        "EDS sees deeper by": (match.depth_offset, match.depth_error, "nm"),
        "left in slices, y (rms)": (residual[0], np.nan, "nm"),
        "left in slices, x (rms)": (residual[1], np.nan, "nm"),
    }
    return pd.DataFrame(
        {
            name: {
                "value": value,
                "low": value - LEVEL * error,
                "high": value + LEVEL * error,
                "unit": unit,
            }
            for name, (value, error, unit) in rows.items()
        }
    ).T.rename_axis("quantity")


def depletion_table(found: Depletion, beam: Width | Response) -> pd.DataFrame:
    """Return depth (nm) and amplitude of the loss with 95 % intervals, and what it rests on."""
    import pandas as pd

    rows = {
        "depth (1/e) / nm": (found.depth, found.depth_low, found.depth_high),
        "share lost at the surface (below 0: more there)": (
            found.amplitude,
            found.amplitude_low,
            found.amplitude_high,
        ),
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"])
    table = table.assign(verdict=found.verdict)
    low, high, told = _ASSUMED
    if isinstance(beam, Width):
        low, high, told = beam.low, beam.high, beam.verdict
    blur = {"value": beam.lateral, "low": low, "high": high, "verdict": told}
    return pd.concat([table, pd.DataFrame(blur, ["blur of the ion image (sd) / nm"])])


def across(particles: pd.DataFrame, phase: str | None = None) -> Line:
    """Return the line along x through the middle of the largest particle: z, y, x, y, x in um.

    It begins and ends half a um beyond the particle, which may be beyond the volume.

    Parameters
    ----------
    particles
        From :func:`~liscope.volume.label_table.component_table`.

    Raises
    ------
    DataError
        If there is none.
    """
    there = particles if phase is None else particles[particles["phase"] == phase]
    if not len(there):
        raise DataError("no particle to draw a line across")
    one = there.sort_values("voxels").iloc[-1]
    half = float(one["extent_x_um"]) / 2 + BEYOND
    z, y, x = (float(one[f"{dim}_um"]) for dim in "zyx")
    return z, y, x - half, y, x + half


def profile_table(profile: xr.Dataset, line: Line) -> pd.DataFrame:
    """Return a line's profile: ``term``, ``y_um``, ``x_um``, ``distance_um``, ``value`` and limits.

    Parameters
    ----------
    profile
        From :func:`~liscope.volume.profiles.line_profile` of that one line.
    """
    import pandas as pd

    one = profile.isel(line=0)
    _, y0, x0, y1, x1 = line
    table = one[["mean", "error"]].to_dataframe().reset_index()
    distance = table["distance"].to_numpy(float)
    along = distance / np.hypot(y1 - y0, x1 - x0)
    value, half = (table[name].to_numpy(float) for name in ("mean", "error"))
    return pd.DataFrame(
        {
            "term": table["channel"],
            "y_um": y0 + along * (y1 - y0),
            "x_um": x0 + along * (x1 - x0),
            "distance_um": distance,
            "value": value,
            "low": value - LEVEL * half,
            "high": value + LEVEL * half,
        }
    ).dropna()


def edge_table(profile: xr.Dataset, ratio: str = "") -> pd.DataFrame:
    """Return an edge profile: ``quantity``, ``distance_um``, ``value``, ``low`` and ``high``.

    A channel called ``A x B`` is a product, in counts^2.

    Parameters
    ----------
    profile
        From :func:`~liscope.volume.profiles.edge_profile`.
    ratio
        What to call the ratio, if it is there.
    """
    import pandas as pd

    distance = profile["distance"].to_numpy() / 1e3
    kinds = {
        f"{name} / counts{'^2' if ' x ' in name else ''}": [
            profile[one].sel(channel=name).to_numpy() for one in ("mean", "low", "high")
        ]
        for name in profile["channel"].to_numpy()
    }
    if ratio and "ratio" in profile:
        kinds[ratio] = [profile[one].to_numpy() for one in ("ratio", "ratio_low", "ratio_high")]
    return pd.concat(
        pd.DataFrame(
            {"quantity": name, "distance_um": distance, "value": value, "low": low, "high": high}
        )
        for name, (value, low, high) in kinds.items()
    ).reset_index(drop=True)
