"""Foreshortening: the beam sees a tilted section shortened along y."""

from __future__ import annotations

import numpy as np

from liscope.errors import ParameterError
from liscope.volume.frames import Frames

STEEPEST = 85.0  # degrees; beyond it nothing of the section is seen


def untilted(frames: Frames, tilt: float) -> Frames:
    """Return frames that map the section in its real proportions to the pictures.

    A section whose normal is ``tilt`` away from the beam appears with y = cos(tilt) * true y, by
    the projection of parallel rays; x is the axis of the tilt.

    Parameters
    ----------
    frames
        Places of the slices so far.
    tilt
        Between beam and the section's normal, degrees.

    Raises
    ------
    ParameterError
        If the tilt is not between -85 and 85 degrees.
    """
    if not abs(tilt) <= STEEPEST:
        raise ParameterError(
            f"tilt: {tilt:g} degrees; give the angle between beam and section normal, within 85"
        )
    return frames.after(np.diag([np.cos(np.deg2rad(tilt)), 1.0]), np.zeros(2))
