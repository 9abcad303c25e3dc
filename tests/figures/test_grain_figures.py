"""Sizes, plates, poles and interfaces are drawn as they are, with what limits them."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from orientation_maps import film, turned
from scipy import integrate, stats

from liscope import figures, grains
from liscope.errors import DataError, ParameterError
from liscope.figures.density import density, random_maximum, spread
from liscope.figures.interface import LINES
from liscope.figures.sizes import law, told_mode
from liscope.specimens import lamella

WIDTH = 5.0


@pytest.fixture(scope="module")
def om() -> xr.Dataset:
    names = ["orientation", "phase", "phase_name", "point_group", "lattice"]
    found = lamella.simulate("lmno_pristine", 0)["truth"].to_dataset()[names]
    return found.assign(score=found.phase * 0 + 0.5)


@pytest.fixture(scope="module")
def label(om: xr.Dataset) -> xr.DataArray:
    return grains.segment(om)


@pytest.fixture(scope="module")
def table(om: xr.Dataset, label: xr.DataArray) -> pd.DataFrame:
    return grains.grain_table(om, label)


@pytest.fixture(scope="module")
def segments(om: xr.Dataset, label: xr.DataArray) -> pd.DataFrame:
    return grains.boundary_segments(om, label)


@pytest.fixture(scope="module")
def sizes(
    table: pd.DataFrame, label: xr.DataArray
) -> tuple[grains.Sizes, pd.DataFrame, pd.DataFrame]:
    found = grains.sizes_of(table, label, "lmno")
    return found, grains.size_distribution(found, WIDTH), grains.size_table(found)


def numbers(median: float, spread_: float, low: float = 15.0, high: float = 30.0) -> pd.DataFrame:
    rows = {
        "median of log-normal law": median, "geometric standard deviation": spread_,
        "mode of density by number": 20.0, "mode of density by area": 25.0,
    }  # fmt: skip
    return pd.DataFrame({"value": rows}).assign(low=low, high=high)


@pytest.mark.parametrize("way", ["by_number", "by_area"])
def test_the_law_is_the_truncated_log_normal_one(way: str) -> None:
    """Against scipy's distribution, weighted by area where that is asked for."""
    told, floor, at = numbers(20.0, 1.5), 12.0, np.linspace(12, 60, 7)
    ideal = stats.lognorm(np.log(1.5), scale=20.0)
    power = 2 if way == "by_area" else 0
    total = integrate.quad(lambda d: d**power * ideal.pdf(d), floor, np.inf)[0]
    np.testing.assert_allclose(law(told, way, floor, at), at**power * ideal.pdf(at) / total, 1e-6)


def test_the_mode_is_told_with_its_interval_or_as_a_bound() -> None:
    assert told_mode(numbers(20, 1.5), "by_number") == "20 nm (15 to 30)"
    assert told_mode(numbers(20, 1.5, low=0.0, high=24.0), "by_number") == "at most 24 nm"
    assert told_mode(numbers(20, 1.5, np.nan, np.nan), "by_area") == "25 nm (interval unknown)"


def test_sizes_are_drawn_by_number_and_by_area(
    sizes: tuple[grains.Sizes, pd.DataFrame, pd.DataFrame],
) -> None:
    found, bins, table = sizes
    figure = figures.size_figure({"film": found}, {"film": bins}, {"film": table})
    for axes, way in zip(figure.axes, ("by_number", "by_area"), strict=True):
        np.testing.assert_allclose(
            [bar.get_height() for bar in axes.patches[: len(bins)]], bins[way]
        )
        (unseen,) = axes.patches[len(bins) :]
        assert unseen.get_width() == pytest.approx(found.floor)
        assert axes.get_xlabel() == "diameter / nm"
        mode = table["value"][f"mode of density {way.replace('_', ' ')}"]
        assert [mode] in [list(line.get_xdata()) for line in axes.lines]
    (told,) = figure.axes[0].texts
    assert f"{found.diameter.size} whole ones, {found.cut} cut by the edge" in told.get_text()
    assert "step 2.5 nm" in told.get_text()


def test_plates_have_the_papers_letters_and_all_maps(
    om: xr.Dataset, label: xr.DataArray, table: pd.DataFrame, segments: pd.DataFrame,
    sizes: tuple[grains.Sizes, pd.DataFrame, pd.DataFrame],
) -> None:  # fmt: skip
    pairs = grains.boundary_pairs(segments, table, om)
    plate = figures.orientation_plate(om, label, segments, pairs, *sizes)
    titles = [axes.get_title(loc="left") for axes in plate.axes]
    assert [title[0] for title in titles if title] == ["b", "c", "d", "e", "k"]
    both = {"one": om, "two": om}
    every = [dict.fromkeys(both, part) for part in sizes]
    comparison = figures.comparison_plate(both, dict.fromkeys(both, label), *every)
    shown = [axes for axes in comparison.axes if axes.images and axes.name != "ipf"]
    assert len(shown) == 6
    last = comparison.axes[-1]
    texts = [text.get_text() for text in last.get_legend().get_texts()]
    assert texts[:2] == [f"{name}: mode {told_mode(sizes[2], 'by_number')}" for name in both]


# ------------------------------------------------------------------------------------- densities


def test_density_is_one_on_average_and_round_wherever_a_grain_lies() -> None:
    at = spread(4000)
    for direction in ((0, 0, 1), (1, 0, 0), (0.3, 0.5, 0.8)):
        vector = np.array(direction) / np.linalg.norm(direction)
        found = density(at, vector[None, None], np.ones(1))
        assert found.mean() == pytest.approx(1, abs=0.02)
        tilt = np.array([np.cos(np.radians(10)), np.sin(np.radians(10))])
        side = np.cross(vector, (0.1, 0.9, 0.2))
        near = tilt[0] * vector + tilt[1] * side / np.linalg.norm(side)
        top, half = density(np.stack([vector, near]), vector[None, None], np.ones(1))
        assert half / top == pytest.approx(0.5, abs=1e-6)  # the stated half width
        assert top == pytest.approx(np.log(2) / (1 - np.cos(np.radians(10))), rel=1e-6)


def test_grains_count_by_area() -> None:
    vectors = np.array([[[0, 0, 1.0]], [[1.0, 0, 0]]])
    one, other = density(vectors[:, 0], vectors, np.array([3.0, 1.0]))
    assert one / other == pytest.approx(3)


def test_random_sets_exceed_their_stated_maximum_in_one_of_twenty_cases() -> None:
    rng = np.random.default_rng(5)
    areas, at = np.ones(20), spread(200)

    def axes_of(drawn: np.ndarray) -> np.ndarray:
        return drawn[:, None, 1:] / np.linalg.norm(drawn[:, 1:], axis=1)[:, None, None]

    limit = random_maximum(at, areas, axes_of)
    above = [
        density(at, axes_of(rng.standard_normal((20, 4))), areas).max() > limit for _ in range(200)
    ]
    assert np.mean(above) < 0.15  # of one draw of 19 sets; 5 % on average


def single(quaternion: np.ndarray) -> tuple[xr.Dataset, pd.DataFrame]:
    om = film().assign(phase=0 * film().phase)
    om["orientation"][:] = quaternion
    return om, grains.grain_table(om, grains.segment(om))


@pytest.mark.parametrize(
    ("axis", "about", "places"),
    [  # tan 10 degrees is how far from the middle a pole at 20 degrees lies
        ("y", (1, 0, 0), [(0, 0.176), (0, -0.700), (1, 0), (-1, 0)]),
        ("z", (1, 0, 0), [(0, 0.176), (0, -0.700), (1, 0), (-1, 0)]),
        ("x", (1, 0, 0), [(0, 0)]),
        ("x", (0, 1, 0), [(0.176, 0), (-0.700, 0), (0, 1), (0, -1)]),
    ],
)
def test_poles_lie_where_the_crystal_points(
    axis: str, about: tuple[float, float, float], places: list[tuple[float, float]]
) -> None:
    """Cube axes of a crystal O = (about, 20 degrees), at O^-1 c; worked out by hand.

    About x: c = 010 is at (0, cos, -sin), 001 at (0, sin, cos). Seen along y (x right, z up, -y at
    the reader) the first one is shown as (0, sin; cos), the second as (0, -cos; sin). About y: 100
    is at (cos, 0, sin), 001 at (-sin, 0, cos). Seen along x (z right, -y up, x at the reader) they
    are shown as (sin, 0; cos) and (-cos, 0; sin).
    """
    om, table = single(turned(about, 20))
    drawn = figures.pole_figures(table, om, ["lmno"], [(0, 0, 1)], axis).axes[0]
    points = np.asarray(drawn.collections[0].get_offsets())
    for place in places:
        assert np.hypot(*(points - place).T).min() < 1e-3
    assert np.hypot(*points.T).min() == pytest.approx(np.hypot(*places[0]), abs=1e-3)
    image, (x, y) = drawn.images[0].get_array(), places[0]
    row, column = (round((1.05 + v) / 2.1 * (len(image) - 1)) for v in (y, x))
    assert image[row, column] > 0.9 * image.max()


def test_the_axis_of_the_crystal_in_the_inverse_figure() -> None:
    om, table = single(np.array([1.0, 0, 0, 0]))
    figure = figures.inverse_pole_density(table, om, ["lmno"], ["y"])
    points = np.asarray(figure.axes[0].collections[-1].get_offsets())
    np.testing.assert_allclose(points, [[0, 0]], atol=1e-6)  # 001 lies along y
    (bar,) = [axes for axes in figure.axes if axes.get_label() == "<colorbar>"]
    assert bar.get_ylabel() == "density / m.u.d."
    assert len(bar.lines) == 1


def test_poles_of_nothing_are_refused(om: xr.Dataset, table: pd.DataFrame) -> None:
    with pytest.raises(ParameterError, match="none of x, y, z"):
        figures.pole_figures(table, om, ["lmno"], axis="n")
    with pytest.raises(DataError, match="no grain of 'pt'"):
        figures.pole_figures(table[table["phase"] == "lmno"], om, ["pt"])


# ------------------------------------------------------------------------------------- interface


def test_the_interface_is_marked_where_grains_match() -> None:
    om = film(40)  # the left half of the film continues the collector, the right one does not
    label = grains.segment(om)
    table = grains.grain_table(om, label)
    segments = grains.boundary_segments(om, label)
    pairs = grains.interface(om, label, table, "lmno", "pt")
    relation = grains.relationship(pairs, table)
    nulls = {
        name: pd.DataFrame({kind: np.linspace(0, 0.4, 50) for kind in relation.index})
        for name in ("exchanged", "random")
    }
    figure = figures.interface_figure(om, label, segments, pairs, relation, nulls)
    drawn = figure.axes[0]
    found = {}
    for lines in drawn.collections:
        if isinstance(lines, LineCollection) and lines.get_zorder() == 3:
            colour = (
                tuple(np.round(lines.get_colors()[0][:3], 3)) if len(lines.get_segments()) else ()
            )
            found[colour] = np.array(lines.get_segments())
    cube = found[tuple(np.round(to_rgb(LINES["cube"][0]), 3))]
    neither = found[tuple(np.round(to_rgb(LINES[""][0]), 3))]
    assert (len(cube), len(neither)) == (20, 20)
    assert cube[..., 0].max() == neither[..., 0].min() == 49 and set(cube[..., 1].ravel()) == {25}
    shares = next(axes for axes in figure.axes if axes.get_xlabel().startswith("share"))
    observed = [line for line in shares.lines if line.get_marker() == "o"]
    np.testing.assert_allclose([line.get_xdata()[0] for line in observed], relation["share"][::-1])
    assert len(shares.collections) == 8  # the two nulls of four relationships


def test_a_long_interface_is_cut_into_strips_without_loss(
    om: xr.Dataset, label: xr.DataArray, table: pd.DataFrame, segments: pd.DataFrame
) -> None:
    pairs = grains.interface(om, label, table, "lmno", "pt")
    relation = grains.relationship(pairs, table)
    long = film(120)
    own = grains.segment(long)
    of_long = grains.interface(long, own, grains.grain_table(long, own), "lmno", "pt")
    figure = figures.interface_figure(
        long, own, grains.boundary_segments(long, own), of_long, relation
    )
    extents = [
        axes.images[0].get_extent() for axes in figure.axes if axes.images and axes.name != "ipf"
    ]
    assert len(extents) == 2  # 240 nm at 24 nm height
    assert [extents[0][0], extents[0][1], extents[1][1]] == pytest.approx([9, extents[1][0], 249])
    with pytest.raises(DataError, match="no segment"):
        figures.interface_figure(om, label, segments.iloc[:0], pairs, relation)
