"""SIMS placed on EDS: rigid registration of two stacks by mutual information, with a verdict.

Both stacks have lost their tilt and drift; what is left is a turn and a shift of the section, the
same for all slices, a small shift of each slice on which the two drifts do not agree, and the depth
below the face from which X-rays come. Means over some slices at a time are registered by SimpleITK,
each group for itself and from a start of its own: where they do not agree, nothing is found. The
start is the best of all shifts and a range of rotations, against the chance of one as good on
mirrored maps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from liscope import progress
from liscope.errors import DataError
from liscope.registration.placement import Array, Field
from liscope.registration.register import CHANCE
from liscope.registration.search import Start, find_start
from liscope.volume import _residual
from liscope.volume._groups import Groups, Scene, grouped, scene_of
from liscope.volume.frames import Frames

SHARE = 2 / 3  # of the slices of SIMS must be like one of EDS


@dataclass(frozen=True)
class Match:
    """Where SIMS slices lie on EDS, and whether that is to be believed; ``reason`` says why not.

    Attributes
    ----------
    frames
        Of the SIMS slices, in the section's frame of EDS, with the residual shifts in them.
    rotation, shift
        Degrees by which the section of EDS is turned into that of SIMS, from x to y, and (2: y, x)
        um by which its point ``centre`` is shifted.
    covariance
        (3, 3) of rotation (radians) and shift (um), from group to group of slices.
    centre, corners
        (2: y, x) and (4, 2: y, x) um, the middle and corners of what EDS shows.
    residual, residual_error
        (slice, 2) um, by how much each SIMS picture lies further down and right of the section than
        turn and shift say, and its error.
    depth_offset, depth_error
        By how much deeper than SIMS EDS sees, nm: its slice at a depth shows what SIMS shows of one
        so much deeper.
    correlation
        Of SIMS with the mixture of EDS channels that resembles it most, in means of slices.
    start
        The search, with its chance.
    groups
        One row a group of slices: what it says on its own.
    """

    frames: Frames
    found: bool
    reason: str
    rotation: float
    shift: Array
    covariance: Array
    centre: Array
    corners: Array
    residual: Array
    residual_error: Array
    depth_offset: float
    depth_error: float
    correlation: float
    start: Start
    groups: pd.DataFrame

    def trusted(self) -> Frames:
        """Return the frames.

        Raises
        ------
        DataError
            If the place was not found.
        """
        if not self.found:
            raise DataError(f"SIMS cannot be placed on EDS: {self.reason}")
        return self.frames

    def corner_table(self) -> pd.DataFrame:
        """Return the error (nm, one standard deviation) at the corners and middle of EDS."""
        places = np.vstack([self.corners, self.centre])
        rows = []
        for dy, dx in places - self.centre:
            basis = np.array([[dx, 1, 0], [-dy, 0, 1]])
            variance = np.diag(basis @ self.covariance @ basis.T)
            variance = variance + np.mean(self.residual_error**2, 0)
            rows.append(1e3 * np.sqrt([*variance[::-1], variance.sum()]))
        names = ["upper left", "upper right", "lower right", "lower left", "middle"]
        table = pd.DataFrame(rows, names, ["error_x_nm", "error_y_nm", "error_nm"])
        table.insert(0, "y_um", places[:, 0])
        table.insert(0, "x_um", places[:, 1])
        return table.rename_axis("corner")


def register_stacks(
    eds: xr.DataArray,
    sims: xr.DataArray,
    eds_frames: Frames,
    sims_frames: Frames,
    *,
    rotation: float = 10.0,
    shift: float | None = None,
    tilt: float = 0.0,
) -> Match:
    """Place the SIMS stack on the EDS stack.

    Parameters
    ----------
    eds, sims
        Counts (channel, slice, y, x), lazily read; of several channels of SIMS the first is used.
    eds_frames, sims_frames
        Where their slices lie, with tilt, drift and depths, each in a section's frame of its own.
    rotation
        Degrees to either side that are searched.
    shift
        um by which the middles of the two sections may differ; None: as long as 40 % of the smaller
        field overlap.
    tilt
        Degrees between the electron beam and the section's normal: X-rays from a depth below the
        face are seen shifted by depth * tan(tilt) along y. Positive where the beam goes down the
        section as it goes deeper.

    Raises
    ------
    DataError
        If a stack is flat, has no coordinates in a unit of length, or shares no depth with EDS.
    """
    stacks, frames = (eds, sims.isel({sims.dims[0]: slice(1)})), (eds_frames, sims_frames)
    scene = scene_of(stacks, frames)
    start = _coarse(scene, rotation, shift)
    nothing = _nothing(sims_frames, scene, start)
    if start.chance > CHANCE:
        return replace(nothing, reason=_why_not(start))
    groups = grouped(scene, start.placement)
    nothing = replace(nothing, correlation=groups.correlation, groups=groups.table(scene))
    if groups.reason:
        return replace(nothing, reason=groups.reason)
    placed = sims_frames.after(groups.matrix, groups.offset_at(sims_frames.depth, scene))
    with progress.watch("SIMS slices on EDS"):
        compared = _residual.compare(
            stacks, (eds_frames, placed), scene.eds, groups.common, groups.mixture
        )
    if len(np.unique(compared.sims)) < SHARE * len(sims_frames.depth):
        return replace(nothing, reason="most slices of SIMS are like none of EDS")
    return _match(nothing, scene, groups, placed, compared, tilt)


def _coarse(scene: Scene, rotation: float, shift: float | None) -> Start:
    """Return the best start of all channels of EDS, its chance being that of any of them."""
    eds, sims = scene.means[len(scene.means) // 2]
    here, there = Field.of(scene.eds), Field.of(scene.sims)
    starts = [
        find_start((one, here), (sims, there), rotation, shift) for one in eds if _varies(one)
    ]
    if not (starts and _varies(sims)):
        raise DataError("a stack is flat: there is nothing to register")
    best = min(starts, key=lambda start: (start.chance, -start.score))
    return replace(best, chance=min(1.0, best.chance * len(starts)))


def _varies(image: Array) -> bool:
    return bool(np.nanstd(image) > 0)


def _why_not(start: Start) -> str:
    reason = f"a place as good is found by chance with probability {start.chance:.2g}"
    mirrored = start.fits_mirrored(CHANCE)
    return f"{reason}; it fits mirrored {mirrored}: check the file" if mirrored else reason


def _nothing(sims_frames: Frames, scene: Scene, start: Start) -> Match:
    """Return a match that is not found, with where the search ended."""
    field, count = Field.of(scene.eds), len(sims_frames.depth)
    moved = start.placement(field.centre) - field.centre
    unknown = np.full((count, 2), np.inf)
    return Match(
        frames=sims_frames,
        found=False,
        reason="",
        rotation=start.placement.rotation,
        shift=moved,
        covariance=np.full((3, 3), np.inf),
        centre=field.centre,
        corners=field.corners(),
        residual=np.zeros((count, 2)),
        residual_error=unknown,
        depth_offset=np.nan,
        depth_error=np.inf,
        correlation=np.nan,
        start=start,
        groups=pd.DataFrame(),
    )


def _match(
    nothing: Match,
    scene: Scene,
    groups: Groups,
    placed: Frames,
    compared: _residual.Compared,
    tilt: float,
) -> Match:
    """Return the match with residual shifts and the depth that EDS sees."""
    deeper, depth_error = _residual.depth_seen(compared, scene.member)
    seen = deeper if np.isfinite(deeper) else 0.0
    residual, error = _residual.slice_shifts(compared, placed.depth, seen)
    lean = np.tan(np.deg2rad(tilt))
    frames = placed.moved(np.einsum("sij,sj->si", placed.matrix, residual))
    own = groups.left(scene, residual)
    covariance = np.zeros((3, 3))
    covariance[0, 0] = groups.angles[groups.agree].var(ddof=1) / groups.agree.sum()
    covariance[1:, 1:] = np.cov(own.T) / len(own)
    if np.isfinite(depth_error):
        covariance[1, 1] += (lean * depth_error) ** 2
    return replace(
        nothing,
        frames=frames.after(np.eye(2), np.array([-seen * lean, 0.0])),
        found=True,
        rotation=groups.rotation,
        shift=groups.shift[groups.agree].mean(0) + residual.mean(0) - np.array([seen * lean, 0]),
        covariance=covariance,
        residual=residual,
        residual_error=error,
        depth_offset=1e3 * deeper,
        depth_error=1e3 * depth_error,
    )
