"""Specimens that several tests look at, each simulated and registered once."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import tip_stress_intervals as benchmark
import xarray as xr

from liscope import probe
from liscope.specimens import tip_stress
from liscope.statistics import Image


@dataclass(frozen=True)
class Measured:
    """A specimen's two maps, analysed as the notebook does; and what was put in."""

    scans: dict[str, xr.Dataset]
    truth: xr.Dataset
    areas: list[probe.Area]
    maps: probe.Comparison
    before: xr.DataArray  # nA, on the grid of `after`
    after: xr.DataArray
    noise: float  # nA


@lru_cache(maxsize=16)
def measured(film: str, seed: int) -> Measured:
    return analysed(tip_stress.simulate(film, seed))


def analysed(tree: xr.DataTree) -> Measured:
    nodes = {name: tree[name].to_dataset() for name in tree.children}
    truth = nodes.pop("truth")
    return Measured(nodes, truth, benchmark.true_areas(truth), *benchmark.registered(tree))


def image(values: Image, units: str = "nm", pixel: float = 0.02) -> xr.DataArray:
    """Values (y, x) as a map with coordinates in um."""
    axes = {
        axis: (axis, (np.arange(n) + 0.5) * pixel, {"units": "um"})
        for axis, n in zip(("y", "x"), values.shape, strict=True)
    }
    return xr.DataArray(values, axes, ("y", "x"), name="map", attrs={"units": units})
