"""Scans of lamellae that several tests look at, simulated once, with the truth behind them."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import xarray as xr

from liscope.diffraction.polar import Geometry
from liscope.specimens.lamella import simulate

PIXEL, OVAL, TURN = 0.022, 0.01, 12.0  # 1/angstrom, relative, degrees


class Scan(NamedTuple):
    """Patterns in memory, and what they are of."""

    scan: xr.Dataset
    truth: xr.Dataset


@lru_cache(maxsize=4)
def lamella(name: str, seed: int) -> Scan:
    """Return a scan of 42 x 54 positions."""
    tree = simulate(name, seed, (42, 54))
    scan = tree["scan"].to_dataset().compute()
    return Scan(scan, tree["truth"].to_dataset())


def true_geometry() -> Geometry:
    """Return the camera's as the specimen has it."""
    turn = np.deg2rad(TURN)
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return Geometry(np.diag([1 + OVAL / 2, 1 - OVAL / 2]) @ turned / PIXEL, (128, 128))
