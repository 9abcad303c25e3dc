"""ION-TOF SurfaceLab 6 measurements, ``.ita`` and ``.itm``, through the optional package pySPM.

pySPM reads the block structure, which its author found by reverse engineering. From an ``.ita``
come the stored images of the peaks, summed over all scans; from an ``.itm``, which holds raw ions
only, the images are put together from the file's own peak list (slow). Peaks are named by their
assignment, else their description, else their mass. Row 0 of the stored images is the bottom.

No public file was found: the adapter is tested against a stand-in with pySPM's interface (0.6.3),
not against data. SurfaceLab 7 files (.itax, .itmx) have another structure: export BIF6 or ASCII.
"""

from __future__ import annotations

import contextlib
import io
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import ReaderError
from liscope.readers.common import NAN
from liscope.readers.ions import dataset

FORM = "ION-TOF .ita/.itm"
STARTS = (b"ITStrF01",)
SUFFIXES = (r"\.it[ams]",)


def read_path(path: Path) -> xr.Dataset:
    """Return the images of the peaks of the file's own list."""
    stored = path.suffix.lower() == ".ita"
    with contextlib.redirect_stdout(io.StringIO()):  # it prints where it should raise
        pyspm = _pyspm()
        measurement = (pyspm.ITA if stored else pyspm.ITM)(str(path))
        peaks = measurement.get_masses()
        if not peaks:
            raise ReaderError("has no list of peaks; make one in SurfaceLab, or export the images")
        images = _stored(measurement, peaks) if stored else _summed(measurement, peaks)
    real = measurement.size["real"]  # m
    return dataset(
        images[:, None, ::-1],
        [_name(peak) for peak in peaks],
        [NAN if _name(peak) == "total" else peak["cmass"] for peak in peaks],
        (1e6 * real["x"], 1e6 * real["y"]),
        {
            "polarity": str(measurement.polarity).lower(),
            "shots_per_pixel": float(measurement.spp),
            "history": __name__,
        },
        {"peaks": peaks, "scans": measurement.Nscan},
    )


def _pyspm() -> Any:
    try:
        return import_module("pySPM")
    except ImportError:
        raise ReaderError(
            "needs the package pySPM: pip install 'liscope[iontof]' (Python before 3.13), "
            "or export the images as BIF6 or ASCII"
        ) from None


def _stored(measurement: Any, peaks: list[dict[str, Any]]) -> NDArray[Any]:
    """Return the images of an .ita; newer files know a peak by its serial number."""
    missing = import_module("pySPM.Block").MissingBlockError
    images = []
    for peak in peaks:
        try:
            images.append(measurement.get_added_image_by_SN(peak["SN"], raw=True))
        except missing:
            images.append(measurement.get_added_image(peak["id"]))
    return np.stack(images)


def _summed(measurement: Any, peaks: list[dict[str, Any]]) -> NDArray[Any]:
    """Return the images of an .itm, summed from its raw ions."""
    made = measurement.reconstruct([(peak["lmass"], peak["umass"]) for peak in peaks])
    return np.stack([image.pixels for image in (made if isinstance(made, list) else [made])])


def _name(peak: dict[str, Any]) -> str:
    return peak["assign"] or peak["desc"] or f"{peak['cmass']:.2f} u"
