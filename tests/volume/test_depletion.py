"""Loss of lithium towards the surface of balls, whose depth is known."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from composites import BEAM, balls, counted, known

from liscope.errors import ParameterError
from liscope.volume.depletion import DEPTHS, Depletion, _wider, depletion
from liscope.volume.response import Response

SHAPE = (36, 150, 200)
DEPTH, AMPLITUDE = 300.0, 0.5


@pytest.fixture(scope="module")
def composite() -> tuple[np.ndarray, np.ndarray]:
    return balls(SHAPE, 3, count=140, size=(700, 1100))


def found_in(label: np.ndarray, loss: np.ndarray | float, seed: int) -> Depletion:
    volume = counted(label, seed, loss).sel(channel=["6Li+"])
    return depletion(volume, known(label), Response(BEAM), block=2.4)


def test_depth_and_amplitude(composite: tuple[np.ndarray, np.ndarray]) -> None:
    label, inside = composite
    found = found_in(label, AMPLITUDE * np.exp(-inside / DEPTH), 1)
    assert found.verdict == "found"
    assert found.depth == pytest.approx(DEPTH, rel=0.1)
    assert found.depth_low < DEPTH < found.depth_high
    assert found.amplitude_low < AMPLITUDE < found.amplitude_high
    assert found.depth_high - found.depth_low < 0.5 * DEPTH


def test_flat_lithium_shows_no_loss(composite: tuple[np.ndarray, np.ndarray]) -> None:
    label, _ = composite
    for seed in range(3):
        found = found_in(label, 0.0, seed)
        assert found.verdict.startswith("cannot tell")
        assert np.isnan(found.depth)


def test_gains_of_slices_and_levels_of_blocks_are_no_loss(
    composite: tuple[np.ndarray, np.ndarray],
) -> None:
    label, inside = composite
    volume = counted(label, 1, AMPLITUDE * np.exp(-inside / DEPTH)).sel(channel=["6Li+"])
    random = np.random.default_rng(5)
    volume = volume * xr.DataArray(random.uniform(0.8, 1.2, SHAPE[0]), dims="z")
    across = xr.DataArray(1 + 0.3 * np.linspace(-1, 1, SHAPE[2]), dims="x")
    found = depletion(volume * across, known(label), Response(BEAM), block=2.4)
    assert found.depth == pytest.approx(DEPTH, rel=0.15)


def test_chunks_do_not_matter(composite: tuple[np.ndarray, np.ndarray]) -> None:
    label, inside = composite
    volume = counted(label, 2, 0.5 * np.exp(-inside / 300)).sel(channel=["6Li+"])
    whole = depletion(volume, known(label), block=2.4)
    lazy = depletion(volume.chunk(z=5, y=70), known(label).chunk(z=7, x=90), block=2.4)
    assert lazy.depth == pytest.approx(whole.depth, rel=1e-6)
    assert lazy.amplitude_low == pytest.approx(whole.amplitude_low, rel=1e-6)


def test_no_more_than_all_can_be_lost(composite: tuple[np.ndarray, np.ndarray]) -> None:
    label, inside = composite
    found = found_in(label, 0.95 * np.exp(-inside / 150), 1)
    assert found.verdict == "found"
    assert found.amplitude_low < 0.95 < found.amplitude_high <= 1


def test_limits_are_wider_where_one_block_tells_the_most() -> None:
    """Of n blocks that tell as much, Student's law of n - 1; of one among many, far more."""
    bend = -((np.arange(DEPTHS.size) - 20.0) ** 2)
    alike = np.tile(bend, (12, 3, 1))
    student = 2.200985 * np.sqrt(12 / 11) / 1.959964  # 97.5 % of Student's t with 11, of tables
    assert _wider(alike) == pytest.approx(student, rel=1e-3)
    assert _wider(alike * np.where(np.arange(12) == 4, 50.0, 1.0)[:, None, None]) > 2 * student


def test_few_blocks_cannot_tell() -> None:
    label, inside = balls((30, 40, 50), 2, count=4)
    volume = counted(label, 1, 0.5 * np.exp(-inside / 300))
    found = depletion(volume, known(label), block=4.0)
    assert found.verdict.startswith("cannot tell: only")
    with pytest.raises(ParameterError, match="not in the volume"):
        depletion(volume, known(label), channel="7Li+")
    with pytest.raises(ParameterError, match="none of"):
        depletion(volume, known(label), phase="LLZO")
