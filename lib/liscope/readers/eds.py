"""The data model of EDS measurements: spectra over energy, maps of elements, electron images.

A reader hands over what its file holds; `dataset` puts it together on pixel centres from the
top-left corner. An electron image that lies on another grid than the X-rays has dimensions of its
own, such as ``y_bse`` and ``x_bse``, over the same area unless its file tells otherwise.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from liscope.errors import ReaderError
from liscope.readers.common import MAX_CHANNELS, MAX_SIDE, NAN, free_name, one_line, slug

BLOCK = 1 << 26  # bytes of spectra that are decoded at once
MAX_ENERGIES = 1 << 16
_MAX_ROW = 1 << 28  # bytes; 16384 spectra of 4096 channels
# What a file may tell about the measurement, as if it told nothing.
TOLD: dict[str, Any] = {
    "beam_energy": NAN,  # kV
    "tilt": NAN,  # degrees between the beam and the normal of the surface, as the file tells
    "live_time": NAN,  # s of the whole map
    "elements": "",  # that the operator had named
}
NAMES = {"sei": "se", "etd": "se", "bed": "bse", "bec": "bse", "cbs": "bse", "abs": "bse"}


@dataclass(frozen=True)
class Picture:
    """An electron image, row 0 at the top.

    Attributes
    ----------
    step
        Of a pixel along y and x, um; NaN where it is not told.
    origin
        Place y, x of its upper left corner in the frame of the map, um.
    """

    name: str
    data: Any
    step: tuple[float, float]
    origin: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Measured:
    """What a file holds; lazy arrays or numpy ones.

    Attributes
    ----------
    spectra
        (y, x, energy) or (slice, y, x, energy), or None.
    maps
        Names of elements and their array (element, y, x) or (element, slice, y, x).
    pictures
        Electron images (y, x) or (slice, y, x).
    step
        Of a pixel along y and x, um; NaN where it is not told.
    energy
        Energy of channel 0 and width of a channel, keV.
    slices
        Numbers of the slices where there is such a dimension.
    """

    step: tuple[float, float]
    spectra: Any = None
    maps: tuple[tuple[str, ...], Any] | None = None
    pictures: tuple[Picture, ...] = ()
    energy: tuple[float, float] = (NAN, NAN)
    slices: tuple[int, ...] = ()


def dataset(found: Measured, attrs: Mapping[str, Any], metadata: Any, origin: str) -> xr.Dataset:
    """Return the Dataset of an EDS measurement.

    Parameters
    ----------
    found
        What the file holds.
    attrs
        What the format tells, beginning with `TOLD`.
    metadata
        The file's own metadata; kept as one JSON text.
    origin
        ``__name__`` of the reader, for the history.

    Raises
    ------
    ReaderError
        If there is nothing, or it has sizes that no measurement has.
    """
    variables: dict[str, Any] = {}
    if found.spectra is not None:
        variables["spectrum"] = _spectrum(found)
    if found.maps is not None:
        variables["counts"] = _maps(found)
    first = [*variables.values(), *(p.data for p in found.pictures)]
    if not first:
        raise ReaderError("holds no spectra, maps or images; choose a file of an EDS map")
    if not variables and not any(step > 0 for step in found.step):
        found = Measured(found.pictures[0].step, pictures=found.pictures)
    shape = _area(first[0])
    for array in variables.values():
        if _area(array) != shape:
            raise ReaderError(f"has maps of {_area(array)} and of {shape} pixels; it is damaged")
    coords = {name: _axis(name, n, s) for name, n, s in zip("yx", shape, found.step, strict=True)}
    if found.slices:
        coords["slice"] = xr.DataArray(np.array(found.slices), dims="slice")
    whole = xr.Dataset(variables, coords)
    for picture in found.pictures[:MAX_CHANNELS]:
        whole = _with_picture(whole, picture, found.step, shape)
    plain = json.dumps(metadata, ensure_ascii=False, default=str)
    return whole.assign_attrs({**attrs, "metadata": plain, "history": origin})


def _area(array: Any) -> tuple[int, int]:
    """Return rows and columns of an array whose last two dimensions, or y and x, they are."""
    sizes = array.sizes if isinstance(array, xr.DataArray) else None
    ny, nx = (sizes["y"], sizes["x"]) if sizes else array.shape[-2:]
    return int(ny), int(nx)


def _spectrum(found: Measured) -> xr.DataArray:
    dims = ("slice", "y", "x", "energy")[-found.spectra.ndim :]
    start, width = found.energy
    count = found.spectra.shape[-1]
    known = math.isfinite(start) and 0 < width < math.inf
    values = start + width * np.arange(count) if known else np.arange(count, dtype=float)
    about = {"units": "keV" if known else "pixel", "long_name": "energy"}
    return xr.DataArray(
        found.spectra,
        {"energy": ("energy", values, about)},
        dims,
        attrs={"units": "count", "quantity": "counts", "long_name": "X-rays"},
    )


def _maps(found: Measured) -> xr.DataArray:
    assert found.maps is not None
    names, data = found.maps
    dims = ("element", "slice", "y", "x") if data.ndim == 4 else ("element", "y", "x")
    about = {"units": "count", "quantity": "counts", "long_name": "X-rays"}
    return xr.DataArray(data, {"element": ("element", _unique(names))}, dims, attrs=about)


def _unique(names: Iterable[str]) -> list[str]:
    found: list[str] = []
    for i, name in enumerate(names, 1):
        plain = one_line(name) or f"element {i}"
        found.append(plain if plain not in found else f"{plain} ({i})")
    return found


def _with_picture(
    whole: xr.Dataset, picture: Picture, step: tuple[float, float], shape: tuple[int, int]
) -> xr.Dataset:
    """Return `whole` with an electron image, on its own grid where that differs."""
    plain = slug(picture.name)
    name = free_name(NAMES.get(plain, plain), dict.fromkeys(str(v) for v in whole.variables))
    area = _area(picture.data)
    own = picture.step if all(s > 0 for s in picture.step) else _same_extent(step, shape, area)
    alike = np.allclose(own, step, rtol=1e-6, equal_nan=True) and not any(picture.origin)
    dims, coords = ("y", "x"), {}
    if not (area == shape and alike):
        dims = (f"y_{name}", f"x_{name}")
        sized = zip(dims, area, own, picture.origin, strict=True)
        coords = {dim: _axis(dim, n, size, start) for dim, n, size, start in sized}
    whole_dims = ("slice", *dims) if picture.data.ndim == 3 else dims
    about = {"units": "1", "quantity": "image", "long_name": one_line(picture.name)}
    return whole.assign({name: xr.DataArray(picture.data, coords, whole_dims, attrs=about)})


def _same_extent(
    step: tuple[float, float], shape: tuple[int, int], area: tuple[int, int]
) -> tuple[float, float]:
    """Return the pixels of an image of the same field, as nothing else is told."""
    return step[0] * shape[0] / area[0], step[1] * shape[1] / area[1]


def _axis(dim: str, count: int, step: float, start: float = 0.0) -> xr.DataArray:
    """Return pixel centres from the top-left corner, in um, or in pixels where that is not told."""
    if not 1 <= count <= MAX_SIDE:
        raise ReaderError(f"declares a side of {count} pixels; its header is damaged")
    known = 0 < step < math.inf
    attrs = {"units": "um" if known else "pixel", "long_name": dim}
    centres = (np.arange(count) + 0.5) * (step if known else 1.0) + (start if known else 0.0)
    return xr.DataArray(centres, dims=dim, attrs=attrs)


def in_blocks(shape: tuple[int, ...], read: Callable[..., Any], *about: Any) -> Any:
    """Return a lazy cube (y, x, energy) of counts, in blocks of rows that fit into memory.

    Parameters
    ----------
    shape
        Of the cube.
    read
        ``read(*about, first, (rows, x, energy))`` returns the block from row `first` on, uint32.

    Raises
    ------
    ReaderError
        If the cube has sizes that no measurement has.
    """
    import dask.array as da
    from dask.delayed import delayed

    ny, nx, count = shape
    row = nx * count * np.dtype(np.uint32).itemsize
    sound = 1 <= ny <= MAX_SIDE and 1 <= nx <= MAX_SIDE and 1 <= count <= MAX_ENERGIES
    if not sound or row > _MAX_ROW:
        raise ReaderError(f"declares {ny} x {nx} spectra of {count} channels; it is damaged")
    rows = max(1, BLOCK // row)
    blocks = [
        (delayed(read)(*about, first, part), part)
        for first in range(0, ny, rows)
        for part in [(min(rows, ny - first), nx, count)]
    ]
    return da.concatenate([da.from_delayed(block, part, np.uint32) for block, part in blocks])


def later(shape: tuple[int, ...], dtype: Any, read: Callable[..., Any], *about: Any) -> Any:
    """Return the lazy array that ``read(*about)`` returns, as one block."""
    import dask.array as da
    from dask.delayed import delayed

    return da.from_delayed(delayed(read)(*about), shape, dtype)
