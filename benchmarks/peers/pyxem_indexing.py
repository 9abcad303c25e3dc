"""Index patterns by pyxem: python pyxem_indexing.py FOLDER COUNT, in an environment with pyxem.

All templates are compared (the default leaves nine of ten out by their azimuthal sums, and a
quarter of the right ones with them), square roots of both intensities, in steps of 1 degree.
"""

from __future__ import annotations

import dask
import hyperspy.api as hs
import numpy as np
from common import measure
from diffsims.generators.simulation_generator import SimulationGenerator
from orix.crystal_map import Phase
from orix.sampling import get_sample_reduced_fundamental
from pyxem.signals import ElectronDiffraction2D

EXCITATION = 0.01  # 1/angstrom, the best of 0.005 to 0.04
WEAKEST = 1e-3  # of a template's strongest spot
BLUR = (1, 8)  # px, of the two Gaussians
SEARCH = 6.0  # px, around the given centre, in which the direct beam lies
DIRECT = 0.15  # 1/angstrom, around the direct beam, left out


def simulated(setup):
    """Return the templates of all phases, their intensities square roots."""
    phases = [Phase.from_cif(crystal["cif"]) for crystal in setup["crystals"]]
    rotations = [
        get_sample_reduced_fundamental(setup["step"], point_group=phase.point_group)
        for phase in phases
    ]
    generator = SimulationGenerator(
        setup["voltage"], precession_angle=setup["precession"], minimum_intensity=WEAKEST
    )
    library = generator.calculate_diffraction2d(
        phases,
        rotations,
        reciprocal_radius=setup["reach"],
        max_excitation_error=EXCITATION,
        with_direct_beam=False,
    )
    for phase in library.coordinates:
        for spots in phase:
            spots.intensity = np.sqrt(spots.intensity)
    return library


def centred(patterns, setup):
    """Return the patterns with the direct beam in the middle."""
    # float32, because pyxem's difference of Gaussians wraps around in uint8.
    signal = ElectronDiffraction2D(patterns.astype(np.float32))
    signal.center_direct_beam(
        method="center_of_mass", mask=(*setup["centre"], SEARCH), subpixel=True, inplace=True
    )
    return signal


def prepare(setup):
    """Return a function that indexes patterns."""
    library = simulated(setup)
    first = np.cumsum([0] + [phase.size for phase in library.rotations])

    def index(patterns):
        signal = centred(patterns, setup)
        signal.subtract_diffraction_background(
            "difference of gaussians", min_sigma=BLUR[0], max_sigma=BLUR[1], inplace=True
        )
        middle = [patterns.shape[-1] / 2] * 2
        signal.calibration(scale=setup["pixel"], units="k_A^-1", center=middle)
        polar = signal.get_azimuthal_integral2d(
            npt=round(setup["reach"] / setup["pixel"]),
            npt_azim=360,
            radial_range=(0.0, setup["reach"]),
        )
        polar.data[:, : round(DIRECT / setup["pixel"])] = 0
        found = (polar**0.5).get_orientation(library, frac_keep=1.0, n_best=1)
        # pyxem's own to_phase_index puts the first template of a phase to the one before.
        phase = np.searchsorted(first, found.data[:, 0, 0], side="right") - 1
        quaternions = found.to_rotation().data.reshape(-1, 4)
        strength = np.linalg.norm(np.sqrt(polar.data), axis=(1, 2))
        return phase, quaternions, found.data[:, 0, 1] / strength

    return index


if __name__ == "__main__":
    hs.preferences.General.show_progressbar = False
    dask.config.set(scheduler="synchronous")
    measure("pyxem", prepare)
