"""Which grains hang together with the collector, on maps drawn by hand."""

import numpy as np
import pytest
import xarray as xr
from grain_maps import dataset, turned

from liscope.errors import DataError, ParameterError
from liscope.grains import Connectivity, connectivity, grain_table, segment

FILM, PT, VOID, UNKNOWN = 0, 1, -1, -3


def connected(
    phase: np.ndarray, collector: str = "Pt", grain: np.ndarray | None = None
) -> Connectivity:
    angles = np.zeros(phase.shape) if grain is None else 20.0 * grain
    seen: xr.Dataset = dataset(turned((0, 0, 1), angles.ravel()).reshape(*phase.shape, 4), phase)
    label = segment(seen, smallest=1)
    return connectivity(seen, label, grain_table(seen, label), "LMNO", collector)


def film(rows: int = 6, width: int = 10) -> np.ndarray:
    """Film on Pt."""
    phase = np.full((rows, width), FILM)
    phase[-1] = PT
    return phase


def test_a_chain_of_grains_connects() -> None:
    grain = np.arange(6)[:, None] * np.ones((1, 10)) % 3  # one grain a row
    found = connected(film(), grain=grain)
    assert (found.share.value, found.grains) == (0, 0)
    assert "upper bound" in found.hides


def test_what_a_crack_separates_is_unconnected() -> None:
    phase = film()
    phase[2] = VOID
    found = connected(phase)
    assert found.share.value == found.bridged.value == pytest.approx(20 / 40)
    np.testing.assert_array_equal(found.image[:, 0], [2, 2, 0, 1, 1, 0])
    assert found.grains == 1
    phase[2, 0] = FILM  # one contact is enough
    assert connected(phase).share.value == 0


def test_corners_are_no_contact() -> None:
    phase = film()
    phase[2] = VOID
    phase[2, 0], phase[1, 0], phase[1, 1] = FILM, VOID, FILM
    assert connected(phase).share.value == pytest.approx(19 / 40)


def test_a_corner_of_the_collector_is_no_contact() -> None:
    phase = film()
    phase[-2], phase[-1, 5:] = VOID, VOID
    phase[-2, 5:] = FILM
    assert connected(phase).share.value == 1


def test_what_is_not_known_may_connect() -> None:
    phase = film()
    phase[2] = VOID
    phase[2, 4] = UNKNOWN
    found = connected(phase)
    assert found.share.value == pytest.approx(20 / 40)
    assert found.bridged.value == 0


def test_an_edge_may_stand_for_the_collector() -> None:
    phase = film()[:-1]
    phase[2] = VOID
    assert connected(phase, "bottom").share.value == pytest.approx(20 / 40)
    assert connected(phase, "top").share.value == pytest.approx(20 / 40)
    assert connected(phase, "left").share.value == 0


def test_the_interval_holds_the_true_share() -> None:
    """Separate columns of film, each cut off by a crack with a chance of 0.3."""
    held, widths = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        phase = np.full((40, 400), FILM)
        phase[:, ::5], phase[-1] = VOID, PT
        for left in range(1, 400, 5):
            if rng.random() < 0.3:
                phase[-2, left : left + 4] = VOID
        found = connected(phase).share
        # Cut-off columns lack a pixel of 39, which is nothing beside the interval.
        held.append(found.low <= 0.3 <= found.high)
        widths.append(found.high - found.low)
    assert np.mean(held) >= 0.85
    assert np.median(widths) < 0.4  # of 80 independent columns the ideal width is 0.2


def test_none_unconnected_still_has_an_upper_end() -> None:
    grain = np.arange(10) * np.ones((6, 1)) % 5
    share = connected(film(), grain=grain).share
    assert share.low == 0
    # Ten grains of film and ten of Pt: of n, none with a chance of 2.5 % is 1 - 0.025^(1/n).
    assert share.high == pytest.approx(1 - 0.025 ** (1 / 20), abs=0.01)


def test_no_collector_or_film_is_an_error() -> None:
    with pytest.raises(DataError, match="nothing of the collector 'Pt'; name an edge"):
        connected(film()[:-1])
    with pytest.raises(DataError, match="no grain of 'LMNO'"):
        connected(np.full((4, 4), PT))
    with pytest.raises(ParameterError, match="no phase 'Au'"):
        connected(film(), "Au")
