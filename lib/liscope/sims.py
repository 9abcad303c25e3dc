"""Ions as they are counted: dead time, and what few counts allow to say.

Source: T. Stephan, J. Zehnpfenning, A. Benninghoven, J. Vac. Sci. Technol. A 12, 405 (1994),
doi:10.1116/1.579255.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError
from liscope.history import noted

WATCH, UNRELIABLE = 0.1, 0.5  # counts per shot: advice, not a standard


def summed(ions: xr.Dataset, names: list[str], without: list[str] | None = None) -> xr.DataArray:
    """Return the counts (y, x) of the named ions together, less others, over all frames.

    Parameters
    ----------
    ions
        As :func:`liscope.readers.read_ions` returns them.
    names, without
        Ions as the file names them. ``without`` is for a sum that the file holds, such as "total".

    Raises
    ------
    DataError
        If an ion is not in the file; the message lists what is.
    """
    for name in [*names, *(without or [])]:
        if name not in ions.ion.to_numpy():
            there = ", ".join(map(str, ions.ion.to_numpy()[:12]))
            raise DataError(f"no ion '{name}' in '{ions.attrs.get('source', 'the file')}': {there}")
    counts = ions.counts.sum("frame") if "frame" in ions.counts.dims else ions.counts
    total = counts.sel(ion=names).sum("ion").astype(float)
    if without:
        total = total - counts.sel(ion=without).sum("ion")
    label = " + ".join(names) + "".join(f" - {name}" for name in without or [])
    return noted(total.rename(label), ions.counts, f"summed to {label}")


def dead_time_corrected(counts: xr.DataArray, shots: int) -> xr.DataArray:
    """Return the ions that arrived, ``-N ln(1 - n / N)``, where a shot counts one at most.

    Parameters
    ----------
    counts
        Ions of one kind counted in each pixel.
    shots
        Shots N per pixel. Pixels in which every shot counted an ion become infinite.

    Raises
    ------
    DataError
        If a pixel has more counts than shots.
    """
    most = float(counts.max())
    if not shots > 0 or most > shots:
        raise DataError(
            f"{most:g} counts in a pixel of {shots} shots: is the number of shots right?"
        )
    with np.errstate(divide="ignore"):
        arrived = -shots * np.log1p(-counts.to_numpy() / shots)
    return noted(counts.copy(data=arrived), counts, f"dead time corrected, {shots} shots a pixel")


def saturation_table(counts: xr.DataArray, shots: int) -> pd.DataFrame:
    """Return how near to one ion a shot a map of counts (y, x) comes, and what that costs."""
    arrived = dead_time_corrected(counts, shots).to_numpy()
    share = counts.to_numpy() / shots
    finite = np.isfinite(arrived)
    rows = {
        "ions_per_pixel": float(counts.mean()),
        "highest_counts_per_shot": float(share.max()),
        "pixels_to_watch_percent": 100 * float((share > WATCH).mean()),
        "pixels_unreliable_percent": 100 * float((share > UNRELIABLE).mean()),
        "missed_by_dead_time_percent": 100
        * float(1 - counts.to_numpy()[finite].sum() / arrived[finite].sum()),
    }
    return pd.DataFrame({"value": rows})


def split_half(counts: xr.DataArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return two independent measurements of half the dose, by dividing each count at random.

    Binomial thinning of Poisson counts gives two independent Poisson counts.

    Raises
    ------
    DataError
        If the counts are not whole numbers, as after a correction.
    """
    whole = counts.to_numpy()
    if not np.allclose(whole, np.round(whole)):
        raise DataError(f"'{counts.name}' has no whole counts: give them as they were counted")
    one = np.random.default_rng(0).binomial(whole.astype(np.int64), 0.5)
    return one, whole.astype(np.int64) - one
