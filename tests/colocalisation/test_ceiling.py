"""How far an imperfect measurement can correlate: against signals and noise that are known."""

import numpy as np
import pytest
import xarray as xr
from counted_maps import counts_of, seen_of, smooth

from liscope.colocalisation import ceiling_table

SIDE = 200
MEAN, SIGNAL, NOISE = 6.0, 1.5, 0.6  # counts; standard deviations of counts, and of ln current


@pytest.fixture(scope="module")
def measured() -> tuple[xr.DataArray, xr.Dataset, xr.Dataset]:
    """Counts and two currents of one map, of which each is a straight line in that map."""
    rng = np.random.default_rng(0)
    common = smooth(rng, SIDE)
    counts = counts_of(rng.poisson(np.maximum(MEAN + SIGNAL * common, 0)))
    logs = (common + NOISE * rng.standard_normal(common.shape) for _ in range(2))
    return counts, *(seen_of(np.exp(log)) for log in logs)


def test_reliabilities_and_ceiling_are_those_of_signal_and_noise(measured: tuple) -> None:
    """Of 40,000 pixels, correlations are known to about 0.01."""
    counts, once, again = measured
    pearson = np.corrcoef(np.log(once["typical"]).values.ravel(), counts.values.ravel())[0, 1]
    table = ceiling_table(counts, once, again, pearson)["value"]
    # Counts vary by the signal and, by Poisson's law, by as much as their mean.
    of_counts, of_current = SIGNAL**2 / (SIGNAL**2 + MEAN), 1 / (1 + NOISE**2)
    assert table["reliability of the counts"] == pytest.approx(of_counts, abs=0.02)
    assert table["reliability of the current"] == pytest.approx(of_current, abs=0.01)
    assert table["ceiling"] == pytest.approx(np.sqrt(of_counts * of_current), abs=0.02)
    # Behind the noise the two are one, so that the correlation reaches its ceiling.
    assert table["Pearson's r"] == pearson
    assert table["r / ceiling"] == pytest.approx(1, abs=0.04)


def test_without_a_second_map_the_ceiling_is_that_of_the_counts(measured: tuple) -> None:
    counts, once, _ = measured
    table = ceiling_table(counts, once, None, 0.3)["value"]
    assert np.isnan(table["reliability of the current"])
    expected = np.sqrt(SIGNAL**2 / (SIGNAL**2 + MEAN))
    assert table["ceiling"] == pytest.approx(expected, abs=0.02)
    assert table["r / ceiling"] == pytest.approx(0.3 / table["ceiling"])


def test_pixels_that_one_map_lacks_take_no_part(measured: tuple) -> None:
    counts, once, again = measured
    part = again.copy(deep=True)
    part["typical"][:150] = np.nan
    spoilt = once.copy(deep=True)
    spoilt["typical"][:150] = 1e6
    table = ceiling_table(counts, spoilt, part, 0.3)["value"]
    assert table["reliability of the current"] == pytest.approx(1 / (1 + NOISE**2), abs=0.02)


def test_noise_alone_leaves_no_ceiling() -> None:
    """What varies by Poisson's law only repeats itself by chance only, now and then below zero."""
    rng = np.random.default_rng(1)
    tables = [
        ceiling_table(counts_of(rng.poisson(3, (60, 60))), seen_of(np.ones((60, 60))), None, 0.1)
        for _ in range(6)
    ]
    ceilings = [table.loc["ceiling", "value"] for table in tables]
    assert max(ceilings) < 0.35 and min(ceilings) == 0
    none = tables[int(np.argmin(ceilings))]["value"]
    assert np.isnan(none["r / ceiling"]) and none["reliability of the counts"] < 0
