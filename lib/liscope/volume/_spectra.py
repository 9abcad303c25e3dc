"""Correlations of two channels at every shift in the plane, from sums of spectra over slices."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from liscope.volume._states import FAN

OVERLAP = 0.5  # of the voxels, at least, that a shifted channel must share with the other

Array = NDArray[np.float64]
Spectra = NDArray[np.complex64]


def centred(block: NDArray[Any], middle: Array) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return values about their means, none where one is missing, and where none is (z, y, x)."""
    valid = np.isfinite(block).all(0)
    values = block - middle[:, None, None, None].astype(np.float32)
    return np.where(valid, values, 0).astype(np.float32), valid


def spectra(lazy: Any, middle: Array, full: bool) -> Any:
    """Return the sums over slices of products of spectra (product, y, half x), lazily."""
    import dask.array as da

    size = (3 if full else 8, lazy.shape[2], lazy.shape[3] // 2 + 1)
    parts = lazy.map_blocks(
        partial(_products, middle=middle, full=full),
        dtype=np.complex64,
        chunks=((1,) * lazy.numblocks[1], *((n,) for n in size)),
        drop_axis=0,
        new_axis=1,
        meta=np.empty((0,) * 4, np.complex64),
    )
    return da.reduction(
        parts, _summed, _summed, axis=0, dtype=np.complex64, split_every=FAN,
        meta=np.empty((0,) * 3, np.complex64),
    )  # fmt: skip


def _summed(parts: Spectra, axis: Any, keepdims: bool) -> Spectra:
    return np.asarray(parts.sum(0, keepdims=keepdims))


def _products(block: NDArray[Any], middle: Array, full: bool) -> Spectra:
    """Return a b, a a, b b and, of a part of the field, sums that voxels left out call for."""
    values, valid = centred(block, middle)
    total = None
    for z in range(values.shape[1]):
        a, b = (np.asarray(fft.rfft2(one)) for one in values[:, z])
        products = [a.conj() * b, a.conj() * a, b.conj() * b]
        if not full:
            m = fft.rfft2(valid[z].astype(np.float32))
            aa, bb = (fft.rfft2(one**2) for one in values[:, z])
            products += [m.conj() * m, a.conj() * m, m.conj() * b, aa.conj() * m, m.conj() * bb]
        total = np.stack(products) if total is None else total + products
    return np.asarray(total, np.complex64)[None]


def shifted(summed: Spectra, shape: tuple[int, int], size: int, full: bool) -> tuple[Array, float]:
    """Return the correlation at each shift in the plane, and the correlation length, pixels."""
    sums = np.asarray(fft.irfft2(summed.astype(np.complex128), shape))
    if full:
        pairs = np.full(shape, float(size))
        at_shift = sums[0] / np.sqrt(sums[1, 0, 0] * sums[2, 0, 0])
    else:
        pairs = np.maximum(sums[3], 0.5)
        with np.errstate(invalid="ignore", divide="ignore"):
            both = sums[0] - sums[4] * sums[5] / pairs
            one, other = sums[6] - sums[4] ** 2 / pairs, sums[7] - sums[5] ** 2 / pairs
            at_shift = np.where(pairs >= OVERLAP * pairs[0, 0], both / np.sqrt(one * other), np.nan)
    return at_shift, max(_length(one / pairs) for one in sums[1:3])


def _length(alike: Array) -> float:
    """Return the distance, in pixels, at which an autocorrelation has fallen to 1/e.

    Counting noise adds to it at no distance at all: there it is continued from its neighbours.
    """
    reach = max(2, min(alike.shape) // 2)
    profile = 0.5 * (alike[:reach, 0] + alike[0, :reach])
    start = max(profile[1], 2 * profile[1] - profile[min(2, reach - 1)])
    profile[0] = min(profile[0], start)
    below = np.flatnonzero(profile < profile[0] / np.e)
    if profile[0] <= 0:
        return 1.0
    if not below.size:
        return float(reach)
    first = below[0] - 1
    step = (profile[first] - profile[0] / np.e) / (profile[first] - profile[first + 1])
    return max(1.0, float(first + step))


def distance(shape: tuple[int, ...]) -> Array:
    """Return the length of each shift around the torus, pixels."""
    rows, columns = (np.minimum(np.arange(n), n - np.arange(n)) for n in shape)
    return np.asarray(np.hypot(rows[:, None], columns[None, :]))
