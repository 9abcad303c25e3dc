"""Maps of crystals show what is there, where it is, and why there is nothing elsewhere."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib_scalebar.scalebar import ScaleBar
from orientation_maps import film, turned

from liscope import figures, grains
from liscope.errors import DataError, ParameterError
from liscope.figures.grains import ANGLES, GLASS, PHASES, SIGMA3, angle_scale
from liscope.figures.orientations import DARKEST, NOTHING, orientation_colours


@pytest.fixture(scope="module")
def om() -> xr.Dataset:
    return film()


@pytest.fixture(scope="module")
def label(om: xr.Dataset) -> xr.DataArray:
    return grains.segment(om)


@pytest.fixture(scope="module")
def edges(om: xr.Dataset, label: xr.DataArray) -> tuple[pd.DataFrame, pd.DataFrame]:
    segments = grains.boundary_segments(om, label)
    return segments, grains.boundary_pairs(segments, grains.grain_table(om, label), om)


def legend(figure: Figure) -> list[str]:
    return [
        text.get_text()
        for axes in figure.axes
        if axes.get_legend()
        for text in axes.get_legend().get_texts()
    ]


def test_corners_of_the_key_have_its_pure_colours(om: xr.Dataset) -> None:
    """TSL's key of m-3m: red at 001, green at 101, blue at 111."""
    plain = om.drop_vars("reliability")
    np.testing.assert_allclose(orientation_colours(plain, "y")[10, 3], (1, 0, 0), atol=0.02)
    np.testing.assert_allclose(orientation_colours(plain, "y")[5, 9], (0, 1, 0), atol=0.02)
    np.testing.assert_allclose(orientation_colours(plain, "z")[5, 9], (1, 0, 0), atol=0.02)
    # A third of a turn about (1, -1, 0) / sqrt 2 by 54.7 degrees brings [111] to z.
    tilted = plain.copy(deep=True)
    tilted["orientation"][5, 3] = turned((1, -1, 0), float(np.degrees(np.arccos(3**-0.5))))
    np.testing.assert_allclose(orientation_colours(tilted, "z")[5, 3], (0, 0, 1), atol=0.02)


def test_colours_darken_with_falling_reliability_but_never_to_black(om: xr.Dataset) -> None:
    bright = orientation_colours(om.drop_vars("reliability"), "y")
    shaded = orientation_colours(om, "y")
    np.testing.assert_allclose(shaded[5, 3], (DARKEST + (1 - DARKEST) * 0.8) * bright[5, 3])
    none = om.assign(reliability=0 * om.reliability)
    assert orientation_colours(none, "y")[5, 3].max() == pytest.approx(DARKEST, abs=0.02)


def test_what_is_no_crystal_tells_why(om: xr.Dataset, label: xr.DataArray) -> None:
    colours = orientation_colours(om, "y")
    for pixel, number in (((0, 0), -1), ((0, 8), -2), ((1, 0), -3)):
        np.testing.assert_allclose(colours[pixel], to_rgb(NOTHING[number][0]))
    assert len({colour for colour, _ in NOTHING.values()}) == 3
    figure = figures.orientation_map(om, "y", label)
    assert legend(figure) == ["amorphous", "empty", "not known"]
    (hatched,) = [patch for patch in figure.axes[0].patches if patch.get_hatch()]
    box = hatched.get_path().get_extents()  # the right half of the first row, in nm
    assert box.extents == pytest.approx([21, 9, 33, 11])
    full = om.assign(phase=abs(om.phase))
    assert legend(figures.phase_map(full.assign(phase=0 * om.phase)))[0].startswith("lmno  100 %")


def test_a_map_has_scale_bar_limits_in_nm_and_a_key(om: xr.Dataset) -> None:
    figure = figures.orientation_map(om)
    drawn = figure.axes[0]
    (bar,) = [one for one in drawn.get_children() if isinstance(one, ScaleBar)]
    assert (bar.dx, bar.units) == (1, "nm")
    assert drawn.images[0].get_extent() == pytest.approx((9, 33, 33, 9))
    assert drawn.get_title(loc="left") == "orientation along y"
    (key,) = [axes for axes in figure.axes if axes.name == "ipf"]
    assert key.get_title() == "lmno, pt"  # one point group, one key
    assert {text.get_text().replace("$", "") for text in key.texts} == {
        "[0 0 1]", "[1 0 1]", "[1 1 1]",
    }  # fmt: skip


def test_phases_of_two_laue_groups_have_two_keys(om: xr.Dataset) -> None:
    hexagonal = om.assign(point_group=("phase_id", ["m-3m", "6/mmm"]))
    keys = [one for one in figures.orientation_map(hexagonal).axes if one.name == "ipf"]
    assert [key.get_title() for key in keys] == ["lmno", "pt"]


def test_the_key_is_that_of_orix(om: xr.Dataset) -> None:
    from orix.plot import DirectionColorKeyTSL
    from orix.quaternion.symmetry import Oh
    from orix.vector import Vector3d

    (key,) = [axes for axes in figures.orientation_map(om).axes if axes.name == "ipf"]
    image, (left, right, low, high) = key.images[0], key.images[0].get_extent()
    rows, columns, _ = image.get_array().shape
    for vector in (Vector3d((0.2, 0.1, 1)), Vector3d((0.5, 0.2, 1))):
        x, y = (v[0] / (1 + vector.unit.z[0]) for v in (vector.unit.x, vector.unit.y))
        at = (
            round((y - low) / (high - low) * (rows - 1)),
            round((x - left) / (right - left) * (columns - 1)),
        )
        expected = DirectionColorKeyTSL(Oh).direction2color(vector)[0]
        np.testing.assert_allclose(image.get_array()[at][:3], expected, atol=0.03)


def test_grains_are_outlined_where_they_end(om: xr.Dataset, label: xr.DataArray) -> None:
    (lines,) = [
        one
        for one in figures.orientation_map(om, "y", label).axes[0].collections
        if isinstance(one, LineCollection)
    ]
    drawn = np.array(lines.get_segments())
    upright = drawn[drawn[:, 0, 0] == drawn[:, 1, 0]]
    level = drawn[drawn[:, 0, 1] == drawn[:, 1, 1]]
    assert set(upright[:, 0, 0]) == {11, 21}  # beside the unknown pixel, and between the halves
    # below glass and pore (12), above and below the unknown pixel, and over the collector (12)
    heights, often = np.unique(level[:, 0, 1], return_counts=True)
    assert (heights.tolist(), often.tolist()) == ([11, 13, 25], [11, 1, 12])
    assert len(upright) == 7 + 1


def test_phase_colours_and_shares(om: xr.Dataset) -> None:
    figure = figures.phase_map(om)
    image = figure.axes[0].images[0].get_array()
    for pixel, colour in (((5, 5), PHASES[0]), ((10, 5), PHASES[1]), ((0, 0), GLASS)):
        np.testing.assert_allclose(image[pixel], to_rgb(colour))
    shares = dict(text.split("  ") for text in legend(figure))
    # 144 pixels: 48 of the collector, 6 of glass, 6 empty, 1 unknown, 83 of the film
    assert {name: text.split(" (")[0] for name, text in shares.items()} == {
        "lmno": "58 %", "pt": "33 %", "amorphous": "4 %", "empty": "4 %", "not known": "1 %",
    }  # fmt: skip


def test_probabilities_reach_to_1_and_scores_to_their_highest(om: xr.Dataset) -> None:
    low = om.assign(score=om.score.copy())
    low["score"][3, 4], low["score"][0, 0] = 0.62, np.nan
    figure = figures.index_map(low)
    maps = [axes for axes in figure.axes if axes.images]
    assert [axes.images[0].get_clim() for axes in maps] == [(0, 0.62), (0, 1)]
    bars = [axes.get_ylabel() for axes in figure.axes if axes.get_label() == "<colorbar>"]
    assert bars == ["correlation / 1", "probability / 1"]
    with pytest.raises(DataError, match="has none of score, reliability"):
        figures.index_map(om.drop_vars(["score", "reliability"]))


def test_boundaries_are_coloured_by_angle_and_kind(
    om: xr.Dataset, edges: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    segments, pairs = edges
    figure = figures.boundary_map(om, segments, pairs)
    by_angle, phase, twin = figure.axes[0].collections
    drawn = np.array(by_angle.get_segments())
    assert drawn.shape == (7, 2, 2) and set(drawn[..., 0].ravel()) == {21}
    colour = ANGLES(angle_scale(pairs)(45.0))
    np.testing.assert_allclose(by_angle.get_colors(), np.tile(colour, (7, 1)), atol=0.01)
    assert len(phase.get_segments()) == 12 and not len(twin.get_segments())
    assert {"Σ3 boundary", "phase boundary", "amorphous"} <= set(legend(figure))


def test_a_twin_is_marked_apart() -> None:
    twinned = film()
    twinned["orientation"][1:8, 6:] = turned((1, 1, 1), 60)
    label = grains.segment(twinned)
    segments = grains.boundary_segments(twinned, label)
    pairs = grains.boundary_pairs(segments, grains.grain_table(twinned, label), twinned)
    by_angle, _, twin = figures.boundary_map(twinned, segments, pairs).axes[0].collections
    assert not len(by_angle.get_segments()) and len(twin.get_segments()) == 7
    np.testing.assert_allclose(twin.get_colors()[0][:3], to_rgb(SIGMA3))


@pytest.mark.parametrize("axis", ["w", ""])
def test_an_axis_that_is_none_is_refused(om: xr.Dataset, axis: str) -> None:
    with pytest.raises(ParameterError, match="none of x, y, z"):
        figures.orientation_map(om, axis)


def test_a_map_without_crystals_has_nothing_to_colour(om: xr.Dataset) -> None:
    with pytest.raises(DataError, match="no crystal"):
        figures.orientation_map(om.assign(phase=0 * om.phase - 1))
