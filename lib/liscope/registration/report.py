"""What a placement is worth, in numbers for a person: transform, corners, landmarks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from liscope.registration.landmarks import Landmarks, errors
from liscope.registration.placement import Array, Field, Placement, displacement_basis, onto


def errors_at(points: Array, placement: Placement) -> Array:
    """Return the covariance (point, 2, 2: y, x; um2) of the placement at fixed points."""
    if placement.covariance is None:
        return np.full((len(points), 2, 2), np.inf)
    basis = displacement_basis(points, placement)
    return np.asarray(np.einsum("npi,pq,nqj->nij", basis, placement.covariance, basis))


def corner_table(placement: Placement, fixed: xr.DataArray, moving: xr.DataArray) -> pd.DataFrame:
    """Return place in the fixed map and error of the moving map's corners and of its middle.

    ``in_fixed_map`` says which of them the fixed map shows. Errors are one standard deviation (nm)
    in x, in y, and of the distance.
    """
    there = Field.of(moving)
    here = placement.inverse(np.vstack([there.corners(), there.centre]))
    variance = errors_at(here, placement)
    ends = Field.of(fixed).corners()
    inside = ((here >= ends.min(0)) & (here <= ends.max(0))).all(-1)
    names = ["upper left", "upper right", "lower right", "lower left", "middle"]
    table = pd.DataFrame(
        {
            "x_um": here[:, 1],
            "y_um": here[:, 0],
            "error_x_nm": 1000 * np.sqrt(variance[:, 1, 1]),
            "error_y_nm": 1000 * np.sqrt(variance[:, 0, 0]),
            "error_nm": 1000 * np.sqrt(np.trace(variance, axis1=1, axis2=2)),
            "in_fixed_map": inside,
        },
        index=pd.Index(names, name="corner"),
    )
    return table


def transform_table(
    placement: Placement, fixed: xr.DataArray, moving: xr.DataArray
) -> pd.DataFrame:
    """Return rotation, scales and shift from the fixed to the moving map, with 95 % intervals.

    The rotation is clockwise as the maps are drawn; the shift says where the middle of the moving
    map lies off that of the fixed one, in the fixed one.
    """
    rng, fields = np.random.default_rng(0), (Field.of(fixed), Field.of(moving))
    numbers = [_numbers(draw, *fields) for draw in draws(placement, 400, rng)]
    spread = 1.96 * np.std(numbers, axis=0)
    value = np.array(_numbers(placement, *fields))
    index = ["rotation_deg", "scale_x", "scale_y", "shear_deg", "shift_x_um", "shift_y_um"]
    return pd.DataFrame(
        {"value": value, "low": value - spread, "high": value + spread}, index=index
    )


def _numbers(placement: Placement, fixed: Field, moving: Field) -> tuple[float, ...]:
    """Return rotation (degrees), scale along x and y, shear (degrees), shift x and y (um).

    Scales and shear are of the images of the fixed map's axes in the moving one: how long they are,
    and by how much the angle between them differs from 90 degrees.
    """
    along_y, along_x = placement.matrix[:, 0], placement.matrix[:, 1]
    turn_x = np.rad2deg(np.arctan2(along_x[0], along_x[1]))
    turn_y = np.rad2deg(np.arctan2(-along_y[1], along_y[0]))
    scales = float(np.hypot(*along_x)), float(np.hypot(*along_y))
    y, x = placement.inverse(moving.centre[None])[0] - fixed.centre
    return placement.rotation, *scales, float(turn_x - turn_y), float(x), float(y)


def draws(placement: Placement, count: int, rng: np.random.Generator) -> list[Placement]:
    """Return placements as far from this one as its covariance allows."""
    assert placement.covariance is not None, "register returns placements with a covariance"
    values, vectors = np.linalg.eigh(placement.covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))
    steps = rng.standard_normal((count, len(values))) @ root.T
    orders = len(placement.drift)
    return [placement.moved(step[:6]).drifted(step[6:].reshape(orders, 2)) for step in steps]


def distance(one: Placement, other: Placement, fixed: xr.DataArray, moving: xr.DataArray) -> float:
    """Return how far apart (um, root mean square) two placements put the common field."""
    points, there = Field.of(fixed).points(), Field.of(moving)
    placed = one(points)
    inside = (np.abs(placed - there.centre) < there.size / 2).all(-1)
    inside &= np.isfinite(onto(moving, fixed, one).to_numpy())
    gap = placed[inside] - other(points[inside])
    return float(np.sqrt(np.mean(np.sum(gap**2, -1))))


def landmark_table(landmarks: Landmarks, placement: Placement) -> pd.DataFrame:
    """Return how far each held-out landmark lies from where the placement puts it, nm."""
    error = 1000 * errors(landmarks, placement)
    return pd.DataFrame(
        {"error_nm": error}, index=pd.RangeIndex(1, len(error) + 1, name="landmark")
    )
