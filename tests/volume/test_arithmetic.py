"""The paper's arithmetic, against numbers worked out apart from this code."""

from __future__ import annotations

import pytest

from liscope.volume.arithmetic import electron_range, printed_numbers


@pytest.mark.parametrize(
    ("material", "nm"), [("LLZTO", 275), ("LCO", 241), ("alumina", 274), ("carbon", 521)]
)
def test_range_of_electrons(material: str, nm: float) -> None:
    """Worked out by hand from Kanaya and Okayama's formula."""
    assert electron_range(material, 5.0) == pytest.approx(nm, abs=1)


def test_what_agrees_and_what_does_not() -> None:
    table = printed_numbers()
    verdicts = table["verdict"]
    for statement in ("EDS pixel, height", "EDS pixel, width", "SIMS pixel", "slice thickness"):
        assert verdicts[statement] == "agrees"
    removed = table.loc["removed volume"]
    assert removed["verdict"] == "disagrees"
    assert removed["computed"] == pytest.approx(1161.8, abs=0.1)
    reach = table.loc["reach of 5 kV electrons in slices"]
    assert (round(reach["low"]), round(reach["high"])) == (4, 9)
