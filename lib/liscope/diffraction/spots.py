"""The spots that a crystal of a known orientation should show."""

from __future__ import annotations

import numpy as np
import xarray as xr
from orix.quaternion import Rotation

from liscope.diffraction.structures import Crystal
from liscope.diffraction.templates import Beam, Reflections, of, shape

FAINTEST = 0.002  # of the strongest spot


def predicted(
    crystal: Crystal, orientation: np.ndarray, beam: Beam
) -> tuple[np.ndarray, np.ndarray, Reflections]:
    """Return reciprocal vectors (n, 3) in the sample, their intensities (n,), and the reflections.

    Parameters
    ----------
    orientation
        (4,) unit quaternion, sample to crystal.
    """
    reflections = of(crystal, beam)
    seen = reflections.vectors @ Rotation(orientation).to_matrix()[0]
    return seen, reflections.strength * shape(seen, beam), reflections


def expected_spots(crystal: Crystal, orientation: np.ndarray, beam: Beam) -> xr.Dataset:
    """Return the visible spots: ``kx``, ``ky`` in 1/angstrom, ``intensity``, and Miller indices.

    The intensity is relative to the strongest spot; dimension ``spot``, strongest first.
    """
    seen, intensity, reflections = predicted(crystal, orientation, beam)
    order = np.argsort(-intensity)
    order = order[intensity[order] > FAINTEST * intensity.max()]
    lattice = crystal.phase.structure.lattice
    miller = np.rint(reflections.vectors[order] @ lattice.base.T).astype(int)
    return xr.Dataset(
        {
            "kx": ("spot", seen[order, 0], {"units": "1/angstrom"}),
            "ky": ("spot", seen[order, 1], {"units": "1/angstrom"}),
            "intensity": ("spot", intensity[order] / intensity.max(), {"units": "1"}),
            **{name: ("spot", miller[:, i]) for i, name in enumerate("hkl")},
        },
        attrs={"phase": crystal.name},
    )
