"""A composite with all that its pictures depend on, and these pictures as dask arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liscope.specimens.composite import Array, Bodies, Composite, lithium, near, painted
from liscope.specimens.packing import grow
from liscope.specimens.section_instruments import BOUNDS, ELECTRONS, Shape, ions, x_rays
from liscope.specimens.section_series import EDS_PIXEL, SIMS_PIXEL, Instrument, Series, milled
from liscope.volume.frames import Frames

BESIDE = (
    18.4176,
    7.3472,
)  # um, y and x: by which the SIMS field, the paper's 36 um, is the larger one
STEP = 0.06  # um, from layer to layer of the truth
BLOCK = 4  # slices simulated at a time


@dataclass(frozen=True)
class Scene:
    """What is looked at, and how; ``loss``: depth (um) and amplitude of the loss of lithium."""

    seed: int
    shape: Shape
    sims_shape: Shape
    elements: tuple[str, ...]
    composite: Composite
    tool: Instrument
    series: Series
    loss: tuple[float, float]
    bodies: Bodies

    @classmethod
    def of(
        cls, seed: int, slices: int, shape: Shape, elements: tuple[str, ...],
        composite: Composite, tool: Instrument,
    ) -> Scene:  # fmt: skip
        """Return a series of slices through a composite that is large enough for it."""
        field = np.array(shape) * EDS_PIXEL + BESIDE
        rows, columns = (int(n) for n in np.rint(field / SIMS_PIXEL))
        series = milled(tool, slices, (rows, columns), seed)
        rng = np.random.default_rng([seed, *b"llzto_lco"])
        loss = (rng.uniform(*composite.depth) / 1e3, rng.uniform(*composite.loss))
        seen = (series.eds, shape, EDS_PIXEL), (series.sims, (rows, columns), SIMS_PIXEL)
        bodies = grow(composite, *_box(*seen), rng)
        return cls(seed, shape, (rows, columns), elements, composite, tool, series, loss, bodies)

    @property
    def grid(self) -> Shape:
        """Rows and columns of the truth: what the EDS pictures show, not foreshortened."""
        rows = np.ceil(self.shape[0] / np.cos(np.deg2rad(self.tool.eds_tilt)) - 1e-9)
        return int(rows), self.shape[1]

    def x_rays(self, number: int) -> tuple[NDArray[Any], ...]:
        """Return counts of the elements (element, y, x), and of electrons."""
        channels = (*self.elements, ELECTRONS)
        counts = x_rays(
            self.bodies, self.tool, self.series, number, self.shape, channels, self.seed
        )
        return counts[:-1], counts[-1]

    def ions(self, number: int) -> tuple[NDArray[Any], ...]:
        """Return counts of lithium (1, y, x)."""
        counts = ions(
            self.bodies, self.tool, self.series, number, self.sims_shape, self.composite,
            self.loss, self.seed,
        )  # fmt: skip
        return (counts[None],)

    def matter(self, number: int) -> tuple[NDArray[Any], ...]:
        """Return label, lithium and particle (from 1) of a layer of the truth, each (y, x)."""
        low = np.array([number * STEP, EDS_PIXEL / 2, EDS_PIXEL / 2])
        down, right = np.array([0, EDS_PIXEL, 0]), np.array([0, 0, EDS_PIXEL])
        high = low + self.grid[0] * down + self.grid[1] * right
        at = near(self.bodies, low, high), (low, down, right), self.grid
        label, owner, depth = painted(self.bodies, *at)
        return label, lithium(label, depth, self.composite.llzto_lithium, self.loss), owner + 1


def lazily(
    scene: Scene, name: str, numbers: Any, forms: list[tuple[tuple[int, ...], Any]]
) -> list[Any]:
    """Return what a method of the scene makes of slices, stacked before y and x, as dask arrays.

    ``forms``: of each array that it returns for one slice, its shape and type.
    """
    import dask.array as da
    from dask.delayed import delayed

    held = delayed(scene, pure=False, traverse=False)
    parts = [tuple(int(n) for n in numbers[k : k + BLOCK]) for k in range(0, len(numbers), BLOCK)]
    blocks = [delayed(_block, pure=False)(held, name, part) for part in parts]
    return [
        da.concatenate(
            [
                da.from_delayed(block[k], (*shape[:-2], len(part), *shape[-2:]), dtype)
                for block, part in zip(blocks, parts, strict=True)
            ],
            axis=len(shape) - 2,
        )
        for k, (shape, dtype) in enumerate(forms)
    ]


def _block(scene: Scene, name: str, numbers: tuple[int, ...]) -> list[NDArray[Any]]:
    pictures = [getattr(scene, name)(number) for number in numbers]
    return [np.stack(arrays, -3) for arrays in zip(*pictures, strict=True)]


def _box(*seen: tuple[Frames, Shape, float]) -> tuple[Array, Array]:
    """Return the corners (z, y, x) of all that is seen in any slice, and of what shines through."""
    places = []
    for frames, shape, pixel in seen:
        corners = np.array([[y, x] for y in (0, shape[0]) for x in (0, shape[1])]) * pixel
        back = np.linalg.inv(frames.matrix).transpose(0, 2, 1)
        places.append(((corners - frames.offset[:, None]) @ back).reshape(-1, 2))
    low, high = np.concatenate(places).min(0), np.concatenate(places).max(0)
    deepest = max(frames.depth[-1] for frames, _, _ in seen) + BOUNDS[-1]
    return np.array([0.0, *low]), np.array([deepest, *(high + 0.3)])
