"""Where two channels go together: their correlation and covariance in a box around each voxel."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from liscope.figures.volume_images import around_zero, colour_bar, grid_of_pictures
from liscope.figures.volume_style import (
    TERMS,
    bare,
    blank_handles,
    draw_slice,
    legend_below,
    unit_label,
)
from liscope.units import to_units

VEIL = 0.6  # of white over what chance may have made


def local_correlation_figure(local: xr.Dataset, limit: float, depth: float | None = None) -> Figure:
    """Draw local correlation and covariance at one depth, and where they are beyond chance.

    Purple: where one is high the other is low; orange: they go together. A line runs where
    |r| is the limit; in the correlation what is within it is faded. Of lazy maps one slice is
    computed.

    Parameters
    ----------
    local
        From :func:`liscope.volume.local_covariance`: ``correlation`` and ``covariance`` (z, y, x).
    limit
        From :func:`liscope.volume.local_limit`: |r| that 95 % of boxes stay below by chance.
    depth
        Of the slice, um; None: the middle.
    """
    depths = to_units(local["z"], "um").to_numpy()
    number = len(depths) // 2 if depth is None else int(np.abs(depths - depth).argmin())
    one = local[["correlation", "covariance"]].isel(z=number).compute()
    r, together = one["correlation"], one["covariance"]
    figure, axes = grid_of_pictures([r, together], 2)
    drawn = [draw_slice(axes[0], r, Normalize(-1, 1), TERMS)]
    drawn += [draw_slice(axes[1], together, around_zero(together), TERMS)]
    colour_bar(axes[0], drawn[0], "correlation r / 1")
    colour_bar(axes[1], drawn[1], f"covariance / {unit_label(together)}")
    _veil(axes[0], drawn[0].get_extent(), r, limit)
    for axis in axes:
        _border(axis, r, limit)
    beyond = 100 * float((abs(r) > limit).sum()) / max(int(r.notnull().sum()), 1)
    bare(
        axes[0],
        f"a   correlation at z = {depths[number]:.2f} um; {beyond:.0f} % of boxes beyond chance",
    )
    bare(axes[1], "b   covariance")
    legend_below(figure, [*_handles(r, limit), *blank_handles(drawn)])
    return figure


def _veil(
    axis: Axes, extent: tuple[float, float, float, float], r: xr.DataArray, limit: float
) -> None:
    """Fade what is within the limit."""
    within = np.where(abs(r.to_numpy()) <= limit, 1.0, np.nan)
    axis.imshow(within, cmap=ListedColormap(["white"]), extent=extent, alpha=VEIL, aspect="equal")


def _border(axis: Axes, r: xr.DataArray, limit: float) -> None:
    size = np.ma.masked_invalid(np.abs(r.to_numpy()))
    if size.count() and size.min() < limit < size.max():
        y, x = (to_units(r[dim], "um").to_numpy() for dim in r.dims)
        axis.contour(x, y, size, [limit], colors="black", linewidths=0.6)


def _handles(r: xr.DataArray, limit: float) -> list[Artist]:
    box = " x ".join(f"{side:.3g}" for side in r.attrs.get("window", []))
    boxes = f"boxes of {box} um (z, y, x)" if box else "boxes"
    return [
        Line2D(
            [],
            [],
            color="black",
            lw=0.6,
            label=f"|r| = {limit:.2f}: by chance 5 % of {boxes} lie beyond",
        ),
        Patch(fc="#e8e4ef", ec="#666666", lw=0.5, label="within chance (faded in a)"),
    ]
