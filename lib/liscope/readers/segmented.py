"""Segmented volumes of other programs: a label in each voxel, as a TIFF of several pages.

Labels are whole numbers and mean what the program that wrote them says; the file knows no names and
often no size. The pages stay in the file until they are asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from liscope.errors import ReaderError

FORM = "segmented TIFF"
STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
SUFFIXES = (r"\.tiff?",)
MAX_VOXELS, MAX_PIXELS = 1 << 36, 1 << 27  # altogether, and in a page


def read_path(path: Path) -> xr.Dataset:
    """Return the labels, ``label`` (z, y, x), in pixels, lazily.

    Raises
    ------
    ReaderError
        If the pages differ in size, hold no whole numbers, or are shorter than they declare.
    """
    import dask.array as da
    import tifffile

    with tifffile.TiffFile(path, is_ome=False) as file:
        series = file.series[0]
        shape, kind, axes = series.shape, series.dtype, series.axes
        pages = len(file.pages)
        ends = [
            start + count
            for page in file.pages
            for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)
        ]
    if len(shape) != 3 or kind is None or kind.kind not in "iub" or axes[-2:] != "YX":
        raise ReaderError(f"holds {kind} of shape {shape}, no labels (z, y, x)")
    if (
        shape[1] * shape[2] > MAX_PIXELS
        or int(np.prod(shape)) > MAX_VOXELS
        or pages != shape[0]
        or max(ends) > path.stat().st_size
    ):
        raise ReaderError(f"declares {shape} labels, which are not there; copy it again")
    read = [da.from_delayed(_page(path, z), shape[1:], kind) for z in range(shape[0])]
    label = xr.DataArray(da.stack(read), dims=("z", "y", "x"))
    pixels = {
        dim: (dim, np.arange(count) + 0.5, {"units": "pixel"})
        for dim, count in zip("zyx", shape, strict=True)
    }
    return xr.Dataset({"label": label}, pixels, {"history": __name__})


def _page(path: Path, number: int) -> Any:
    import tifffile
    from dask.delayed import delayed

    return delayed(tifffile.imread, pure=True)(path, key=number, is_ome=False)
