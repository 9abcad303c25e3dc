"""From an orientation map to orix's `CrystalMap`; `orientations` has the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.conventions import UNKNOWN
from liscope.errors import DataError, ReaderError
from liscope.readers.common import one_line
from liscope.readers.orientations import CODE, ORIGINS, TABLE
from liscope.units import factor, to_units

if TYPE_CHECKING:
    from orix.crystal_map import CrystalMap, Phase


def to_crystal_map(orientations: xr.Dataset) -> CrystalMap:
    """Return an orientation map as an orix `CrystalMap`.

    :func:`liscope.readers.from_crystal_map` turns it back without loss. Points without phase or
    orientation are "not indexed" there; which of amorphous, empty or not known they are is kept in
    the property ``phase_code``. Positions count from the map's first point, as orix has it; where
    that is not 0, ``origin_y`` and ``origin_x`` tell it.

    Parameters
    ----------
    orientations
        An orientation map: ``orientation``, ``phase`` and ``phase_name`` at least.

    Raises
    ------
    DataError
        If a variable is missing, or the coordinates have no even steps or no units.
    """
    return crystal_map(orientations, "nm")


def crystal_map(orientations: xr.Dataset, units: str) -> CrystalMap:
    """Return the `CrystalMap` with lengths in `units`; see :func:`to_crystal_map`."""
    from orix.crystal_map import CrystalMap, PhaseList
    from orix.quaternion import Rotation

    for name in ("orientation", "phase", "phase_name"):
        if name not in orientations:
            raise DataError(f"the orientation map has no '{name}'")
    quaternion = orientations["orientation"].transpose("y", "x", "quaternion").to_numpy()
    phase = orientations["phase"].transpose("y", "x").to_numpy().astype(int)
    names = orientations["phase_name"].to_numpy()
    if phase.max(initial=UNKNOWN) >= len(names):
        raise DataError(f"'phase' holds {phase.max()}, but 'phase_name' has {len(names)} phases")
    indexed = (phase >= 0) & np.isfinite(quaternion).all(axis=-1)
    filled = np.where(indexed[..., None], quaternion, [1.0, 0.0, 0.0, 0.0]).reshape(-1, 4)
    properties = _as_properties(orientations)
    if not indexed.all():
        properties[CODE] = phase.ravel()
    places, scan_unit = _places(orientations, properties, units)
    phases = PhaseList({row: _phase(orientations, row) for row in range(len(names))})
    xmap = CrystalMap(
        Rotation(filled),
        np.where(indexed, phase, -1).ravel(),
        phase_list=phases,
        prop=properties,
        scan_unit=scan_unit,
        **places,
    )
    if not indexed.all():
        phases.add_not_indexed()
    xmap.phases = phases  # CrystalMap leaves out those without any point
    return xmap


def _as_properties(orientations: xr.Dataset) -> dict[str, NDArray[Any]]:
    return {
        str(name): array.transpose("y", "x").to_numpy().ravel()
        for name, array in orientations.data_vars.items()
        if set(array.dims) == {"y", "x"} and name != "phase" and array.dtype.kind in "iufb"
    }


def _places(
    orientations: xr.Dataset, properties: dict[str, NDArray[Any]], units: str
) -> tuple[dict[str, NDArray[np.float64]], str]:
    """Return the coordinates of all points from the first one on, noting where that lies."""
    axes: dict[str, NDArray[np.float64]] = {}
    pixels = any(orientations[axis].attrs.get("units") == "pixel" for axis in ("y", "x"))
    for axis in ("y", "x"):
        array = orientations[axis] if pixels else to_units(orientations[axis], "nm")
        values = array.to_numpy().astype(float)
        even = np.linspace(values[0], values[-1], len(values))
        if len(values) > 1 and not np.allclose(values, even, atol=1e-3 * abs(even[1] - even[0])):
            raise DataError(f"'{axis}' has no even steps; resample the orientation map")
        if values[0]:
            properties[ORIGINS[axis]] = np.full(orientations["phase"].size, values[0])
        axes[axis] = (values - values[0]) * (1.0 if pixels else factor("nm", units))
    y, x = np.meshgrid(axes["y"], axes["x"], indexing="ij")
    return {"y": y.ravel(), "x": x.ravel()}, "px" if pixels else units


def _phase(orientations: xr.Dataset, row: int) -> Phase:
    """Return one phase of the table."""
    about = {name: orientations[name].to_numpy()[row] for name in TABLE if name in orientations}
    cell = np.asarray(about.get("lattice", [np.nan] * 6), float)
    return phase_of(
        str(about["phase_name"]),
        str(about.get("point_group", "")),
        int(about.get("space_group", 0)),
        cell if np.isfinite(cell).all() else None,
    )


def phase_of(
    name: str, point_group: str, space_group: int, cell: NDArray[np.float64] | None
) -> Phase:
    """Return an orix phase; what is "", 0 or None is not known.

    Raises
    ------
    ReaderError
        If there is no such group or cell.
    """
    from diffpy.structure import Lattice, Structure
    from orix.crystal_map import Phase

    try:
        lattice = Lattice() if cell is None else Lattice(*(float(value) for value in cell))
        structure = Structure(title=name, lattice=lattice)
        if space_group:  # which tells the point group as well
            return Phase(name, space_group, structure=structure)
        return Phase(name, point_group=point_group or None, structure=structure)
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise ReaderError(f"has a phase '{one_line(name)}' that is none: {error}") from None
