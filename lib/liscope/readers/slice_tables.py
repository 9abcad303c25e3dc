"""Matrices as text, as Hiden MAPPER and many others export them: one picture a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liscope.errors import ReaderError
from liscope.readers.common import one_line, sides

_MAX_TEXT = 1 << 28  # bytes of one table
_MATRIX = b"0123456789+-.eE,; \t\r\n"


def table_form(path: Path, size: int) -> tuple[tuple[int, int], np.dtype[Any]]:
    """Return shape and type of the matrix in a table of `size` bytes; looked through, not parsed.

    Raises
    ------
    ReaderError
        Without the file's name, if it holds words, or its lines do not all have as many numbers.
    """
    if size > _MAX_TEXT:
        raise ReaderError(f"has {size} bytes, too many for a table")
    lines = _lines(path)
    text = b"".join(lines)
    if strange := text.translate(None, _MATRIX):
        shown = one_line(strange[:12].decode("latin-1"))
        raise ReaderError(f"holds '{shown}', which is no number; export the matrix alone")
    mark = _separator(lines)
    if mark != b"," and b"," in text:
        raise ReaderError("has decimal commas; export it with points")
    widths = [len(line.split(mark)) for line in lines]
    ragged = next((i for i, width in enumerate(widths) if width != widths[0]), 0)
    if ragged:
        raise ReaderError(
            f"has {widths[ragged]} numbers in line {ragged + 1} of the matrix, {widths[0]} in the "
            "first: it is cut short or no matrix"
        )
    nx, ny = sides(widths[0] if widths else 0, len(lines))
    whole = not any(mark in text for mark in (b".", b"e", b"E", b"-"))
    return (ny, nx), np.dtype(np.uint32 if whole else np.float64)


def _lines(path: Path) -> list[bytes]:
    """Return the lines with numbers, without the comment above them."""
    raw = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    lines = (line.strip(b" ,;\t\r") for line in raw.split(b"\n"))
    return [line for line in lines if line and not line.startswith(b"#")]


def _separator(lines: list[bytes]) -> bytes | None:
    """Return what stands between the numbers of the first line; None: blanks."""
    first = lines[0] if lines else b""
    return next((mark for mark in (b";", b"\t", b",") if mark in first), None)


def read_table(path: Path, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the matrix (y, x); counts are never below zero."""
    lines = _lines(path)
    mark = _separator(lines)
    found = np.loadtxt(lines, dtype, delimiter=mark.decode() if mark else None, ndmin=2)
    if found.dtype.kind == "f" and found.size and found.min() < 0:
        raise ReaderError(f"holds {found.min()}, which nobody counted; export the counts")
    return found
