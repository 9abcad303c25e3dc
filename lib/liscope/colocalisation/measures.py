"""How two maps correspond, in the numbers that the field uses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from skimage.filters import threshold_otsu

from liscope.errors import DataError
from liscope.registration import Placement, blurred, contrast, onto
from liscope.registration.placement import Array, Field
from liscope.statistics import Mask

WIDEST = 0.1  # of the field, to which counts may be averaged for that
COLLECTED = 12.0  # counts that a place must collect before it is called rich or poor


@dataclass(frozen=True)
class Thresholds:
    """From where on a place is called conductive, and rich in lithium.

    ``current`` is in nA, of the typical current over the ion beam; ``counts`` per pixel, of counts
    averaged over ``width`` (um, full width at half maximum).
    """

    current: float
    counts: float
    width: float


@dataclass(frozen=True)
class Pair:
    """Counts and current (nA) on one grid (y, x); NaN takes no part.

    ``current`` is the mean over the ion beam and ``typical`` the geometric mean, which does not
    smear a place that conducts a thousand times better over its surroundings. ``smooth`` holds the
    counts averaged over the width at which they are called rich or poor.
    """

    counts: Array
    smooth: Array
    current: Array
    typical: Array
    field: Field

    @property
    def valid(self) -> Mask:
        """Pixels that both instruments measured."""
        return np.isfinite(self.counts) & np.isfinite(self.current)

    def masks(self, limits: Thresholds) -> tuple[Mask, Mask]:
        """Return where it is conductive, and where it is rich in lithium."""
        valid = self.valid
        conductive = valid & (np.where(valid, self.typical, -np.inf) > limits.current)
        return conductive, valid & (self.smooth > limits.counts)


def seen_by_beam(current: xr.DataArray, beam: float, floor: float = 0.0) -> xr.Dataset:
    """Return ``mean`` and ``typical`` (geometric mean) of a current (y, x; nA) over the ion beam.

    Parameters
    ----------
    beam
        Full width at half maximum, um.
    floor
        nA, of the amplifier: what is below counts as this in the geometric mean; 0: found.
    """
    typical = blurred(contrast(current, floor), beam)
    values = {
        "mean": blurred(current, beam),
        "typical": typical.copy(data=10 ** typical.to_numpy()),
    }
    return xr.Dataset(
        {name: image.drop_attrs().assign_attrs(current.attrs) for name, image in values.items()}
    )


def on_grid(seen: xr.Dataset, counts: xr.DataArray, placement: Placement) -> xr.Dataset:
    """Return what :func:`seen_by_beam` gives on the pixels of the counts."""
    return xr.Dataset({name: onto(image, counts, placement) for name, image in seen.items()})


def pair_of(counts: xr.DataArray, placed: xr.Dataset, limits: Thresholds) -> Pair:
    """Return counts (y, x) and what :func:`on_grid` gives as a pair."""
    smooth = blurred(counts, limits.width).to_numpy()
    mean, typical = (placed[name].to_numpy() for name in ("mean", "typical"))
    return Pair(counts.to_numpy(), smooth, mean, typical, Field.of(counts))


def thresholds(
    counts: xr.DataArray,
    placed: xr.Dataset,
    beam: float,
    given_current: float | None = None,
    given_counts: float | None = None,
) -> Thresholds:
    """Return thresholds: as given, or by Otsu's method on log current and on root counts.

    Counts are averaged over the beam, or over as much more as it takes for a rich place to collect
    some twelve of them: below that, noise alone would decide.

    Parameters
    ----------
    counts
        (y, x).
    placed
        The current on the same pixels, from :func:`on_grid`.
    beam
        Full width of the ion beam at half maximum, um.
    given_current, given_counts
        nA and counts per pixel; None: found.

    Raises
    ------
    DataError
        If there are fewer than a hundred pixels with both, no positive current, or too few counts.
    """
    typical = placed["typical"].to_numpy()
    both = np.isfinite(typical) & np.isfinite(counts.to_numpy())
    positive = typical[both & (typical > 0)]
    if positive.size < 100:
        raise DataError("fewer than 100 pixels have counts and a positive current")
    width = detection_width(counts, beam)
    if width > WIDEST * min(Field.of(counts).size):
        raise DataError(
            f"'{counts.name}' has {float(counts.mean()):.2g} counts per pixel, too few to tell "
            "rich places from poor ones; sum more ions or frames"
        )
    smooth = blurred(counts, width).to_numpy()[both]
    current_from = given_current or float(10 ** threshold_otsu(np.log10(positive)))
    counts_from = given_counts or float(threshold_otsu(np.sqrt(np.maximum(smooth, 0))) ** 2)
    return Thresholds(current_from, counts_from, width)


def detection_width(counts: xr.DataArray, beam: float) -> float:
    """Return the full width (um) over which the richest places collect enough counts."""
    pixel = Field.of(counts).pixel
    rich = float(np.nanquantile(blurred(counts, 3 * beam).to_numpy(), 0.98))
    # A Gaussian of full width w collects what falls on pi w2 / (2 ln 2) of even counts.
    collected = max(rich, 1e-9) * np.pi * beam**2 / (2 * np.log(2)) / (pixel[0] * pixel[1])
    return beam * float(np.sqrt(max(1.0, COLLECTED / collected)))


def measures(pair: Pair, limits: Thresholds, weight: Array | None = None) -> dict[str, float]:
    """Return the measures of correspondence of a pair.

    ``pearson`` and ``spearman`` are of the logarithm of the typical current, and counts.
    ``manders_lithium`` is the share of counts that lies where it is conductive (Manders' M1),
    ``manders_current`` the share of current that lies where there is lithium (M2); ``dice`` is the
    overlap of both kinds of places.
    ``area_conductive`` and ``area_lithium`` are what M1 and M2 would be without any relation.

    Parameters
    ----------
    weight
        (y, x), how often each pixel counts; None: once.

    Source: E. M. M. Manders et al., J. Microsc. 169, 375 (1993),
    doi:10.1111/j.1365-2818.1993.tb03313.x.
    """
    valid = pair.valid
    w = np.ones(valid.sum()) if weight is None else weight[valid]
    counts, current = pair.counts[valid], pair.current[valid]
    log = np.log10(pair.typical[valid])
    conductive, rich = (mask[valid] for mask in pair.masks(limits))
    carried = np.maximum(current, 0)
    both, one = w @ (conductive & rich), w @ conductive + w @ rich
    return {
        "pearson": _correlation(log, counts, w),
        "spearman": _correlation(_ranks(log, w), _ranks(counts, w), w),
        "manders_lithium": float(w @ (counts * conductive) / (w @ counts)),
        "manders_current": float(w @ (carried * rich) / (w @ carried)),
        "dice": float(2 * both / one) if one else np.nan,
        "area_conductive": float(w @ conductive / w.sum()),
        "area_lithium": float(w @ rich / w.sum()),
    }


def _correlation(a: Array, b: Array, w: Array) -> float:
    a, b = a - w @ a / w.sum(), b - w @ b / w.sum()
    scale = np.sqrt((w @ a**2) * (w @ b**2))
    return float(w @ (a * b) / scale) if scale > 0 else np.nan


def _ranks(values: Array, w: Array) -> Array:
    """Return weighted mid-ranks: equal values share the mean of their places."""
    _, inverse = np.unique(values, return_inverse=True)
    each = np.bincount(inverse, w)
    return np.asarray((np.cumsum(each) - each / 2)[inverse])
