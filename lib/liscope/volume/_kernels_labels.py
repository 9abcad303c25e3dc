"""Compiled loop over a slab's component numbers."""

from __future__ import annotations

from typing import Any

import numba
from numpy.typing import NDArray


# All that can occur are compiled together, so that parallel runs need not, see compile_kernels.
@numba.njit([f"({n}[::1], {t}[::1], {t}[::1])" for n in ("u2", "u4") for t in ("i4", "i8")],
            nogil=True, cache=True)  # fmt: skip
def renumber(number: NDArray[Any], final: NDArray[Any], out: NDArray[Any]) -> None:
    """Write the final number of each voxel's component, without indices of 64 bits in between.

    Parameters
    ----------
    number
        (voxel,) of the slab's own components, 0 for none.
    final
        (component,), the first for none.
    out
        (voxel,), written.
    """
    for i in range(number.size):
        out[i] = final[number[i]]
