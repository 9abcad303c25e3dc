"""TOFWERK fibTOF (FIB-SIMS), ``.h5``, read by rosettasciio: peaks over depth, y and x.

``counts`` has one frame a milled slice. The peaks are those of the file's own table: first the
nominal ones, which the program makes for each mass, then the user's, by mass. The raster is that
of the ion beam; the electron images in the same file are finer and are left aside. A file that the
program never integrated holds events but no peaks, and is refused.

rosettasciio's authors describe the format from files; no public file of the instrument was found,
this reader was tried on the files of their generator.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dask.array as da
import h5py
import numpy as np
import xarray as xr

from liscope.errors import ReaderError
from liscope.readers.common import NAN
from liscope.readers.ions import dataset

FORM = "TOFWERK .h5"
LAZY = ("PeakData/PeakData", "FullSpectra/EventList")


def is_mine(file: h5py.File) -> bool:
    """Tell whether TOFWERK's TofDAQ wrote the file."""
    return "TofDAQ Version" in file.attrs


def read_path(path: Path) -> xr.Dataset:
    """Return the images of all peaks, lazily."""
    # here: it takes its time to load
    from rsciio import tofwerk  # type: ignore[import-untyped]

    signals = [s for s in tofwerk.available_signals(path) if str(s).endswith("peak_data")]
    with h5py.File(path, "r") as file:
        if "PeakData/PeakData" not in file or not signals:
            raise ReaderError("holds raw events but no peaks; integrate them in TOFWERK's program")
    found = tofwerk.file_reader(path, lazy=True, signal=signals)
    told = found[0]["metadata"]["Acquisition_instrument"]["FIB_SIMS"]
    axis = {axis["name"]: axis for axis in found[0]["axes"]}
    parts = [part["data"].transpose(3, 0, 1, 2) for part in found]
    counts = da.concatenate(parts)
    pixel = axis["x"].get("scale", NAN)
    mode = str(told["ToF"]["ion_mode"]).lower()
    return dataset(
        counts,
        [name for part in found for name in _labels(part)],
        np.concatenate([part["axes"][3]["axis"] for part in found]),
        (pixel * counts.shape[3], pixel * counts.shape[2]),
        {
            "polarity": mode if mode in ("positive", "negative") else "unknown",
            "history": __name__,
        },
        json.loads(json.dumps(told, default=str)),
    )


def _labels(part: dict[str, Any]) -> list[str]:
    """Return the labels of the peaks in the order of the images, which is by mass."""
    table = part["metadata"]["Signal"]["peak_table"]
    order = np.argsort([peak["mass"] for peak in table])
    return [str(table[i]["label"]) for i in order]
