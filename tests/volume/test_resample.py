"""A stack on a grid: against scipy, SimpleITK and fields that are known everywhere."""

import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import xarray as xr
from scipy import ndimage

sys.path.append(str(Path(__file__).parent))
from counted_volumes import stack

from liscope.errors import DataError, ParameterError
from liscope.volume.frames import Frames, Grid
from liscope.volume.resample import onto_grid, variance_share

PIXEL, THICK = 0.072, 60.0  # um, nm
TURN = np.deg2rad(2.0)
MATRIX = np.array([[0.6, -np.sin(TURN)], [np.sin(TURN), 1.02]])  # tilted by 53 degrees as well


def recorded(rng: np.random.Generator, count: int = 9) -> tuple[xr.DataArray, Frames]:
    """Return two channels of counts, drifting, turned, and unevenly thick; the fourth missing."""
    numbers = [n for n in range(count + 1) if n != 3]
    counts = stack(rng.poisson(5, (2, count, 60, 80)).astype(np.uint16), PIXEL, numbers)
    frames = Frames.of(counts, THICK).after(MATRIX, np.array([0.4, 0.3]))
    frames = frames.moved(rng.normal(0, 0.1, (count, 2)))
    return counts, frames.at_depths(frames.depth + rng.uniform(-0.02, 0.02, count))


GRID = Grid((0.05, 0.0814, 0.09), (0.01, 1.5, 0.5), (10, 32, 40))


def pictured(frames: Frames, grid: Grid) -> np.ndarray:
    """Return where the grid's pixels lie in each picture, (slice, y, x, 2) in pixels."""
    axes = [
        o + s * np.arange(n) for o, s, n in zip(grid.origin, grid.step, grid.shape, strict=True)
    ]
    section = np.stack(np.meshgrid(*axes[1:], indexing="ij"), -1)
    return (frames.pictured(section) - PIXEL / 2) / PIXEL


def between(slices: np.ndarray, frames: Frames, grid: Grid) -> np.ndarray:
    """Return planes (z, y, x) between resampled slices (slice, y, x), one pixel after another."""
    z = grid.origin[0] + grid.step[0] * np.arange(grid.shape[0])
    flat = slices.reshape(len(slices), -1)
    found = np.stack([np.interp(z, frames.depth, one) for one in flat.T], -1)
    return found.reshape(len(z), *slices.shape[1:])


def test_linear_is_scipys_map_coordinates_and_numpys_interp() -> None:
    counts, frames = recorded(np.random.default_rng(0))
    found = onto_grid(counts, frames, GRID)
    places = pictured(frames, GRID)
    for channel in range(2):
        slices = np.stack(
            [
                ndimage.map_coordinates(
                    picture.astype(float), np.moveaxis(at, -1, 0), order=1, mode="nearest"
                )
                for picture, at in zip(counts[channel].to_numpy(), places, strict=True)
            ]
        )
        inside = (places > -0.5).all((0, -1)) & (places < [59.5, 79.5]).all((0, -1))
        assert inside.mean() > 0.7
        expected = between(slices, frames, GRID)
        np.testing.assert_allclose(
            found[channel].to_numpy()[:, inside], expected[:, inside], atol=1e-4
        )
    assert found.dims == ("channel", "z", "y", "x")
    assert found.dtype == np.float32
    assert list(found.channel) == ["ion0", "ion1"]
    assert "linear" in found.attrs["history"]
    assert found.attrs["units"] == "count"


def test_nothing_is_invented_outside_the_pictures() -> None:
    counts, frames = recorded(np.random.default_rng(1))
    grid = Grid((0.05, 0.1, 0.1), (0.0, 0.0, -0.5), (10, 90, 80))
    found = onto_grid(counts, frames, grid).isel(channel=0).to_numpy()
    places = pictured(frames, grid)
    seen = (places >= -0.5).all(-1) & (places <= [59.5, 79.5]).all(-1)
    z = np.arange(10) * 0.05
    for k in range(10):
        upper = np.clip(np.searchsorted(frames.depth, z[k]), 1, len(seen) - 1)
        lower = upper - 1 if z[k] > frames.depth[0] else upper
        both = seen[upper] & seen[lower] if z[k] > frames.depth[0] else seen[0]
        np.testing.assert_array_equal(np.isfinite(found[k]), both)
    assert np.nanmin(found) >= 0


def test_beyond_half_a_slice_there_is_nothing() -> None:
    counts = stack(np.ones((1, 4, 6, 6)), PIXEL)
    frames = Frames.of(counts, 100.0)  # at 0, 0.1, 0.2, 0.3 um
    grid = Grid((0.02, PIXEL, PIXEL), (-0.1, PIXEL, PIXEL), (26, 4, 4))
    found = onto_grid(counts, frames, grid).isel(channel=0, y=0, x=0)
    seen = found.z[np.isfinite(found.to_numpy())]
    assert float(seen.min()) == pytest.approx(-0.04)
    assert float(seen.max()) == pytest.approx(0.34)


def test_a_missing_slice_is_bridged_at_the_depths_of_its_neighbours() -> None:
    depth = np.array([0.0, 0.07, 0.12, 0.30, 0.36])
    counts = stack(np.broadcast_to(10 * depth[None, :, None, None], (1, 5, 6, 6)), PIXEL)
    frames = Frames.of(counts, 60.0).at_depths(depth)
    grid = Grid((0.03, PIXEL, PIXEL), (0.0, PIXEL, PIXEL), (13, 4, 4))
    found = onto_grid(counts, frames, grid)
    np.testing.assert_allclose(found[0, :, 1, 1], 10 * found.z, atol=1e-5)


def test_the_middle_of_a_long_gap_is_not_filled() -> None:
    counts = stack(np.ones((1, 6, 6, 6)), PIXEL)
    numbers = np.array([0, 1, 2, 9, 10, 11])  # six missing ones of 100 nm
    frames = Frames.of(counts, 100.0).at_depths(0.1 * numbers)
    grid = Grid((0.05, PIXEL, PIXEL), (0.0, PIXEL, PIXEL), (23, 4, 4))
    filled = np.isfinite(onto_grid(counts, frames, grid)[0, :, 1, 1].to_numpy())
    z = 0.05 * np.arange(23)
    np.testing.assert_array_equal(filled, (z < 0.401) | (z > 0.699))


def test_lanczos_is_simpleitks_but_for_its_weights() -> None:
    rng = np.random.default_rng(2)
    picture = ndimage.gaussian_filter(rng.normal(size=(60, 80)), 2.5)
    counts = stack(picture[None, None], 1.0)
    frames = Frames.of(counts, 60.0).after(np.array([[0.9, -0.03], [0.02, 0.95]]), [0.0, 0.0])
    grid = Grid((0.06, 1.0, 1.0), (0.0, 12.3, 11.7), (1, 38, 50))
    found = onto_grid(counts, frames, grid, "lanczos", 5)[0, 0].to_numpy()
    image = sitk.GetImageFromArray(picture)
    image.SetOrigin((0.5, 0.5))
    turn = sitk.AffineTransform(2)
    turn.SetMatrix((0.95, 0.02, -0.03, 0.9))  # x before y
    expected = sitk.Resample(
        image, (50, 38), turn, sitk.sitkLanczosWindowedSinc, (11.7, 12.3), (1.0, 1.0)
    )
    # It does not normalise its weights, which sum to one within 1 %.
    np.testing.assert_allclose(found, sitk.GetArrayFromImage(expected), atol=0.01 * np.ptp(picture))


@pytest.mark.parametrize("lobes", [3, 5])
def test_lanczos_keeps_what_is_even_and_follows_a_wave(lobes: int) -> None:
    y, x = np.mgrid[:60, :80]
    wave = np.sin(2 * np.pi * (x + 0.3 * y) / 12)
    counts = stack(np.stack([np.ones_like(wave), wave])[:, None], 1.0)
    frames = Frames.of(counts, 60.0)
    grid = Grid((0.06, 0.77, 0.77), (0.0, 8.0, 8.0), (1, 50, 60))
    even, found = onto_grid(counts, frames, grid, "lanczos", lobes)[:, 0].to_numpy()
    np.testing.assert_allclose(even, 1, atol=1e-5)
    at = pictured(frames, grid)[0] * PIXEL + PIXEL / 2 - 0.5
    expected = np.sin(2 * np.pi * (at[..., 1] + 0.3 * at[..., 0]) / 12)
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_lanczos_on_a_coarser_grid_lets_no_pattern_through() -> None:
    """A wave of 2.5 pixels on a grid of 4 pixels: linear turns it into a slow one."""
    wave = np.sin(2 * np.pi * np.arange(200) / 2.5)
    counts = stack(np.tile(wave, (1, 1, 40, 1)), 1.0)
    grid = Grid((0.06, 1.0, 4.0), (0.0, 10.0, 20.0), (1, 20, 40))
    frames = Frames.of(counts, 60.0)
    assert onto_grid(counts, frames, grid, "lanczos").to_numpy().std() < 0.02
    assert onto_grid(counts, frames, grid).to_numpy().std() > 0.2


@pytest.mark.parametrize("method", ["linear", "lanczos"])
def test_chunks_and_schedulers_make_no_difference(method: str) -> None:
    counts, frames = recorded(np.random.default_rng(3))
    whole = onto_grid(counts, frames, GRID, method).to_numpy()
    for chunks in ({"slice": 2}, {"ion": 1, "slice": 4, "y": 20}, {"slice": 9}):
        lazy = onto_grid(counts.chunk(chunks), frames, GRID, method)
        assert lazy.chunks is not None
        for scheduler in ("threads", "synchronous"):
            np.testing.assert_array_equal(lazy.compute(scheduler=scheduler), whole)


def test_a_block_asks_for_the_slices_about_it_only() -> None:
    import dask.array as da

    counts, frames = recorded(np.random.default_rng(4), 40)
    lazy = counts.copy(data=da.from_array(counts.to_numpy(), (1, 5, -1, -1)))
    grid = Grid((0.06, 0.0814, 0.09), (0.0, 1.5, 0.5), (39, 1400, 1400))  # 8 MB a plane
    found = onto_grid(lazy, frames, grid)
    assert found.data.numblocks[1] > 5
    asked = found[0, 20:22].data.__dask_optimize__(
        found[0, 20:22].data.dask, found[0, 20:22].data.__dask_keys__()
    )
    sources = {key for key in asked if isinstance(key, tuple) and key[0] == lazy.data.name}
    assert len(found.data.dask) < 200
    assert len(sources) <= 3


def test_noise_left_by_interpolation() -> None:
    rng = np.random.default_rng(5)
    counts = stack(rng.poisson(20, (1, 30, 100, 100)), 1.0)
    frames = Frames.of(counts, 60.0).moved(rng.uniform(0, 1, (30, 2)))
    frames = frames.at_depths(frames.depth + rng.uniform(-0.02, 0.02, 30))
    grid = Grid((0.06, 1.1314, 1.1314), (0.0, 4.0, 4.0), (29, 80, 80))
    for method in ("linear", "lanczos"):
        share = variance_share(counts, frames, grid, method)
        found = onto_grid(counts, frames, grid, method)[0].var(("y", "x")) / 20
        np.testing.assert_allclose(found.mean(), share.mean(), rtol=0.02)
        np.testing.assert_allclose(found, share, rtol=0.12)


@pytest.mark.parametrize(
    ("method", "off", "left"), [("linear", 0, 1), ("lanczos", 0, 1), ("linear", 0.5, 1 / 4)]
)
def test_a_grid_on_the_pixels_leaves_all_noise(method: str, off: float, left: float) -> None:
    """Half a pixel off along both axes, the mean of four has a fourth of their variance."""
    counts = stack(np.ones((1, 4, 60, 250)), PIXEL)
    first = (0.5 + off) * PIXEL
    grid = Grid((THICK / 1e3, PIXEL, PIXEL), (0.0, first, first), (4, 59, 249))
    share = variance_share(counts, Frames.of(counts, THICK), grid, method)
    np.testing.assert_allclose(share, left, atol=1e-6)


def test_what_cannot_be_placed_is_refused() -> None:
    counts, frames = recorded(np.random.default_rng(6))
    with pytest.raises(DataError, match="9 frames for 8 slices"):
        onto_grid(counts[:, 1:], frames, GRID)
    with pytest.raises(DataError, match="a stack is"):
        onto_grid(counts[0], frames, GRID)
    with pytest.raises(ParameterError, match="'cubic' is not known"):
        onto_grid(counts, frames, GRID, "cubic")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="lobes"):
        onto_grid(counts, frames, GRID, "lanczos", 0)
