"""SIMS-H5, ULVAC-PHI's open format for ToF-SIMS, ``.h5``: each ion with flight time and pixel.

The counts are stored sparsely, sorted by flight time: for each time the pixels that saw an ion.
There is no list of peaks; here each nominal mass m is one image, of all ions from m - 0.5 to
m + 0.5 u, named ``m u``. A frame is a cycle of a depth profile, or a repeated frame of an image.
An image is put together when it is asked for, so that memory holds one mass at a time.

PHI counts rows from the bottom; here row 0 is the top. The format's specification was not at hand,
only ULVAC-PHI's package simsh5, which does not read the size of the raster: coordinates are in
pixels, and all attributes of the file's geometry are in ``metadata``. A mosaic is refused.
"""

from __future__ import annotations

from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import dask.array as da
import h5py
import numpy as np
import simsh5  # registers the compression filters as well
import xarray as xr
from dask.delayed import delayed
from numpy.typing import NDArray

from liscope.errors import ReaderError
from liscope.readers.common import NAN, guard, sides
from liscope.readers.ions import MAX_IONS, dataset

FORM = "SIMS-H5"
LAZY = ("data/mass_csr/pixel_id", "data/mass_csr/count")

_CSR = "data/mass_csr"
_MAX_PIXELS = 1 << 25  # of one mass, all frames: a block of 128 MiB


def is_mine(file: h5py.File) -> bool:
    """Tell whether the file holds counts by flight time."""
    return _CSR in file


def read_path(path: Path) -> xr.Dataset:
    """Return an image for each nominal mass, lazily."""
    with h5py.File(path, "r") as file:
        mode, polarity = (str(file.attrs[key]) for key in ("acquisition_mode", "polarity"))
        shape = tuple(int(n) for n in file["geometry"].attrs["row_shape"])
        masses, bounds = _masses(file)
        metadata = {group: _told(file[group].attrs) for group in ("/", "geometry")}
    _check_shape(mode, shape)
    image = delayed(partial(_image, path, shape), pure=True)
    size = (shape[0], *shape[-2:])
    counts = [da.from_delayed(image(low, high), size, np.int32) for low, high in bounds]
    return dataset(
        da.stack(counts),
        [f"{mass} u" for mass in masses],
        masses,
        (NAN, NAN),
        {
            "polarity": {"pos": "positive", "neg": "negative"}.get(polarity.lower(), "unknown"),
            "history": __name__,
        },
        metadata,
    )


def _check_shape(mode: str, shape: tuple[int, ...]) -> None:
    """Refuse mosaics, and shapes that are none; the first side counts the frames."""
    if mode == "mosaic":
        raise ReaderError("is a mosaic of tiles; export the tiles one by one")
    if len(shape) != {"image_2d": 3, "depth_profile": 4}.get(mode) or min(shape) < 1:
        raise ReaderError(f"declares a '{mode[:40]}' of shape {shape}; it is damaged")
    sides(shape[-1], shape[-2])
    if prod(shape) > _MAX_PIXELS:
        raise ReaderError(f"has {prod(shape)} pixels in all frames, too many for one image")


def _masses(file: h5py.File) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
    """Return the nominal masses, and where in the list of counts each begins and ends."""
    csr = file[_CSR]
    bins, indptr = csr["mass_bin"][:].astype(float), csr["indptr"][:].astype(np.int64)
    stored = min(csr["pixel_id"].shape[0], csr["count"].shape[0])
    if len(indptr) != len(bins) + 1 or (np.diff(indptr, prepend=0) < 0).any():
        raise ReaderError("has lists of masses and counts that do not fit each other")
    if indptr[-1] > stored:
        raise ReaderError(f"declares {indptr[-1]} counts but holds {stored}; it is cut short")
    a, b = (float(value) for value in file["calibration/mass/coefficients"][:])
    width = float(csr.attrs.get("mass_bin_width_ps", 1.0))
    nominal = np.rint(simsh5.tof_ps_to_mz(bins * width, a, b))
    if not (np.isfinite(nominal).all() and (np.diff(nominal) >= 0).all()):
        raise ReaderError("has masses that do not rise with the flight time; it is damaged")
    masses = np.unique(nominal[nominal >= 1]).astype(np.int64)
    if not 1 <= len(masses) <= MAX_IONS:
        raise ReaderError(f"has {len(masses)} nominal masses; its calibration is damaged")
    edges = [np.searchsorted(nominal, masses, side) for side in ("left", "right")]
    lows, highs = (indptr[edge].tolist() for edge in edges)
    return masses, list(zip(lows, highs, strict=True))


def _image(path: Path, shape: tuple[int, ...], low: int, high: int) -> NDArray[np.int32]:
    """Return the counts from `low` to `high` of the list as (frame, y, x), row 0 at the top."""
    with guard(path.name, FORM), h5py.File(path, "r") as file:
        csr = file[_CSR]
        pixel = csr["pixel_id"][low:high]
        count = csr["count"][low:high].astype(np.int32)
        if "count_exceptions" in csr:  # counts above 255, which one byte does not hold
            index = csr["count_exceptions/nnz_index"][:].astype(np.int64)
            here = (index >= low) & (index < high)
            count[index[here] - low] = csr["count_exceptions/value"][:][here]
        if pixel.size and pixel.max() >= prod(shape):
            raise ReaderError(f"has a count in pixel {pixel.max()} of {prod(shape)}; copy it again")
    counts = np.zeros(prod(shape), np.int32)
    np.add.at(counts, pixel, count)
    frames: NDArray[np.int32] = counts.reshape(shape[0], -1, *shape[-2:]).sum(
        axis=1, dtype=np.int32
    )
    return frames[:, ::-1]


def _told(attrs: Any) -> dict[str, str]:
    return {str(key): str(value)[:200] for key, value in attrs.items()}
