"""Oxford Instruments AZtec, ``.h5oina``: maps of elements, spectra and electron images.

Follows the published specification (github.com/oinanoanalysis/h5oina, formats 1.0 to 8.0). A group
for each slice, named in ``Index``, holds ``EDS`` (or ``EDS1``, ``EDS2``, one a detector: their
counts are added) and ``Electron Image``; arrays are flat, row by row, and ``X Cells``, ``Y
Cells``, ``X Step``, ``Y Step`` (um) of the header give their grid. Angles are in radians.

A window integral is in counts per second of the pixel's own live time. Here it is multiplied by
that ``Live Time``; what then lies within a thousandth of a whole number is that number, since
rates are stored in 32 bits. NaN where nothing was acquired. Peak areas, taken where there are no
window integrals, are fitted and follow no counting statistics. Format 1.0 knows EDS only beside
EBSD, and no electron images.

No public file of the format was found: this reader was tried only on files that
``tests/readers/synthetic_oina.py`` writes by the same specification.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import ReaderError
from liscope.readers.common import NAN, guard, one_line, sides
from liscope.readers.eds import TOLD, Measured, Picture, dataset, in_blocks, later

if TYPE_CHECKING:
    import h5py

FORM = "Oxford .h5oina"
_KINDS = ("Window Integral", "Peak Area")
_MAX_SLICES = 10_000
_MAX_LINES = 200


def is_mine(file: h5py.File) -> bool:
    """Tell whether the file has what the specification asks of the root."""
    return "Format Version" in file and "Index" in file


def is_lazy(data: h5py.Dataset) -> bool:
    """Tell whether a data set stays in the file."""
    return "/Data/" in data.name


def read_path(path: Path) -> xr.Dataset:
    """Return the maps of all slices, lazily, their spectra and electron images."""
    import h5py

    with h5py.File(path, "r") as file:
        version = _words(file["Format Version"])
        names = _slices(file)
        slices = [_slice(path, file[name], name) for name in names]
        metadata = {name: _tree(file[name]) for name in names[:1]}
    first = slices[0]
    for name, other in zip(names, slices, strict=True):
        if (other["shape"], other["lines"]) != (first["shape"], first["lines"]):
            raise ReaderError(
                f"has slices of different size or lines: {other['shape']} in slice {name}, "
                f"{first['shape']} in slice {names[0]}"
            )
    found = Measured(
        first["step"],
        _joined([s["spectra"] for s in slices], 0) if first["spectra"] is not None else None,
        (first["elements"], _joined([s["maps"] for s in slices], 1)) if first["lines"] else None,
        _pictures(slices),
        first["energy"],
        tuple(_numbers(names)) if len(names) > 1 else (),
    )
    attrs = first["attrs"] | {"format_version": version, "lines": ", ".join(first["lines"])}
    return dataset(found, TOLD | attrs, metadata, __name__)


def _slices(file: h5py.File) -> list[str]:
    index = file["Index"]
    if _text(index.attrs.get("Type", "Single")) == "Feature":
        raise ReaderError("holds a particle analysis, one slice a particle; export a map")
    names = [_text(name) for name in np.atleast_1d(index[()]).ravel()[:_MAX_SLICES]]
    missing = [name for name in names if name not in file]
    if missing or not names:
        raise ReaderError(f"names slice {missing[:1]}, which it does not hold; copy it again")
    return names


def _numbers(names: list[str]) -> list[int]:
    """Return the numbers of the slices; by order where their names are none."""
    if all(re.fullmatch(r"\d{1,9}", name) for name in names):
        return [int(name) for name in names]
    return [*range(1, len(names) + 1)]


def _slice(path: Path, group: h5py.Group, name: str) -> dict[str, Any]:
    """Return what one slice holds, its arrays lazily."""
    detectors = sorted(key for key in group if re.fullmatch(r"EDS\d*", key))
    if not detectors:
        raise ReaderError(f"holds no EDS in slice {name}, only {', '.join(group)[:80]}; export EDS")
    eds = group[detectors[0]]
    header = eds["Header"]
    shape = sides(_value(header, "X Cells"), _value(header, "Y Cells"))[::-1]
    step = (_value(header, "Y Step"), _value(header, "X Step"))
    if shape[0] == 1 and not step[0] > 0:
        raise ReaderError("holds a line scan, no map; export the map")
    kind, lines = _lines(eds)
    spectra = [_spectra(path, group[d], shape) for d in detectors if "Spectrum" in group[d]["Data"]]
    return {
        "shape": shape,
        "step": step,
        "lines": lines,
        "elements": _elements(lines),
        "maps": _maps(path, [group[d] for d in detectors], kind, lines, shape) if lines else None,
        "spectra": sum(spectra[1:], spectra[0]) if spectra else None,
        "energy": (_value(header, "Start Channel") / 1e3, _value(header, "Channel Width") / 1e3),
        "pictures": _images(path, group, header),
        "attrs": {
            "beam_energy": _value(header, "Beam Voltage"),
            "tilt": math.degrees(_value(header, "Tilt Angle")),
            "live_time": _live_time(eds),
            "binning": _value(header, "Binning"),
            "intensities": kind.lower(),
            "detectors": len(detectors),
        },
    }


def _live_time(eds: h5py.Group) -> float:
    """Return the live time of the whole map, s."""
    data = eds["Data/Live Time"] if "Live Time" in eds["Data"] else None
    return float(np.nansum(data[()])) if data is not None else NAN


def _lines(eds: h5py.Group) -> tuple[str, tuple[str, ...]]:
    for kind in _KINDS:
        if kind in eds["Data"] and len(eds["Data"][kind]):
            return kind, tuple(list(eds["Data"][kind])[:_MAX_LINES])
    return "", ()


def _elements(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return "Al" for "Al Ka1", unless the element has several lines."""
    short = [line.partition(" ")[0] for line in lines]
    return tuple(s if short.count(s) == 1 else line for s, line in zip(short, lines, strict=True))


def _maps(
    path: Path, groups: list[h5py.Group], kind: str, lines: tuple[str, ...], shape: tuple[int, int]
) -> Any:
    """Return counts (element, y, x), of all detectors, lazily."""
    import dask.array as da

    for group in groups:
        if "Live Time" not in group["Data"]:
            raise ReaderError("tells no live time, without which rates are no counts; export it")
        for line in lines:
            _check_size(group["Data"][kind][line], shape)
    names = [group.name for group in groups]
    maps = [later(shape, np.float32, _counts, path, names, kind, line, shape) for line in lines]
    return da.stack(maps)


def _check_size(data: h5py.Dataset, shape: tuple[int, int]) -> None:
    if data.shape[:1] != (shape[0] * shape[1],) or math.prod(data.shape[1:]) != 1:
        raise ReaderError(
            f"declares {shape[0]} x {shape[1]} pixels but {one_line(data.name)} is {data.shape}"
        )


def _counts(
    path: Path, groups: list[str], kind: str, line: str, shape: tuple[int, int]
) -> NDArray[np.float32]:
    import h5py

    total = np.zeros(shape[0] * shape[1])
    with guard(path.name, FORM), h5py.File(path, "r") as file:
        for name in groups:
            data = file[name]["Data"]
            rate = data[kind][line][()].astype(float).ravel()
            total += rate * data["Live Time"][()].astype(float).ravel()
        whole = np.rint(total)
        return np.where(np.abs(total - whole) < 1e-3, whole, total).reshape(shape).astype("f4")


def _spectra(path: Path, eds: h5py.Group, shape: tuple[int, int]) -> Any:
    """Return the spectra (y, x, energy) of a detector, lazily, in blocks of rows."""
    data = eds["Data/Spectrum"]
    if data.ndim != 2 or data.shape[0] != shape[0] * shape[1]:
        raise ReaderError(f"declares {shape[0]} x {shape[1]} pixels but spectra {data.shape}")
    return in_blocks((*shape, data.shape[1]), _rows, path, data.name)


def _rows(path: Path, name: str, first: int, shape: tuple[int, ...]) -> NDArray[np.uint32]:
    import h5py

    with guard(path.name, FORM), h5py.File(path, "r") as file:
        part = file[name][first * shape[1] : (first + shape[0]) * shape[1]]
        found: NDArray[np.uint32] = part.reshape(shape).astype(np.uint32)
    return found


# ---------------------------------------------------------------------------- electron images


def _images(path: Path, group: h5py.Group, eds: h5py.Group) -> tuple[Picture, ...]:
    """Return the electron images, in the frame of the map: its upper left corner is the origin."""
    images = group.get("Electron Image")
    if images is None:
        return ()
    header = images["Header"]
    shape = sides(_value(header, "X Cells"), _value(header, "Y Cells"))[::-1]
    step = (_value(header, "Y Step"), _value(header, "X Step"))
    # Where the map begins in the image: x, y as parts of the image's width and height.
    part = eds["Relative Offset"][()].ravel()[::-1] if "Relative Offset" in eds else np.zeros(2)
    origin = tuple(-float(p) * n * s for p, n, s in zip(part, shape, step, strict=True))
    found = []
    for kind in ("SE", "BSE", "FSE"):
        for data in images["Data"].get(kind, {}).values():
            _check_size(data, shape)
            found.append(
                Picture(
                    kind,
                    later(shape, data.dtype, _read_image, path, data.name, shape),
                    step,
                    (origin[0], origin[1]),
                )
            )
    return tuple(found)


def _read_image(path: Path, name: str, shape: tuple[int, int]) -> NDArray[Any]:
    import h5py

    with guard(path.name, FORM), h5py.File(path, "r") as file:
        found: NDArray[Any] = file[name][()].reshape(shape)
        return found


def _pictures(slices: list[dict[str, Any]]) -> tuple[Picture, ...]:
    """Return the images of all slices as stacks, where each slice has the same ones."""
    rows = [s["pictures"] for s in slices]
    if len({tuple((p.name, p.data.shape) for p in row) for row in rows}) > 1:
        return ()
    columns = zip(*rows, strict=True)
    return tuple(
        Picture(ps[0].name, _joined([p.data for p in ps], 0), ps[0].step, ps[0].origin)
        for ps in columns
    )


def _joined(arrays: list[Any], axis: int) -> Any:
    import dask.array as da

    return da.stack(arrays, axis) if len(arrays) > 1 else arrays[0]


# ------------------------------------------------------------------------------------- values


def _value(header: h5py.Group, name: str) -> float:
    """Return a number of the header; NaN where it has none of that name."""
    return float(np.ravel(header[name][()])[0]) if name in header else NAN


def _words(data: h5py.Dataset) -> str:
    return _text(np.ravel(data[()])[0])


def _text(value: Any) -> str:
    value = np.ravel(value)[0] if isinstance(value, np.ndarray) else value
    plain = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return one_line(plain)


def _tree(group: h5py.Group) -> dict[str, Any]:
    """Return the headers of a slice: what is small and not data."""
    found: dict[str, Any] = {}

    def keep(name: str, item: Any) -> None:
        if "Header/" in name and hasattr(item, "shape") and item.size <= 64:
            values = np.ravel(item[()])
            plain = [_text(v) if isinstance(v, bytes) else v.item() for v in values]
            found[name] = plain[0] if len(plain) == 1 else plain

    group.visititems(keep)
    return found
