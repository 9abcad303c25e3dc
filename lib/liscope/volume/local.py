"""How two channels vary together in a box around each voxel: local covariance and correlation."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError, ParameterError
from liscope.history import noted
from liscope.units import to_units
from liscope.volume.moments import Pair

LEVEL = 0.95
BINS = 2000  # of |correlation|, for its quantile

Floats = NDArray[np.float32]


def local_covariance(
    volume: xr.DataArray, pair: Pair, window: float, through: bool = True
) -> xr.Dataset:
    """Return covariance and Pearson's correlation of two channels in a box around each voxel.

    At the border the box is what of it lies in the volume; voxels without a value take no part.
    A box holds few independent voxels, so that large local correlations arise by chance: see
    :func:`local_limit`.

    Parameters
    ----------
    volume
        (channel, z, y, x), any unit, coordinates in units of length.
    window
        Side of the box, um; rounded to an odd number of voxels along each axis.
    through
        Whether the box reaches through slices as well, or lies in one.

    Returns
    -------
    ``covariance`` and ``correlation`` (z, y, x), float32, lazily where the volume is; attrs
    ``window``: the box's sides (z, y, x), um. NaN where the voxel or all but two voxels of its box
    have no value; the correlation also where one of the channels does not vary.

    Raises
    ------
    ParameterError
        If the window is not wider than a voxel.
    """
    both, reach, sides = _prepared(volume, pair, window, through)
    made = _boxes(both, reach)
    lazy = volume.chunks is not None
    values = made if lazy else made.compute()
    space = ("z", "y", "x")
    coords = {dim: volume[dim] for dim in space}
    step = f"local covariance of {pair[0]} and {pair[1]} in boxes of {window:g} um"
    maps = {
        name: noted(xr.DataArray(values[n], coords, space), volume, step).assign_attrs(attrs)
        for n, (name, attrs) in enumerate(_described(volume, sides).items())
    }
    return xr.Dataset(maps)


def local_limit(
    volume: xr.DataArray,
    pair: Pair,
    window: float,
    through: bool = True,
    level: float = LEVEL,
) -> float:
    """Return the |correlation| that a share ``level`` of boxes stays below by chance.

    One channel is rolled half way around in y and x: what each has in common with its neighbours
    stays, what the channels have in common goes. Parameters as :func:`local_covariance`.
    """
    import dask.array as da

    both, reach, _ = _prepared(volume, pair, window, through)
    half = (both.shape[2] // 2, both.shape[3] // 2)
    rolled = da.stack([both[0], da.roll(both[1], half, axis=(1, 2))])
    rolled = rolled.rechunk((2, *both.chunks[1:]))
    counts, edges = da.histogram(abs(_boxes(rolled, reach)[1]), BINS, (0.0, 1.0))
    share = np.cumsum(counts.compute())
    if share[-1] == 0:
        raise DataError(f"no box has a correlation of {pair[0]} and {pair[1]}; widen the window")
    return float(edges[1 + np.searchsorted(share, level * share[-1])])


def _prepared(
    volume: xr.DataArray, pair: Pair, window: float, through: bool
) -> tuple[Any, tuple[int, int, int], list[float]]:
    """Return the two channels (2, z, y, x) as a dask array, and the box's reach and sides."""
    import dask.array as da

    space = ("z", "y", "x")
    step = [_step(volume, dim) for dim in space]
    reach = [max(0, round((window / size - 1) / 2)) for size in step]
    if not through:
        reach[0] = 0
    if not any(reach):
        raise ParameterError(
            f"window: {window:g} um is not wider than a voxel; {3 * max(step[1:]):.3g} or more"
        )
    both = volume.sel(channel=list(pair)).transpose("channel", *space).astype(np.float32)
    lazy = both.data if both.chunks else da.from_array(both.data, (2, "auto", -1, -1))
    sides = [(2 * r + 1) * size for r, size in zip(reach, step, strict=True)]
    return lazy.rechunk({0: 2}), (reach[0], reach[1], reach[2]), sides


def _step(volume: xr.DataArray, dim: str) -> float:
    place = to_units(volume[dim], "um").to_numpy()
    return float(place[-1] - place[0]) / max(len(place) - 1, 1) or 1.0


def _described(volume: xr.DataArray, sides: list[float]) -> dict[str, dict[str, Any]]:
    units = str(volume.attrs.get("units", "1"))
    return {
        "covariance": {"units": f"{units}^2" if units != "1" else "1", "window": sides},
        "correlation": {"units": "1", "window": sides},
    }


def _boxes(both: Any, reach: tuple[int, int, int]) -> Any:
    """Return covariance and correlation (2, z, y, x) of two channels, lazily."""
    depth = dict(
        enumerate((0, *(r if n > 1 else 0 for r, n in zip(reach, both.numblocks[1:], strict=True))))
    )
    return both.map_overlap(
        _box, depth, "none", dtype=np.float32, meta=np.empty((0,) * 4, np.float32), reach=reach
    )


def _box(both: Floats, reach: tuple[int, int, int]) -> Floats:
    from liscope.volume import _kernels_local as kernels  # compiling takes its time

    out = np.empty(both.shape, np.float32)
    kernels.box(kernels.centred(np.ascontiguousarray(both)), np.array(reach), out)
    return out
