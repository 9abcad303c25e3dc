from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from toy_project import LIGHT, command, environment, make, shown_folders

from liscope.workflow.project import Project

HEAVY = ("papermill", "nbformat", "matplotlib", "xarray", "pandas", "numpy", "pint")


def test_list_and_status(done: Path) -> None:
    listed = command(done, "list")
    assert listed.stdout == "toy: Toy sums over a scan\n    first\n"
    first, last = command(done, "status").stdout.splitlines()
    assert first == "fresh   toy first"
    assert last.startswith("results/ takes ") and last.endswith("kB in 1 run")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "toy", "-p", "bias=20"], 2, "bias (-p): got 20; right is a number in V"),
        (["run", "toy", "-p", "bais=2"], 2, "bais (-p): no such parameter; did you mean bias?"),
        (["run", "toy", "-p", "sample=../../up"], 2, "sample (-p): got '../../up'"),
        (["run", "toy", "-f", "nothing.yaml"], 2, "nothing.yaml: cannot be read"),
        (["run", "toi"], 2, "toi: no such workflow; known: toy"),
        (["run"], 2, "name a workflow, or use --all alone"),
        (["run", "toy", "--all"], 2, "name a workflow, or use --all alone"),
        (["run", "toy", "--fast"], 2, "No such option"),
        (["fly"], 2, "No such command"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(
    light: Project, arguments: list[str], code: int, message: str
) -> None:
    process = command(light.root, *arguments)
    assert process.returncode == code
    assert process.stdout == ""
    (line,) = process.stderr.splitlines()
    assert line.startswith("liscope: ") and message in line
    assert not (light.root / "results").exists()


def test_all_files_are_checked_before_anything_runs(light: Project) -> None:
    (light.root / "params/toy/second.yaml").write_text("sample: second\ncount: 0\nbias: x\n")
    files = ["-f", "params/toy/first.yaml", "-f", "params/toy/second.yaml"]
    process = command(light.root, "run", "toy", *files)
    assert process.returncode == 2
    assert [line.partition(":")[2].split()[0] for line in process.stderr.splitlines()] == [
        "bias",
        "count",
    ]
    assert not (light.root / "results").exists()


def test_a_failure_does_not_keep_the_others_from_running(root: Path) -> None:
    make(root, **(LIGHT | {"work": "total = 1 / (p.count - 7)"}))
    (root / "params/toy/second.yaml").write_text("sample: second\n")
    files = ["-f", "params/toy/first.yaml", "-f", "params/toy/second.yaml"]
    process = command(root, "run", "toy", *files)
    assert process.returncode == 1
    first, last = process.stderr.splitlines()
    assert "toy first: code cell 4 of 5" in first and "ZeroDivisionError" in first
    assert last == "liscope: 1 of 2 runs failed"
    assert [path.name[:7] for path in shown_folders(root)] == ["second-"]


def test_a_listing_and_a_refusal_import_nothing_heavy(light: Project) -> None:
    code = (
        "import sys\nfrom liscope.workflow.cli import cli\n"
        "try: cli.main(sys.argv[1:], standalone_mode=False)\n"
        "except Exception as error: print(error)\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    for arguments in (["list"], ["run", "toy", "-p", "bias=20"], ["status"]):
        process = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=light.root,
            env=environment(light.root),
            capture_output=True,
            text=True,
        )
        assert process.stdout.splitlines()[-1] == "[]", arguments
