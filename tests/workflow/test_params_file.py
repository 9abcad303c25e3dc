from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from test_parameters import Scan

from liscope.errors import ParameterError
from liscope.workflow.params_file import load_parameters

TWO_MEANINGS = ["010", "-010", "0x1F", "0o17", "1_000", "1_0.5", "12:30:45", "2024-01-01"]
SWITCHES = ["on", "Off", "no", "YES"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.yaml"


@pytest.mark.parametrize("word", TWO_MEANINGS + SWITCHES)
@pytest.mark.parametrize("name", ["bias", "text", "align"])
def test_words_with_two_meanings_are_refused(file: Path, name: str, word: str) -> None:
    file.write_text(f"sample: one\n{name}: {word}\n")
    with pytest.raises(ParameterError) as in_file:
        load_parameters(Scan, file, [])
    assert str(in_file.value).startswith(f"a.yaml, line 2: {name}: got {word}, which programs")
    with pytest.raises(ParameterError, match=f"^-p {name}, line 1: got {word}, which programs"):
        load_parameters(Scan, None, [f"{name}={word}"])


@pytest.mark.parametrize("word", TWO_MEANINGS + SWITCHES)
def test_the_same_words_in_quotes_are_text(file: Path, word: str) -> None:
    file.write_text(f"text: '{word}'\n")
    assert load_parameters(Scan, file, []).text == word
    assert load_parameters(Scan, None, [f"text='{word}'"]).text == word


@pytest.mark.parametrize("word", ["1e-3", "1E1", "3e0", "+.5", "1.", "-7", "0.25", "1500 mV", "0"])
def test_numbers_mean_the_same_as_to_papermill(file: Path, word: str) -> None:
    file.write_text(f"bias: {word}\n")
    ours = load_parameters(Scan, file, [])
    assert ours == Scan.check(yaml.safe_load(file.read_text()))
    assert ours == load_parameters(Scan, None, [f"bias={word}"])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("bias: 1\nbias: 2", "a.yaml, line 2: found duplicate key"),
        ("bias: .nan", "bias (a.yaml, line 1): got nan"),
        ("bias: 1e999", "bias (a.yaml, line 1): got inf"),
        ("a: &a [1]\nb: *a", "a.yaml, line 1: anchors"),
        ("text: !!python/object/apply:os.system ['true']", "a.yaml, line 1: tags"),
        ("text: !!str 5", "a.yaml, line 1: tags"),
        ("%YAML 1.1\n---\nbias: 1", "directives"),
        ("boxes: [[[[[[[[[1]]]]]]]]]", "a.yaml, line 1: nested deeper"),
        ("[" * 50_000, "nested deeper"),
        ("{a: " * 10_000, "nested deeper"),
        ("bias: " + "9" * 5000, "a number of thousands of digits"),
        ("text: " + "a" * 100_000, "larger than"),
        ("- 1", "not a list of 'name: value'"),
        ("5", "not a list of 'name: value'"),
        ("1: 2", "not a list of 'name: value'"),
        ("? [a]\n: 1", "a.yaml"),
        ("bias: [1", "a.yaml, line 1"),
        ("bias: 1\n---\nbias: 2", "a.yaml, line 2"),
        ("bias: \x00", "a.yaml"),
        ("bias: 1\n\tcount: 2", "a.yaml, line 2"),
        ("\"x = __import__('os').system('touch pwned'); y\": 1", "no such parameter"),
        ("'__class__': 1", "__class__ (a.yaml, line 1): no such parameter"),
    ],
)
def test_hostile_and_damaged_files_are_refused_in_one_line(
    file: Path, text: str, fault: str
) -> None:
    file.write_text(text)
    with pytest.raises(ParameterError) as caught:
        load_parameters(Scan, file, [])
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_text_or_not_there(file: Path) -> None:
    with pytest.raises(ParameterError, match="cannot be read"):
        load_parameters(Scan, file, [])
    with pytest.raises(ParameterError, match="cannot be read"):
        load_parameters(Scan, file.parent, [])
    file.write_bytes(b"text: \xff\xfe")
    with pytest.raises(ParameterError, match=r"a\.yaml: not a text file in UTF-8"):
        load_parameters(Scan, file, [])


def test_assignments_override_the_file(file: Path) -> None:
    file.write_text("bias: 2\ncount: 5\n")
    found = load_parameters(Scan, file, ["bias=300 mV", "boxes=[[1, 2, 3, 4]]", "heat="])
    assert (found.bias, found.count, found.heat) == (0.3, 5, None)
    assert found.boxes == [(1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("assignments", "fault"),
    [
        (["bias"], "should be name=value"),
        (["=3"], "should be name=value"),
        (["bias=1", "bias=2"], "bias: given twice"),
        (["bias=nan"], r"bias \(-p\): got 'nan'"),
        (["text=a: b"], "right is text"),
        (["x = 1; y=2"], "no such parameter"),
        (["bias=!!python/name:os.system"], "tags"),
    ],
)
def test_wrong_assignments_are_refused(assignments: list[str], fault: str) -> None:
    with pytest.raises(ParameterError, match=fault):
        load_parameters(Scan, None, assignments)


def test_an_empty_file_is_all_defaults(file: Path) -> None:
    file.write_text("# nothing\n")
    assert load_parameters(Scan, file, []) == Scan()
