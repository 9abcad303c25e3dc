"""Parameters of the volume workflow: what is refused before anything runs."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from liscope.parameters.fib_sims_eds_volume import FibSimsEdsVolume

LABELS = {
    "eds": None, "sims": None, "segmented": "a.tif", "phases": [("a", "1"), ("b", "2")],
    "host": "a", "coats": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (LABELS | {"voxel": None}, "voxel: got null; segmented needs"),
        (LABELS | {"phases": [("a", "Zr"), ("b", "2")]}, "phases: got 'Zr'; segmented needs whole"),
        ({"voxel": (0.0, 81.4, 81.4)}, "greater than or equal to 1"),
        ({"voxel": (0.06, 0.0814, 0.0814)}, "greater than or equal to 1"),
        ({"lithium": ["6Li+", "6Li+"]}, "right is each ion once"),
        ({"phases": [("a", "Zr"), ("b", "Co")], "host": "a"}, r"or none: coats: \[\]"),
        (
            {"phases": [("a", "Zr"), ("b", "Co")], "coats": []},
            "host: got 'LLZTO'; right is one of a, b$",
        ),
        (
            {"phases": [("a", "Zr"), ("b", "Co")], "host": "a", "coats": []},
            "particles: got 'LCO'; right is one of a, b$",
        ),
        ({"x_rays": (-1.0, 65.0)}, "greater than or equal to 0"),
        ({"densities": [("LLZTO", 0.0)]}, "greater than or equal to 0.1"),
        ({"sims": "specimen:llzto_lco/eds"}, "the same as eds"),
        (
            {"segmented": "real:electrode.tiff", "eds": "real:a.bcf"},
            "simulated data .* beside measured",
        ),
        ({"segmented": "a.tif", "eds": "a.bcf", "sims": None}, "goes without eds and sims"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError) as caught:
        FibSimsEdsVolume.model_validate(given)
    message = caught.value.errors()[0]["msg"]
    assert re.search(why, message), message
