"""What an analysis of grains takes from an orientation map, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError, ParameterError
from liscope.grains.disorientation import Floats
from liscope.units import to_units

DIMS = ("y", "x", "quaternion")


@dataclass(frozen=True)
class Pixels:
    """An orientation map as plain arrays.

    ``quaternion`` is (y, x, 4), ``phase`` (y, x); ``names`` and ``groups`` (point groups) are those
    of the phases, and ``y`` and ``x`` the places of rows and columns in nm.
    """

    quaternion: Floats
    phase: NDArray[np.int64]
    names: tuple[str, ...]
    groups: tuple[str, ...]
    y: Floats
    x: Floats

    @property
    def step(self) -> tuple[float, float]:
        """The distance of neighbouring pixels along y and x, nm."""
        return _step(self.y), _step(self.x)

    @property
    def indexed(self) -> NDArray[np.bool_]:
        """Where there is a phase with an orientation."""
        return (self.phase >= 0) & np.isfinite(self.quaternion[..., 0])

    def number(self, phase: str) -> int:
        """Return the number of a phase.

        Raises
        ------
        ParameterError
            If the map has no phase of that name.
        """
        if phase not in self.names:
            raise ParameterError(f"no phase '{phase}' in the map; it has {', '.join(self.names)}")
        return self.names.index(phase)


def pixels_of(orientations: xr.Dataset) -> Pixels:
    """Return an orientation map as plain arrays.

    Raises
    ------
    DataError
        If a variable or a dimension is missing, a coordinate has no units or no even steps, or a
        phase has no point group.
    """
    for name in ("orientation", "phase", "phase_name", "point_group"):
        if name not in orientations:
            raise DataError(f"the orientation map has no '{name}'")
    array = orientations["orientation"]
    if set(array.dims) != set(DIMS):
        raise DataError(f"'orientation' needs the dimensions {', '.join(DIMS)}, not {array.dims}")
    y, x = (to_units(orientations[axis], "nm").to_numpy().astype(float) for axis in ("y", "x"))
    for axis, places in (("y", y), ("x", x)):
        if len(places) < 2 or not np.allclose(np.diff(places), _step(places), rtol=1e-3):
            raise DataError(f"'{axis}' needs two or more pixels at even, rising distances")
    phase = orientations["phase"].transpose("y", "x").to_numpy().astype(np.int64)
    names, groups = (
        tuple(map(str, orientations[name].to_numpy())) for name in ("phase_name", "point_group")
    )
    if phase.max(initial=-1) >= len(names):
        raise DataError(f"'phase' holds {phase.max()}, but 'phase_name' has {len(names)} phases")
    return Pixels(array.transpose(*DIMS).to_numpy().astype(float), phase, names, groups, y, x)


def _step(places: Floats) -> float:
    step = float(places[-1] - places[0]) / max(len(places) - 1, 1)
    return step if step > 0 else np.nan


def orix_phase(orientations: xr.Dataset, name: str) -> Any:
    """Return the orix phase (point group and lattice) of that name.

    Raises
    ------
    ParameterError
        If the map has no phase of that name.
    DataError
        If the phase is not cubic and the map has no lattice.
    """
    from diffpy.structure import Lattice, Structure  # here: they take their time to load
    from orix.crystal_map import Phase

    pixels = pixels_of(orientations)
    number = pixels.number(name)
    phase = Phase(name, point_group=pixels.groups[number])
    if "lattice" in orientations:
        cell = orientations["lattice"].transpose("phase_id", "cell").to_numpy()[number]
        phase.structure = Structure(lattice=Lattice(*map(float, cell)))
    elif phase.point_group.system != "cubic":
        raise DataError(f"directions in '{name}' need its 'lattice' in the orientation map")
    return phase
