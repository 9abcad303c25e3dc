"""Index patterns by quantem: python quantem_indexing.py FOLDER COUNT, in its environment.

Zones in steps of 1 degree, 5 degrees in plane, fitted in between as it does by itself; with
``--refined`` its refinement of orientations follows. The patterns are no map, so neighbours are not
asked. Of the phases the one with the better correlation is taken, which tells them apart better
than quantem's own fit of phases.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from common import measure
from quantem.core.datastructures import Dataset4dstem, Vector
from quantem.diffraction import BraggVectors, Crystal, OrientationMap
from quantem.diffraction.calibration import peaks_to_calibrated

SPOT = 1.3  # px, standard deviation
BACKGROUND = 3.0  # px, what is wider than this is no spot
FAINTEST = 0.9  # of the correlation, by the root of an electron's grey levels
SEARCH = 4.0  # px, around the given centre in which the direct beam is looked for
FEWEST = 3  # spots, the direct beam among them
KERNEL = 0.07  # 1/angstrom
EXCITATION = 0.01  # 1/angstrom
ENERGY = 1e3  # eV in a keV


def spots(patterns, setup):
    """Return the Bragg peaks of patterns, each about its own direct beam, in 1/angstrom."""
    bragg = BraggVectors.from_dataset(Dataset4dstem.from_array(patterns[None].astype(np.float32)))
    size = patterns.shape[-1]
    far = np.arange(size) - size // 2
    probe = np.exp(-0.5 * (far**2 + far[:, None] ** 2) / SPOT**2)
    bragg.make_template_from_probe(probe, center=(size // 2, size // 2))
    bragg.detect_disks(
        min_abs_intensity=FAINTEST * setup["electron"] ** 0.5,
        min_spacing=3.0,
        subpixel="parabolic",
        background_sigma=BACKGROUND,
        progressbar=False,
    )
    bragg = bragg.correct_peak_origins(origins(bragg.peaks, setup["centre"]), (0.0, 0.0))
    return peaks_to_calibrated(bragg.peaks, setup["pixel"])


def origins(peaks, centre):
    """Return where the direct beam is, (1, n, 2), by the brightest peak near the centre."""
    found = np.tile(np.asarray(centre, float), (*peaks.shape, 1))
    for i in range(peaks.shape[1]):
        table = peaks[0, i].numpy()
        near = table[np.hypot(*(table[:, :2] - centre).T) < SEARCH]
        if len(near):
            found[0, i] = near[near[:, 2].argmax(), :2]
    return found


def planned(setup):
    """Return a plan a crystal, which is given its peaks later."""
    nothing = Vector.from_data([[np.zeros((1, 3))]], fields=["qx", "qy", "intensity"])
    plans = []
    for given in setup["crystals"]:
        crystal = Crystal.from_cif(given["cif"], verbose=False)
        crystal.calculate_structure_factors(k_max=setup["reach"])
        plan = OrientationMap.from_vectors(
            nothing, crystal, ENERGY * setup["voltage"], precession_deg=setup["precession"]
        )
        plan.build_plan(
            angle_step_zone_axis_deg=setup["step"],
            corr_kernel_size=KERNEL,
            sigma_excitation=EXCITATION,
            detector_q_max=setup["reach"],
            verbose=False,
            progress_bar=False,
        )
        plans.append(plan)
    return plans


def matched(plan, peaks, refined):
    """Return orientations (n, 4) and correlations (n,) of one crystal."""
    plan.peaks = peaks
    plan.match_orientations(min_number_peaks=FEWEST, progress_bar=False)
    correlation = plan.corr[0, :, 0].numpy()
    if refined:
        plan.refine_orientations(neighbor_rescue=False, progress_bar=False)
        correlation = plan.score[0].numpy()
    return plan.quats[0, :, 0].numpy(), np.nan_to_num(correlation)


def prepare(setup):
    """Return a function that indexes patterns."""
    torch.set_num_threads(1)
    plans = planned(setup)

    def index(patterns):
        peaks = spots(patterns, setup)
        orientation, score = zip(*(matched(plan, peaks, REFINED) for plan in plans), strict=True)
        best, each = np.argmax(score, axis=0), np.arange(len(patterns))
        best_score = np.array(score)[best, each]
        return np.where(best_score > 0, best, -1), np.array(orientation)[best, each], best_score

    return index


REFINED = "--refined" in sys.argv

if __name__ == "__main__":
    measure("quantem refined" if REFINED else "quantem", prepare)
