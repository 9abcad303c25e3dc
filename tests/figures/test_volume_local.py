"""The map of local correlations shows its slice, and tells what chance may have made."""

from __future__ import annotations

import io

import dask
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from liscope import figures

SHAPE = {"z": 5, "y": 30, "x": 40}


@pytest.fixture
def local() -> xr.Dataset:
    """Correlation that grows along x from -0.8 to 0.8, and along z; the last rows not measured."""
    at = {
        dim: xr.DataArray(0.1 * np.arange(n), dims=dim, attrs={"units": "um"})
        for dim, n in SHAPE.items()
    }
    ramp = xr.DataArray(np.linspace(-0.8, 0.8, SHAPE["x"]), dims="x")
    r = (ramp + 0.01 * xr.DataArray(np.arange(5), dims="z") + 0 * at["y"]).transpose("z", "y", "x")
    r = r.assign_coords(at).where(at["y"] < 2.0)
    return xr.Dataset(
        {
            "correlation": r.assign_attrs(units="1", window=[0.3, 1.1, 1.1]),
            "covariance": (50 * r).assign_attrs(units="count^2"),
        }
    )


def _told(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_both_maps_are_those_of_the_slice_and_around_zero(local: xr.Dataset) -> None:
    figure = figures.local_correlation_figure(local, 0.3, 0.32)
    r, together = (axis for axis in figure.axes if len(axis.images))
    expected = local["correlation"].isel(z=3).to_numpy()
    np.testing.assert_array_equal(r.images[0].get_array().filled(np.nan), expected)
    assert (r.images[0].norm.vmin, r.images[0].norm.vmax) == (-1, 1)
    np.testing.assert_allclose(together.images[0].get_array().filled(np.nan), 50 * expected)
    norm = together.images[0].norm
    assert norm.vmin == -norm.vmax and norm.vmax == pytest.approx(50 * 0.83, rel=0.05)
    labels = {axis.get_ylabel() for axis in figure.axes}
    assert {"correlation r / 1", "covariance / count$^2$"} <= labels
    assert all(axis.artists for axis in (r, together))  # their scale bars
    middle = figures.local_correlation_figure(local, 0.3).axes[0].get_title(loc="left")
    assert "z = 0.20 um" in middle


def test_what_chance_makes_is_faded_and_has_a_border(local: xr.Dataset) -> None:
    limit = 0.3
    figure = figures.local_correlation_figure(local, limit, 0.0)
    axis = figure.axes[0]
    values = local["correlation"].isel(z=0).to_numpy()
    faded = ~np.ma.getmaskarray(axis.images[1].get_array())
    np.testing.assert_array_equal(faded, np.abs(values) <= limit)
    assert axis.images[1].get_extent() == axis.images[0].get_extent()
    (line,) = [one for one in axis.collections if type(one).__name__ == "QuadContourSet"]
    corners = line.get_paths()[0].vertices
    slope = 1.6 / (0.1 * (SHAPE["x"] - 1))  # of r, 1/um
    crossed = np.abs(-0.8 + slope * corners[:, 0])
    np.testing.assert_allclose(crossed, limit, atol=1e-6)
    beyond = 100 * np.mean(np.abs(values[0]) > limit)
    assert f"{beyond:.0f} % of boxes beyond chance" in axis.get_title(loc="left")
    assert any("|r| = 0.30" in text and "0.3 x 1.1 x 1.1 um" in text for text in _told(figure))
    assert "not measured" in _told(figure)
    assert "not measured" not in _told(figures.local_correlation_figure(local.fillna(0.5), limit))


def test_one_slice_is_computed_and_no_other(local: xr.Dataset) -> None:
    read = set()

    def slice_of(block: np.ndarray, block_info: dict | None = None) -> np.ndarray:
        if block_info:
            read.add(block_info[0]["chunk-location"][0])
        return block

    lazy = local.chunk(z=1)
    lazy = lazy.map(lambda one: one.copy(data=one.data.map_blocks(slice_of, dtype=float)))
    read.clear()
    with dask.config.set(scheduler="synchronous"):
        figures.local_correlation_figure(lazy, 0.3, 0.1)
    assert read == {1}


def test_a_slice_without_a_value_or_within_chance_is_no_error(local: xr.Dataset) -> None:
    for nothing in (local.where(False), 0 * local):
        figure = figures.local_correlation_figure(nothing, 0.3)
        figure.savefig(io.BytesIO())
        assert not figure.axes[0].collections
        assert "0 % of boxes" in figure.axes[0].get_title(loc="left")
