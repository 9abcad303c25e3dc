"""What detectors in the diffraction plane would have seen, computed from the patterns of a scan.

All of it is lazy where the scan is, and goes through the patterns once, a hundred or so at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr

from liscope.diffraction.polar import Geometry
from liscope.errors import DataError, ParameterError
from liscope.history import noted

BATCH = 32  # patterns at a time; their polar images stay in the processor's cache
SPOT = 3.0  # standard deviations above a ring's mean from which a point belongs to a spot

Array = np.ndarray


def patterns_of(scan: xr.Dataset) -> xr.DataArray:
    """Return the patterns (y, x, ky, kx) of a scan, in blocks of whole frames.

    Raises
    ------
    DataError
        If there are none.
    """
    if "pattern" not in scan or set(scan.pattern.dims) != {"y", "x", "ky", "kx"}:
        raise DataError("the scan has no 'pattern' (y, x, ky, kx): open it with read_diffraction")
    pattern: xr.DataArray = scan["pattern"].transpose("y", "x", "ky", "kx")
    return pattern if pattern.chunks is None else pattern.chunk(ky=-1, kx=-1)


def pattern_by_pattern(
    function: Callable[[Array, Array], Array],
    scan: xr.Dataset,
    centres: xr.Dataset,
    dim: str,
    axis: Array,
) -> xr.DataArray:
    """Return numbers made of each pattern, (y, x, ``dim``) float32.

    Parameters
    ----------
    function
        Of patterns (n, ky, kx) and centres (n, 2: x, y) in pixels, to (n, ``len(axis)``).
    centres
        ``centre_x`` and ``centre_y`` (y, x) in pixels.
    dim, axis
        Name and coordinate of what is returned.
    """

    def block(patterns: Array, x: Array, y: Array) -> Array:
        flat = patterns.reshape(-1, *patterns.shape[-2:])
        at = np.stack(np.broadcast_arrays(x, y), axis=-1).reshape(-1, 2).astype(np.float32)
        out = np.empty((len(flat), len(axis)), np.float32)
        for i in range(0, len(flat), BATCH):
            out[i : i + BATCH] = function(flat[i : i + BATCH], at[i : i + BATCH])
        return out.reshape(*patterns.shape[:-2], len(axis))

    pattern = patterns_of(scan)
    made: xr.DataArray = xr.apply_ufunc(
        block,
        pattern,
        centres.centre_x,
        centres.centre_y,
        input_core_dims=[["ky", "kx"], [], []],
        output_core_dims=[[dim]],
        dask="parallelized",
        output_dtypes=[np.float32],
        dask_gufunc_kwargs={"output_sizes": {dim: len(axis)}},
    )
    return made.assign_coords({dim: axis})


def virtual_images(
    scan: xr.Dataset,
    centres: xr.Dataset,
    geometry: Geometry,
    detectors: Mapping[str, tuple[float, float]],
) -> xr.DataArray:
    """Return what detectors about the direct beam see, (y, x, detector), in one pass.

    Parameters
    ----------
    scan, centres
        ``pattern`` (y, x, ky, kx), and ``centre_x``, ``centre_y`` (y, x) in pixels.
    geometry
        The camera's.
    detectors
        Inner and outer radius in 1/angstrom: a bright field begins at 0, an annular dark field
        where the direct beam ends.

    Returns
    -------
    The sum of grey levels; lazy where the scan is.

    Raises
    ------
    ParameterError
        If a detector has no area.
    """
    if not detectors:
        raise ParameterError("no detector; give for example {'bright field': (0, 0.1)}")
    for name, (inner, outer) in detectors.items():
        if not 0 <= inner < outer:
            raise ParameterError(f"'{name}' from {inner:g} to {outer:g} 1/angstrom has no area")
    pixels = np.indices(geometry.size, np.float32)[::-1].reshape(2, -1)
    inverse = np.linalg.inv(geometry.matrix).astype(np.float32)

    def images(patterns: Array, at: Array) -> Array:
        x, y = pixels[:, None] - at.T[:, :, None]
        away = np.hypot(*(row[0] * x + row[1] * y for row in inverse))
        flat = patterns.reshape(len(patterns), -1).astype(np.float32)
        seen = [flat * ((away >= i) & (away < o)) for i, o in detectors.values()]
        return np.stack([each.sum(1) for each in seen], axis=1)

    found = pattern_by_pattern(images, scan, centres, "detector", np.array(list(detectors)))
    steps = ", ".join(f"{name} {i:g}-{o:g}" for name, (i, o) in detectors.items())
    line = f"virtual detectors, 1/angstrom: {steps}"
    return noted(found.assign_attrs(units="1", quantity="intensity"), scan.pattern, line)


def ring_means(rings: Array) -> Array:
    """Return the mean of each ring (n, r) of polar patterns (n, r, azimuths), without its spots.

    The median and the 16th percentile say what is usual on a ring; what lies more than ``SPOT``
    standard deviations away is left out.
    """
    ordered = np.sort(rings[:, :, ::3], axis=2)
    low, middle = round(0.16 * ordered.shape[2]), ordered.shape[2] // 2
    median = ordered[:, :, middle]
    reach = SPOT * np.maximum(median - ordered[:, :, low], 0.5)
    away = rings - median[:, :, None]
    usual = (np.abs(away) <= reach[:, :, None]).astype(rings.dtype)
    return np.asarray(median + np.einsum("nra,nra->nr", away, usual) / usual.sum(2))
