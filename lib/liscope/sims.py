"""Ions as they are counted: dead time, and what few counts allow to say.

Source: T. Stephan, J. Zehnpfenning, A. Benninghoven, J. Vac. Sci. Technol. A 12, 405 (1994),
doi:10.1116/1.579255.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

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
        If an ion is not in the file (the message lists what is), or the field has no size.
    """
    if ions.x.attrs.get("units") == "pixel":
        file = ions.attrs.get("source", "the file")
        raise DataError(f"'{file}' does not say how wide its field is: give the width in um")
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


def saturation_table(ions: xr.Dataset, names: list[str], shots: int) -> pd.DataFrame:
    """Return, for each ion, how near to one a shot it comes in some pixels, and what that costs.

    Parameters
    ----------
    ions
        As :func:`liscope.readers.read_ions` returns them, not yet corrected for dead time.
    names
        Ions as the file names them.
    shots
        Shots per pixel and frame.
    """
    frames = ions.sizes.get("frame", 1)
    rows = {name: _saturation(summed(ions, [name]), shots * frames) for name in names}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("ion")


def _saturation(counts: xr.DataArray, shots: int) -> dict[str, float]:
    seen, arrived = counts.to_numpy(), dead_time_corrected(counts, shots).to_numpy()
    finite, share = np.isfinite(arrived), seen / shots
    missed = 1 - seen[finite].sum() / max(arrived[finite].sum(), 1e-9)
    return {
        "ions_per_pixel": float(seen.mean()),
        "highest_counts_per_shot": float(share.max()),
        "pixels_to_watch_percent": 100 * float((share > WATCH).mean()),
        "pixels_unreliable_percent": 100 * float((share > UNRELIABLE).mean()),
        "missed_by_dead_time_percent": 100 * float(missed),
    }
