"""How the particles of a composite come to lie: large ones apart, small ones in what is left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from liscope.specimens.composite import (
    CARBON,
    LCO,
    LLZTO,
    Array,
    Bodies,
    Composite,
    Indices,
    Labels,
)

FACETS = {CARBON: 5, LLZTO: 7, LCO: 5}  # of a particle's own
LOWEST, HIGHEST = 0.62, 0.98  # distance of a facet from the centre, of the ball's radius
REACH = 0.62  # largest radius of a ball, of the largest diameter of a body cut from it
CROWDED = 1.9  # LCO put in, of what stays visible: the rest is where it overlaps its neighbours


@dataclass(frozen=True)
class _Balls:
    """Balls of one or several phases, not cut yet; ``facet`` (facet, 4) belongs to ``owner``."""

    centre: Array
    radius: Array
    phase: Labels
    facet: Array
    owner: Indices


def grow(composite: Composite, low: Array, high: Array, rng: np.random.Generator) -> Bodies:
    """Return the particles that fill a box between two corners (z, y, x), um, and stand out of it.

    LLZTO and agglomerates of carbon are pushed apart until they hardly overlap; LCO fills what they
    leave, cut where its particles meet one another and by the others; what stays free is carbon.
    """
    coarse = _coarse(composite, low, high, rng)
    fine = _fine(composite, coarse, low, high, rng)
    return _furnished(composite, _cut(_together(fine, coarse)), rng)


def _coarse(composite: Composite, low: Array, high: Array, rng: np.random.Generator) -> _Balls:
    start, side = _around(low, high, composite.llzto_size[1])
    volume = float(np.prod(side))
    kinds = (
        (CARBON, composite.agglomerates, composite.agglomerate_size, composite.agglomerate_median),
        (LLZTO, composite.llzto, composite.llzto_size, composite.llzto_median),
    )
    drawn = [
        _drawn(phase, _sizes(share * volume, size, median, composite.spread, rng), side, rng)
        for phase, share, size, median in kinds
    ]
    balls = _together(*drawn)
    for _ in range(12):
        _push_apart(balls.centre, balls.radius, side, steps=15)
    balls.centre[:] = balls.centre % side + start
    return balls


def _fine(
    composite: Composite, coarse: _Balls, low: Array, high: Array, rng: np.random.Generator
) -> _Balls:
    start, side = _around(low, high, composite.lco_size[1])
    volume = CROWDED * composite.lco * float(np.prod(side))
    diameter = _sizes(volume, composite.lco_size, composite.lco_median, composite.spread, rng)
    balls = _drawn(LCO, diameter, side, rng)
    solid = _cut(coarse)
    for _ in range(8):
        _push_apart(balls.centre, balls.radius, side, steps=4)
        for _ in range(3):
            _keep_off(balls, solid, start)
            balls.centre[:] %= side
    balls.centre[:] += start
    return balls


def _around(low: Array, high: Array, size: float) -> tuple[Array, Array]:
    """Return the corner and the sides of a box that holds all centres of what meets another one."""
    return low - REACH * size, high - low + 2 * REACH * size


def _sizes(
    volume: float, size: tuple[float, float], median: float, spread: float, rng: np.random.Generator
) -> Array:
    """Return log-normal diameters between two bounds of balls that together have a volume."""
    mean = np.pi / 6 * median**3 * np.exp(4.5 * spread**2)
    drawn = median * np.exp(spread * rng.standard_normal(int(4 * volume / mean) + 60))
    drawn = drawn[(drawn > size[0]) & (drawn < size[1])]
    return drawn[: 1 + int(np.searchsorted(np.cumsum(np.pi / 6 * drawn**3), volume))]


def _drawn(phase: int, diameter: Array, side: Array, rng: np.random.Generator) -> _Balls:
    """Return balls anywhere in a box, so large that their facets leave the given diameters."""
    count, facets = len(diameter), FACETS[phase]
    normal = directions((count, facets), rng)
    height = rng.uniform(LOWEST, HIGHEST, (count, facets))
    radius = diameter / 2 / np.cbrt(_left(normal, height, rng))
    facet = np.concatenate([normal, (height * radius[:, None])[..., None]], -1).reshape(-1, 4)
    return _Balls(
        rng.random((count, 3)) * side,
        radius,
        np.full(count, phase, np.uint8),
        facet,
        np.repeat(np.arange(count), facets),
    )


def _left(normal: Array, height: Array, rng: np.random.Generator) -> Array:
    """Return the share of each ball of radius 1 that its facets leave, known to about 2 %."""
    places = directions((600,), rng) * np.cbrt((np.arange(600) + 0.5) / 600)[:, None]
    shares = np.empty(len(height))
    for start in range(0, len(height), 4096):  # so that the places of all bodies need no memory
        part = slice(start, start + 4096)
        inside = [
            n @ places.T < h[:, None]
            for n, h in zip(normal[part].swapaxes(0, 1), height[part].T, strict=True)
        ]
        shares[part] = np.all(inside, axis=0).mean(1)
    return shares


def directions(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Return unit vectors (..., 3) without a preferred direction."""
    drawn = rng.standard_normal((*shape, 3))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=-1, keepdims=True))


def _together(*parts: _Balls) -> _Balls:
    starts = np.cumsum([0, *(len(part.radius) for part in parts)])
    return _Balls(
        np.concatenate([part.centre for part in parts]),
        np.concatenate([part.radius for part in parts]),
        np.concatenate([part.phase for part in parts]),
        np.concatenate([part.facet for part in parts]),
        np.concatenate([part.owner + at for part, at in zip(parts, starts, strict=False)]),
    )


def _push_apart(centre: Array, radius: Array, side: Array, steps: int) -> None:
    from liscope.specimens._composite_kernels import push_apart

    centre %= side
    push_apart(centre, radius, _pairs(centre, radius, 1.15, side), side, steps)
    centre %= side


def _keep_off(balls: _Balls, solid: Bodies, start: Array) -> None:
    from liscope.specimens._composite_kernels import keep_off

    places = cKDTree(balls.centre + start)
    reach = float(solid.radius.max())
    pairs = places.sparse_distance_matrix(cKDTree(solid.centre), reach, output_type="coo_matrix")
    keep_off(balls.centre, balls.radius, start, solid, pairs.row, pairs.col)


def _pairs(centre: Array, radius: Array, slack: float, side: Array | None = None) -> Indices:
    """Return pairs of balls that overlap, or would if all were larger by ``slack``.

    Classes of size keep a small ball's neighbours from being looked for as far away as a large
    one's. ``side``: of a box that repeats.
    """
    bounds = np.quantile(radius, [0.5, 0.85, 1])
    kinds = [np.flatnonzero(np.searchsorted(bounds, radius) == k) for k in range(3)]
    trees = [cKDTree(centre[kind], boxsize=side) for kind in kinds]
    found = [
        np.stack([kinds[a][near[:, 0]], kinds[b][near[:, 1]]], 1)
        for a in range(3)
        for b in range(a, 3)
        for near in [_within(trees[a], trees[b], slack * (bounds[a] + bounds[b]))]
    ]
    i, j = np.concatenate(found).T
    apart = centre[j] - centre[i]
    if side is not None:
        apart -= side * np.rint(apart / side)
    close = np.linalg.norm(apart, axis=1) < slack * (radius[i] + radius[j])
    return np.stack([i[close], j[close]], 1).astype(np.int64)


def _within(one: cKDTree, other: cKDTree, reach: float) -> NDArray[np.int64]:
    if one is other:
        return np.asarray(one.query_pairs(reach, output_type="ndarray"))
    near = one.sparse_distance_matrix(other, reach, output_type="coo_matrix")
    return np.stack([near.row, near.col], 1).astype(np.int64)


def _cut(balls: _Balls) -> Bodies:
    """Return balls cut by their facets and in the planes in which they meet their like."""
    contact, touched = _contacts(balls)
    owner = np.concatenate([balls.owner, touched])
    order = np.argsort(owner, kind="stable")
    count = len(balls.radius)
    return Bodies(
        balls.centre, balls.radius, balls.phase,
        np.searchsorted(owner[order], np.arange(count + 1)).astype(np.int64),
        np.concatenate([balls.facet, contact])[order], np.zeros(len(order)),
        np.zeros((count, 5)), np.zeros((count, 5)),
    )  # fmt: skip


def _contacts(balls: _Balls) -> tuple[Array, Indices]:
    """Return the planes in which balls meet, (wall, 4), and the ball that each belongs to.

    LCO gives way to the others as a whole, and is not cut by planes against them.
    """
    i, j = _pairs(balls.centre, balls.radius, 1.0).T
    alike = (balls.phase[i] == LCO) == (balls.phase[j] == LCO)
    i, j = i[alike], j[alike]
    apart = balls.centre[j] - balls.centre[i]
    distance = np.maximum(np.linalg.norm(apart, axis=1), 1e-9)
    normal = apart / distance[:, None]
    at = (distance**2 + balls.radius[i] ** 2 - balls.radius[j] ** 2) / (2 * distance)
    mine = np.column_stack([normal, at])
    other = np.column_stack([-normal, distance - at])
    return np.concatenate([mine, other]), np.concatenate([i, j])


def _furnished(composite: Composite, bodies: Bodies, rng: np.random.Generator) -> Bodies:
    """Return bodies with cracks through and beside LLZTO, and coats on LCO."""
    phase, count = bodies.phase, len(bodies.phase)
    of_wall = np.repeat(phase, np.diff(bodies.first))
    loose = (of_wall == LLZTO) & (rng.random(len(of_wall)) < composite.loosened)
    gap = np.where(loose, rng.uniform(*composite.crack, len(of_wall)) / 1e3, 0.0)
    broken = (phase == LLZTO) & (rng.random(count) < composite.cracked)
    half = np.where(broken, rng.uniform(*composite.crack, count) / 2e3, 0.0)
    at = rng.uniform(-0.4, 0.4, count) * bodies.radius
    thick = np.where(phase == LCO, rng.uniform(*composite.coat, count) / 1e3, 0.0)
    around = 1 - 2 * np.clip(composite.coated * rng.uniform(0.5, 1.5, count), 0, 1)
    return bodies._replace(
        gap=gap,
        crack=np.column_stack([directions((count,), rng), at, half]),
        coat=np.column_stack([directions((count,), rng), around, thick]),
    )
