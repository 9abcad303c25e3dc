"""The current amplifier: offset, noise floor, clipping, and the sign of the current."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage, optimize, special

from liscope.errors import DataError
from liscope.history import noted
from liscope.units import to_units

FLOOR_SHARE = 0.2  # share of the pixels among which those without current are looked for
FLANK_END = 0.0  # standard deviations from the centre up to which noise alone decides
AS_NOISE = 3.0  # times as wide as the noise says; twice, if noise is alike in neighbouring pixels
CLIPPED_TOGETHER = 3  # so many pixels at exactly the extreme value are no coincidence


@dataclass(frozen=True)
class Amplifier:
    """What a map says about the amplifier that recorded it; all in nA.

    ``offset`` and ``noise`` are NaN where too few pixels carry no current to tell them; then
    ``offset_error`` is the smallest current that the map holds, since no offset can be larger.
    ``ceiling`` is the value at which the amplifier clips, infinite where nothing is clipped.
    """

    offset: float
    offset_error: float
    noise: float
    ceiling: float
    saturated: float  # share of the pixels

    @property
    def reach(self) -> float:
        """The conduction (nA, without offset) from which on a pixel may have clipped."""
        return self.ceiling - float(np.nan_to_num(abs(self.offset)))


def amplifier(current: xr.DataArray) -> Amplifier:
    """Read offset, noise and clipping off a current map (y, x).

    The offset and the noise come from places that carry no current: below the mode of the smallest
    values noise alone decides the shape of the distribution, so a Gaussian is fitted to that flank
    (maximum likelihood of a truncated normal distribution).

    Raises
    ------
    DataError
        If the map has no units, or no finite pixel.
    """
    image = to_units(current, "nA").to_numpy()
    values = image[np.isfinite(image)]
    if not values.size:
        raise DataError(f"'{current.name}' has no finite pixel")
    ceiling = _ceiling(values)
    sign = 1.0 if values.max() + values.min() >= 0 else -1.0
    offset, error, noise = _floor(sign * image)
    return Amplifier(
        offset=sign * offset,
        offset_error=float(np.quantile(np.abs(values), 0.005)) if np.isnan(error) else error,
        noise=noise,
        ceiling=ceiling,
        saturated=float(np.mean(np.abs(values) >= ceiling)),
    )


def _ceiling(values: NDArray[np.float64]) -> float:
    extreme = np.abs(values).max()
    clipped = np.isclose(np.abs(values), extreme, rtol=1e-6, atol=0).sum()
    return float(extreme * (1 - 1e-6)) if clipped >= CLIPPED_TOGETHER else np.inf


def _floor(image: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return offset, its standard error and noise of places without current; NaN without any.

    Means over 3 x 3 pixels are three times quieter than pixels, so the places without current stand
    apart from those with little of it.
    """
    valid = np.isfinite(image)
    whole = ndimage.minimum_filter(
        valid, 3
    )  # a running mean would carry one NaN to all that follow
    if not whole.any():
        return np.nan, np.nan, np.nan
    means = ndimage.uniform_filter(np.where(valid, image, 0.0), 3, mode="reflect")
    smooth = means[whole]
    offset, width = _flank(np.sort(smooth))
    quiet = whole & (means < offset)
    noise = float(np.std((image - means)[quiet]) * np.sqrt(9 / 8))
    if not _is_a_floor(smooth, offset, width, noise):
        return np.nan, np.nan, np.nan
    # A flank fixes its centre about three times less sharply than both sides together would.
    return offset, float(3 * noise / np.sqrt(quiet.sum())), noise


def _half_sample_mode(ordered: NDArray[np.float64]) -> float:
    """Return the mode: the densest half, of that the densest half, and so on."""
    while len(ordered) > 3:
        half = (len(ordered) + 1) // 2
        start = int(np.argmin(ordered[half - 1 :] - ordered[: len(ordered) - half + 1]))
        ordered = ordered[start : start + half]
    return float(ordered.mean())


def _flank(ordered: NDArray[np.float64]) -> tuple[float, float]:
    """Return centre and width of the Gaussian whose lower flank the smallest values are."""
    centre = _half_sample_mode(ordered[: max(4, int(FLOOR_SHARE * len(ordered)))])
    width = float(np.sqrt(np.mean((centre - ordered[ordered <= centre]) ** 2)))
    for _ in range(4):
        edge = centre + FLANK_END * width
        centre, width = _truncated_normal(ordered[ordered <= edge], edge, centre, width)
    return centre, width


def _truncated_normal(
    flank: NDArray[np.float64], edge: float, centre: float, width: float
) -> tuple[float, float]:
    """Fit centre and width of a normal distribution that is seen only below ``edge``."""

    def cost(parameters: NDArray[np.float64]) -> float:
        z = (flank - parameters[0]) / np.exp(parameters[1])
        unseen = special.log_ndtr((edge - parameters[0]) / np.exp(parameters[1]))
        return float(np.mean(z**2 / 2) + parameters[1] + unseen)

    simplex = [
        [centre, np.log(width)],
        [centre + width / 5, np.log(width)],
        [centre, np.log(width) + 0.2],
    ]
    fit = optimize.minimize(
        cost, simplex[0], method="Nelder-Mead", options={"initial_simplex": simplex}
    )
    return float(fit.x[0]), float(np.exp(fit.x[1]))


def _is_a_floor(means: NDArray[np.float64], centre: float, width: float, noise: float) -> bool:
    """Tell whether the places around ``centre`` carry no current, rather than little.

    A floor is narrow against the currents, lies around zero, and means over nine pixels vary there
    by a third of what pixels do. A film that conducts everywhere has a lower flank too, but one
    that is as wide as its grains differ. A map that is floor for the most part cannot be told from
    one in which a feedback holds the current.
    """
    typical = np.median(means) - centre
    return bool(
        noise < 0.25 * abs(typical) and abs(centre) < abs(typical) and 3 * width < AS_NOISE * noise
    )


def conduction(current: xr.DataArray, offset: float, bias: float, bias_side: str) -> xr.DataArray:
    """Return the current (nA) without offset, positive where it flows with the bias.

    Neither the sign convention of the amplifier nor the side to which the bias is applied changes
    what is returned: the current through a passive film has the sign of its voltage, so the sign
    that most of the current has is called positive. The sample's voltage against the tip is noted.

    Parameters
    ----------
    current
        (y, x), with units of a current.
    offset
        nA; NaN (cannot tell) subtracts nothing.
    bias
        V, as applied to ``bias_side`` ("sample", "tip" or "unknown").

    Raises
    ------
    DataError
        If ``bias`` is zero or not known, or ``bias_side`` is none of the three.
    """
    if not np.isfinite(bias) or bias == 0:
        raise DataError(f"bias is {bias:g} V: conduction needs the voltage of the map; give it")
    if bias_side not in ("sample", "tip", "unknown"):
        raise DataError(f"bias_side is '{bias_side}': it is 'sample', 'tip' or 'unknown'")
    values = to_units(current, "nA") - (0.0 if np.isnan(offset) else offset)
    sign = 1.0 if float(values.sum()) >= 0 else -1.0
    sample_bias = {"sample": bias, "tip": -bias, "unknown": np.nan}[bias_side]
    step = f"offset {offset:.4g} nA subtracted, sign {sign:+.0f}"
    attrs = {"units": "nA", "sample_bias": sample_bias, "quantity": "current"}
    return noted((sign * values).assign_attrs(attrs), current, step)
