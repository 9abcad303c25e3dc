import hashlib
import re
from pathlib import Path

import pytest
import synthetic_diffraction as files

from liscope import data
from liscope.errors import ReaderError


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of one file that can be had from nowhere."""
    content = b"a scan"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "registry.yaml").write_text(
        "scan.gwy:\n  address: http://127.0.0.1:9/scan.gwy\n"
        f"  sha256: {hashlib.sha256(content).hexdigest()}\n  bytes: 6\n"
    )
    monkeypatch.setattr(data, "project_root", lambda: tmp_path)
    monkeypatch.delenv("LISCOPE_REAL", raising=False)
    data.registry.cache_clear()
    yield tmp_path, content
    data.registry.cache_clear()


def test_every_entry_is_complete_and_fixed_in_time():
    for name, entry in data.registry().items():
        assert set(entry) == {"address", "sha256", "bytes", "licence", "what"}, name
        pattern = r"https://raw\.githubusercontent\.com/[\w.-]+/[\w.-]+/[0-9a-f]{40}/.+"
        assert re.fullmatch(pattern, entry["address"]), name
        assert re.fullmatch("[0-9a-f]{64}", entry["sha256"]), name


@pytest.mark.parametrize("name", list(data.registry()))
def test_fetch_finds_real_files_on_disk(real, name):
    path = data.fetch(name)
    assert path.is_relative_to(real) and path.stat().st_size == data.registry()[name]["bytes"]


def test_unknown_name_lists_near_ones():
    with pytest.raises(ReaderError, match=r"called 'old_bruker\.02'; near it: old_bruker\.002"):
        data.fetch("old_bruker.02")


def test_a_file_with_other_content_is_not_taken(project, monkeypatch):
    root, content = project
    (root / "mine").mkdir()
    (root / "mine" / "scan.gwy").write_bytes(b"another scan")
    monkeypatch.setenv("LISCOPE_REAL", str(root / "mine"))
    with pytest.raises(ReaderError, match=r"'scan\.gwy' is not on disk and cannot be downloaded"):
        data.fetch("scan.gwy")
    (root / "data" / "real").mkdir(exist_ok=True)
    (root / "data" / "real" / "scan.gwy").write_bytes(content)
    assert data.fetch("scan.gwy") == root / "data" / "real" / "scan.gwy"


def test_offline_is_one_line_with_the_remedy(project):
    with pytest.raises(ReaderError) as caught:
        data.fetch("scan.gwy")
    message = str(caught.value)
    assert "\n" not in message and "get it from http://127.0.0.1:9/scan.gwy" in message


def test_a_broken_registry_is_named(project):
    root, _ = project
    (root / "data" / "registry.yaml").write_text("a: [")
    with pytest.raises(ReaderError, match=r"'data/registry\.yaml' cannot be read"):
        data.fetch("scan.gwy")


@pytest.mark.parametrize(
    ("name", "raw", "map_of_crystals"),
    [
        ("a.ang", files.ang(), True),
        ("A.CTF", files.ctf(), True),
        ("a.h5", files.orix_h5(), True),
        ("a.hdf5", files.orix_h5(), True),
        ("b.h5", files.hspy(files.patterns()), False),  # HDF5 of patterns
        ("c.h5", files.orix_h5()[:3000], False),  # cut short
        ("d.h5", b"no HDF5 at all", False),
        ("a.blo", files.blockfile(files.patterns((3, 4, 5, 5))), False),
        ("a.hspy", files.hspy(files.patterns()), False),
    ],
)
def test_orientation_maps_are_known_from_patterns(tmp_path, name, raw, map_of_crystals):
    (tmp_path / name).write_bytes(raw)
    assert data.is_orientation_map(str(tmp_path / name)) is map_of_crystals


def test_specimens_are_patterns_and_what_is_not_there_is_refused(tmp_path):
    assert data.is_orientation_map("specimen:lmno_pristine/scan") is False
    with pytest.raises(ReaderError, match="no file"):
        data.is_orientation_map(str(tmp_path / "a.ang"))


def test_a_real_map_is_one(real):
    assert data.is_orientation_map("real:sdss_ferrite_austenite.ang")
    assert not data.is_orientation_map("real:test1.blo")


def test_all_files_of_a_measurement_belong_to_it(tmp_path: Path) -> None:
    names = ("a.zspy/.zgroup", "a.zspy/E/0.0", "b_000.tvips", "b_001.tvips", "c_001.tvips", "d.mib")
    names += ("d.hdr", "e.hdr", "f/one.txt", "f/two.txt", "f/sub/three.txt", "f/.DS_Store", "g.csv")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)

    def found(name: str) -> list[str]:
        return [one.relative_to(tmp_path).as_posix() for one in data.files_of(tmp_path / name)]

    assert found("a.zspy") == ["a.zspy/.zgroup", "a.zspy/E/0.0"]
    assert found("b_000.tvips") == ["b_000.tvips", "b_001.tvips"]
    assert found("d.mib") == ["d.hdr", "d.mib"]
    assert found("f") == ["f/one.txt", "f/two.txt"]
    assert found("g.csv") == ["g.csv"]
