"""Places that somebody marked in both maps: a start for the registration, or a check of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from skimage.transform import SimilarityTransform

from liscope.errors import ParameterError
from liscope.registration.placement import Array, Field, Placement

APART = 0.1  # of the moving map: by more than this, landmarks are no such places

Landmarks = Sequence[tuple[float, float, float, float]]  # x, y fixed; x, y moving; um


def start_from(landmarks: Landmarks, moving: Field) -> Placement:
    """Return the rotation, scale and shift that map the landmarks best.

    Parameters
    ----------
    landmarks
        Two or more rows: x and y in the fixed map, x and y in the moving one, um.

    Raises
    ------
    ParameterError
        If there are fewer than two, they lie on one spot, or no turn and stretch joins them.
    """
    here, there = _points(landmarks)
    if len(here) < 2:
        raise ParameterError(f"landmarks: got {len(here)}; two are needed at least")
    found = SimilarityTransform.from_estimate(here, there)
    if not found or not np.isfinite(found.params).all():
        raise ParameterError("landmarks: they lie on one spot; mark places far from each other")
    matrix, shift = found.params[:2, :2], found.params[:2, 2]
    misfit = float(np.hypot(*(here @ matrix.T + shift - there).T).max())
    if misfit > APART * max(moving.size):
        raise ParameterError(
            f"landmarks: they disagree by {misfit:.2g} um; each is x, y in the fixed map, then x, "
            "y in the moving one, from their upper left corners"
        )
    centre = np.linalg.solve(matrix, moving.centre - shift)  # there lies the moving map's middle
    half = float(np.hypot(*moving.size)) / 2
    slow = (moving.origin[0], moving.origin[0] + (moving.shape[0] - 1) * moving.pixel[0])
    return Placement(matrix, moving.centre - centre, centre, half, slow)


def errors(landmarks: Landmarks, placement: Placement) -> Array:
    """Return how far (um) each landmark of the moving map lies from where the placement puts it."""
    here, there = _points(landmarks)
    return np.asarray(np.hypot(*(placement(here) - there).T))


def _points(landmarks: Landmarks) -> tuple[Array, Array]:
    """Return the points in the fixed and in the moving map, (landmark, 2: y, x)."""
    rows = np.asarray(landmarks, float).reshape(-1, 4)
    return rows[:, 1::-1], rows[:, 3:1:-1]
