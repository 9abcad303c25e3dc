"""Archives that try to do harm, each made here: one line, and nothing is left behind."""

from __future__ import annotations

import io
import shutil
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from liscope.errors import ParameterError, ReaderError
from liscope.workflow.share import unpack as unpack_module
from liscope.workflow.share.pack import pack
from liscope.workflow.share.unpack import unpack

CENTRAL = b"PK\1\2"


def archive_of(*members: tuple[str | zipfile.ZipInfo, bytes], **options: int) -> bytes:
    stream = io.BytesIO()
    options = {"compression": zipfile.ZIP_DEFLATED} | options
    with zipfile.ZipFile(stream, "w", **options) as target:
        for name, content in members:
            target.writestr(name, content)
    return stream.getvalue()


def named(name: str) -> bytes:
    return archive_of(("fine.txt", b"fine"), (name, b"harm"))


def with_raw_name(raw: bytes) -> bytes:
    """An archive with a name that zipfile itself would not write."""
    placeholder = "N" * len(raw)
    return named(placeholder).replace(placeholder.encode(), raw)


def of_kind(kind: int, content: bytes = b"/etc/passwd") -> bytes:
    entry = zipfile.ZipInfo("member")
    entry.create_system = 3
    entry.external_attr = (kind | 0o777) << 16
    return archive_of(("fine.txt", b"fine"), (entry, content))


def changed(content: bytes, offset: int, form: str, value: int) -> bytes:
    """Change a field of the last member's entry in the table of contents."""
    at = content.rindex(CENTRAL) + offset
    return content[:at] + struct.pack(form, value) + content[at + struct.calcsize(form) :]


def local(content: bytes, offset: int, form: str, value: int) -> bytes:
    """Change a field in front of the last member itself."""
    at = content.rindex(b"PK\3\4") + offset
    return content[:at] + struct.pack(form, value) + content[at + struct.calcsize(form) :]


def overlapping() -> bytes:
    """A hundred members that are all one and the same compressed bytes."""
    content = archive_of(("a", b"0" * 100_000))
    at = content.index(CENTRAL)
    end = content.index(b"PK\5\6")
    entry = content[at:end]
    table = b"".join(entry.replace(b"a", bytes([97 + number]), 1) for number in range(20))
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 20, 20, len(table), at, 0)
    return content[:at] + table + tail


def quoted() -> bytes:
    """A member whose data are another member's head and data."""
    content = archive_of(("a", b"0" * 1000), ("b", b"1" * 1000), compression=zipfile.ZIP_STORED)
    at = content.index(CENTRAL)
    content = content[: at + 20] + struct.pack("<2L", 2031, 2031) + content[at + 28 :]
    return content


def lying(real: int, told: int) -> bytes:
    content = archive_of(("big", b"0" * real))
    return changed(local(content, 22, "<L", told), 24, "<L", told)


def with_zip64_end() -> bytes:
    content = archive_of(("a", b"a"))
    at = content.rindex(b"PK\5\6")
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, at, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    return content[:at] + record + locator + content[at:]


GOOD = archive_of(("a.txt", b"text" * 1000), ("b/c.txt", bytes(range(256)) * 40))
DATA = GOOD.index(b"a.txt") + 5  # where the first file's own bytes begin
HOSTILE: dict[str, tuple[bytes, str]] = {
    "absolute": (named("/harm"), "absolute path"),
    "two slashes": (named("//server/share"), "absolute path"),
    "parent": (named("../harm"), "'..'"),
    "parent further down": (named("a/b/../../../harm"), "'..'"),
    "parent at the end": (named("a/.."), "'..'"),
    "dot": (named("./harm"), "'.'"),
    "nothing between": (named("a//harm"), "nothing between"),
    "drive": (named("C:/harm"), "colon"),
    "drive, relative": (named("C:harm"), "colon"),
    "stream": (named("a.txt:harm"), "colon"),
    "backslash": (named("..\\harm"), "backslash"),
    "NUL in the name": (with_raw_name(b"a.txt\0../harm"), "control"),
    "newline": (named("a\nb"), "control"),
    "terminal escape": (named("a\x1b[31mb"), "control"),
    "delete": (named("a\x7fb"), "control"),
    "right to left": (named("a\u202egpj.exe"), "control"),
    "line separator": (named("a\u2028b"), "control"),
    "no name": (
        changed(local(archive_of(("x", b"1")), 26, "<L", 1 << 16), 28, "<L", 1 << 16), "empty name",
    ),
    "long name": (named("a" * 256), "255 bytes"),
    "long path": (named("/".join(["a" * 50] * 6)), "255 bytes"),
    "name in bytes": (named("ä" * 128), "255 bytes"),
    "blank at the end": (named("harm "), "blank or dot"),
    "dot at the end": (named("harm./x"), "blank or dot"),
    "no UTF-8": (changed(with_raw_name(b"\xff\xfe"), 8, "<H", 0x800), "utf-8"),
    "symlink": (of_kind(stat.S_IFLNK), "link or device"),
    "device": (of_kind(stat.S_IFBLK), "link or device"),
    "terminal": (of_kind(stat.S_IFCHR), "link or device"),
    "pipe": (of_kind(stat.S_IFIFO), "link or device"),
    "socket": (of_kind(stat.S_IFSOCK), "link or device"),
    "file said to be a folder": (of_kind(stat.S_IFDIR), "said to be a folder"),
    "folder with content": (named("folder/"), "content"),
    "twice": (archive_of(("a", b"1"), ("b", b"2")).replace(b"b", b"a"), "twice"),
    "twice but for case": (archive_of(("Data.csv", b"1"), ("data.CSV", b"2")), "twice"),
    "twice but for accents": (archive_of(("\u00e9", b"1"), ("e\u0301", b"2")), "twice"),
    "file and folder": (archive_of(("a", b"1"), ("a/b", b"2")), "twice"),
    "folder and file": (archive_of(("a/b", b"1"), ("a", b"2")), "twice"),
    "encrypted": (changed(GOOD, 8, "<H", 1), "encrypted"),
    "strongly encrypted": (changed(GOOD, 8, "<H", 0x41), "encrypted"),
    "bzip2": (archive_of(("a", b"a" * 99), compression=zipfile.ZIP_BZIP2), "deflate"),
    "lzma": (archive_of(("a", b"a" * 99), compression=zipfile.ZIP_LZMA), "deflate"),
    "unknown method": (changed(GOOD, 10, "<H", 99), "deflate"),
    "bomb": (archive_of(("zeros", bytes(300 * 2**20))), "absurd size"),
    "bomb that says it is small": (lying(10**6, 1000), ""),
    "bomb that says it is large": (lying(1000, 2**32 - 2), "absurd size"),
    "larger than it says": (lying(5000, 4999), ""),
    "smaller than it says": (lying(5000, 5001), ""),
    "overlapping": (overlapping(), "overlap"),
    "quoted": (quoted(), "overlap"),
    "wrong checksum": (changed(GOOD, 16, "<L", 12345), "CRC"),
    "changed byte": (GOOD[: DATA + 3] + b"\xff" + GOOD[DATA + 4 :], ""),
    "other name inside": (local(named("harmx"), 30, "<5s", b"other"), "differ"),
    "cut off": (GOOD[:-30], "cut off"),
    "cut in the middle": (GOOD[: len(GOOD) // 2], "cut off"),
    "nothing": (b"", "cut off"),
    "only an end": (b"PK\5\6" + bytes(18), "no zip"),
    "something else": (b"%PDF-1.7" + b"x" * 1000, "no zip"),
    "something before it": (b"#!/bin/sh\n" + GOOD, "no zip"),
    "something after it": (GOOD + b"harm", "cut off"),
    "comment": (GOOD[:-2] + b"\4\0harm", "cut off"),
    "above 4 GiB": (with_zip64_end(), "4 GiB"),
    "table out of place": (GOOD[:-6] + struct.pack("<L", 2**31) + GOOD[-2:], ""),
    "offset out of place": (changed(GOOD, 42, "<L", 2**31), ""),
    "in parts": (GOOD[:-18] + b"\1\0" + GOOD[-16:], ""),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    content, reason = HOSTILE[kind]
    place = tmp_path / "here/inside"
    place.mkdir(parents=True)
    archive = tmp_path / "hostile.zip"
    archive.write_bytes(content)
    with pytest.raises(ReaderError) as refused:
        unpack(archive, place / "unpacked")
    message = str(refused.value)
    assert message.startswith("hostile.zip: ") and reason in message
    assert message.isprintable() and len(message) < 300
    assert set(tmp_path.rglob("*")) == {archive, place.parent, place}


def test_there_are_as_many_kinds_as_promised() -> None:
    assert len(HOSTILE) >= 50


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack_module, "MEMBERS", 10)
    archive = tmp_path / "many.zip"
    archive.write_bytes(archive_of(*((str(number), b"") for number in range(11))))
    with pytest.raises(ReaderError, match="more than 10 files"):
        unpack(archive, tmp_path / "unpacked")
    # The count at the end says one; the table holds eleven.
    content = archive.read_bytes()
    archive.write_bytes(content[:-14] + struct.pack("<2H", 1, 1) + content[-10:])
    with pytest.raises(ReaderError, match="more than 10 files"):
        unpack(archive, tmp_path / "unpacked")


def test_whatever_byte_is_changed_the_content_is_right_or_refused(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    archive, folder = tmp_path / "changed.zip", tmp_path / "unpacked"
    refused = 0
    for _ in range(400):
        content = bytearray(GOOD)
        for at in random.integers(0, len(content), random.integers(1, 4)):
            content[at] = random.integers(0, 256)
        archive.write_bytes(content)
        try:
            names = unpack(archive, folder)
        except ReaderError:
            refused += 1
            continue
        assert len(names) == 2
        found = {(folder / name).read_bytes() for name in names}
        assert found == {b"text" * 1000, bytes(range(256)) * 40}
        shutil.rmtree(folder)
    assert refused > 100
    assert [path.name for path in tmp_path.iterdir()] == ["changed.zip"]


def test_a_missing_archive(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match="No such file"):
        unpack(tmp_path / "none.zip", tmp_path / "unpacked")
    assert list(tmp_path.iterdir()) == []


def test_an_archive_within_an_archive_stays_closed(tmp_path: Path) -> None:
    bomb = archive_of(("zeros", bytes(10**6)))
    archive = tmp_path / "outer.zip"
    archive.write_bytes(archive_of(("inner.zip", bomb)))
    assert unpack(archive, tmp_path / "unpacked") == ["inner.zip"]
    assert (tmp_path / "unpacked/inner.zip").read_bytes() == bomb


def test_what_another_program_has_packed_is_read(tmp_path: Path) -> None:
    """With folders, as zip tools write them; programs do not become executable."""
    entry = zipfile.ZipInfo("folder/run.sh")
    entry.create_system = 3
    entry.external_attr = (stat.S_IFREG | 0o4777) << 16
    folder = zipfile.ZipInfo("folder/")
    archive = tmp_path / "other.zip"
    archive.write_bytes(archive_of((folder, b""), (entry, b"true"), ("ä/µ.txt", b"text")))
    assert unpack(archive, tmp_path / "unpacked") == ["folder/run.sh", "ä/µ.txt"]
    assert (tmp_path / "unpacked/ä/µ.txt").read_bytes() == b"text"
    assert not (tmp_path / "unpacked/folder/run.sh").stat().st_mode & 0o6111


MEMBERS = {"b.txt": b"text" * 500, "a/ä.bin": bytes(range(256)), "a/c.txt": b""}


def test_what_is_packed_is_the_same_whenever_it_is_packed(tmp_path: Path) -> None:
    files = {}
    for name, content in MEMBERS.items():
        files[name] = tmp_path / name.replace("/", "-")
        files[name].write_bytes(content)
    pack(tmp_path / "one.zip", files)
    pack(tmp_path / "two.zip", dict(reversed(MEMBERS.items())))
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert unpack(tmp_path / "one.zip", tmp_path / "unpacked") == sorted(MEMBERS)
    for name, content in MEMBERS.items():
        assert (tmp_path / "unpacked" / name).read_bytes() == content


def test_results_that_are_all_zeros_are_no_bomb_to_our_own_reader(tmp_path: Path) -> None:
    pack(tmp_path / "zeros.zip", {"zeros.nc": bytes(80 * 2**20)})
    assert unpack(tmp_path / "zeros.zip", tmp_path / "unpacked") == ["zeros.nc"]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["a:b"], "colon"),
        (["../a"], "'..'"),
        (["a" * 300], "255 bytes"),
        (["A.txt", "a.txt"], "twice the same name"),
    ],
)
def test_names_of_this_machine_alone_are_not_packed(
    names: list[str], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ParameterError, match=reason):
        pack(tmp_path / "bad.zip", dict.fromkeys(names, b""))
    assert list(tmp_path.iterdir()) == []


def test_an_archive_that_is_there_stays_until_the_new_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "old.zip"
    archive.write_bytes(b"old")

    def fail(*_: object) -> Callable[[], None]:
        raise OSError("no space left")

    monkeypatch.setattr("shutil.copyfileobj", fail)
    with pytest.raises(OSError, match="no space"):
        pack(archive, {"a": b"a"})
    assert [path.name for path in tmp_path.iterdir()] == ["old.zip"]
    assert archive.read_bytes() == b"old"


def test_a_name_that_python_takes_from_an_extra_field_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(GOOD)
    real = zipfile.ZipFile.infolist

    def renamed(self: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
        members = real(self)
        members[0].filename = "../escaped.txt"  # as Pythons do that know this field
        return members

    monkeypatch.setattr(zipfile.ZipFile, "infolist", renamed)
    with pytest.raises(ReaderError, match="two names"):
        unpack(archive, tmp_path / "place")
    assert not (tmp_path / "escaped.txt").exists()
