"""Index patterns by py4DSTEM: python py4dstem_indexing.py FOLDER COUNT, in its environment.

Zones in steps of 3 degrees and then of 1 about the best. Each phase is matched by itself; the one
with the better correlation is taken.
"""

from __future__ import annotations

import numpy as np
from common import measure
from emdfile import PointList
from py4DSTEM.braggvectors.diskdetection import find_Bragg_disks
from py4DSTEM.process.diffraction import Crystal
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

COARSE = 3.0  # degrees
SPOT = 1.3  # px, standard deviation
BACKGROUND = 3.0  # px, what is wider than this is no spot
FAINTEST = 1.5  # grey levels of the correlation, below this is no spot
SEARCH = 4.0  # px, around the given centre in which the direct beam is looked for
FEWEST = 3  # spots, the direct beam among them
KERNEL = 0.05  # 1/angstrom
POWER = 0.25  # of intensities
EXCITATION = 0.01  # 1/angstrom
CORNER = [[0, 0, 1], [0, 1, 1], [1, 1, 1]]  # of the stereographic triangle of m-3m
VOLTS = 1e3  # in a kV


def planned(setup):
    """Return the crystals, each with its plan of orientations."""
    crystals = []
    for given in setup["crystals"]:
        crystal = Crystal(
            given["positions"], given["numbers"], given["cell"], np.array(given["occupancy"])
        )
        crystal.calculate_structure_factors(setup["reach"])
        crystal.orientation_plan(
            zone_axis_range=np.array(CORNER),
            angle_step_zone_axis=setup["step"],
            angle_coarse_zone_axis=COARSE,
            angle_refine_range=COARSE,
            angle_step_in_plane=2.0,
            accel_voltage=VOLTS * setup["voltage"],
            corr_kernel_size=KERNEL,
            power_intensity=POWER,
            power_intensity_experiment=POWER,
            sigma_excitation_error=EXCITATION,
            precession_angle_degrees=setup["precession"],
            progress_bar=False,
        )
        crystals.append(crystal)
    return crystals


def flattened(pattern):
    """Return a pattern without what is wider than a spot."""
    pattern = pattern.astype(float)
    return pattern - gaussian_filter(pattern, BACKGROUND)


def spots(patterns, setup):
    """Return the Bragg peaks of patterns, each about its own direct beam, in 1/angstrom."""
    far = np.fft.fftfreq(patterns.shape[-1], 1 / patterns.shape[-1])
    kernel = np.exp(-0.5 * (far**2 + far[:, None] ** 2) / SPOT**2)
    found = find_Bragg_disks(
        patterns,
        kernel / kernel.sum(),
        filter_function=flattened,
        sigma_cc=0,
        subpixel="poly",
        minAbsoluteIntensity=FAINTEST,
        minRelativeIntensity=0,
        minPeakSpacing=3,
        edgeBoundary=1,
    )
    return [centred(peaks.data.copy(), setup) for peaks in found]


def centred(table, setup):
    """Return a pattern's peaks about the brightest near the centre, in 1/angstrom."""
    at = np.stack([table["qx"], table["qy"]], -1)
    near = np.hypot(*(at - setup["centre"]).T) < SEARCH
    bright = np.argmax(np.where(near, table["intensity"], -1)) if near.any() else None
    at = setup["pixel"] * (at - (setup["centre"] if bright is None else at[bright]))
    table["qx"], table["qy"] = at.T
    return PointList(table)


def matched(crystal, peaks):
    """Return the orientation, crystal to sample, and the correlation of one pattern."""
    found = crystal.match_single_pattern(peaks, min_number_peaks=FEWEST)
    if found.corr[0] <= 0:
        return np.full(4, np.nan), 0.0
    # Its correlation grows with the intensities; without their norm it tells no glass.
    strength = np.sqrt(np.sum(peaks.data["intensity"] ** (2 * POWER)))
    orientation = Rotation.from_matrix(found.matrix[0]).as_quat()[[3, 0, 1, 2]]
    return orientation, found.corr[0] / strength


def prepare(setup):
    """Return a function that indexes patterns."""
    crystals = planned(setup)

    def index(patterns):
        answers = [
            [matched(crystal, peaks) for crystal in crystals] for peaks in spots(patterns, setup)
        ]
        best = np.array([np.argmax([score for _, score in each]) for each in answers])
        chosen = [each[i] for each, i in zip(answers, best, strict=True)]
        score = np.array([score for _, score in chosen])
        return np.where(score > 0, best, -1), np.array([found for found, _ in chosen]), score

    return index


if __name__ == "__main__":
    measure("py4DSTEM", prepare)
