"""A volume that another program segmented, to begin at the microstructure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from liscope.errors import ParameterError
from liscope.history import noted


def labelled(
    segmented: xr.DataArray, marks: Mapping[str, int], voxel: tuple[float, float, float]
) -> xr.Dataset:
    """Return phases of a segmented volume; they have no probabilities.

    Parameters
    ----------
    segmented
        Labels (z, y, x), whole numbers, also lazy.
    marks
        Phase, and its label there. Other labels count as not measured.
    voxel
        Sides z, y, x, nm.

    Returns
    -------
    xr.Dataset
        ``label`` (z, y, x): 1 and on in the order of ``phase``, 0 where none of them is.

    Raises
    ------
    ParameterError
        If a label is none of the array's type, or two phases have the same.
    """
    limits = np.iinfo(segmented.dtype)
    if len(set(marks.values())) < len(marks) or any(
        not limits.min <= one <= limits.max for one in marks.values()
    ):
        raise ParameterError(f"phases: got {dict(marks)}; right are distinct labels of the file")
    label = xr.zeros_like(segmented, np.uint8)
    for number, mark in enumerate(marks.values(), 1):
        label = label + (segmented == mark).astype(np.uint8) * np.uint8(number)
    um = {
        dim: (dim, (np.arange(segmented.sizes[dim]) + 0.5) * side / 1e3, {"units": "um"})
        for dim, side in zip("zyx", voxel, strict=True)
    }
    label = label.assign_coords(um).assign_attrs(phase_names=list(marks))
    label = noted(label, segmented, f"labelled(marks={dict(marks)}, {voxel=})")
    return xr.Dataset({"label": label}, {"phase": list(marks)})
