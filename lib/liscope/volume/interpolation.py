"""What an interpolation does to counts, and where the interpolated volume is kept."""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from liscope import progress
from liscope.volume.assembly import channel_of
from liscope.volume.frames import Frames, Grid
from liscope.volume.normalise import log_scaled, min_max
from liscope.volume.resample import Method, onto_grid, variance_share

if TYPE_CHECKING:
    import pandas as pd

PLANES = 8  # in which the interpolations are compared
SMALL = 1 << 29  # bytes that are held in memory
SHARED = "temporary-directory"  # dask's setting; on a cluster a folder that all workers see
METHODS: dict[str, tuple[Method, int]] = {
    "linear": ("linear", 3),
    "Lanczos, 3 lobes": ("lanczos", 3),
    "Lanczos, 5 lobes": ("lanczos", 5),
}


def in_grey_levels(image: xr.DataArray) -> dict[str, xr.DataArray]:
    """Return an image (y, x) in levels from 0 to 255 by Eq. 1 and by Eq. 2."""
    one = image.expand_dims(channel=["image"])
    levels = {"min-max": min_max(one), "log": log_scaled(one)}
    return {name: scaled.sel(channel="image", drop=True) for name, scaled in levels.items()}


def kept(volume: xr.DataArray) -> xr.DataArray:
    """Return a small volume computed, in memory; a large one stays lazy.

    To interpolate again, block by block, costs less than to write and read what is several times
    larger than the counts.
    """
    return volume.persist() if volume.nbytes <= SMALL else volume


def stored(label: xr.DataArray) -> xr.DataArray:
    """Return labels that were computed once: small ones in memory, others in a temporary Zarr.

    The folder lies where dask's setting ``temporary-directory`` says, and goes with the process.
    """
    if label.nbytes <= SMALL:
        return label.persist()
    from dask import config

    folder = TemporaryDirectory(prefix="liscope-", dir=config.get(SHARED, None))
    atexit.register(folder.cleanup)
    with progress.watch("phases"):
        plain = label.drop_attrs().to_dataset(name="label")
        plain.to_zarr(f"{folder.name}/labels.zarr", consolidated=False)
    found = xr.open_zarr(f"{folder.name}/labels.zarr", consolidated=False)["label"]
    placed: xr.DataArray = found.assign_coords(label.coords).assign_attrs(label.attrs)
    return placed


def noise_left(
    counts: xr.DataArray, frames: Frames, grid: Grid, method: Method = "linear", lobes: int = 3
) -> xr.DataArray:
    """Return each interpolated channel's counting noise, variance over mean: (channel, z).

    :func:`~liscope.volume.resample.variance_share` with the channels' names, so that those of both
    instruments can be put together as their volumes are. Parameters as for that.
    """
    share = variance_share(counts, frames, grid, method, lobes)
    return share.expand_dims(channel=counts[channel_of(counts)].to_numpy())


def interpolation_table(
    counts: xr.DataArray,
    frames: Frames,
    grid: Grid,
    known: Mapping[str, xr.DataArray] | None = None,
) -> pd.DataFrame:
    """Return what each interpolation does to counts, in some planes in the middle of the grid.

    Parameters
    ----------
    counts, frames, grid
        As for :func:`~liscope.volume.resample.onto_grid`; SIMS is brought onto EDS as EDS onto
        itself.
    known
        By channel, where it is known: the signal without noise (z, y, x) on this grid, in any unit,
        or where its phase is, true or false. NaN where it is not known.

    Returns
    -------
    One row a channel and method: ``negative_percent`` of voxels, ``no_log_percent`` (none or
    fewer), the ``least`` value (counts), ``variance`` over that of the recorded pixels; and, of
    channels in ``known``, ``faithful``, the correlation with what is known: the greater, the better
    the method.
    """
    import pandas as pd

    planes = min(PLANES, grid.shape[0])
    first = (grid.shape[0] - planes) // 2
    start = grid.origin[0] + first * grid.step[0]
    part = replace(grid, origin=(start, *grid.origin[1:]), shape=(planes, *grid.shape[1:]))
    within = slice(first, first + planes)
    signal = {
        name: one.isel(z=within).to_numpy().astype(float) for name, one in (known or {}).items()
    }
    dim = channel_of(counts)
    inside = (frames.depth >= start) & (frames.depth <= start + (planes - 1) * grid.step[0])
    near = counts.isel(slice=np.flatnonzero(inside)) if inside.any() else counts
    spread = near.astype(float).var([one for one in near.dims if one != dim]).to_numpy()
    rows = {}
    for name, (method, lobes) in METHODS.items():
        made = onto_grid(counts, frames, part, method, lobes).compute()
        for i, channel in enumerate(made["channel"].to_numpy()):
            values = made[i].to_numpy()
            rows[str(channel), name] = _row(values, float(spread[i]), signal.get(str(channel)))
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["channel", "method"])


def _row(values: np.ndarray, spread: float, signal: np.ndarray | None) -> dict[str, float]:
    seen = np.isfinite(values)
    inside = values[seen]
    row = {
        "negative_percent": 100 * float((inside < 0).mean()),
        "no_log_percent": 100 * float((inside <= 0).mean()),
        "least": float(inside.min()),
        "variance": float(inside.var()) / spread if spread > 0 else np.nan,
    }
    if signal is not None:
        seen &= np.isfinite(signal)
        row["faithful"] = float(np.corrcoef(values[seen], signal[seen])[0, 1])
    return row
