"""Finds the reader for a file: by its first bytes, and for plain tables by its name."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import xarray as xr

from liscope.errors import ReaderError
from liscope.readers.common import guard, one_line

MAX_BYTES = 1 << 30  # a scan of 4096 x 4096 pixels with 8 channels has half of it
HEAD = 1 << 12  # bytes that are enough to tell the formats apart


@dataclass(frozen=True)
class Family:
    """The formats that one function opens.

    Attributes
    ----------
    kind, function, known, remedy
        Words for messages: "scan", the function that opens such files, their suffixes, and
        what to do about a file of another format.
    readers
        Modules with ``FORM``, ``STARTS``, ``SUFFIXES`` and ``read(raw)``; or ``read_path(path)``
        where the file may be larger than memory.
    """

    kind: str
    function: str
    known: str
    remedy: str
    readers: tuple[ModuleType, ...]


def open_file(
    path: str | os.PathLike[str], family: Family, others: tuple[Family, ...]
) -> xr.Dataset:
    """Return what the reader of `family` that knows the file at `path` makes of it.

    Raises
    ------
    ReaderError
        If there is no such file, it is damaged, or of a format of `others` or of none.
    """
    path = Path(path)
    size = _size(path)
    reader = _reader(_bytes(path, HEAD), path.name, family, others)
    by_path = hasattr(reader, "read_path")
    if size > MAX_BYTES and not by_path:
        raise ReaderError(one_line(f"'{path.name}' has {size} bytes, too many for a {family.kind}"))
    with guard(path.name, reader.FORM):
        found: xr.Dataset = reader.read_path(path) if by_path else reader.read(_bytes(path, size))
    return with_origin(found, path.name, reader.FORM)


def with_origin(found: xr.Dataset, name: str, form: str) -> xr.Dataset:
    """Return what a reader found, with the file's name and format; on each variable as well."""
    source = one_line(name)
    history = f"read from {source} by {found.attrs['history']}"
    for array in found.data_vars.values():
        array.attrs["history"] = history  # a channel keeps its origin when it is taken out
    form = found.attrs.get("format", form)
    return found.assign_attrs(source=source, format=form, history=history)


def _size(path: Path) -> int:
    """Return the size of a regular file that is not empty."""
    try:
        if not path.is_file():
            raise ReaderError(one_line(f"'{path.name}' is no file; check the path"))
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        raise _closed(path, error) from None
    if not size:
        raise ReaderError(one_line(f"'{path.name}' is empty; copy it again"))
    return size


def _bytes(path: Path, count: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise _closed(path, error) from None


def _closed(path: Path, error: Exception) -> ReaderError:
    reason = getattr(error, "strerror", None) or error
    return ReaderError(one_line(f"'{path.name}' cannot be opened: {reason}"))


def _reader(head: bytes, name: str, family: Family, others: tuple[Family, ...]) -> ModuleType:
    """Return the reader whose magic the file begins with."""
    if reader := _begun(head, family) or _named(name, family, magic=False):
        return reader
    if reader := _named(name, family, magic=True):
        why = f"does not begin as a {reader.FORM} file does; copy it again"
        raise ReaderError(one_line(f"'{name}' {why}"))
    for other in others:
        if reader := _begun(head, other):
            why = f"is a {reader.FORM} file, no {family.kind}; open it with {other.function}"
            raise ReaderError(one_line(f"'{name}' {why}"))
    why = f"is none of the known {family.kind} formats ({family.known}); {family.remedy}"
    raise ReaderError(one_line(f"'{name}' {why}"))


def _begun(head: bytes, family: Family) -> ModuleType | None:
    return next((r for r in family.readers if r.STARTS and head.startswith(r.STARTS)), None)


def _named(name: str, family: Family, magic: bool) -> ModuleType | None:
    """Return the reader of a file of that name, of those with or without a magic."""
    for reader in family.readers:
        if bool(reader.STARTS) == magic and any(
            re.search(suffix + "$", name, re.IGNORECASE) for suffix in reader.SUFFIXES
        ):
            return reader
    return None
