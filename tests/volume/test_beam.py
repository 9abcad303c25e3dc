"""The width of the ion beam at boundaries of balls, whose blur is known."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from composites import BEAM, STEP, balls, counted, known
from scipy import ndimage

from liscope.errors import ParameterError
from liscope.volume.beam import Width, beam_width
from liscope.volume.depletion import depletion

SHAPE = (24, 150, 200)


@pytest.fixture(scope="module")
def composite() -> tuple[np.ndarray, np.ndarray]:
    """Labels with LLZTO on one side only, and the depth in it."""
    label, depth = balls(SHAPE, 3, count=80, size=(500, 1200))
    label[..., 70:][label[..., 70:] == 2] = 3
    return label, np.where(label == 2, depth, 0)


def measured(label: np.ndarray, volume: xr.DataArray) -> Width:
    return beam_width(volume.sel(channel=["6Li+"]), known(label), block=2.4)


def test_the_width_is_that_of_the_blur(composite: tuple[np.ndarray, np.ndarray]) -> None:
    label, _ = composite
    for seed in range(3):
        found = measured(label, counted(label, seed))
        assert found.verdict == "measured" and found.blocks > 10
        assert found.lateral == pytest.approx(BEAM, rel=0.02)
        assert found.low - 1 < BEAM < found.high + 1
        assert found.high - found.low < 0.2 * BEAM


def test_a_wider_blur_is_a_wider_one(composite: tuple[np.ndarray, np.ndarray]) -> None:
    label, _ = composite
    channel = counted(label, 1)
    wide = channel.copy(data=channel.sel(channel=["Co"]).to_numpy().repeat(5, 0))  # 80 nm
    assert measured(label, wide).lateral == pytest.approx(80.0, rel=0.02)


def test_neither_the_loss_nor_gains_of_slices_are_seen(
    composite: tuple[np.ndarray, np.ndarray],
) -> None:
    label, inside = composite
    volume = counted(label, 1, 0.7 * np.exp(-inside / 300))
    gain = np.random.default_rng(5).uniform(0.7, 1.3, SHAPE[0])
    found = measured(label, volume * xr.DataArray(gain, dims="z"))
    assert found.lateral == pytest.approx(BEAM, rel=0.06)


def test_without_a_step_it_cannot_be_told(composite: tuple[np.ndarray, np.ndarray]) -> None:
    label, _ = composite
    flat = counted(label, 1)
    flat = flat.copy(data=np.random.default_rng(1).poisson(9, flat.shape).astype(np.float32))
    found = measured(label, flat)
    assert np.isnan(found.lateral) and "no step" in found.verdict
    lost = depletion(flat, known(label), found)
    assert np.isnan(lost.depth) and "no step" in lost.verdict and "give beam" in lost.verdict


@pytest.mark.parametrize(("blur", "word"), [(0.0, "below 15"), (400.0, "above 240")])
def test_a_width_beyond_those_tried_is_said(
    composite: tuple[np.ndarray, np.ndarray], blur: float, word: str
) -> None:
    label, _ = composite
    rate = np.where(label == 3, 14.0, 1.0)
    mean = ndimage.gaussian_filter(rate, (0, blur / STEP[1], blur / STEP[2]))
    volume = counted(label, 1).sel(channel=["6Li+"])
    counts = np.random.default_rng(2).poisson(mean)[None].astype(np.float32)
    found = beam_width(volume.copy(data=counts), known(label), block=2.4)
    assert np.isnan(found.lateral) and word in found.verdict


def test_few_boundaries_cannot_tell(composite: tuple[np.ndarray, np.ndarray]) -> None:
    label = np.where(composite[0] == 3, 1, composite[0])  # the host in one other phase
    found = measured(label, counted(label, 1))
    assert found.verdict.startswith("cannot tell: only 0 blocks")
    with pytest.raises(ParameterError, match="none of"):
        beam_width(counted(label, 1), known(label), "LLZO")
    with pytest.raises(ParameterError, match="channel '7Li\\+' is not in the volume"):
        beam_width(counted(label, 1), known(label), channel="7Li+")


def test_chunks_do_not_matter(composite: tuple[np.ndarray, np.ndarray]) -> None:
    label, _ = composite
    volume = counted(label, 2).sel(channel=["6Li+"])
    whole = beam_width(volume, known(label), block=2.4)
    lazy = beam_width(volume.chunk(z=5, y=70), known(label).chunk(z=7, x=90), block=2.4)
    assert lazy.lateral == pytest.approx(whole.lateral, rel=1e-9)
    assert lazy.high == pytest.approx(whole.high, rel=1e-9)


def test_its_error_widens_the_limits_of_the_loss(composite: tuple[np.ndarray, np.ndarray]) -> None:
    label, inside = balls((36, 150, 200), 3, count=80, size=(700, 1500))
    volume = counted(label, 1, 0.5 * np.exp(-inside / 300)).sel(channel=["6Li+"])
    ends = [
        depletion(volume, known(label), Width(BEAM, BEAM - off, BEAM + off, 20, "measured"))
        for off in (1e-6, 30.0)
    ]
    sure, doubtful = (one.depth_high - one.depth_low for one in ends)
    assert doubtful > 1.02 * sure
    assert ends[0].depth == ends[1].depth
