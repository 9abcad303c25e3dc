"""Templates: what each orientation of each crystal would show, by kinematic theory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace
from orix.quaternion import Rotation
from orix.sampling import get_sample_reduced_fundamental
from scipy.spatial import cKDTree

from liscope.diffraction.structures import Crystal, electron_wavelength

MOST_SPOTS = 32  # of a template, the strongest; the rest holds less than a hundredth of it
FAINT = 3e-3  # of the strongest reflection, below which one is left out
MOST_CANDIDATES = 64
TILT = 1.6  # degrees to which a template's reflections still cover its neighbourhood


@dataclass(frozen=True)
class Beam:
    """What the templates take from the microscope.

    ``voltage`` in kV, ``precession`` (semi-angle) in degrees, ``rod`` the half-length of a
    reflection along the beam in 1/angstrom, about the inverse of the lamella's thickness,
    ``inner`` and ``outer`` radius in 1/angstrom between which reflections are used, as far as the
    camera reaches.
    """

    voltage: float = 200.0
    precession: float = 0.7
    rod: float = 0.008
    inner: float = 0.15
    outer: float = 1.4


class Reflections(NamedTuple):
    """Reflections of one crystal: ``vectors`` (n, 3) in 1/angstrom, ``strength`` |F|^2 (n,)."""

    vectors: np.ndarray
    strength: np.ndarray


@dataclass(frozen=True)
class Zones:
    """Templates of one crystal, one a direction of the beam, without rotation about the beam.

    Attributes
    ----------
    crystal
        The crystal.
    orientation
        (n, 4) sample to crystal.
    x, y
        (n, spots) in 1/angstrom; nan-free, padded with spots of no weight.
    weight
        (n, spots) square root of the intensity, of unit norm for each template.
    candidates
        (n, reflections, 3) reciprocal vectors in the crystal's frame that may be excited within
        ``TILT`` of the zone; padded.
    strength
        (n, reflections) their |F|^2, zero where padded.
    coarse
        (c,) indices of the zones of the coarse search.
    around
        (c, k) indices of the zones next to each coarse one; the first repeats where fewer are.
    next_to
        (c, 6) positions in ``coarse`` of each coarse zone's neighbours.
    """

    crystal: Crystal
    orientation: np.ndarray
    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    candidates: np.ndarray
    strength: np.ndarray
    coarse: np.ndarray
    around: np.ndarray
    next_to: np.ndarray


def zones(crystal: Crystal, beam: Beam, step: float = 1.0, coarse: float = 2.0) -> Zones:
    """Return the templates over the directions of the beam that symmetry leaves apart.

    Friedel's law makes the mirror image of a pattern that of the crystal turned by 180 degrees
    about the axis in the picture across the mirror's line, so one sector of the Laue group covers
    all orientations.

    Parameters
    ----------
    step, coarse
        Between neighbouring directions of the beam in degrees; of all, and of the first search.
    """
    laue = crystal.phase.point_group.laue
    rotation = get_sample_reduced_fundamental(step, point_group=laue)
    first = get_sample_reduced_fundamental(coarse, point_group=laue)
    reflections = of(crystal, beam)
    seen = seen_by(rotation, reflections)
    intensity = reflections.strength * shape(seen, beam)
    strongest = np.argsort(-intensity, axis=1)[:, :MOST_SPOTS]
    weight = np.sqrt(np.take_along_axis(intensity, strongest, axis=1))
    weight[weight < 0.05 * weight[:, :1]] = 0
    weight /= np.linalg.norm(weight, axis=1, keepdims=True)
    spots = np.take_along_axis(seen, strongest[..., None], axis=1)
    nearest, around, next_to = _neighbourhoods(rotation, first, step, coarse)
    candidates, strength = _excitable(reflections, seen, beam)
    return Zones(
        crystal,
        rotation.data.astype(np.float64),
        spots[..., 0],
        spots[..., 1],
        weight,
        candidates,
        strength,
        nearest,
        around,
        next_to,
    )


def of(crystal: Crystal, beam: Beam) -> Reflections:
    """Return the reflections of a crystal between the inner and the outer radius of the beam."""
    vectors, factors = crystal.reflections(beam.outer)
    outside = np.linalg.norm(vectors, axis=1) > beam.inner
    return Reflections(vectors[outside], np.abs(factors[outside]) ** 2)


def seen_by(rotation: Rotation, reflections: Reflections) -> np.ndarray:
    """Return reciprocal vectors (rotations, reflections, 3) in the sample's frame."""
    return np.asarray(np.einsum("nk,okj->onj", reflections.vectors, rotation.to_matrix()))


def shape(seen: np.ndarray, beam: Beam) -> np.ndarray:
    """Return how strongly reflections at ``seen`` (..., 3) are excited by the precessing beam.

    The beam runs along +z, so the centre of the Ewald sphere lies at z = -1/wavelength.
    """
    radius = 1 / electron_wavelength(beam.voltage)
    flat = seen[..., 0] ** 2 + seen[..., 1] ** 2
    away = np.sqrt(radius**2 - flat) - radius - seen[..., 2]
    return np.asarray(rocked(away, flat, beam))


def rocked(away: Any, flat: Any, beam: Beam) -> Any:
    """Return the precession-averaged excitation at a distance from the Ewald sphere.

    Palatinus et al., Acta Cryst. B75 (2019) 512, 10.1107/S2052520619007534, eq. 10; one on the
    sphere without precession. For arrays of any namespace of the array API.

    Parameters
    ----------
    away
        Distance from the sphere along the beam in 1/angstrom.
    flat
        Square of the distance from the beam's axis in 1/angstrom^2.
    """
    xp = array_namespace(away)
    wide = (np.pi / beam.rod) ** 2
    angle = math.radians(beam.precession) ** 2
    square = wide * away * away
    u = wide * angle * flat - square + 1
    z = xp.sqrt(u * u + 4 * square)
    return xp.sqrt(xp.clip(0.5 * (u + z), 0, None)) / z


def _neighbourhoods(
    rotation: Rotation, first: Rotation, step: float, coarse: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the zone nearest each coarse one, those in its share of the sector, its neighbours."""
    fine = _zone_axes(rotation)
    tree = cKDTree(fine)
    nearest = np.unique(tree.query(_zone_axes(first))[1])
    reach = 2 * np.sin(np.deg2rad(0.5 * (0.72 * coarse + 0.1 * step)))
    lists = tree.query_ball_point(fine[nearest], reach)
    longest = max(map(len, lists))
    around = [[*sorted(near), *[near[0]] * (longest - len(near))] for near in lists]
    next_to = cKDTree(fine[nearest]).query(fine[nearest], 7)[1][:, 1:]
    return nearest, np.array(around), next_to


def _zone_axes(rotation: Rotation) -> np.ndarray:
    """Return the crystal directions (n, 3) along the beam."""
    return np.asarray(rotation.to_matrix()[:, :, 2])


def _excitable(
    reflections: Reflections, seen: np.ndarray, beam: Beam
) -> tuple[np.ndarray, np.ndarray]:
    """Return for each zone the reflections that a tilt by up to ``TILT`` may excite, padded."""
    lowered = np.array(seen)
    reach = np.linalg.norm(seen, axis=-1) * np.deg2rad(TILT)
    lowered[..., 2] = np.sign(seen[..., 2]) * np.clip(np.abs(seen[..., 2]) - reach, 0, None)
    possible = reflections.strength * shape(lowered, beam)
    enough = possible > FAINT * possible.max(axis=1, keepdims=True)
    most = min(int(enough.sum(axis=1).max()), MOST_CANDIDATES)
    best = np.argsort(-np.where(enough, possible, 0), axis=1)[:, :most]
    strength = np.where(np.take_along_axis(enough, best, axis=1), reflections.strength[best], 0.0)
    return reflections.vectors[best], strength
