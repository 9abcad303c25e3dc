"""Simulated films: a C-AFM map on a SIMS map, against where it truly lies."""

import numpy as np
import pytest
import registration as benchmark
import xarray as xr

from liscope.registration import Field, landmark_table, register
from liscope.specimens import conductive_lithium as films

NEAR = 20.0  # nm


@pytest.fixture(scope="module")
def usual() -> xr.DataTree:
    return films.simulate(1)


def maps(tree: xr.DataTree, channels: str) -> tuple[xr.DataArray, xr.DataArray]:
    return benchmark.CHANNELS[channels](tree["cafm"].to_dataset(), tree["sims"].to_dataset())


@pytest.mark.parametrize(
    ("seed", "counts", "rotation"), [(3, 0.5, 8.0), (4, 5.0, -13.0), (5, 30.0, 21.0)]
)
def test_few_and_many_counts_place_the_current_on_the_lithium(
    seed: int, counts: float, rotation: float
) -> None:
    tool = films.with_defects(counts=counts, rotation=rotation, creep=(0.0, 0.0))
    tree = films.simulate(seed, tool)
    found = register(*maps(tree, "current on lithium"))
    assert found.found, found.reason
    assert benchmark.true_error(tree, found.placement) < NEAR
    # The scanner is turned against the film, so that the film is turned back in its frame.
    assert found.placement.rotation == pytest.approx(-rotation, abs=1)


@pytest.mark.parametrize("channels", list(benchmark.CHANNELS))
def test_drift_of_the_scanner_is_taken_out(channels: str, usual: xr.DataTree) -> None:
    fixed, moving = maps(usual, channels)
    left, taken = (register(fixed, moving, rotation=12, drift_orders=n) for n in (0, 2))
    without, with_it = (benchmark.true_error(usual, one.trusted()) for one in (left, taken))
    assert with_it < 0.6 * without and with_it < NEAR / 2


def test_held_out_marks_lie_where_they_were_put(usual: xr.DataTree) -> None:
    fixed, moving = maps(usual, "topography on others")
    placement = register(fixed, moving, rotation=12, drift_orders=2).trusted()
    truth, rng = usual["truth"], np.random.default_rng(0)
    here = Field.of(fixed).points()
    marks = []
    for y, x in rng.integers(90, 160, (8, 2)):
        there = float(truth.cafm_x[y, x]), float(truth.cafm_y[y, x])
        marks.append((*here[y, x][::-1], *there))
    assert landmark_table(marks, placement)["error_nm"].max() < NEAR


def test_another_film_has_no_place(usual: xr.DataTree) -> None:
    other = films.simulate(9)
    mixed = xr.DataTree.from_dict(
        {"cafm": other["cafm"].to_dataset(), "sims": usual["sims"].to_dataset()}
    )
    for channels in benchmark.CHANNELS:
        found = register(*maps(mixed, channels), rotation=15)
        assert not found.found and "by chance" in found.reason
