"""Percolating shares: structures that are known, and a published microstructure."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent))
from labelled_volumes import blobs, labelled

from liscope.volume import _voxels
from liscope.volume.connectivity import connectivity_table


def test_rods_blind_holes_and_closed_pores() -> None:
    label = np.ones((12, 14, 16), np.uint8)
    label[:, 2, 2] = 2  # from the first to the last slice: 12 voxels
    label[0:4, 6, 6] = 2  # a blind hole from the first slice: 4
    label[9:12, 6, 10] = 2  # and from the last: 3
    label[5:7, 10, 10:12] = 2  # closed: 4
    table = connectivity_table(labelled(label, chunks=(3, 14, 16)))
    z, x = table.loc[("balls", "z")], table.loc[("balls", "x")]
    assert z["percolating"] == z["percolating_most"] == pytest.approx(12 / 23)
    assert z["from_first"] == pytest.approx(16 / 23)
    assert z["from_last"] == pytest.approx(15 / 23)
    assert z["isolated"] == pytest.approx(4 / 23)
    assert z["cut"] == pytest.approx(7 / 23)
    assert (z["clusters"], z["largest"]) == (4, pytest.approx(12 / 23))
    assert x["percolating"] == x["from_first"] == 0
    assert (table.loc["matrix", "percolating"] == 1).all()


def test_edges_and_corners_are_the_bounds() -> None:
    """A diagonal staircase hangs together by edges, a space diagonal by corners only."""
    label = np.ones((10, 10, 21), np.uint8)
    for i in range(10):
        label[i, i, i] = 2
    row = connectivity_table(labelled(label)).loc[("balls", "z")]
    assert (row["percolating"], row["percolating_most"]) == (0, 1)
    assert row["isolated"] == pytest.approx(0.8)
    assert row["isolated_least"] == 0


def test_across_slices_that_are_missing_it_cannot_be_told() -> None:
    label = np.ones((9, 6, 7), np.uint8)
    label[4:6] = 0
    table = connectivity_table(labelled(label))
    assert table.loc[("matrix", "z"), ["percolating", "percolating_most"]].isna().all()
    assert table.loc[("matrix", "z"), "from_first"] == pytest.approx(4 / 7)
    label[-1] = 0
    ends = connectivity_table(labelled(label)).loc[("matrix", "z"), ["from_first", "from_last"]]
    assert list(ends.isna()) == [False, True]
    assert table.loc[("matrix", "x"), "percolating"] == 1


def test_a_phase_that_is_not_there_has_no_shares() -> None:
    table = connectivity_table(labelled(np.ones((4, 5, 6), np.uint8)))
    assert table.loc["balls", ["percolating", "isolated", "largest"]].isna().all(axis=None)
    assert (table.loc["balls", "clusters"] == 0).all()


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    label = blobs((16, 20, 24), 1, smooth=1.2)
    whole = connectivity_table(labelled(label))
    monkeypatch.setattr(_voxels, "SLAB", 3 * 20 * 24)
    assert connectivity_table(labelled(label, chunks=(5, 7, 24))).equals(whole)


def test_published_electrode(real: Path) -> None:
    """TauFactor's electrode (MIT): through-connected shares of its documentation's notebook."""
    import tifffile

    path = real / "volume" / "taufactor" / "electrode.tiff"
    if not path.is_file():
        pytest.skip(f"no {path.name}")
    label = (tifffile.imread(path) // 85 + 1).astype(np.uint8)
    names = ("pore", "NMC", "CBD")
    table = connectivity_table(labelled(label, names, (100 / 256,) * 3, chunks=(64, 256, 256)))
    found = table.xs("z", level="along").loc[list(names), "percolating"]
    np.testing.assert_allclose(found, [0.9989, 0.9611, 0.9740], atol=5e-5)
