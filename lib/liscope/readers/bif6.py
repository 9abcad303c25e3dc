"""BIF6 images, ``.bif6``, as ION-TOF SurfaceLab and ULVAC-PHI programs export them.

Little-endian: two zero bytes, "BIF6", and as 16-bit integers the number of peaks and the pixels
along x and y. Each peak follows with its number (32 bits), the lower limit, the centre and the
upper limit of its mass window (32-bit floats, u), and its counts as 32-bit integers, row by row.
Peak 0 is the total. The bottom row comes first, as in both makers' other formats (pySPM turns the
images over as well). The file tells neither names nor the size of the raster: peaks are named by
their centre, and coordinates are in pixels (see `liscope.readers.with_field`).

No public file was found; the layout is that of two published readers (pybif6 and tofsims).
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from liscope.errors import ReaderError
from liscope.readers.common import NAN, sides, take
from liscope.readers.ions import dataset

FORM = "BIF6"
STARTS = (b"\0\0BIF6",)
SUFFIXES = (r"\.bif6?",)


def read(raw: bytes) -> xr.Dataset:
    """Return the images in the bytes `raw`."""
    count, width, height = (int(n) for n in take(raw, 6, 3, "<u2"))
    nx, ny = sides(width, height)
    peak = np.dtype([("id", "<u4"), ("window", "<f4", 3), ("counts", "<u4", (ny, nx))])
    peaks = take(raw, 12, count, peak)
    windows = peaks["window"].astype(float)
    if not (np.diff(windows, axis=1) >= 0).all():  # NaN is refused as well
        raise ReaderError("has mass windows that are none; it is damaged or of another version")
    totals = peaks["id"] == 0
    return dataset(
        peaks["counts"][:, None, ::-1].astype(np.int64),
        ["total" if t else f"{w[1]:.2f} u" for t, w in zip(totals, windows, strict=True)],
        np.where(totals, NAN, windows[:, 1]),
        (NAN, NAN),
        {"history": __name__},
        {"windows": windows.tolist()},
    )
