"""Which part of each phase hangs together, from face to face or to one face, as bounds.

Conduction needs contact: voxels that share a face (connectivity 6) are sure to touch; sharing an
edge or a corner (26) they may. What a cluster does beyond the volume is not seen: one that touches
the border may be connected outside, one that does not is isolated for certain.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from liscope.volume._voxels import DIMS, labels_of, names_of
from liscope.volume.label_table import tables
from liscope.volume.labels import label_components

SURE, POSSIBLE = 6, 26


def connectivity_table(phases: xr.Dataset | xr.DataArray) -> pd.DataFrame:
    """Return the percolating shares of each phase's volume along z, y and x, as bounds.

    Parameters
    ----------
    phases
        Phases, or labels (z, y, x) with ``attrs["phase_names"]``.

    Returns
    -------
    DataFrame
        One row a phase and axis (``phase``, ``along``): shares of the phase's volume in clusters
        that reach from the first to the last voxels along the axis (``percolating``), that touch
        the first or the last (``from_first``, ``from_last``), each by faces, and
        ``percolating_most`` if edges and corners conduct, too; ``isolated``, in clusters that
        touch no border at all, and ``isolated_least`` by edges and corners; ``cut``, in clusters
        that touch a border without percolating, of which the volume cannot tell; the share of the
        largest cluster (``largest``) and the number of ``clusters``. NaN where there is nothing of
        a phase, ``percolating`` where no voxel of a plane across the axis was measured, and
        ``from_first`` and ``from_last`` where none of the first or last plane was.
    """
    label, names = labels_of(phases), names_of(phases)
    label = label.assign_attrs(phase_names=names)
    sure, possible = tables([label_components(label, number) for number in (SURE, POSSIBLE)], label)
    rows = [
        {"phase": name, "along": dim} | _row(sure, possible, name, dim)
        for name in names
        for dim in DIMS
    ]
    table = pd.DataFrame(rows).set_index(["phase", "along"])
    for dim, seen in _planes_seen(label).items():
        ends = {"from_first": seen[0], "from_last": seen[-1]}
        ends |= dict.fromkeys(("percolating", "percolating_most"), seen.all())
        unknown = [name for name, known in ends.items() if not known]
        table.loc[(slice(None), dim), unknown] = np.nan
    return table


def _planes_seen(label: xr.DataArray) -> dict[str, NDArray[np.bool_]]:
    """Return for each axis which planes across it have a voxel that was measured."""
    seen = label != 0
    planes = {dim: seen.any([other for other in DIMS if other != dim]) for dim in DIMS}
    found = xr.Dataset({f"{dim}_seen": plane for dim, plane in planes.items()}).compute()
    return {dim: found[f"{dim}_seen"].to_numpy() for dim in DIMS}


def _row(sure: pd.DataFrame, possible: pd.DataFrame, phase: str, dim: str) -> dict[str, float]:
    sure, possible = (table[table["phase"] == phase] for table in (sure, possible))
    first, last = sure[f"cut_{dim}_first"], sure[f"cut_{dim}_last"]
    through = first & last
    return {
        "percolating": _share(sure, through),
        "percolating_most": _share(
            possible, possible[f"cut_{dim}_first"] & possible[f"cut_{dim}_last"]
        ),
        "from_first": _share(sure, first),
        "from_last": _share(sure, last),
        "isolated": _share(sure, ~sure["cut"]),
        "isolated_least": _share(possible, ~possible["cut"]),
        "cut": _share(sure, sure["cut"] & ~through),
        "largest": _share(sure, sure["voxels"] == sure["voxels"].max()),
        "clusters": float(len(sure)),
    }


def _share(table: pd.DataFrame, which: pd.Series) -> float:
    total = table["voxels"].sum()
    return float(table.loc[which, "voxels"].sum() / total) if total else np.nan
