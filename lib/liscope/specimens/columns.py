"""Cross-section of a columnar film on platinum: which grain, glass or hole lies where.

Columns lean a little, so that two of them lie behind each other where their boundary is inclined.
Glass and pores take the place of whole cells; cracks, and the gap above the collector, cut through
them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from liscope.specimens.cells import MARGIN, Labels, Sites, Sizes, smooth

LMNO, PLATINUM, GLASS, VOID = 0, 1, -1, -2
DEPTHS = 5  # slices through the lamella
FLAT = 0.55  # diameter of the platinum's grains there, of that below
LAYER = 20.0  # nm of platinum below the interface that have a texture of their own


@dataclass(frozen=True)
class Film:
    """The cross-section; lengths in nm. A defect is off at zero, or at one if it is a factor."""

    above: float = 0.05  # share of the height above the film
    platinum: float = 0.18  # share of the height below it
    thickness: float = 100.0  # of the lamella
    skin: float = 3.0  # amorphous on either of its faces
    diameter: float = 20.0  # of grains, mode of their number
    spread: float = 0.4  # standard deviation of its logarithm
    elongation: float = 2.0  # of grains along the growth
    competition: float = 0.4  # by which grains are wider at the surface than at the interface
    lean: float = 0.25  # standard deviation of a column's way through the lamella, of a diameter
    bending: float = 0.3  # degrees, root mean square of the orientation inside a grain
    platinum_diameter: float = 45.0  # of its grains, mode
    platinum_spread: float = 3.0  # degrees, of the (111) fibre in the layer at the interface
    fibre: float = 0.25  # share of LMNO grains with [001] along the growth, to some 10 degrees
    epitaxy: float = 0.4  # share of the interface on which LMNO continues the platinum
    epitaxial_twins: float = 0.3  # share of the grains there turned by 60 degrees about [111]
    twins: float = 0.12  # share of the other grains with a Sigma-3 boundary across them
    pores: float = 0.15  # share of the film
    amorphous: float = 0.11  # share of the film
    patch: float = 12.0  # length over which amorphous cells cluster
    crystallinity: float = 1.0  # share of a grain's thickness that still diffracts
    cracks: float = 0.0  # per um along the film
    crack_width: float = 7.0
    detached: float = 0.0  # share of the interface with a gap above the platinum
    gap: float = 6.0
    roughness: float = 1.5  # standard deviation of surface and interface


PRISTINE = Film()
ROI1 = Film(
    platinum=0.10, diameter=10.0, pores=0.04, amorphous=0.59, patch=16.0, crystallinity=0.6,
    cracks=9.0, detached=0.6, epitaxy=0.2,
)  # fmt: skip
ROI2 = Film(
    platinum=0.10, diameter=10.0, pores=0.07, amorphous=0.30, crystallinity=0.6, cracks=13.0,
    detached=0.5, epitaxy=0.2,
)  # fmt: skip
PERFECT = Film(
    skin=0, spread=0, elongation=1, competition=0, lean=0, bending=0, platinum_spread=0, fibre=0,
    epitaxy=0, epitaxial_twins=0, twins=0, pores=0, amorphous=0, roughness=0,
)  # fmt: skip


@dataclass(frozen=True)
class Section:
    """Cells one behind the other; cell 0 is what holds nothing.

    ``cell`` (depth, y, x), ``kind`` (cell,) one of LMNO, PLATINUM, GLASS and VOID, ``layer``
    (cell,) true for platinum at the interface, ``interface`` (x,) the first row of platinum.
    """

    cell: Labels
    kind: Labels
    layer: NDArray[np.bool_]
    interface: Labels

    @property
    def middle(self) -> Labels:
        """Cells half way through the lamella (y, x)."""
        return np.asarray(self.cell[DEPTHS // 2])


def grow(film: Film, shape: tuple[int, int], step: float, rng: np.random.Generator) -> Section:
    """Return the cross-section on ``shape`` (rows, columns) pixels of ``step`` nm."""
    height, width = shape[0] * step, shape[1] * step
    top, bottom = film.above * height, (1 - film.platinum) * height
    size = film.platinum_diameter
    columnar = Sizes(film.diameter, film.spread, film.elongation, film.competition, film.lean)
    deep = max(bottom + LAYER + size, height)
    sites = [
        Sites.placed(columnar, (top, bottom), width, rng),
        Sites.placed(Sizes(FLAT * size, film.spread, 0.5), (bottom, bottom + LAYER), width, rng),
        Sites.placed(Sizes(size, film.spread), (bottom + LAYER, deep), width, rng),
    ]
    surface, interface = (
        np.rint((edge + film.roughness * smooth(shape[1], 10 / step, rng)) / step).astype(int)
        for edge in (top, bottom)
    )
    edges = surface, interface, interface + round(LAYER / step)
    first = np.cumsum([1, *(len(one.radius) for one in sites)])
    cell = np.stack(
        [
            _stacked(
                [one.cells(shape, step, z) + k for one, k in zip(sites, first[:-1], strict=True)],
                edges,
            )
            for z in (np.arange(DEPTHS) + 0.5) / DEPTHS - 0.5
        ]
    )
    number = np.arange(first[-1])
    kind = np.where(number == 0, VOID, np.where(number < first[1], LMNO, PLATINUM))
    section = Section(cell, kind, (number >= first[1]) & (number < first[2]), interface)
    _replace(section, film, sites[0], step, rng)
    cell[:, _cracks(film, shape, interface, step, rng)] = 0
    cell[:, _gap(film, shape, interface, step, rng)] = 0
    return section


def _stacked(layers: list[Labels], edges: tuple[Labels, Labels, Labels]) -> Labels:
    """Return the layers' cells (y, x), one below the other, each from its edge (x,) on."""
    row = np.arange(layers[0].shape[0])[:, None]
    cell = np.zeros_like(layers[0])
    for layer, edge in zip(layers, edges, strict=True):
        cell = np.where(row >= edge, layer, cell)
    return cell


# ---------------------------------------------------------------------------------- the defects


def _replace(
    section: Section, film: Film, sites: Sites, step: float, rng: np.random.Generator
) -> None:
    """Turn whole cells of the film into glass, which clusters, and into pores."""
    area = np.bincount(section.middle.ravel(), minlength=len(section.kind))
    cells = np.flatnonzero(section.kind == LMNO)
    field = rng.standard_normal(tuple(int(2 * MARGIN / step) + np.array(section.middle.shape)))
    field = ndimage.gaussian_filter(field, film.patch / step)
    at = np.stack([sites.y, sites.x + MARGIN]) / step
    clustered = ndimage.map_coordinates(field / field.std(), at, order=1, mode="nearest")
    for kind, share, order in (
        (GLASS, film.amorphous, clustered + 0.3 * rng.standard_normal(len(cells))),
        (VOID, film.pores, rng.standard_normal(len(cells))),
    ):
        ranked = cells[np.argsort(order)]
        ranked = ranked[section.kind[ranked] == LMNO]
        until = np.cumsum(area[ranked]) - 0.5 * area[ranked]
        section.kind[ranked[until < share * area[cells].sum()]] = kind


def _cracks(
    film: Film, shape: tuple[int, int], interface: Labels, step: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return where cracks run down from the surface, ever narrower (y, x)."""
    row, column = np.indices(shape)
    holes = np.zeros(shape, bool)
    number = round(film.cracks * shape[1] * step / 1000)
    for at in (np.arange(number) + rng.uniform(0.2, 0.8, number)) / max(number, 1):
        way = at * shape[1] + 0.35 * np.cumsum(smooth(shape[0], 6 / step, rng))
        end = rng.uniform(0.5, 1.0) * interface.mean()
        half = 0.5 * film.crack_width / step * np.sqrt(np.clip(1 - row / end, 0, None))
        holes |= (np.abs(column - way[:, None]) < half) & (row < interface)
    return holes


def _gap(
    film: Film, shape: tuple[int, int], interface: Labels, step: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return where the film has come off the platinum (y, x)."""
    above = interface - np.arange(shape[0])[:, None]
    loose = portion(film.detached, shape[1], 12 / step, rng)
    return np.asarray(loose & (above > 0) & (above <= round(film.gap / step)))


def portion(share: float, size: int, length: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return a line of which a share is true, in pieces of some ``length`` pixels."""
    line = smooth(size, length, rng)
    return np.asarray(line >= np.quantile(line, 1 - share)) if share else np.zeros(size, bool)
