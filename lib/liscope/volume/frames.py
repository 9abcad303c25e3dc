"""Where the pixels of a stack of slices lie in the specimen, and the grid they are brought to.

One frame is common to both instruments, the *section's*: ``x`` to the right and ``y`` downwards on
the polished cross-section, ``z`` into the direction of milling, in um as the specimen has them.
Each slice of a stack has a place of its own in it: a depth, and an affine map to the picture's own
coordinates, which carries the foreshortening by the tilt, the drift, and the turn and shift against
the other instrument. Steps that find one of these compose it with what is there; the pixels are
interpolated once, at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError
from liscope.units import to_units

Array = NDArray[np.float64]
AXES = ("y", "x")


@dataclass(frozen=True)
class Frames:
    """Places of the slices: picture = matrix @ section + offset, at ``depth``.

    Attributes
    ----------
    matrix, offset
        (slice, 2, 2) and (slice, 2), um, in the order y, x.
    depth
        (slice,) of each slice below the first face, um; increasing.
    """

    matrix: Array
    offset: Array
    depth: Array

    @classmethod
    def of(cls, stack: xr.DataArray, thickness: float) -> Frames:
        """Return frames as recorded: equally thick slices, by their numbers, one above the other.

        Parameters
        ----------
        stack
            (..., slice, y, x); the coordinate ``slice`` numbers them, a missing one leaves a gap.
        thickness
            Of a slice, nm.
        """
        numbers = stack["slice"].to_numpy().astype(float)
        if not (len(numbers) and np.all(np.diff(numbers) > 0)):
            raise DataError("the slices are not in order of their numbers; sort them by 'slice'")
        count = len(numbers)
        return cls(
            np.tile(np.eye(2), (count, 1, 1)), np.zeros((count, 2)), numbers * thickness / 1e3
        )

    def after(self, matrix: Array, offset: Array) -> Frames:
        """Return frames whose section is first mapped by ``matrix @ section + offset``.

        Both for all slices, (2, 2) and (2,), or one each, (slice, 2, 2) and (slice, 2); um.
        """
        matrix, offset = np.asarray(matrix, float), np.asarray(offset, float)
        shifted = self.offset + (self.matrix @ offset[..., None])[..., 0]
        return replace(self, matrix=self.matrix @ matrix, offset=shifted)

    def moved(self, shift: Array) -> Frames:
        """Return frames whose pictures lie ``shift`` (slice, 2) um further down and right."""
        return replace(self, offset=self.offset + np.asarray(shift, float))

    def of_slices(self, chosen: NDArray[Any]) -> Frames:
        """Return the frames of some slices: their places in the stack, or true for those."""
        return Frames(self.matrix[chosen], self.offset[chosen], self.depth[chosen])

    def at_depths(self, depth: Array) -> Frames:
        """Return frames at other depths (slice,), um."""
        depth = np.asarray(depth, float)
        if depth.shape != self.depth.shape or not np.all(np.diff(depth) > 0):
            raise DataError("depths of slices must increase, one a slice")
        return replace(self, depth=depth)

    def pictured(self, section: Array) -> Array:
        """Return where points of the section (..., 2) lie in the pictures (slice, ..., 2); um."""
        points = np.einsum("sij,...j->s...i", self.matrix, np.asarray(section, float))
        offset = self.offset.reshape(len(self.depth), *(1,) * (points.ndim - 2), 2)
        return np.asarray(points + offset)


@dataclass(frozen=True)
class Grid:
    """A regular grid in the section's frame.

    Attributes
    ----------
    step, origin
        (z, y, x), um; the origin is the centre of the first voxel.
    shape
        (z, y, x).
    """

    step: tuple[float, float, float]
    origin: tuple[float, float, float]
    shape: tuple[int, int, int]

    @classmethod
    def over(
        cls, stack: xr.DataArray, frames: Frames, step: tuple[float, float, float] | None = None
    ) -> Grid:
        """Return the grid over what a stack shows in all of its slices' mean place.

        Parameters
        ----------
        stack, frames
            The reference stack (..., slice, y, x), and where its slices lie.
        step
            (z, y, x), um; None: the stack's own pixels, and its mean distance of slices.
        """
        image = {dim: to_units(stack[dim], "um").to_numpy() for dim in AXES}
        matrix, offset = frames.matrix.mean(0), np.median(frames.offset, 0)
        corners = np.array([[image["y"][i], image["x"][j]] for i in (0, -1) for j in (0, -1)])
        placed = (corners - offset) @ np.linalg.inv(matrix).T
        low, high = placed.min(0), placed.max(0)
        depth = frames.depth
        if step is None:
            plane = (high - low) / (np.array([len(image["y"]), len(image["x"])]) - 1)
            numbers = stack["slice"].to_numpy()  # some may be missing
            deep = float(np.ptp(depth)) / float(numbers[-1] - numbers[0])
            step = (deep, float(plane[0]), float(plane[1]))
        start = np.array([depth[0], *low])
        shape = np.floor((np.array([depth[-1], *high]) - start) / step + 1e-6).astype(int) + 1
        z, y, x = (int(n) for n in shape)
        return cls(step, (float(start[0]), float(start[1]), float(start[2])), (z, y, x))

    def coordinates(self) -> dict[str, xr.DataArray]:
        """Return the coordinates z, y and x, um."""
        return {
            dim: xr.DataArray(
                start + step * np.arange(count), dims=dim, attrs={"units": "um", "long_name": dim}
            )
            for dim, start, step, count in zip(
                "zyx", self.origin, self.step, self.shape, strict=True
            )
        }
