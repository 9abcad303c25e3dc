from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import click
import pytest
from filelock import FileLock
from made_runs import FIRST, make_batch, make_run
from toy_project import command, environment

from liscope.errors import LiscopeError, RunError
from liscope.workflow import removal
from liscope.workflow.cleaning import Wanted, age_of, select
from liscope.workflow.commands.clean import clean
from liscope.workflow.inventory import size_of
from liscope.workflow.ledger import remember
from liscope.workflow.project import Project
from liscope.workflow.removal import remove

MONTH = timedelta(days=30)


def meant(project: Project, **wanted: object) -> set[str]:
    """Return the names of what would go."""
    items, _ = select(project, Wanted(**wanted))  # type: ignore[arg-type]
    return {item.path.name for item in items}


def everything(folder: Path) -> dict[str, bytes | str]:
    """Return all files and links below a folder, locks left out."""
    return {
        path.relative_to(folder).as_posix(): (
            str(path.readlink()) if path.is_symlink() else path.read_bytes()
        )
        for path in folder.rglob("*")
        if (path.is_symlink() or path.is_file()) and path.name != ".lock"
    }


@pytest.mark.parametrize(
    ("text", "hours"), [("12h", 12), ("30d", 720), ("2w", 336), (" 0d ", 0), ("7 d", 168)]
)
def test_ages(text: str, hours: int) -> None:
    assert age_of(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "30", "-3d", "1.5d", "3m", "d", "999999999d", "1d; ls"])
def test_ages_that_mean_nothing(text: str) -> None:
    with pytest.raises(LiscopeError, match=r"--older-than: got .*; right is such as"):
        age_of(text)


def test_old_runs_go_but_for_the_one_that_stands_for_its_sample(light: Project) -> None:
    run = make_run(light, days=100, **FIRST)
    trial = make_run(light, days=40, **(FIRST | {"bias": 3.0}))
    young = make_run(light, days=20, **(FIRST | {"bias": 4.0}))
    other = make_run(light, days=100, sample="other")
    assert meant(light, older_than=MONTH) == {trial.name}
    everyone = {run.name, trial.name, other.name}
    assert meant(light, older_than=MONTH, thorough=True) == everyone
    assert young.is_dir()


def test_stale_runs_go_where_the_sample_has_run_since(light: Project) -> None:
    make_run(light, **FIRST)
    stale = make_run(light, days=5, key="aaaaaaaaaaaa", **FIRST)
    trial = make_run(light, days=5, **(FIRST | {"bias": 3.0}))
    old_trial = make_run(light, days=5, key="bbbbbbbbbbbb", **(FIRST | {"bias": 3.0}))
    assert meant(light, stale=True) == {stale.name, old_trial.name}
    assert trial.is_dir(), "a trial with the code as it stands is not stale"


def test_stale_runs_stay_where_there_is_nothing_newer(light: Project) -> None:
    newest = make_run(light, days=5, key="aaaaaaaaaaaa", **FIRST)
    earlier = make_run(light, days=9, key="bbbbbbbbbbbb", **FIRST)
    make_run(light, days=1, **(FIRST | {"bias": 3.0}))  # a trial is no rerun of the sample
    assert meant(light, stale=True) == set()
    assert meant(light, stale=True, thorough=True) == {newest.name, earlier.name}


def test_a_run_that_nobody_can_repeat_is_not_stale(light: Project) -> None:
    make_run(light, **FIRST)
    old = make_run(light, days=5, key="aaaaaaaaaaaa", **FIRST)
    record = json.loads((old / "record.json").read_text())
    record["components"]["parameters"]["cleverness"] = 3  # a parameter of an earlier model
    (old / "record.json").write_text(json.dumps(record))
    assert meant(light, stale=True, thorough=True) == set()


def test_what_a_supplement_refers_to_stays_whatever_is_asked(light: Project) -> None:
    run = make_run(light, days=100, key="aaaaaaaaaaaa", **FIRST)
    free = make_run(light, days=100, key="bbbbbbbbbbbb", **FIRST)
    remember(light, "paper.zip", [f"toy/{run.name}", "toy/gone-0123456789ab", "../../etc", ""])
    wanted = Wanted(older_than=MONTH, stale=True, thorough=True)
    items, kept = select(light, wanted)
    assert [item.path for item in items] == [free]
    assert kept == ["in the supplement paper.zip"]
    # Shared after it was selected, before it was confirmed:
    remember(light, "second.zip", [f"toy/{free.name}"])
    assert remove(light, items) == []
    assert free.is_dir()


@pytest.mark.parametrize(
    "text", ["{", '{"paper.zip": 5}', "[1]", "[" * 100_000, '{"a": [{}]}', "", "\xff"]
)
def test_nothing_goes_where_the_ledger_is_damaged(light: Project, text: str) -> None:
    make_run(light, days=100, key="aaaaaaaaaaaa", **FIRST)
    (light.root / "results/.shared.json").write_text(text, encoding="latin-1")
    with pytest.raises(LiscopeError, match="damaged"):
        select(light, Wanted(older_than=MONTH, thorough=True))
    with pytest.raises(LiscopeError, match="damaged"):
        remove(light, [])


def test_runs_on_the_page_of_a_batch_stay(light: Project) -> None:
    make_run(light, **FIRST)
    shown = make_run(light, days=60, **(FIRST | {"bias": 3.0}))
    batch = make_batch(light, "biases", shown)
    before = everything(batch)
    items, kept = select(light, Wanted(older_than=MONTH))
    assert (items, kept) == ([], ["on the page of the batch biases (unless --thorough)"])
    items, _ = select(light, Wanted(older_than=MONTH, thorough=True))
    assert remove(light, items) == [] and not shown.exists()
    assert everything(batch) == before


def test_a_table_that_a_spreadsheet_has_saved_protects_as_before(light: Project) -> None:
    make_run(light, **FIRST)
    shown = make_run(light, days=60, **(FIRST | {"bias": 3.0}))
    table = make_batch(light, "biases", shown) / "table.csv"
    table.write_text(table.read_text(), encoding="utf-8-sig")
    assert meant(light, older_than=MONTH) == set()


@pytest.mark.parametrize(
    "text",
    ["", "sample;key\n", "workflow,sample\ntoy,a\n", "workflow,sample,key\ntoy,a\n",
     f"workflow,sample,key\n{'x' * 200_000},a,b\n", "\xff", None, "no record"],
)  # fmt: skip
def test_nothing_goes_where_a_batch_cannot_be_read(light: Project, text: str | None) -> None:
    make_run(light, **FIRST)
    shown = make_run(light, days=60, **(FIRST | {"bias": 3.0}))
    batch = make_batch(light, "biases", shown)
    if text == "no record":
        (batch / "record.json").unlink()
    elif text is None:
        (batch / "table.csv").unlink()
    else:
        (batch / "table.csv").write_text(text, encoding="latin-1")
    with pytest.raises(RunError) as refused:
        select(light, Wanted(older_than=MONTH))
    message = str(refused.value)
    assert message.startswith("the batch biases: ") and "\n" not in message
    assert message.endswith("run the batch again, or --thorough")
    assert meant(light, older_than=MONTH, thorough=True) == {shown.name}


def test_a_renamed_run_is_not_stale(light: Project) -> None:
    make_run(light, **FIRST)
    run = make_run(light, **(FIRST | {"bias": 3.0}))
    run.rename(run.with_name("the good one"))
    assert meant(light, stale=True, thorough=True) == set()


def test_the_size_is_that_of_links_not_of_what_they_lead_to(light: Project, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(10**6))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/large").write_bytes(bytes(10**6))
    run = make_run(light, days=60, **FIRST)
    (run / "file").symlink_to(tmp_path / "large")
    (run / "folder").symlink_to(tmp_path / "folder")
    own = sum(path.lstat().st_size for path in run.iterdir())
    assert size_of(run) == own < 10**5


@pytest.mark.parametrize("moment", ["before", "while walking", "while deleting"])
def test_two_cleans_at_a_time(light: Project, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    run = make_run(light, days=100, **FIRST)
    (run / "figures").mkdir()
    items, _ = select(light, Wanted(older_than=MONTH, thorough=True))
    remove_tree, chmod = shutil.rmtree, Path.chmod

    def with_another(folder: Path) -> None:
        (folder / "record.json").unlink(missing_ok=True)
        first = (folder / "figures").is_dir()
        (folder / "figures").rmdir() if first else None
        if first:
            raise FileNotFoundError(2, "No such file or directory")
        remove_tree(folder)

    def chmod_of_gone(self: Path, mode: int) -> None:
        if self.name == "figures":
            self.rmdir()
        chmod(self, mode)

    if moment == "before":
        remove_tree(run)
    elif moment == "while walking":
        monkeypatch.setattr(Path, "chmod", chmod_of_gone)
    else:
        monkeypatch.setattr(removal.shutil, "rmtree", with_another)
    assert remove(light, items) == []
    assert not run.exists() and not list(run.parent.glob(".gone-*"))


def test_failed_and_scratch_notebooks(light: Project) -> None:
    run = make_run(light, **FIRST)
    failed = run.with_name("first-0123456789ab.failed.ipynb")
    scratch = light.root / "results/scratch/toy-first.ipynb"
    checkpoint = scratch.parent / ".ipynb_checkpoints/toy-first-checkpoint.ipynb"
    checkpoint.parent.mkdir(parents=True)
    for path in (failed, scratch, checkpoint):
        path.write_text("{}")
    os.utime(scratch, (0, 0))
    assert meant(light, failed=True) == {failed.name}
    assert meant(light, scratch=True) == {scratch.name}
    assert meant(light, older_than=MONTH) == {scratch.name}
    assert meant(light, failed=True, scratch=True) == {failed.name, scratch.name}
    assert remove(light, select(light, Wanted(scratch=True, failed=True))[0]) == []
    assert not failed.exists() and not scratch.exists() and not checkpoint.exists()
    assert run.is_dir()


def test_a_run_in_progress_is_left_alone(light: Project) -> None:
    done = make_run(light, days=100, **FIRST)
    running = done.with_name(f".running-{done.name}-01234567")
    done.rename(running)
    with FileLock(running / ".lock"):
        assert command(light.root, *ALL, "--yes").returncode == 0
        assert (running / "record.json").is_file()


ALL = ["clean", "--older-than", "0d", "--stale", "--failed", "--scratch", "--thorough"]


def test_links_are_not_followed(light: Project, tmp_path: Path) -> None:
    inside = make_run(light, days=100, **FIRST)
    outside = tmp_path / "outside"
    for name in ("first-aaaaaaaaaaaa", "first-bbbbbbbbbbbb", "first-cccccccccccc"):
        copy = outside / name
        copy.mkdir(parents=True)
        for file in inside.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
    for name in ("x.failed.ipynb", ".gone-x"):
        (outside / name).write_text("{}")
    (outside / "toy-x.ipynb").write_text("{}")
    results = light.root / "results"
    (results / "toy/first-aaaaaaaaaaaa").symlink_to(outside / "first-aaaaaaaaaaaa")
    (results / "toy/x.failed.ipynb").symlink_to(outside / "x.failed.ipynb")
    (results / "toy/.gone-link").symlink_to(outside / "first-bbbbbbbbbbbb")
    (results / "linked").symlink_to(outside)
    (results / "scratch").symlink_to(outside)
    (results / "batches").symlink_to(outside)
    (inside / "figures").symlink_to(outside)
    before = everything(outside)
    done = command(light.root, *ALL, "--yes")
    assert done.returncode == 0, done.stderr
    assert everything(outside) == before
    assert not inside.exists()
    assert (results / "toy/first-aaaaaaaaaaaa").is_symlink()
    assert not (results / "toy/.gone-link").is_symlink()


def test_read_only_runs_go_as_well(light: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(light, days=100, **FIRST)
    (run / "figures").mkdir()
    (run / "figures/a.png").write_bytes(b"")
    for path in (run / "figures/a.png", run / "figures", run):
        path.chmod(0o500)
    remove_tree = shutil.rmtree

    def as_anybody(folder: Path) -> None:  # for root everything can be written
        folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
        assert all(path.stat().st_mode & 0o200 for path in folders)
        remove_tree(folder)

    monkeypatch.setattr(removal.shutil, "rmtree", as_anybody)
    items, _ = select(light, Wanted(older_than=MONTH, thorough=True))
    assert remove(light, items) == []
    assert not run.exists()


def test_what_cannot_be_removed_is_named_and_the_rest_goes(
    light: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, free = make_run(light, days=100, **FIRST), make_run(light, days=100, sample="other")
    rename: Callable[[Path, Path], Path] = Path.rename

    def refuses(self: Path, target: Path) -> Path:
        if self == stuck:
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuses)
    items, _ = select(light, Wanted(older_than=MONTH, thorough=True))
    assert remove(light, items) == [f"toy/{stuck.name}: not removed (Permission denied)"]
    assert stuck.is_dir() and not free.exists()


def test_another_run_in_the_place_of_the_selected_one_stays(light: Project) -> None:
    run = make_run(light, days=100, **FIRST)
    items, _ = select(light, Wanted(older_than=MONTH, thorough=True))
    run.rename(run.with_name("kept"))
    run.mkdir()
    assert remove(light, items) == []
    assert run.is_dir()


def test_a_clean_that_is_killed_leaves_runs_whole_or_gone(
    light: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [make_run(light, days=100, **(FIRST | {"bias": bias / 8})) for bias in range(6)]
    before = {run: everything(run) for run in runs}
    code = (
        "import os, signal, sys\n"
        "from liscope.workflow import removal\n"
        "real, count = removal._delete, 0\n"
        "def half(path):\n"
        "    global count\n"
        "    count += 1\n"
        "    if count == 3:\n"
        "        (path / 'record.json').unlink()\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    real(path)\n"
        "removal._delete = half\n"
        "from liscope.workflow.cli import main\n"
        "main()\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, *ALL, "--yes"],
        cwd=light.root,
        env=environment(light.root),
        capture_output=True,
    )
    assert process.returncode == -signal.SIGKILL
    left = [run for run in runs if run.exists()]
    assert len(left) == 3
    assert all(everything(run) == before[run] for run in left)
    assert len(list(left[0].parent.glob(".gone-*"))) == 1
    assert remove(light, []) == []
    assert not list(left[0].parent.glob(".gone-*"))
    assert all(run.is_dir() for run in left)


def test_it_asks_first_and_writes_the_overview_afterwards(light: Project) -> None:
    run = make_run(light, days=100, **FIRST)
    arguments = ["clean", "--older-than", "30d", "--thorough"]
    for more, answer, code in ((["--dry-run"], "", 0), ([], "n\n", 130), ([], "", 130)):
        done = told(light.root, [*arguments, *more], answer)
        assert done.returncode == code
        assert f"100 d  toy/{run.name} (old)" in done.stdout
        assert run.is_dir() and not (light.root / "results/index.html").exists()
    assert told(light.root, arguments, "y\n").returncode == 0
    assert not run.exists()
    assert run.name not in (light.root / "results/index.html").read_text()


def told(root: Path, arguments: list[str], answer: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "liscope", *arguments],
        cwd=root,
        env=environment(root),
        input=answer,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "choose of --older-than AGE, --stale, --failed, --scratch"),
        (["--dry-run", "--yes", "--thorough"], "choose of --older-than"),
        (["--older-than", "soon"], "--older-than: got 'soon'; right is such as 12h, 30d or 8w"),
        (["--older-than", "../.."], "--older-than: got '../..'"),
        (["toy/first"], "unexpected extra argument"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(
    light: Project, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(light, days=100, **FIRST)
    monkeypatch.chdir(light.root)
    with pytest.raises((LiscopeError, click.UsageError)) as refused:
        clean.main(arguments, standalone_mode=False)
    assert message in str(refused.value) and "\n" not in str(refused.value)
    assert run.is_dir()


def test_a_project_without_results(light: Project) -> None:
    done = command(light.root, *ALL)
    assert (done.returncode, done.stdout) == (0, "nothing to remove\n")
    assert not (light.root / "results").exists()
    assert removal.remove(light, []) == []
