"""Slices that are EDS files of their own: a map of each element, stored or made of the spectra.

The file's header is read when the stack is opened, its map when it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import LiscopeError, ReaderError
from liscope.readers.common import one_line
from liscope.units import to_units

SPECTRA = (".bcf", ".emd", ".h5oina", ".pts")
NEAR = 0.02  # share by which pixels may differ from what stack.yaml says


@dataclass(frozen=True)
class ElementMap:
    """The map of an element in an EDS file, and how to get it.

    Attributes
    ----------
    path, element
        The file, and what is counted there: a map of that name, or a window of its spectra.
    shape, dtype
        (y, x), and the type of the counts.
    """

    path: Path
    element: str
    shape: tuple[int, int]
    dtype: np.dtype[Any]

    is_table = False

    def load(self) -> NDArray[Any]:
        """Return the counts (y, x).

        Raises
        ------
        ReaderError
            With the file's name, if it has changed.
        """
        found = np.asarray(_map(self.path, self.element).compute(scheduler="synchronous"))
        if found.shape != self.shape:
            raise ReaderError(one_line(f"'{self.path.name}' has changed: {found.shape} pixels"))
        return found


def maps_of(
    path: Path, folder: Path, elements: list[str], pixel: tuple[float, float]
) -> list[ElementMap]:
    """Return the maps of elements in an EDS file of one slice.

    Parameters
    ----------
    pixel
        Height and width of a pixel, um, that the file must agree with where it tells one.

    Raises
    ------
    ReaderError
        Without the file's name: missing, damaged, leading out of `folder`, or without an element.
    """
    if not path.is_file():
        raise ReaderError("is missing" if not path.exists() else "is no file")
    if not path.resolve().is_relative_to(folder):
        raise ReaderError("is a link out of the folder; copy the file itself")
    try:
        maps = [_map(path, name) for name in elements]
    except LiscopeError as error:
        raise ReaderError(str(error).removeprefix(f"'{path.name}' ")) from None
    _check_pixel(maps[0], pixel)
    return [
        ElementMap(path, name, (one.sizes["y"], one.sizes["x"]), one.dtype)
        for name, one in zip(elements, maps, strict=True)
    ]


def _map(path: Path, element: str) -> xr.DataArray:
    from liscope.readers import line_maps, read_eds  # here: it imports this module

    found = read_eds(path)
    if "slice" in found.dims:
        raise ReaderError(f"holds {found.sizes['slice']} slices; give the file itself as the stack")
    stored = [str(name) for name in found["element"].to_numpy()] if "counts" in found else []
    if element in stored:
        return found["counts"].sel(element=element)
    if "spectrum" not in found:
        raise ReaderError(f"has no map of {element}, and no spectra to make one of: {stored}")
    return line_maps(found, [element])["counts"].isel(element=0)


def _check_pixel(one: xr.DataArray, pixel: tuple[float, float]) -> None:
    for dim, told in zip("yx", pixel, strict=True):
        if one.sizes[dim] < 2 or one[dim].attrs.get("units") == "pixel":
            continue
        axis = to_units(one[dim], "um").to_numpy()
        step = float(axis[1] - axis[0])
        if abs(step / told - 1) > NEAR:
            raise ReaderError(f"has pixels of {step:.4g} um along {dim}, stack.yaml says {told:g}")
