"""Whole scans: lazy, in any chunks, by threads and by processes, with the same numbers."""

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from distributed import Client, LocalCluster
from drawn_patterns import Bench

from liscope.diffraction.index import KEPT, index
from liscope.diffraction.library import Library, library
from liscope.diffraction.polar import Geometry, direct_beam
from liscope.diffraction.scan import match, match_second
from liscope.diffraction.structures import open_crystal
from liscope.diffraction.templates import Beam
from liscope.errors import DataError

SHAPE = (6, 8)
NAMES = ("orientation", "phase", "score", "norm")


@pytest.fixture
def scan(bench: Bench) -> xr.Dataset:
    """The first 48 patterns of the bench as a scan."""
    pattern = bench.patterns[: SHAPE[0] * SHAPE[1]].reshape(*SHAPE, 128, 128)
    return xr.Dataset(
        {"pattern": (("y", "x", "ky", "kx"), pattern, {"units": "1", "history": "made up"})},
        {
            name: (name, 2.5 * np.arange(n), {"units": "nm"})
            for name, n in zip("yx", SHAPE, strict=True)
        },
    )


def chunked(scan: xr.Dataset, *chunks: int) -> xr.Dataset:
    """Return the same scan, lazy."""
    return scan.chunk(dict(zip(("y", "x", "ky", "kx"), chunks, strict=True)))


def test_a_scan_is_its_patterns_one_by_one(
    scan: xr.Dataset, two_phases: Library, bench: Bench
) -> None:
    found = match(scan, two_phases)
    assert found["orientation"].shape == (*SHAPE, KEPT, 4)
    few = 48
    flat = found["score"].to_numpy().reshape(few, KEPT)
    np.testing.assert_allclose(flat, bench.found.score[:few], atol=1e-5)
    phase = found["phase"].to_numpy().reshape(few, KEPT)
    np.testing.assert_array_equal(phase[:, 0], bench.found.phase[:few, 0])
    assert found["phase"].dtype == np.int8
    np.testing.assert_allclose(found["norm"].to_numpy().ravel(), bench.found.norm[:few], rtol=1e-5)
    q = found["orientation"].to_numpy().reshape(few, KEPT, 4)[:, 0]
    cosine = np.abs(np.sum(q * bench.found.orientation[:few, 0], axis=-1))
    np.testing.assert_allclose(cosine, 1, atol=1e-5)


def test_maps_are_labelled(scan: xr.Dataset, two_phases: Library) -> None:
    found = match(scan, two_phases)
    assert found["phase_name"].to_numpy().tolist() == ["lmno", "pt"]
    assert found["point_group"].to_numpy().tolist() == ["m-3m", "m-3m"]
    np.testing.assert_allclose(found["lattice"].sel(cell="a"), [8.16, 3.92], atol=0.01)
    np.testing.assert_allclose(found["lattice"].sel(cell="gamma"), 90)
    assert found["y"].attrs["units"] == "nm"
    assert found["orientation"].attrs["convention"].startswith("passive, sample to crystal")
    history = str(found.attrs["history"])
    assert "made up" in history
    assert "indexed against lmno, pt in steps of 1 degrees" in history


def refused(block: np.ndarray) -> np.ndarray:
    """Stand for patterns that nobody may ask for; dask calls it with nothing to learn of it."""
    if block.size:
        raise AssertionError("computed")
    return block


def test_a_lazy_scan_stays_lazy(two_phases: Library, scan: xr.Dataset) -> None:
    source = da.zeros((4, 4, 128, 128), dtype=np.uint8, chunks=(2, 2, 128, 128))
    pattern = source.map_blocks(refused, dtype=np.uint8)
    lazy = scan.isel(y=slice(4), x=slice(4)).assign(pattern=(("y", "x", "ky", "kx"), pattern))
    found = match(lazy, two_phases)
    for name in NAMES:
        assert isinstance(found[name].data, da.Array)
    with pytest.raises(AssertionError, match="computed"):
        found["score"].compute()


@pytest.mark.parametrize("chunks", [(1, 8, 128, 128), (4, 3, 128, 128), (6, 8, 64, 32)])
def test_chunks_change_no_number(
    scan: xr.Dataset, two_phases: Library, chunks: tuple[int, ...]
) -> None:
    whole = match(scan, two_phases)
    found = match(chunked(scan, *chunks), two_phases).compute()
    np.testing.assert_allclose(found["score"], whole["score"], atol=1e-5)
    np.testing.assert_allclose(found["norm"], whole["norm"], rtol=1e-5)
    np.testing.assert_array_equal(found["phase"][..., 0], whole["phase"][..., 0])


@pytest.mark.filterwarnings("ignore::UserWarning:distributed")
def test_processes_and_threads_write_the_same_bytes(scan: xr.Dataset, camera: Geometry) -> None:
    small = library([open_crystal("lmno"), open_crystal("pt")], camera, Beam(), 3.0, 4.0)
    lazy = match(chunked(scan, 3, 4, 128, 128), small)
    with dask.config.set(scheduler="threads"):
        by_threads, again = lazy.compute(), lazy.compute()
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster),
    ):
        by_processes = lazy.compute()
    for name in NAMES:
        first = by_threads[name].to_numpy().tobytes()
        assert again[name].to_numpy().tobytes() == first
        assert by_processes[name].to_numpy().tobytes() == first


def test_given_centres_take_the_place_of_found_ones(
    scan: xr.Dataset, two_phases: Library, bench: Bench
) -> None:
    centre = direct_beam(bench.patterns[:48]).reshape(*SHAPE, 2)
    given = xr.Dataset(
        {name: (("y", "x"), centre[..., i]) for i, name in enumerate(("centre_x", "centre_y"))}
    )
    own = match(scan, two_phases)
    np.testing.assert_allclose(match(scan, two_phases, given)["score"], own["score"], atol=1e-5)
    off = match(chunked(scan, 2, 8, 128, 128), two_phases, given + 3.0).compute()
    worse = (off["score"][..., 0] < own["score"][..., 0]).to_numpy()
    crystal = bench.phase[:48].reshape(SHAPE) >= 0
    assert worse[crystal].mean() > 0.9
    # the same by hand
    alone = index(bench.patterns[:48], two_phases, (centre + 3).reshape(-1, 2).astype(np.float32))
    np.testing.assert_allclose(off["score"].to_numpy().reshape(48, KEPT), alone.score, atol=1e-5)


def test_second_crystals_are_matched_lazily_too(scan: xr.Dataset, two_phases: Library) -> None:
    small = scan.isel(y=slice(2))
    first = match(small, two_phases).isel(candidate=0)[["orientation", "phase"]]
    lazy = match_second(chunked(small, 1, 4, 128, 128), two_phases, first)
    assert isinstance(lazy["score"].data, da.Array)
    eager = match_second(small, two_phases, first)
    np.testing.assert_allclose(lazy["score"].compute(), eager["score"], atol=1e-5)
    assert "what the first crystal leaves" in str(eager.attrs["history"])


def test_another_camera_is_refused(scan: xr.Dataset, two_phases: Library) -> None:
    with pytest.raises(DataError, match=r"patterns of \(128, 120\) px, templates for \(128, 128\)"):
        match(scan.isel(kx=slice(120)), two_phases)
