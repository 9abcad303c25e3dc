"""Grains of a film: the cells of a Laguerre tessellation, stretched along the growth.

Sites carry log-normal radii. Large ones are placed first, small ones into the gaps, so that the
cells keep the sizes that they were drawn with. Each cell leans a little through the lamella.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Labels = NDArray[np.intp]
Floats = NDArray[np.float64]

MARGIN = 40.0  # nm beyond the left and right edge, in which there are sites, too
TRIES = 8  # places that are tried for each site


@dataclass(frozen=True)
class Sizes:
    """Sizes of cells.

    ``mode`` the most frequent diameter in nm, ``spread`` the standard deviation of its logarithm,
    ``elongation`` along y, ``competition`` by which cells are wider at the top than at the bottom,
    ``lean`` the standard deviation of the way from front to back in diameters.
    """

    mode: float
    spread: float
    elongation: float = 1.0
    competition: float = 0.0
    lean: float = 0.0


@dataclass(frozen=True)
class Sites:
    """Sites (n,) of a tessellation in nm; ``lean`` (n, 2: y, x) from the front face to the back."""

    y: Floats
    x: Floats
    radius: Floats
    lean: Floats
    elongation: float

    @classmethod
    def placed(
        cls, sizes: Sizes, between: tuple[float, float], width: float, rng: np.random.Generator
    ) -> Sites:
        """Return sites whose circles fill the area between two heights (nm), as far as may be."""
        top, bottom = between
        drawn = _drawn(sizes, (bottom - top) * (width + 2 * MARGIN), rng)
        stretch = np.array([1 / np.sqrt(sizes.elongation), np.sqrt(sizes.elongation)])
        place, radius = np.empty((len(drawn), 2)), np.empty(len(drawn))
        for i, size in enumerate(drawn):
            tries = rng.uniform((top, -MARGIN), (bottom, width + MARGIN), (TRIES, 2))
            height = (tries[:, 0] - top) / (bottom - top)
            wide = size * (1 + sizes.competition * (0.5 - height))
            away = np.linalg.norm((tries[:, None] - place[:i]) * stretch, axis=2)
            gap = np.min(away - wide[:, None] - radius[:i], axis=1, initial=np.inf)
            best = int(np.argmax(gap))
            place[i], radius[i] = tries[best], wide[best]
        lean = sizes.lean * 2 * radius[:, None] * rng.standard_normal((len(drawn), 2))
        return cls(place[:, 0], place[:, 1], radius, lean, sizes.elongation)

    def cells(self, shape: tuple[int, int], step: float, depth: float) -> Labels:
        """Return the cell of each pixel (y, x) at a depth from -0.5 to 0.5."""
        best = np.full(shape, np.inf)
        cell = np.full(shape, -1, np.intp)
        along = np.sqrt(self.elongation)
        for i, (y, x) in enumerate(np.stack([self.y, self.x], 1) + depth * self.lean):
            reach = 3 * self.radius[i] + 10
            rows = _within(y, reach * along, step, shape[0])
            columns = _within(x, reach / along, step, shape[1])
            v, u = ((np.arange(s.start, s.stop) + 0.5) * step for s in (rows, columns))
            power = (((v - y) / along) ** 2)[:, None] + ((u - x) * along) ** 2 - self.radius[i] ** 2
            nearer = power < best[rows, columns]
            best[rows, columns][nearer] = power[nearer]
            cell[rows, columns][nearer] = i
        nearest = ndimage.distance_transform_edt(
            cell < 0, return_distances=False, return_indices=True
        )
        return np.asarray(cell[tuple(nearest)])


def _drawn(sizes: Sizes, area: float, rng: np.random.Generator) -> Floats:
    """Return radii, the largest first, whose circles have an area in all."""
    logs = sizes.spread**2 + sizes.spread * rng.standard_normal(40 + int(8 * area / sizes.mode**2))
    radii = 0.5 * sizes.mode * np.exp(logs)
    needed = 1 + np.searchsorted(np.cumsum(np.pi * radii**2), area)
    return np.asarray(np.sort(radii[:needed])[::-1])


def _within(centre: float, reach: float, step: float, size: int) -> slice:
    first, last = np.clip([(centre - reach) / step, (centre + reach) / step + 1], 0, size)
    return slice(int(first), int(last))


def smooth(size: int, length: float, rng: np.random.Generator) -> Floats:
    """Return a random line of unit variance that changes over ``length`` pixels."""
    line = ndimage.gaussian_filter1d(rng.standard_normal(size + 8 * int(length + 1)), length)
    return np.asarray(line[:size] / line.std())
