"""Tortuosity: channels that are known exactly, PoreSpy's answer, and a direct solution."""

import sys
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.sparse.linalg import spsolve

sys.path.append(str(Path(__file__).parent))
from labelled_volumes import blobs, labelled

from liscope.errors import ParameterError
from liscope.volume.tortuosity import tortuosity_table


def test_straight_channels_have_one_and_nothing_flows_across() -> None:
    label = np.ones((30, 24, 24), np.uint8)
    label[:, :, np.arange(24) % 6 < 2] = 2  # sheets in z and y
    table = tortuosity_table(labelled(label), subvolumes=1)
    for phase, share in (("matrix", 2 / 3), ("balls", 1 / 3)):
        for dim in "zy":
            row = table.loc[(phase, dim)]
            assert row["tau"] == pytest.approx(1, abs=1e-3)
            assert row["relative_diffusivity"] == pytest.approx(share, abs=1e-3)
        across = table.loc[(phase, "x")]
        assert across["tau"] == np.inf
        assert (across["relative_diffusivity"], across["verdict"]) == (0, "does not percolate")


def test_dead_ends_count_in_the_fraction() -> None:
    """A channel of 1/4 of the area and as much again in pockets: D_eff 1/4, tau 2."""
    label = np.ones((20, 16, 16), np.uint8)
    label[:, :8, :8] = 2
    label[1:-1, 10:14, 10:14] = 2
    pocket = 18 * 16 / label.size
    table = tortuosity_table(labelled(label, steps=(1, 1, 1)), ["balls"], "z", 1)
    assert table.loc[("balls", "z"), "tau"] == pytest.approx((0.25 + pocket) / 0.25, abs=2e-3)


@pytest.mark.parametrize("steps", [(1, 1, 1), (0.5, 1, 2)])
def test_agrees_with_a_direct_solution(steps: tuple[float, ...]) -> None:
    label = blobs((14, 15, 16), 5, smooth=1.5).clip(1, 2)
    flow = _conductance(label == 1, steps)
    row = tortuosity_table(labelled(label, steps=steps), ["matrix"], "z", 1)
    row = row.loc[("matrix", "z")]
    assert row["relative_diffusivity"] == pytest.approx(flow, rel=2e-3)
    assert row["tau"] == pytest.approx((label == 1).mean() / flow, rel=2e-3)


def _conductance(own: np.ndarray, steps: tuple[float, ...]) -> float:
    """Return D_eff / D along the first axis: ends held, neighbours conduct by area and distance."""
    from scipy import ndimage

    part, _ = ndimage.label(own)
    through = np.intersect1d(part[0], part[-1])
    own = np.isin(part, through[through > 0])
    index = np.full(own.shape, -1)
    index[own] = np.arange(own.sum())
    one, other, weight = [], [], []
    for axis in range(3):
        here, there = (index.take(range(k, own.shape[axis] - 1 + k), axis) for k in (0, 1))
        both = (here >= 0) & (there >= 0)
        one.append(here[both])
        other.append(there[both])
        weight.append(np.full(both.sum(), np.prod(steps) / steps[axis] ** 2))
    i, j = np.concatenate(one), np.concatenate(other)
    n = int(own.sum())
    links = sparse.coo_array((np.concatenate(weight), (i, j)), (n, n))
    links = (links + links.T).tocsr()
    laplace = sparse.diags_array(links.sum(axis=1)) - links
    fixed = np.concatenate([index[0][own[0]], index[-1][own[-1]]])
    value = np.zeros(n)
    value[index[0][own[0]]] = 1
    free = np.setdiff1d(np.arange(n), fixed)
    laplace = laplace.tocsr()
    value[free] = spsolve(laplace[free][:, free], -(laplace[free][:, fixed] @ value[fixed]))
    inflow = (laplace @ value)[index[0][own[0]]].sum()
    return inflow * (own.shape[0] - 1) * steps[0] / np.prod(np.multiply(own.shape, steps)[1:])


def _cubes(side: int = 64, seed: int = 3) -> np.ndarray:
    """Return half of a volume of blobs some six voxels wide, and the other half."""
    return blobs((side, side, side), seed, smooth=3).clip(1, 2)


def test_agrees_with_porespy_at_full_resolution() -> None:
    from porespy.simulations import tortuosity_fd

    label = _cubes(32)
    phases = labelled(label, steps=(1, 1, 1), chunks=(5, 32, 32))
    table = tortuosity_table(phases, most_voxels=32**3)
    for axis, dim in enumerate("zyx"):
        row = table.loc[("matrix", dim)]
        known = 1 / tortuosity_fd(label == 1, axis).formation_factor
        assert row["relative_diffusivity"] == pytest.approx(known, rel=2e-3)
        assert (row["subvolumes"], row["correction"], row["coarsening"]) == (0, 1, 1)
        assert row["low"] == row["tau"] == row["high"]


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_blocks_and_their_interval_hold_what_porespy_finds(seed: int) -> None:
    """With 1/20 of the voxels, in blocks about half as wide as the blobs."""
    from porespy.simulations import tortuosity_fd

    label = _cubes(seed=seed)
    table = tortuosity_table(labelled(label, steps=(1, 1, 1)), ["balls"], "z", 8, 13_000)
    row = table.loc[("balls", "z")]
    own = label == 2
    known = own.mean() * tortuosity_fd(own, 0).formation_factor
    assert row["tau"] == pytest.approx(known, rel=0.15)
    assert row["low"] <= known <= row["high"] < 2 * known
    assert row["fraction"] == pytest.approx(own.mean())
    assert row["correction"] != 1
    assert (row["covered"], row["subvolumes"]) == (1, 8)
    assert row["voxel_um"] == pytest.approx(64 / 13_000 ** (1 / 3), rel=0.1)
    assert 0 < row["checked"] < 1


def test_blocks_of_flat_voxels_conduct_as_sheets_do() -> None:
    """Sheets fill no block: each conducts by its share, and subvolumes do not differ."""
    label = np.ones((40, 48, 48), np.uint8)
    label[:, np.arange(48) % 4 < 2, :] = 2
    phases = labelled(label, chunks=(7, 48, 48))
    row = tortuosity_table(phases, ["balls"], "z", 4, 9000).loc[("balls", "z")]
    assert row["percolating"] == row["subvolumes"] == 4
    assert row["tau"] == pytest.approx(1, abs=1e-3)
    assert row["relative_diffusivity"] == pytest.approx(0.5, abs=1e-3)
    assert row["low"] <= row["tau"] <= row["high"] < 1.11


def test_only_a_volume_without_a_path_is_infinite() -> None:
    """A single wire that bends: blocks close it, or none of few subvolumes holds it."""
    label = np.ones((60, 60, 60), np.uint8)
    label[:30, 7, 7] = label[29, 7:50, 7] = label[29, 49, 7:50] = label[29:, 49, 49] = 2
    phases = labelled(label, steps=(1, 1, 1))
    row = tortuosity_table(phases, ["balls"], "z", 4, 5000).loc[("balls", "z")]
    assert np.isnan(row["tau"])
    assert np.isnan(row["relative_diffusivity"])
    assert row["verdict"].startswith("cannot tell: ")
    label[40, 49, 49] = 1
    row = tortuosity_table(phases.copy(data=label), ["balls"], "z", 4, 5000).loc[("balls", "z")]
    assert (row["tau"], row["verdict"]) == (np.inf, "does not percolate")


def test_a_gap_thinner_than_a_block_is_seen() -> None:
    label = np.ones((60, 60, 60), np.uint8)
    label[:, :, 30:] = 2
    label[31] = 1
    table = tortuosity_table(labelled(label, steps=(1, 1, 1)), ["balls"], "zy", 4, 5000)
    assert table.loc[("balls", "z"), "tau"] == np.inf
    assert table.loc[("balls", "y"), "tau"] == pytest.approx(1, abs=1e-2)


def test_chunks_and_threads_make_no_difference() -> None:
    phases = labelled(_cubes(40), steps=(1, 1, 1))
    whole = tortuosity_table(phases, most_voxels=5000)
    with dask.config.set(scheduler="threads", num_workers=4):
        cut = tortuosity_table(phases.chunk(z=7, y=20, x=11), most_voxels=5000)
    pd.testing.assert_frame_equal(cut, whole)


def test_slabs_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    phases = labelled(_cubes(40), steps=(1, 1, 1))
    whole = tortuosity_table(phases, most_voxels=5000)
    for module in ("tortuosity", "_voxels"):
        monkeypatch.setattr(f"liscope.volume.{module}.SLAB", 9 * 40**2)
    pd.testing.assert_frame_equal(tortuosity_table(phases, most_voxels=5000), whole)


def test_what_was_not_measured_is_told() -> None:
    label = np.full((16, 32, 32), 2, np.uint8)
    label[:, 16:, 16:] = 0
    row = tortuosity_table(labelled(label, steps=(1, 1, 1)), ["balls"], "z", 4, 5000)
    row = row.loc[("balls", "z")]
    assert (row["subvolumes"], row["fraction"], row["covered"]) == (3, 1, 0.75)
    assert row["tau"] == pytest.approx(1, abs=1e-3)
    label[0] = 0
    row = tortuosity_table(labelled(label), ["balls"], "z").loc[("balls", "z")]
    assert np.isnan(row["tau"])
    assert "not measured" in row["verdict"]
    label[:] = 0
    empty = tortuosity_table(labelled(label), ["balls"], "z").loc[("balls", "z")]
    assert np.isnan(empty["tau"])
    assert empty["verdict"] == "cannot tell: there is nothing of it"


def test_bad_parameters_are_refused() -> None:
    label = labelled(np.ones((5, 6, 7), np.uint8))
    with pytest.raises(ParameterError, match="no phase"):
        tortuosity_table(label, ["LCO"])
    with pytest.raises(ParameterError, match="axes of zyx"):
        tortuosity_table(label, along="w")
