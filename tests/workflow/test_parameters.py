from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field

from liscope.errors import ParameterError
from liscope.workflow.parameters import Input, Meaning, Parameters, Quantity


class Scan(Parameters):
    """Scan."""

    sample: Annotated[str, Meaning("name of the sample")] = "specimen"
    bias: Annotated[float, Quantity("V", "bias")] = Field(1.5, ge=-12, le=12)
    count: Annotated[int, Meaning("terms")] = Field(3, gt=0)
    side: Annotated[Literal["tip", "sample"], Meaning("side")] = "tip"
    align: Annotated[bool, Meaning("whether")] = True
    boxes: Annotated[list[tuple[float, float, float, float]], Quantity("um", "boxes")] = Field([])
    heat: Annotated[float | None, Quantity("degC", "heat")] = None
    scan: Annotated[str, Input("map")] = "map"
    text: Annotated[str, Meaning("remark")] = ""


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("bias", "1500 mV", 1.5),
        ("bias", "1500mV", 1.5),
        ("bias", "-2e-3 kV", -2.0),
        ("bias", "1e-3", 0.001),
        ("bias", 2, 2.0),
        ("count", 4.0, 4),
        ("count", "5", 5),
        ("heat", "298 K", 24.85),
        ("heat", None, None),
        ("boxes", [[0, 0, "1 mm", 1]], [(0.0, 0.0, 1000.0, 1.0)]),
        ("boxes", ((0, 0, 1, 1),), [(0.0, 0.0, 1.0, 1.0)]),
        ("side", "sample", "sample"),
        ("align", False, False),
        ("text", "'\"\n\\ é \u2028 __import__('os')", "'\"\n\\ é \u2028 __import__('os')"),
    ],
)
def test_right_values_are_kept_in_the_stated_unit(name: str, given: object, kept: object) -> None:
    value = getattr(Scan.check({name: given}), name)
    assert value == kept
    assert type(value) is type(kept)


@pytest.mark.parametrize(
    ("name", "given", "right"),
    [
        ("bias", "2 nm", "'nm' does not convert to 'V'"),
        ("bias", "2 florp", "'florp' is not a unit"),
        ("bias", "9**9**9**9 V", "a number in V, from -12 to 12"),
        ("bias", "1 V**9**9**9**9", "a number in V, from -12 to 12"),
        ("bias", "1_0", "a number in V, from -12 to 12"),
        ("bias", "nan", "a number in V"),
        ("bias", float("nan"), "a number in V"),
        ("bias", float("inf"), "a number in V"),
        ("bias", 10**400, "a number in V"),
        ("bias", True, "a number in V"),
        ("bias", 12.5, "from -12 to 12"),
        ("bias", "13 V", "from -12 to 12"),
        ("bias", None, "a number in V"),
        ("bias", [1], "a number in V"),
        ("count", 1.5, "a whole number, above 0"),
        ("count", True, "a whole number"),
        ("count", 0, "above 0"),
        ("count", "2 V", "it has no unit"),
        ("side", "left", "one of 'tip', 'sample'"),
        ("align", 1, "true or false"),
        ("align", "yes", "true or false"),
        ("text", 5, "text"),
        ("text", True, "text"),
        ("boxes", [[0, 0, 1]], "a list of lists of 4 numbers in um"),
        ("boxes", [[0, 0, 1, True]], "a list of lists of 4 numbers in um"),
        ("boxes", 3, "a list of lists of 4 numbers in um"),
        ("sample", "../up", "letters, digits"),
        ("sample", "a/b", "letters, digits"),
        ("sample", "..", "letters, digits"),
        ("sample", ".hidden", "letters, digits"),
        ("sample", "", "letters, digits"),
        ("sample", "a" * 65, "at most 64"),
        ("sample", "a\n", "letters, digits"),
    ],
)
def test_wrong_values_are_refused_in_one_line(name: str, given: object, right: str) -> None:
    with pytest.raises(ParameterError) as caught:
        Scan.check({name: given}, {name: "a.yaml, line 3"})
    message = str(caught.value)
    assert message.startswith(f"{name} (a.yaml, line 3): got ")
    assert right in message
    assert "\n" not in message


def test_every_fault_has_its_line() -> None:
    with pytest.raises(ParameterError) as caught:
        Scan.check({"bais": 1, "count": 0, "side": "left", "hostile\n=1": 2})
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert "bais: no such parameter; did you mean bias?" in lines
    assert sum("known are sample, bias" in line for line in lines) == 1


def test_a_namespace_is_checked_and_other_names_are_left_alone() -> None:
    found = Scan.from_namespace({"bias": "200 mV", "np": object(), "boxes": [[0, 0, 1, 1]]})
    assert (found.bias, found.count) == (0.2, 3)
    with pytest.raises(ParameterError, match=r"^bias: got '010 nm'"):
        Scan.from_namespace({"bias": "010 nm"})


def test_models_without_meaning_default_or_sample_are_refused() -> None:
    with pytest.raises(TypeError, match="bare needs a default and a meaning"):
        type("Bare", (Scan,), {"__annotations__": {"bare": float}, "bare": 1.0, "__module__": "x"})
    with pytest.raises(TypeError, match="no field 'sample'"):
        type("Without", (Parameters,), {"__module__": "x"})


def test_inputs_and_plain_values() -> None:
    scan = Scan.check({"boxes": [[0, 0, 1, 1]]})
    assert scan.inputs() == {"scan": "map"}
    assert scan.plain()["boxes"] == [[0.0, 0.0, 1.0, 1.0]]
