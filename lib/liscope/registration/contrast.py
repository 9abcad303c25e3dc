"""What of a map is compared with another: counts, currents and heights on scales that suit them."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import ndimage

from liscope.errors import DataError
from liscope.history import noted
from liscope.registration.placement import Array, Field

FWHM = float(np.sqrt(8 * np.log(2)))  # of a Gaussian, in standard deviations
AROUND = 5.0  # beams: surroundings out of which a height stands


def contrast(image: xr.DataArray, floor: float = 0.0) -> xr.DataArray:
    """Return a map (y, x) on the scale on which it is compared, by its attribute ``quantity``.

    Counts become ``2 sqrt(n + 3/8)``, whose noise is the same everywhere (F. J. Anscombe,
    Biometrika 35, 246 (1948), doi:10.1093/biomet/35.3-4.246); currents their decadic logarithm,
    with the amplifier's ``floor`` (nA) under it; everything else stays.

    Raises
    ------
    DataError
        If counts are negative, or currents have no positive value.
    """
    quantity = image.attrs.get("quantity")
    if quantity == "counts":
        if float(image.min()) < 0:
            raise DataError(f"'{image.name}' has negative counts: give raw counts")
        return noted(2 * (image + 0.375) ** 0.5, image, "2 sqrt(n + 3/8)")
    if quantity == "current":
        least = floor if floor > 0 else _smallest(image)
        values = np.log10(np.maximum(image.to_numpy(), least))
        return noted(image.copy(data=values), image, f"log10, floor {least:.3g} nA")
    return image


def _smallest(image: xr.DataArray) -> float:
    positive = image.to_numpy()[image.to_numpy() > 0]
    if not positive.size:
        raise DataError(f"'{image.name}' has no positive current: is its sign right?")
    return float(np.quantile(positive, 0.05))


def blurred(image: xr.DataArray, width: float) -> xr.DataArray:
    """Return a map (y, x) as a Gaussian beam of full width ``width`` (um) at half maximum sees it.

    Pixels without a value take no part in the means, and stay without.
    """
    pixel = np.asarray(Field.of(image).pixel)
    values = smooth(image.to_numpy(), width / FWHM / pixel)
    return noted(image.copy(data=values), image, f"smoothed to {1000 * width:.3g} nm")


def standing_out(height: xr.DataArray, beam: float) -> xr.DataArray:
    """Return by how much each place (y, x) stands out of its surroundings, as a beam sees it.

    From places that stand out a sputter cascade sets more ions free, so this rather than the
    height itself corresponds to a map of all ions. Extremes are cut at three standard deviations.

    Parameters
    ----------
    beam
        Full width of the ion beam at half maximum, um; the surroundings are five times as wide.
    """
    pixel = np.asarray(Field.of(height).pixel)
    sharp, around = (smooth(height.to_numpy(), beam * k / FWHM / pixel) for k in (1, AROUND))
    above = sharp - around
    reach = 3 * np.nanstd(above)
    values = np.clip(above, -reach, reach)
    step = f"less its mean over {1000 * AROUND * beam:.0f} nm"
    return noted(height.copy(data=values).assign_attrs(quantity="relief"), height, step)


def smooth(values: Array, sigma: Array) -> Array:
    """Return a Gaussian mean (standard deviation in pixels) of the pixels that have a value."""
    valid = np.isfinite(values)
    weight = ndimage.gaussian_filter(valid.astype(float), sigma)
    mean = ndimage.gaussian_filter(np.where(valid, values, 0.0), sigma)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(valid, mean / weight, np.nan)
