"""Sizes of particles in a volume that cuts many of them, and what it cannot tell of the large ones.

Large particles are cut by the border more often than small ones. Only whole particles count, each
by the inverse of the chance to lie whole in the volume (R. E. Miles, 1974; Ch. Lantuejoul, Microsc.
Acta Suppl. 4, 219 (1980)). A particle that reaches from one face to the opposite one shows that
some are never whole: then the distribution of diameters is known only up to that depth, and its
medians and means are lower bounds. Chords, :mod:`liscope.volume.chords`, tell more in a thin
volume.

The laws and their fits are those of grains, :mod:`liscope.grains.sizes`, in um.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError
from liscope.grains.shares import of_things
from liscope.grains.sizes import Sizes, bootstrap, fit_lognormal, median
from liscope.volume._voxels import DIMS, steps_of

Floats = NDArray[np.float64]
SMALLEST = 27  # voxels: smaller ones are told from noise by nothing


@dataclass(frozen=True)
class ParticleSizes:
    """Diameters (um) of a phase's whole particles, and what the volume cut.

    ``sizes`` holds the diameters of spheres of equal volume, their weights, the smallest diameter
    that counts (``floor``), the voxel's (``step``), and the number and share of volume of cut ones.
    ``through`` is the number of particles that reach from a face to the opposite one, and
    ``across`` names those axes.
    """

    sizes: Sizes
    through: int
    across: str

    @property
    def bound(self) -> bool:
        """Whether some particles are larger than the volume can tell."""
        return self.through > 0


def sizes_of(table: pd.DataFrame, numbers: xr.DataArray, smallest: int = SMALLEST) -> ParticleSizes:
    """Return the sizes of particles.

    Parameters
    ----------
    table, numbers
        From :func:`liscope.volume.label_table.component_table` and
        :func:`liscope.volume.separation.separate`.
    smallest
        Voxels of the smallest particle that counts.

    Raises
    ------
    DataError
        If no particle lies whole in the volume.
    """
    steps = steps_of(numbers)
    seen = table[table["voxels"] >= smallest]
    weight, across = np.ones(len(seen)), ""
    through = np.zeros(len(seen), bool)
    for dim, step in zip(DIMS, steps, strict=True):
        first, last = (seen[f"cut_{dim}_{end}"].to_numpy(bool) for end in ("first", "last"))
        if (first | last).any():
            count = numbers.sizes[dim]
            weight *= (count - 1) / np.maximum(count - 1 - seen[f"extent_{dim}_um"] / step, 1)
        through |= first & last
        across += dim if (first & last).any() else ""
    cut = seen["cut"].to_numpy(bool)
    if cut.all():
        name = numbers.attrs.get("phase", "the phase")
        raise DataError(
            f"no particle of {name} of {smallest} voxels or more lies whole in the volume; "
            "its chords tell what can be told (chord_table)"
        )
    volume = seen["volume_um3"].to_numpy(float)
    voxel = float(np.prod(steps))
    sizes = Sizes(
        str(numbers.attrs.get("phase", "")), seen["diameter_um"].to_numpy(float)[~cut],
        np.asarray(weight, float)[~cut], float(np.cbrt(6 / np.pi * voxel * (smallest - 0.5))),
        float(np.cbrt(voxel)), int(cut.sum()), float(volume[cut].sum() / volume.sum()),
    )  # fmt: skip
    return ParticleSizes(sizes, int(through.sum()), across)


def size_table(found: ParticleSizes) -> pd.DataFrame:
    """Return the numbers that describe a distribution of sizes, with 95 % intervals.

    Columns ``value``, ``low``, ``high`` and ``unit``, indexed by ``quantity``. By number each
    particle counts once, by volume as often as its volume. Where particles reach through the volume
    ``value`` is NaN (it cannot be told), ``low`` is a lower bound and ``high`` infinite. Intervals
    are by drawing particles, and NaN for fewer than five. ``cut`` and ``cut, of the volume`` are
    the particles that the border cuts, which do not count; ``unseen`` is the share that the
    log-normal law has below the smallest size that counts.
    """
    sizes = found.sizes

    def numbers(weight: Floats) -> Floats:
        used = replace(sizes, diameter=sizes.diameter[weight > 0], weight=weight[weight > 0])
        law, volume = fit_lognormal(used), used.weight * used.diameter**3
        return np.array(
            [
                median(used), np.average(used.diameter, weights=used.weight),
                median(used, volume), np.average(used.diameter, weights=volume),
                law.median, law.spread, float(law.below(sizes.floor)),
            ]
        )  # fmt: skip

    value = numbers(sizes.weight)
    low, high = bootstrap(sizes, numbers)
    most = np.where([name == "unseen" for name in _ROWS], 1.0, np.inf)
    table = pd.DataFrame(
        {"value": value, "low": np.maximum(low, 0.0), "high": np.minimum(high, most)},
        index=pd.Index(list(_ROWS), name="quantity"),
    )
    if found.bound:
        table["value"], table["high"] = np.nan, np.inf
        table.loc[["geometric standard deviation", "unseen"], ["low", "high"]] = np.nan
    table["unit"] = list(_ROWS.values())
    counts = {
        "whole particles": sizes.diameter.size, "cut": sizes.cut,
        "cut, of the volume": sizes.cut_share, "through the volume": found.through,
    }  # fmt: skip
    more = pd.DataFrame(
        {"value": pd.Series(counts, dtype=float), "low": np.nan, "high": np.nan, "unit": ""}
    )
    return pd.concat([table, more]).rename_axis("quantity")


_ROWS = {
    "median by number": "um", "mean by number": "um", "median by volume": "um",
    "mean by volume": "um", "median of log-normal law": "um",
    "geometric standard deviation": "", "unseen": "",
}  # fmt: skip


def size_distribution(found: ParticleSizes, width_um: float) -> pd.DataFrame:
    """Return the distribution of diameters of whole particles, one row a bin of ``width_um``.

    ``from_um``, ``to_um``; the share of particles, ``by_number``, and of their volume,
    ``by_volume``, each with low and high; and the share that the log-normal law has there, ``law``,
    as part of what it has above the smallest size that counts. Where particles reach through the
    volume these are shares of those that do not.
    """
    sizes = found.sizes
    law = fit_lognormal(sizes)
    above = 1 - float(law.below(sizes.floor))
    edges = np.arange(0.0, sizes.diameter.max() + width_um, width_um)
    rows = []
    for low, high in pairwise(edges):
        inside = (sizes.diameter >= low) & (sizes.diameter < high)
        ends = np.maximum([low, high], sizes.floor)
        rows.append(
            {"from_um": low, "to_um": high}
            | of_things(inside, sizes.weight).columns("by_number")
            | of_things(inside, sizes.weight * sizes.diameter**3).columns("by_volume")
            | {"law": float(np.diff(law.below(ends))[0]) / above}
        )
    return pd.DataFrame(rows)
