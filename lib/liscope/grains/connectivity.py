"""Which part of the film no chain of touching grains connects to the current collector.

Such grains can take no part in cycling. A section shows fewer contacts than the solid has: two
grains that are apart in it may touch in front of it or behind. What is unconnected here is
therefore an upper bound of what is unconnected in the film.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy import ndimage

from liscope import statistics
from liscope.conventions import AMORPHOUS, EMPTY
from liscope.errors import DataError
from liscope.grains.disorientation import Mask
from liscope.grains.maps import Pixels, pixels_of
from liscope.grains.shares import Share, of_estimate
from liscope.grains.table import label_of

EDGES: dict[str, tuple[int | slice, int | slice]] = {
    "top": np.s_[0, :],
    "bottom": np.s_[-1, :],
    "left": np.s_[:, 0],
    "right": np.s_[:, -1],
}
HIDDEN = "a section hides contacts before and behind it: an upper bound for the film"


@dataclass(frozen=True)
class Connectivity:
    """What is connected to the collector.

    ``image`` (y, x) is 0 outside the film's grains, 1 where they are connected, 2 where not.
    ``share`` is the unconnected part of the grains' area. ``bridged`` is the same if every pixel
    that is not known connected its neighbours. ``grains`` is how many are unconnected.
    """

    image: xr.DataArray
    share: Share
    bridged: Share
    grains: int
    hides: str = HIDDEN


def connectivity(
    orientations: xr.Dataset,
    label: xr.DataArray,
    table: pd.DataFrame,
    film: str,
    collector: str,
) -> Connectivity:
    """Return which grains of the film hang together with the collector, pixel edge by pixel edge.

    Intervals are from blocks of the map; NaN where it holds fewer than five.

    Parameters
    ----------
    film
        Phase whose grains conduct.
    collector
        Phase of the collector, or the edge of the map beyond which it lies: ``top``, ``bottom``,
        ``left`` or ``right``.

    Raises
    ------
    DataError
        If the map shows no grain of the film, or nothing of the collector.
    ParameterError
        If there is no such phase.
    """
    pixels = pixels_of(orientations)
    grain = label_of(label, pixels)
    pixels.number(film)
    grains = np.append(False, (table["phase"] == film).to_numpy())[grain]
    if not grains.any():
        raise DataError(f"the map shows no grain of '{film}'")
    touching = _touching(pixels, collector)
    reached = _reached(grains, touching)
    unknown = (grain == 0) & (pixels.phase != AMORPHOUS) & (pixels.phase != EMPTY)
    bridged = _reached(grains | unknown, touching) & grains
    image = np.where(grains, np.where(reached, 1, 2), 0).astype(np.int8)
    found = label.transpose("y", "x").copy(data=image).rename("connection")
    found.attrs = {
        "flag_values": [0, 1, 2],
        "flag_meanings": "elsewhere connected unconnected",
        "comment": HIDDEN,
    }
    apart = np.unique(grain[grains & ~reached]).size
    shares = [_share(grains, kept, len(table)) for kept in (reached, bridged)]
    return Connectivity(found, shares[0], shares[1], apart)


def _touching(pixels: Pixels, collector: str) -> Mask:
    """Return the pixels that are, or lie at, the collector."""
    mask = np.zeros(pixels.phase.shape, dtype=bool)
    if collector in EDGES:
        mask[EDGES[collector]] = True
        return mask
    mask = pixels.phase == pixels.number(collector)
    if not mask.any():
        raise DataError(f"the map shows nothing of the collector '{collector}'; name an edge")
    return np.asarray(ndimage.binary_dilation(mask))


def _reached(mask: Mask, touching: Mask) -> Mask:
    part, _ = ndimage.label(mask)
    seen = np.unique(part[touching & mask])
    return np.asarray(np.isin(part, seen[seen > 0]))


def _share(grains: Mask, reached: Mask, count: int) -> Share:
    apart = np.where(grains, ~reached, 0.0).astype(float)
    if not 0 < apart.sum() < grains.sum():  # nothing scatters: blocks of the grains' own size
        every = statistics.Estimate(float(apart.sum() > 0), 0.0, count - 1)
        return of_estimate(every, count)
    return of_estimate(statistics.mean(apart, grains), count)
