"""Volume fractions: exact counts, intervals that hold, and what an early stop does."""

import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

sys.path.append(str(Path(__file__).parent))
from labelled_volumes import blobs, labelled

from liscope.errors import DataError, ParameterError
from liscope.volume import _voxels
from liscope.volume.fractions import convergence_table, fraction_table


def phases(label: np.ndarray, sharpness: float = 0.9) -> xr.Dataset:
    """Labels with probabilities: ``sharpness`` for the label, the rest for the other phase."""
    found = labelled(label)
    own = [np.where(label == i, sharpness, 1 - sharpness) for i in (1, 2)]
    probability = np.where(label == 0, np.nan, own).astype(np.float32)
    return xr.Dataset(
        {"label": found, "probability": (("phase", "z", "y", "x"), probability)},
        coords={"phase": ["matrix", "balls"]},
    )


def test_fractions_are_counts_over_what_was_measured() -> None:
    label = blobs((10, 40, 50), 0)
    table = fraction_table(labelled(label))
    measured = np.count_nonzero(label)
    for i, name in enumerate(("matrix", "balls"), 1):
        row = table.loc[name]
        assert row["fraction"] == pytest.approx(np.count_nonzero(label == i) / measured)
        assert row["low"] < row["fraction"] < row["high"]
        core = label[2:-2, 3:-3, 3:-3]  # 0.25 um; of ten slices no more than a quarter
        assert row["inner"] == pytest.approx(np.count_nonzero(core == i) / np.count_nonzero(core))


def test_interface_voxels_are_those_beside_another_phase() -> None:
    label = np.ones((8, 20, 20), np.uint8)
    label[:, :, 12:] = 2
    label[:, 10:, :] = 0  # not measured: no interface
    table = fraction_table(labelled(label))
    assert table.loc["matrix", "at_interface"] == pytest.approx(1 / 12)
    assert table.loc["balls", "at_interface"] == pytest.approx(1 / 8)


def test_probabilities_give_the_expected_fraction() -> None:
    label = blobs((10, 40, 50), 1)
    table = fraction_table(phases(label))
    share = np.count_nonzero(label == 2) / np.count_nonzero(label)
    assert table.loc["balls", "expected"] == pytest.approx(0.9 * share + 0.1 * (1 - share))
    row = table.loc["balls"]
    assert row["expected_low"] < row["expected"] < row["expected_high"]


def test_intervals_hold_the_truth_where_neighbours_are_alike() -> None:
    """Sixty volumes of one random field: half of it is phase 2, on the average over all volumes.

    Slices and neighbours repeat each other: the interval of independent voxels would be tens of
    times too narrow, and hold the truth in a tenth of the cases.
    """
    held, binomial = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        field = rng.standard_normal((8, 80, 100))
        from scipy import ndimage

        field = ndimage.gaussian_filter(field, (3, 3, 3), mode="constant")[:, 10:-10, 10:-10]
        row = fraction_table(labelled(np.where(field > 0, 2, 1).astype(np.uint8))).loc["balls"]
        held.append(row["low"] <= 0.5 <= row["high"])
        binomial.append(abs(row["fraction"] - 0.5) < 1.96 * 0.5 / np.sqrt(field.size))
        assert row["independent"] < field.size / 50
    assert np.mean(held) >= 0.88
    assert np.mean(binomial) < 0.35


def test_convergence_ends_at_all_slices() -> None:
    label = blobs((20, 40, 50), 3, smooth=2.0)
    table = convergence_table(labelled(label, chunks=(3, 40, 50)))
    for i, name in enumerate(("matrix", "balls"), 1):
        rows = table.loc[name]
        for n in (1, 2, 20):
            part = label[:n]
            share = np.count_nonzero(part == i) / np.count_nonzero(part)
            assert rows.loc[n, "fraction"] == pytest.approx(share)
            assert rows.loc[n, "depth_um"] == pytest.approx(0.06 * n)
        whole = fraction_table(labelled(label)).loc[name, ["fraction", "low", "high"]]
        np.testing.assert_allclose(
            rows.loc[20, ["fraction", "low", "high"]].astype(float), whole.astype(float)
        )
        assert rows.loc[20, "holds_final"]
    with pytest.raises(ParameterError, match="there are 1 to 20"):
        convergence_table(labelled(label), [5, 21])


def test_a_phase_that_is_not_there_has_no_upper_bound() -> None:
    row = fraction_table(labelled(np.ones((6, 40, 50), np.uint8))).loc["balls"]
    assert row["fraction"] == 0
    assert np.isnan(row[["low", "high", "at_interface"]].astype(float)).all()


def test_chunks_and_cells_change_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    label = blobs((16, 40, 50), 4)
    whole = fraction_table(phases(label))
    monkeypatch.setattr(_voxels, "SLAB", 3 * 40 * 50)
    lazy = fraction_table(phases(label).chunk(z=5, y=11, phase=1))
    np.testing.assert_allclose(lazy.to_numpy(float), whole.to_numpy(float), rtol=1e-9)


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="nothing was measured"):
        fraction_table(labelled(np.zeros((4, 5, 6), np.uint8)))
    with pytest.raises(ParameterError, match="above 0"):
        fraction_table(labelled(np.ones((4, 5, 6), np.uint8)), rim_um=0)
    unnamed = labelled(np.ones((4, 5, 6), np.uint8))
    del unnamed.attrs["phase_names"]
    with pytest.raises(DataError, match="phase_names"):
        fraction_table(unnamed)


def test_published_electrode(real: Path) -> None:
    """TauFactor's electrode (MIT): voxel counts of its documentation's notebook."""
    import tifffile

    path = real / "volume" / "taufactor" / "electrode.tiff"
    if not path.is_file():
        pytest.skip(f"no {path.name}")
    label = (tifffile.imread(path) // 85 + 1).astype(np.uint8)
    table = fraction_table(labelled(label, ("pore", "NMC", "CBD"), (100 / 256,) * 3))
    np.testing.assert_allclose(table["fraction"], [0.449917, 0.400466, 0.149616], atol=5e-7)
