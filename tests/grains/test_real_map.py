"""A real map of a duplex steel, 100 x 117 points 1.5 um apart, read by orix.

Austenite has grown with annealing twins (Sigma 3), as face-centred cubic metals of low stacking
fault energy do; ferrite has not.
"""

import networkx as nx
import numpy as np
import pytest
import xarray as xr
from grain_maps import dataset, rand_index
from orix import io
from orix.quaternion import Orientation, symmetry

from liscope import data
from liscope.errors import ReaderError
from liscope.grains import (
    boundary_pairs,
    boundary_segments,
    boundary_shares,
    grain_table,
    segment,
)
from liscope.grains.table import quaternions

SHAPE = (100, 117)


@pytest.fixture(scope="module")
def steel() -> xr.Dataset:
    try:
        path = data.fetch("sdss_ferrite_austenite.ang", download=False)
    except ReaderError as error:
        pytest.skip(str(error))
    measured = io.load(path)
    return dataset(
        measured.rotations.data.reshape(*SHAPE, 4),
        measured.phase_id.reshape(SHAPE) - 1,
        step=1500,
        names=("austenite", "ferrite"),
    )


@pytest.fixture(scope="module")
def orix_angles(steel: xr.Dataset) -> dict[str, np.ndarray]:
    """Disorientation with the neighbour on the right, and below, by orix."""
    every = Orientation(steel["orientation"].to_numpy(), symmetry=symmetry.Oh)
    return {
        "x": every[:, :-1].angle_with(every[:, 1:], degrees=True),
        "y": every[:-1].angle_with(every[1:], degrees=True),
    }


def test_grains_are_those_of_a_graph_of_orix_angles(
    steel: xr.Dataset, orix_angles: dict[str, np.ndarray]
) -> None:
    phase = steel["phase"].to_numpy()
    graph = nx.Graph()
    number = np.arange(phase.size).reshape(SHAPE)
    graph.add_nodes_from(number.ravel().tolist())
    for axis, one, two in (("x", np.s_[:, :-1], np.s_[:, 1:]), ("y", np.s_[:-1], np.s_[1:])):
        alike = (orix_angles[axis] < 5) & (phase[one] == phase[two])
        graph.add_edges_from(zip(number[one][alike], number[two][alike], strict=True))
    expected = np.zeros(phase.size, np.int64)
    for index, members in enumerate(nx.connected_components(graph)):
        expected[list(members)] = index
    found = segment(steel, small="stay").to_numpy()
    assert found.max() == nx.number_connected_components(graph)
    assert rand_index(found, expected.reshape(SHAPE)) == pytest.approx(1)


def test_boundaries_have_the_angles_of_orix(
    steel: xr.Dataset, orix_angles: dict[str, np.ndarray]
) -> None:
    segments = boundary_segments(steel, segment(steel))
    for axis in ("x", "y"):
        own = segments[(segments["normal"] == axis) & (segments["kind"] == "grain")]
        at = [np.floor(own[f"{name}_nm"] / 1500 - 0.01).astype(int) for name in ("y", "x")]
        np.testing.assert_allclose(own["angle_deg"], orix_angles[axis][tuple(at)], atol=1e-5)
        assert len(own) > 300


def test_twins_are_in_austenite(steel: xr.Dataset) -> None:
    label = segment(steel)
    table = grain_table(steel, label)
    area = table.groupby("phase")["area_nm2"].sum()
    assert area["austenite"] / area.sum() == pytest.approx(0.484, abs=0.01)
    pairs = boundary_pairs(boundary_segments(steel, label), table, steel)
    austenite, ferrite = (
        boundary_shares(pairs, phase).loc["Sigma 3"] for phase in ("austenite", "ferrite")
    )
    # Of random boundaries 1.8 % are within 8.7 degrees of Sigma 3 (H. Grimmer, 1979: 1.76 %).
    assert austenite["low"] > 0.1
    assert ferrite["high"] < austenite["low"]


def test_mean_orientations_lie_within_their_grains(steel: xr.Dataset) -> None:
    label = segment(steel)
    table = grain_table(steel, label)
    mean = Orientation(quaternions(table), symmetry=symmetry.Oh)
    every = Orientation(steel["orientation"].to_numpy(), symmetry=symmetry.Oh)
    for grain in table.nlargest(10, "pixels").index:
        angles = every[label.to_numpy() == grain].angle_with(mean[grain - 1], degrees=True)
        # Absorbed pixels, up to one in fifty, are in the map but not in the spread.
        trimmed = np.sort(angles)[: int(np.ceil(0.98 * angles.size))].mean()
        assert trimmed - 1e-6 <= table.loc[grain, "gos_deg"] <= angles.mean() + 1e-6
        # No pixel's own orientation lies nearer to all the others than their mean does.
        own = every[label.to_numpy() == grain]
        one_by_one = own.angle_with_outer(own[:: max(own.size // 50, 1)], degrees=True)
        assert table.loc[grain, "gos_deg"] < one_by_one.mean(axis=0).min() + 0.1
