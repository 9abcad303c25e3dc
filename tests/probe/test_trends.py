"""Trends along the scan axes against trends that were put in."""

import numpy as np
import pytest
from measured_maps import image, measured
from scipy import ndimage, stats

from liscope import probe
from liscope.probe.trends import wear

ALL = np.full((128, 96), True)
PROGRESS = np.arange(128)[:, None] / 128


def film(rng: np.random.Generator) -> np.ndarray:
    field = ndimage.gaussian_filter(rng.standard_normal(ALL.shape), 2)
    return np.asarray(np.exp(0.6 * field / field.std()))


def holds(estimate: object, truth: float) -> bool:
    low, high = estimate.interval()  # type: ignore[attr-defined]
    return bool(low <= truth <= high)


@pytest.mark.parametrize("trend", [-0.4, 0.0, 0.2])
def test_wear_of_one_map_holds_the_trend_put_in(trend: float) -> None:
    rng = np.random.default_rng(1)
    found = [wear(film(rng) * np.exp(trend * PROGRESS), ALL) for _ in range(150)]
    assert sum(holds(one, trend) for one in found) >= stats.binom.ppf(0.001, 150, 0.9)
    values = [one.value for one in found]
    assert np.mean(values) == pytest.approx(trend, abs=4 * np.std(values) / np.sqrt(150))


def test_wear_between_two_maps_holds_the_trend_and_is_sharper() -> None:
    rng = np.random.default_rng(2)
    hits, widths = [], []
    for _ in range(150):
        before = film(rng)
        after = before * np.exp(0.1 * ndimage.gaussian_filter(rng.standard_normal(ALL.shape), 2))
        after = after * np.exp(-0.15 * PROGRESS)
        both, alone = wear(after, ALL, before), wear(after, ALL)
        hits.append(holds(both, -0.15))
        widths.append(both.error / alone.error)
    assert sum(hits) >= stats.binom.ppf(0.001, 150, 0.9)
    assert np.median(widths) < 0.1


def test_wear_that_is_the_same_in_both_maps_drops_out_of_their_ratio() -> None:
    before = film(np.random.default_rng(3))
    worn = np.exp(-0.5 * PROGRESS)
    assert wear(2 * before * worn, ALL, before * worn).value == pytest.approx(0, abs=1e-9)


def test_wear_ignores_what_is_masked_and_says_nothing_of_too_few_lines() -> None:
    before = film(np.random.default_rng(4))
    mask = ALL.copy()
    mask[:, :30] = False
    spoilt = np.where(mask, before, np.nan)
    assert wear(spoilt, mask) == wear(before, mask)
    assert wear(before[:12], mask[:12]).interval() == (-np.inf, np.inf)


def test_wear_table_of_a_specimen_sees_no_wear_but_the_one_put_in() -> None:
    specimen = measured("lmo", 1)
    clear = probe.unstressed(specimen.areas, specimen.after, 0.08)
    table = probe.wear_table(specimen.maps, clear)
    assert table.loc["before", "change_percent_low"] < -1
    assert table.loc["before", "change_percent_high"] > -1
    worn = specimen.after.to_numpy() * np.exp(-0.2 * (np.arange(384)[:, None] / 384))
    maps = probe.compare(specimen.before, specimen.after.copy(data=worn))
    row = probe.wear_table(maps, clear).loc["after / before"]
    expected = 100 * np.expm1(-0.2)
    assert row["change_percent_low"] < expected + 1 and expected - 1 < row["change_percent_high"]
    assert row["change_percent"] == pytest.approx(expected, abs=3)


def test_wear_counts_from_the_first_line_scanned() -> None:
    rng = np.random.default_rng(3)
    down = film(rng) * np.exp(-0.2 * np.arange(len(ALL))[:, None] / len(ALL))
    for axis, recorded in (("down", down), ("up", down[::-1])):
        maps = probe.compare(image(recorded, "nA"), image(recorded, "nA"))
        row = probe.wear_table(maps, ALL, axis).loc["after"]
        assert row["change_percent_low"] < 100 * np.expm1(-0.2) < row["change_percent_high"]
        assert row["change_percent"] < 0


def test_line_graph_holds_the_plateaus_put_in() -> None:
    hits = []
    for name, seed in (("lmo", 0), ("lmo", 1), ("mno2", 0), ("mno2", 1)):
        specimen = measured(name, seed)
        graph = probe.line_graph(specimen.maps, specimen.areas, specimen.after, 0.08)
        np.testing.assert_allclose(np.diff(graph["x_um"]), 0.3)
        for area, truth in zip(specimen.areas, specimen.truth.same_place.values, strict=True):
            near, far = area.left + 0.23, area.left + area.width - 0.23
            points = graph[(graph["x_um"] > near) & (graph["x_um"] < far)]
            assert len(points) >= 3
            np.testing.assert_allclose(1 + points["change_percent"] / 100, truth, rtol=0.35)
            hits += list(
                (points["change_percent_low"] <= 100 * (truth - 1))
                & (100 * (truth - 1) <= points["change_percent_high"])
            )
    assert sum(hits) >= stats.binom.ppf(0.001, len(hits), 0.9)


def test_line_graph_uses_only_lines_that_all_areas_share() -> None:
    after = np.ones((100, 150))
    after[40:60] = 3.0
    maps = probe.compare(image(np.ones(after.shape), "nA"), image(after, "nA"))
    areas = [probe.Area("a", 0.2, 0.4, 0.6, 0.8), probe.Area("b", 1.6, 0.8, 0.6, 1.0)]
    graph = probe.line_graph(maps, areas, image(after), 0.0)
    np.testing.assert_allclose(graph["change_percent"], 200)
