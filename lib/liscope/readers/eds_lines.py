"""Maps of elements from EDS spectra: counts in windows of energy around their X-ray lines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from liscope.errors import DataError, ParameterError
from liscope.history import noted
from liscope.readers.common import NAN, one_line

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
