"""Orientations of the grains in a cross-section: fibres, epitaxy, twins, and what bends a grain.

Orientations are unit quaternions (w, x, y, z), passive, from the sample (x right, y down, z along
the beam) to the crystal, as orix has them: v_crystal = O * v_sample. The film grows along -y.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from orix.quaternion import Rotation
from orix.vector import Vector3d

from liscope.specimens.cells import Floats, Labels
from liscope.specimens.columns import DEPTHS, LMNO, Film, Section, portion

GROWTH = (0.0, -1.0, 0.0)
ORIGINS = ("random", "fibre", "epitaxial", "epitaxial_twin", "twin")
DIAGONALS = np.array([(1, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1)]) / np.sqrt(3)
FIBRE_SPREAD = 10.0  # degrees, of the film's [001] about the growth
MISFIT = 0.3  # degrees by which an epitaxial grain misses the platinum's orientation


@dataclass(frozen=True)
class Texture:
    """Cross-section whose cells have orientations.

    ``orientation`` (cell, 4), ``origin`` (cell,) index into ORIGINS, ``bend`` (cell, 3, 2) rotation
    vector in radians a nm along y and x.
    """

    section: Section
    orientation: Floats
    origin: Labels
    bend: Floats


def orient(section: Section, film: Film, step: float, rng: np.random.Generator) -> Texture:
    """Return the cross-section with an orientation for each cell; cells are ``step`` nm a pixel."""
    count = len(section.kind)
    orientation = _random(count, rng)
    origin = np.zeros(count, np.intp)
    layer = np.flatnonzero(section.layer)
    along = np.flatnonzero((section.kind == LMNO) & (rng.random(count) < film.fibre))
    for cells, direction, spread in (
        (layer, (1, 1, 1), film.platinum_spread),
        (along, (0, 0, 1), FIBRE_SPREAD),
    ):
        orientation[cells] = _fibre(len(cells), direction, spread, rng)
        origin[cells] = ORIGINS.index("fibre")
    section = _epitaxial(section, film, step, orientation, origin, rng)
    section, orientation, origin = _twinned(section, film, step, orientation, origin, rng)
    return Texture(section, orientation, origin, _bend(section, film, step, rng))


def _bend(section: Section, film: Film, step: float, rng: np.random.Generator) -> Floats:
    """Return how the orientation changes across cells (cell, 3, 2: along y and x), radians a nm.

    A rotation vector with six such slopes of variance v has a mean square of 6 v r^2 / 4 over a
    disc of radius r.
    """
    area = np.bincount(section.middle.ravel(), minlength=len(section.kind)) * step**2
    radius = np.maximum(np.sqrt(area / np.pi), 2 * step)
    slope = np.deg2rad(film.bending) / (np.sqrt(1.5) * radius)
    return np.asarray(slope[:, None, None] * rng.standard_normal((len(area), 3, 2)))


def _random(count: int, rng: np.random.Generator) -> Floats:
    quaternions = rng.standard_normal((count, 4))
    return np.asarray(quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True))


def _turns(axes: Floats, angles: Floats | float) -> Rotation:
    return Rotation.from_axes_angles(axes, angles)


def _fibre(
    count: int, direction: tuple[int, int, int], spread: float, rng: np.random.Generator
) -> Floats:
    """Return orientations whose crystal ``direction`` lies along the growth."""
    if not count:
        return np.empty((0, 4))
    onto = Rotation.from_align_vectors(Vector3d(direction).unit, Vector3d(GROWTH))
    about = _turns(np.tile(GROWTH, (count, 1)), rng.uniform(0, 2 * np.pi, count))
    aside = _wobble(count, spread, rng)
    return np.asarray((onto * about * aside).data)


def _wobble(count: int, spread: float, rng: np.random.Generator) -> Rotation:
    """Return small turns about random axes, ``spread`` degrees (root mean square) in all."""
    vectors = rng.standard_normal((count, 3)) * np.deg2rad(spread) / np.sqrt(3)
    return small(vectors)


def small(vectors: Floats) -> Rotation:
    """Return rotations of rotation vectors (..., 3) in radians."""
    angles = np.linalg.norm(vectors, axis=-1)
    axes = np.where(angles[..., None] > 0, vectors, [0.0, 0.0, 1.0])
    return _turns(axes, angles)


def _epitaxial(
    section: Section,
    film: Film,
    step: float,
    orientation: Floats,
    origin: Labels,
    rng: np.random.Generator,
) -> Section:
    """Give film cells on patches of the interface the platinum's orientation, or its twin's.

    Cells on one grain of platinum that continue it alike are one grain from then on.
    """
    columns = np.arange(len(section.interface))
    upper = section.middle[section.interface - 1, columns]
    lower = section.middle[section.interface, columns]
    inside = portion(film.epitaxy, len(columns), 20 / step, rng)
    same = np.arange(len(section.kind))
    grown: dict[tuple[int, bool], int] = {}
    for cell in np.unique(upper[section.kind[upper] == LMNO]):
        under = upper == cell
        if inside[under].mean() <= 0.5:
            continue
        below = int(np.bincount(lower[under]).argmax())
        variant = below, bool(rng.random() < film.epitaxial_twins)
        same[cell] = grown.setdefault(variant, int(cell))
        if same[cell] == cell:
            orientation[cell] = _continued(orientation[below], variant[1], rng)
            origin[cell] = ORIGINS.index("epitaxial_twin" if variant[1] else "epitaxial")
    return replace(section, cell=same[section.cell])


def _continued(orientation: Floats, twin: bool, rng: np.random.Generator) -> Floats:
    """Return what grows cube on cube, or turned by 60 degrees about the [111] along the growth."""
    below = Rotation(orientation)
    if twin:
        along = (below * Vector3d(GROWTH)).data.reshape(3)
        axis = DIAGONALS[np.argmax(np.abs(DIAGONALS @ along))]
        below = _turns(axis, np.pi / 3) * below
    return np.asarray((below * _wobble(1, MISFIT, rng)).data).reshape(4)


def _twinned(
    section: Section,
    film: Film,
    step: float,
    orientation: Floats,
    origin: Labels,
    rng: np.random.Generator,
) -> tuple[Section, Floats, Labels]:
    """Cut cells of the film by that of their {111} planes that stands most on edge."""
    free = (section.kind == LMNO) & (origin <= ORIGINS.index("fibre"))
    chosen = np.flatnonzero(free & (rng.random(len(free)) < film.twins))
    cell = section.cell.copy()
    depth = ((np.arange(DEPTHS) + 0.5) / DEPTHS - 0.5) * film.thickness
    z, y, x = np.broadcast_arrays(
        depth[:, None, None], *(step * axis for axis in np.indices(cell.shape)[1:])
    )
    added: list[Floats] = []
    for one in chosen:
        inside = section.cell == one
        if not inside.any():
            continue
        normals = (~Rotation(orientation[one]) * Vector3d(DIAGONALS)).data
        steepest = np.argmin(np.abs(normals[:, 2]))
        away = normals[steepest] @ np.stack([x[inside], y[inside], z[inside]])
        beyond = away > np.quantile(away, rng.uniform(0.4, 0.6))
        cell[inside] = np.where(beyond, len(section.kind) + len(added), one)
        turn = _turns(DIAGONALS[steepest], np.pi / 3)
        added.append((turn * Rotation(orientation[one])).data.reshape(4))
    more = len(added)
    return (
        replace(
            section,
            cell=cell,
            kind=np.concatenate([section.kind, np.full(more, LMNO)]),
            layer=np.concatenate([section.layer, np.zeros(more, bool)]),
        ),
        np.concatenate([orientation, np.array(added).reshape(-1, 4)]),
        np.concatenate([origin, np.full(more, ORIGINS.index("twin"))]),
    )
