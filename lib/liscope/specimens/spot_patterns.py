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

from liscope.diffraction.structures import Crystal, open_crystal
from liscope.specimens import two_beam

SPOT_REACH = 6  # half the side of the square in which a spot is drawn, px
STRONGEST = (120, 255)  # grey levels of a pattern's strongest spot
FAINTEST = (
    1e-3  # of the incident beam; a pattern without any stronger spot is not stretched further
)
DIRECT = 900.0  # grey levels that the incident beam would have, were they not clipped
UNSEEN = 0.01  # grey levels, below which a spot is not drawn
FINE = 32  # steps a pixel in which the diffuse scattering is tabulated


@dataclass(frozen=True)
class Optics:
    """Beam and camera.

    ``voltage`` in kV, ``precession`` (semi-angle) in degrees, ``pixel`` in 1/angstrom, ``size`` in
    pixels, ``rotation`` of the screen's picture against the sample in degrees, from x towards y;
    reflections are drawn up to ``tails`` inverse extinction distances beyond their Bragg angle.
    """

    voltage: float = 200.0
    precession: float = 0.7
    pixel: float = 0.022
    size: int = 128
    rotation: float = 0.0
    tails: float = 2.0


@dataclass(frozen=True)
class Camera:
    """What the camera adds; every defect can be switched off.

    ``count`` grey levels that one electron makes (0: no shot noise), ``scatter`` the log-normal
    width of spot intensities, ``jitter`` of the centre in pixels, ``ellipticity`` the relative
    difference of the axes, ``background`` its grey level in the centre, ``width`` of a spot in
    pixels (standard deviation), ``exposure`` the grey levels of a spot that holds the whole beam
    (0: each pattern is stretched until its strongest spot has some 120 to 255).
    """

    count: float = 3.0
    scatter: float = 0.35
    jitter: float = 0.0
    ellipticity: float = 0.0
    background: float = 45.0
    width: float = 1.3
    exposure: float = 0.0


MEDIUM = Camera()
HARD = Camera(count=8.0, scatter=0.5, jitter=0.7, ellipticity=0.01)


@dataclass(frozen=True)
class Content:
    """What lies under the beam, for n patterns and up to m crystals on top of each other.

    ``phase`` (n, m) indices into the crystals, -1 for none; ``orientation`` (n, m, 4), sample to
    crystal; ``thickness`` (n, m) in nm; ``grain`` (n, m), crystals of the same number share their
    scatter of intensities; ``glass`` (n,) and ``window`` (n,) thickness of amorphous specimen and
    of the membrane in nm; ``transmitted`` (n,) the share of the electrons that is not absorbed; it
    counts only where the camera has an exposure.
    """

    phase: np.ndarray
    orientation: np.ndarray
    thickness: np.ndarray
    grain: np.ndarray
    glass: np.ndarray
    window: np.ndarray
    transmitted: np.ndarray | None = None


def record(
    content: Content,
    crystals: tuple[Crystal, ...],
    optics: Optics,
    camera: Camera,
    rng: np.random.Generator,
    seed: int = 0,
    centre: np.ndarray | None = None,
) -> np.ndarray:
    """Return the patterns, uint8 of shape (n, size, size).

    Parameters
    ----------
    content, crystals
        What lies under the beam, and the crystals that ``content.phase`` counts.
    optics, camera
        Of the microscope.
    rng
        Draws what differs from pattern to pattern.
    seed
        Of the scatter of intensities, which belongs to a grain.
    centre
        Pixel (n, 2: x, y) of the incident beam; by default the screen's centre with the jitter of
        the camera.
    """
    if centre is None:
        jitter = camera.jitter * rng.standard_normal((len(content.phase), 2))
        centre = (optics.size - 1) / 2 + jitter
    return np.stack(
        [
            _expose(_picture(content, i, crystals, optics, camera, seed, place), camera, rng)
            for i, place in enumerate(centre)
        ]
    )


def bench_set(
    n: int, camera: Camera = MEDIUM, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return patterns of single crystals and glass with what they are of; for benchmarks and tests.

    57 % are of LiMn1.5Ni0.5O4, 18 % of platinum, the others of glass, as in the map of Bhatia et
    al. 2022 (10.1002/smtd.202100891); all orientations are as likely, and 12 to 30 nm are
    transmitted.

    Returns
    -------
    patterns, phase, orientation
        uint8 (n, 128, 128); 0 for ``lmno``, 1 for ``pt``, -1 for glass (n,); unit quaternions
        (n, 4), sample to crystal.
    """
    rng = np.random.default_rng(seed)
    counts = [round(0.57 * n), round(0.18 * n)]
    phase = rng.permutation(np.repeat([0, 1, -1], [*counts, n - sum(counts)]))
    orientation = rng.standard_normal((n, 4))
    orientation /= np.linalg.norm(orientation, axis=1, keepdims=True)
    thickness = rng.uniform(12, 30, n)
    content = Content(
        phase[:, None],
        orientation[:, None],
        thickness[:, None],
        np.arange(n)[:, None],
        np.where(phase < 0, thickness, 0.0),
        np.zeros(n),
    )
    crystals = (open_crystal("lmno"), open_crystal("pt"))
    return record(content, crystals, Optics(), camera, rng, seed), phase, orientation


def _expose(picture: np.ndarray, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Return grey levels after shot noise and 8-bit clipping."""
    if camera.count:
        picture = camera.count * rng.poisson(picture / camera.count)
    return np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8)


def _picture(
    content: Content,
    i: int,
    crystals: tuple[Crystal, ...],
    optics: Optics,
    camera: Camera,
    seed: int,
    centre: np.ndarray,
) -> np.ndarray:
    """Return the expected grey levels of one pattern."""
    parts = [
        two_beam.spots(
            crystals[phase],
            content.orientation[i, layer],
            content.thickness[i, layer],
            optics.voltage,
            optics.precession,
            optics.size * optics.pixel / 2,
            optics.tails,
            camera.scatter,
            np.random.default_rng((seed, content.grain[i, layer])),
        )
        for layer, phase in enumerate(content.phase[i])
        if phase >= 0
    ]
    matter = content.glass[i] + np.clip(content.thickness[i], 0, None).sum()
    picture = _diffuse(centre, content.glass[i], content.window[i], matter, optics, camera)
    direct = DIRECT
    if camera.exposure and content.transmitted is not None:
        direct *= content.transmitted[i]
    if parts:
        at, share = (np.concatenate(column) for column in zip(*parts, strict=True))
        if camera.exposure:
            height = camera.exposure * share * direct / DIRECT
            direct *= np.exp(-share.sum())
        else:
            strongest = max(share.max(initial=0), FAINTEST)
            height = _strength(seed, content.grain[i, 0]) * share / strongest
        draw_spots(picture, centre + on_screen(at, optics, camera), height, camera.width)
    draw_spots(picture, centre[None], np.array([direct]), 1.5 * camera.width)
    return picture


def _strength(seed: int, grain: int) -> float:
    """Return the grey level to which the strongest spot of a grain is stretched."""
    return float(np.random.default_rng((seed, grain, 1)).uniform(*STRONGEST))


def on_screen(at: np.ndarray, optics: Optics, camera: Camera) -> np.ndarray:
    """Return pixels (..., 2) from the centre where reciprocal points (..., 2: x, y) are seen."""
    angle = np.deg2rad(optics.rotation)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return stretched(at @ turn, camera.ellipticity) / optics.pixel


def stretched(at: np.ndarray, ellipticity: float) -> np.ndarray:
    """Return positions (..., 2) on a screen whose x axis is too long by ``ellipticity``."""
    return np.asarray(at * np.array([1 + ellipticity / 2, 1 - ellipticity / 2]))


def draw_spots(picture: np.ndarray, at: np.ndarray, height: np.ndarray, width: float) -> None:
    """Add Gaussian spots of a peak ``height`` at pixels ``at`` (x, y) to ``picture`` in place."""
    size = picture.shape[0]
    seen = np.all((at > -SPOT_REACH) & (at < size - 1 + SPOT_REACH), axis=1) & (height > UNSEEN)
    at, height = at[seen], height[seen]
    pixels = (
        np.rint(at).astype(int)[:, None] + np.arange(-SPOT_REACH, SPOT_REACH + 1)[None, :, None]
    )
    profile = np.exp(-0.5 * ((pixels - at[:, None]) / width) ** 2)
    profile[(pixels < 0) | (pixels >= size)] = 0
    pixels = np.clip(pixels, 0, size - 1)
    np.add.at(
        picture,
        (pixels[:, :, None, 1], pixels[:, None, :, 0]),
        height[:, None, None] * profile[:, :, 1, None] * profile[:, None, :, 0],
    )


def _diffuse(
    centre: np.ndarray, glass: float, window: float, matter: float, optics: Optics, camera: Camera
) -> np.ndarray:
    """Return the inelastic background and the halos of glass and of the nitride window."""
    pixels = np.arange(optics.size)
    half = camera.ellipticity / 2
    x, y = (pixels - centre[0]) * (1 - half), (pixels - centre[1]) * (1 + half)
    away = np.sqrt(x**2 + (y**2)[:, None])
    inelastic = camera.background * (0.25 + 0.75 * min(1.0, matter / 20))
    profile = 1.0 + np.array([inelastic, glass, window]) @ _profiles(optics.pixel, optics.size)
    return np.asarray(profile[(FINE * away + 0.5).astype(int)])


@lru_cache(maxsize=4)
def _profiles(pixel: float, size: int) -> np.ndarray:
    """Return what a beam scatters inelastically, 1 nm of glass and 1 nm of window, over radius."""
    k = np.arange(2 * size * FINE) * pixel / FINE
    halo = 1.6 * _ring(k, 0.40, 0.045) + 0.7 * _ring(k, 0.69, 0.07)
    nitride = 0.16 * _ring(k, 0.37, 0.06) + 0.08 * _ring(k, 0.77, 0.09)
    return np.stack([np.exp(-k / 0.25), halo, nitride])


def _ring(k: np.ndarray, radius: float, width: float) -> np.ndarray:
    return np.asarray(np.exp(-0.5 * ((k - radius) / width) ** 2))
