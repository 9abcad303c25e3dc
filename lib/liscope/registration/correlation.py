"""Pearson's correlation of two maps with gaps at all shifts at once, by Fourier transforms.

Normalised by the overlap, so that shifts with a small overlap are neither favoured nor punished for
it (D. Padfield, IEEE Trans. Image Process. 21, 2706 (2012), doi:10.1109/TIP.2011.2181402).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from liscope.registration.placement import Array, Field

Spectra = list[NDArray[np.complex64]]

_PAIRS = ((0, 0), (1, 0), (2, 0), (0, 1), (0, 2), (1, 1))


def spectra(image: Array, shape: tuple[int, int]) -> Spectra:
    """Return the transforms of where a map (y, x) has values, of these, and of their squares.

    Parameters
    ----------
    shape
        To which the map is padded with nothing.
    """
    valid = np.isfinite(image)
    filled = np.where(valid, image, 0.0)
    parts = (valid, filled, filled**2)
    return [np.asarray(fft.rfft2(part.astype(np.float32), shape, workers=-1)) for part in parts]


def correlation(still: Spectra, moving: Spectra, shape: tuple[int, int]) -> tuple[Array, Array]:
    """Return the correlation at each shift around a torus of that shape, and the pixels it has.

    Parameters
    ----------
    still, moving
        From :func:`spectra`; maps of zero mean and about unit variance, for single precision.
    """
    product = np.stack([still[i] * np.conj(moving[j]) for i, j in _PAIRS])
    n, sf, sff, sm, smm, sfm = fft.irfft2(product, shape, workers=-1).astype(np.float64)
    n = np.maximum(n, 1.0)
    spread = np.maximum(sff - sf**2 / n, 1e-6) * np.maximum(smm - sm**2 / n, 1e-6)
    return np.clip((sfm - sf * sm / n) / np.sqrt(spread), -0.999, 0.999), n


def averaged(values: Array, field: Field, points: Array, step: float) -> Array:
    """Return the map at points (..., 2: y, x; um) as pixels of ``step`` um see it; NaN: nothing."""
    valid = np.isfinite(values)
    blur = np.maximum(step / np.asarray(field.pixel) - 1, 0) / 2
    where = np.moveaxis(field.indices(points), -1, 0)
    weight, mean = (  # "constant" would drop a border pixel for the last bit of its coordinate
        ndimage.map_coordinates(
            ndimage.gaussian_filter(part, blur), where, order=1, mode="grid-constant"
        )
        for part in (valid.astype(float), np.where(valid, values, 0.0))
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight > 0.5, mean / weight, np.nan)


def square_points(field: Field, step: float) -> Array:
    """Return the middles (y, x, 2: y, x; um) of square pixels of ``step`` um over a field."""
    shape = np.maximum(np.floor(field.size / step + 1e-9).astype(int), 1)
    axes = [
        centre - n * step / 2 + step / 2 + step * np.arange(n)
        for centre, n in zip(field.centre, shape, strict=True)
    ]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1)
