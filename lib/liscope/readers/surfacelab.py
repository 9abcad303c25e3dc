"""ION-TOF SurfaceLab images exported as ASCII, ``.txt``: one file a peak.

Lines that begin with ``#`` come first, then (in some versions) a line of headings, then one line
a pixel: ``x y I``, or ``x y z I`` where the depth slices were kept::

    # Deadtime Correction: on
    0 0 12
    1 0 9

The files of one measurement are named ``<measurement> (<k>) - <peak>.txt``, with k counting the
peaks; they are read together from their folder, or from a list, in the order of k. Pixels count
from 0 or 1 and y upwards, as ION-TOF's other formats do: row 0 of the picture is the last y.

No public image of this kind was found. The layout is that of two published scripts which read it,
the header's ``# key: value`` that of real spectra and depth profiles of the same program. What the
header says of field of view, polarity, primary ions and shots is taken; a field of view must carry
its unit. Without one, or in words that are not understood (kept in ``left_aside``), the
coordinates are in pixels (see `liscope.readers.with_field`).
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import ReaderError
from liscope.readers.common import MAX_HEADER, NAN, number, one_line, quantity, sides, text
from liscope.readers.ions import MAX_IONS, dataset

FORM = "SurfaceLab image"
STARTS = (b"#",)
SUFFIXES = ()

_NAME = re.compile(r"(?P<measurement>.*?) \((?P<k>\d{1,6})\) - (?P<peak>.*)\.txt", re.IGNORECASE)
_NUMBER, _LENGTH = r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d\d?)?", r"[A-Za-z~\u00b5\u03bc]+"
_FIELD = re.compile(  # [number [unit] x] number unit[^2]
    rf"(?:(?P<width>{_NUMBER}) ?(?P<unit>{_LENGTH})? ?[x×*] ?)?"
    rf"(?P<height>{_NUMBER}) ?(?P<last>{_LENGTH})(?P<square>\^?2|²)?"
)
_MAX_BYTES = 1 << 29  # 4096 x 4096 pixels as text
_MAX_TOTAL = 1 << 31


@dataclass(frozen=True)
class Peak:
    """The file of one peak."""

    name: str
    header: dict[str, str]
    counts: NDArray[np.float64]  # (frame, y, x), row 0 at the top


def read_path(path: Path) -> xr.Dataset:
    """Return the image in one file."""
    return read_files([path])


def read_folder(folder: Path) -> xr.Dataset:
    """Return the images of the one measurement whose files lie in `folder`."""
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() == ".txt" and p.is_file())
    if not files:
        raise ReaderError("is a folder without SurfaceLab images (.txt); name a file")
    return read_files(files)


def read_files(files: Sequence[Path]) -> xr.Dataset:
    """Return the images of one measurement, a file a peak."""
    if len(files) > MAX_IONS or sum(file.stat().st_size for file in files) > _MAX_TOTAL:
        raise ReaderError(f"has {len(files)} files, too many or too large to hold in memory")
    peaks = list(_peaks(_ordered(files)))
    shapes = {peak.counts.shape for peak in peaks}
    if len(shapes) > 1:
        raise ReaderError(f"has images of different sizes: {sorted(shapes)}; read them apart")
    counts = np.stack([peak.counts for peak in peaks])
    header = peaks[0].header
    told = one_line(_value(header, r"field ?of ?view|raster ?size"))
    field = _field(told, counts.shape[-2:])
    return dataset(
        counts,
        [peak.name for peak in peaks],
        [_told(peak.header, r"mass|m/z") for peak in peaks],
        field,
        _attributes(header) | {"left_aside": "" if min(field) > 0 else told, "history": __name__},
        {peak.name: peak.header for peak in peaks},
    )


def _ordered(files: Sequence[Path]) -> list[Path]:
    """Return the files in the order of their numbers, if they are of one measurement."""
    named = [(file, _NAME.fullmatch(file.name)) for file in files]
    measurements = sorted({one_line(found["measurement"]) for _, found in named if found})
    if len(measurements) > 1:
        shown = ", ".join(f"'{name}'" for name in measurements[:4])
        raise ReaderError(f"has {len(measurements)} measurements ({shown}); give a folder to each")
    peaks = [found["peak"] for _, found in named if found]
    if twice := {peak for peak in peaks if peaks.count(peak) > 1}:
        raise ReaderError(f"has peak '{one_line(min(twice))}' twice; give each spot its folder")
    return [file for _, file in sorted((int(f["k"]) if f else 0, path) for path, f in named)]


def _peak(file: Path) -> Peak:
    if not 0 < file.stat().st_size <= _MAX_BYTES:
        raise ReaderError("is empty or too large; copy it again")
    header, numbers = _parts(text(file.read_bytes()))
    found = _NAME.fullmatch(file.name)
    return Peak(found["peak"] if found else file.stem, header, _image(numbers))


def _peaks(files: Sequence[Path]) -> Iterator[Peak]:
    for file in files:
        try:
            yield _peak(file)
        except ReaderError as error:
            # a single file is named by whoever called
            which = f"holds '{one_line(file.name)}', which " if len(files) > 1 else ""
            raise ReaderError(f"{which}{error}") from None


def _parts(written: str) -> tuple[dict[str, str], str]:
    """Return the header's entries, and the lines of numbers."""
    header: dict[str, str] = {}
    at = 0
    while written.startswith("#", at) or not re.match(r"\s*[-+\d]", written[at : at + 40]):
        end = written.find("\n", at)
        if end < 0 or end > MAX_HEADER:
            raise ReaderError("has no pixels behind its header; it is no image, or cut short")
        line = written[at:end]
        key, colon, value = line.lstrip("# ").partition(":")
        if colon:
            header[key.strip()] = value.strip()
        elif re.search(r"m/z|sputter|channel", line, re.IGNORECASE):
            raise ReaderError("is a SurfaceLab spectrum or depth profile, no image")
        at = end + 1
    return header, written[at:]


def _image(numbers: str) -> NDArray[np.float64]:
    """Return the pixels as (frame, y, x), row 0 at the top."""
    first = numbers[: numbers.find("\n")].split()
    if len(first) not in (3, 4):
        raise ReaderError(f"has {len(first)} columns, not 'x y I' or 'x y z I'; it is no image")
    table = pd.read_csv(io.StringIO(numbers), sep=r"\s+", header=None, dtype=float).to_numpy()
    places, counts = table[:, :-1], table[:, -1]
    low, high = places.min(axis=0), places.max(axis=0)
    if not (np.isfinite(table).all() and np.array_equal(places, np.rint(places))):
        raise ReaderError("has pixels without a whole number or counts; it is no image or damaged")
    nx, ny = sides(*(high - low + 1)[:2])
    nz, _ = sides((high - low + 1)[2] if len(first) == 4 else 1, 1)
    at = (places - low).astype(np.int64)
    if nx * ny * nz != len(table) or not np.isin(low, (0, 1)).all():
        raise ReaderError(f"has {len(table)} pixels, not {nx} x {ny} x {nz}; it is cut short")
    index = ((at[:, 2] if len(first) == 4 else 0) * ny + ny - 1 - at[:, 1]) * nx + at[:, 0]
    if np.bincount(index, minlength=1).max() > 1:
        raise ReaderError("has a pixel twice; copy it again")
    image = np.empty(len(table))
    image[index] = counts
    return image.reshape(nz, ny, nx)


def _value(header: Mapping[str, str], pattern: str) -> str:
    """Return the value of the first key in which `pattern` is found."""
    found = (v for k, v in header.items() if re.search(pattern, k, re.IGNORECASE))
    return next(found, "")


def _told(header: Mapping[str, str], pattern: str) -> float:
    return number(_value(header, pattern))


def _field(told: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Return width and height of the raster, um; NaN: not told, or not in one of these forms.

    "200 x 150 um", also with a unit to each or with "um^2"; "200 um", the width of square pixels;
    "500 um^2", an area of square pixels.
    """
    found = _FIELD.fullmatch(told)
    if not found:
        return NAN, NAN
    across, last = quantity(f"1 {found['unit'] or found['last']}", "um"), float(found["height"])
    down = quantity(f"1 {found['last']}", "um")
    if found["width"]:
        return float(found["width"]) * across, last * down
    ratio = shape[0] / shape[1]
    width = math.sqrt(last * down**2 / ratio) if found["square"] else last * down
    return width, width * ratio


def _attributes(header: Mapping[str, str]) -> dict[str, Any]:
    corrected = _value(header, r"dead ?time").lower()
    polarity = _value(header, r"polarity").lower()[:3]
    return {
        "polarity": {"pos": "positive", "neg": "negative"}.get(polarity, "unknown"),
        "primary_beam": one_line(_value(header, r"primary ion|lmig")) or "unknown",
        "shots_per_pixel": _told(header, r"shots? ?(per|/) ?pixel"),
        "dead_time_corrected": {"on": "yes", "off": "no"}.get(corrected, "unknown"),
    }
