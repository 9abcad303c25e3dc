"""A tilted section is seen shortened along y, and only there."""

import numpy as np
import pytest

from liscope.errors import ParameterError
from liscope.volume.frames import Frames
from liscope.volume.tilt import untilted

FLAT = Frames(
    np.tile(np.eye(2), (2, 1, 1)), np.array([[0.0, 0.0], [0.3, -0.2]]), np.array([0, 0.1])
)


def test_at_sixty_degrees_half_the_height_is_seen() -> None:
    seen = untilted(FLAT, 60.0).pictured(np.array([2.0, 3.0]))
    np.testing.assert_allclose(seen, [[1.0, 3.0], [1.3, 2.8]])


def test_the_sign_of_the_tilt_does_not_matter_for_the_foreshortening() -> None:
    np.testing.assert_allclose(untilted(FLAT, -52.0).matrix, untilted(FLAT, 52.0).matrix)


@pytest.mark.parametrize("tilt", [86.0, -90.0, np.nan])
def test_an_impossible_tilt_is_refused(tilt: float) -> None:
    with pytest.raises(ParameterError, match="tilt: "):
        untilted(FLAT, tilt)
