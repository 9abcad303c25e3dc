"""Correlations with intervals and nulls: against numpy, and how often chance is taken for more."""

import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import stats

sys.path.append(str(Path(__file__).parent))
from counted_volumes import smooth, volume

from liscope.errors import DataError
from liscope.volume.null import correlation_table

PAIR = [("a", "b")]
SHAPE = (3, 60, 64)


def counted(rng: np.random.Generator, shared: float, level: float = 8.0) -> xr.DataArray:
    """Return Poisson counts of two smooth fields, whose logarithms' correlation is ``shared``."""
    own, other = smooth(rng, SHAPE), smooth(rng, SHAPE)
    fields = [own, shared * own + np.sqrt(1 - shared**2) * other]
    return volume(rng.poisson(level * np.exp(0.4 * np.stack(fields))))


def test_the_null_is_that_of_all_shifts_far_away() -> None:
    rng = np.random.default_rng(0)
    values = np.stack([smooth(rng, (2, 30, 36)) for _ in range(2)])
    row = correlation_table(volume(values), PAIR).loc["a-b"]
    far, every = [], []
    pixels = row["length_um"] / 0.08
    for y, x in np.ndindex(30, 36):
        moved = np.roll(values[1], (y, x), (1, 2))
        r = np.corrcoef(values[0].ravel(), moved.ravel())[0, 1]
        every.append(abs(r))
        if np.hypot(min(y, 30 - y), min(x, 36 - x)) > 2 * pixels:
            far.append(r)
    assert row["value"] == pytest.approx(np.corrcoef(*values.reshape(2, -1))[0, 1], abs=1e-5)
    assert row["null_sd"] == pytest.approx(np.std(far), rel=1e-3)
    assert row["n_effective"] == pytest.approx(1 + 1 / np.var(far), rel=2e-3)
    assert row["p"] == pytest.approx(np.mean(np.array(every) >= abs(row["value"])), abs=3e-3)


def test_correlation_length_is_that_of_the_smoothing_whatever_the_noise() -> None:
    """A Gaussian of width s leaves exp(-h2 / 4 s2), which falls to 1/e at 2 s."""
    rng = np.random.default_rng(1)
    for level in (2, 1000):
        field = np.exp(0.3 * np.stack([smooth(rng, (4, 200, 200), 4.0) for _ in range(2)]))
        row = correlation_table(volume(rng.poisson(level * field)), PAIR).loc["a-b"]
        assert row["length_um"] == pytest.approx(2 * 4 * 0.08, rel=0.25)


def test_chance_is_called_so_as_often_as_p_says() -> None:
    rng = np.random.default_rng(2)
    rows = [correlation_table(counted(rng, 0), PAIR).loc["a-b"] for _ in range(100)]
    p = np.array([row["p"] for row in rows])
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert np.mean(p <= 0.05) <= 0.11
    over = np.std([row["value"] / row["null_sd"] for row in rows])
    assert over == pytest.approx(1, abs=0.2)
    # Independent voxels would make every second one significant.
    alone = np.array([row["value"] * np.sqrt(row["n"]) for row in rows])
    assert np.mean(np.abs(alone) > 1.96) > 0.4


def test_intervals_hold_the_truth() -> None:
    """Of lognormal rates r = (exp(s2 rho) - 1) / (exp(s2) - 1), and Poisson noise lowers it."""
    rng = np.random.default_rng(3)
    level, s2, rho = 8.0, 0.16, 0.6
    variance = level**2 * np.exp(s2) * (np.exp(s2) - 1)
    mean = level * np.exp(s2 / 2)
    free = (np.exp(s2 * rho) - 1) / (np.exp(s2) - 1)
    true = free * variance / (variance + mean)
    noise = xr.DataArray([1.0, 1.0], {"channel": ["a", "b"]}, ("channel",))
    rows = [correlation_table(counted(rng, rho), PAIR, noise).loc["a-b"] for _ in range(60)]
    held = np.mean([row["low"] <= true <= row["high"] for row in rows])
    assert 0.85 <= held <= 1
    # And are not so wide that they must: two standard deviations to either side, give or take.
    scatter = np.std([row["value"] for row in rows])
    width = np.median([row["high"] - row["low"] for row in rows])
    assert 2.5 * scatter < width < 7 * scatter
    assert np.mean([row["without_noise"] for row in rows]) == pytest.approx(free, abs=0.06)
    limits = [(row["without_noise_low"], row["without_noise_high"]) for row in rows]
    assert 0.85 <= np.mean([low <= free <= high for low, high in limits]) <= 1
    assert max(row["p"] for row in rows) < 0.2


def test_where_only_part_of_the_field_has_values() -> None:
    rng = np.random.default_rng(4)
    made = counted(rng, 0.7)
    part = made.copy()
    part[0, :, :, :20] = np.nan
    part[1, :, 50:] = np.nan
    whole = made[:, :, :50, 20:]
    np.testing.assert_allclose(
        correlation_table(part, PAIR).to_numpy(float),
        correlation_table(whole, PAIR).to_numpy(float),
        rtol=1e-4,
    )
    holes = whole.copy()
    holes[0, 1, 10:20, 10:20] = np.nan
    found, full = (correlation_table(one, PAIR).loc["a-b"] for one in (holes, whole))
    a, b = holes.to_numpy()[:, np.isfinite(holes.to_numpy()).all(0)].astype(float)
    assert found["value"] == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-5)
    assert found["null_sd"] == pytest.approx(full["null_sd"], rel=0.2)
    assert found["n"] == len(a)


def test_chunks_and_schedulers_make_no_difference() -> None:
    import dask

    made = counted(np.random.default_rng(5), 0.3)
    made[0, 1, 5, 5] = np.nan
    expected = correlation_table(made, PAIR).to_numpy(float)
    for chunks in ({"z": 1}, {"channel": 1, "z": 2, "y": 25}):
        for scheduler in ("threads", "synchronous"):
            with dask.config.set(scheduler=scheduler):
                found = correlation_table(made.chunk(chunks), PAIR)
            np.testing.assert_allclose(found.to_numpy(float), expected, rtol=1e-3)


def test_too_few_blocks_leave_the_effective_number() -> None:
    rng = np.random.default_rng(6)
    fields = np.stack([smooth(rng, (2, 30, 30), 5.0) for _ in range(2)])
    row = correlation_table(volume(fields), PAIR).loc["a-b"]
    assert row["blocks"] < 5
    reach = 1.96 / np.sqrt(row["n_effective"] - 3)
    assert row["high"] == pytest.approx(np.tanh(np.arctanh(row["value"]) + reach), abs=1e-3)


def test_nothing_in_common_is_said() -> None:
    made = volume(np.ones((2, 2, 20, 20)))
    with pytest.raises(DataError, match="do not vary"):
        correlation_table(made, PAIR)


def test_noise_that_interpolation_left_is_taken_out_of_interpolated_counts() -> None:
    """Means of two pixels hold half of the noise; taken as recorded counts, too much is taken."""
    rng = np.random.default_rng(7)
    fields = np.stack([smooth(rng, (3, 200, 201), 6.0)] * 2)
    rates = 4 * np.exp(0.4 * fields)
    counts = rng.poisson(rates).astype(float)
    made, free = (volume(0.5 * (one[..., 1:] + one[..., :-1])) for one in (counts, rates))
    pixels = free.to_numpy().reshape(2, -1)
    assert np.corrcoef(pixels)[0, 1] == pytest.approx(1)
    row = correlation_table(made, PAIR, left(0.5)).loc["a-b"]
    assert row["without_noise"] == pytest.approx(1, abs=0.02)
    assert row["without_noise_low"] < row["without_noise"] < row["without_noise_high"]
    ratio = row["without_noise"] / row["value"]
    assert row["without_noise_low"] == pytest.approx(row["low"] * ratio)
    assert correlation_table(made, PAIR, left(1.0)).loc["a-b", "without_noise"] > 1.1
    assert np.isnan(correlation_table(made, PAIR, left(9.0)).loc["a-b", "without_noise"])
    # One share for each plane, and a channel that has no noise.
    planes = left(0.5).expand_dims(z=3).transpose("channel", "z")
    same = correlation_table(made, PAIR, planes).loc["a-b", "without_noise"]
    assert same == pytest.approx(row["without_noise"])
    half = made.copy()
    half[1] = free[1]
    one = correlation_table(half, PAIR, left(0.5)[:1]).loc["a-b", "without_noise"]
    assert one == pytest.approx(1, abs=0.02)


def left(share: float) -> xr.DataArray:
    return xr.DataArray([share, share], {"channel": ["a", "b"]}, ("channel",))


def test_columns_that_nothing_was_told_for_are_not_there() -> None:
    table = correlation_table(counted(np.random.default_rng(8), 0.5), PAIR)
    assert not [name for name in table if "without" in name or "error" in name]
    assert table.notnull().all(axis=None)


def test_p_says_where_it_ends() -> None:
    """As many shifts as have nothing in common cannot tell a smaller one."""
    rng = np.random.default_rng(9)
    sure, unsure = (correlation_table(counted(rng, r), PAIR).loc["a-b"] for r in (1.0, 0.0))
    independent = 60 * 64 / (sure["length_um"] / 0.08) ** 2
    assert sure["p_is_floor"] and sure["p"] == pytest.approx(1 / (independent + 1))
    assert not unsure["p_is_floor"] and unsure["p"] > sure["p"]


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("error", [40.0, 160.0, 320.0])
def test_what_a_misplacement_costs(error: float, holes: bool) -> None:
    """Of one Gaussian-smoothed field, moved by d, r = exp(-d2 / 4 s2); here s = 4 pixels."""
    rng = np.random.default_rng(10)
    field = smooth(rng, (6, 240, 250), 4.0)
    made = volume(np.stack([field, field]))
    if holes:
        made[0, :, :30, 40:80] = np.nan
    row = correlation_table(made, PAIR, None, error).loc["a-b"]
    expected = np.exp(-((error / 80 / 4) ** 2) / 4) - 1
    assert row["error_nm"] == error
    assert row["change_by_error"] == pytest.approx(expected, rel=0.1)
