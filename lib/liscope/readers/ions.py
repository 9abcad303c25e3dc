"""The data model of SIMS images: ``counts`` with dims ``("ion", "y", "x")``, or with ``frame``.

A reader hands over one array, row 0 at the top of the picture, with a name and a mass for each
ion; `dataset` puts them together. Where a file does not tell how large the raster was, the
coordinates are in pixels, and `with_field` sets the size.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError, ReaderError
from liscope.history import noted
from liscope.readers.common import NAN, one_line

MAX_IONS = 10_000


def dataset(
    counts: Any,
    names: Sequence[str],
    masses: Sequence[float] | NDArray[Any],
    size: tuple[float, float],
    attrs: Mapping[str, Any],
    metadata: Mapping[str, Any],
) -> xr.Dataset:
    """Return the Dataset of SIMS images.

    Parameters
    ----------
    counts
        Array, also a lazy one, (ion, frame, y, x); row 0 at the top; one frame is no dimension.
    names, masses
        One for each ion; mass in u, NaN or at most 0 where unknown.
    size
        Width and height of the raster in um; NaN where unknown.
    attrs
        What the format tells, over the defaults of `_told`; ``history`` is the reader's name.
    metadata
        The file's own metadata; kept as one JSON text.

    Raises
    ------
    ReaderError
        If there is no image, or names and images differ in number.
    """
    if not counts.size or not counts.shape[0] == len(names) <= MAX_IONS:
        raise ReaderError(f"names {len(names)} ions for images {counts.shape}; copy it again")
    single = counts.shape[1] == 1
    counts = counts[:, 0] if single else counts
    dims = ("ion", "y", "x") if single else ("ion", "frame", "y", "x")
    mass = np.asarray(masses, float)
    about = {"units": "count", "quantity": "counts", "long_name": "secondary ions"}
    return xr.Dataset(
        {"counts": (dims, counts, about)},
        {
            "ion": ("ion", _unique(names), {"long_name": "ion"}),
            "mass": ("ion", np.where(mass > 0, mass, NAN), {"units": "u", "long_name": "mass"}),
            "y": _axis("y", counts.shape[-2], size[1]),
            "x": _axis("x", counts.shape[-1], size[0]),
        },
        {**_told(), **attrs, "metadata": json.dumps(metadata, ensure_ascii=False, default=str)},
    )


def with_field(ions: xr.Dataset, width: float, height: float | None = None) -> xr.Dataset:
    """Return SIMS images whose raster is `width` x `height` um; for files that do not tell it.

    Parameters
    ----------
    ions
        What :func:`liscope.readers.read_ions` returned.
    width, height
        Size of the raster, um; without `height`, pixels are square.

    Raises
    ------
    DataError
        If a size is not positive.
    """
    height = width * ions.sizes["y"] / ions.sizes["x"] if height is None else height
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise DataError(f"a raster of {width} x {height} um is none; give its size in um")
    axes = {dim: _axis(dim, ions.sizes[dim], {"x": width, "y": height}[dim]) for dim in ("y", "x")}
    counts = noted(ions.counts, ions.counts, f"with_field({width=}, {height=})")
    sized = ions.assign(counts=counts).assign_coords(axes)
    return sized.assign_attrs(history=counts.attrs.get("history", ""))


def _told() -> dict[str, Any]:
    """Return what a file may tell about the measurement, as if it told nothing."""
    return {
        "polarity": "unknown",  # of the secondary ions: positive, negative
        "primary_beam": "unknown",
        "shots_per_pixel": NAN,  # primary pulses in one frame
        "dwell_time": NAN,  # s a pixel and frame
        "dead_time_corrected": "unknown",  # yes, no
    }


def _axis(dim: str, count: int, extent: float) -> xr.DataArray:
    """Return pixel centres from the top-left corner, in um or, where `extent` is NaN, in pixels."""
    known = 0 < extent < math.inf
    centres = (np.arange(count) + 0.5) * (extent / count if known else 1.0)
    attrs = {"units": "um" if known else "pixel", "long_name": dim}
    return xr.DataArray(centres, dims=dim, attrs=attrs)


def _unique(names: Sequence[str]) -> NDArray[np.str_]:
    """Return the names as one line each, numbered where one comes again or is empty."""
    found: list[str] = []
    for i, name in enumerate(names, 1):
        plain = one_line(name) or f"ion {i}"
        found.append(plain if plain not in found else f"{plain} ({i})")
    return np.array(found, dtype=str)
