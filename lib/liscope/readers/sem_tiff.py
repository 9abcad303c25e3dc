"""Pictures of electron microscopes, ``.tif``: FEI/Thermo Fisher, Zeiss, ImageJ, or no scale.

tifffile reads all of them, and the vendors' own tags. RosettaSciIO's reader gives the width of a
pixel to the rows and its height to the columns; it is not used. A resolution in dots per inch is
the printer's and is left aside.

Pages of one size are slices. Pages are read when they are asked for.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError, ReaderError
from liscope.readers import slice_files
from liscope.readers.common import MAX_SIDE, NAN, guard, number, readable_units
from liscope.readers.eds import Measured, Picture, dataset, later
from liscope.readers.rosetta_checks import walk
from liscope.units import factor

FORM = "SEM .tif"
STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
SUFFIXES = (r"\.tiff?",)

_MAX_PAGE = 1 << 30  # bytes
_MAX_PAGES = 100_000
_LOSSLESS = (1, 5, 8, 32946, 32773)  # as it is, LZW, deflate, PackBits
_PACKED = -1  # for the place of pixels that are


def read_path(path: Path) -> xr.Dataset:
    """Return the picture, or the stack of pictures, lazily."""
    with tifffile.TiffFile(path, is_ome=False) as tiff:  # OME-XML may name other files
        if not tiff.series:
            raise ReaderError("holds no picture; copy it again")
        series: Any = tiff.series[0]
        shape = _shape(series)
        _check(tiff, series, path.stat().st_size)
        place = _PACKED if series.pages[0].compression != 1 else series.dataoffset
        kind = np.dtype(series.dtype).newbyteorder(tiff.byteorder)
        told = next((tell(tiff) for flag, tell in _VENDORS if flag in tiff.flags), _Told(form=FORM))
        count = shape[0] if len(shape) == 3 else 1
        numbers = [*range(count)] if (place or 0) > 0 else [page.index for page in series.pages]
        aside = len(tiff.series) - 1
    step, attrs, metadata = told["step"], told["attrs"], told["metadata"]
    data = _pages(path, numbers, shape, kind, place)
    found = Measured(
        step,
        pictures=(Picture("image", data if len(shape) == 3 else data[0], step),),
        slices=tuple(range(shape[0])) if len(shape) == 3 else (),
    )
    whole = dataset(found, _defaults() | attrs, metadata, __name__)
    return whole.assign_attrs(format=told["form"], left_aside=f"{aside} images" if aside else "")


class _Told(dict[str, Any]):
    """What a vendor's tags tell: step (y, x) in um, attrs, metadata, and the form's name."""

    def __init__(self, form: str, step: tuple[float, float] = (NAN, NAN), **attrs: Any) -> None:
        metadata = attrs.pop("metadata", {})
        super().__init__(form=form, step=step, attrs=attrs, metadata=metadata)


def _defaults() -> dict[str, Any]:
    """Return what a file may tell, as if it told nothing."""
    return {
        "beam_energy": NAN,  # kV
        "tilt": NAN,  # degrees of the stage
        "tilt_correction": NAN,  # degrees for which the program stretched y; NaN where it did not
        "dwell_time": NAN,  # s a pixel
        "detector": "",
        "working_distance": NAN,  # mm
        "data_bar": 0,  # rows at the bottom that hold no specimen but the program's words
    }


# ----------------------------------------------------------------------------------- vendors


def _fei(tiff: tifffile.TiffFile) -> _Told:
    told = tiff.fei_metadata or {}
    width, height = (_of(told, f"Scan.Pixel{side}") * 1e6 for side in ("Width", "Height"))
    if math.isnan(width):  # of the navigation camera
        width, height = (
            _of(told, f"IRBeam.{field}") * 1e6 / _of(told, f"Image.Resolution{axis}")
            for field, axis in (("HFW", "X"), ("VFW", "Y"))
        )
    beam = str(walk(told, "Beam.Beam") or "EBeam")
    corrected = walk(told, f"{beam}.TiltCorrectionIsOn") in ("yes", True)
    rows = _of(told, "Image.ResolutionY")
    bar = tiff.pages.first.imagelength - rows
    return _Told(
        "FEI .tif",
        (height, width),
        beam_energy=_of(told, "Beam.HV") / 1e3,
        tilt=math.degrees(_of(told, "Stage.StageT")),
        tilt_correction=math.degrees(_of(told, f"{beam}.TiltCorrectionAngle"))
        if corrected
        else NAN,
        dwell_time=_of(told, "Scan.Dwelltime"),
        detector=str(walk(told, "Detectors.Name") or ""),
        working_distance=_of(told, "Stage.WorkingDistance") * 1e3,
        data_bar=int(bar) if 0 < bar < rows else 0,
        metadata=told,
    )


def _zeiss(tiff: tifffile.TiffFile) -> _Told:
    told: dict[str, Any] = tiff.sem_metadata or {}
    columns = tiff.pages.first.imagewidth
    numbers: tuple[Any, ...] = told.get("") or ()
    # The number is that of a picture of 1024 columns, whatever the picture has.
    metres = float(numbers[3]) * 1024 / columns if len(numbers) > 3 else NAN
    corrected = _zeiss_value(told, "dp_tilt_correction") in ("On", "Yes", True)
    return _Told(
        "Zeiss .tif",
        (metres * 1e6, metres * 1e6),
        beam_energy=float(numbers[6]) / 1e3 if len(numbers) > 6 else NAN,
        tilt=_zeiss_number(told, "ap_stage_at_t", "degree"),
        tilt_correction=_zeiss_number(told, "ap_tilt_angle", "degree") if corrected else NAN,
        dwell_time=_zeiss_number(told, "dp_dwell_time", "s"),
        detector=str(_zeiss_value(told, "dp_detector_channel") or ""),
        working_distance=_zeiss_number(told, "ap_wd", "mm"),
        metadata={key: value for key, value in told.items() if key},
    )


def _zeiss_value(told: dict[str, Any], name: str) -> Any:
    return (told.get(name) or (None, None))[1]


def _zeiss_number(told: dict[str, Any], name: str, units: str) -> float:
    """Return a value of (label, value, unit) in other units."""
    value: tuple[Any, ...] = told.get(name) or ()
    try:
        return float(value[1]) * factor(readable_units(str(value[2]))[0], units)
    except (IndexError, TypeError, ValueError, DataError):
        return NAN


def _imagej(tiff: tifffile.TiffFile) -> _Told:
    told = tiff.imagej_metadata or {}
    units = {"micron": "um", "\\u00B5m": "um", "pixel": ""}.get(
        str(told.get("unit")), told.get("unit")
    )
    tags = tiff.pages.first.tags
    try:
        um = factor(readable_units(str(units or ""))[0], "um")
        step = tuple(um * tags[name].value[1] / tags[name].value[0] for name in _RESOLUTION)
    except (DataError, KeyError, ZeroDivisionError, TypeError, IndexError):
        step = (NAN, NAN)
    spacing = told.get("spacing", NAN)
    return _Told("ImageJ .tif", (step[0], step[1]), spacing=float(spacing), metadata=told)


_RESOLUTION = ("YResolution", "XResolution")
_VENDORS = (("fei", _fei), ("sem", _zeiss), ("imagej", _imagej))


def _of(told: dict[str, Any], place: str) -> float:
    """Return a number of FEI's metadata."""
    value = walk(told, place)
    return float(value) if isinstance(value, (int, float)) else number(str(value))


# ------------------------------------------------------------------------------------- pixels


def _shape(series: Any) -> tuple[int, ...]:
    """Return (y, x) or (slice, y, x)."""
    axes, shape = str(series.axes), tuple(int(n) for n in series.shape)
    if not axes.endswith("YX") or len(axes) > 3:
        raise ReaderError(f"has axes {axes} {shape}; save it in grey, one picture a page")
    if not all(1 <= n <= MAX_SIDE for n in shape[-2:]) or math.prod(shape[:-2]) > _MAX_PAGES:
        raise ReaderError(f"declares pictures of {shape} pixels; its header is damaged")
    return shape


def _check(tiff: tifffile.TiffFile, series: Any, size: int) -> None:
    """Refuse pages that the file does not hold."""
    page = math.prod(series.shape[-2:]) * series.dtype.itemsize
    if page > _MAX_PAGE or series.dtype.kind not in "uif":
        raise ReaderError(f"declares a page of {page} bytes {series.dtype}; it is damaged")
    if series.dataoffset is not None:
        if series.dataoffset + series.nbytes > size:
            raise ReaderError(
                f"declares {series.nbytes} bytes of pixels but ends at byte {size}: cut short"
            )
        return
    for part in series.pages:
        if part.compression not in _LOSSLESS:
            raise ReaderError(f"is packed as {part.compression!r}; save it without loss")
        places = zip(part.dataoffsets, part.databytecounts, strict=False)
        if any(at + count > size for at, count in places):
            raise ReaderError("has pixels behind its end: it is cut short; copy it again")


def _pages(
    path: Path, numbers: list[int], shape: tuple[int, ...], kind: np.dtype[Any], place: int | None
) -> Any:
    """Return the lazy array (slice, y, x), a page a block."""
    import dask.array as da

    size, native = shape[-2:], kind.newbyteorder("=")
    return da.stack([later(size, native, _page, path, i, size, kind, place) for i in numbers])


def _page(
    path: Path, i: int, shape: tuple[int, ...], kind: np.dtype[Any], place: int | None
) -> NDArray[Any]:
    with guard(path.name, FORM):
        if place == _PACKED:
            found = slice_files.Picture(path, (shape[0], shape[1]), kind, page=i).load()
        elif place is None:
            with tifffile.TiffFile(path, is_ome=False) as tiff:
                found = tiff.asarray(key=i)
        else:
            start = place + i * math.prod(shape) * kind.itemsize
            found = np.fromfile(path, kind, math.prod(shape), offset=start).reshape(shape)
        return found.astype(kind.newbyteorder("="), copy=False).reshape(shape)
