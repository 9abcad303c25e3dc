"""Pictures of slices in TIFF files and tables: checked by their headers, read one by one.

What a file declares is compared with its bytes when the stack is opened, so that a file that is cut
short is known before hours of work; the pixels are read when they are asked for. Counts that are no
numbers, or below none, are refused with the file's name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from liscope.errors import ReaderError
from liscope.readers.common import one_line, sides
from liscope.readers.slice_tables import read_table, table_form

NAME = "stack.yaml"  # of the sidecar
PICTURES = (".tif", ".tiff")
TABLES = (".csv", ".tsv", ".txt", ".dat")
MAX_SLICES = 100_000
MAX_PIXELS = 1 << 26  # of one picture; 8192 x 8192
_GREY = 1  # "black is zero", the only sense in which a TIFF file holds counts
_SEGMENTS = 1 << 20
_LOSSLESS = (5, 8, 32946, 32773)  # LZW, deflate, PackBits
# What Pillow reads right: it swaps the bytes of others, or takes off a sign, without a word.
_PACKED = ("|u1", "<u2", ">u2", "<i2", "<i4", "<f4")


@dataclass(frozen=True)
class Picture:
    """One picture of a file, and how to get it.

    Attributes
    ----------
    path
        The file.
    shape, dtype
        (y, x), and the type of the values as stored.
    place
        Where it lies: its first byte where it is stored as it is, its page where it is compressed;
        -1 in a table.
    page
        Number of the page in a compressed file, else -1.
    """

    path: Path
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    place: int = -1
    page: int = -1

    @property
    def is_table(self) -> bool:
        """Whether the file is text."""
        return self.place < 0 and self.page < 0

    def load(self) -> NDArray[Any]:
        """Return the values (y, x).

        Raises
        ------
        ReaderError
            With the file's name, if it has changed, or a value is none that was counted.
        """
        try:
            found = self._values()
            if found.shape != self.shape:
                raise ReaderError(f"has changed: {found.shape} pixels instead of {self.shape}")
            _check_values(found)
        except Exception as error:  # of foreign parsers, anything
            own = isinstance(error, ReaderError)
            why = str(error) if own else f"cannot be read ({type(error).__name__} {error})"
            raise ReaderError(one_line(f"'{self.path.name}' {why}")) from None
        return found

    def _values(self) -> NDArray[Any]:
        if self.page >= 0:
            return _unpacked(self)
        if self.is_table:
            return read_table(self.path, self.dtype)
        found = np.fromfile(self.path, self.dtype, self.shape[0] * self.shape[1], "", self.place)
        return found.reshape(self.shape)


def _check_values(found: NDArray[Any]) -> None:
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        raise ReaderError("holds values that are no numbers; export it again")
    if found.dtype.kind == "i" and found.min() < 0:
        raise ReaderError(f"holds {found.min()}, which nobody counted; export the counts")


def pictures_of(path: Path, folder: Path) -> list[Picture]:
    """Return the pictures in a file, checked against its size.

    Raises
    ------
    ReaderError
        Without the file's name: missing, cut short, of another kind, leading out of `folder`.
    """
    if not path.is_file():
        raise ReaderError("is missing" if not path.exists() else "is no file")
    if not path.resolve().is_relative_to(folder):
        raise ReaderError("is a link out of the folder; copy the file itself")
    size = path.stat().st_size
    if not size:
        raise ReaderError("is empty; copy it again")
    try:
        return _pages(path, size) if path.suffix.lower() in PICTURES else [_matrix(path, size)]
    except ReaderError:
        raise
    except Exception as error:  # of foreign parsers, anything
        reason = one_line(f"{type(error).__name__} {error}")[:100]
        raise ReaderError(f"is damaged or cut short ({reason}); copy it again") from None


def _matrix(path: Path, size: int) -> Picture:
    shape, dtype = table_form(path, size)
    return Picture(path, shape, dtype)


# ------------------------------------------------------------------------------------- TIFF


def _pages(path: Path, size: int) -> list[Picture]:
    # here: it takes its time to load
    from tifffile import TiffFile

    with TiffFile(path, is_ome=False) as file:  # OME-XML may name other files
        found: list[Picture] = []
        begun: set[int] = set()
        for number in range(MAX_SLICES + 1):
            try:
                page = file.pages[number]
            except IndexError:
                break
            if page.offset in begun or number == MAX_SLICES:
                raise ReaderError("has pages that lead in a circle; it is damaged")
            begun.add(page.offset)
            found.append(_page(path, page, number, size))
        if not found:
            raise ReaderError("holds no picture; it is damaged or cut short")
        return found + _behind(found, _announced(file, found[0].shape), size)


def _announced(file: Any, shape: tuple[int, int]) -> int:
    """Return how many pictures ImageJ or tifffile says there are; 0 where neither wrote it."""
    if file.is_imagej:
        return int((file.imagej_metadata or {}).get("images", 0))
    if file.is_shaped:
        return int(math.prod(file.shaped_metadata[0]["shape"])) // math.prod(shape)
    return 0


def _behind(found: list[Picture], announced: int, size: int) -> list[Picture]:
    """Return the pictures that lie behind the only one with a header, as in large ImageJ stacks."""
    if announced <= len(found):
        return []
    first, step = found[0], math.prod(found[0].shape) * found[0].dtype.itemsize
    if len(found) > 1 or first.place < 0 or announced > MAX_SLICES:
        raise ReaderError(f"announces {announced} pictures, but holds {len(found)}: cut short")
    if (end := first.place + announced * step) > size:
        raise ReaderError(f"declares pixels up to byte {end}, but ends at byte {size}: cut short")
    return [replace(first, place=first.place + i * step) for i in range(1, announced)]


def _page(path: Path, page: Any, number: int, size: int) -> Picture:
    """Return one page as a picture, if its bytes are there."""
    nx, ny = sides(page.imagewidth, page.imagelength)
    if nx * ny > MAX_PIXELS:
        raise ReaderError(f"declares {nx} x {ny} pixels, too many for a slice")
    if page.samplesperpixel != 1 or page.photometric != _GREY or page.imagedepth != 1:
        raise ReaderError("is a picture in colours; export the counts in grey levels")
    dtype = page.dtype
    if dtype is None or dtype.kind not in "uif" or dtype.itemsize * 8 != page.bitspersample:
        raise ReaderError(f"has {page.bitspersample} bits a pixel; export 8, 16 or 32")
    dtype = np.dtype(dtype).newbyteorder(page.parent.byteorder)
    offsets, counts = page.dataoffsets, page.databytecounts
    if not 0 < len(offsets) == len(counts) <= _SEGMENTS or min(offsets) < 8 or min(counts) < 0:
        raise ReaderError("does not tell where its pixels are; it is damaged")
    end = max(o + c for o, c in zip(offsets, counts, strict=True))
    if end > size:
        raise ReaderError(f"declares pixels up to byte {end}, but ends at byte {size}: cut short")
    if page.compression != 1:
        if page.compression not in _LOSSLESS or dtype.str not in _PACKED:
            raise ReaderError(f"holds {dtype} packed as {page.compression!r}; save it unpacked")
        return Picture(path, (ny, nx), dtype, page=number)
    whole = nx * ny * dtype.itemsize
    if page.is_tiled or not _follow(offsets, counts) or sum(counts) < whole:
        raise ReaderError("has its pixels in tiles, or too few of them; save it in plain strips")
    return Picture(path, (ny, nx), dtype, place=int(offsets[0]))


def _follow(offsets: Any, counts: Any) -> bool:
    """Tell whether the strips lie one behind the other."""
    first, sizes = np.asarray(offsets, np.int64), np.asarray(counts, np.int64)
    return bool((first[1:] == first[:-1] + sizes[:-1]).all())


def _unpacked(picture: Picture) -> NDArray[Any]:
    """Return a compressed page; libtiff unpacks into what the header declares, and no further."""
    # here: it takes its time to load
    from PIL import Image

    with Image.open(picture.path, formats=["TIFF"]) as image:
        image.seek(picture.page)
        if image.size != picture.shape[::-1]:
            raise ReaderError(f"has changed: {image.size} pixels")
        return np.asarray(image).astype(picture.dtype.newbyteorder("="), casting="same_kind")


# ------------------------------------------------------------------------------ all together


class Stored(Protocol):
    """One picture of a slice, in whatever file."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the values."""

    def load(self) -> NDArray[Any]:
        """Return the values (y, x)."""


def lazy(rows: Sequence[Sequence[Stored]], rate: float | None) -> Any:
    """Return the pictures (row, slice, y, x) as a dask array, one task a picture."""
    import dask.array as da  # here: it takes its time to load

    table = np.empty((len(rows), len(rows[0]), 1, 1), object)
    for place in np.ndindex(table.shape[:2]):
        table[(*place, 0, 0)] = rows[place[0]][place[1]]
    stored = np.result_type(*{_counted(one.dtype) for row in rows for one in row})
    dtype = np.dtype(np.float32) if rate else stored
    ny, nx = rows[0][0].shape
    files = da.from_array(table, chunks=(1, 1, 1, 1), name=False)
    return files.map_blocks(
        _block,
        rate=rate,
        counted=dtype,
        dtype=dtype,
        chunks=(files.chunks[0], files.chunks[1], (ny,), (nx,)),
        meta=np.empty((0, 0, 0, 0), dtype),
        token="slices",
    )


def _counted(stored: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type of counts that are stored so: in this machine's order, without a sign."""
    return np.dtype(f"u{stored.itemsize}") if stored.kind == "i" else stored.newbyteorder("=")


def _block(files: NDArray[Any], rate: float | None, counted: np.dtype[Any]) -> NDArray[Any]:
    found = files.item().load()
    values: NDArray[Any] = (found * rate if rate else found).astype(counted)
    return values[None, None]
