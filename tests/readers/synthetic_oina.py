"""Writes ``.h5oina`` files as Oxford's specification has them (formats 1.0 to 8.0).

Nothing is taken from the reader: names, shapes (size, 1), units and types are those of
H5OINAFile.md.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence

import h5py
import numpy as np

LINES = {"Co": ("Co La1,2", 27), "Zr": ("Zr La1", 40), "C": ("C Ka1,2", 6)}


def oina(
    slices: Sequence[Mapping[str, np.ndarray]],
    live: np.ndarray,
    *,
    version: str = "7.0",
    step: tuple[float, float] = (0.0814, 0.0814),
    kind: str = "Window Integral",
    detectors: int = 0,
    spectra: np.ndarray | None = None,
    image: np.ndarray | None = None,
    names: Sequence[str] | None = None,
    index_type: str = "Single",
    tilt: float = math.radians(52),
) -> bytes:
    """Return a file.

    Parameters
    ----------
    slices
        Of each slice, counts (y, x) of each element, in one detector; NaN where nothing is.
    live
        Live time of each pixel, s (y, x).
    detectors
        0: one, in the group EDS; else their number, in EDS1, EDS2...
    spectra
        (y, x, channel), beside the maps.
    image
        An electron image (y, x) of twice the map's width and height around the map.
    """
    buffer = io.BytesIO()
    names = names or [str(i) for i in range(1, len(slices) + 1)]
    with h5py.File(buffer, "w") as file:
        _text(file, "Manufacturer", "Oxford Instruments")
        _text(file, "Software Version", "6.2")
        _text(file, "Format Version", version)
        index = file.create_dataset("Index", data=np.array(names, object)[:, None], dtype=TEXT)
        if float(version) >= 5:
            index.attrs["Type"] = index_type
        for name, maps in zip(names, slices, strict=True):
            for group in [f"EDS{i}" for i in range(1, detectors + 1)] or ["EDS"]:
                eds = file.create_group(f"{name}/{group}")
                _eds(eds, maps, live, kind, spectra, version)
                _header(eds.create_group("Header"), live.shape, step, tilt)
                eds["Header/Relative Offset"] = np.array([[0.25, 0.25]], "f4")
                eds["Header/Relative Size"] = np.array([[0.5, 0.5]], "f4")
            if image is not None:
                _image(file.create_group(f"{name}/Electron Image"), image, live.shape, step, tilt)
    return buffer.getvalue()


TEXT = h5py.string_dtype("utf-8")


def _text(group: h5py.Group, name: str, words: str) -> None:
    group.create_dataset(name, data=np.array([[words]], object), dtype=TEXT)


def _flat(values: np.ndarray, kind: str = "f4") -> np.ndarray:
    return np.asarray(values).reshape(-1, 1).astype(kind)


def _eds(
    eds: h5py.Group,
    maps: Mapping[str, np.ndarray],
    live: np.ndarray,
    kind: str,
    spectra: np.ndarray | None,
    version: str,
) -> None:
    data = eds.create_group("Data")
    for element, counts in maps.items():
        line, number = LINES[element]
        # The specification: the integral of the raw counts divided by the live time, as a float.
        stored = data.create_dataset(f"{kind}/{line}", data=_flat(counts / live), compression="lzf")
        stored.attrs["Unit"] = "cps"
        stored.attrs["Atomic Number"] = number
        stored.attrs["X-ray Line"] = line.partition(" ")[2]
        if float(version) >= 2:
            stored.attrs["Gamma"] = np.float32(1)
            stored.attrs["Upper Color"] = np.array([[255, 0, 0]], "u1")
    data["Live Time"] = _flat(live)
    data["Real Time"] = _flat(live * 1.4)
    if spectra is not None:
        flat = spectra.reshape(-1, spectra.shape[-1]).astype("i4")
        data.create_dataset("Spectrum", data=flat, compression="lzf")


def _header(
    header: h5py.Group, shape: tuple[int, ...], step: tuple[float, float], tilt: float
) -> None:
    _text(header, "Project Label", "Project 1")
    floats = {"X Step": step[1], "Y Step": step[0], "Beam Voltage": 5.0, "Tilt Angle": tilt}
    floats |= {"Channel Width": 10.0, "Start Channel": -200.0, "Tilt Axis": 0.0}
    integers = {"X Cells": shape[1], "Y Cells": shape[0], "Binning": 4, "Number Frames": 12}
    for name, value in floats.items():
        header[name] = np.array([[value]], "f4")
    for name, whole in integers.items():
        header[name] = np.array([[whole]], "i4")
    header["Stage Position/X"] = np.array([[1.5]], "f4")


def _image(
    group: h5py.Group,
    image: np.ndarray,
    shape: tuple[int, ...],
    step: tuple[float, float],
    tilt: float,
) -> None:
    """Store an image whose field is twice as wide and high as the map's, and around it."""
    own = (step[0] * 2 * shape[0] / image.shape[0], step[1] * 2 * shape[1] / image.shape[1])
    group["Data/BSE/Electron Image 1"] = _flat(image, image.dtype.str)
    _header(group.create_group("Header"), image.shape, own, tilt)
    group["Header/Dwell Time"] = np.array([[10.0]], "f4")
