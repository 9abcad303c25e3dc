"""Units: read from ``attrs["units"]``, converted by pint, never guessed."""

from __future__ import annotations

from functools import lru_cache

import pint
import xarray as xr

from liscope.errors import DataError


@lru_cache(maxsize=1)
def registry() -> pint.UnitRegistry[float]:
    """Return the one pint registry of the process."""
    return pint.UnitRegistry()


def factor(units: str, to: str) -> float:
    """Return the number that converts a value in ``units`` to ``to``.

    Raises
    ------
    DataError
        If one of them is not a unit, or they measure different things.
    """
    try:
        return float(registry().Quantity(1.0, units).to(to).magnitude)
    except (pint.errors.PintError, AttributeError, TypeError, ValueError) as error:
        raise DataError(f"cannot convert '{units}' to '{to}': {error}") from None


def to_units(array: xr.DataArray, units: str) -> xr.DataArray:
    """Return ``array`` in ``units``; lazily where it is lazy.

    Raises
    ------
    DataError
        If ``array`` has no ``attrs["units"]`` or another dimension.
    """
    name = array.name or "array"
    if "units" not in array.attrs:
        raise DataError(f"'{name}' has no units: set attrs['units'], for example '{units}'")
    if array.attrs["units"] == units:
        return array
    return (array * factor(array.attrs["units"], units)).assign_attrs(
        array.attrs | {"units": units}
    )
