"""Bruker Esprit hypermaps, ``.bcf``: spectra of every pixel and electron images.

RosettaSciIO reads the container, its header and the images. The spectra are decoded here, by
blocks of lines, and with every position checked: RosettaSciIO's own decoder makes one block of the
whole map (its issue 241), trusts what the stream says, and guesses from the mean how many counts a
channel may have.

The container is AidAim's Single File System; the stream of spectra has the numbers of rows and
columns in front, lines from byte 0x1A0 on, and in a line the pixels that were measured (see
`_eds_kernels`).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import ReaderError
from liscope.readers.common import NAN, guard
from liscope.readers.eds import TOLD, Measured, Picture, dataset, in_blocks
from liscope.readers.rosetta_checks import walk

FORM = "Bruker .bcf"
STARTS = (b"AAMVHFSS",)
SUFFIXES = (r"\.bcf",)

_ITEM = struct.Struct("<iQQQQIi176s?3s256s32s")
_LINES_AT = 0x1A0
_PIECE = 1 << 24  # bytes of the stream that are looked through at once
_MAX_ITEMS = 10_000
_MAX_HEADER = 1 << 29  # bytes; electron images are in it as text


def read_path(path: Path) -> xr.Dataset:
    """Return the spectra, lazily, and the images."""
    import rsciio.bruker as bruker  # type: ignore[import-untyped]

    _check_container(path)
    _check_header(path)
    signals = bruker.file_reader(str(path), lazy=True)
    cube = next((s for s in signals if s["data"].ndim == 3), None)
    if cube is None:
        raise ReaderError("holds no spectra; export the map with its spectra")
    images = [s for s in signals if s["data"].ndim == 2]
    y, x, energy = cube["axes"]
    step = (_um(y), _um(images[0]["axes"][1] if images else x))
    found = Measured(
        step,
        _spectra(path, cube["data"].shape),
        pictures=tuple(_picture(s, step) for s in images),
        energy=(float(energy["offset"]), float(energy["scale"])),
    )
    return dataset(found, TOLD | _attrs(cube), cube["original_metadata"], __name__)


def _um(axis: dict[str, Any]) -> float:
    """Return the size of a pixel; where the microscope told none, the file has "pix"."""
    return float(axis["scale"]) if axis["units"] != "pix" else NAN


def _picture(signal: dict[str, Any], step: tuple[float, float]) -> Picture:
    """Return an image; the file tells one size of pixels, that of the map."""
    title = walk(signal["metadata"], "General.title") or "image"
    return Picture(str(title), signal["data"], step)


def _attrs(cube: dict[str, Any]) -> dict[str, Any]:
    instrument = next(iter(cube["metadata"]["Acquisition_instrument"].values()))
    tilt = walk(cube["original_metadata"], "Stage.Tilt")
    return {
        "beam_energy": float(instrument.get("beam_energy", NAN)),
        "tilt": float(tilt) if isinstance(tilt, (int, float)) else NAN,
        "elements": " ".join(walk(cube["metadata"], "Sample.elements") or ()),
    }


# --------------------------------------------------------------------------------- container


def _check_container(path: Path) -> None:
    """Refuse a table of contents in which RosettaSciIO would run in circles."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(0x14C)
        chunk = struct.unpack_from("<I", head, 0x128)[0]
        tree, count = struct.unpack_from("<II", head, 0x140)
        if not (0x220 <= chunk <= size and 1 <= count <= _MAX_ITEMS):
            raise ReaderError(f"declares {count} files in pieces of {chunk} bytes; it is damaged")
        raw = b""
        a_piece = (chunk - 0x20) // 0x200 * 0x200
        while len(raw) < count * 0x200:
            file.seek(chunk * tree + 0x118)
            tree = struct.unpack("<I28x", file.read(32))[0]
            raw += file.read(a_piece).ljust(a_piece, b"\0")
    items = [_ITEM.unpack_from(raw, i * 0x200) for i in range(count)]
    parents = [item[6] for item in items]
    for item in items:
        if item[1] > size or _depth(item[6], parents) > count:
            raise ReaderError("has a table of contents that makes no sense; it is damaged")


def _depth(parent: int, parents: list[int]) -> int:
    """Return how many folders lie around a file; more than there are where they go in circles."""
    depth = 0
    while parent != -1 and depth <= len(parents):
        parent, depth = parents[parent], depth + 1
    return depth


def _check_header(path: Path) -> None:
    """Refuse a header that unpacks to more than it declares: RosettaSciIO would unpack it all."""
    header = _Stream(path, "HeaderData")
    blocks = len(header.places)
    if header.packed and blocks * header.item.uncompressed_blk_size > _MAX_HEADER:
        raise ReaderError(f"declares a header of {blocks} blocks; it is damaged")
    for i in range(blocks):
        if len(header.unpacked(i, header.item.uncompressed_blk_size + 1)) > (
            header.item.uncompressed_blk_size
        ):
            raise ReaderError("has a header larger than it declares; it is damaged")


class _Stream:
    """A file in the container, by its name's beginning: unpacked, any part of it can be taken."""

    def __init__(self, path: Path, name: str = "SpectrumData") -> None:
        # what RosettaSciIO's own reader is made of
        from rsciio.bruker._api import SFS_reader  # type: ignore[import-untyped]

        container = SFS_reader(str(path))
        names = [n for n in container.vfs["EDSDatabase"] if n.startswith(name)]
        self.item = container.get_file("EDSDatabase/" + min(names))
        self.packed = container.compression == "zlib"
        self.places = self._places() if self.packed else []

    def _places(self) -> list[tuple[int, int]]:
        """Return where the packed blocks lie, and how long they are."""
        places, at = [], 0x80
        for _ in range(self.item.no_of_compr_blk):
            length = struct.unpack("<I12x", self.item.read_piece(at, 16))[0]
            places.append((at + 16, length))
            at += 16 + length
        return places

    def read(self, at: int, size: int) -> bytes:
        """Return at most `size` bytes from `at` on."""
        if not self.packed:
            size = min(size, self.item.size - at)
            return self.item.read_piece(at, size) if size > 0 else b""
        block = self.item.uncompressed_blk_size
        if not 0 < block <= _PIECE:
            raise ReaderError(f"declares blocks of {block} bytes; it is damaged")
        first, last = at // block, -(-(at + size) // block)
        raw = b"".join(self.unpacked(i, block) for i in range(first, min(last, len(self.places))))
        return raw[at - first * block :][:size]

    def unpacked(self, i: int, block: int) -> bytes:
        """Return at most `block` bytes of a packed block."""
        import zlib

        at, length = self.places[i]
        return zlib.decompressobj().decompress(self.item.read_piece(at, length), block)


# ----------------------------------------------------------------------------------- spectra


def _spectra(path: Path, shape: tuple[int, ...]) -> Any:
    """Return the lazy array (y, x, energy), in blocks of lines."""
    from dask.delayed import delayed

    return in_blocks(shape, _lines, path, delayed(_index)(path, shape[:2]))


def _index(path: Path, shape: tuple[int, int]) -> tuple[_Stream, NDArray[np.int64]]:
    """Return the stream, where each line begins in it, and where the last one ends."""
    from liscope.readers._eds_kernels import bruker_line_end

    with guard(path.name, FORM):
        stream = _Stream(path)
        declared = struct.unpack("<II", stream.read(0, 8))
        if declared[0] != shape[0]:
            raise ReaderError(f"has spectra of {declared[0]} lines, images of {shape[0]}")
        starts, begin, raw = [_LINES_AT], _LINES_AT, b""
        for _ in range(shape[0]):
            while (end := bruker_line_end(np.frombuffer(raw, np.uint8), starts[-1] - begin)) < 0:
                raw, begin = raw[starts[-1] - begin :], starts[-1]
                more = stream.read(begin + len(raw), max(_PIECE, len(raw)))
                if not more:
                    raise ReaderError(
                        f"ends after {len(starts) - 1} of {shape[0]} lines: cut short"
                    )
                raw += more
            starts.append(begin + end)
    return stream, np.array(starts)


def _lines(
    path: Path, index: tuple[_Stream, NDArray[np.int64]], first: int, shape: tuple[int, ...]
) -> NDArray[np.uint32]:
    """Return a block of lines (y, x, energy)."""
    from liscope.readers._eds_kernels import bruker_line

    found = np.zeros(shape, np.uint32)
    stream, starts = index
    with guard(path.name, FORM):
        for i, line in enumerate(found, first):
            raw = np.frombuffer(stream.read(starts[i], starts[i + 1] - starts[i]), np.uint8)
            if not bruker_line(raw, 0, line):
                raise ReaderError(f"has spectra in line {i} that make no sense; it is damaged")
    return found
