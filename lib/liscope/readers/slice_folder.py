"""The folder of slice files: which of them are there and whole, and the stack that they make."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from liscope.errors import ReaderError
from liscope.readers.common import NAN, one_line
from liscope.readers.slice_files import MAX_SLICES, NAME, Picture, lazy, pictures_of
from liscope.readers.slice_spectra import SPECTRA, ElementMap, maps_of
from liscope.readers.stack_sidecar import Sidecar, read_sidecar
from liscope.readers.stacks import ATTRIBUTES


@dataclass(frozen=True)
class Fault:
    """Why a slice is not whole."""

    slice: int
    file: str
    why: str


Source = Picture | ElementMap
Slices = dict[int, dict[str, Source]]  # number: channel: picture


class Files:
    """The files of one name pattern, and the channels whose pictures they hold.

    Parameters
    ----------
    folder, pattern, channels
        Where, which, and the channels in the order of the pages.
    first
        Number of the first slice of a file that holds all.
    pixel
        Height and width, um.
    """

    def __init__(
        self,
        folder: Path,
        pattern: str,
        channels: list[str],
        first: int,
        pixel: tuple[float, float],
    ) -> None:
        self.folder, self.pattern, self.channels, self.pixel = folder, pattern, channels, pixel
        self.whole: list[Picture] = []
        self.digits = 1
        if "{slice}" in pattern:
            self.files, self.digits = _numbered(folder, pattern)
            return
        try:
            self.whole = pictures_of(folder / pattern, folder.resolve())
        except ReaderError as error:
            raise ReaderError(f"has '{pattern}', which {error}") from None
        count = -(-len(self.whole) // len(channels))
        self.files = dict.fromkeys(range(first, first + count), folder / pattern)

    def name(self, number: int) -> str:
        """Return the file of a slice, as it is called or would be."""
        if number in self.files:
            return one_line(self.files[number].relative_to(self.folder).as_posix())
        return self.pattern.replace("{slice}", str(number).zfill(self.digits))

    def pictures(self, number: int) -> dict[str, Source]:
        """Return the picture of each channel in one slice.

        Raises
        ------
        ReaderError
            Without the file's name.
        """
        if not self.files:
            raise ReaderError("is missing, as are all files of that name; check 'channels'")
        if number not in self.files:
            raise ReaderError("is missing")
        count = len(self.channels)
        found: Sequence[Source]
        if self.pattern.lower().endswith(SPECTRA):
            file, root = self.files[number], self.folder.resolve()
            found = maps_of(file, root, self.channels, self.pixel)
        elif self.whole:
            start = (number - min(self.files)) * count
            found = self.whole[start : start + count]
        else:
            found = pictures_of(self.files[number], self.folder.resolve())
        if len(found) != count:
            raise ReaderError(f"holds {len(found)} pictures for {count} channels of the slice")
        return dict(zip(self.channels, found, strict=True))


def read_folder(folder: Path) -> xr.Dataset:
    """Return the stack of slice files that ``stack.yaml`` in `folder` describes, lazily.

    Slices that are not whole are left out; the attribute ``left_out`` tells which and why.

    Raises
    ------
    ReaderError
        Without the folder's name.
    """
    sidecar = read_sidecar(folder)
    slices, faults = _looked_through(list(_families(folder, sidecar)), sidecar)
    if not slices:
        first = faults[0]
        why = f"slice {first.slice}: '{first.file}' {first.why}"
        raise ReaderError(f"has no slice that is whole; {why}; copy them again")
    return _dataset(sidecar, slices, faults)


def _families(folder: Path, sidecar: Sidecar) -> Iterator[Files]:
    patterns = sidecar.patterns()
    first = 1 if sidecar.first is None else sidecar.first
    for pattern in dict.fromkeys(patterns.values()):
        channels = [name for name, one in patterns.items() if one == pattern]
        yield Files(folder, pattern, channels, first, sidecar.pixel())


def _numbered(folder: Path, pattern: str) -> tuple[dict[int, Path], int]:
    """Return the files that a pattern names by the number in their names, and its least digits."""
    parent, _, name = pattern.rpartition("/")
    before, after = (re.escape(part) for part in name.split("{slice}"))
    form = re.compile(f"{before}([0-9]{{1,9}}){after}")
    where, found, digits = folder / parent, dict[int, Path](), set[int]()
    for entry in sorted(where.iterdir(), key=str) if where.is_dir() else ():
        if not (match := form.fullmatch(entry.name)):
            continue
        if (number := int(match[1])) in found:
            raise ReaderError(
                f"has slice {number} twice: '{found[number].name}' and '{entry.name}'"
            )
        found[number] = entry
        digits.add(len(match[1]))
    return found, min(digits, default=1)


def _looked_through(families: list[Files], sidecar: Sidecar) -> tuple[Slices, list[Fault]]:
    """Return the pictures of each slice that is whole, and what is wrong with the others."""
    slices: Slices = {}
    faults: list[Fault] = []
    for number in _span(sidecar, {number for one in families for number in one.files}):
        pictures: dict[str, Source] = {}
        for one in families:
            try:
                pictures |= one.pictures(number)
            except ReaderError as error:
                why = str(error).removesuffix("; copy it again")
                faults.append(Fault(number, one.name(number), why))
        slices[number] = pictures
    faults += _of_other_size(slices, families[0].folder)
    for fault in faults:
        slices.pop(fault.slice, None)
    return slices, sorted(faults, key=lambda fault: fault.slice)


def _span(sidecar: Sidecar, found: set[int]) -> range:
    """Return the numbers that the slices should have."""
    first = sidecar.first if sidecar.first is not None else min(found, default=None)
    if first is None:
        raise ReaderError(f"has none of the files that {NAME} names; check 'channels'")
    last = sidecar.last if sidecar.last is not None else max(found, default=first)
    last = first + sidecar.count - 1 if sidecar.count else last
    if not 0 <= last - first < MAX_SLICES:
        raise ReaderError(f"has slices {first} to {last}; check 'first' and 'last' in {NAME}")
    return range(first, last + 1)


def _of_other_size(slices: Slices, folder: Path) -> Iterator[Fault]:
    """Yield the pictures whose size or type differs from that of most."""
    shapes = Counter(one.shape for pictures in slices.values() for one in pictures.values())
    usual = shapes.most_common(1)[0][0] if shapes else (0, 0)
    types: dict[str, Counter[np.dtype[Any]]] = {}
    for pictures in slices.values():
        for name, one in pictures.items():
            types.setdefault(name, Counter())[one.dtype.newbyteorder("=")] += 1
    common = {name: count.most_common(1)[0][0] for name, count in types.items()}
    for number, pictures in slices.items():
        for name, one in pictures.items():
            if one.shape != usual:
                why = "has {1} x {0} pixels, most have {3} x {2}".format(*one.shape, *usual)
            elif one.dtype.newbyteorder("=") != common[name] and not one.is_table:
                why = f"has pixels of type {one.dtype.name}, most have {common[name]}"
            else:
                continue
            yield Fault(number, one_line(one.path.relative_to(folder).as_posix()), why)


# ------------------------------------------------------------------------------ the dataset


def _dataset(sidecar: Sidecar, slices: Slices, faults: list[Fault]) -> xr.Dataset:
    rate = sidecar.dwell_time if sidecar.units == "count/s" else None
    channel = {"eds": "element", "sims": "ion"}[sidecar.kind]
    counts = lazy([[one[name] for one in slices.values()] for name in sidecar.channels], rate)
    about = {"units": "count", "quantity": "counts"}
    about["long_name"] = "X-rays" if sidecar.kind == "eds" else "secondary ions"
    variables: dict[str, Any] = {"counts": ((channel, "slice", "y", "x"), counts, about)}
    if sidecar.bse:
        bse = lazy([[one[""] for one in slices.values()]], None)[0]
        variables["bse"] = (("slice", "y", "x"), bse, {"units": "1", "quantity": "bse"})
    if sidecar.fiducial_gap:
        gap = [sidecar.fiducial_gap.get(number, NAN) for number in slices]
        variables["fiducial_gap"] = ("slice", np.array(gap), {"units": "nm"})
    y, x = sidecar.pixel()
    coords = {
        channel: (channel, np.array(list(sidecar.channels), dtype=str), {"long_name": channel}),
        "slice": ("slice", np.array(list(slices), np.int64), {"long_name": "slice"}),
        "y": _axis("y", counts.shape[2], y),
        "x": _axis("x", counts.shape[3], x),
    }
    return xr.Dataset(variables, coords, _attributes(sidecar, len(slices), faults))


def _attributes(sidecar: Sidecar, whole: int, faults: list[Fault]) -> dict[str, Any]:
    told = sidecar.model_dump(mode="json", exclude={"fiducial_gap"}, exclude_none=True)
    found = {name: told.get(name, NAN) for name in ATTRIBUTES}
    return found | {
        "slice_count": whole + len({fault.slice for fault in faults}),
        "left_out": json.dumps([vars(fault) for fault in faults], ensure_ascii=False),
        "metadata": json.dumps(told, ensure_ascii=False),
        "history": __name__,
    }


def _axis(dim: str, count: int, step: float) -> xr.DataArray:
    centres = (np.arange(count) + 0.5) * step
    return xr.DataArray(centres, dims=dim, attrs={"units": "um", "long_name": dim})
