"""Places one by one: drawn by hand, blurred by a known beam, counted by Poisson's law."""

import numpy as np
import pandas as pd
import pytest
from counted_maps import PIXEL
from scipy import ndimage, special, stats

from liscope.colocalisation import KINDS, Pair, Thresholds, examples, find_objects, object_table
from liscope.registration import Field

BEAM = 0.1  # um: two pixels
LIMITS = Thresholds(current=0.5, counts=2.0, width=BEAM)
WITH, WITHOUT, CANNOT_TELL, LITHIUM_CONDUCTS, LITHIUM_DOES_NOT = KINDS


def pair_of(counts: np.ndarray, current: np.ndarray, rich: np.ndarray) -> Pair:
    field = Field((PIXEL / 2, PIXEL / 2), (PIXEL, PIXEL), counts.shape)
    return Pair(counts.astype(float), np.where(rich, 3.0, 0.0), current, current, field)


def block(top: int, left: int, rows: int, columns: int) -> tuple[slice, slice]:
    return slice(top, top + rows), slice(left, left + columns)


@pytest.fixture(scope="module")
def drawn() -> Pair:
    """Film with one count in four pixels, and on it places of each kind."""
    counts, current = np.zeros((40, 40)), np.full((40, 40), 0.01)
    counts[::2, ::2] = 1
    rich = np.zeros((40, 40), bool)
    both, poor, few, lithium, small = (
        block(4, 5, 6, 8), block(4, 25, 6, 6), block(20, 5, 2, 3), block(30, 20, 5, 5),
        block(20, 30, 1, 3),
    )  # fmt: skip
    for place in (both, poor, few, small):
        current[place] = 1.0
    current[22:24, 8:10] = 1.0  # touches the third place at a corner: one place with it
    counts[both], counts[poor], counts[few], counts[lithium] = 4, 0, 0, 5
    counts[22:24, 8:10], counts[20, 5] = 0, 6
    rich[both] = rich[lithium] = True
    current[0, :] = np.nan  # not measured
    return pair_of(counts, current, rich)


@pytest.fixture(scope="module")
def found(drawn: Pair) -> pd.DataFrame:
    return find_objects(drawn, LIMITS, BEAM)


def test_places_are_found_where_they_were_drawn(found: pd.DataFrame) -> None:
    assert list(found["kind"]) == [
        WITH, WITHOUT, CANNOT_TELL, LITHIUM_CONDUCTS, LITHIUM_DOES_NOT
    ]  # fmt: skip
    # The middle of pixels 4 to 9 is that of a place that begins at 4 and ends at 10.
    third = (6 * 21.0 + 4 * 23.0) / 10, (6 * 6.5 + 4 * 9.0) / 10
    middles = np.array([(7, 9), (7, 28), third, (7, 9), (32.5, 22.5)]) * PIXEL
    np.testing.assert_allclose(found[["y_um", "x_um"]], middles)
    np.testing.assert_allclose(found["area_um2"], np.array([48, 36, 10, 48, 25]) * PIXEL**2)
    np.testing.assert_allclose(found["counts"], [192, 0, 6, 192, 125])
    # Of 1560 measured pixels: 48 + 36 + 10 + 3 carry 1 nA, the others 0.01 nA.
    total = 97 + 0.01 * (1560 - 97)
    np.testing.assert_allclose(found["current_share"], np.array([48, 36, 10, 48, 0.25]) / total)
    assert "label" not in found


def test_kinds_follow_from_the_counts_by_poissons_law(drawn: Pair, found: pd.DataFrame) -> None:
    conductive = found.iloc[:3]
    rate = drawn.counts[(drawn.current < 0.5) & (drawn.smooth == 0)].mean()
    np.testing.assert_allclose(conductive["counts_if_poor"], rate * np.array([48, 36, 10]))
    assert found["counts_if_rich"].isna().tolist() == [False] * 3 + [True] * 2
    too_few = stats.poisson.cdf(conductive["counts"], conductive["counts_if_rich"])
    too_many = 1 - stats.poisson.cdf(conductive["counts"] - 1, conductive["counts_if_poor"])
    assert list(too_few < 0.01) == [False, True, False]
    assert list(too_many < 0.01) == [True, False, False]


@pytest.mark.parametrize(("radius", "beam"), [(6, 4), (12, 6), (20, 5), (4, 6)])
def test_what_the_beam_spreads_over_the_rim_of_a_disc_is_missing(
    radius: float, beam: float
) -> None:
    """Soumpasis' integral (doi:10.1016/S0006-3495(83)84410-5): 1 - exp(-z) (I0(z) + I1(z)) stays.

    It is that of diffusion out of a disc, with z the radius squared over the variance.
    """
    y, x = np.mgrid[:120, :120]
    disc = np.hypot(y - 60, x - 60) <= radius
    pair = pair_of(np.ones((120, 120)), np.where(disc, 1.0, 0.01), disc & False)
    (row,) = find_objects(pair, Thresholds(0.5, 4.0, 0.1), beam * PIXEL).to_dict("records")
    z = disc.sum() / np.pi / (beam / np.sqrt(8 * np.log(2))) ** 2
    kept = 1 - special.ive(0, z) - special.ive(1, z)
    assert row["counts_if_poor"] == pytest.approx(disc.sum())
    assert row["counts_if_rich"] == pytest.approx(disc.sum() * (1 + 3 * kept), rel=0.003)


@pytest.mark.parametrize("inside", [0.4, 4.0])
def test_of_a_hundred_places_one_is_misjudged(inside: float) -> None:
    """Lithium at the threshold, or none, under every place; the beam and the counting do the rest.

    Of 576 places 1 % may be wrong, and twice as many by four standard deviations of a binomial.
    """
    rng = np.random.default_rng(0)
    cell = np.zeros((12, 12), bool)
    cell[4:8, 3:8] = True
    conductive = np.tile(cell, (24, 24))
    poor, limits = 0.4, Thresholds(0.5, 4.0, BEAM)
    mean = poor + (inside - poor) * ndimage.gaussian_filter(
        conductive.astype(float), BEAM / np.sqrt(8 * np.log(2)) / PIXEL
    )
    pair = pair_of(rng.poisson(mean), np.where(conductive, 1.0, 0.01), conductive & False)
    places = find_objects(pair, limits, BEAM)
    assert len(places) == 576
    wrong, right = (WITH, WITHOUT) if inside == poor else (WITHOUT, WITH)
    assert (places["kind"] == wrong).mean() < 0.01 + 4 * np.sqrt(0.01 * 0.99 / 576)
    assert (places["kind"] == right).mean() > 0.9


@pytest.mark.parametrize(("rate", "kind"), [(0.9, CANNOT_TELL), (1.3, WITHOUT)])
def test_no_count_at_all_says_nothing_where_few_are_expected(rate: float, kind: str) -> None:
    """None of 4.6 expected counts happens once in a hundred times."""
    current = np.full((30, 30), 0.01)
    current[block(10, 10, 4, 4)] = 1.0
    kept = _kept_of_a_square(4.0, BEAM / PIXEL)
    limits = Thresholds(0.5, rate * 4.605 / (16 * kept), BEAM)
    pair = pair_of(np.zeros((30, 30)), current, current < 0)
    (row,) = find_objects(pair, limits, BEAM).to_dict("records")
    assert (row["kind"] == WITHOUT) == (stats.poisson.pmf(0, row["counts_if_rich"]) < 0.01)
    assert row["kind"] == kind


def _kept_of_a_square(side: float, beam: float) -> float:
    """Return the share of what lies in a square that a Gaussian beam leaves in it; pixels."""
    z = side / (np.sqrt(2) * beam / np.sqrt(8 * np.log(2)))
    return float((special.erf(z) - (1 - np.exp(-(z**2))) / (z * np.sqrt(np.pi))) ** 2)


def test_lithium_conducts_where_a_tenth_of_it_does() -> None:
    for columns, kind in ((1, LITHIUM_CONDUCTS), (0, LITHIUM_DOES_NOT)):
        current, rich = np.full((30, 30), 0.01), np.zeros((30, 30), bool)
        rich[block(5, 5, 10, 10)] = True
        current[block(5, 5, 10, columns)] = current[block(5, 5, 9, 1)] = 1.0
        table = find_objects(pair_of(np.ones((30, 30)), current, rich), LIMITS, BEAM)
        assert table["kind"].iloc[-1] == kind


def test_kinds_are_counted_with_area_and_current(found: pd.DataFrame) -> None:
    table = object_table(found)
    assert list(table.index) == list(KINDS) and (table["number"] == 1).all()
    np.testing.assert_allclose(table["area_um2"], found["area_um2"])
    np.testing.assert_allclose(table["current_share_percent"], 100 * found["current_share"])
    times = np.array([3.0, 0, 1, 3, 2])
    weighted = object_table(found, times)
    np.testing.assert_allclose(weighted["number"], times)
    np.testing.assert_allclose(weighted["area_um2"], times * found["area_um2"])
    np.testing.assert_allclose(
        weighted["current_share_percent"], 100 * found["current_share"]
    )  # which knows of the weights by itself


@pytest.mark.parametrize("lithium", [True, False])
def test_a_map_without_conductive_places_has_none(lithium: bool) -> None:
    rich = np.zeros((30, 30), bool)
    rich[block(5, 6, 8, 8)] = lithium
    table = find_objects(pair_of(np.ones((30, 30)), np.full((30, 30), 0.01), rich), LIMITS, BEAM)
    assert list(table["kind"]) == [LITHIUM_DOES_NOT] * lithium
    assert object_table(table)["number"].tolist() == [0, 0, 0, 0, lithium]
    boxes = examples(table, 1.0)
    assert [box.name for box in boxes] == [f"1: {LITHIUM_DOES_NOT}"] * lithium


def test_examples_are_boxes_around_the_clearest_places(found: pd.DataFrame) -> None:
    boxes = examples(found, 0.3)
    assert [box.name for box in boxes] == [f"1: {WITH}", f"2: {WITHOUT}", f"3: {LITHIUM_DOES_NOT}"]
    for box, row in zip(boxes, (0, 1, 4), strict=True):
        assert (box.left + 0.15, box.top + 0.15) == pytest.approx(
            (found["x_um"][row], found["y_um"][row])
        )
        assert (box.width, box.height) == (0.3, 0.3)
    larger = found.iloc[[0, 1]].assign(x_um=1.5, area_um2=1.0)
    several = pd.concat([found, larger], ignore_index=True)
    several.loc[6, "counts"] = 2.0  # larger, but not as clearly without lithium
    first, second, _ = examples(several, 0.3)
    assert first.left + 0.15 == pytest.approx(1.5)
    assert second.left + 0.15 == pytest.approx(found["x_um"][1])
