"""Opens scanning-probe images of five instrument families as one labelled `xarray.Dataset`.

`read_scan` recognises the file by its first bytes. What it returns is the same for all:

- dims ``("y", "x")``; the coordinates are pixel centres in um, counted from the top-left corner
  of the picture as the vendor's own program shows it, y downwards. Retrace images and upward
  scans are turned into this frame.
- one variable a channel and direction, retrace with the suffix ``_retrace``, with ``units``,
  ``long_name``, ``direction`` and ``quantity`` in its attributes;
- the scan's bias, set-point, angle, centre and line time, and the file's own metadata as JSON,
  in the attributes of the Dataset.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import ModuleType

import xarray as xr

from liscope.errors import DataError, ReaderError
from liscope.readers import asylum, gwyddion, nanonis, nanoscope, park
from liscope.readers.common import guard, one_line

__all__ = ["channel", "read_scan"]

MAX_BYTES = 1 << 30  # a scan of 4096 x 4096 pixels with 8 channels has half of it

_READERS = (gwyddion, nanoscope, asylum, nanonis, park)
_KNOWN = ".gwy, .spm/.000, .ibw, .sxm, Park .tiff"


def read_scan(path: str | os.PathLike[str]) -> xr.Dataset:
    """Return the scan in a Gwyddion, NanoScope, Asylum, Nanonis or Park file.

    Parameters
    ----------
    path
        The file; its content decides on the reader, its name does not.

    Returns
    -------
    xarray.Dataset
        Channels with dims ``("y", "x")``, as the package's docstring describes.

    Raises
    ------
    ReaderError
        If the file is missing, damaged, of another format, or holds no image.
    """
    raw, name = _bytes(Path(path)), Path(path).name
    reader = _reader(raw, name)
    with guard(name, reader.FORM):
        scan: xr.Dataset = reader.read(raw)
    history = f"read from {one_line(name)} by {scan.attrs['history']}"
    for array in scan.data_vars.values():
        array.attrs["history"] = history  # a channel keeps its origin when it is taken out
    return scan.assign_attrs(source=one_line(name), format=reader.FORM, history=history)


def channel(scan: xr.Dataset, quantity: str, direction: str = "trace") -> xr.DataArray:
    """Return the first channel of `scan` that holds `quantity` in `direction`.

    Raises
    ------
    DataError
        If there is none; the message lists what there is.
    """
    for array in scan.data_vars.values():
        if (array.attrs.get("quantity"), array.attrs.get("direction")) == (quantity, direction):
            return array
    source = scan.attrs.get("source", "the scan")
    found = [(a.attrs.get("quantity"), a.attrs.get("direction")) for a in scan.data_vars.values()]
    others = ", ".join(sorted({f"'{way}'" for what, way in found if what == quantity}))
    if others:
        why = f"no {quantity} in direction '{direction}'; it has direction {others}"
    else:
        why = f"no {quantity} channel; it has " + ", ".join(
            f"{name} ({what})" for name, (what, _) in zip(scan.data_vars, found, strict=True)
        )
    raise DataError(one_line(f"'{source}' has {why}"))


def _bytes(path: Path) -> bytes:
    """Return the file's content, of a regular file of sane size only."""
    try:
        if not path.is_file():
            raise ReaderError(one_line(f"'{path.name}' is no file; check the path"))
        size = path.stat().st_size
        if not 0 < size <= MAX_BYTES:
            what = "is empty" if not size else f"has {size} bytes, too many for a scan"
            raise ReaderError(one_line(f"'{path.name}' {what}; copy it again"))
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ReaderError(one_line(f"'{path.name}' cannot be opened: {reason}")) from None


def _reader(raw: bytes, name: str) -> ModuleType:
    """Return the reader whose magic the content begins with."""
    for reader in _READERS:
        if raw.startswith(reader.STARTS):
            return reader
    for reader in _READERS:
        if any(re.search(suffix + "$", name, re.IGNORECASE) for suffix in reader.SUFFIXES):
            raise ReaderError(
                one_line(f"'{name}' does not begin as a {reader.FORM} file does; copy it again")
            )
    raise ReaderError(
        one_line(f"'{name}' is none of the known scan formats ({_KNOWN}); export it as .gwy")
    )
