"""Groups of slices, each registered for itself: a placement, how far they agree, and why not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from liscope import progress
from liscope.errors import DataError
from liscope.registration.placement import Array, Field, Placement, onto
from liscope.registration.refine import refine
from liscope.registration.search import STEP
from liscope.volume import _section
from liscope.volume.frames import Frames

LARGEST = 640  # pixels along a side of the maps that are registered
THICK, APART = 1.0, 2.0  # um of slices in one mean at most, and of depth between means
FEWEST = 3  # groups
NUDGE = (0.2, 0.5)  # um and degrees, of the groups' starts away from the one found
AGREE, DRIFTING = (
    0.25,
    0.1,
)  # um by which corners may lie off those of other groups; per um of depth
SHARE = 2 / 3  # of the groups must agree
WANDER = 1.5  # um by which a group may move a corner, beyond what the start's steps leave open
ALIKE = 0.1  # correlation of SIMS with what EDS lets expect, below which nothing is believed


@dataclass(frozen=True)
class Scene:
    """What is registered: means of groups of slices, each stack on a plane of its own section.

    ``eds`` and ``sims`` are the planes (y, x), without values; ``means`` of each group EDS
    (channel, y, x) and SIMS (y, x), as 2 sqrt(n + 3/8) of their mean counts; ``depth`` (group,) um;
    ``member`` (SIMS slice,) the nearest group.
    """

    eds: xr.DataArray
    sims: xr.DataArray
    means: list[tuple[Array, Array]]
    depth: Array
    member: NDArray[np.intp]


def scene_of(stacks: tuple[xr.DataArray, xr.DataArray], frames: tuple[Frames, Frames]) -> Scene:
    """Return the means of EDS and SIMS over the same depths; one pass over both."""
    from dask.base import compute

    low = max(one.depth[0] for one in frames)
    high = min(one.depth[-1] for one in frames)
    if not high > low:
        raise DataError("the stacks have no depth in common: check their slice numbers")
    count = max(FEWEST, int(np.ceil((high - low) / APART)))
    edges = np.linspace(low, high, count + 1)
    middle, half = (edges[1:] + edges[:-1]) / 2, min(THICK, edges[1] - edges[0]) / 2
    slices = [[np.flatnonzero(np.abs(f.depth - m) <= half + 1e-9) for m in middle] for f in frames]
    if not all(len(group) for one in slices for group in one):
        raise DataError(
            f"too few slices to place SIMS on EDS: {count} groups of them are needed over "
            f"{high - low:.2f} um; set sims to null to do without"
        )
    sides = [_section.extent(stack, f) for stack, f in zip(stacks, frames, strict=True)]
    pixels = [_section.field(stack).pixel for stack in stacks]
    step = float(max(np.max(pixels), np.max(sides) / LARGEST))
    planes = [_section.plane(stack, f, step) for stack, f in zip(stacks, frames, strict=True)]
    lazy = [_section.means(*each) for each in zip(stacks, frames, slices, planes, strict=True)]
    with progress.watch("means of slices"):
        eds, sims = compute(*lazy)
    means = [(_even(e), _even(s)[0]) for e, s in zip(eds, sims, strict=True)]
    member = np.abs(np.subtract.outer(frames[1].depth, middle)).argmin(1)
    return Scene(planes[0], planes[1], means, middle, member)


def _even(counts: Array) -> Array:
    return np.asarray(2 * np.sqrt(counts + 0.375), float)


@dataclass(frozen=True)
class Groups:
    """What each group says: matrix for all, shifts (group, 2: y, x) of EDS's middle, angles.

    ``common`` (y, x): where both stacks show something; ``mixture`` (channel,) of EDS that looks
    most like SIMS, and their ``correlation``; ``agree`` (group,); ``reason`` not to believe them.
    """

    matrix: Array
    shift: Array
    angles: Array
    agree: NDArray[np.bool_]
    common: NDArray[np.bool_]
    mixture: Array
    correlation: float
    reason: str

    @property
    def rotation(self) -> float:
        """Degrees, from x to y."""
        return float(np.rad2deg(np.arctan2(self.matrix[0, 1], self.matrix[0, 0])))

    def offset_at(self, depth: Array, scene: Scene) -> Array:
        """Return the offset (slice, 2) at depths, between those of the groups that agree."""
        centre = Field.of(scene.eds).centre
        at = scene.depth[self.agree]
        shift = [np.interp(depth, at, column) for column in self.shift[self.agree].T]
        return np.stack(shift, -1) + centre - self.matrix @ centre

    def left(self, scene: Scene, residual: Array) -> Array:
        """Return the residual (group, 2) that is left in each group that agrees."""
        own = np.array([residual[scene.member == g].mean(0) for g in np.flatnonzero(self.agree)])
        return np.asarray(own)

    def table(self, scene: Scene) -> pd.DataFrame:
        """Return one row a group."""
        columns = {
            "depth_um": scene.depth,
            "rotation_deg": np.rad2deg(self.angles),
            "shift_y_um": self.shift[:, 0],
            "shift_x_um": self.shift[:, 1],
            "agrees": self.agree,
        }
        return pd.DataFrame(columns)


def grouped(scene: Scene, start: Placement) -> Groups:
    """Register each group from a start of its own near the one that was found."""
    field = Field.of(scene.eds)
    rng = np.random.default_rng(0)
    seen = [
        onto(scene.sims.copy(data=sims), scene.eds, start).to_numpy() for _, sims in scene.means
    ]
    mixed = [_mixture(eds, there) for (eds, _), there in zip(scene.means, seen, strict=True)]
    mixture = np.mean([weights for weights, _ in mixed], 0)
    found = []
    there = Field.of(scene.sims)
    for eds, sims in scene.means:
        nudged = _nudged(start, field, rng)
        maps = (np.tensordot(mixture, eds, 1), field), (sims, there)
        try:
            placed, _ = refine(*maps, nudged, rigid=True)
        except RuntimeError:  # SimpleITK: flat, or nothing in common; this group says nothing
            found.append((nudged.matrix, np.full(2, np.nan)))
            continue
        found.append((placed.matrix, placed(field.centre) - field.centre))
    return _together(scene, start, found, mixture, float(np.median([r for _, r in mixed])))


def _mixture(eds: Array, sims: Array) -> tuple[Array, float]:
    """Return the weights (channel,) of EDS that describe SIMS best, and the correlation."""
    there = np.isfinite(sims) & np.isfinite(eds).all(0)
    if there.sum() < 100:
        return np.zeros(len(eds)), 0.0
    values = eds[:, there] - eds[:, there].mean(1, keepdims=True)
    target = sims[there] - sims[there].mean()
    weights, *_ = np.linalg.lstsq(values.T, target, rcond=1e-9)
    like = np.corrcoef(weights @ values, target)[0, 1] if np.ptp(weights) or weights.any() else 0.0
    return np.asarray(weights), float(np.nan_to_num(like))


def _nudged(start: Placement, field: Field, rng: np.random.Generator) -> Placement:
    """Return a placement a little away from a start."""
    turn = np.deg2rad(NUDGE[1]) * rng.uniform(-1, 1)
    inner = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    away = rng.normal(size=2)
    away *= NUDGE[0] / np.hypot(*away)
    middle = start(field.centre) + away
    return Placement(start.matrix @ inner, middle - field.centre, field.centre, start.half)


def _together(
    scene: Scene, start: Placement, found: list[tuple[Array, Array]], mixture: Array, like: float
) -> Groups:
    """Return the groups' common turn, each one's shift, and whether they agree."""
    field = Field.of(scene.eds)
    away = field.corners() - field.centre
    angles = np.array([np.arctan2(m[0, 1], m[0, 0]) for m, _ in found])
    shift = np.array([moved for _, moved in found])
    corners = np.array([away @ m.T + moved for m, moved in found])  # less the middle
    if not np.isfinite(shift).any():
        raise DataError("no group of slices of SIMS has anything in common with EDS")
    off = np.hypot(*np.moveaxis(corners - np.nanmedian(corners, 0), -1, 0)).max(1)
    allowed = AGREE + DRIFTING * np.abs(scene.depth - np.median(scene.depth))
    began = start(field.corners()) - field.centre
    wandered = np.hypot(*np.moveaxis(corners - began, -1, 0)).max(1)
    wander = WANDER + np.deg2rad(STEP / 2) * float(np.hypot(*away.T).max())
    agree = (off < allowed) & (wandered < wander)
    angle = float(np.median(angles) if not agree.any() else angles[agree].mean())
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    reason = _doubt(agree, off, wandered - wander, like)
    common = np.ones(scene.eds.shape, bool)
    for (eds, sims), moved, good in zip(scene.means, shift, agree, strict=True):
        if not good:
            continue
        placement = Placement(matrix, moved, field.centre, start.half)
        there = onto(scene.sims.copy(data=sims), scene.eds, placement)
        common &= np.isfinite(eds).all(0) & np.isfinite(there.to_numpy())
    return Groups(matrix, shift, angles, agree, common, mixture, like, reason)


def _doubt(agree: NDArray[np.bool_], off: Array, beyond: Array, like: float) -> str:
    if like < ALIKE:
        return f"SIMS is like no mixture of EDS channels there (correlation {like:.2f})"
    if np.nanmin(beyond) > 0:
        return f"the finer steps wandered {np.nanmin(beyond):.2f} um too far from the start"
    if agree.sum() < max(2, SHARE * len(agree)):
        far = np.nanmax(off)
        return f"groups of slices do not agree: their corners lie up to {far:.2f} um apart"
    return ""
