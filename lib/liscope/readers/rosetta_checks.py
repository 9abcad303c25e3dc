"""What is looked at in a file before RosettaSciIO sees it, and after."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from liscope.errors import ReaderError

_MERLIN_BYTES = {b"U08": 1, b"U16": 2, b"U32": 4}
_MAX_FILES = 100_000  # of a Zarr folder that describe arrays
_TAGS = 1 << 24  # bytes at the begin and the end of a file in which its tags are looked for
# An array of strings or structs that are empty, which RosettaSciIO counts through one by one.
_EMPTY = re.compile(
    rb"%%%%.{4}\0{3}\x14\0{3}(\x0f.{4}\0{4}|\x12\0{4})"
    rb"|%%%%.{8}\0{7}\x14\0{7}(\x0f.{8}\0{8}|\x12\0{8})",
    re.DOTALL,
)


def check_hdf5(path: Path) -> bool:
    """Refuse what points out of the file; tell whether HyperSpy wrote it."""
    import h5py  # here: it takes its time to load

    from liscope.readers.hdf5 import check

    def is_lazy(data: h5py.Dataset) -> bool:
        return data.ndim > 2 and not data.name.rpartition("/")[2].startswith("_")

    with h5py.File(path, "r") as file:
        check(file, is_lazy)
        if "crystal_map" in file:
            raise ReaderError("is an orientation map; open it with read_orientations")
        experiments = file.get("Experiments", {})
        if any("data" in group and group["data"].chunks is None for group in experiments.values()):
            raise ReaderError("keeps its patterns in one piece; save it again with HyperSpy")
        return "file_format_version" in file.attrs and "Experiments" in file


def check_tags(path: Path) -> None:
    """Refuse DigitalMicrograph's tags that hold nothing, any number of times."""
    size = path.stat().st_size
    with path.open("rb") as file:
        first = file.read(_TAGS)
        file.seek(max(size - _TAGS, 0))
        last = file.read() if size > _TAGS else b""
    if _EMPTY.search(first) or _EMPTY.search(last):
        raise ReaderError("has tags that are arrays of nothing; it is damaged")


def check_merlin(head: bytes, size: int) -> None:
    """Refuse frames that the file does not hold as a whole."""
    fields = head.split(b",")
    if len(fields) < 8 or fields[6] not in _MERLIN_BYTES:
        raise ReaderError("holds no U08, U16 or U32 counts but raw ones; save them processed")
    begin, width, height = (int(fields[i]) for i in (2, 4, 5))
    frame = begin + width * height * _MERLIN_BYTES[fields[6]]
    if min(begin, width, height) < 1 or size % frame:
        raise ReaderError(
            f"has {size} bytes, not a whole number of frames of {width} x {height} pixels "
            f"({frame} bytes each): it is cut short; copy it again"
        )


def check_micrograph(signals: list[dict[str, Any]], size: int) -> None:
    """Refuse arrays that reach behind the end of the file."""
    for signal in signals:
        place = "ImageList.TagGroup0.ImageData.Data.offset"
        offset = walk(signal["original_metadata"], place) or 0
        if offset + signal["data"].nbytes > size:
            raise ReaderError(
                f"declares data up to byte {offset + signal['data'].nbytes}, but "
                f"ends at byte {size}: it is cut short; copy it again"
            )


def check_zarr(path: Path) -> None:
    """Refuse a Zarr folder with pickled data, or with arrays that no block can hold."""
    files = [*path.rglob(".zarray"), *path.rglob("zarr.json")]
    if not files or len(files) > _MAX_FILES:
        raise ReaderError(f"is no HyperSpy folder: it describes {len(files)} arrays")
    for file in files:
        told = json.loads(file.read_text(encoding="utf-8"))
        if "pickle" in json.dumps([told.get(key) for key in ("filters", "compressor", "codecs")]):
            raise ReaderError("asks for unpickling, which could run any program; save it again")
        chunks = told.get("chunks") or walk(told, "chunk_grid.configuration.chunk_shape") or [1]
        if math.prod(chunks) > 1 << 27:
            raise ReaderError(f"declares blocks of {math.prod(chunks)} values; it is damaged")


def walk(tree: Any, place: str) -> Any:
    """Return what lies at "a.b.c" of nested metadata; None where nothing does."""
    for step in place.split("."):
        keys = {str(key).replace(" ", "_"): key for key in tree} if isinstance(tree, dict) else {}
        if step.replace(" ", "_") not in keys:
            return None
        tree = tree[keys[step.replace(" ", "_")]]
    return tree
