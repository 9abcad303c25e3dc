"""Every figure says what it shows, with units; and cursors are linked."""

import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib_scalebar.scalebar import ScaleBar

from liscope import figures, probe
from liscope.probe.drift import Drift
from liscope.specimens import tip_stress

AREAS = [probe.Area("3 V", 0.35, 2.25, 1.5, 1.5), probe.Area("5 V", 2.25, 2.25, 1.5, 1.5)]
UNIT = re.compile(r" / (um|nm|nA|pA|%)|number|pixels|current after / before")
DRIFT = Drift((2.0, 3.0), (0.5, -0.5), np.ones((8, 2)), np.linspace(-0.4, 0.4, 8), 0.1)


@pytest.fixture(scope="module")
def scans() -> dict[str, xr.Dataset]:
    tree = tip_stress.simulate("lmo", 0)
    return {name: tree[name].to_dataset() for name in ("pristine", "stressed")}


@pytest.fixture(scope="module")
def panels(scans: dict[str, xr.Dataset]) -> dict[str, xr.DataArray]:
    before, after = (scan.current for scan in scans.values())
    change = probe.change_map(before, after, 0.003)
    height = scans["stressed"].z
    return {"height": height, "current, before": before, "current, after": after, "change": change}


GRAPH = pd.DataFrame(
    [[0.1, 5.0, -5.0, 9.0], [0.4, 70.0, 60.0, 80.0]],
    columns=["x_um", "change_percent", "change_percent_low", "change_percent_high"],
)
CHANGES = pd.DataFrame(
    {f"{key}_percent{end}": [50.0 + add, 100.0 + add] for key in ("same_place", "stress")
     for end, add in (("", 0), ("_low", -9), ("_high", 9))},
    index=["3 V", "5 V"],
)  # fmt: skip


def charts(scans: dict[str, xr.Dataset]) -> dict[str, Figure]:
    currents = {name: scan.current for name, scan in scans.items()}
    found = [probe.amplifier(current) for current in currents.values()]
    paths = probe.find_paths(currents["pristine"], 2.0)
    none = probe.find_paths(currents["pristine"], np.inf)
    return {
        "drift": figures.drift_figure(DRIFT, (0.02, 0.02)),
        "amplifier": figures.amplifier_figure(currents, found),
        "line graph": figures.line_graph_figure(GRAPH, AREAS),
        "changes": figures.changes_figure(CHANGES, {"3 V": 69.0, "5 V": None}),
        "paths": figures.paths_figure(currents["pristine"], paths),
        "no paths": figures.paths_figure(currents["pristine"], none),
    }


@pytest.mark.parametrize(
    "name", ["drift", "amplifier", "line graph", "changes", "paths", "no paths"]
)
def test_every_axis_of_a_chart_has_a_label_with_its_unit(
    name: str, scans: dict[str, xr.Dataset]
) -> None:
    figure = charts(scans)[name]
    assert isinstance(figure, Figure)
    for axes in figure.axes:
        if axes.images or axes.get_label() == "<colorbar>":
            continue
        assert UNIT.search(axes.get_xlabel()), axes.get_xlabel()
        named = [label.get_text() for label in axes.get_yticklabels()] == ["3 V", "5 V"]
        assert named or UNIT.search(axes.get_ylabel()), axes.get_ylabel()


def test_every_map_has_a_scale_bar_a_colour_bar_with_unit_and_its_areas(
    panels: dict[str, xr.DataArray],
) -> None:
    figure = figures.maps(panels, AREAS)
    shown = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title(loc="left") for axes in shown] == list(panels)
    for axes in shown:
        (bar,) = [artist for artist in axes.get_children() if isinstance(artist, ScaleBar)]
        assert (bar.dx, bar.units) == (1, "um")
        assert axes.images[0].get_extent() == pytest.approx([0, 6, 6, 0])
        boxes = [patch.get_bbox().bounds for patch in axes.patches if isinstance(patch, Rectangle)]
        assert boxes == [(a.left, a.top, a.width, a.height) for a in AREAS]
        assert {text.get_text().strip() for text in axes.texts} == {"3 V", "5 V"}
    labels = [axes.get_ylabel() for axes in figure.axes if not axes.images]
    assert labels == ["height / nm", "current / nA", "current / nA", "log2(after / before)"]


def test_maps_of_one_quantity_share_their_colours(panels: dict[str, xr.DataArray]) -> None:
    shown = [axes.images[0] for axes in figures.maps(panels).axes if axes.images]
    limits = [image.get_clim() for image in shown]
    assert limits[1] == limits[2] != limits[0]
    assert limits[3][0] == -limits[3][1]  # no change lies in the middle of its colours


def test_drawn_values_are_those_given(scans: dict[str, xr.Dataset]) -> None:
    (line,) = [
        one
        for one in figures.line_graph_figure(GRAPH, AREAS).axes[0].lines
        if one.get_color() == figures.BLUE
    ]
    np.testing.assert_allclose(line.get_ydata(), [1.05, 1.7])
    (axes,) = figures.changes_figure(CHANGES, {"3 V": 69.0, "5 V": None}).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "same place", "against surroundings", "paper",
    ]  # fmt: skip
    (paper,) = [one for one in axes.lines if one.get_marker() == "D"]
    np.testing.assert_allclose(paper.get_xdata(), [1.69])
    drift = figures.drift_figure(DRIFT, (0.02, 0.03)).axes[0].lines
    np.testing.assert_allclose([one.get_ydata()[0] for one in drift[::2]], [20, 30])


def test_one_image_is_drawn_without_a_floor_that_can_be_told(scans: dict[str, xr.Dataset]) -> None:
    unknown = probe.Amplifier(np.nan, np.nan, np.nan, np.inf, 0.0)
    low = figures.amplifier_figure({"map": scans["pristine"].current}, [unknown]).axes[0]
    assert "cannot be told" in low.texts[0].get_text()


def test_same_figure_is_shown_as_the_same_bytes(
    panels: dict[str, xr.DataArray], monkeypatch: pytest.MonkeyPatch
) -> None:
    displayed: list[object] = []
    monkeypatch.setattr("IPython.display.display", displayed.append)
    for _ in range(2):
        figure, caption = figures.show(figures.maps(panels, AREAS), "A caption.")
    assert isinstance(figure, Figure) and caption == "A caption."
    one, text, other, _ = displayed
    assert one.data == other.data  # type: ignore[attr-defined]
    assert one.data[:8] == b"\x89PNG\r\n\x1a\n"  # type: ignore[attr-defined]
    assert text.data == "*A caption.*"  # type: ignore[attr-defined]


def test_panels_become_one_dataset_with_units(panels: dict[str, xr.DataArray]) -> None:
    dataset = figures.as_dataset(panels)
    assert set(dataset) == {"height", "current_before", "current_after", "change"}
    assert dataset["current_before"].attrs["units"] == "nA"
    assert {dataset[axis].attrs["units"] for axis in ("x", "y")} == {"um"}
    np.testing.assert_array_equal(dataset["change"], panels["change"])


def test_explore_is_empty_outside_jupyterlab(
    panels: dict[str, xr.DataArray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert figures.explore(panels) is None
    monkeypatch.setenv("JPY_SESSION_NAME", "x")
    monkeypatch.setenv("LISCOPE_RUN", "x")
    assert figures.explore(panels) is None


def test_linked_maps_share_axes_and_one_cursor(panels: dict[str, xr.DataArray]) -> None:
    """What HoloViews makes of it, since it copies the options it is given."""
    import holoviews
    from bokeh.models import CrosshairTool, HoverTool, LinearColorMapper, LogColorMapper, Plot, Span

    raw = {title: image for title, image in panels.items() if title != "change"}
    rendered = holoviews.render(figures.linked(raw), backend="bokeh")
    models = list(rendered.references())

    def of(kind: type) -> list:
        return [model for model in models if isinstance(model, kind)]

    plots, crosshairs = of(Plot), of(CrosshairTool)
    assert len(plots) == len(crosshairs) == len(raw)
    assert {plot.title.text for plot in plots} == set(raw)
    for side in ("x_range", "y_range"):
        assert len({id(getattr(plot, side)) for plot in plots}) == 1
    assert len({tuple(map(id, crosshair.overlay)) for crosshair in crosshairs}) == 1
    assert {span.dimension for span in of(Span)} == {"width", "height"} and len(of(Span)) == 2
    for plot in plots:
        assert plot.y_range.start > plot.y_range.end  # the first line on top
        assert (plot.xaxis[0].axis_label, plot.yaxis[0].axis_label) == ("x / um", "y / um")
        assert {CrosshairTool, HoverTool} <= {type(tool) for tool in plot.tools}
        mappers = {type(one.glyph.color_mapper) for one in plot.renderers if hasattr(one, "glyph")}
        logarithmic = plot.title.text.startswith("current")
        assert mappers == {LogColorMapper if logarithmic else LinearColorMapper}


def test_a_map_of_changes_can_be_linked_too(panels: dict[str, xr.DataArray]) -> None:
    import holoviews

    holoviews.render(figures.linked({"change": panels["change"]}), backend="bokeh")
