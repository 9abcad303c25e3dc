"""What the beam goes through at each position on a lamella, and the truth about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from orix.quaternion import Rotation
from scipy import ndimage
from skimage.measure import label

from liscope.conventions import CONVENTION, UNKNOWN
from liscope.diffraction.structures import open_crystal
from liscope.specimens.cells import Floats, Labels
from liscope.specimens.columns import DEPTHS, GLASS, PLATINUM, VOID, Film
from liscope.specimens.textures import ORIGINS, Texture, small

CRYSTALS = ("lmno", "pt")  # in the order of columns.LMNO and columns.PLATINUM
CRUMB = 4  # positions; what is smaller is no grain of its own


@dataclass(frozen=True)
class Specimen:
    """What the beam goes through at each position (y, x); -1 where there is no (second) crystal."""

    texture: Texture
    cell: Labels  # (y, x, 2), of the crystals, the thicker one first
    phase: Labels  # (y, x, 2)
    orientation: Floats  # (y, x, 2, 4)
    thickness: Floats  # (y, x, 2), nm
    glass: Floats  # (y, x), nm
    seen: Labels  # (y, x), phase of what is thickest

    @classmethod
    def cut(cls, texture: Texture, film: Film, step: float) -> Specimen:
        """Return what is left of a film in a lamella.

        The two thickest crystals count; where there are three, the third goes with the first.
        """
        section = texture.section
        kind = section.kind[section.cell]
        alike = (section.cell[:, None] == section.cell[None]).sum(1) * (kind >= 0)
        first = _pick(section.cell, alike)
        second = _pick(section.cell, np.where(section.cell == first, 0, alike))
        cell = np.stack([first, second], -1)
        whole, shares = (kind >= 0).sum(0), alike.max(0)
        further = np.where(section.cell == second, alike, 0).max(0) * (second >= 0)
        glass = (kind == GLASS).sum(0)
        slices = np.stack([whole - further, further], -1)
        nm = max(film.thickness - 2 * film.skin, 0) / DEPTHS
        thickness = slices * nm * film.crystallinity
        amorphous = (glass + whole * (1 - film.crystallinity)) * nm
        amorphous += np.where(whole + glass > 0, 2 * film.skin, 0.0)
        rank = np.array([shares, glass, DEPTHS - whole - glass]).argmax(0)
        phase = np.where(cell >= 0, section.kind[cell], -1)
        seen = np.where(rank == 0, phase[..., 0], np.where(rank == 1, GLASS, VOID))
        orientation = _bent(texture, cell, step)
        return cls(texture, cell, phase, orientation, thickness, amorphous, seen)


def _pick(cell: Labels, votes: Labels) -> Labels:
    """Return the cell with most votes along the depth (y, x), -1 where there are none."""
    best = votes.argmax(0)[None]
    found = np.take_along_axis(cell, best, 0)[0]
    return np.asarray(np.where(np.take_along_axis(votes, best, 0)[0] > 0, found, -1))


def _bent(texture: Texture, cell: Labels, step: float) -> Floats:
    """Return the orientation at each position (y, x, 2, 4), which changes across a grain."""
    place: Floats = np.moveaxis(np.indices(cell.shape, float)[:2], 0, -1) * step
    middle = _means(place.reshape(-1, 2), cell.ravel() + 1, len(texture.orientation) + 1)[1:]
    turn = np.einsum("...ij,...j->...i", texture.bend[cell], place - middle[cell])
    turn[cell < 0] = 0
    there = Rotation(texture.orientation[cell]) * small(turn)
    return np.asarray(there.data)


def _means(values: Floats, group: Labels, count: int) -> Floats:
    """Return the mean of values (n, k) in each group from 0 on (count, k); 0 where it is empty."""
    weight = np.maximum(np.bincount(group, minlength=count), 1)
    columns = [np.bincount(group, column, count) / weight for column in values.T]
    return np.stack(columns, -1)


def truth(specimen: Specimen, step: float) -> xr.Dataset:
    """Return the orientation map, what else is under the beam, and the table of grains."""
    at = ("y", "x")
    quaternions = (*at, "quaternion")
    seen, beyond = specimen.seen, specimen.phase[..., 1]
    first = np.where((seen >= 0)[..., None], specimen.orientation[..., 0, :], np.nan)
    thicker = specimen.phase[..., 0]
    crystal, second = (
        np.where((specimen.phase[..., i] >= 0)[..., None], specimen.orientation[..., i, :], np.nan)
        for i in (0, 1)
    )
    grain, table = _grains(specimen, step)
    flags = {
        "flag_values": [-3, -2, -1, 0, 1],
        "flag_meanings": "unknown empty amorphous " + " ".join(CRYSTALS),
    }
    turned = {"units": "1", "convention": CONVENTION}
    nm = {"units": "nm"}
    crystals = [open_crystal(name) for name in CRYSTALS]
    variables: dict[str, Any] = {
        "orientation": (quaternions, first, turned),
        "phase": (at, seen.astype(np.int8), flags | {"units": "1"}),
        "phase_name": ("phase_id", [crystal.name for crystal in crystals]),
        "point_group": ("phase_id", [crystal.point_group for crystal in crystals]),
        "lattice": (
            ("phase_id", "cell"),
            [crystal.phase.structure.lattice.abcABG() for crystal in crystals],
            {"lengths_units": "angstrom", "angles_units": "deg"},
        ),
        "grain": (at, grain, {"units": "1", "long_name": "0: no grain"}),
        "thickness": (at, specimen.thickness[..., 0], nm),
        "crystal_phase": (at, _phase(thicker), {"units": "1"}),
        "crystal_orientation": (quaternions, crystal, turned),
        "second_phase": (at, _phase(beyond), {"units": "1"}),
        "second_orientation": (quaternions, second, turned),
        "second_thickness": (at, specimen.thickness[..., 1], nm),
        "glass": (at, specimen.glass, nm),
    } | table
    axes: dict[str, Any] = {
        dim: (dim, step * np.arange(n), nm) for dim, n in zip(at, grain.shape, strict=True)
    }
    names: dict[str, Any] = {
        "quaternion": list("wxyz"),
        "cell": ["a", "b", "c", "alpha", "beta", "gamma"],
        "label": np.arange(1, grain.max() + 1),
    }
    return xr.Dataset(variables, axes | names)


def _phase(number: Labels) -> NDArray[np.int8]:
    """Return phases as maps have them; negative ones are not known."""
    return np.where(number >= 0, number, UNKNOWN).astype(np.int8)


def _grains(specimen: Specimen, step: float) -> tuple[Labels, dict[str, Any]]:
    """Return the grain at each position (y, x), from 1 on, and the table of grains.

    A grain is what hangs together of one cell, if it covers at least CRUMB positions; a crack makes
    two of one.
    """
    crystal = specimen.seen >= 0
    cell = specimen.cell[..., 0]
    pieces = label(np.where(crystal, cell, -1), background=-1, connectivity=1)
    large = np.bincount(pieces.ravel())[1:] >= CRUMB
    grain = np.concatenate([[0], np.cumsum(large) * large])[pieces]
    _, place = np.unique(grain[grain > 0], return_index=True)
    own = cell[grain > 0][place]
    area = np.bincount(grain.ravel())[1:] * step**2
    together, _ = ndimage.label(crystal)
    carried = np.unique(together[specimen.seen == PLATINUM])
    edge = np.concatenate([grain[0], grain[-1], grain[:, 0], grain[:, -1]])
    number = np.arange(1, len(own) + 1)
    texture = specimen.texture
    mean = _means(specimen.orientation[..., 0, :].reshape(-1, 4), grain.ravel(), len(own) + 1)[1:]
    origin = {
        "units": "1",
        "flag_values": list(range(len(ORIGINS))),
        "flag_meanings": " ".join(ORIGINS),
    }
    return grain, {
        "diameter": ("label", 2 * np.sqrt(area / np.pi), {"units": "nm"}),
        "grain_phase": ("label", texture.section.kind[own].astype(np.int8), {"units": "1"}),
        "grain_orientation": (
            ("label", "quaternion"),
            mean / np.linalg.norm(mean, axis=1, keepdims=True),
            {"units": "1", "convention": CONVENTION},
        ),
        "origin": ("label", texture.origin[own].astype(np.int8), origin),
        "cut": ("label", np.isin(number, edge), {"long_name": "by the edge of the map"}),
        "connected": (
            "label",
            np.isin(together[grain > 0][place], carried),
            {"long_name": "to the platinum, through crystals"},
        ),
    }
