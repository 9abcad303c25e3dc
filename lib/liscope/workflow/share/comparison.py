"""Compares the results of two runs: same to the byte, the same within a tolerance, or not."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from liscope.checksums import sha256
from liscope.ome_zarr_files import OME_ZARR, blocks_of, digests_of, parts_of, told_of
from liscope.workflow.deliver import SUMMARY, VOLUMES
from liscope.workflow.parameters import short
from liscope.workflow.share.plots import arrays_of, scene_of, values_of

if TYPE_CHECKING:
    import xarray as xr
    from PIL import Image

SAME, CLOSE, DIFFERS = "same bytes", "same within tolerance", "differs"
RTOL = 1e-6
_SMALL = 1e-6  # of the largest number in a column: what is smaller is measured by that
_SHADE = 8  # of 255: what the last digits of a number can change in a picture


class _Differs(Exception):
    """What differs."""


@dataclass(frozen=True)
class Verdict:
    """How a result compares with the one of the same name."""

    name: str
    state: str
    detail: str = ""


def compare(old: Path, new: Path, rtol: float = RTOL) -> Iterator[Verdict]:
    """Compare the results in two folders of runs, one by one.

    Parameters
    ----------
    old, new
        Folders of runs.
    rtol
        Largest relative difference between two numbers that are the same. In a column or an array,
        numbers below a millionth of its largest one count as that large.

    Yields
    ------
    Verdict
        Of the summary, and of each table, array, volume, figure and interactive page. A figure is
        compared by its pixels where its files differ, a volume by its voxels, axes and channels.
    """
    for name in sorted(_results(old) | _results(new), key=_order):
        yield _verdict(name, _files(old, name), _files(new, name), rtol)


def _results(folder: Path) -> set[str]:
    """Return the results of a run; the files of one figure are one, as are those of a volume."""
    volumes = f"{VOLUMES}/*{OME_ZARR}"
    kinds = ("tables/*.csv", "arrays/*.nc", volumes, "interactive/*.html", SUMMARY)
    found = [path for kind in kinds for path in folder.glob(kind)]
    figures = [path.with_suffix("") for path in folder.glob("figures/*.png")]
    found += folder.glob("figures/*.gif")
    return {path.relative_to(folder).as_posix() for path in [*found, *figures]}


def _order(name: str) -> tuple[int, str]:
    kinds = (SUMMARY, "tables", "arrays", VOLUMES, "figures", "interactive")
    return kinds.index(name.split("/")[0]), name


def _files(folder: Path, name: str) -> list[Path]:
    if name.startswith("figures/") and not name.endswith(".gif"):
        return [folder / f"{name}.png", folder / f"{name}.svg"]
    return [folder / name]


def _verdict(name: str, old: list[Path], new: list[Path], rtol: float) -> Verdict:
    there = Path.is_dir if name.endswith(OME_ZARR) else Path.is_file
    if not there(old[0]) or not there(new[0]):
        return Verdict(name, DIFFERS, "is new" if there(new[0]) else "is missing")
    reader = _READERS[old[0].suffix]
    try:
        if [_digest(path) for path in old] == [_digest(path) for path in new]:
            return Verdict(name, SAME)
        largest = max(reader(old[0], new[0]), default=0.0)
    except _Differs as difference:
        return Verdict(name, DIFFERS, str(difference))
    except Exception as error:  # whatever a foreign file makes a reader do
        return Verdict(name, DIFFERS, f"cannot be read ({short(str(error))})")
    if old[0].suffix in (".png", ".gif"):
        return Verdict(name, CLOSE, f"{largest:.0f} of 255 in a pixel at most")
    told = f"largest relative difference {largest:.1e}"
    return Verdict(name, CLOSE if largest <= rtol else DIFFERS, told)


def _digest(path: Path) -> str | dict[str, str]:
    if path.is_dir():
        return digests_of(path)
    return sha256(path) if path.is_file() else ""


def distance(old: Any, new: Any, largest: float = 0.0) -> float:
    """Return the largest relative difference of two arrays of one shape; inf where NaN differ.

    Numbers smaller than a millionth of the largest one count as that large; ``largest`` is that of
    a whole of which the arrays are parts.
    """
    one, other = (np.asarray(values, dtype=np.complex128).ravel() for values in (old, new))
    if not np.array_equal(np.isfinite(one), np.isfinite(other)):
        return math.inf
    wild = ~np.isfinite(one)
    if not np.array_equal(one[wild], other[wild], equal_nan=True):
        return math.inf
    size = np.maximum(np.abs(one[~wild]), np.abs(other[~wild]))
    gap = np.abs(one[~wild] - other[~wild])
    floor = _SMALL * size.max(initial=largest)
    return float(np.max(gap[gap > 0] / np.maximum(size, floor)[gap > 0], initial=0.0))


def _summaries(old: Path, new: Path) -> Iterator[float]:
    one, other = (json.loads(path.read_text(encoding="utf-8")) for path in (old, new))
    for name in one.keys() | other.keys():
        yield _numbers(f"{short(name, quoted=False)}: ", [one.get(name)], [other.get(name)])


def _tables(old: Path, new: Path) -> Iterator[float]:
    one, other = (_columns(path) for path in (old, new))
    none: tuple[str, ...] = ()
    for before, after in zip_longest(one, other, fillvalue=none):
        name = short((before or after)[0], quoted=False)
        yield _numbers(f"column {name}: ", before, after)


def _columns(path: Path) -> list[tuple[str, ...]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(zip_longest(*csv.reader(stream), fillvalue=""))


def _numbers(where: str, old: Iterable[Any], new: Iterable[Any]) -> float:
    """Return the distance of two lists, of which what is no number must be equal."""
    pairs = list(zip_longest(old, new))
    unequal = [pair for pair in pairs if pair[0] != pair[1] or type(pair[0]) is not type(pair[1])]
    for before, after in unequal:
        if not (_is_number(before) and _is_number(after)):
            raise _Differs(f"{where}{short(before)} -> {short(after)}")
    numbers = [pair for pair in pairs if _is_number(pair[0]) and _is_number(pair[1])]
    return distance([float(before) for before, _ in numbers], [float(one) for _, one in numbers])


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or value is None:
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True


def _arrays(old: Path, new: Path) -> Iterator[float]:
    import xarray as xr  # here: slow to import

    # As they are on the disk: nothing in the file decides what is made of it.
    options: dict[str, Any] = {"engine": "h5netcdf", "decode_cf": False}
    with xr.open_dataset(old, **options) as one, xr.open_dataset(new, **options) as other:
        if one.variables.keys() != other.variables.keys():
            names = sorted(map(short, one.variables.keys() ^ other.variables.keys()))
            raise _Differs(f"variables: {', '.join(names)}")
        for name in one.variables:
            yield _variables(str(name), one.variables[name], other.variables[name])


def _variables(name: str, old: xr.Variable, new: xr.Variable) -> float:
    for part in ("dims", "shape", "dtype"):  # before the values are read: the new ones fit
        before, after = getattr(old, part), getattr(new, part)
        if before != after:
            raise _Differs(f"{part} of {short(name)}: {short(before)} -> {short(after)}")
    if old.attrs.get("units") != new.attrs.get("units"):
        units = [short(one.attrs.get("units")) for one in (old, new)]
        raise _Differs(f"units of {short(name)}: {' -> '.join(units)}")
    values = old.values, new.values
    if old.dtype.kind in "biufc":
        return distance(*values)
    if values[0].tolist() != values[1].tolist():
        raise _Differs(f"{short(name)}: other texts")
    return 0.0


def _volumes(old: Path, new: Path) -> Iterator[float]:
    """Compare shapes, axes and channels, then the voxels of all levels."""
    import zarr  # here, as above

    one, other = parts_of(old), parts_of(new)
    if one.keys() != other.keys():
        raise _Differs(f"parts: {', '.join(sorted(map(short, one.keys() ^ other.keys())))}")
    for name in one:
        before, after = told_of(one[name]), told_of(other[name])
        for key in sorted(before.keys() | after.keys()):
            where = short(f"{name}/{key}".lstrip("/"), quoted=False)
            yield _numbers(f"{where}: ", before.get(key, []), after.get(key, []))
    for name, part in one.items():
        if isinstance(part, zarr.Array):
            yield _voxels(part, other[name])


def _voxels(old: Any, new: Any) -> float:
    """Return the distance of two arrays, of which two blocks at a time are in memory."""
    blocks = list(blocks_of(new))
    largest = max((_largest(one[block]) for block in blocks for one in (old, new)), default=0.0)
    return max((distance(old[block], new[block], largest) for block in blocks), default=0.0)


def _largest(values: Any) -> float:
    """Return the largest size of the finite numbers."""
    size = np.abs(np.asarray(values, dtype=np.complex128))
    return float(size.max(initial=0.0, where=np.isfinite(size)))


def _pictures(old: Path, new: Path) -> Iterator[float]:
    from PIL import Image  # here, as above

    with Image.open(old) as one, Image.open(new) as other:
        if one.size != other.size or one.mode != other.mode:
            raise _Differs(f"{one.width} x {one.height} -> {other.width} x {other.height} pixels")
        counts = [getattr(image, "n_frames", 1) for image in (one, other)]
        if counts[0] != counts[1]:
            raise _Differs(f"{counts[0]} -> {counts[1]} pictures")
        for number in range(counts[0]):
            one.seek(number)
            other.seek(number)
            yield _shades(one, other)


def _shades(one: Image.Image, other: Image.Image) -> float:
    pixels = [np.asarray(image.convert("RGBA"), dtype=float) for image in (one, other)]
    gap = np.abs(pixels[0] - pixels[1])
    if gap.max() > _SHADE:
        share = 100 * np.mean(gap.max(axis=-1) > _SHADE)
        raise _Differs(f"{share:.2g} % of the pixels differ, by up to {gap.max():.0f} of 255")
    return float(gap.max())


def _pages(old: Path, new: Path) -> Iterator[float]:
    """Compare what is shown; all else in such a page is bokeh's own."""
    one, other = arrays_of(old), arrays_of(new)
    shapes = [[(array["shape"], array["dtype"]) for array in arrays] for arrays in (one, other)]
    if shapes[0] != shapes[1]:
        raise _Differs("shows arrays of other shapes")
    for before, after in zip(one, other, strict=True):
        yield distance(values_of(before), values_of(after))
    yield from _scenes(old, new)


def _scenes(old: Path, new: Path) -> Iterator[float]:
    one, other = scene_of(old), scene_of(new)
    if [array.shape for array in one] != [array.shape for array in other]:
        raise _Differs("shows surfaces of other shapes")
    for before, after in zip(one, other, strict=True):
        yield distance(before, after)


_READERS: dict[str, Callable[[Path, Path], Iterator[float]]] = {
    ".json": _summaries,
    ".csv": _tables,
    ".nc": _arrays,
    ".zarr": _volumes,
    ".png": _pictures,
    ".gif": _pictures,
    ".html": _pages,
}
