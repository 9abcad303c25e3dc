"""Everything about the templates that the search needs, laid out for it once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from importlib import import_module
from typing import Any

import numpy as np
from orix.quaternion import Rotation

from liscope.diffraction.polar import AZIMUTHS, POWER, Array, Geometry, Grid, grid
from liscope.diffraction.structures import Crystal
from liscope.diffraction.templates import Beam, Zones, zones
from liscope.errors import DataError
from liscope.grains.disorientation import operators

HARMONICS = 48  # of the azimuth in the first search: 3.75 degrees, a spot's width at 20 px
PARITIES = (np.arange(2, HARMONICS + 1, 2), np.arange(1, HARMONICS + 1, 2))
DIRECTIONS = 96  # about the beam, in the first search
MERGED = 0.8  # px; shells closer than this share a row
RING = 1.1  # px, standard deviation of the weight of rings in a row
NEGLIGIBLE = 0.003  # of all templates' intensity that may lie outside the rows


@dataclass(frozen=True)
class Phase:
    """The templates of one crystal as the search uses them.

    Attributes
    ----------
    crystal
        The crystal.
    symmetry
        (s, 4) rotations to equivalents, of the Laue group.
    rows
        (q, r) weights that make rows, one a shell that reflects, of rings.
    spectrum
        For even and for odd harmonics, (2, harmonics, q, c) real and imaginary parts of the
        coarse zones' Fourier coefficients.
    row, azimuth, weight
        (zones, spots); the azimuth in radians.
    around
        (c, k) the zones next to each coarse one.
    next_to
        (c, 6) the coarse zones next to each.
    matrix
        (zones, 3, 3) sample to crystal.
    candidates
        (zones, m, 3) in 1/angstrom, the reflections that refinement looks at.
    root
        (zones, m) their |F|^2 to the power ``POWER``.
    """

    crystal: Crystal
    symmetry: Array
    rows: Array
    spectrum: tuple[Array, Array]
    row: Array
    azimuth: Array
    weight: Array
    around: Array
    next_to: Array
    matrix: Array
    candidates: Array
    root: Array


@dataclass(frozen=True)
class Library:
    """Templates of all phases, and the polar grid on which patterns meet them.

    ``harmonics`` and ``waves`` turn rings into Fourier coefficients and back into correlations over
    half a turn, even harmonics first, then odd ones; the other half turn follows by the sign.
    """

    beam: Beam
    geometry: Geometry
    step: float
    grid: Grid
    harmonics: tuple[Array, Array]
    waves: tuple[Array, Array]
    phases: tuple[Phase, ...]

    def on(self, namespace: Any, device: Any = None) -> Library:
        """Return the same with its arrays in another namespace of the array API, on a device."""
        moved: Library = _moved(self, namespace, device)
        return moved

    def on_gpu(self) -> Library:
        """Return the same on the graphics processor, through torch (``pip install liscope[gpu]``).

        Raises
        ------
        DataError
            If there is no torch, or no processor that it can use.
        """
        try:
            torch = import_module("array_api_compat.torch")
        except ImportError:
            raise DataError("no torch for the GPU; install it: pip install liscope[gpu]") from None
        if not torch.cuda.is_available():
            raise DataError("torch finds no CUDA device here; index on the CPU instead")
        return self.on(torch, "cuda")


def library(
    crystals: Sequence[Crystal],
    geometry: Geometry,
    beam: Beam,
    step: float = 1.0,
    coarse: float = 2.0,
) -> Library:
    """Return the templates of some crystals.

    Parameters
    ----------
    crystals
        The phases to tell apart.
    geometry, beam
        The camera's and the microscope's.
    step, coarse
        Between neighbouring directions of the beam in degrees; of all, and of the first search.
    """
    beam = replace(beam, outer=min(beam.outer, geometry.reach))
    polar = grid(geometry, beam.inner, beam.outer)
    return Library(
        beam,
        geometry,
        step,
        polar,
        (_transform(PARITIES[0]), _transform(PARITIES[1])),
        (_waves(PARITIES[0]), _waves(PARITIES[1])),
        tuple(_phase(zones(c, beam, step, coarse), polar, geometry.pixel) for c in crystals),
    )


def _transform(m: np.ndarray) -> np.ndarray:
    """Return (azimuths, 2 harmonics), which turns rings into Fourier coefficients, re then im."""
    angle = 2 * np.pi * np.arange(AZIMUTHS)[:, None] * m / AZIMUTHS
    return np.concatenate([np.cos(angle), -np.sin(angle)], axis=1).astype(np.float32)


def _waves(m: np.ndarray) -> np.ndarray:
    """Return (directions / 2, 2 harmonics), which turns products of coefficients into curves.

    The columns alternate, cosine and sine of one harmonic after those of the one before.
    """
    angle = 2 * np.pi * np.arange(DIRECTIONS // 2)[:, None] * m / DIRECTIONS
    wave = np.stack([np.cos(angle), -np.sin(angle)], axis=-1)
    return wave.reshape(len(angle), -1).astype(np.float32)


def _phase(zones: Zones, polar: Grid, pixel: float) -> Phase:
    """Lay out the templates of one crystal."""
    radius = np.hypot(zones.x, zones.y)
    weight = zones.weight ** (2 * POWER)
    weight /= np.linalg.norm(weight, axis=1, keepdims=True)
    shells = _shells(radius, weight**2, pixel)
    rows = np.exp(-0.5 * ((polar.radius - shells[:, None]) / (RING * pixel)) ** 2)
    row = np.argmin(np.abs(radius[..., None] - shells), axis=-1)
    azimuth = np.arctan2(zones.y, zones.x)
    first = [values[zones.coarse] for values in (row, azimuth, weight)]
    even, odd = (_spectrum(first[0], first[1], first[2], len(shells), m) for m in PARITIES)
    return Phase(
        zones.crystal,
        operators(zones.crystal.phase.point_group.laue.name),
        (rows / rows.sum(axis=1, keepdims=True)).astype(np.float32),
        (even, odd),
        row.astype(np.int32),
        azimuth.astype(np.float32),
        weight.astype(np.float32),
        zones.around.astype(np.int32),
        zones.next_to.astype(np.int32),
        Rotation(zones.orientation).to_matrix().astype(np.float32),
        zones.candidates.astype(np.float32),
        (zones.strength**POWER).astype(np.float32),
    )


def _shells(radius: np.ndarray, intensity: np.ndarray, pixel: float) -> np.ndarray:
    """Return the radii where the templates' spots lie, strongest first merged with neighbours."""
    edges = np.arange(0, radius.max() + pixel, pixel / 4)
    left, _ = np.histogram(radius, edges, weights=intensity)
    middle, total, found = 0.5 * (edges[1:] + edges[:-1]), left.sum(), []
    while left.sum() > NEGLIGIBLE * total:
        near = np.abs(middle - middle[left.argmax()]) <= MERGED * pixel
        found.append(np.average(middle[near], weights=left[near]))
        left[near] = 0
    return np.sort(found)


def _spectrum(
    row: np.ndarray, azimuth: np.ndarray, weight: np.ndarray, rows: int, m: np.ndarray
) -> np.ndarray:
    """Return the Fourier coefficients of templates, (2, harmonics, rows, templates): re, im."""
    waves = weight[..., None] * np.exp(-1j * m * azimuth[..., None])
    out = np.zeros((len(row), rows, len(m)), complex)
    np.add.at(out, (np.arange(len(row))[:, None], row), waves)
    out = out.transpose(2, 1, 0)
    return np.stack([out.real, out.imag]).astype(np.float32)


def _moved(value: Any, namespace: Any, device: Any) -> Any:
    """Return a dataclass, tuple or array with every array moved."""
    if isinstance(value, np.ndarray):
        return namespace.asarray(value, device=device)
    if isinstance(value, tuple):
        return tuple(_moved(item, namespace, device) for item in value)
    if isinstance(value, Library | Phase | Grid):
        return replace(
            value,
            **{f.name: _moved(getattr(value, f.name), namespace, device) for f in fields(value)},
        )
    return value
