from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from liscope import checksums
from liscope.checksums import sha256

HOUR = 3600 * 10**9


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that was written long ago, by the clock of this process."""
    path = tmp_path / "data"
    path.write_bytes(b"one")
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + HOUR)
    return path


def test_a_file_that_stays_is_read_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sha256(file) == hashlib.sha256(b"one").hexdigest()
    monkeypatch.setattr(checksums.hashlib, "file_digest", lambda *_: pytest.fail("read again"))
    assert sha256(file) == hashlib.sha256(b"one").hexdigest()


def test_a_change_that_hides_its_time_and_size_is_seen(file: Path) -> None:
    before = file.stat()
    sha256(file)
    file.write_bytes(b"two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert sha256(file) == hashlib.sha256(b"two").hexdigest()


def test_what_was_just_written_is_always_read(tmp_path: Path) -> None:
    path = tmp_path / "data"
    for content in (b"one", b"two", b"six"):  # too fast for a coarse clock
        path.write_bytes(content)
        assert sha256(path) == hashlib.sha256(content).hexdigest()
        assert path not in checksums._known
