"""The data model of diffraction scans: ``pattern`` with dims ``("y", "x", "ky", "kx")``, lazy.

A reader hands over one array, row 0 of scan and detector at the top, and a `Setup` of what the
file says; `dataset` puts them together. Patterns come in blocks of some 32 MiB, each of whole
detector frames and, where they are short enough, whole lines of the scan.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import ReaderError
from liscope.readers.common import NAN, one_line, sides

BLOCK = 1 << 25  # bytes
_WIDTHS = (1e-3, 1e3)  # 1/angstrom; a detector sees some 2, a damaged header anything


@dataclass(frozen=True)
class Setup:
    """What a file says about a scan; NaN, "unknown" and "" where it says nothing.

    Attributes
    ----------
    step, start
        From one position of the beam to the next along (y, x), and the first position, nm.
    k_step
        From one detector pixel to the next along (ky, kx), 1/angstrom.
    k_origin
        Pixel (row, column) of the incident beam.
    calibrated_by
        Where `k_step` comes from, for a person.
    beam_energy, camera_length
        kV; mm.
    scan_rotation, precession_angle
        Degrees.
    camera_gamma
        "on" where the camera's grey levels are no linear measure of intensity; "off".
    notes
        The operator's own.
    """

    step: tuple[float, float] = (NAN, NAN)
    start: tuple[float, float] = (0.0, 0.0)
    k_step: tuple[float, float] = (NAN, NAN)
    k_origin: tuple[float, float] = (NAN, NAN)
    calibrated_by: str = ""
    beam_energy: float = NAN
    camera_length: float = NAN
    scan_rotation: float = NAN
    precession_angle: float = NAN
    camera_gamma: str = "unknown"
    notes: str = ""
    missing_frames: int = 0
    left_aside: tuple[str, ...] = ()


def wavelength(kilovolts: float) -> float:
    """Return the relativistic wavelength of an electron, angstrom; NaN for no positive voltage."""
    from diffsims.utils.sim_utils import get_electron_wavelength  # here: it takes its time to load

    return float(get_electron_wavelength(kilovolts)) if 0 < kilovolts < math.inf else NAN


def frame_chunks(shape: tuple[int, ...], itemsize: int) -> tuple[int, int, int, int]:
    """Return the shape of blocks of whole frames, of at most 32 MiB unless a frame is larger."""
    ny, nx, *frame = shape
    frames = max(1, BLOCK // (math.prod(frame) * itemsize))
    return min(ny, max(1, frames // nx)), min(nx, frames), frame[0], frame[1]


def dataset(
    pattern: Any,
    setup: Setup,
    metadata: Mapping[str, Any],
    origin: str,
    vbf: NDArray[Any] | None = None,
) -> xr.Dataset:
    """Return the Dataset of a diffraction scan.

    Parameters
    ----------
    pattern
        Lazy array (y, x, ky, kx), row 0 at the top.
    setup
        What the file says about the scan.
    metadata
        The file's own metadata; kept as one JSON text.
    origin
        ``__name__`` of the reader, for the history.
    vbf
        Virtual bright field (y, x) that the file holds beside the patterns.

    Raises
    ------
    ReaderError
        If there is no pattern, or the detector has a size that none has.
    """
    if pattern.ndim != 4 or not pattern.size:
        raise ReaderError(f"holds no diffraction pattern, but an array of {pattern.shape}")
    sides(pattern.shape[3], pattern.shape[2])
    about = {"quantity": "intensity", "units": "1"}
    variables: dict[str, Any] = {
        "pattern": (("y", "x", "ky", "kx"), pattern, about | {"long_name": "pattern"})
    }
    if vbf is not None:
        name = {"long_name": "virtual bright field that the file holds"}
        variables["vbf"] = (("y", "x"), vbf, about | name)
    axes, statement = _axes(pattern.shape, setup)
    attrs = _attributes(setup) | {"k_calibration": statement, "metadata": as_json(metadata)}
    return xr.Dataset(variables, axes, attrs | {"history": origin})


def as_json(metadata: Any) -> str:
    """Return a vendor's metadata as text, whatever is in it."""
    return json.dumps(metadata, ensure_ascii=False, default=str, skipkeys=True)


def _axes(shape: tuple[int, ...], setup: Setup) -> tuple[dict[str, xr.DataArray], str]:
    """Return the coordinates, and where those of the detector come from."""
    believed = all(
        _WIDTHS[0] < step * count < _WIDTHS[1]
        for step, count in zip(setup.k_step, shape[2:], strict=True)
    )
    axes: dict[str, xr.DataArray] = {}
    steps = setup.k_step if believed else (1.0, 1.0)
    for i, dim in enumerate(("y", "x")):
        known = 0 < setup.step[i] < math.inf and math.isfinite(setup.start[i])
        step, start = (setup.step[i], setup.start[i]) if known else (1.0, 0.0)
        axes[dim] = _axis(dim, start + step * np.arange(shape[i]), "nm" if known else "pixel")
    inside = all(0 < at < n - 1 for at, n in zip(setup.k_origin, shape[2:], strict=True))
    for i, dim in enumerate(("ky", "kx")):
        at = setup.k_origin[i] if inside else (shape[2 + i] - 1) / 2
        units = "1/angstrom" if believed else "pixel"
        axes[dim] = _axis(dim, steps[i] * (np.arange(shape[2 + i]) - at), units)
    where = "the file's own" if inside else "the middle of the frame: find the beam in the data"
    by = setup.calibrated_by if believed else "none that can be believed, so in pixels"
    return axes, f"{by}; the origin is {where}"


def _axis(dim: str, values: NDArray[Any], units: str) -> xr.DataArray:
    return xr.DataArray(values, dims=dim, attrs={"units": units, "long_name": dim})


def _attributes(setup: Setup) -> dict[str, Any]:
    return {
        "beam_energy": float(setup.beam_energy),
        "beam_energy_units": "kV",
        "camera_length": float(setup.camera_length),
        "camera_length_units": "mm",
        "scan_rotation": float(setup.scan_rotation),
        "precession_angle": float(setup.precession_angle),
        "camera_gamma": setup.camera_gamma,
        "notes": one_line(setup.notes),
        "missing_frames": setup.missing_frames,
        "left_aside": "\n".join(setup.left_aside),
    }
