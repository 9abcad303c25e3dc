"""Connected components against scikit-image on the whole, however the volume is cut."""

import sys
from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr
from distributed import Client, LocalCluster
from scipy import ndimage
from skimage.measure import label as whole_label
from skimage.measure import regionprops_table

sys.path.append(str(Path(__file__).parent))
from labelled_volumes import STEPS, blobs, labelled

from liscope.errors import DataError, ParameterError
from liscope.volume import _voxels
from liscope.volume.label_table import component_table
from liscope.volume.labels import label_components

CHUNKS = [None, (1, 30, 31), (4, 7, 31), (5, 5, 5)]


@pytest.fixture(autouse=True)
def _thin_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small volumes consist of many slabs, too."""
    monkeypatch.setattr(_voxels, "SLAB", 3 * 30 * 31)


@pytest.mark.parametrize(("connectivity", "known"), [(6, 1), (18, 2), (26, 3)])
@pytest.mark.parametrize("chunks", CHUNKS)
def test_components_and_numbers_are_those_of_the_whole(
    connectivity: int, known: int, chunks: tuple[int, ...] | None
) -> None:
    for seed, smooth in ((0, 0.0), (1, 0.8)):
        label = blobs((17, 30, 31), seed, smooth=smooth)
        expected = whole_label(label, connectivity=known, background=0)
        found = label_components(labelled(label, chunks=chunks), connectivity)
        assert found.dtype == np.int32
        np.testing.assert_array_equal(found.to_numpy(), expected)


def test_a_mask_that_only_meets_in_the_last_slice_is_one_component() -> None:
    comb = np.zeros((9, 30, 31), bool)
    comb[:, :, ::2] = True
    comb[-1] = True
    assert label_components(labelled(comb)).to_numpy().max() == 1
    assert label_components(labelled(comb[:-1])).to_numpy().max() == 16


def test_nothing_is_computed_before_it_is_asked_for() -> None:
    label = labelled(blobs((9, 30, 31), 0), chunks=(2, 30, 31))

    def refuse(block: np.ndarray) -> np.ndarray:
        raise AssertionError("computed")

    lazy = label.copy(data=label.data.map_blocks(refuse, dtype=np.uint8, meta=np.zeros((0,) * 3)))
    with pytest.raises(AssertionError, match="computed"):
        label_components(lazy.astype(np.uint8)).compute()
    assert dask.is_dask_collection(label_components(lazy.astype(np.uint8)).data)


@pytest.mark.filterwarnings("ignore::UserWarning:distributed")
def test_two_processes_find_the_same_numbers_and_table() -> None:
    label = labelled(blobs((17, 30, 31), 2), chunks=(4, 30, 31))
    lazy = label_components(label)
    with dask.config.set(scheduler="threads"):
        numbers, table = lazy.to_numpy(), component_table(lazy, label)
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster),
    ):
        np.testing.assert_array_equal(lazy.to_numpy(), numbers)
        assert component_table(lazy, label).equals(table)


@pytest.mark.parametrize("chunks", CHUNKS)
def test_table_agrees_with_regionprops(chunks: tuple[int, ...] | None) -> None:
    label = labelled(blobs((17, 30, 31), 3), chunks=chunks)
    numbers = label_components(label)
    table = component_table(numbers, label)
    known = regionprops_table(
        numbers.to_numpy(), properties=("label", "area", "bbox", "centroid", "slice")
    )
    np.testing.assert_array_equal(table.index, known["label"])
    np.testing.assert_array_equal(table["voxels"], known["area"])
    np.testing.assert_allclose(table["volume_um3"], known["area"] * np.prod(STEPS))
    np.testing.assert_allclose(np.pi / 6 * table["diameter_um"] ** 3, table["volume_um3"])
    for axis, dim in enumerate("zyx"):
        low, high = known[f"bbox-{axis}"], known[f"bbox-{axis + 3}"]
        np.testing.assert_array_equal(table[f"{dim}_from"], low)
        np.testing.assert_array_equal(table[f"{dim}_to"], high)
        np.testing.assert_array_equal(table[f"cut_{dim}_first"], low == 0)
        np.testing.assert_array_equal(table[f"cut_{dim}_last"], high == label.shape[axis])
        np.testing.assert_allclose(table[f"extent_{dim}_um"], (high - low) * STEPS[axis])
        np.testing.assert_allclose(
            table[f"{dim}_um"], known[f"centroid-{axis}"] * STEPS[axis], atol=1e-12
        )
    first = [label.to_numpy().ravel()[np.flatnonzero(numbers.to_numpy() == i)[0]] for i in (1, 9)]
    assert list(table.loc[[1, 9], "phase"]) == [("", "matrix", "balls")[i] for i in first]


def test_what_was_not_measured_cuts_components() -> None:
    label = blobs((12, 20, 21), 4, smooth=1.5) + np.uint8(1)
    label[5:7, 8:, 9:] = 0
    numbers = label_components(labelled(label, ("a", "b", "c")))
    table = component_table(numbers, labelled(label, ("a", "b", "c")))
    beside = ndimage.binary_dilation(label == 0)
    known = np.isin(table.index, np.unique(numbers.to_numpy()[beside]))
    assert 0 < known.sum() < len(table)
    np.testing.assert_array_equal(table["cut_unmeasured"], known)
    assert table.loc[table["cut_unmeasured"], "cut"].all()


def test_other_inputs_are_refused_in_one_line() -> None:
    label = labelled(blobs((5, 6, 7), 0))
    with pytest.raises(ParameterError, match="connectivity 4; 6, 18 or 26"):
        label_components(label, 4)
    with pytest.raises(DataError, match="whole numbers"):
        label_components(label.astype(float))
    with pytest.raises(DataError, match=r"\(z, y, x\) are needed"):
        label_components(label.isel(z=0))
    with pytest.raises(DataError, match="differ"):
        component_table(label_components(label), label.isel(z=slice(3)))
    with pytest.raises(DataError, match="no variable 'label'"):
        label_components(xr.Dataset())
