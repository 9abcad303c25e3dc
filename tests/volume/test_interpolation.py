"""How faithful an interpolation is, and the noise it leaves."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

sys.path.append(str(Path(__file__).parent))
from counted_volumes import smooth, stack

from liscope import volume

PIXEL = 0.1  # um


def half_off(counts: xr.DataArray) -> tuple[volume.Frames, volume.Grid]:
    """Return frames, and a grid half a pixel off in the plane and on the slices in depth."""
    depth, rows, columns = (counts.sizes[dim] for dim in ("slice", "y", "x"))
    grid = volume.Grid(
        (0.06, PIXEL, PIXEL), (0.0, 6 * PIXEL, 6 * PIXEL), (depth, rows - 12, columns - 12)
    )
    return volume.Frames.of(counts, 60.0), grid


def between(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return values (..., y, x) half-way between pixels 5 and 6, and so on, along both axes."""
    rows, columns = (side - 12 for side in values.shape[-2:])
    for axis in (-2, -1):
        values = np.apply_along_axis(np.convolve, axis, values, weights, "valid")
    cut = 6 - len(weights) // 2
    return np.asarray(values[..., cut : cut + rows, cut : cut + columns])


def windows() -> dict[str, np.ndarray]:
    """Return each method's weights of the pixels about the middle of two, from its definition."""
    found = {"linear": np.array([0.5, 0.5])}
    for lobes in (3, 5):
        at = np.arange(-lobes + 0.5, lobes)
        weights = np.sinc(at) * np.sinc(at / lobes)
        found[f"Lanczos, {lobes} lobes"] = weights / weights.sum()
    return found


def test_faithful_is_the_correlation_with_the_signal() -> None:
    """At six counts a pixel, linear is the most faithful: it averages the most noise away."""
    rng = np.random.default_rng(0)
    rate = 6 * np.exp(0.7 * smooth(rng, (4, 92, 92), 4.0))
    counts = stack(rng.poisson(np.stack([rate, rate])), PIXEL)
    frames, grid = half_off(counts)
    signal = between(rate, np.array([-1, 9, 9, -1]) / 16)  # cubic: exact enough of a smooth rate
    known = volume.onto_grid(counts, frames, grid)[0].copy(data=signal)
    holes = known.where(known.x > 2.0)
    table = volume.interpolation_table(counts, frames, grid, {"ion0": known, "ion1": holes})
    for method, weights in windows().items():
        made = between(counts.to_numpy().astype(float), weights)
        seen = holes.notnull().to_numpy()
        first = np.corrcoef(made[0].ravel(), signal.ravel())[0, 1]
        second = np.corrcoef(made[1][seen], signal[seen])[0, 1]
        assert table.loc[("ion0", method), "faithful"] == pytest.approx(first, abs=2e-4)
        assert table.loc[("ion1", method), "faithful"] == pytest.approx(second, abs=2e-4)
        negative = 100 * np.mean(made[0] < 0)
        assert table.loc[("ion0", method), "negative_percent"] == pytest.approx(negative, abs=0.05)
    faithful = table["faithful"].xs("ion0")
    assert faithful["linear"] > faithful["Lanczos, 3 lobes"] > faithful["Lanczos, 5 lobes"]


def test_without_noise_the_sharper_window_is_the_more_faithful() -> None:
    """The table can come out either way: of a signal with fine detail Lanczos keeps more."""
    rng = np.random.default_rng(1)
    fine = stack(np.exp(smooth(rng, (4, 92, 92), 2.0))[None], PIXEL)
    grid = volume.Grid((0.06, PIXEL, PIXEL), (0.0, 10.5 * PIXEL, 10.5 * PIXEL), (4, 70, 70))
    frames = volume.Frames.of(fine, 60.0)
    known = volume.onto_grid(fine, frames, grid)[0]
    np.testing.assert_allclose(known, fine[0, :, 10:80, 10:80], rtol=1e-5)
    sampled = fine[:, :, ::2, ::2]  # two pixels of the grid apart
    table = volume.interpolation_table(sampled, frames, grid, {"ion0": known})["faithful"]
    assert table["ion0", "Lanczos, 3 lobes"] > table["ion0", "linear"]


def test_only_channels_that_are_known_are_compared() -> None:
    rng = np.random.default_rng(2)
    counts = stack(rng.poisson(3.0, (2, 4, 40, 40)), PIXEL)
    frames, grid = half_off(counts)
    known = volume.onto_grid(counts, frames, grid)[1] > 3
    table = volume.interpolation_table(counts, frames, grid, {"ion1": known})
    assert table["faithful"].xs("ion1").notnull().all()
    assert table["faithful"].xs("ion0").isnull().all()
    assert "faithful" not in volume.interpolation_table(counts, frames, grid)


@pytest.mark.parametrize("method", ["linear", "lanczos"])
def test_noise_left_is_that_of_interpolated_counts_by_channel(method: str) -> None:
    rng = np.random.default_rng(3)
    rates = np.array([4.0, 25.0])[:, None, None, None]
    counts = stack(rng.poisson(rates, (2, 30, 120, 120)), PIXEL)
    frames, grid = half_off(counts)
    frames = frames.moved(PIXEL * rng.uniform(0, 1, (30, 2)))
    left = volume.noise_left(counts, frames, grid, method)
    assert left.dims == ("channel", "z") and left["channel"].to_numpy().tolist() == ["ion0", "ion1"]
    made = volume.onto_grid(counts, frames, grid, method)
    found = made.var(("z", "y", "x")) / made.mean(("z", "y", "x"))
    np.testing.assert_allclose(left.mean("z"), found, rtol=0.03)
