"""The terms of Eq. 3: what is the same, what is not, and what they tell about a phase."""

import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import stats

sys.path.append(str(Path(__file__).parent))
from counted_volumes import smooth, volume

from liscope.errors import DataError
from liscope.volume.covariance import (
    covariance_table,
    covariance_terms,
    grey_levels,
    separation_table,
)


@pytest.fixture(scope="module")
def counts() -> tuple[xr.DataArray, xr.DataArray]:
    """Carbon (neither), LLZTO (both, little lithium) and LCO (lithium): counts and labels."""
    rng = np.random.default_rng(0)
    field = smooth(rng, (4, 80, 90))
    label = 1 + np.digitize(field, [-0.4, 0.4])
    rate = np.array([[0, 2.0, 60, 150], [0, 3.0, 70, 2]])[:, label]
    made = volume(rng.poisson(rate))
    return made, made.isel(channel=0, drop=True).copy(data=label.astype(np.uint8))


def test_terms_and_their_sums_are_numpys(counts: tuple[xr.DataArray, xr.DataArray]) -> None:
    a, b = counts[0].to_numpy().astype(float)
    whole = covariance_terms(counts[0], ("a", "b"))
    lazy = covariance_terms(counts[0].chunk({"z": 1}), ("a", "b"))
    assert lazy.chunks is not None
    expected = {
        "as printed": (a - a.mean()) * (b - a.mean()),
        "as meant": (a - a.mean()) * (b - b.mean()),
        "product": a * b,
    }
    for name, values in expected.items():
        np.testing.assert_allclose(whole.sel(term=name), values, rtol=1e-5, atol=1e-2)
        np.testing.assert_allclose(lazy.sel(term=name), whole.sel(term=name), rtol=1e-5, atol=1e-3)
    for terms in (whole, lazy):
        table = covariance_table(terms)
        covariance = np.cov(a.ravel(), b.ravel())[0, 1]
        for name in ("as meant", "as printed"):
            assert table.loc[name, "mean_term"] == pytest.approx(covariance, rel=1e-4)
        assert table.loc["product", "mean_term"] == pytest.approx(np.mean(a * b), rel=1e-5)
        assert table["mean_is"].to_dict() == {
            "as printed": "covariance",
            "as meant": "covariance",
            "product": "mean product",
        }
        printed, meant = expected["as printed"], expected["as meant"]
        alike = np.corrcoef(printed.ravel(), meant.ravel())[0, 1]
        assert table.loc["as printed", "agree"] == pytest.approx(alike, abs=1e-4)
        changed = 100 * np.mean(printed * meant < 0)
        assert table.loc["as printed", "sign_changes_percent"] == pytest.approx(changed, abs=1e-3)
        assert table.loc["product", "positive_percent"] == pytest.approx(100 * np.mean(a * b > 0))


def test_levels_reach_from_0_to_255(counts: tuple[xr.DataArray, xr.DataArray]) -> None:
    found = grey_levels(covariance_terms(counts[0], ("a", "b")))
    np.testing.assert_array_equal(found.min(("z", "y", "x")), 0)
    np.testing.assert_array_equal(found.max(("z", "y", "x")), 255)


def test_only_the_product_tells_the_phase(counts: tuple[xr.DataArray, xr.DataArray]) -> None:
    terms = covariance_terms(counts[0], ("a", "b"))
    found = separation_table(terms, counts[1], 2)
    inside = counts[1].to_numpy() == 2
    for name, row in found.iterrows():
        values = terms.sel(term=name).to_numpy()
        exact = stats.mannwhitneyu(values[inside], values[~inside]).statistic
        assert row["area"] == pytest.approx(exact / inside.sum() / (~inside).sum(), abs=2e-3)
        assert row["low"] <= row["area"] <= row["high"]
        grey = grey_levels(terms).sel(term=name).to_numpy()
        assert row["grey_phase"] == pytest.approx(grey[inside].mean(), rel=1e-4)
    assert found.loc["product", "area"] > 0.99
    assert found.loc["as meant", "area"] < 0.9


def test_a_map_of_chance_has_an_interval_that_holds_one_half() -> None:
    rng = np.random.default_rng(1)
    held = []
    for _ in range(10):
        made = volume(np.stack([smooth(rng, (3, 60, 60)) for _ in range(2)]))
        label = made[0].drop_vars("channel").copy(data=1 + (smooth(rng, (3, 60, 60)) > 0))
        row = separation_table(covariance_terms(made, ("a", "b")), label, 2).loc["product"]
        held.append(row["low"] <= 0.5 <= row["high"])
    assert sum(held) >= 8


def test_labels_must_tell_something_apart(counts: tuple[xr.DataArray, xr.DataArray]) -> None:
    with pytest.raises(DataError, match="label 9"):
        separation_table(covariance_terms(counts[0], ("a", "b")), counts[1], 9)
