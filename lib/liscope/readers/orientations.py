"""The data model of orientation maps, and the way to it from orix's `CrystalMap`.

A Dataset with dims ``("y", "x")``, coordinates in nm (``pixel`` where no step is known):

- ``orientation`` (y, x, quaternion): unit quaternion w, x, y, z; NaN where there is none;
- ``phase`` (y, x): row of the table of phases; -1 amorphous, -2 empty, -3 not known;
- the table: ``phase_name``, ``point_group`` (orix's names) and ``space_group`` (0: not known)
  along ``phase_id``, ``lattice`` (phase_id, cell) in angstrom and degrees, NaN where not known;
- any number of further variables (y, x), one for each property of a point.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.conventions import CELL, CONVENTION, FLAGS, QUATERNION, UNKNOWN
from liscope.errors import DataError
from liscope.readers.common import one_line, readable_units
from liscope.units import factor

if TYPE_CHECKING:
    from orix.crystal_map import CrystalMap, Phase

VENDOR_FRAME = (
    "passive, sample to crystal (orix), from the file's Euler angles as orix reads them; how the "
    "program that wrote the file lays its sample frame against the map is not known"
)
CODE = "phase_code"  # property of a CrystalMap: our `phase` where orix has only "not indexed"
ORIGINS = {"y": "origin_y", "x": "origin_x"}  # properties: the first coordinate, where not 0
TABLE = ("phase_name", "point_group", "space_group", "lattice")
_NO_CELL = (1.0, 1.0, 1.0, 90.0, 90.0, 90.0)  # what diffpy.structure has until it is told


def from_crystal_map(xmap: CrystalMap) -> xr.Dataset:
    """Return the orientation map in an orix `CrystalMap`.

    Of several orientations a point the first, best one is taken. Points outside a mask, and those
    not indexed, get phase -3 unless :func:`liscope.readers.to_crystal_map` noted a better one.
    Phases keep their order; orix's own numbers of them are not kept.

    Parameters
    ----------
    xmap
        Points on a rectangular grid.

    Returns
    -------
    xarray.Dataset
        An orientation map, as the module's docstring describes.

    Raises
    ------
    DataError
        If the points lie on no rectangular grid; hexagonal ones have to be resampled.
    """
    table = [(number, phase) for number, phase in xmap.phases if number != -1]
    axes, at = _grid(xmap)
    shape = (len(axes["y"]), len(axes["x"]))
    properties = {name: _first(xmap.prop[name]) for name in xmap.prop}  # [] heeds the mask
    starts = {axis: properties.pop(name, [0.0])[0] for axis, name in ORIGINS.items()}
    rows = {number: row for row, (number, _) in enumerate(table)}
    phase = np.array([rows.get(int(number), UNKNOWN) for number in _first(xmap.phase_id)])
    phase = np.where(phase < 0, properties.pop(CODE, UNKNOWN), phase)
    indexed = _first(xmap.phase_id) != -1
    quaternion = np.full((math.prod(shape), 4), np.nan)
    rotations = xmap.rotations.data.reshape(xmap.size, -1, 4)[:, 0]
    quaternion[at[indexed]] = rotations[indexed]
    variables = {
        "orientation": (("y", "x", "quaternion"), quaternion.reshape(*shape, 4)),
        "phase": (("y", "x"), _placed(phase.astype(np.int8), at, shape, UNKNOWN)),
        **_phase_table([phase for _, phase in table]),
        **_properties(properties, at, shape),
    }
    coords = {
        axis: (axis, values + starts[axis], {"units": units, "long_name": axis})
        for axis, (values, units) in _with_units(axes, str(xmap.scan_unit)).items()
    }
    return _described(xr.Dataset(variables, {**coords, "quaternion": QUATERNION, "cell": CELL}))


def _described(found: xr.Dataset) -> xr.Dataset:
    """Add what the numbers mean."""
    found.orientation.attrs = {"units": "1", "long_name": "orientation", "convention": CONVENTION}
    found.phase.attrs = {"units": "1", "long_name": "phase", **FLAGS}
    found.lattice.attrs = {"lengths_units": "angstrom", "angles_units": "deg"}
    return found.assign_attrs(convention=CONVENTION, history=f"{__name__}.from_crystal_map")


def _grid(xmap: CrystalMap) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.int64]]:
    """Return the axes of the grid on which the points lie, and the place of each point."""
    axes, index = {}, []
    for axis in ("y", "x"):
        values = getattr(xmap, axis)
        values = np.zeros(xmap.size) if values is None else np.asarray(values, float)
        axes[axis], inverse = regular(values)
        index.append(inverse)
    shape = (len(axes["y"]), len(axes["x"]))
    whole = bool(np.all(xmap.is_in_data))
    if math.prod(shape) > max(64 * xmap.size, 1):  # of scattered points, before they fill memory
        raise DataError(_NO_GRID)
    at = np.asarray(np.ravel_multi_index(index, shape), np.int64)
    if len(np.unique(at)) < xmap.size or (whole and xmap.size < math.prod(shape)):
        raise DataError(_NO_GRID)
    return axes, at


_NO_GRID = (
    "has points on no rectangular grid; resample hexagonal or irregular maps in the program that "
    "wrote them"
)


def regular(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the even axis on which coordinates lie that were rounded, and the place of each.

    Raises
    ------
    DataError
        If the steps differ by more than rounding explains.
    """
    found, inverse = np.unique(values, return_inverse=True)
    even = np.linspace(found[0], found[-1], len(found))
    step = even[1] - even[0] if len(even) > 1 else 1.0
    if not np.isfinite(found).all() or np.abs(found - even).max() > step / 8:
        raise DataError(_NO_GRID)
    return even, inverse.astype(np.int64).ravel()


def _first(values: Any) -> NDArray[Any]:
    """Return the first of the values that each point has."""
    array = np.asarray(values)
    return array if array.ndim == 1 else array.reshape(len(array), -1)[:, 0]


def _placed(
    values: NDArray[Any], at: NDArray[np.int64], shape: tuple[int, ...], empty: Any
) -> NDArray[Any]:
    """Return the values of the points as a map, with `empty` between them."""
    whole = len(values) == math.prod(shape)
    kind = values.dtype if whole else np.result_type(values.dtype, np.min_scalar_type(empty))
    placed = np.full(math.prod(shape), empty if not whole else values[0], kind)
    placed[at] = values
    return placed.reshape(shape)


def _phase_table(phases: list[Phase]) -> dict[str, Any]:
    cells = [phase.structure.lattice.abcABG() for phase in phases]
    lattice = np.array(cells, float).reshape(-1, 6)
    lattice[(lattice == _NO_CELL).all(axis=1)] = np.nan
    return {
        "phase_name": ("phase_id", np.array([one_line(p.name) for p in phases], str)),
        "point_group": (
            "phase_id",
            np.array([getattr(phase.point_group, "name", "") for phase in phases], str),
        ),
        "space_group": (
            "phase_id",
            np.array([getattr(phase.space_group, "number", 0) for phase in phases], int),
        ),
        "lattice": (("phase_id", "cell"), lattice),
    }


def _properties(
    properties: dict[str, NDArray[Any]], at: NDArray[np.int64], shape: tuple[int, ...]
) -> dict[str, Any]:
    """Return numerical properties as variables; a name that is taken gets an underscore."""
    taken = {"orientation", "phase", "y", "x", "quaternion", "phase_id", "cell", *TABLE}
    return {
        name + "_" * (name in taken): (
            ("y", "x"),
            _placed(values, at, shape, np.nan),
            {"units": "1", "long_name": name},
        )
        for name, values in properties.items()
        if values.dtype.kind in "iufb"
    }


def _with_units(
    axes: dict[str, NDArray[np.float64]], units: str
) -> dict[str, tuple[NDArray[np.float64], str]]:
    """Return the axes in nm, or in pixels."""
    if units in ("px", "None"):
        return {name: (values, "pixel") for name, values in axes.items()}
    scale = factor(readable_units(units)[0], "nm")
    return {name: (values * scale, "nm") for name, values in axes.items()}
