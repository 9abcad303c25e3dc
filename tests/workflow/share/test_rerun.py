"""A supplement is executed again where nothing of the writing side is."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from share_toy import SCAN, command, contents, packed
from test_crate_reading import described, with_record

import liscope
from liscope.errors import RunError
from liscope.workflow.commands.rerun import rerun
from liscope.workflow.project import Project
from liscope.workflow.run import RunResult
from liscope.workflow.share import rerun as rerun_module
from liscope.workflow.share.rerun import execute, open_supplement, surroundings_differ


def test_in_another_place_it_comes_out_the_same_to_the_byte(
    supplement: Path, library: Path, tmp_path: Path
) -> None:
    place = tmp_path / "the reader's"
    place.mkdir()
    shutil.copy(supplement, place / "from a paper.zip")
    away = supplement.parent.rename(supplement.parent.with_name("gone"))
    try:
        arguments = ["rerun", "from a paper.zip", "--yes"]
        done = command(place, library, *arguments, LISCOPE_REAL="")
    finally:
        away.rename(supplement.parent)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    (root,) = (path for path in place.iterdir() if path.is_dir())
    assert root.name.startswith("from a paper-") and lines[0] == f"unpacked into {root}"
    assert [line.split()[0] for line in lines[2:-2]] == [
        *("summary.json", "tables/terms.csv", "arrays/terms.nc", "volumes/cell.ome.zarr"),
        *("figures/growth", "interactive/squares.html"),
    ]
    assert all(line.endswith("  same bytes") for line in lines[2:-2])
    assert lines[-2] == "6 same bytes" and lines[-1].startswith(f"kept in {root}: ")
    assert (root / "data/my scan.csv").read_text() == SCAN
    laid_out = {path.relative_to(root).parts[0] for path in root.rglob("*.py*")}
    assert laid_out == {"supplement"}  # nothing that a kernel could import in place of a library


def rerun_with(change: Callable[[Path], object]) -> Callable[..., RunResult]:
    """Return what runs nothing, and gives the results that are there already, changed."""

    def run(project: Project, workflow: object, parameters: object, sample: str, **_: object):
        (old,) = (project.root / "supplement/results/toy").glob(f"{sample}-*")
        folder = project.results("toy") / old.name
        shutil.copytree(old, folder)
        change(folder)
        return RunResult(folder, old.name[-12:], fresh=False)

    return run


def invoke(archive: Path, *arguments: str, answer: str = ""):
    return CliRunner().invoke(rerun, [str(archive), *arguments], input=answer)


def test_exit_0_only_if_nothing_differs(
    two_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rounded(folder: Path) -> None:
        (folder / "tables/terms.csv").write_text("value\n1.5\n2.5000001\n")

    def changed(folder: Path) -> None:
        if folder.name.startswith("own"):
            (folder / "summary.json").write_text('{"total": 5.0}')

    monkeypatch.setattr(rerun_module, "run", rerun_with(rounded))
    done = invoke(two_runs, "--yes", "--into", str(tmp_path / "a"))
    assert done.exit_code == 0, done.output
    assert "tables/terms.csv  same within tolerance (largest relative difference 4.0e-08)" in (
        done.output
    )
    assert "\n6 same bytes; 2 same within tolerance\nkept in " in done.output
    done = invoke(two_runs, "--yes", "--into", str(tmp_path / "b"), "--rtol", "1e-9")
    assert isinstance(done.exception, RunError)
    monkeypatch.setattr(rerun_module, "run", rerun_with(changed))
    done = invoke(two_runs, "--yes", "--into", str(tmp_path / "c"))
    assert "summary.json      differs (largest relative difference 2.0e-01)" in done.output
    assert str(done.exception).startswith("1 of 2 runs failed or differ: toy/own-")


def test_nothing_is_executed_before_the_answer(
    two_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("executed")

    monkeypatch.setattr(rerun_module, "run", never)
    for answer in ("n\n", "\n"):
        done = invoke(two_runs, "--into", str(tmp_path / "a"), answer=answer)
        assert done.exit_code == 1 and "Aborted" in done.output
        assert "executes foreign code on this machine, as you: the notebooks toy" in done.output
        assert list(tmp_path.iterdir()) == []
    unanswered = invoke(two_runs, "--into", str(tmp_path / "a"))
    assert "is executed without a question where --yes is given" in str(unanswered.exception)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a").mkdir()  # one that was there before stays, and is empty again
    invoke(two_runs, "--into", str(tmp_path / "a"), answer="n\n")
    assert list((tmp_path / "a").iterdir()) == []
    monkeypatch.setattr(rerun_module, "run", rerun_with(lambda folder: None))
    assert invoke(two_runs, "--into", str(tmp_path / "a"), answer="y\n").exit_code == 0


def test_a_place_that_is_taken_is_left_alone(two_runs: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    for place in (tmp_path, tmp_path / "mine", tmp_path / "no/such"):
        done = invoke(two_runs, "--yes", "--into", str(place))
        assert "should be an empty folder" in str(done.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("given", [True, False])
def test_after_a_refusal_nothing_is_left(given: bool, tmp_path: Path) -> None:
    archive, place = tmp_path / "bad.zip", tmp_path / "place"
    archive.write_bytes(b"PK")
    place.mkdir()
    done = invoke(archive, "--yes", *(["--into", str(place)] if given else []))
    assert "bad.zip: no zip archive" in str(done.exception)
    assert {path.name for path in tmp_path.rglob("*")} == {"bad.zip", "place"}


def test_data_that_is_not_there_is_named(two_runs: Path, tmp_path: Path) -> None:
    members = contents(two_runs)
    digest = hashlib.sha256(members.pop("data/my scan.csv")).hexdigest()
    root = tmp_path / "root"
    root.mkdir()
    opened = open_supplement(packed(tmp_path / "without.zip", members), root)
    opened.runs[:] = [run for run in opened.runs if run.sample == "own"]
    (outcome,) = execute(opened, 1e-6)
    assert outcome.failure == (
        f"'data/my scan.csv' is not in the archive ({len(SCAN)} bytes, sha256 {digest}); "
        "ask its authors"
    )


def test_before_the_answer_no_data_is_read_that_parameters_name(
    two_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_supplement(two_runs, tmp_path)
    for one in opened.runs:
        one.parameters["stressed"] = "/dev/zero"  # would be read for ever

    def located(*_: object) -> None:
        raise AssertionError("data was looked for")

    monkeypatch.setattr("liscope.workflow.keys.locate", located)
    surroundings_differ(opened)
    (first, *_) = execute(opened, 1e-6)
    assert "name other data than its record" in first.failure


def test_public_data_is_fetched_by_its_checksum(
    two_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive names the address; what comes from there must have the right sha256."""
    import pooch

    digest = hashlib.sha256(SCAN.encode()).hexdigest()
    entry = {"address": "https://a.example/x.sxm", "sha256": digest, "bytes": len(SCAN)}

    def as_public(record: dict) -> None:
        record["inputs"] = [{"name": "real:x.sxm", "sha256": digest, "bytes": len(SCAN)}]
        record["parameters"]["stressed"] = "real:x.sxm"

    members = with_record(as_public)(contents(two_runs))
    document = json.loads(members["ro-crate-metadata.json"])
    document["@graph"].append({"@id": "data/registry.yaml", "@type": "File", "sha256": "-"})
    members["ro-crate-metadata.json"] = json.dumps(document).encode()
    members["data/registry.yaml"] = json.dumps({"x.sxm": entry}).encode()
    asked = []

    def retrieve(address: str, known_hash: str, name: str, folder: Path) -> str:
        asked.append((address, known_hash))
        raise ConnectionError("no network")

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    monkeypatch.setenv("LISCOPE_REAL", str(tmp_path / "none"))
    root = tmp_path / "root"
    root.mkdir()
    opened = open_supplement(packed(tmp_path / "public.zip", described(members)), root)
    opened.runs[:] = [run for run in opened.runs if run.sample == "own"]
    (outcome,) = execute(opened, 1e-6)
    assert asked == [("https://a.example/x.sxm", f"sha256:{digest}")]
    assert "cannot be downloaded (ConnectionError no network)" in outcome.failure
    assert "https://a.example/x.sxm" in outcome.failure


def test_it_says_what_is_different_here(
    two_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def older(record: dict) -> None:
        record["packages"] |= {"numpy": "1.0", "nowhere-installed": "1.0"}

    root = tmp_path / "root"
    root.mkdir()
    members = with_record(older)(contents(two_runs))
    opened = open_supplement(packed(tmp_path / "older.zip", members), root)
    opened.runs[:] = [run for run in opened.runs if run.sample == "own"]
    (told,) = surroundings_differ(opened)
    assert told.startswith("other packages: numpy ") and told.endswith(" (not 1.0)")
    monkeypatch.setattr(liscope, "__version__", "9.9")
    assert surroundings_differ(opened)[0].startswith("liscope 9.9 is installed, not ")


def test_with_a_closed_input_the_error_names_the_way_out(two_runs: Path, tmp_path: Path) -> None:
    code = (
        f"import os; os.close(0); os.execv({sys.executable!r}, "
        f"[{sys.executable!r}, '-m', 'liscope', 'rerun', {str(two_runs)!r}, '--into', 'a'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2 and list((tmp_path).glob("a/*")) == []
    (line,) = done.stderr.splitlines()
    assert line.startswith("liscope: ") and "--yes" in line
