"""What an instrument sees of the specimen around the place at which it looks.

X-rays come from a volume that electrons reach: as wide as their range to the sides, and one-sided
in depth, below the polished face. Ions leave the face itself, as wide as the beam is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import ParameterError
from liscope.units import to_units

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

AXES = ("z", "y", "x")
REACH = 2.5  # standard deviations of a Gaussian that are kept: 98.8 %
USUAL_DENSITY = 5.0  # g/cm3
FULL_WIDTH = 2.355  # at half maximum, of a Gaussian, in standard deviations


@dataclass(frozen=True)
class Response:
    """Where the signal of one place comes from.

    Attributes
    ----------
    lateral
        Standard deviation in the plane, nm.
    depth
        Mean depth below the face of an exponential response, nm, in matter of 5 g/cm3; in other
        matter as much deeper as this is lighter. 0: from the face alone.
    """

    lateral: float
    depth: float = 0.0

    def __post_init__(self) -> None:
        if self.lateral < 0 or self.depth < 0:
            raise ParameterError("a response has widths of 0 nm or more")

    def taps(self, step: tuple[float, float, float]) -> tuple[Floats, Floats]:
        """Return the weights of the neighbours along y and x, for a grid's step (z, y, x), nm."""
        return _gaussian(self.lateral / step[1]), _gaussian(self.lateral / step[2])

    def through(self, step: float, density: Array) -> Floats:
        """Return the share of the signal that comes from below ``step`` nm, in each density."""
        if self.depth == 0:
            return np.zeros(len(density), np.float32)
        return np.exp(-step * density / (USUAL_DENSITY * self.depth)).astype(np.float32)


# At 5 kV electrons excite X-rays of 0.3 to 2.2 keV within 140 to 190 nm in matter of 5 g/cm3 (C. A.
# Andersen and M. F. Hasler, Proc. 4th Conf. X-Ray Optics and Microanalysis (1966) 310), on average
# from somewhat more than a third of it, and spread as far again. A focused xenon beam is some
# 100 nm wide (full width at half maximum); interpolation to a grid adds as much again.
X_RAYS = Response(lateral=80.0, depth=65.0)
IONS = Response(lateral=55.0)


def ion_response(beam: float, stack: xr.DataArray) -> Response:
    """Return the response of ions: the beam, and linear interpolation between recorded pixels.

    Parameters
    ----------
    beam
        Full width at half maximum, um.
    stack
        The pictures (..., y, x); interpolation adds, on average, a sixth of a pixel's square.
    """
    pixel = abs(float(to_units(stack["x"], "nm")[1] - to_units(stack["x"], "nm")[0]))
    return Response(float(np.hypot(1e3 * beam / FULL_WIDTH, pixel / 6**0.5)))


def responses_of(
    volume: xr.DataArray, given: Mapping[str, Response] | None = None
) -> dict[str, Response]:
    """Return each channel's response: as given, or by its name an ion's (``6Li+``) or an X-ray's.

    Raises
    ------
    ParameterError
        If a response is given for a channel that the volume does not have.
    """
    names = [str(name) for name in volume["channel"].to_numpy()]
    unknown = set(given or {}) - set(names)
    if unknown:
        raise ParameterError(f"responses: no channel {sorted(unknown)}; there are {names}")
    usual = {name: IONS if name.endswith(("+", "-")) else X_RAYS for name in names}
    return usual | dict(given or {})


def steps_of(volume: xr.DataArray | xr.Dataset) -> tuple[float, float, float]:
    """Return the distances of voxels (z, y, x), nm; of a single slice 1 nm.

    Raises
    ------
    DataError
        If a coordinate has no units.
    """
    z, y, x = (to_units(volume[axis], "nm").to_numpy() for axis in AXES)
    found = [float(abs(a[-1] - a[0]) / (len(a) - 1)) if len(a) > 1 else 1.0 for a in (z, y, x)]
    return found[0], found[1], found[2]


def _gaussian(width: float) -> Floats:
    reach = int(np.ceil(REACH * width))
    offset = np.arange(-reach, reach + 1)
    weight = np.exp(-0.5 * (offset / width) ** 2) if reach else np.ones(1)
    return np.asarray(weight / weight.sum(), np.float32)
