"""Reads an archive that somebody else made: whole and harmless, or not at all.

Nothing that an archive says about itself is believed. Names are checked before anything is
written, and what comes out is counted while it is decompressed.
"""

from __future__ import annotations

import shutil
import stat
import struct
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from liscope.errors import ReaderError
from liscope.workflow.parameters import short
from liscope.workflow.share.names import clashes, fault_of

MEMBERS = 20_000
TOTAL = 8 * 2**30  # bytes, unpacked
_RATIO, _FREE = 100, 64 * 2**20  # unpacked to packed, beyond the first bytes
_LINE = 1024  # bytes that the table of contents has for each member, on average
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_CHUNK = 2**18
_END = struct.Struct("<4s4H2LH")
_HEAD = struct.Struct("<4s22x2H")


class _Refused(Exception):
    """Why an archive is not unpacked."""


def unpack(archive: Path, folder: Path) -> list[str]:
    """Unpack a supplement into a new folder, and return the names of its files.

    Parameters
    ----------
    archive
        A zip file, of whatever origin.
    folder
        Does not exist yet; it appears complete or not at all.

    Raises
    ------
    ReaderError
        If the archive is damaged, too large, or has members that could do harm: with absolute
        paths or "..", links, twice the same name, encrypted, or larger than they say.
    """
    partial = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=folder.parent))
    try:
        with _told(archive), archive.open("rb") as stream:
            number = _check_end(stream)
            with ZipFile(stream) as source:
                members = _members(source, stream, number)
                _extract(source, members, partial)
        partial.chmod(0o755)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return [member.filename for member in members]


def allowed(unpacked: int, packed: int) -> bool:
    """Tell whether an archive may grow to this size; both in bytes."""
    return unpacked <= min(TOTAL, _RATIO * packed + _FREE)


@contextmanager
def _told(archive: Path) -> Iterator[None]:
    """Turn whatever an archive provokes into one line with its name."""
    try:
        yield
        return
    except _Refused as error:
        reason = str(error)
    except OSError as error:
        reason = f"cannot be unpacked ({error.strerror or error})"
    except (
        *(BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError),
        *(ValueError, RuntimeError, OverflowError, MemoryError),
    ) as error:
        reason = f"damaged ({' '.join(str(error).split())[:100] or type(error).__name__})"
    raise ReaderError(f"{archive.name}: {reason}; get the supplement again from its source")


def _check_end(stream: BinaryIO) -> int:
    """Refuse what is no zip file, or has too long a table of contents to be read at all.

    Returns the number of entries that the table is said to have.
    """
    start = stream.read(4)
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _END.size - 20))
    tail = stream.read()
    if start != b"PK\3\4" or tail[-_END.size :][:4] != b"PK\5\6":
        raise _Refused("no zip archive, or cut off")
    _, *disks, members, table, _, comment = _END.unpack(tail[-_END.size :])
    if tail[:4] == b"PK\6\7" or any(disks[:2]) or comment:
        raise _Refused("not as supplements are (above 4 GiB, in several parts, or with a comment)")
    if members > MEMBERS or table > MEMBERS * _LINE:
        raise _Refused(f"more than {MEMBERS} files")
    stream.seek(0)
    return int(members)


def _members(source: ZipFile, stream: BinaryIO, number: int) -> list[ZipInfo]:
    """Return the files of an archive, after every check that needs no unpacking."""
    everything = source.infolist()
    if len(everything) > MEMBERS:
        raise _Refused(f"more than {MEMBERS} files")
    if len(everything) != number:
        raise _Refused("damaged (its table of contents is incomplete)")
    for member in everything:
        if fault := _fault(member):
            raise _Refused(f"{short(member.orig_filename)}: {fault}")
    files = [member for member in everything if not member.is_dir()]
    if double := next(clashes(member.filename for member in files), ""):
        raise _Refused(f"{short(double)}: twice the same name")
    size = stream.seek(0, 2)
    if not allowed(sum(member.file_size for member in files), size):
        raise _Refused("would grow to an absurd size")
    _check_places(everything, stream, size)
    return files


def _fault(member: ZipInfo) -> str:
    """Say why a member is not unpacked; nothing if it may be."""
    if fault := fault_of(member.orig_filename):
        return fault
    if member.filename != member.orig_filename:  # later Pythons take it from an extra field
        return "two names"
    kind = stat.S_IFMT(member.external_attr >> 16)
    faults = {
        "a link or device": kind not in (0, stat.S_IFREG, stat.S_IFDIR),
        "a folder that has content": member.is_dir() and member.file_size > 0,
        "a folder that is said to be a file": member.is_dir() and kind == stat.S_IFREG,
        "a file that is said to be a folder": not member.is_dir() and kind == stat.S_IFDIR,
        "encrypted": bool(member.flag_bits & _ENCRYPTED),
        "packed in another way than deflate": member.compress_type
        not in (ZIP_STORED, ZIP_DEFLATED),
        "of other size inside": member.compress_type == ZIP_STORED
        and member.file_size != member.compress_size,
    }
    return next((fault for fault, found in faults.items() if found), "")


def _check_places(members: list[ZipInfo], stream: BinaryIO, size: int) -> None:
    """Refuse members that share bytes: a small file could hold any number of large ones."""
    ordered = sorted(members, key=lambda member: member.header_offset)
    if not ordered or ordered[0].header_offset != 0:
        raise _Refused("damaged (it does not begin with its first file)")
    ends = []
    for member in ordered:
        stream.seek(member.header_offset)
        signature, name, extra = _HEAD.unpack(stream.read(_HEAD.size))
        if signature != b"PK\3\4":
            raise _Refused(f"{short(member.filename)}: damaged")
        ends.append(member.header_offset + _HEAD.size + name + extra + member.compress_size)
    starts = [member.header_offset for member in ordered] + [size]
    if any(end > start for end, start in zip(ends, starts[1:], strict=True)) or any(
        one == other for one, other in pairwise(starts)
    ):
        raise _Refused("files that overlap")


def _extract(source: ZipFile, members: list[ZipInfo], folder: Path) -> None:
    if sum(member.file_size for member in members) > shutil.disk_usage(folder).free:
        raise _Refused("larger than what is free on the disk")
    for member in members:
        target = folder / member.filename
        target.parent.mkdir(parents=True, exist_ok=True)
        left = member.file_size
        with source.open(member) as packed, target.open("xb") as unpacked:
            while chunk := packed.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    break
                unpacked.write(chunk)
        if left != 0:
            raise _Refused(f"{short(member.filename)}: of other size than it says")
