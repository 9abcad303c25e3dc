from __future__ import annotations

import getpass
import hashlib
import json
import platform
import re
import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from share_toy import OWN, SCAN, command, contents, finished_run

import liscope
from liscope import data
from liscope.errors import ParameterError, RunError
from liscope.workflow.ledger import LEDGER, remember, shared_runs
from liscope.workflow.params_file import load_parameters
from liscope.workflow.project import Project
from liscope.workflow.record import RECORD
from liscope.workflow.share import inputs
from liscope.workflow.share.contents import first_of
from liscope.workflow.share.selection import select
from liscope.workflow.share.supplement import write_supplement


def shared(project: Project, *names: str, with_inputs: bool = False) -> dict[str, bytes]:
    archive = project.root / "shared.zip"
    write_supplement(project, select(project, names), archive, with_inputs)
    return contents(archive)


def entity(members: dict[str, bytes], key: str) -> dict[str, Any]:
    graph = json.loads(members["ro-crate-metadata.json"])["@graph"]
    return next(one for one in graph if one["@id"] == key)


def test_it_holds_all_that_a_rerun_and_a_reader_need(supplement: Path, library: Path) -> None:
    members, root = contents(supplement), supplement.parent
    runs = [path.parent for path in root.glob("results/toy/*/record.json")]
    assert len(runs) == 1
    for file in (file for run in runs for file in run.rglob("*") if file.is_file()):
        assert members[file.relative_to(root).as_posix()] == file.read_bytes()
    for name in (
        *("notebooks/toy.ipynb", "params/toy/own.yaml"),
        *("CITATION.cff", "LICENSE", "requirements.lock", "data/my scan.csv"),
    ):
        assert members[name] == (root / name).read_bytes()
    sources = {path.relative_to(library).as_posix() for path in library.rglob("*.py")}
    assert {f"lib/{name}" for name in sources} <= members.keys()
    assert {"index.html", "ro-crate-metadata.json"} <= members.keys()
    assert not [name for name in members if name.endswith(".pyc") or "/." in name]


def test_a_volume_is_there_with_all_its_files_and_one_link(supplement: Path) -> None:
    members = contents(supplement)
    (root,) = (name for name in members if name.endswith("cell.ome.zarr/zarr.json"))
    folder, run = root.removesuffix("zarr.json"), root.partition("volumes/")[0]
    assert f"{folder}scale0/volume/c/0/0/0" in members
    page = members[f"{run}index.html"].decode()
    assert page.count("volumes/") == page.count('href="volumes/cell.ome.zarr/"') + 1 == 2
    outputs = json.loads(members[f"{run}record.json"])["outputs"]
    listed = {f"{run}{name}" for name in outputs if name.startswith("volumes/")}
    assert listed == {name for name in members if name.startswith(folder)}


def test_it_does_not_tell_where_or_by_whom_it_was_made(supplement: Path) -> None:
    for name, content in contents(supplement).items():
        for secret in (str(Path.home()) + "/", str(supplement.parent), "pytest-of-"):
            assert secret.encode() not in content, name
        if name.startswith("results/") or name in ("index.html", "ro-crate-metadata.json"):
            words = set(re.findall(rb"[\w.-]+", content))
            assert not words & {platform.node().encode()}, name
            assert getpass.getuser() == "root" or getpass.getuser().encode() not in words, name


def test_sharing_twice_gives_the_same_bytes(supplement: Path, library: Path) -> None:
    done = command(supplement.parent, library, "share", "--all", "-o", "again.zip")
    assert done.returncode == 0, done.stderr
    assert (supplement.parent / "again.zip").read_bytes() == supplement.read_bytes()
    assert not list(supplement.parent.glob(".supplement-*"))


def test_the_ledger_names_the_runs(supplement: Path) -> None:
    project = Project(supplement.parent)
    (run,) = supplement.parent.glob("results/toy/own-*")
    assert shared_runs(project)["toy.zip"] == [f"toy/{run.name}"]


def test_supplements_of_one_name_keep_the_runs_of_all_of_them(project: Project) -> None:
    assert shared_runs(project) == {}
    remember(project, "a.zip", ["toy/b", "toy/a"])
    remember(project, "b.zip", ["toy/c"])
    remember(project, "a.zip", ["toy/d"])
    assert shared_runs(project) == {"a.zip": ["toy/a", "toy/b", "toy/d"], "b.zip": ["toy/c"]}
    assert {path.name for path in (project.root / "results").iterdir()} == {LEDGER, ".lock"}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', '{"a": [1]}', "[" * 100_000])
def test_a_damaged_ledger_is_not_taken_for_an_empty_one(project: Project, text: str) -> None:
    (project.root / "results").mkdir()
    (project.root / "results" / LEDGER).write_text(text)
    with pytest.raises(RunError, match="damaged"):
        shared_runs(project)


def test_of_a_workflow_the_runs_that_are_up_to_date(project: Project) -> None:
    folder = finished_run(project, **OWN)
    finished_run(project, **OWN, margin=0.03)  # a trial, of no parameter file
    selection = select(project, ["toy"])
    assert list(selection.runs) == [f"toy/{folder.name}"]
    assert selection.left_out == ["toy simulated: has no run that is up to date"]


@pytest.mark.parametrize("name", ["summary.json", "tables/terms.csv", RECORD])
def test_altered_runs_are_refused(project: Project, name: str) -> None:
    folder = finished_run(project, **OWN)
    (folder / name).write_text("1")
    with pytest.raises(ParameterError, match=f"{name} is not what the run wrote; run it again"):
        select(project, [str(folder)])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("notebooks/toy.ipynb", "notebook changed"),
        ("data/my scan.csv", "input changed: data/my scan.csv"),
        ("requirements.lock", "locked packages changed"),
        ("../library/lib/liscope/units.py", "library changed: units.py"),
    ],
)
def test_runs_of_something_else_than_would_be_shared_are_refused(
    project: Project, name: str, reason: str
) -> None:
    folder = finished_run(project, **OWN)
    file = project.root / name
    text = file.read_text()
    file.write_text(text.replace("values.sum()", "1") if "notebook" in name else f"{text}\n")
    with pytest.raises(ParameterError, match=f"{reason} since it was run; run it again"):
        select(Project(project.root), [str(folder)])


@pytest.mark.parametrize("name", ["nothing", "..", "/etc", "results", "results/toy", "results/x/y"])
def test_what_is_no_run_is_refused(project: Project, name: str) -> None:
    finished_run(project, **OWN)
    with pytest.raises(ParameterError, match=re.escape(name)) as refused:
        select(project, [name])
    assert "\n" not in str(refused.value)


def test_all_runs_of_a_batch_and_its_table(project: Project) -> None:
    runs = [finished_run(project, **OWN, margin=margin) for margin in (0.02, 0.03)]
    batch = project.root / "results/batches/margins"
    batch.mkdir(parents=True)
    rows = [f"toy,own,{run.name[-12:]},done" for run in runs] + ["toy,own,,failed"]
    (batch / "table.csv").write_text("\n".join(["workflow,sample,key,state", *rows, ""]))
    (batch / "index.html").write_text("<p>all</p>")
    members = shared(project, str(batch))
    for run in runs:
        assert f"results/toy/{run.name}/record.json" in members
    assert members["results/batches/margins/index.html"] == b"<p>all</p>"
    assert b'href="results/batches/margins/index.html"' in members["index.html"]
    # Two runs of one sample: a parameter file for each.
    files = [name for name in members if name.startswith("params/")]
    assert len(files) == 2
    margins = [YAML(typ="safe").load(members[name].decode())["margin"] for name in files]
    assert sorted(margins) == [0.02, 0.03]
    (batch / "table.csv").write_text("nothing,of,this\n1,2,3\n")
    with pytest.raises(ParameterError, match="margins: its table cannot be read; run the batch"):
        select(project, [str(batch)])


@pytest.mark.parametrize("workflow", ["..", "batches", "toi", ""])
def test_a_batch_of_no_workflow_is_refused(project: Project, workflow: str) -> None:
    run = finished_run(project, **OWN)
    batch = project.root / "results/batches/margins"
    batch.mkdir(parents=True)
    (batch / "table.csv").write_text(f"workflow,sample,key\n{workflow},own,{run.name[-12:]}\n")
    with pytest.raises(
        ParameterError, match=r"margins: its table names '.*', which is no workflow"
    ):
        select(project, [str(batch)])


@pytest.mark.parametrize("place", ["toy/copy", "toy/own-0123456789ab", "other/{name}"])
def test_a_run_that_was_copied_elsewhere_is_refused(project: Project, place: str) -> None:
    folder = finished_run(project, **OWN)
    copy = project.root / "results" / place.format(name=folder.name)
    shutil.copytree(folder, copy)
    with pytest.raises(ParameterError, match="not where its run put it; give it its name back"):
        select(project, [str(copy)])
    assert list(select(project, [str(folder)]).runs) == [f"toy/{folder.name}"]


@pytest.mark.parametrize("name", ["my toy", "töy", "(toy)", "t" * 102])
def test_a_notebook_that_nobody_could_read_back_is_refused(project: Project, name: str) -> None:
    (project.root / "notebooks/toy.ipynb").rename(project.root / f"notebooks/{name}.ipynb")
    (project.root / "params/toy").rename(project.root / "params" / name)
    folder = finished_run(project, name, **OWN)
    with pytest.raises(ParameterError, match="names its notebooks with letters, digits") as refused:
        select(project, [str(folder)])
    assert "\n" not in str(refused.value)


def test_nothing_is_fetched_to_be_shared(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = finished_run(project, **OWN)
    fetching: list[bool] = []
    locate = data.locate

    def spy(name: str, download: bool = True) -> Path | None:
        fetching.append(download)
        return locate(name, download)

    monkeypatch.setattr(data, "locate", spy)
    select(project, [str(folder)])
    assert fetching and not any(fetching)


OURS = '[project]\nname = "liscope"\n'
ANOTHER = '[project]\nname = "another"\n'


@pytest.mark.parametrize("checkout", [OURS, ANOTHER, "", "[", "project = 5"])
def test_what_installs_the_library_is_the_library_s_own(project: Project, checkout: str) -> None:
    library = project.root.parent / "library"
    for folder, text in ((library, checkout), (project.root, ANOTHER)):
        (folder / "pyproject.toml").write_text(text)
        (folder / "README.md").write_text(f"{folder.name}'s")
        (folder / "LICENSE").write_text(f"{folder.name}'s")
    members = shared(project, str(finished_run(project, **OWN)))
    ours = checkout == OURS
    assert members.get("pyproject.toml") == (OURS.encode() if ours else None)
    assert members["README.md"].startswith(b"# Sums of <toys>")  # the supplement's, not a library's
    assert members.get("lib/liscope/LICENSE") == (b"library's" if ours else None)
    assert members["LICENSE"] == b"a project's", "under which the results are"
    assert (b"pip install" in members["index.html"]) is ours


def test_the_library_of_the_project_itself_is_taken_with_its_files(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(project.root.parent / "library/lib", project.root / "lib")
    monkeypatch.setattr(liscope, "__file__", str(copy / "liscope/__init__.py"))
    (project.root / "pyproject.toml").write_text(OURS)
    members = shared(project, str(finished_run(project, **OWN)))
    assert members["pyproject.toml"] == OURS.encode()
    assert members["LICENSE"] == members["lib/liscope/LICENSE"] == b"The licence.\n"


def test_what_is_gone_since_it_was_selected_is_not_left_out_silently(project: Project) -> None:
    folder = finished_run(project, **OWN)
    selection = select(project, [str(folder)])
    (folder / "tables/terms.csv").unlink()
    with pytest.raises(ParameterError, match=r"tables/terms\.csv is not there any more"):
        write_supplement(project, selection, project.root / "shared.zip")
    assert not (project.root / "shared.zip").exists()


@pytest.mark.parametrize("at", [0, 2**20 - 8, 2**20, 2**20 + 1, 40 * 2**20 - 16])
def test_large_files_are_searched_block_by_block(tmp_path: Path, at: int) -> None:
    file = tmp_path / "large.nc"
    with file.open("wb") as stream:
        stream.truncate(40 * 2**20)  # takes no room
        stream.seek(at)
        stream.write(b"/home/somebody/x")
    tracemalloc.start()
    assert first_of(["/elsewhere/", "/home/somebody/"], file) == "/home/somebody/"
    assert first_of(["/elsewhere/"], file) == ""
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 * 2**20


def test_a_trial_gets_a_parameter_file_that_says_the_same(project: Project) -> None:
    folder = finished_run(project, **OWN, margin=1e-7)
    members = shared(project, str(folder))
    file = project.root / "params/toy/own.yaml"
    file.write_bytes(members["params/toy/own.yaml"])
    model = project.workflow("toy").model
    assert load_parameters(model, file, []) == model.check({**OWN, "margin": 1e-7})


def test_own_data_goes_along_and_large_data_where_that_is_asked_for(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(finished_run(project, **OWN))
    assert shared(project, folder)["data/my scan.csv"] == SCAN.encode()
    monkeypatch.setattr(inputs, "LARGEST", 10)
    members = shared(project, folder)
    assert "data/my scan.csv" not in members
    value = entity(members, f"#run/toy/{Path(folder).name}/stressed")
    assert hashlib.sha256(SCAN.encode()).hexdigest() in value["description"]
    assert b"not in this archive" in members["index.html"]
    assert shared(project, folder, with_inputs=True)["data/my scan.csv"] == SCAN.encode()


def test_a_measurement_in_a_folder(project: Project) -> None:
    scan = project.root / "data/scan"
    scan.mkdir()
    for name in ("a.txt", "b.txt"):
        (scan / name).write_text(name)
    (scan / "other").mkdir()
    folder = finished_run(project, **{**OWN, "stressed": "data/scan"})
    members = shared(project, str(folder))
    assert [members[f"data/scan/{name}"] for name in ("a.txt", "b.txt")] == [b"a.txt", b"b.txt"]
    assert entity(members, "data/scan/")["@type"] == "Dataset"


@pytest.mark.parametrize(
    ("licence", "goes_along"),
    [("MIT", True), ("CC-BY-4.0", True), ("GPL-3.0", True), ("unknown", False), ("", False)],
)
def test_public_data_goes_along_where_its_licence_lets_it(
    project: Project, monkeypatch: pytest.MonkeyPatch, licence: str, goes_along: bool
) -> None:
    entry = {
        "address": "https://example.org/scan.sxm",
        "sha256": hashlib.sha256(SCAN.encode()).hexdigest(),
        "bytes": len(SCAN),
        "licence": licence,
        "what": "a scan",
    }
    monkeypatch.setattr(data, "registry", lambda: {"scan.sxm": entry})
    monkeypatch.delenv("LISCOPE_REAL", raising=False)
    (project.root / "data/real").mkdir()
    (project.root / "data/real/scan.sxm").write_text(SCAN)
    folder = finished_run(project, **{**OWN, "stressed": "real:scan.sxm"})
    members = shared(project, str(folder))
    assert ("data/real/scan.sxm" in members) is goes_along
    assert YAML(typ="safe").load(members["data/registry.yaml"].decode()) == {"scan.sxm": entry}
    described = entity(members, "data/real/scan.sxm" if goes_along else entry["address"])
    assert described["sha256"] == entry["sha256"]
    assert b"https://example.org/scan.sxm" in members["index.html"]


@pytest.mark.parametrize("kind", ["absolute", "above", "program"])
def test_data_that_nobody_else_would_find_is_refused(project: Project, kind: str) -> None:
    outside = project.root.parent / "scan.csv"
    outside.write_text(SCAN)
    (project.root / "data/numpy.py").write_text(SCAN)
    names = {"absolute": str(outside), "above": "../scan.csv", "program": "data/numpy.py"}
    folder = finished_run(project, **{**OWN, "stressed": names[kind]})
    with pytest.raises(ParameterError, match="cannot be shared"):
        shared(project, str(folder))
    assert not (project.root / "shared.zip").exists()


def test_a_path_of_the_machine_in_a_result_is_refused(project: Project) -> None:
    notebook = project.root / "notebooks/toy.ipynb"
    cells = json.loads(notebook.read_text())
    cells["cells"][1]["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": f"{project.root}/data/x\n"}
    ]
    notebook.write_text(json.dumps(cells))
    folder = finished_run(Project(project.root), **OWN)
    with pytest.raises(ParameterError, match="holds a path of this machine"):
        shared(Project(project.root), str(folder))


@pytest.mark.parametrize("text", ["", "[]", "title: x\nauthors: 5\n", "!!python/object:x {}"])
def test_a_damaged_citation_is_refused(project: Project, text: str) -> None:
    folder = finished_run(project, **OWN)
    (project.root / "CITATION.cff").write_text(text)
    with pytest.raises(ParameterError, match=r"CITATION.cff cannot be read"):
        shared(project, str(folder))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name folders of results or workflows, or use --all alone"),
        (["toy", "--all"], "or use --all alone"),
        (["toi"], "neither the folder of a run in results/ nor a workflow (toy)"),
        (["toy"], "nothing to share: toy own: has no run that is up to date"),
    ],
)
def test_the_command_refuses_in_one_line(
    project: Project, arguments: list[str], message: str, library: Path
) -> None:
    done = command(project.root, library, "share", *arguments)
    assert done.returncode == 2 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("liscope: ") and message in line
    assert not (project.root / "results").exists()


@pytest.mark.parametrize("name", ["supplement.tar", "nowhere/supplement.zip"])
def test_only_a_zip_is_written(project: Project, name: str) -> None:
    finished_run(project, **OWN)
    with pytest.raises(ParameterError, match=r"should be a \.zip file"):
        write_supplement(project, select(project, ["toy"]), project.root / name)


def test_its_readme_is_about_the_supplement(project: Project) -> None:
    (project.root / "README.md").write_text("# Mine\n![picture](docs/none.png)\n")
    finished_run(project, **OWN)
    text = shared(project, "toy")["README.md"].decode()
    assert text.startswith("# Sums of <toys>\n") and "Mine" not in text and "![" not in text
    for part in ("of 1 run.", "`index.html`", "liscope rerun", "Licence: GPL-3.0-or-later"):
        assert part in text
    assert "{" not in text and text.endswith("names.\n")


@pytest.mark.parametrize("measured", [True, False])
def test_the_table_of_data_has_only_columns_that_are_filled(
    project: Project, measured: bool
) -> None:
    finished_run(project, **(OWN if measured else {"sample": "simulated", "margin": 0.06}))
    page = shared(project, "toy")["index.html"].decode()
    assert ("<th>sha256</th>" in page) is measured
