"""One pass over the blocks against numpy on the whole."""

import sys
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import xarray as xr

sys.path.append(str(Path(__file__).parent))
from counted_volumes import volume

from liscope.errors import DataError, ParameterError
from liscope.volume.moments import joint_histogram, joint_moments, joint_statistics, moments_of

CHUNKS: list[dict[str, int] | None] = [
    None,
    {"channel": 1, "z": 3},
    {"channel": 2, "z": 7, "y": 9},
    {"channel": 3, "z": 1},
]


@pytest.fixture(scope="module")
def counts() -> xr.DataArray:
    """Three channels on a high background, in part without values."""
    rng = np.random.default_rng(0)
    values = rng.poisson(9, (3, 10, 30, 40)).astype(float) + 1e5
    values[1] += 0.5 * values[0]
    values[0, 3] = np.nan
    values[2, :, 5] = np.nan
    return volume(values, "abc")


def chunked(counts: xr.DataArray, chunks: dict[str, int] | None) -> xr.DataArray:
    return counts if chunks is None else counts.chunk(chunks)


@pytest.mark.parametrize("chunks", CHUNKS)
def test_moments_are_numpys(counts: xr.DataArray, chunks: dict[str, int] | None) -> None:
    found = joint_moments(chunked(counts, chunks))
    values = counts.to_numpy().astype(float)
    used = values[:, np.isfinite(values).all(0)]
    assert found["count"] == used.shape[1]
    np.testing.assert_allclose(found["mean"], used.mean(1), rtol=1e-12)
    np.testing.assert_allclose(found["covariance"], np.cov(used), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(found["correlation"], np.corrcoef(used), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("chunks", CHUNKS)
def test_a_mask_leaves_voxels_out(counts: xr.DataArray, chunks: dict[str, int] | None) -> None:
    mask = counts.isel(channel=1, drop=True) > 150010
    found = joint_moments(chunked(counts, chunks), mask if chunks is None else mask.chunk())
    values = counts.to_numpy().astype(float)
    used = values[:, np.isfinite(values).all(0) & mask.to_numpy()]
    assert found["count"] == used.shape[1]
    np.testing.assert_allclose(found["covariance"], np.cov(used), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("chunks", CHUNKS)
def test_histograms_are_numpys(counts: xr.DataArray, chunks: dict[str, int] | None) -> None:
    pairs, ranges = [("a", "b"), ("c", "a")], {"a": (1e5, 1e5 + 20), "b": (1.5e5, 1.5e5 + 30)}
    _, found = joint_statistics(chunked(counts, chunks), pairs, 13, ranges)
    values = dict(zip("abc", counts.to_numpy().astype(float), strict=True))
    used = np.isfinite(counts.to_numpy()).all(0)
    ranges |= {"c": (np.nanmin(values["c"]), np.nanmax(values["c"]))}
    for pair, one in zip(pairs, found, strict=True):
        a, b = (values[name][used] for name in pair)
        expected, *edges = np.histogram2d(a, b, 13, [ranges[name] for name in pair])
        np.testing.assert_array_equal(one, expected)
        np.testing.assert_allclose(one[pair[0]], (edges[0][1:] + edges[0][:-1]) / 2)
        assert one.attrs["outside"] == used.sum() - expected.sum()


def test_a_pair_needs_values_of_its_two_channels_only(counts: xr.DataArray) -> None:
    found = joint_histogram(counts.chunk({"z": 4}), ("a", "b"), 10)
    assert int(found.sum()) == np.isfinite(counts.to_numpy()[:2]).all(0).sum()


def test_several_volumes_at_once(counts: xr.DataArray) -> None:
    one, other = moments_of([counts.chunk({"z": 2}), counts.chunk({"z": 2}) * 2])
    np.testing.assert_allclose(4 * one["covariance"], other["covariance"], rtol=1e-9)


def test_schedulers_agree(counts: xr.DataArray) -> None:
    import dask

    lazy = counts.chunk({"channel": 1, "z": 1})
    found = []
    for scheduler in ("threads", "synchronous"):
        with dask.config.set(scheduler=scheduler):
            found.append(joint_moments(lazy))
    xr.testing.assert_allclose(*found, rtol=1e-12)


def test_two_worker_processes_agree(counts: xr.DataArray) -> None:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster),
    ):
        apart = joint_statistics(counts.chunk({"z": 1}), [("a", "b")], 20)
    here = joint_statistics(counts, [("a", "b")], 20)
    xr.testing.assert_allclose(apart[0], here[0], rtol=1e-12)
    xr.testing.assert_equal(apart[1][0], here[1][0])


def test_no_voxels_no_numbers(counts: xr.DataArray) -> None:
    found = joint_moments(counts * np.nan)
    assert found["count"] == 0
    assert np.isnan(found["covariance"]).all()
    assert np.isnan(found["mean"]).all()


def test_wrong_arguments_are_named(counts: xr.DataArray) -> None:
    with pytest.raises(DataError, match="not of two channels"):
        joint_statistics(counts, [("a", "d")])
    with pytest.raises(DataError, match="does not fit"):
        joint_moments(counts, counts.isel(channel=0, z=slice(3), drop=True) > 0)
    with pytest.raises(ParameterError, match="range of a"):
        joint_histogram(counts, ("a", "b"), ranges={"a": (2.0, 1.0)})
    with pytest.raises(ParameterError, match="bins"):
        joint_histogram(counts, ("a", "b"), 0)


def test_deep_blocks_are_not_read_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slabs are computed alone only where blocks are no deeper; the numbers are the same."""
    from liscope.volume import _states

    rng = np.random.default_rng(0)
    values = rng.poisson(5, (2, 40, 8, 9)).astype(np.float32)
    monkeypatch.setattr(_states, "HELD", 10 * values[:, :1].nbytes)
    reads: list[int] = []

    def read(block: np.ndarray) -> np.ndarray:
        reads.append(1)
        return block

    found = []
    for thick in (5, 4, 7, 40):
        lazy = da.from_array(values, (1, thick, 8, 9)).map_blocks(read, meta=values[:0])
        reads.clear()
        assert _states.may_be_alone(lazy) == (thick < 40)
        volume = xr.DataArray(lazy, {"channel": ["a", "b"]}, ("channel", "z", "y", "x"))
        moments, histograms = joint_statistics(volume, [("a", "b")], 8, {"a": (0, 9), "b": (0, 9)})
        assert len(reads) == 2 * -(-40 // thick)
        found.append((moments["covariance"].to_numpy(), histograms[0].to_numpy()))
    for other in found[1:]:
        np.testing.assert_allclose(found[0][0], other[0], rtol=1e-12)
        np.testing.assert_array_equal(found[0][1], other[1])
