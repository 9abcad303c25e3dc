"""A small film on a collector whose every colour, edge and grain can be told by hand."""

from __future__ import annotations

import numpy as np
import xarray as xr
from orix.quaternion import Rotation

STEP = 2.0


def turned(axis: tuple[float, float, float], degrees: float) -> np.ndarray:
    return np.asarray(Rotation.from_axes_angles(axis, degrees, degrees=True).data)[0]


def film(columns: int = 12) -> xr.Dataset:
    """Film (phase 0) over collector (phase 1), 12 rows; glass, a pore and an unknown pixel in it.

    Left half of the film: crystal axes along the sample's. Right half: turned by 45 degrees about
    z, so that [110] is along y. Collector: as the left half.
    """
    half = columns // 2
    quaternion = np.tile([1.0, 0, 0, 0], (12, columns, 1))
    quaternion[:8, half:] = turned((0, 0, 1), 45)
    phase = np.zeros((12, columns), np.int8)
    phase[8:] = 1
    phase[0, :half], phase[0, half:], phase[1, 0] = -1, -2, -3
    quaternion[phase < 0] = np.nan
    coords = {
        axis: (axis, 10.0 + STEP * np.arange(n), {"units": "nm"})
        for axis, n in (("y", 12), ("x", columns))
    }
    reliable = np.where(phase >= 0, 0.8, np.nan)
    return xr.Dataset(
        {
            "orientation": (("y", "x", "quaternion"), quaternion),
            "phase": (("y", "x"), phase),
            "phase_name": ("phase_id", ["lmno", "pt"]),
            "point_group": ("phase_id", ["m-3m", "m-3m"]),
            "lattice": (("phase_id", "cell"), [[8.16] * 3 + [90] * 3, [3.92] * 3 + [90] * 3]),
            "score": (("y", "x"), np.full(phase.shape, 0.5)),
            "reliability": (("y", "x"), reliable),
        },
        coords | {"quaternion": ["w", "x", "y", "z"], "cell": ["a", "b", "c", "al", "be", "ga"]},
    )
