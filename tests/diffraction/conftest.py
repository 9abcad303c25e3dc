"""What the tests of diffraction share: templates that take a second to make, and patterns."""

import sys
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from liscope.diffraction.index import index
from liscope.diffraction.library import Library, library
from liscope.diffraction.polar import Geometry
from liscope.diffraction.structures import open_crystal
from liscope.diffraction.templates import Beam
from liscope.specimens.spot_patterns import bench_set

sys.path.append(str(Path(__file__).parent))

from drawn_patterns import Bench


@pytest.fixture(scope="session")
def camera() -> Geometry:
    """128 x 128 px of 0.022 1/angstrom."""
    return Geometry(np.eye(2) / 0.022, (128, 128))


@pytest.fixture(scope="session")
def two_phases(camera: Geometry) -> Library:
    """Templates of LMNO and platinum, one degree apart."""
    return library([open_crystal("lmno"), open_crystal("pt")], camera, Beam())


@pytest.fixture(scope="session")
def bench(two_phases: Library) -> Bench:
    """Patterns of medium noise."""
    patterns, phase, orientation = bench_set(240, seed=5)
    with threadpool_limits(1):
        found = index(patterns, two_phases)
    return Bench(patterns, phase, orientation, found)
