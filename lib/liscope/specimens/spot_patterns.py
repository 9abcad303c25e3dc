"""Precession electron diffraction patterns of crystals, glass and window, as a camera records them.

The physics differs on purpose from the templates of :mod:`liscope.diffraction`, which are
kinematic: intensities follow the two-beam dynamical solution for a given thickness, averaged over
the azimuths of the precessing beam (Williams and Carter, Transmission Electron Microscopy, 2009,
eq. 13.47), and scatter about it, as n-beam interaction makes them do. Structure factors come from
another tabulation, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from liscope.diffraction.structures import Crystal, electron_wavelength

SPOT_REACH = 6  # half the side of the square in which a spot is drawn, px
STRONGEST = (120, 255)  # grey levels of a pattern's strongest spot
FAINTEST = 1e-3  # of the incident beam; a pattern without any stronger spot is not stretched further
AZIMUTHS = 12  # of the precessing beam, over half a turn


@dataclass(frozen=True)
class Optics:
    """Beam and camera.

    ``voltage`` in kV, ``precession`` (semi-angle) in degrees, ``pixel`` in 1/angstrom, ``size`` in
    pixels.
    """

    voltage: float = 200.0
    precession: float = 0.7
    pixel: float = 0.022
    size: int = 128


@dataclass(frozen=True)
class Camera:
    """What the camera adds; every defect can be switched off.

    ``count`` grey levels that one electron makes (0: no shot noise), ``scatter`` the log-normal
    width of spot intensities, ``jitter`` of the centre in pixels, ``ellipticity`` the relative
    difference of the axes, ``background`` its grey level in the centre, ``width`` of a spot in
    pixels (standard deviation).
    """

    count: float = 3.0
    scatter: float = 0.35
    jitter: float = 0.0
    ellipticity: float = 0.0
    background: float = 45.0
    width: float = 1.3


MEDIUM = Camera()
HARD = Camera(count=8.0, scatter=0.5, jitter=0.7, ellipticity=0.01)


@dataclass(frozen=True)
class Content:
    """What lies under the beam, for n patterns and up to m crystals on top of each other.

    ``phase`` (n, m) indices into the crystals, -1 for none; ``orientation`` (n, m, 4), sample to
    crystal; ``thickness`` (n, m) in nm; ``grain`` (n, m), crystals of the same number share their
    scatter of intensities; ``glass`` (n,) and ``window`` (n,) thickness of amorphous specimen and
    of the membrane in nm.
    """

    phase: np.ndarray
    orientation: np.ndarray
    thickness: np.ndarray
    grain: np.ndarray
    glass: np.ndarray
    window: np.ndarray


def record(
    content: Content,
    crystals: tuple[Crystal, ...],
    optics: Optics,
    camera: Camera,
    rng: np.random.Generator,
    seed: int = 0,
) -> np.ndarray:
    """Return the patterns, uint8 of shape (n, size, size).

    ``rng`` draws what differs from pattern to pattern, ``seed`` the scatter that belongs to a
    grain.
    """
    return np.stack(
        [
            _expose(_picture(content, i, crystals, optics, camera, rng, seed), camera, rng)
            for i in range(len(content.phase))
        ]
    )


def _expose(picture: np.ndarray, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Return grey levels after shot noise and 8-bit clipping."""
    if camera.count:
        picture = camera.count * rng.poisson(picture / camera.count)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _picture(
    content: Content,
    i: int,
    crystals: tuple[Crystal, ...],
    optics: Optics,
    camera: Camera,
    rng: np.random.Generator,
    seed: int,
) -> np.ndarray:
    """Return the expected grey levels of one pattern."""
    centre = (optics.size - 1) / 2 + camera.jitter * rng.standard_normal(2)
    parts = [
        _spots(
            crystals[phase],
            content.orientation[i, layer],
            content.thickness[i, layer],
            optics,
            camera,
            np.random.default_rng((seed, content.grain[i, layer])),
        )
        for layer, phase in enumerate(content.phase[i])
        if phase >= 0
    ]
    matter = content.glass[i] + np.clip(content.thickness[i], 0, None).sum()
    picture = _diffuse(centre, content.glass[i], content.window[i], matter, optics, camera)
    if parts:
        at, height = (np.concatenate(column) for column in zip(*parts, strict=True))
        height *= np.random.default_rng((seed, content.grain[i, 0], 1)).uniform(*STRONGEST) / max(
            height.max(initial=0), FAINTEST
        )
        at = centre + stretched(at, camera.ellipticity) / optics.pixel
        draw_spots(picture, at, height, camera.width)
    draw_spots(picture, centre[None], np.array([900.0]), 1.5 * camera.width)
    return picture


def stretched(at: np.ndarray, ellipticity: float) -> np.ndarray:
    """Return positions (..., 2) on a screen whose x axis is too long by ``ellipticity``."""
    return at * np.array([1 + ellipticity / 2, 1 - ellipticity / 2])


def draw_spots(picture: np.ndarray, at: np.ndarray, height: np.ndarray, width: float) -> None:
    """Add Gaussian spots of a peak ``height`` at pixels ``at`` (x, y) to ``picture`` in place."""
    size = picture.shape[0]
    inside = np.all((at > -SPOT_REACH) & (at < size - 1 + SPOT_REACH), axis=1)
    at, height = at[inside], height[inside]
    pixels = np.rint(at).astype(int)[:, None] + np.arange(-SPOT_REACH, SPOT_REACH + 1)[None, :, None]
    profile = np.exp(-0.5 * ((pixels - at[:, None]) / width) ** 2)
    profile[(pixels < 0) | (pixels >= size)] = 0
    x, y = np.moveaxis(np.clip(pixels, 0, size - 1), -1, 0)
    np.add.at(
        picture,
        (y[:, :, None], x[:, None, :]),
        height[:, None, None] * profile[:, :, 1, None] * profile[:, None, :, 0],
    )


def _spots(
    crystal: Crystal,
    orientation: np.ndarray,
    thickness: float,
    optics: Optics,
    camera: Camera,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return positions (k, 2) in 1/angstrom and intensities (k,) of one crystal's reflections."""
    vectors, extinction = _reflections(crystal, optics.voltage, optics.size * optics.pixel / 2)
    scatter = np.exp(camera.scatter * rng.standard_normal(len(vectors)))
    seen = vectors @ _matrix(orientation)
    away = excitation(seen, optics.voltage)
    swing = np.hypot(seen[:, 0], seen[:, 1]) * np.deg2rad(optics.precession)
    depth = 10 * thickness
    near = np.abs(away) < swing + 3 / depth
    seen, away, swing, scatter = seen[near], away[near], swing[near], scatter[near]
    azimuth = (np.arange(AZIMUTHS) + 0.5) * np.pi / AZIMUTHS
    effective = np.hypot(
        away[:, None] + swing[:, None] * np.cos(azimuth), 1 / extinction[near][:, None]
    )
    rocking = (np.sin(np.pi * depth * effective) / effective) ** 2
    return seen[:, :2], scatter * rocking.mean(axis=1) / extinction[near] ** 2


def excitation(seen: np.ndarray, voltage: float) -> np.ndarray:
    """Return the distance of reciprocal points (k, 3) from the Ewald sphere along z, 1/angstrom.

    The beam runs along +z, so the sphere's centre lies at z = -1/wavelength.
    """
    radius = 1 / electron_wavelength(voltage)
    flat = (seen[:, :2] ** 2).sum(axis=1)
    return np.asarray(np.sqrt(radius**2 - flat) - radius - seen[:, 2])


@lru_cache(maxsize=8)
def _reflections(crystal: Crystal, voltage: float, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Return reciprocal vectors (k, 3) in 1/angstrom and extinction distances (k,) in angstrom."""
    vectors, factor = crystal.reflections(radius, "xtables")
    relativistic = 1 + voltage / 510.999
    return vectors, np.pi * crystal.volume / (
        electron_wavelength(voltage) * relativistic * np.abs(factor)
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


def _diffuse(
    centre: np.ndarray, glass: float, window: float, matter: float, optics: Optics, camera: Camera
) -> np.ndarray:
    """Return the inelastic background and the halos of glass and of the nitride window."""
    pixels = np.arange(optics.size)
    x, y = pixels - centre[0], pixels - centre[1]
    half = camera.ellipticity / 2
    k = optics.pixel * np.hypot(x * (1 - half), (y * (1 + half))[:, None])
    inelastic = camera.background * (0.25 + 0.75 * min(1.0, matter / 20)) * np.exp(-k / 0.25)
    halo = glass * (1.6 * _ring(k, 0.40, 0.045) + 0.7 * _ring(k, 0.69, 0.07))
    nitride = window * (0.16 * _ring(k, 0.37, 0.06) + 0.08 * _ring(k, 0.77, 0.09))
    return np.asarray(inelastic + halo + nitride + 1.0)


def _ring(k: np.ndarray, radius: float, width: float) -> np.ndarray:
    return np.asarray(np.exp(-0.5 * ((k - radius) / width) ** 2))
