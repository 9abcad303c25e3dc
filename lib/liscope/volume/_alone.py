"""Lazy arrays that a task computes by itself, where it needs them.

As tasks of their own their blocks would be computed ahead of those that use them, and lie in memory
until these come to their turn.
"""

from __future__ import annotations

import sys
from typing import Any

from numpy.typing import NDArray


class Unseen:
    """A lazy array (channel, ...) that dask takes for a plain value."""

    def __init__(self, array: Any) -> None:
        from dask.base import optimize

        self.array = optimize(array)[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """As the array's."""
        return tuple(self.array.shape)

    def channels(self, rows: slice = slice(None)) -> list[NDArray[Any]]:
        """Return the values of each channel (1, z, y, x), of some rows, computed here and now."""
        part = self.array[:, :, rows] if self.array.ndim > 2 else self.array
        return [one[None].compute(scheduler="synchronous") for one in part]


def on_workers(array: Any) -> bool:
    """Tell whether a lazy array's values lie in workers' memory already."""
    if "distributed" not in sys.modules:
        return False
    from distributed.client import futures_of

    return bool(futures_of(array))
