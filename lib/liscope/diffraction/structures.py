"""Crystals: a cell, its atoms, and the reflections that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from diffsims.crystallography import ReciprocalLatticeVector
from diffsims.utils.sim_utils import get_electron_wavelength
from orix.crystal_map import Phase

from liscope.errors import ReaderError

SHIPPED = Path(__file__).parent / "crystals"
WEAKEST = 1e-4  # of the strongest |F|^2; below, a reflection is as good as forbidden


@dataclass(frozen=True)
class Crystal:
    """A crystal, known by the CIF file it came from.

    ``name`` is what maps and tables show, ``path`` its CIF file.
    """

    name: str
    path: Path

    @property
    def phase(self) -> Phase:
        """The same for orix: lattice, atoms and point group."""
        return _phase(self.path, self.name)

    @property
    def point_group(self) -> str:
        """Name of the point group as orix writes it."""
        return str(self.phase.point_group.name)

    @property
    def volume(self) -> float:
        """Of the cell, in cubic angstrom."""
        return float(self.phase.structure.lattice.volume)

    def reflections(
        self, radius: float, scattering: Literal["lobato", "xtables"] = "lobato"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the reflections with |g| up to ``radius`` that are not extinct.

        Parameters
        ----------
        radius
            In 1/angstrom.
        scattering
            Table of the atoms' scattering factors, as diffsims names them.

        Returns
        -------
        vectors, factors
            Reciprocal vectors (n, 3) in 1/angstrom, in the crystal's Cartesian frame, and complex
            structure factors (n,) in angstrom.
        """
        return _reflections(self.path, self.name, radius, scattering)


def open_crystal(name: str, folder: Path | None = None) -> Crystal:
    """Return a crystal that ships with liscope (``lmno``, ``pt``), or one from a CIF file.

    Parameters
    ----------
    name
        Its name, or the path of a CIF file.
    folder
        Where a relative path begins; the working directory by default.

    Raises
    ------
    ReaderError
        If there is no such crystal, or the file is none.
    """
    shipped = {path.stem: path for path in SHIPPED.glob("*.cif")}
    path = shipped.get(name.lower(), (folder or Path()) / name)
    if not path.is_file():
        raise ReaderError(
            f"no crystal '{name}'; there are {', '.join(sorted(shipped))}, or give a CIF file"
        )
    crystal = Crystal(path.stem, path)
    try:
        known = crystal.phase.point_group
    except Exception as error:
        raise ReaderError(f"{path.name}: not a CIF file of a crystal ({error})") from None
    if known is None:
        raise ReaderError(f"{path.name}: names no space group; add _space_group_IT_number")
    return crystal


def electron_wavelength(voltage: float) -> float:
    """Return the relativistic wavelength in angstrom of electrons at ``voltage`` kV."""
    return float(get_electron_wavelength(voltage))


@lru_cache(maxsize=16)
def _phase(path: Path, name: str) -> Phase:
    phase = Phase.from_cif(str(path))
    phase.name = name
    return phase


@lru_cache(maxsize=16)
def _reflections(
    path: Path, name: str, radius: float, scattering: str
) -> tuple[np.ndarray, np.ndarray]:
    vectors = ReciprocalLatticeVector.from_min_dspacing(_phase(path, name), 1 / radius)
    vectors.calculate_structure_factor(scattering)
    factors = np.asarray(vectors.structure_factor)
    strong = np.abs(factors) ** 2 > WEAKEST * np.max(np.abs(factors)) ** 2
    return np.asarray(vectors.data, float)[strong], factors[strong]
