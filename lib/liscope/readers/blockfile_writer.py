"""Writes NanoMEGAS blockfiles, ``.blo``, block by block: one pass over patterns that are lazy."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError
from liscope.readers.blockfile import HEADER, MARK, VERSION, record
from liscope.readers.patterns import frame_chunks, wavelength
from liscope.units import to_units

_AT_VBF = 0x1000  # where every file seen has it
_FLAGS = 131141  # a value that real files have; its meaning is not known
_CAMERA_LENGTHS = np.arange(1000, 10_000) / 10  # mm, where the scan tells none


def write_blockfile(dataset: xr.Dataset, path: str | os.PathLike[str]) -> None:
    """Write a diffraction scan as a NanoMEGAS blockfile, block by block.

    Steps of the scan, beam energy, camera length and notes go into the header. So does the
    detector's calibration, as pixels per cm in steps of 0.01 at that camera length; where the scan
    has none, that of 100 to 1000 mm is written at which the rounding does least. The origin of the
    patterns has no place in the format.

    Parameters
    ----------
    dataset
        ``pattern`` (y, x, ky, kx), uint8, square frames, also lazy; coordinates and attributes as
        :func:`liscope.readers.read_diffraction` gives them. ``vbf`` (y, x), uint8, is kept; where
        there is none, the mean over the middle of each frame (a disc of 1/16 of its side as
        radius) is stored.
    path
        The file; it appears when it is complete.

    Raises
    ------
    DataError
        If the patterns are no square uint8 frames in a regular raster, or too many.
    """
    pattern = _checked(dataset)
    header = _header(dataset, pattern)
    path = Path(path)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(header.tobytes() + _note(dataset))
            file.seek(int(header["at_patterns"]))
            vbf = [_write(file, frames, first) for first, frames in _blocks(pattern)]
            file.seek(_AT_VBF)
            file.write(_vbf(dataset, np.concatenate(vbf)))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _checked(dataset: xr.Dataset) -> xr.DataArray:
    """Return the patterns, if a blockfile can hold them."""
    if "pattern" not in dataset or set(dataset.pattern.dims) != {"y", "x", "ky", "kx"}:
        raise DataError("a blockfile holds 'pattern' (y, x, ky, kx); see read_diffraction")
    pattern: xr.DataArray = dataset["pattern"].transpose("y", "x", "ky", "kx")
    if pattern.dtype != np.uint8:
        raise DataError(f"a blockfile holds uint8, not {pattern.dtype}; scale the patterns first")
    ny, nx, rows, columns = pattern.shape
    if rows != columns or not 0 < max(nx, ny, rows) < 1 << 16:
        raise DataError(f"a blockfile holds square patterns, not {ny} x {nx} of {rows} x {columns}")
    if not 0 < nx * ny < (1 << 32) - _AT_VBF - 16:
        raise DataError(f"a blockfile holds no {nx * ny} patterns; divide the scan")
    return pattern


def _blocks(pattern: xr.DataArray) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield the number of the first pattern of each block of lines, and its patterns."""
    ny, nx, side, _ = pattern.shape
    lines = frame_chunks(pattern.shape, 1)[0]
    heights = pattern.chunksizes["y"] if pattern.chunks else (lines,) * math.ceil(ny / lines)
    first = 0
    for height in heights:
        block = pattern[first : first + height].to_numpy()
        yield first * nx, block.reshape(-1, side, side)
        first += height


def _write(file: Any, frames: NDArray[np.uint8], first: int) -> NDArray[np.uint8]:
    """Append frames with their marks; return the mean over the middle of each."""
    side = frames.shape[-1]
    records = np.empty(len(frames), record(side))
    records["mark"], records["pattern"] = MARK, frames
    records["number"] = np.arange(first, first + len(frames))
    file.write(records.tobytes())
    away = np.hypot(*(np.indices((side, side)) - (side - 1) / 2))
    middle = away <= max(side / 16, away.min())
    means: NDArray[np.uint8] = np.rint(frames[:, middle].mean(axis=1)).astype(np.uint8)
    return means


def _vbf(dataset: xr.Dataset, means: NDArray[np.uint8]) -> bytes:
    if "vbf" in dataset and dataset.vbf.dtype == np.uint8:
        means = dataset["vbf"].transpose("y", "x").to_numpy()
    return means.tobytes()


def _note(dataset: xr.Dataset) -> bytes:
    angle = float(dataset.attrs.get("precession_angle", math.nan))
    written = dataset.attrs.get("notes") or f"Precession angle : {angle:g}" * math.isfinite(angle)
    return str(written).encode("latin-1", "replace")[: _AT_VBF - HEADER.itemsize]


def _header(dataset: xr.Dataset, pattern: xr.DataArray) -> NDArray[Any]:
    ny, nx, side, _ = pattern.shape
    header = np.zeros((), HEADER)
    header["magic"], header["version"], header["flags"] = b"IMGBLO", VERSION, _FLAGS
    header["at_vbf"], header["side"], header["nx"], header["ny"] = _AT_VBF, side, nx, ny
    header["at_patterns"] = _AT_VBF + math.ceil(nx * ny / 16) * 16
    header["step_y"], header["step_x"] = _steps(pattern)
    kilovolts, length, rotation = (
        float(dataset.attrs.get(name, math.nan))
        for name in ("beam_energy", "camera_length", "scan_rotation")
    )
    header["voltage"] = round(1e3 * kilovolts) if 0 < kilovolts < 4e6 else 0
    header["scan_rotation"] = round(100 * (rotation % 360)) if math.isfinite(rotation) else 0
    if pattern.kx.attrs.get("units") != "pixel":
        lengths = np.array([length]) if 0 < length < 1e6 else _CAMERA_LENGTHS
        header["pixels_per_cm"], length = _pixels_per_cm(pattern, kilovolts, lengths)
    header["camera_length"] = round(10 * length) if 0 < length < 1e6 else 0
    return header


def _steps(pattern: xr.DataArray) -> tuple[float, float]:
    """Return the steps of the scan along (y, x) in nm; 0 where the scan tells none."""
    return _step(pattern.y, "nm"), _step(pattern.x, "nm")


def _step(axis: xr.DataArray, units: str) -> float:
    if axis.attrs.get("units") == "pixel" or axis.size < 2:
        return 0.0
    differences = np.diff(to_units(axis, units))
    if np.ptp(differences) > 1e-3 * abs(differences.mean()):
        raise DataError(f"'{axis.name}' has no regular step, as a blockfile needs; resample")
    return float(differences.mean())


def _pixels_per_cm(
    pattern: xr.DataArray, kilovolts: float, lengths: NDArray[np.float64]
) -> tuple[int, float]:
    """Return 100 times the pixels per cm of a detector, and the camera length (mm) where it is."""
    steps = [_step(pattern[dim], "1/angstrom") for dim in ("ky", "kx")]
    pixels = 1e3 / (steps[1] * wavelength(kilovolts) * lengths)
    lengths, pixels = (values[(pixels >= 1) & (pixels < 65535)] for values in (lengths, pixels))
    if not math.isclose(*steps, rel_tol=1e-3) or not len(lengths):
        raise DataError(
            f"a blockfile has no place for steps of {steps[0]:g} and {steps[1]:g} 1/angstrom at "
            f"{kilovolts:g} kV; it needs square pixels and attrs['beam_energy'] in kV"
        )
    best = int(np.abs(np.rint(pixels) / pixels - 1).argmin())
    return round(pixels[best]), float(lengths[best])
