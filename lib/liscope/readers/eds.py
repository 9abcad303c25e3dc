"""The data model of EDS measurements: spectra over energy, maps of elements, electron images.

A reader hands over what its file holds; `dataset` puts it together on pixel centres from the
top-left corner. An electron image that lies on another grid than the X-rays has dimensions of its
own, such as ``y_bse`` and ``x_bse``, over the same area unless its file tells otherwise.

`line_maps` makes maps of elements from spectra by summing windows around their X-ray lines.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from liscope.errors import DataError, ParameterError, ReaderError
from liscope.history import noted
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

# Energies of X-ray lines in keV: X-ray Data Booklet, LBNL/PUB-490 Rev. 3 (2009), table 1-2. Of each
# element the line that is used below 10 keV comes first.
LINES: Mapping[str, Mapping[str, float]] = {
    "B": {"Ka": 0.1833},
    "C": {"Ka": 0.277},
    "N": {"Ka": 0.3924},
    "O": {"Ka": 0.5249},
    "F": {"Ka": 0.6768},
    "Na": {"Ka": 1.04098},
    "Mg": {"Ka": 1.2536},
    "Al": {"Ka": 1.4867},
    "Si": {"Ka": 1.73998},
    "P": {"Ka": 2.0137},
    "S": {"Ka": 2.30784},
    "Cl": {"Ka": 2.62239},
    "K": {"Ka": 3.3138},
    "Ca": {"Ka": 3.69168},
    "Ti": {"Ka": 4.51084, "La": 0.4522},
    "V": {"Ka": 4.9522, "La": 0.5113},
    "Cr": {"Ka": 5.41472, "La": 0.5728},
    "Mn": {"Ka": 5.89875, "La": 0.6374},
    "Fe": {"Ka": 6.40384, "La": 0.7050},
    "Co": {"La": 0.7762, "Ka": 6.93032},
    "Ni": {"La": 0.8515, "Ka": 7.47815},
    "Cu": {"La": 0.9297, "Ka": 8.04778},
    "Zn": {"La": 1.0117, "Ka": 8.63886},
    "Ga": {"La": 1.09792, "Ka": 9.25174},
    "Ge": {"La": 1.1880, "Ka": 9.88642},
    "Sr": {"La": 1.80656},
    "Y": {"La": 1.92256},
    "Zr": {"La": 2.04236},
    "Nb": {"La": 2.16589},
    "Mo": {"La": 2.29316},
    "Ag": {"La": 2.98431},
    "Sn": {"La": 3.44398},
    "Ba": {"La": 4.46626},
    "La": {"La": 4.65097},
    "Ta": {"Ma": 1.7096, "La": 8.1461},
    "W": {"Ma": 1.7754, "La": 8.3976},
    "Pt": {"Ma": 2.0505, "La": 9.4423},
    "Au": {"Ma": 2.1229, "La": 9.7133},
}


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


def line_maps(
    spectra: xr.Dataset,
    lines: Sequence[str] | Mapping[str, float | tuple[float, float]],
    width: float = 0.12,
    background: bool = False,
) -> xr.Dataset:
    """Return maps of elements: counts in a window of energy around an X-ray line of each.

    Parameters
    ----------
    spectra
        With ``spectrum`` (..., y, x, energy), as :func:`liscope.readers.read_eds` returns it.
    lines
        Names such as "Zr" or "Zr La" (`LINES` has their energies), or ``{"Zr": 2.042}`` or
        ``{"Zr": (2.042, 0.08)}``: the energy, and the width of this window, keV.
    width
        Of the whole window where `lines` tells none, keV. A silicon drift detector's own is 0.06
        (carbon) to 0.13 keV (manganese) at half maximum.
    background
        Whether to take off the mean of two windows, each half as wide, that touch it on either
        side: exact for a background that is linear there and holds no other line. Values may then
        be negative.

    Returns
    -------
    xarray.Dataset
        ``counts`` (element, ..., y, x), lazy where the spectra are; the electron images of
        `spectra` beside it; ``line`` (keV) along element.

    Raises
    ------
    DataError
        If there are no spectra, or their energies are not told.
    ParameterError
        If a line is not known, or lies outside the spectra.
    """
    if "spectrum" not in spectra:
        raise DataError("there are no spectra in it; open a spectrum image with read_eds")
    cube = spectra["spectrum"]
    if cube["energy"].attrs.get("units") != "keV":
        raise DataError("its energies are not calibrated; assign_coords(energy=...) in keV first")
    windows = _windows(lines, width)
    maps = [_window(cube, name, *window, background) for name, window in windows.items()]
    counts = xr.concat(maps, xr.DataArray([*windows], dims="element", name="element"))
    energies = [energy for energy, _ in windows.values()]
    counts = counts.assign_coords(line=("element", energies, {"units": "keV", "long_name": "line"}))
    told = {"units": "count", "quantity": "counts", "long_name": "X-rays"}
    counts = noted(counts, cube, f"line_maps({windows}, {background=})").assign_attrs(told)
    others = spectra.drop_vars(["spectrum", "energy", "counts", "element"], errors="ignore")
    return others.assign(counts=counts).assign_attrs(history=counts.attrs.get("history", ""))


def _windows(
    lines: Sequence[str] | Mapping[str, float | tuple[float, float]], width: float
) -> dict[str, tuple[float, float]]:
    if not lines or isinstance(lines, str):
        raise ParameterError('lines names no element; give a list such as ["Zr", "Co"]')
    if not isinstance(lines, Mapping):
        return {name: (_energy(name), width) for name in lines}
    both = {n: v if isinstance(v, (tuple, list)) else (v, width) for n, v in lines.items()}
    return {name: (float(pair[0]), float(pair[1])) for name, pair in both.items()}


def _energy(name: str) -> float:
    """Return the energy of "Zr" or "Zr La" in keV."""
    element, _, line = name.partition(" ")
    known = LINES.get(element, {})
    if not known or (line and line.rstrip("1") not in known):
        raise ParameterError(
            one_line(f"no X-ray line '{name}' is known; give it as a number of keV")
        )
    return known[line.rstrip("1")] if line else next(iter(known.values()))


def _window(
    cube: xr.DataArray, name: str, energy: float, width: float, background: bool
) -> xr.DataArray:
    """Return the counts within `width` around `energy`."""
    step = float(cube["energy"][1] - cube["energy"][0]) if cube.sizes["energy"] > 1 else NAN
    start = (energy - width / 2 - float(cube["energy"][0])) / step + 0.5
    sound = math.isfinite(start) and 0 < width < math.inf
    first, count = (round(start), max(round(width / step), 1)) if sound else (0, 0)
    side = -(-count // 2) if background else 0
    if not (sound and side <= first and first + count + side <= cube.sizes["energy"]):
        ends = f"{float(cube['energy'][0]):.3g} to {float(cube['energy'][-1]):.3g} keV"
        raise ParameterError(
            one_line(f"the window of {name}, {energy} +- {width / 2} keV, lies outside {ends}")
        )
    peak = _summed(cube, first, count)
    if not background:
        return peak
    beside = _summed(cube, first - side, side) + _summed(cube, first + count, side)
    return peak.astype(np.float32) - beside.astype(np.float32) * np.float32(count / (2 * side))


def _summed(cube: xr.DataArray, first: int, count: int) -> xr.DataArray:
    part = cube.isel(energy=slice(first, first + count))
    kind = np.uint32 if cube.dtype.kind == "u" or cube.dtype.kind == "i" else np.float64
    return part.sum("energy", dtype=kind)
