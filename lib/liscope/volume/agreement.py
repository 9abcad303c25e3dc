"""How far a volume agrees with one that is known; for tests, benchmarks and a notebook's end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.units import to_units
from liscope.volume.frames import AXES, Frames

if TYPE_CHECKING:
    import pandas as pd

POINTS = 7  # along each side of the field, at which places are compared


def known_frames(told: xr.Dataset, stack: str, numbers: NDArray[np.int64]) -> Frames:
    """Return the known frames of slices: ``<stack>_matrix``, ``<stack>_offset``, ``..._depth``."""
    some = told.sel(slice=numbers)
    return Frames(*(some[f"{stack}_{name}"].to_numpy() for name in ("matrix", "offset", "depth")))


def misplaced(
    told: xr.Dataset, eds: xr.DataArray, sims: xr.DataArray, eds_at: Frames, sims_at: Frames
) -> NDArray[np.float64]:
    """Return how far SIMS was put beside its place on EDS, nm: (slice, point).

    Parameters
    ----------
    told
        Known frames of both stacks over all slices.
    eds, sims
        The stacks; slices that both have are compared, at points spread over the EDS picture.
    eds_at, sims_at
        Their frames as found.
    """
    common, i, j = np.intersect1d(eds["slice"], sims["slice"], return_indices=True)
    place = [to_units(eds[dim], "um").to_numpy() for dim in AXES]
    axes = [np.linspace(axis[0], axis[-1], POINTS) for axis in place]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
    ends = []
    for one, other in (
        (eds_at.of_slices(i), sims_at.of_slices(j)),
        (known_frames(told, "eds", common), known_frames(told, "sims", common)),
    ):
        section = np.linalg.solve(one.matrix[:, None], (points - one.offset[:, None])[..., None])[
            ..., 0
        ]
        ends.append(np.einsum("sij,spj->spi", other.matrix, section) + other.offset[:, None])
    return np.asarray(1e3 * np.linalg.norm(ends[0] - ends[1], axis=-1))


def known_labels(
    told: xr.Dataset,
    label: xr.DataArray,
    numbers: NDArray[np.int64],
    frames: Frames,
    name: str = "label",
) -> xr.DataArray:
    """Return the known labels at the voxels of a grid, by the EDS picture that shows each plane.

    Each voxel takes the nearest known one; 0 outside of what is known.

    Parameters
    ----------
    told
        ``label`` and whatever else is known (z, y, x), and the EDS frames.
    label
        As found, (z, y, x), um: the grid.
    numbers, frames
        Of the EDS slices, and their frames as found.
    name
        Of what is known; ``"lithium"``, say, for its amount instead of the labels.
    """
    from scipy import ndimage

    known = known_frames(told, "eds", numbers)
    z = np.asarray(np.interp(label["z"].to_numpy(), frames.depth, known.depth))
    nearest = np.abs(label["z"].to_numpy()[:, None] - frames.depth).argmin(1)
    origin, step = (np.array([f(told[dim].to_numpy()) for dim in "zyx"]) for f in (_first, _step))
    start, side = (np.array([f(label[dim].to_numpy()) for dim in AXES]) for f in (_first, _step))
    planes = []
    for plane, k in enumerate(nearest):
        back = np.linalg.inv(known.matrix[k])
        matrix = back @ frames.matrix[k]
        offset = matrix @ start + back @ (frames.offset[k] - known.offset[k])
        layer = int(np.clip(round((z[plane] - origin[0]) / step[0]), 0, told.sizes["z"] - 1))
        planes.append(
            ndimage.affine_transform(
                told[name][layer].to_numpy(),
                matrix * side / step[1:, None],
                (offset - origin[1:]) / step[1:],
                (label.sizes["y"], label.sizes["x"]),
                order=0,
                cval=0,
            )
        )
    return xr.DataArray(np.stack(planes), {dim: label[dim] for dim in "zyx"}, ("z", "y", "x"))


def _first(values: NDArray[np.float64]) -> float:
    return float(values[0])


def _step(values: NDArray[np.float64]) -> float:
    return float(values[-1] - values[0]) / (len(values) - 1)


def agreement(
    label: xr.DataArray, names: list[str], known: xr.DataArray, put_in: list[str]
) -> pd.DataFrame:
    """Return how the phases found agree with the known ones.

    Parameters
    ----------
    label, known
        (z, y, x), whole numbers; voxels that are 0 in either take no part.
    names, put_in
        Of their labels 1, 2, ...

    Returns
    -------
    Index ``phase`` (those put in): ``put_in`` and ``found``, shares in per cent, and ``dice``,
    twice the overlap over the sum of both; NaN of a phase that was not looked for.
    """
    import pandas as pd

    both = (label.to_numpy() > 0) & (known.to_numpy() > 0)
    found, there = label.to_numpy()[both], known.to_numpy()[both]
    rows = {}
    for number, name in enumerate(put_in, 1):
        true = there == number
        row = {"put_in": 100 * true.mean(), "found": np.nan, "dice": np.nan}
        if name in names:
            mine = found == names.index(name) + 1
            total = mine.sum() + true.sum()
            row |= {"found": 100 * mine.mean(), "dice": 2 * (mine & true).sum() / max(total, 1)}
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("phase")
