"""Areas are found where they are, and their change is the one that was put in."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tip_stress_intervals as benchmark
from measured_maps import Measured, analysed, image, measured
from scipy import stats

from liscope import probe
from liscope.errors import DataError
from liscope.probe.areas import change, comparable, surroundings
from liscope.specimens import tip_stress

MARGIN = 0.08  # um
SEEDS = range(12)
MAP = image(np.zeros((100, 100)))  # 2 x 2 um


def found(specimen: Measured) -> list[probe.Area]:
    return probe.find_areas(probe.change_map(specimen.before, specimen.after, specimen.noise))


@pytest.mark.parametrize(
    ("boxes", "names", "message"),
    [
        ([(0, 0, 1, 1)], [], "1 areas but 0 names"),
        ([(0, 0, 1, 1)] * 2, ["a", "a"], "different names, not a, a"),
        ([(0, 0, -1, 1)], ["a"], "'a' is -1 x 1 um: empty"),
        ([(0, 0, 1, 0)], ["a"], "'a' is 1 x 0 um: empty"),
        ([(-0.1, 0, 1, 1)], ["a"], r"'a' \(-0.1-0.9, 0-1 um\) reaches beyond the map \(0-2, 0-2"),
        ([(1.5, 0, 1, 1)], ["a"], "reaches beyond"),
        ([(0, 1.5, 1, 1)], ["a"], "reaches beyond"),
        ([(0, 0, np.nan, 1)], ["a"], "empty"),
    ],
)
def test_wrong_rectangles_are_refused(
    boxes: list[tuple[float, ...]], names: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        probe.named_areas(boxes, names, MAP)


def test_a_rectangle_may_fill_a_coarse_map() -> None:
    coarse = image(np.zeros((8, 8)), pixel=0.25)
    (area,) = probe.named_areas([(0, 0, 2, 2)], ["all"], coarse)
    assert area.mask(coarse).all()


def test_mask_keeps_a_margin_inside_or_beyond() -> None:
    area = probe.Area("a", left=0.5, top=1.0, width=0.4, height=0.2)
    for margin, across, down in ((0.0, 20, 10), (0.02, 18, 8), (-0.02, 22, 12), (0.11, 9, 0)):
        rows = area.mask(MAP, margin)
        assert rows.sum() == across * down
    assert area.mask(MAP)[50:60, 25:45].all()


def test_surroundings_are_on_the_same_lines_and_clear_of_all_areas() -> None:
    one, other = probe.Area("1", 0.2, 0.2, 0.4, 0.4), probe.Area("2", 1.2, 0.4, 0.4, 0.4)
    around = surroundings(one, [one, other], MAP, 0.04)
    assert not around[:12].any() and not around[28:].any()
    assert not (around & (one.mask(MAP, -0.03) | other.mask(MAP, -0.03))).any()
    assert around[12:28, 40:55].all()


@pytest.mark.parametrize("seed", range(5))
def test_areas_of_lmo_are_found_in_their_places(seed: int) -> None:
    specimen = measured("lmo", seed)
    areas = found(specimen)
    assert benchmark.farthest_side("lmo", areas, specimen.areas) < MARGIN
    assert [area.name for area in areas] == ["area 1", "area 2", "area 3"]


@pytest.mark.parametrize("film", list(tip_stress.FILMS))
def test_sides_of_areas_lie_where_they_are_on_average(film: str) -> None:
    errors = []
    for seed in range(6):
        specimen = measured(film, seed)
        there = [area for area in specimen.areas if area.name not in benchmark.UNCHANGED[film]]
        pairs = zip(found(specimen), there, strict=True)
        errors.append([np.subtract(*map(benchmark.sides, pair)) for pair in pairs])
    assert np.abs(np.mean(errors, 0)).max() < 0.025  # um; one side scatters by 0.017
    assert np.abs(errors).mean() < 0.02


@pytest.mark.parametrize("film", list(tip_stress.FILMS))
@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_found_without_stress(
    film: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = replace(
        tip_stress.FILMS[film], response=(1, 1, 1), response_spread=(0, 0, 0), swelling=(0, 0, 0)
    )
    monkeypatch.setattr(tip_stress, "FILMS", {film: still})
    assert found(analysed(tip_stress.simulate(film, seed))) == []


def test_names_are_given_from_left_to_right_where_their_number_is_right() -> None:
    step = np.ones((200, 300))
    step[40:100, 200:260], step[120:180, 30:90] = 3.0, 0.2
    noisy = step * np.exp(0.05 * np.random.default_rng(0).standard_normal(step.shape))
    changed = probe.change_map(image(np.ones(step.shape)), image(noisy), 0.0)
    one, other = probe.find_areas(changed, ["fall", "rise"])
    assert (one.name, other.name) == ("fall", "rise")
    np.testing.assert_allclose(benchmark.sides(one), (0.6, 2.4, 1.8, 3.6), atol=0.021)
    np.testing.assert_allclose(benchmark.sides(other), (4.0, 0.8, 5.2, 2.0), atol=0.021)
    assert [area.name for area in probe.find_areas(changed, ["one"])] == ["area 1", "area 2"]


def test_change_map_is_the_logarithm_of_the_ratio_and_does_not_shift() -> None:
    spot = np.ones((61, 61))
    spot[30, 30] = 5.0
    for pixel in (0.0150, 0.0125, 0.02):  # squares of about 10, 12 and 7.5 pixels
        changed = probe.change_map(
            image(np.ones(spot.shape), pixel=pixel), image(spot, pixel=pixel), 0
        )
        np.testing.assert_allclose(changed.values, changed.values[::-1, ::-1], atol=1e-6)
    doubled = probe.change_map(image(spot), image(2 * spot), 0.0)
    np.testing.assert_allclose(doubled, 1.0, atol=1e-6)


def test_change_map_is_nan_where_a_map_did_not_look() -> None:
    half = np.ones((60, 60))
    half[:, :30] = np.nan
    changed = probe.change_map(image(half), image(np.ones(half.shape)), 0.0).to_numpy()
    assert np.isnan(changed[:, :28]).all() and np.isfinite(changed[:, 31:]).all()


@pytest.fixture(scope="module")
def seeds() -> pd.DataFrame:
    """Changes of all areas of both films, for several seeds."""
    return pd.concat(
        benchmark.rows(film, seed, measured(film, seed).truth, table_of(measured(film, seed)))
        for film in tip_stress.FILMS
        for seed in SEEDS
    )


def table_of(specimen: Measured) -> pd.DataFrame:
    return probe.change_table(specimen.maps, specimen.areas, specimen.after, MARGIN)


@pytest.mark.parametrize("change", ["same_place", "stress"])
def test_intervals_hold_what_was_put_in(seeds: pd.DataFrame, change: str) -> None:
    rows = seeds[seeds["change"] == change]
    holds = (rows["low"] <= rows["put in"]) & (rows["put in"] <= rows["high"])
    assert holds.sum() >= stats.binom.ppf(0.001, len(rows), 0.9)


@pytest.mark.parametrize("change", ["same_place", "stress"])
def test_intervals_are_no_wider_than_they_must_be(seeds: pd.DataFrame, change: str) -> None:
    rows = seeds[seeds["change"] == change].groupby(["film", "area"])
    width = (rows["high"].mean() - rows["low"].mean()).to_numpy()
    spread = rows["value"].std().to_numpy()
    typical = 1 / np.sqrt(np.mean((spread / width) ** 2))
    # Twice the uncertainty of a standard deviation from so many seeds.
    freedom = len(width) * (len(SEEDS) - 1)
    assert typical <= 4 * (1 + 2 / np.sqrt(2 * freedom))


def test_a_stressed_square_that_nobody_listed_is_no_surroundings() -> None:
    specimen = measured("lmo", 1)
    listed, strays = specimen.areas[2:], specimen.areas[:2]
    naive, aware = (
        probe.change_table(maps, listed, specimen.after, MARGIN).loc["10 V"]
        for maps in (specimen.maps, probe.without(specimen.maps, strays, specimen.after))
    )
    put_in = float(specimen.truth["stress_percent"][2])
    assert naive["stress_percent_high"] < put_in
    assert aware["stress_percent_low"] < put_in < aware["stress_percent_high"]


def test_areas_that_lie_on_each_other_are_refused() -> None:
    with pytest.raises(DataError, match="area 'b' lies on area 'a'"):
        probe.named_areas([(0.1, 0.1, 1, 1), (0.9, 0.2, 1, 1)], ["a", "b"], MAP)
    probe.named_areas([(0.1, 0.1, 0.8, 1), (0.9, 0.1, 1, 1)], ["a", "b"], MAP)


def test_a_margin_that_leaves_nothing_is_refused() -> None:
    specimen = measured("lmo", 1)
    with pytest.raises(DataError, match="leaves nothing of area '3 V'"):
        probe.change_table(specimen.maps, specimen.areas, specimen.after, 0.75)


def test_estimates_are_not_biased(seeds: pd.DataFrame) -> None:
    errors = (seeds["value"] - seeds["put in"]).groupby([seeds["film"], seeds["area"]])
    assert (errors.mean().abs() < 4 * errors.std() / np.sqrt(len(SEEDS))).all()


def test_verdicts_agree_with_what_was_put_in(seeds: pd.DataFrame) -> None:
    stress = seeds[(seeds["change"] == "stress") & (seeds["put in"].abs() > 1)]
    said = [
        probe.verdict(low, high, 0.0)
        for low, high in zip(stress["low"], stress["high"], strict=True)
    ]
    assert said == ["higher" if put_in > 0 else "lower" for put_in in stress["put in"]]
    assert probe.verdict(-1.0, 2.0, 0.0) == "cannot tell"
    assert probe.verdict(1.0, 2.0, 11.0) == "cannot tell"  # too much of it clipped
    assert probe.verdict(-np.inf, np.inf, 0.0) == "cannot tell"


def test_stress_is_the_ratio_to_the_surroundings_and_medians_agree() -> None:
    table = table_of(measured("lmo", 0)) / 100 + 1
    np.testing.assert_allclose(
        table["stress_percent"], table["same_place_percent"] / table["surroundings_percent"]
    )
    np.testing.assert_allclose(table["median_percent"], table["same_place_percent"], rtol=0.1)


def test_a_gain_of_the_amplifier_drops_out_of_the_stress() -> None:
    specimen = measured("lmo", 1)
    maps = specimen.maps
    twice = (2 * specimen.after).assign_attrs(specimen.after.attrs)
    louder = probe.compare(specimen.before, twice, (np.inf, np.inf), (0, 0))
    plain = probe.compare(specimen.before, specimen.after, (np.inf, np.inf), (0, 0))
    area = specimen.areas[0]
    one, two = (change(m, area, specimen.areas, specimen.after, MARGIN) for m in (plain, louder))
    assert two["stress"].interval() == pytest.approx(one["stress"].interval())
    assert two["same_place"].value - one["same_place"].value == pytest.approx(np.log(2))
    assert maps.offset_errors.min() > 0


def test_an_uncertain_offset_widens_intervals() -> None:
    specimen = measured("mno2", 1)
    sure, unsure = (
        probe.change_table(
            probe.compare(specimen.before, specimen.after, offset_errors=(error, error)),
            specimen.areas, specimen.after, MARGIN,
        )
        for error in (0.0, 0.005)
    )  # fmt: skip
    for name in ("same_place", "stress"):
        wide, narrow = (
            t[f"{name}_percent_high"] - t[f"{name}_percent_low"] for t in (unsure, sure)
        )
        assert (wide > narrow).all()
        np.testing.assert_array_equal(sure[f"{name}_percent"], unsure[f"{name}_percent"])


def test_places_that_clip_bias_less_than_by_leaving_only_them_out() -> None:
    errors: dict[str, list[float]] = {"dropped": [], "comparable": []}
    for seed in range(5):
        specimen = analysed(tip_stress.simulate("lmo", seed, tip_stress.without(range=1.5)))
        maps = specimen.maps
        for area, truth in zip(specimen.areas[:2], specimen.truth.same_place.values, strict=False):
            inside = area.mask(specimen.after, MARGIN)
            assert (inside & maps.clipped_after).sum() > 100
            for name, used in (
                ("dropped", inside & maps.usable),
                ("comparable", comparable(maps, inside)),
            ):
                ratio = maps.after[used].sum() / maps.before[used].sum()
                errors[name].append(np.log(ratio / truth))
    assert np.mean(errors["dropped"]) < -0.02
    assert abs(np.mean(errors["comparable"])) < 0.7 * abs(np.mean(errors["dropped"]))


def test_an_area_that_clips_everywhere_says_nothing_and_counts_its_pixels() -> None:
    current = np.random.default_rng(0).uniform(1, 2, (100, 100))
    maps = probe.compare(image(current, "nA"), image(current * 0 + 5, "nA"), (10.0, 5.0))
    areas = probe.named_areas([(0.5, 0.5, 1, 1)], ["a"], MAP)
    row = probe.change_table(maps, areas, MAP, 0.0).loc["a"]
    assert row["left_out_percent"] == 100
    assert np.isnan(row["stress_percent"]) and row["stress_percent_high"] == np.inf
    assert (
        probe.verdict(row["stress_percent_low"], row["stress_percent_high"], 0.0) == "cannot tell"
    )
