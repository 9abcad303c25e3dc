"""Tortuosity: channels that are known exactly, and another solver's answer."""

import sys
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.sparse.linalg import spsolve

sys.path.append(str(Path(__file__).parent))
from labelled_volumes import STEPS, blobs, labelled

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
        assert (across["relative_diffusivity"], across["percolating"]) == (0, 0)


def test_dead_ends_count_in_the_fraction() -> None:
    """A channel of 1/4 of the area and as much again in pockets: D_eff 1/4, tau 2."""
    label = np.ones((20, 16, 16), np.uint8)
    label[:, :8, :8] = 2
    label[1:-1, 10:14, 10:14] = 2
    pocket = 18 * 16 / label.size
    table = tortuosity_table(labelled(label, steps=(1, 1, 1)), ["balls"], "z", 1)
    assert table.loc[("balls", "z"), "tau"] == pytest.approx((0.25 + pocket) / 0.25, abs=2e-3)


def test_agrees_with_a_direct_solution() -> None:
    label = blobs((14, 15, 16), 5, smooth=1.5).clip(1, 2)
    flow = _conductance(label == 1)
    row = tortuosity_table(labelled(label, steps=(1, 1, 1)), ["matrix"], "z", 1)
    row = row.loc[("matrix", "z")]
    assert row["relative_diffusivity"] == pytest.approx(flow, rel=2e-3)
    assert row["tau"] == pytest.approx((label == 1).mean() / flow, rel=2e-3)


def test_threads_do_not_meet_in_the_solver() -> None:
    """OpenPNM has one workspace a process; threads that switch often meet in it."""
    label = blobs((28, 28, 28), 5, smooth=1.5).clip(1, 2)
    phases = labelled(label, steps=(1, 1, 1))
    with dask.config.set(scheduler="synchronous"):
        alone = tortuosity_table(phases, subvolumes=8)
    before = sys.getswitchinterval()
    try:
        sys.setswitchinterval(1e-6)
        for _ in range(3):
            with dask.config.set(scheduler="threads", num_workers=4):
                together = tortuosity_table(phases, subvolumes=8)
            pd.testing.assert_frame_equal(together, alone)
    finally:
        sys.setswitchinterval(before)


def _conductance(own: np.ndarray) -> float:
    """Return D_eff / D along the first axis: ends held, unit conductance between neighbours."""
    from scipy import ndimage

    part, _ = ndimage.label(own)
    through = np.intersect1d(part[0], part[-1])
    own = np.isin(part, through[through > 0])
    index = np.full(own.shape, -1)
    index[own] = np.arange(own.sum())
    one, other = [], []
    for axis in range(3):
        here, there = (index.take(range(k, own.shape[axis] - 1 + k), axis) for k in (0, 1))
        both = (here >= 0) & (there >= 0)
        one.append(here[both])
        other.append(there[both])
    i, j = np.concatenate(one), np.concatenate(other)
    n = int(own.sum())
    links = sparse.coo_array((np.ones(i.size), (i, j)), (n, n))
    links = (links + links.T).tocsr()
    laplace = sparse.diags_array(links.sum(axis=1)) - links
    fixed = np.concatenate([index[0][own[0]], index[-1][own[-1]]])
    value = np.zeros(n)
    value[index[0][own[0]]] = 1
    free = np.setdiff1d(np.arange(n), fixed)
    laplace = laplace.tocsr()
    value[free] = spsolve(laplace[free][:, free], -(laplace[free][:, fixed] @ value[fixed]))
    inflow = (laplace @ value)[index[0][own[0]]].sum()
    return inflow * (own.shape[0] - 1) / np.prod(own.shape[1:])


def test_flat_voxels_become_cubes_and_subvolumes_give_an_interval() -> None:
    """Sheets across anisotropic voxels; four subvolumes of the same sheets do not differ."""
    label = np.ones((40, 48, 48), np.uint8)
    label[:, np.arange(48) % 4 < 2, :] = 2
    label = labelled(label, chunks=(7, 48, 48))
    row = tortuosity_table(label, ["balls"], "z", 4, 20_000).loc[("balls", "z")]
    assert row["subvolumes"] == row["percolating"] == 4
    assert row["tau"] == pytest.approx(1, abs=1e-3)
    assert row["low"] <= row["tau"] <= row["high"] < 1.01
    assert row["voxel_um"] == STEPS[1]
    assert row["length_um"] == pytest.approx(40 * STEPS[0])


def test_what_was_not_measured_is_left_out() -> None:
    label = np.full((16, 32, 32), 2, np.uint8)
    label[:, 16:, 16:] = 0
    row = tortuosity_table(labelled(label, steps=(1, 1, 1)), ["balls"], "z", 4, 5000)
    row = row.loc[("balls", "z")]
    assert (row["subvolumes"], row["fraction"]) == (3, 1)
    label[:] = 0
    empty = tortuosity_table(labelled(label), ["balls"], "z", 1).loc[("balls", "z")]
    assert np.isnan(empty["tau"])
    assert empty["subvolumes"] == 0


def test_bad_parameters_are_refused() -> None:
    label = labelled(np.ones((5, 6, 7), np.uint8))
    with pytest.raises(ParameterError, match="no phase"):
        tortuosity_table(label, ["LCO"])
    with pytest.raises(ParameterError, match="axes of zyx"):
        tortuosity_table(label, along="w")
