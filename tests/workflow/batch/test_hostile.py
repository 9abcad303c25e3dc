"""Sweeps that are wrong, damaged or meant to harm: refused in one line, and nothing is written."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import toy_project
from sweeps import snapshot, sweep

from liscope.workflow import cli
from liscope.workflow.project import Project

CODE = "x = __import__('os').system('touch pwned'); y"
VARY = {
    "python_as_name": (f'"{CODE}": [1]', "no such parameter"),
    "dunder_name": ("__class__: [1]", "__class__ (sweep.yaml, line 4): no such parameter"),
    "path_as_name": ('"../../etc": [1]', "no such parameter"),
    "near_miss": ("bais: [1]", "bais (sweep.yaml, line 4): no such parameter; did you mean bias?"),
    "name_is_number": ("5: [1]", "vary (sweep.yaml, line 3): right is"),
    "sample_varies": (
        "sample: [../up, a]",
        "sample (sweep.yaml, line 4): right is below 'samples'",
    ),
    "code_as_value": (f'bias: ["{CODE}"]', 'bias (sweep.yaml, line 4): got "x = __imp'),
    "outside_range": ("bias: [1, 20]", "bias (sweep.yaml, line 4): got 20; right is a number in V"),
    "wrong_unit": ("bias: [5 nm]", "'nm' does not convert to 'V'"),
    "power_as_unit": ("bias: ['1 9**9**9**9']", "got '1 9**9**9**9'"),
    "nan_in_list": ("bias: [.nan]", "got nan"),
    "wrong_choice": ("side: [tip, top]", "got 'top'; right is one of 'tip', 'sample'"),
    "empty_list": ("bias: []", "right is a list"),
    "not_a_list": (
        "bias: 3",
        "bias (sweep.yaml, line 4): got 3; right is a list, {from, to, step}",
    ),
    "same_value_twice": ("bias: [1, 1]", "1 and 1 are the same"),
    "same_in_other_unit": ("bias: [1 V, 1000 mV]", "'1 V' and '1000 mV' are the same"),
    "octal": ("count: [010]", "which programs read differently"),
    "huge_range": ("bias: {from: 0, to: 1e12, step: 1e-9}", "gives at most 10000 values"),
    "step_zero": ("bias: {from: 0, to: 1, step: 0}", "right is 'step' above 0"),
    "step_negative": ("bias: {from: 0, to: 1, step: -1}", "right is 'step' above 0"),
    "step_nan": ("bias: {from: 0, to: 1, step: .nan}", "a range of finite numbers"),
    "end_infinite": ("bias: {from: 0, to: .inf, step: 1}", "a range of finite numbers"),
    "end_beyond_numbers": ("bias: {from: 0, to: 1e999, step: 1}", "a range of finite numbers"),
    "end_of_thousand_digits": (f"count: {{from: 0, to: {'9' * 999}, step: 1}}", "finite numbers"),
    "backwards": ("bias: {from: 2, to: 1, step: 0.5}", "right is 'from' below 'to'"),
    "end_not_reached": ("bias: {from: 0, to: 1, step: 0.3}", "such as 0.9 V"),
    "range_in_other_unit": (
        "bias: {from: 0 nm, to: 1, step: 1}",
        "('nm' does not convert to 'V'); right is a range of finite numbers",
    ),
    "count_one": ("bias: {from: 0, to: 1, count: 1}", "a whole 'count' from 2 to 10000"),
    "count_huge": ("bias: {from: 0, to: 1, count: 999999999}", "a whole 'count' from 2 to 10000"),
    "count_no_number": ("bias: {from: 0, to: 1, count: true}", "a whole 'count'"),
    "step_and_count": ("bias: {from: 0, to: 1, step: 1, count: 2}", "right is a list, {from"),
    "range_key_unknown": ("bias: {from: 0, until: 1, step: 1}", "right is a list, {from"),
    "range_of_words": ("side: {from: 0, to: 1, step: 1}", "a range of finite numbers"),
    "range_of_lists": ("boxes: {from: 0, to: 1, step: 1}", "a range of finite numbers"),
    "broken_count": ("count: {from: 1, to: 2, step: 0.5}", "got 1.5"),
    "too_many_runs": (
        "bias: {from: 0, to: 1, count: 200}\n  count: {from: 1, to: 100, step: 1}",
        "sweep.yaml: 20000 runs; right is at most 10000",
    ),
    "deep": (f"boxes: {'[' * 40}{']' * 40}", "nested deeper"),
    "anchor": ("bias: &a [1]\n  cut: *a", "anchors (&, *) are not accepted"),
    "bomb": (
        "a: &a [1,1]\n  b: &b [*a,*a]\n  c: &c [*b,*b]\n  d: [*c,*c]",
        "anchors (&, *) are not accepted",
    ),
    "tag": ("bias: !!python/object/apply:os.system ['touch pwned']", "tags (!) are not accepted"),
    "merge": ("<<: {bias: [1]}", "<<"),
    "duplicate_key": ("bias: [1]\n  bias: [2]", "line 5: found duplicate key"),
}
WHOLE = {
    "unknown_workflow": (
        "workflow: toi",
        "workflow (sweep.yaml, line 2): toi: no such workflow; did you mean toy?",
    ),
    "workflow_is_path": ("workflow: ../../toy", "no such workflow"),
    "workflow_is_list": ("workflow: [toy]", "workflow (sweep.yaml, line 2): got ['toy']; right is"),
    "unknown_key": ("varry: {bias: [1]}", "varry: no such key; did you mean vary?"),
    "vary_is_list": ("vary: [bias]", "vary (sweep.yaml, line 3): right is"),
    "fixed_is_text": ("fixed: bias", "fixed (sweep.yaml, line 3): right is"),
    "fixed_unknown": ("fixed: {bais: 1}", "did you mean bias?"),
    "fixed_and_varied": ("fixed: {bias: 1}\nvary: {bias: [1, 2]}", "it is fixed as well"),
    "sample_unknown": ("samples: [frist]", "frist is no file of params/toy; did you mean first?"),
    "sample_is_path": ("samples: [../toy/first]", "is no file of params/toy"),
    "sample_is_code": (f'samples: ["{CODE}"]', "is no file of params/toy"),
    "sample_is_number": ("samples: [5]", "5 is no file of params/toy"),
    "sample_twice": ("samples: [first, first]", "'first' is there twice"),
    "no_samples": ("samples: []", "samples (sweep.yaml, line 2): got []"),
    "samples_null": ("samples:", "samples (sweep.yaml, line 2): got None"),
    "samples_is_name": ("samples: first", "line 2): got 'first'; right is a list, such as [first]"),
    "samples_number": ("samples: 3", "samples (sweep.yaml, line 2): got 3"),
    "directive": ("%YAML 1.1", "sweep.yaml"),
    "two_documents": ("---\nfixed: {bias: 1}", "sweep.yaml"),
    "bad_yaml": ("vary: {bias: [1", "sweep.yaml, line"),
}
HEAD = b"sample,bias\n"
TABLES = {
    "formula": (HEAD + b"a,=cmd|'/c calc'!A1\n", 'films.csv, line 2: bias: got "=cmd'),
    "formula_by_sign": (HEAD + b"a,+SUM(A1)\n", "spreadsheets take for a formula"),
    "formula_at": (b"sample,note\na,@SUM(A1)\n", "spreadsheets take for a formula"),
    "short_row": (HEAD + b"a,1\nb\n", "films.csv, line 3: 1 cells, where the first line has 2"),
    "long_row": (HEAD + b"a,1,2\n", "films.csv, line 2: 3 cells"),
    "no_sample": (b"bias\n1\n", "films.csv, line 1: there is no column 'sample'"),
    "semicolons": (b"sample;bias\na;1\n", "not semicolons"),
    "unknown_column": (b"sample,bais\na,1\n", "bais: no such parameter; did you mean bias?"),
    "code_as_column": (f"sample,{CODE}\na,1\n".encode(), "no such parameter"),
    "nameless_column": (b"sample,\na,1\n", "column 2 without a name"),
    "column_twice": (b"sample,bias,bias\na,1,2\n", "two columns are called 'bias'"),
    "row_twice": (HEAD + b"a,1\na,2\n", "samples (films.csv, line 3): 'a' is there twice"),
    "path_as_sample": (HEAD + b"../../up,1\n", "sample (films.csv, line 2): got '../../up'"),
    "code_as_sample": (f'sample\n"{CODE}"\n'.encode(), "sample (films.csv, line 2): got"),
    "hidden_sample": (b"sample\n.running-a\n", "sample (films.csv, line 2): got '.running-a'"),
    "no_sample_name": (HEAD + b",1\n", "films.csv, line 2: a row without a sample"),
    "no_rows": (HEAD, "films.csv: got no rows"),
    "empty": (b"", "there is no column 'sample'"),
    "too_many_rows": (HEAD + b"".join(b"s%d,1\n" % i for i in range(10_001)), "10001 rows"),
    "latin_1": (HEAD + "ä,1\n".encode("latin-1"), "films.csv: not a text file in UTF-8"),
    "utf_16": ("sample,bias\na,1\n".encode("utf-16"), "films.csv: not a text file in UTF-8"),
    "binary": (b"\x00\x01\x02" * 1000, "films.csv: not a table in text"),
    "open_quote": (b'sample,note\na,"never closed\n', "films.csv, line"),
    "long_cell": (b"sample,note\na," + b"x" * 200_000, "films.csv, line"),
    "tag_in_cell": (HEAD + b"a,!!python/name:os.system\n", "tags (!) are not accepted"),
    "list_bomb_in_cell": (b'sample,boxes\na,"&a [*a]"\n', "films.csv, line 2: boxes"),
    "same_as_varied": (HEAD + b"a,1\n", "it is given by 'vary' or 'fixed' as well"),
}
PATHS = {
    "absolute_table": "samples: /etc/passwd",
    "table_above": "samples: ../../films.csv",
    "table_at_home": "samples: ~/films.csv",
    "table_by_link": "samples: out.csv",
    "table_is_loop": "samples: loop.csv",
    "table_is_folder": "samples: params.csv",
    "table_is_device": "samples: zero.csv",
    "table_missing": "samples: films.csv",
    "table_of_other_kind": "samples: films.xlsx",
    "table_with_nul": 'samples: "films\\0.csv"',
    "glob_absolute": 'samples: {files: "/etc/*", parameter: scan}',
    "glob_above": 'samples: {files: "../*", parameter: scan}',
    "glob_above_inside": 'samples: {files: "data/../../*", parameter: scan}',
    "glob_of_drive": 'samples: {files: "C:\\\\*", parameter: scan}',
    "glob_of_everything": 'samples: {files: "**/**/**/*", parameter: scan}',
    "glob_empty": 'samples: {files: "", parameter: scan}',
    "glob_finds_nothing": 'samples: {files: "data/*.none", parameter: scan}',
    "glob_of_loop": 'samples: {files: "data/loop/*.gwy", parameter: scan}',
    "glob_clash": 'samples: {files: "data/*.gwy", parameter: scan}',
    "glob_parameter_unknown": 'samples: {files: "data/*.gwy", parameter: scna}',
    "glob_parameter_no_data": 'samples: {files: "data/*.gwy", parameter: bias}',
    "glob_key_unknown": 'samples: {file: "data/*.gwy", parameter: scan}',
    "glob_is_list": 'samples: {files: ["data/*.gwy"], parameter: scan}',
    "data_missing": "fixed: {scan: data/none.gwy}",
    "data_unknown": "fixed: {scan: 'real:none.gwy'}",
    "data_is_loop": "fixed: {scan: data/loop}",
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for a toy project; nothing in it is ever run."""
    folder = tmp_path / "a project"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder / "model"))
    monkeypatch.delitem(sys.modules, "toy_model", raising=False)
    return folder


@pytest.fixture
def light(root: Path) -> Project:
    return Project(toy_project.make(root, **toy_project.LIGHT))


@pytest.fixture
def refused(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[Path], list[str]]:
    """Hand a sweep to ``liscope batch``; return what it says, and check that it did nothing."""

    def hand_over(file: Path) -> list[str]:
        monkeypatch.chdir(root)
        monkeypatch.setattr(sys, "argv", ["liscope", "batch", str(file)])
        before = snapshot(root.parent)
        with pytest.raises(SystemExit) as caught:
            cli.main()
        said = capsys.readouterr()
        assert (caught.value.code, said.out) == (2, "")
        assert snapshot(root.parent) == before
        lines = said.err.splitlines()
        assert len(lines) <= 21 and all(line.startswith("liscope: ") for line in lines)
        assert str(root) not in said.err
        return lines

    return hand_over


@pytest.mark.parametrize("kind", VARY)
def test_what_varies(light: Project, refused: Callable[[Path], list[str]], kind: str) -> None:
    text, fault = VARY[kind]
    (line,) = refused(sweep(light.root, f"vary:\n  {text}"))
    assert fault in line


@pytest.mark.parametrize("kind", WHOLE)
def test_the_whole_file(light: Project, refused: Callable[[Path], list[str]], kind: str) -> None:
    text, fault = WHOLE[kind]
    (line,) = refused(sweep(light.root, text))
    assert fault in line


@pytest.mark.parametrize("kind", TABLES)
def test_tables(light: Project, refused: Callable[[Path], list[str]], kind: str) -> None:
    content, fault = TABLES[kind]
    (light.root / "films.csv").write_bytes(content)
    more = "\nvary: {bias: [1]}" if kind == "same_as_varied" else ""
    (line,) = refused(sweep(light.root, f"samples: films.csv{more}"))
    assert fault in line


@pytest.mark.skipif(os.name != "posix", reason="makes links")
@pytest.mark.parametrize("kind", PATHS)
def test_paths(root: Path, refused: Callable[[Path], list[str]], kind: str) -> None:
    toy_project.make(root, model="ToyWithData", **toy_project.LIGHT)
    (root / "data").mkdir()
    for name in ("a b.gwy", "a_b.gwy"):
        (root / "data" / name).touch()
    (root / "params.csv").mkdir()
    outside = root.parent / "films.csv"
    outside.write_text("sample\na\n")
    for link, target in (("out.csv", outside), ("zero.csv", "/dev/zero"), ("loop.csv", "loop.csv")):
        (root / link).symlink_to(target)
    (root / "data/loop").symlink_to("loop")
    (line,) = refused(sweep(root, PATHS[kind]))
    assert line.startswith("liscope: ")


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("none.yaml", None, "cannot be read"),
        ("folder.yaml", "folder", "cannot be read"),
        ("$(touch pwned).yaml", b"workflow: toy", "right is a name of letters"),
        ("..yaml", b"workflow: toy", "right is a name of letters"),
        ("big.yaml", 100_000_000, "larger than 100000 bytes"),
        ("binary.yaml", bytes(range(256)), "not a text file in UTF-8"),
        ("nul.yaml", b"workflow: \0", "nul.yaml"),
        ("empty.yaml", b"", "empty.yaml: right is workflow, samples"),
        ("list.yaml", b"- 1", "list.yaml: right is workflow, samples"),
        ("number.yaml", b"5", "number.yaml: right is workflow, samples"),
        ("deep.yaml", b"[" * 50_000, "nested deeper"),
        ("digits.yaml", b"workflow: " + b"9" * 5000, "a number of thousands of digits"),
    ],
)
def test_files(
    light: Project,
    refused: Callable[[Path], list[str]],
    name: str,
    content: bytes | int | str | None,
    fault: str,
) -> None:
    file = light.root / name
    if content == "folder":
        file.mkdir()
    elif isinstance(content, int):
        with file.open("wb") as stream:
            stream.truncate(content)
    elif isinstance(content, bytes):
        file.write_bytes(content)
    (line,) = refused(Path(name))
    assert fault in line


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="makes a pipe")
def test_a_pipe_is_not_waited_for(light: Project, refused: Callable[[Path], list[str]]) -> None:
    os.mkfifo(light.root / "pipe.yaml")
    (line,) = refused(Path("pipe.yaml"))
    assert "cannot be read" in line


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("- sample: ../up", "sample (films.yaml, line 1): got '../up'"),
        ("- sample: a\n- bias: 1", "films.yaml, line 2: got {'bias': 1}; right is"),
        ("- [a, 1]", "films.yaml, line 1: got ['a', 1]; right is"),
        ("sample: a", "films.yaml: right is a list"),
        ("- sample: a\n- sample: b\n  bais: 1", "bais (films.yaml, line 3): no such parameter"),
        ("- &a {sample: a}\n- *a", "anchors"),
    ],
)
def test_tables_in_yaml(
    light: Project, refused: Callable[[Path], list[str]], row: str, fault: str
) -> None:
    (light.root / "films.yaml").write_text(row)
    (line,) = refused(sweep(light.root, "samples: films.yaml"))
    assert fault in line


def test_all_faults_are_told_at_once_and_each_once(
    light: Project, refused: Callable[[Path], list[str]]
) -> None:
    samples = "varry: 1\nsamples: [first, frist]"
    text = f"{samples}\nvary: {{bais: [1, 2], side: [tip, top]}}\nfixed: {{count: 0}}"
    lines = refused(sweep(light.root, text))
    faults = ["varry: no such key", "frist is no file", "bais (", "count (", "side ("]
    assert sorted(fault for fault in faults for line in lines if fault in line) == sorted(faults)


def test_no_more_than_twenty_faults_are_told(
    light: Project, refused: Callable[[Path], list[str]]
) -> None:
    rows = "".join(f"s{number},20\n" for number in range(100))
    (light.root / "films.csv").write_text(f"sample,bias\n{rows}")
    lines = refused(sweep(light.root, "samples: films.csv"))
    assert len(lines) == 21 and lines[-1] == "liscope: and 80 more faults"
    assert lines[6].startswith("liscope: bias (films.csv, line 8): got 20")
