"""An indexed scan in a few numbers, and in a few of its points."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from liscope.conventions import AMORPHOUS, EMPTY
from liscope.diffraction.library import Library
from liscope.diffraction.spots import expected_spots

SURE = 0.95
AMBIGUOUS = 0.2  # probability of the companion from which on the two cannot be told apart


def index_summary(orientations: xr.Dataset) -> dict[str, float]:
    """Return how many patterns show a crystal, and how sure their orientations are.

    Parameters
    ----------
    orientations
        As :func:`~liscope.diffraction.decision.decide` returns it.
    """
    crystal = orientations["phase"].values >= 0
    sure = orientations["reliability"].values[crystal]
    rival = orientations["companion_reliability"].values[crystal]
    out = {"points": float(crystal.size), "with a crystal": float(crystal.mean())}
    if crystal.any():
        out |= {
            "of those, orientation surer than 0.95": float((sure >= SURE).mean()),
            "of those, a companion with more than 0.2": float((rival >= AMBIGUOUS).mean()),
            "mean reliability": float(sure.mean()),
            "median score": float(np.median(orientations["score"].values[crystal])),
        }
    return out


def typical_points(orientations: xr.Dataset) -> dict[str, tuple[int, int]]:
    """Return (row, column) of the best point of each phase, and of glass and empty places."""
    phase, names = orientations["phase"].values, orientations["phase_name"].values
    merit = orientations["score"].values * orientations["reliability"].values
    chosen = {str(name): np.where(phase == i, merit, -1.0) for i, name in enumerate(names)}
    glass = orientations["glass"].values
    chosen["amorphous"] = np.where(phase == AMORPHOUS, glass, -1.0)
    chosen["empty"] = np.where(phase == EMPTY, 1 - glass, -1.0)
    best = {
        name: np.unravel_index(np.argmax(values), phase.shape) for name, values in chosen.items()
    }
    return {name: (int(at[0]), int(at[1])) for name, at in best.items() if chosen[name][at] >= 0}


def spots_at(orientations: xr.Dataset, library: Library, row: int, column: int) -> list[xr.Dataset]:
    """Return the spots that the crystal found at a point should show; none where there is none."""
    at = orientations.isel(y=row, x=column)
    phase = int(at["phase"])
    if phase < 0:
        return []
    crystal = library.phases[phase].crystal
    return [expected_spots(crystal, at["orientation"].values, library.beam)]


def shown_points(
    points: Mapping[str, tuple[int, int]], scan: xr.Dataset, centres: xr.Dataset
) -> dict[str, xr.DataArray]:
    """Return the patterns at some points, each with the pixel of its direct beam as coordinates."""
    with_beam = scan["pattern"].assign_coords(
        centre_x=centres["centre_x"], centre_y=centres["centre_y"]
    )
    return {
        name: with_beam.isel(y=row, x=column).compute() for name, (row, column) in points.items()
    }
