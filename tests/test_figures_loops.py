"""Every figure of the I-V curves says what it shows, with units, and draws what it is given."""

import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure

from liscope import figures
from liscope import spectroscopy as iv
from liscope.figures.loops import browser
from liscope.specimens import ionic_loops

UNIT = re.compile(r" / (V|nA|pA|\(V/s\)|1)$")


@pytest.fixture(scope="module")
def tree() -> xr.DataTree:
    return ionic_loops.simulate(0)


@pytest.fixture(scope="module")
def loops(tree: xr.DataTree) -> xr.Dataset:
    return iv.cycles(tree["curves"].to_dataset())


@pytest.fixture(scope="module")
def quality(loops: xr.Dataset) -> pd.DataFrame:
    return iv.quality(loops)


@pytest.fixture(scope="module")
def areas(loops: xr.Dataset, quality: pd.DataFrame) -> pd.DataFrame:
    return iv.loop_areas(loops)[quality["good"]]


def charts(tree: xr.DataTree, loops: xr.Dataset, areas: pd.DataFrame) -> dict[str, Figure]:
    gaps = iv.zero_bias_gaps(iv.cycles(tree["rates"].to_dataset()))
    turned = iv.maximal_bias(iv.cycles(tree["reversal"].to_dataset()))
    picked = {"pristine": 5, "preconditioned": 80}
    return {
        "definitions": figures.definitions_figure(areas),
        "displacement": figures.displacement_figure(gaps, iv.displacement(gaps)),
        "hysteresis": figures.hysteresis_figure(loops, areas, "enclosed_V", picked),
        "no areas": figures.hysteresis_figure(loops, areas.iloc[:0], "enclosed_V", {"flagged": 0}),
        "reversal": figures.reversal_figure(turned, iv.reversal_table(turned)),
    }


def test_every_axis_has_a_label_with_its_unit(
    tree: xr.DataTree, loops: xr.Dataset, areas: pd.DataFrame
) -> None:
    for name, figure in charts(tree, loops, areas).items():
        assert len(figure.axes) == (1 if name in ("displacement", "no areas") else 2)
        for axes in figure.axes:
            assert UNIT.search(axes.get_ylabel()), (name, axes.get_ylabel())
            groups = [label.get_text() for label in axes.get_xticklabels()]
            named = any("places" in label for label in groups)
            assert named or UNIT.search(axes.get_xlabel()), (name, axes.get_xlabel())


def test_all_loops_are_drawn_and_flags_are_told(loops: xr.Dataset, quality: pd.DataFrame) -> None:
    (axes,) = figures.tiles_figure(loops, quality).axes
    (lines,) = axes.collections
    assert len(lines.get_segments()) == 145
    letters = [text.get_text() for text in axes.texts]
    flagged = [i for i, letter in enumerate(letters) if letter]
    assert flagged == list(np.flatnonzero(~quality["good"]))
    assert axes.get_title(loc="left") == "145 of 145 loops"
    many = np.arange(900) % 145
    figure = figures.tiles_figure(loops.isel(curve=many), quality.iloc[many])
    assert len(figure.axes[0].collections[0].get_segments()) == 150
    assert figure.axes[0].get_title(loc="left") == "150 of 900 loops"


def test_points_of_the_box_plot_are_the_areas(loops: xr.Dataset, areas: pd.DataFrame) -> None:
    picked = iv.typical(areas, ionic_loops.GROUPS, "unsigned_V")
    left, right = figures.hysteresis_figure(loops, areas, "unsigned_V", picked).axes
    drawn = [line for line in right.lines if line.get_marker() == "."]
    for name, line in zip(ionic_loops.GROUPS, drawn, strict=True):
        expected = areas.loc[areas["group"] == name, "unsigned_V"]
        np.testing.assert_array_equal(line.get_ydata(), expected)
    labels = [text.get_text() for text in right.get_xticklabels()]
    assert labels[0] == "pristine\n66 curves, 14 places"
    assert [text.get_text() for text in left.get_legend().get_texts()] == list(ionic_loops.GROUPS)


@pytest.mark.parametrize("first", [1, -1])
def test_trace_is_marked_1_and_retrace_2(first: int) -> None:
    """The way back carries more: at positive bias 2 stands above 1, at negative bias below it."""
    bias = first * np.append(ionic_loops.triangle(5.0), 0)
    away = np.gradient(np.abs(bias)) > 0
    current = np.where(away, 1.0, 2.0) * bias * (np.sign(bias) == first) + 0.1 * bias
    curves = xr.Dataset(
        {
            "bias": (("curve", "point"), bias[None], {"units": "V"}),
            "current": (("curve", "point"), current[None], {"units": "nA"}),
        }
    )
    loops = iv.cycles(curves).assign_coords(group=("curve", ["all"]))
    (axes,) = figures.hysteresis_figure(
        loops, pd.DataFrame({"enclosed_V": []}), "enclosed_V", {"all": 0}
    ).axes
    heights = {text.get_text(): text.xy[1] for text in axes.texts}
    assert first * heights["2"] > first * heights["1"] > 0


def test_the_line_of_the_displacement_is_the_one_found(tree: xr.DataTree) -> None:
    found = iv.Displacement(2.0, (1.5, 2.5), 0.001, (-0.1, 0.1), 6)
    gaps = pd.DataFrame({"place": [0, 0], "speed_V_per_s": [10.0, 100.0], "gap_nA": [0.02, 0.2]})
    (axes,) = figures.displacement_figure(gaps, found).axes
    np.testing.assert_allclose(axes.lines[-1].get_ydata(), [1.0, 201.0])
    assert axes.get_legend().get_texts()[0].get_text() == "2.00 pF"


def test_a_click_shows_the_loop_behind_a_point(loops: xr.Dataset, areas: pd.DataFrame) -> None:
    import holoviews

    layout = browser(loops, areas)
    holoviews.render(layout, backend="bokeh")
    points, curve = layout.values()
    np.testing.assert_array_equal(points.dimension_values("enclosed_V"), areas["enclosed_V"])
    (stream,) = curve.streams
    stream.event(index=[7])
    row = areas.index[7]
    np.testing.assert_array_equal(curve[()].dimension_values(1), loops["current"].values[row])


def test_explore_is_empty_outside_jupyterlab(
    loops: xr.Dataset, areas: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert figures.explore_loops(loops, areas) is None
