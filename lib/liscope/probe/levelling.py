"""Levelling of height images: the sample's tilt and the steps between scan lines."""

from __future__ import annotations

import numpy as np
import xarray as xr

from liscope.errors import DataError
from liscope.history import noted
from liscope.statistics import Mask


def plane(height: xr.DataArray, where: Mask | None = None) -> xr.DataArray:
    """Return ``height`` (y, x) less the least-squares plane of the finite pixels ``where``.

    Raises
    ------
    DataError
        If there is no such pixel.
    """
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in height.shape), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y], -1)
    values = height.to_numpy().astype(float)
    valid = np.isfinite(values) if where is None else where & np.isfinite(values)
    if not valid.any():
        raise DataError(f"'{height.name}' has no finite pixel to level by")
    weights, *_ = np.linalg.lstsq(terms[valid], values[valid], rcond=None)
    return noted(height.copy(data=values - terms @ weights), height, "plane subtracted")


def lines(height: xr.DataArray) -> xr.DataArray:
    """Return ``height`` (y, x) without steps between scan lines.

    Each line is shifted by the median of its differences to the line before, which a grain or a
    particle does not move as a mean would. The summed medians leave a slow trend, which is a
    plane's business: level with :func:`plane` afterwards.
    """
    values = height.to_numpy().astype(float)
    differences = np.diff(values, axis=0)
    seen = np.isfinite(differences).any(1)  # a scan that was stopped has lines without a value
    steps = np.zeros(len(differences))
    steps[seen] = np.nanmedian(differences[seen], axis=1)
    offset = np.concatenate([[0.0], np.cumsum(steps)])
    levelled = values - offset[:, None]
    return noted(height.copy(data=levelled), height, "scan lines aligned by median of differences")


def level(height: xr.DataArray) -> xr.DataArray:
    """Return ``height`` (y, x) with line steps and plane removed, around a mean of zero."""
    return plane(lines(plane(height)))
