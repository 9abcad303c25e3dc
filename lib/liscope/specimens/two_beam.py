"""Two-beam dynamical theory of the reflections of one crystal in a precessing beam.

Source: Williams and Carter, Transmission Electron Microscopy, 2009, eq. 13.47 and 13.48.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from liscope.diffraction.structures import Crystal, electron_wavelength

AZIMUTHS = 12  # of the precessing beam over half a turn, at least
FRINGE = 25.0  # angstrom of thickness for which one more is needed, as rocking curves get narrower


def spots(
    crystal: Crystal,
    orientation: np.ndarray,
    thickness: float,
    voltage: float,
    precession: float,
    radius: float,
    tails: float,
    scatter: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return where a crystal's reflections are seen, and what share of the beam each has.

    Parameters
    ----------
    crystal, orientation, thickness
        The crystal, a unit quaternion (4,), sample to crystal, and nm.
    voltage, precession
        kV, and degrees of the semi-angle.
    radius
        In 1/angstrom, up to which there are reflections.
    tails
        How far from its Bragg angle a reflection is still looked at, in inverse extinction
        distances; at least three inverse thicknesses.
    scatter, rng
        Log-normal width by which intensities scatter about the theory, and what draws it.

    Returns
    -------
    positions, intensities
        (k, 2: x, y) in 1/angstrom, and (k,).
    """
    vectors, extinction = extinction_distances(crystal, voltage, radius)
    factor = np.exp(scatter * rng.standard_normal(len(vectors)))
    seen = vectors @ _matrix(orientation)
    away = excitation(seen, voltage)
    swing = np.hypot(seen[:, 0], seen[:, 1]) * np.deg2rad(precession)
    depth = 10 * thickness
    near = np.abs(away) < swing + np.maximum(3 / depth, tails / extinction)
    seen, away, swing, factor = seen[near], away[near], swing[near], factor[near]
    steps = max(AZIMUTHS, round(depth / FRINGE))
    azimuth = (np.arange(steps) + 0.5) * np.pi / steps
    effective = np.hypot(
        away[:, None] + swing[:, None] * np.cos(azimuth), 1 / extinction[near][:, None]
    )
    rocking = (np.sin(np.pi * depth * effective) / effective) ** 2
    return seen[:, :2], factor * rocking.mean(axis=1) / extinction[near] ** 2


def excitation(seen: np.ndarray, voltage: float) -> np.ndarray:
    """Return the distance of reciprocal points (k, 3) from the Ewald sphere along z, 1/angstrom.

    The beam runs along +z, so the sphere's centre lies at z = -1/wavelength.
    """
    radius = 1 / electron_wavelength(voltage)
    flat = (seen[:, :2] ** 2).sum(axis=1)
    return np.asarray(np.sqrt(radius**2 - flat) - radius - seen[:, 2])


@lru_cache(maxsize=8)
def extinction_distances(
    crystal: Crystal, voltage: float, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return reciprocal vectors (k, 3) in 1/angstrom and extinction distances (k,) in angstrom."""
    vectors, amplitude = crystal.reflections(radius, "xtables")
    relativistic = 1 + voltage / 510.999
    return vectors, np.pi * crystal.volume / (
        electron_wavelength(voltage) * relativistic * np.abs(amplitude)
    )


def _matrix(orientation: np.ndarray) -> np.ndarray:
    """Return the matrix M of v_crystal = M v_sample, so that rows g @ M are seen in the sample."""
    w, x, y, z = orientation
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
