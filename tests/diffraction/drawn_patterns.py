"""Crystals from a few lines of CIF, and patterns drawn from what diffsims says they show.

diffsims has the centre of the Ewald sphere at +z and y upwards; liscope has y downwards and the
beam along +z. A turn by 180 degrees about x leads from one to the other, and diffsims' spot at
(x, y) is liscope's at (x, -y).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from diffsims.generators.simulation_generator import SimulationGenerator
from orix.quaternion import Orientation, Rotation

from liscope.diffraction.index import Candidates
from liscope.diffraction.polar import Geometry
from liscope.diffraction.structures import Crystal, open_crystal
from liscope.diffraction.templates import Beam

FRAME = Rotation([0, 1, 0, 0])
WIDTH = 1.3  # px, standard deviation of a spot
KEYS = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
ATOM = ("label", "type_symbol", "fract_x", "fract_y", "fract_z")

Atoms = Sequence[tuple[str, float, float, float]]


class Bench(NamedTuple):
    """Patterns with what they are of, and what the index makes of them."""

    patterns: np.ndarray
    phase: np.ndarray
    orientation: np.ndarray
    found: Candidates


def crystal(
    folder: Path,
    name: str,
    group: tuple[str, int],
    cell: Sequence[float],
    atoms: Atoms,
    operations: Sequence[str] = (),
) -> Crystal:
    """Return the crystal of a CIF file that is written for it.

    The operations are those of the space group's standard setting if none are given.
    """
    table = ["loop_", "_symmetry_equiv_pos_as_xyz", *(f"'{line}'" for line in operations)]
    lines = [
        f"data_{name}",
        f"_symmetry_space_group_name_H-M '{group[0]}'",
        f"_space_group_IT_number {group[1]}",
        *(f"_cell_{key} {value}" for key, value in zip(KEYS, cell, strict=True)),
        *(table if operations else []),
        "loop_",
        *(f"_atom_site_{key}" for key in ATOM),
        *(f"{element}{i} {element} {x} {y} {z}" for i, (element, x, y, z) in enumerate(atoms)),
    ]
    path = folder / f"{name}.cif"
    path.write_text("\n".join(lines) + "\n")
    return open_crystal(str(path))


def titanium(folder: Path) -> Crystal:
    """Hexagonal close packed."""
    cell = (2.951, 2.951, 4.684, 90, 90, 120)
    atoms = [("Ti", 0.33333333, 0.66666667, 0.25)]
    return crystal(folder, "titanium", ("P 63/m m c", 194), cell, atoms)


def uranium(folder: Path) -> Crystal:
    """Orthorhombic."""
    cell, atoms = (2.854, 5.870, 4.955, 90, 90, 90), [("U", 0.0, 0.1025, 0.25)]
    return crystal(folder, "uranium", ("C m c m", 63), cell, atoms)


def triclinic(folder: Path) -> Crystal:
    """A made-up oxide without any symmetry but the inversion."""
    atoms = [("Fe", 0.1, 0.2, 0.3), ("O", 0.4, 0.35, 0.1)]
    return crystal(folder, "triclinic", ("P -1", 2), (4.1, 5.2, 6.3, 83, 97, 105), atoms)


def random_orientations(n: int, seed: int) -> np.ndarray:
    """Return n unit quaternions, all rotations equally likely."""
    q = np.random.default_rng(seed).standard_normal((n, 4))
    return q / np.linalg.norm(q, axis=1, keepdims=True)


def disorientation(one: np.ndarray, two: np.ndarray, crystal: Crystal) -> np.ndarray:
    """Return the angles in degrees between orientations by pairs, by orix.

    Friedel's law makes every pattern one of the Laue group.
    """
    group = crystal.phase.point_group.laue.proper_subgroup
    first, second = (Orientation(q, symmetry=group).unit for q in (one, two))
    return np.asarray(first.angle_with(second, degrees=True))


def spots(
    crystal: Crystal, orientation: np.ndarray, beam: Beam
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return diffsims' spots (k, 2: kx, ky) in 1/angstrom and intensities of each orientation."""
    generator = SimulationGenerator(beam.voltage, precession_angle=beam.precession)
    seen = generator.calculate_diffraction2d(
        crystal.phase,
        Rotation(np.atleast_2d(orientation)) * FRAME,
        reciprocal_radius=beam.outer,
        with_direct_beam=False,
        max_excitation_error=0.5,  # all; how they fade is the next line's business
        shape_factor_width=beam.rod,
    ).coordinates
    every = [seen] if np.size(orientation) == 4 else list(seen)
    return [(one.data[:, :2] * [1, -1], np.asarray(one.intensity)) for one in every]


def draw(
    at: np.ndarray, height: np.ndarray, size: tuple[int, int], width: float = WIDTH
) -> np.ndarray:
    """Return a picture (size) with Gaussian spots of a peak height at pixels (k, 2: x, y)."""
    y, x = (
        np.exp(-0.5 * ((np.arange(n)[:, None] - place) / width) ** 2)
        for n, place in zip(size, (at[:, 1], at[:, 0]), strict=True)
    )
    return np.asarray((y * height) @ x.T, np.float32)


def patterns(
    crystal: Crystal,
    orientation: np.ndarray,
    beam: Beam,
    geometry: Geometry,
    centre: Sequence[float] | None = None,
) -> np.ndarray:
    """Return patterns (n, rows, columns) without noise; the strongest spot has a peak of 200."""
    rows, columns = geometry.size
    middle = np.array(((columns - 1) / 2, (rows - 1) / 2) if centre is None else centre)
    out = []
    for at, intensity in spots(crystal, orientation, beam):
        place = np.vstack([middle + at @ geometry.matrix.T, middle])
        height = np.append(200 * intensity / intensity.max(), 900.0)
        out.append(draw(place, height, geometry.size))
    return np.stack(out)
