"""Exact correlations of a phantom, against counts drawn at random."""

from __future__ import annotations

import numpy as np
import pytest

from liscope.errors import ParameterError
from liscope.volume.scale_phantom import PHANTOM, phantom_correlations

OTHER = {"one": (0.5, 3.0, 40.0), "two": (0.2, 9.0, 10.0), "three": (0.3, 0.4, 0.7)}


@pytest.mark.parametrize("phases", [PHANTOM, OTHER], ids=["phantom", "other"])
def test_each_scales_correlation_is_that_of_counts_drawn_at_random(
    phases: dict[str, tuple[float, float, float]],
) -> None:
    rng = np.random.default_rng(0)
    count = 1_000_000
    share, *both = np.array(list(phases.values())).T
    phase = rng.choice(len(share), count, p=share)
    a, b = (rng.poisson(np.asarray(rate)[phase]).astype(float) for rate in both)
    grey = [np.round(255 * c / c.max()) for c in (a, b)]
    logs = [np.round(255 * np.log10(np.maximum(c, 1)) / np.log10(c.max())) for c in (a, b)]
    seen = (a > 0) & (b > 0)
    drawn = {
        "rates": np.corrcoef(*(np.asarray(rate)[phase] for rate in both))[0, 1],
        "counts": np.corrcoef(a, b)[0, 1],
        "counts, noise taken out": np.cov(a, b)[0, 1]
        / np.sqrt((a.var() - a.mean()) * (b.var() - b.mean())),
        "min-max": np.corrcoef(*grey)[0, 1],
        "log, none as 0": np.corrcoef(*logs)[0, 1],
        "log, none left out": np.corrcoef(logs[0][seen], logs[1][seen])[0, 1],
        "Anscombe": np.corrcoef(*(np.sqrt(c + 3 / 8) for c in (a, b)))[0, 1],
    }
    table = phantom_correlations(phases, count)
    assert set(table.index) == set(drawn)
    for scale, value in drawn.items():
        # Five standard errors; 8 bit depends on the brightest voxel drawn as well.
        assert table.loc[scale, "correlation"] == pytest.approx(value, abs=6e-3), scale
    left = table.loc["log, none left out", "voxels_percent"]
    assert left == pytest.approx(100 * seen.mean(), abs=0.3)
    assert table.loc["log, none as 0", "voxels_percent"] == pytest.approx(100)


def test_the_logarithm_turns_the_phantoms_sign() -> None:
    found = phantom_correlations()["correlation"]
    assert -0.05 < found["rates"] < 0 and -0.05 < found["counts"] < 0
    assert found["counts, noise taken out"] == pytest.approx(found["rates"], abs=1e-12)
    assert found["min-max"] == pytest.approx(found["counts"], abs=2e-3)  # affine but for rounding
    assert found["log, none as 0"] > 0.25 and found["log, none left out"] > 0.2
    assert 0 < found["Anscombe"] < found["log, none as 0"]


def test_without_carbon_and_coat_it_keeps_the_sign() -> None:
    """Of electrolyte and LCO alone either two-phase rate has a correlation of -1, on any scale."""
    two = {"LLZTO": (0.45, 12.0, 20.0), "LCO": (0.55, 30.0, 0.5)}
    found = phantom_correlations(two)["correlation"]
    assert found["rates"] == pytest.approx(-1)
    assert found["counts"] < -0.7 and found["log, none as 0"] < -0.7


@pytest.mark.parametrize(
    "phases", [{"a": (0.5, 1, 1), "b": (0.4, 2, 2)}, {"a": (0.5, 1, 1), "b": (0.5, 0, 2)}]
)
def test_a_phantom_that_is_none_is_refused(phases: dict[str, tuple[float, float, float]]) -> None:
    with pytest.raises(ParameterError, match="phases"):
        phantom_correlations(phases)
