"""Profiles of volumes whose counts are functions of known distances."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from composites import STEP, coordinates, known

from liscope.errors import DataError, ParameterError
from liscope.volume.profiles import edge_profile, line_profile
from liscope.volume.surface import signed_distance

SHAPE = (40, 44, 60)


def volume_of(*channels: np.ndarray, names: tuple[str, ...] = ("Zr", "6Li+")) -> xr.DataArray:
    return xr.DataArray(
        np.stack(channels).astype(np.float32),
        coordinates(channels[0].shape) | {"channel": list(names[: len(channels)])},
        ("channel", "z", "y", "x"),
        attrs={"units": "count"},
    )


def from_ball() -> tuple[np.ndarray, float]:
    """Return the distance from a ball's surface, nm, above 0 within; and its radius."""
    z, y, x = (s * (np.arange(n) - n / 2 + 0.3) for s, n in zip(STEP, SHAPE, strict=True))
    radius = 900.0
    return radius - np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2), radius


def test_a_line_reads_the_voxels_around_it() -> None:
    x = np.broadcast_to(np.arange(60.0), SHAPE)
    found = line_profile(volume_of(x, 100 - x), (1.2, 1.6, 0.0), (1.2, 1.6, 4.0), width=0.2)
    mean = found["mean"].isel(line=0)
    middle = found["distance"].to_numpy() / 0.08  # in voxels; a class is one voxel wide
    np.testing.assert_allclose(mean.sel(channel="Zr"), middle - 0.5, atol=0.51)
    np.testing.assert_allclose(mean.sum("channel"), 100, rtol=1e-6)
    assert int(found["voxels"].min()) > 3


def test_the_bands_of_a_line_are_those_of_its_counts() -> None:
    counts = np.random.default_rng(0).poisson(9.0, SHAPE)
    found = line_profile(volume_of(counts), (0.1, 0.4, 0.1), (2.2, 2.9, 4.6), width=0.5)
    off = (found["mean"] - 9) / found["counting"]
    assert float(off.std()) == pytest.approx(1, abs=0.25)
    assert float((found["across"] / found["counting"]).mean()) == pytest.approx(1, abs=0.1)
    np.testing.assert_allclose(
        found["error"], np.maximum(found["across"], found["counting"]), rtol=1e-9
    )


def test_lines_of_a_list_and_lazily() -> None:
    x = np.broadcast_to(np.arange(60.0), SHAPE)
    volume = volume_of(x)
    starts, ends = [(1.2, 0.4, 0.4), (1.2, 1.6, 0.4)], [(1.2, 0.4, 4.0), (1.2, 1.6, 1.4)]
    found = line_profile(volume, starts, ends)
    lazy = line_profile(volume.chunk(z=3, y=11), starts, ends)
    xr.testing.assert_identical(found, lazy)
    assert found.sizes["line"] == 2
    assert bool(np.isnan(found["mean"][1, :, -1]).all())  # the shorter one ends before


def test_lines_that_cannot_be() -> None:
    volume = volume_of(np.ones(SHAPE))
    with pytest.raises(ParameterError, match="two different ends"):
        line_profile(volume, (1, 1, 1), (1, 1, 1))
    with pytest.raises(DataError, match="misses"):
        line_profile(volume, (1, 1, 90), (1, 1, 95))


def test_distance_from_a_balls_surface() -> None:
    true, _ = from_ball()
    distance, sure = signed_distance((true > 0).astype(np.uint8) + 1, 2, STEP)
    off = (distance - true)[sure]
    assert abs(off.mean()) < 15
    assert off.std() < 30
    assert sure[true > 0].all()  # the whole ball is in the volume


def test_what_lies_beyond_the_border_is_not_known() -> None:
    label = np.ones((20, 20, 30), np.uint8)
    label[:, :, 15:] = 2  # a wall, 1.2 um before the border on the right
    middle = signed_distance(label, 2, STEP)[1][10, 10]
    assert middle[15 : 15 + 6].all() and not middle[-7:].any()
    label[:, :, 25:] = 0  # nothing was measured there: as good as a border
    assert not signed_distance(label, 2, STEP)[1][10, 10, 21:].any()


def test_counts_by_distance() -> None:
    true, _ = from_ball()
    volume = volume_of(10 + true / 100, 20 + true / 100)
    phases = known((true > 0).astype(np.uint8) + 1)
    found = edge_profile(volume, phases, reach=(400.0, 700.0))
    at = found["distance"].to_numpy()
    np.testing.assert_allclose(found["mean"].sel(channel="Zr"), 10 + at / 100, atol=0.35)
    np.testing.assert_allclose(
        found["ratio"], found["mean"].sel(channel="Zr") / found["mean"].sel(channel="6Li+")
    )
    inside = (true > 0).sum()
    assert 0.7 * inside < int(found["voxels"][at > 0].sum()) <= inside


def test_edges_do_not_depend_on_chunks_or_holes() -> None:
    true, _ = from_ball()
    volume = volume_of(10 + true / 100, 20 + true / 100)
    phases = known((true > 0).astype(np.uint8) + 1)
    found = edge_profile(volume, phases)
    lazy = edge_profile(volume.chunk(z=7, x=13, channel=1), phases.chunk(z=5, y=20))
    xr.testing.assert_allclose(found, lazy, rtol=1e-9)
    holes = volume.copy(deep=True)
    holes.data[0, 18:20] = np.nan
    fewer = edge_profile(holes, phases)
    assert int(fewer["voxels"].sum()) < int(found["voxels"].sum())
    both = (fewer["voxels"] > 100) & (found["voxels"] > 100)
    np.testing.assert_allclose(fewer["mean"][:, both], found["mean"][:, both], rtol=0.03)


def test_intervals_hold_what_blocks_have_in_common() -> None:
    # Blocks that differ by 10 % scatter far more than their counts do.
    random = np.random.default_rng(1)
    shape = (12, 200, 200)
    label = np.ones(shape, np.uint8)
    label[:, :, ::2] = 2
    level = np.repeat(np.repeat(random.normal(1, 0.1, (5, 5)), 40, 0), 40, 1)
    volume = volume_of(100 * np.broadcast_to(level, shape))
    found = edge_profile(volume, known(label), ratio=None, reach=(80.0, 80.0), block=3.2)
    width = (found["high"] - found["low"]).sel(channel="Zr").to_numpy()
    expected = 2 * 1.96 * 100 * level[::40, ::40].std(ddof=1) / 5
    np.testing.assert_allclose(width[np.isfinite(width)], expected, rtol=0.15)
    assert found.attrs["blocks"] == 25


def test_too_few_blocks_have_no_interval() -> None:
    true, _ = from_ball()
    phases = known((true > 0).astype(np.uint8) + 1)
    found = edge_profile(volume_of(10 + 0 * true, 5 + 0 * true), phases, block=4.0)
    assert bool(np.isnan(found["low"]).all())
    with pytest.raises(ParameterError, match="none of"):
        edge_profile(volume_of(true), phases, phase="alumina", ratio=None)
    with pytest.raises(ParameterError, match="has no"):
        edge_profile(volume_of(true), phases)
