"""Parameters of the overlay that cannot be meant are refused before anything runs."""

import pytest
from pydantic import ValidationError

from liscope.parameters.cafm_sims_overlay import CafmSimsOverlay


def test_defaults_are_a_run() -> None:
    assert CafmSimsOverlay().drift_orders == 2
    assert CafmSimsOverlay(beam="70 nm").beam == pytest.approx(0.07)
    assert CafmSimsOverlay(landmarks=[(1, 2, 3, 4)] * 2, cafm_again=None).cafm_again is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cafm_again": "specimen:rf_lmo/cafm"}, "cafm_again: .*the same map as cafm"),
        ({"landmarks": [(1, 2, 3, 4)]}, "landmarks: got 1; right is none, or two and more"),
        ({"landmarks": [(1, 2, 3)] * 2}, "landmarks"),
        ({"lithium": []}, "lithium"),
        ({"beam": 0}, "beam"),
        ({"max_rotation": 60}, "max_rotation"),
        ({"shots": 0}, "shots"),
        ({"direction": "both"}, "direction"),
        ({"current_from": -1}, "current_from"),
        ({"drift_orders": 9}, "drift_orders"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_what_cannot_be_meant_is_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CafmSimsOverlay(**given)
