"""Archives that are in order, around descriptions that try to do harm."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from share_toy import contents, packed

from liscope.errors import ReaderError
from liscope.workflow.share.rerun import execute, open_supplement

Members = dict[str, bytes]
METADATA = "ro-crate-metadata.json"


def run_of(members: Members) -> str:
    (name,) = (name for name in members if name.endswith("record.json") and "/own-" in name)
    return name


def described(members: Members) -> Members:
    """Make the checksums right again, as an attacker would."""
    document = json.loads(members[METADATA])
    for entity in document["@graph"]:
        name = entity["@id"].replace("%20", " ")
        if "sha256" in entity and name in members:
            entity["sha256"] = hashlib.sha256(members[name]).hexdigest()
    return members | {METADATA: json.dumps(document).encode()}


def with_record(change: Callable[[dict[str, Any]], object]) -> Callable[[Members], Members]:
    def changed(members: Members) -> Members:
        record = json.loads(members[run_of(members)])
        change(record)
        return described(members | {run_of(members): json.dumps(record).encode()})

    return changed


def with_graph(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[Members], Members]:
    def changed(members: Members) -> Members:
        document = json.loads(members[METADATA])
        change(document["@graph"])
        return members | {METADATA: json.dumps(document).encode()}

    return changed


def with_file(name: str, content: bytes) -> Callable[[Members], Members]:
    def changed(members: Members) -> Members:
        members = members | {name: content}
        document = json.loads(members[METADATA])
        document["@graph"].append({"@id": name, "@type": "File", "sha256": "0" * 64})
        return described(members | {METADATA: json.dumps(document).encode()})

    return changed


def with_notebook(content: str) -> Callable[[Members], Members]:
    return lambda members: described(members | {"notebooks/toy.ipynb": content.encode()})


def put(record: dict[str, Any], name: str, value: object) -> None:
    record[name] = value


def without_actions(graph: list[dict[str, Any]]) -> None:
    graph[:] = [entity for entity in graph if entity["@type"] != "CreateAction"]


def as_result(name: str) -> Callable[[list[dict[str, Any]]], None]:
    def change(graph: list[dict[str, Any]]) -> None:
        for entity in graph:
            if entity["@type"] == "CreateAction":
                entity["result"] = [{"@id": name}]

    return change


def input_named(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda record: put(record, "inputs", [{"name": name, "sha256": "0" * 64, "bytes": 1}])


def entry(**changed: object) -> bytes:
    known = {"address": "https://a.example/x", "sha256": "0" * 64, "bytes": 1, "licence": "MIT"}
    return json.dumps({"x": known | changed}).encode()


OUTPUT = {"sha256": "0" * 64, "bytes": 1}
HOSTILE: dict[str, tuple[Callable[[Members], Members], str]] = {
    "no description": (lambda m: {k: v for k, v in m.items() if k != METADATA}, "no supplement"),
    "empty": (lambda m: m | {METADATA: b""}, "as JSON"),
    "no JSON": (lambda m: m | {METADATA: b"{"}, "as JSON"),
    "no UTF-8": (lambda m: m | {METADATA: b'{"a": "\xff"}'}, "as JSON"),
    "nested without end": (lambda m: m | {METADATA: b"[" * 10**6}, "as JSON"),
    "a number without end": (lambda m: m | {METADATA: b'{"a": 1' + b"0" * 10**5 + b"}"}, "as JSON"),
    "NaN": (lambda m: m | {METADATA: b'{"a": NaN}'}, "as JSON"),
    "a list": (lambda m: m | {METADATA: b"[]"}, "not a JSON object"),
    "huge": (lambda m: m | {METADATA: b'{"a": "' + b"x" * 17 * 2**20 + b'"}'}, "larger than"),
    "no graph": (lambda m: m | {METADATA: b"{}"}, "no description"),
    "a graph of texts": (lambda m: m | {METADATA: b'{"@graph": ["a"]}'}, "no description"),
    "no runs": (with_graph(without_actions), "names no run"),
    "results elsewhere": (with_graph(as_result("../../record.json")), "names no run"),
    "results at an address": (with_graph(as_result("file:///etc/record.json")), "names no run"),
    "results that are none": (with_graph(lambda g: [put(e, "result", 5) for e in g]), "no run"),
    "another checksum": (lambda m: m | {"notebooks/toy.ipynb": b"{}"}, "sha256"),
    "another result": (lambda m: m | {run_of(m): m[run_of(m)] + b" "}, "sha256"),
    "record: a list": (lambda m: described(m | {run_of(m): b"[]"}), "not a JSON object"),
    "record: empty": (lambda m: described(m | {run_of(m): b"{}"}), "not the record"),
    "record: nested": (lambda m: described(m | {run_of(m): b"[" * 10**6}), "as JSON"),
    "record: workflow outside": (
        with_record(lambda r: put(r, "workflow", "../../harm")), "not the record",
    ),
    "record: workflow at the root": (
        with_record(lambda r: put(r, "workflow", "/etc/passwd")), "not the record",
    ),
    "record: another workflow": (
        with_record(lambda r: put(r, "workflow", "other")), "of another run",
    ),
    "record: sample outside": (
        with_record(lambda r: put(r, "sample", "../../harm")), "of another run",
    ),
    "record: key": (with_record(lambda r: put(r, "key", "$(touch harm)")), "not the record"),
    "record: output outside": (
        with_record(lambda r: r["outputs"].update({"../../../harm": OUTPUT})), "not what the run",
    ),
    "record: output at the root": (
        with_record(lambda r: r["outputs"].update({"/etc/passwd": OUTPUT})), "not what the run",
    ),
    "record: output's checksum": (
        with_record(lambda r: r["outputs"].update({"summary.json": OUTPUT})), "not what the run",
    ),
    "record: terminal escapes": (
        with_record(lambda r: r["packages"].update({"numpy": "\x1b[2J"})), "not the record",
    ),
    "record: version": (
        with_record(lambda r: r["code"].update(liscope="\x1b]0;harm\x07")), "not the record",
    ),
    "input outside": (with_record(input_named("../../harm")), "laid out"),
    "input at the root": (with_record(input_named("/etc/passwd")), "laid out"),
    "public input with a path": (with_record(input_named("real:../../harm")), "laid out"),
    "input: a library": (with_record(input_named("numpy.py")), "a program"),
    "input: a compiled one": (with_record(input_named("x.cpython-311-x.SO")), "a program"),
    "input: a package": (with_record(input_named("liscope/__init__.py")), "a program"),
    "input: over a notebook": (with_record(input_named("notebooks/toy.ipynb")), "in the place"),
    "input: over the results": (
        with_record(input_named("supplement/results/x")), "in the place",
    ),
    "notebook: a list": (with_notebook("[]"), "not a JSON object"),
    "notebook: nothing in it": (with_notebook("{}"), "not a notebook"),
    "notebook: nested": (with_notebook("[" * 10**6), "as JSON"),
    "notebook: cells of numbers": (
        with_notebook('{"cells": [1], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'),
        "not a notebook",
    ),
    "notebook: other metadata": (
        with_notebook('{"cells": [], "metadata": {"liscope": 1}, "nbformat": 4, '
                      '"nbformat_minor": 5}'),
        "not a notebook",
    ),
    "registry: a local file": (
        with_file("data/registry.yaml", entry(address="file:///etc/passwd")), "no public file",
    ),
    "registry: no checksum": (
        with_file("data/registry.yaml", entry(sha256="")), "no public file",
    ),
    "registry: a path": (
        with_file("data/registry.yaml", entry().replace(b'"x"', b'"../../x"')), "no public file",
    ),
    "registry: an object": (
        with_file("data/registry.yaml", b"x: !!python/object/apply:os.system [true]"), "tags",
    ),
    "registry: aliases": (
        with_file("data/registry.yaml", b"a: &a [x]\nb: [*a, *a]"), "anchors",
    ),
    "registry: a number": (with_file("data/registry.yaml", b"5"), "list of files"),
}  # fmt: skip


@contextmanager
def untouched(root: Path) -> Iterator[None]:
    before = set(root.parent.rglob("*"))
    yield
    assert {path for path in root.parent.rglob("*") if root not in path.parents} == before


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_description_is_refused_in_one_line(
    kind: str, two_runs: Path, tmp_path: Path
) -> None:
    change, reason = HOSTILE[kind]
    archive = packed(tmp_path / "hostile.zip", change(contents(two_runs)))
    root = tmp_path / "inside/root"
    root.mkdir(parents=True)
    with untouched(root), pytest.raises(ReaderError) as refused:
        open_supplement(archive, root)
    message = str(refused.value)
    assert reason in message and message.isprintable() and len(message) < 300


def test_there_are_as_many_kinds_as_promised() -> None:
    assert len(HOSTILE) >= 25


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: put(r["parameters"], "x = __import__('os'); y", 1), "no such parameter"),
        (lambda r: put(r["parameters"], "margin", "__import__('os').system('true')"), "margin"),
        (lambda r: put(r["parameters"], "margin", 1e9), "margin: got 1000000000.0"),
        (lambda r: put(r["parameters"], "sample", "another"), "sample"),
        (lambda r: put(r["parameters"], "direction", "up"), "direction: got 'up'"),
    ],
)
def test_values_that_the_model_refuses_are_never_executed(
    change: Callable[[dict[str, Any]], object], reason: str, two_runs: Path, tmp_path: Path
) -> None:
    archive = packed(tmp_path / "hostile.zip", with_record(change)(contents(two_runs)))
    root = tmp_path / "root"
    root.mkdir()
    opened = open_supplement(archive, root)
    opened.runs[:] = [run for run in opened.runs if run.sample == "own"]
    (outcome,) = execute(opened, 1e-6)
    assert reason in outcome.failure and "\n" not in outcome.failure
    assert not outcome.same and not list(root.glob("results/toy/*"))


@pytest.mark.parametrize(
    "declared",
    ["toy_model:Toy", "os:system", "liscope.__main__:main", "liscope.parameters.tip_stress_maps:os",
     "liscope.parameters.none:None", "liscope.parameters..workflow:x", "", "\x1b[2J:a"],
)  # fmt: skip
def test_parameters_come_from_the_installed_library_alone(
    declared: str, two_runs: Path, tmp_path: Path
) -> None:
    members = contents(two_runs)
    notebook = json.loads(members["notebooks/toy.ipynb"])
    notebook["metadata"]["liscope"]["parameters"] = declared
    changed = with_notebook(json.dumps(notebook))(members)
    root = tmp_path / "root"
    root.mkdir()
    (root.parent / "toy_model.py").write_text("raise SystemExit('imported')")
    opened = open_supplement(packed(tmp_path / "hostile.zip", changed), root)
    for outcome in execute(opened, 1e-6):
        assert outcome.failure.isprintable() and not outcome.same
    assert not list(root.glob("results/toy/*"))
