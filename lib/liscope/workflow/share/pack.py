"""Writes an archive: whole or not at all, and the same content gives the same bytes."""

from __future__ import annotations

import io
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, LargeZipFile, ZipFile, ZipInfo

from liscope.errors import ParameterError
from liscope.workflow.parameters import short
from liscope.workflow.share.names import clashes, fault_of
from liscope.workflow.share.unpack import MEMBERS, allowed

Members = Mapping[str, Path | bytes]

_ANY_TIME = (1980, 1, 1, 0, 0, 0)  # the first that the format knows


def pack(archive: Path, members: Members) -> None:
    """Write a zip archive of files and bytes by name; a name with "/" at its end is a folder.

    Raises
    ------
    ParameterError
        If a name means something else on other machines, or there is too much for one archive.
    """
    for name in members:
        if fault := fault_of(name):
            raise ParameterError(f"{short(name)}: cannot go into a supplement ({fault})")
    if double := next(clashes(members), ""):
        raise ParameterError(f"{short(double)}: twice the same name; rename one of the two")
    if len(members) > MEMBERS:
        raise ParameterError(f"{len(members)} files; a supplement has at most {MEMBERS}")
    descriptor, name = tempfile.mkstemp(prefix=".supplement-", dir=archive.parent)
    os.close(descriptor)
    fresh = Path(name)
    try:
        _write(fresh, members, ZIP_DEFLATED)
        if not allowed(_size(members), fresh.stat().st_size):
            _write(fresh, members, ZIP_STORED)  # else our own reader would take it for a bomb
        fresh.chmod(0o644)
        fresh.replace(archive)
    except LargeZipFile:
        raise ParameterError(
            f"{archive.name} would be larger than 2 GiB; share fewer runs, or leave inputs out"
        ) from None
    finally:
        fresh.unlink(missing_ok=True)


def size_of(member: Path | bytes) -> int:
    """Return how many bytes a member has."""
    return len(member) if isinstance(member, bytes) else member.stat().st_size


def _size(members: Members) -> int:
    return sum(map(size_of, members.values()))


def _write(path: Path, members: Members, method: int) -> None:
    with ZipFile(path, "w", allowZip64=False) as target:
        for name in sorted(members):
            entry = ZipInfo(name, _ANY_TIME)
            entry.compress_type = method
            entry.create_system = 3  # on every system: the permissions below are Unix ones
            mode = stat.S_IFDIR | 0o755 if entry.is_dir() else stat.S_IFREG | 0o644
            entry.external_attr = mode << 16
            entry.file_size = size_of(members[name])
            content = members[name]
            opened = io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
            with opened, target.open(entry, "w") as packed:
                shutil.copyfileobj(opened, packed, 2**20)
