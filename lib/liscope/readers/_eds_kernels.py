"""Loops over the bytes of EDS spectrum images, compiled; no position is used unchecked."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
PLACES = 4096  # along each side, in which JEOL counts
PIXEL = 22  # bytes in front of a pixel's counts in Bruker's stream


@numba.njit(nogil=True, cache=True)
def _number(raw: Bytes, at: int, size: int) -> Any:
    """Return a little-endian number of `size` bytes."""
    value: Any = 0
    for i in range(size):
        value += np.int64(raw[at + i]) << (8 * i)
    return value


@numba.njit(nogil=True, cache=True)
def bruker_line_end(raw: Bytes, at: int) -> int:
    """Return where a line that begins at `at` ends; -1 if `raw` ends before."""
    if at + 4 > raw.size:
        return -1
    pixels = _number(raw, at, 4)
    at += 4
    for _ in range(pixels):
        if at + PIXEL > raw.size:
            return -1
        flag, pulses, size = (
            _number(raw, at + 12, 2),
            _number(raw, at + 16, 2),
            _number(raw, at + 18, 4),
        )
        at += PIXEL + size + (2 * pulses if flag > 1 else 0)
    return at if at <= raw.size else -1


@numba.njit(nogil=True, cache=True)
def bruker_line(raw: Bytes, at: int, out: NDArray[Any]) -> bool:
    """Add the counts of a line of pixels to `out` (x, channel); tell whether it was sound."""
    pixels = _number(raw, at, 4)
    at += 4
    for _ in range(pixels):
        x, flag = _number(raw, at, 4), _number(raw, at + 12, 2)
        pulses, size = _number(raw, at + 16, 2), _number(raw, at + 18, 4)
        at += PIXEL
        if x >= out.shape[0]:
            return False
        if flag == 0 and 2 * pulses <= size:
            _pulses16(raw, at, pulses, out[x])
        elif flag == 1 and 3 * pulses <= 2 * size:
            _pulses12(raw, at, pulses, size, out[x])
        elif flag > 1 and size >= 4:
            if not _instructed(raw, at, at + size - 4, out[x]):
                return False
            _pulses16(raw, at + size, pulses, out[x])
            at += 2 * pulses
        elif pulses:
            return False
        at += size
    return True


@numba.njit(nogil=True, cache=True)
def _pulses16(raw: Bytes, at: int, pulses: int, out: NDArray[Any]) -> None:
    for i in range(pulses):
        channel = _number(raw, at + 2 * i, 2)
        if channel < out.size:
            out[channel] += 1


@numba.njit(nogil=True, cache=True)
def _pulses12(raw: Bytes, at: int, pulses: int, size: int, out: NDArray[Any]) -> None:
    """Four channels of 12 bits lie in three words of 16 bits, the high nibbles of a word first."""
    for i in range(pulses):
        word, part = at + 6 * (i // 4) + 2 * (i % 4 * 3 // 4), i % 4
        if word + (4 if part in (1, 2) else 2) > at + size:
            return
        first = _number(raw, word, 2)
        second = _number(raw, word + 2, 2) if part in (1, 2) else 0
        if part == 0:
            channel = first >> 4
        elif part == 1:
            channel = (first & 0xF) << 8 | second >> 8
        elif part == 2:
            channel = (first & 0xFF) << 4 | second >> 12
        else:
            channel = first & 0xFFF
        if channel < out.size:
            out[channel] += 1


@numba.njit(nogil=True, cache=True)
def _instructed(raw: Bytes, at: Any, end: int, out: NDArray[Any]) -> bool:
    """Add runs of channels: their number, bytes a pair of values, and what all have in common."""
    channel: Any = 0
    while at + 2 <= end:
        size, count = _number(raw, at, 1), _number(raw, at + 1, 1)
        at += 2
        if size:
            width = size if size in (1, 2, 4) else 8
            packed = (count + 1) // 2 if size == 1 else count * size // 2
            if at + size + packed > end or at + width > end:
                return False
            gain = _number(raw, at, width)
            at += size
            for i in range(count):
                if channel + i < out.size:
                    out[channel + i] += gain + _packed(raw, at, i, width)
            at += packed
        channel += count
    return True


@numba.njit(nogil=True, cache=True)
def _packed(raw: Bytes, at: int, i: int, width: int) -> Any:
    """Return value `i` of a run: half of `width` bytes, of a byte the low half first."""
    if width == 1:
        return (np.int64(raw[at + i // 2]) >> (4 * (i % 2))) & 15
    return _number(raw, at + i * width // 2, width // 2)


@numba.njit(nogil=True, cache=True)
def velox_starts(stream: NDArray[np.uint16], at: int, pixel: int, nx: int, out: Any) -> Any:
    """Add to `out` where rows begin in a stream of which a part, from `at` on, is given.

    A value is the channel of one count; 65535 goes to the next pixel, after the last one to the
    first of the next frame. Returns how many pixels ended so far; `pixel` had before.
    """
    for i in range(stream.size):
        if stream[i] == 65535:
            pixel += 1
            if pixel % nx == 0 and pixel // nx < out.size:
                out[pixel // nx] = at + i + 1
    return pixel


@numba.njit(nogil=True, cache=True)
def velox_rows(stream: NDArray[np.uint16], out: NDArray[Any]) -> None:
    """Add the counts of a part of a stream that begins with a row to `out` (pixel, channel)."""
    pixel = 0
    for value in stream:
        if value == 65535:
            pixel += 1
        elif pixel < out.shape[0] and value < out.shape[1]:
            out[pixel, value] += 1


@numba.njit(nogil=True, cache=True)
def jeol_marks(raw: NDArray[np.uint16], height: int, out: NDArray[np.int64]) -> Any:
    """Put into `out` (mark, 3) where each line begins, which row it is, and the place along x.

    A word has its kind in the upper 4 bits and a value below 4096 in the others: a place along x
    (8) or y (9), or the channel of one count (11). Places are in 1/4096 of the picture. Returns how
    many lines there are, also those for which `out` has no room.
    """
    marks: Any = 0
    x: Any = 0
    for i in range(raw.size):
        kind, value = raw[i] & 0xF000, np.int64(raw[i] & 0xFFF)
        if kind == 0x8000:
            x = value
        elif kind == 0x9000:
            if marks < out.shape[0]:
                out[marks, 0], out[marks, 1], out[marks, 2] = i, value * height // PLACES, x
            marks += 1
    return marks


@numba.njit(nogil=True, cache=True)
def jeol_line(raw: NDArray[np.uint16], place: Any, out: NDArray[Any]) -> None:
    """Add the counts of a line, which begins at a place along x, to `out` (x, channel)."""
    x: Any = place * out.shape[0] // PLACES
    for word in raw:
        kind, value = word & 0xF000, np.int64(word & 0xFFF)
        if kind == 0x8000:
            x = value * out.shape[0] // PLACES
        elif kind == 0xB000 and value < out.shape[1] and x < out.shape[0]:
            out[x, value] += 1
