"""Figures of the overlay: what is drawn is what was given, on axes that say what they show."""

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from liscope import figures, probe
from liscope.colocalisation import KINDS, Null, Thresholds
from liscope.figures.overlay import KIND_COLOURS, LITHIUM
from liscope.registration import Placement, Registration
from liscope.registration.search import Start

PIXEL = 0.05  # um
LIMITS = Thresholds(current=0.4, counts=5.0, width=0.1)
BOXES = [probe.Area("1: one", 0.5, 0.25, 0.5, 0.75), probe.Area("2: other", 1.0, 1.5, 0.4, 0.4)]
DRIFT = np.array([[0.01, -0.02]])  # um
SAID = re.compile(
    r" / (um|nm|nA|degree|um\$\^2\$)$|per pixel|best score|pixels|density|"
    r"Pearson's r|counts / those at"
)


def image(values: np.ndarray, quantity: str, units: str, start: float = 0.0) -> xr.DataArray:
    coords = {
        axis: (axis, start + (np.arange(n) + 0.5) * PIXEL, {"units": "um"})
        for axis, n in zip(("y", "x"), values.shape, strict=True)
    }
    return xr.DataArray(
        values, coords, ("y", "x"), quantity, {"units": units, "quantity": quantity}
    )


RNG = np.random.default_rng(0)
LITHIUM_MAP = image(RNG.poisson(4, (40, 50)).astype(float), "counts", "count")
CURRENT = image(np.exp(RNG.standard_normal((40, 50)) - 1), "current", "nA")
CONDUCTIVE, RICH = np.zeros((2, 40, 50), bool)
CONDUCTIVE[5:15, 20:30], RICH[22:35, 8:40] = True, True
MASKS = tuple(LITHIUM_MAP.copy(data=mask).drop_attrs() for mask in (CONDUCTIVE, RICH))


def search(drifts: bool = True) -> Registration:
    drift = DRIFT if drifts else np.zeros((0, 2))
    placement = Placement(np.eye(2), np.zeros(2), np.zeros(2), 1.0, (0.0, 8.0), drift)
    angles = np.array([-3.0, 0.0, 3.0])
    start = Start(
        placement, 9.0, 1e-9, angles, np.array([4, 9, 5.0]), 2 * angles, np.full((3, 3), 3.5)
    )
    return Registration(placement, True, "", start, 0.3)


OBJECTS = pd.DataFrame(
    {
        "kind": KINDS,
        "x_um": [0.5, 1.0, 1.5, 0.5, 2.0],
        "y_um": [0.5, 1.0, 1.2, 0.5, 1.9],
        "area_um2": [0.1, 0.05, 0.01, 0.1, 0.2],
        "counts": [80.0, 3, 2, 80, 50],
        "counts_if_rich": [40.0, 30, 4, np.nan, np.nan],
    }
)
NULL = Null(0.7, 0.06, np.linspace(0, 0.3, 101), 40.0, 1 / 41)

CHARTS: dict[str, Callable[[], Figure]] = {
    "search": lambda: figures.search_figure(search()),
    "no drift": lambda: figures.search_figure(search(drifts=False)),
    "overlay": lambda: figures.overlay_figure(LITHIUM_MAP, CURRENT, MASKS, BOXES),
    "zoom": lambda: figures.zoom_figure(LITHIUM_MAP, CURRENT, MASKS, BOXES),
    "no zoom": lambda: figures.zoom_figure(LITHIUM_MAP, CURRENT, MASKS, []),
    "joint": lambda: figures.joint_figure(LITHIUM_MAP, CURRENT, LIMITS),
    "null": lambda: figures.null_figure(NULL),
    "places": lambda: figures.places_figure(CURRENT, OBJECTS),
}


@pytest.mark.parametrize("name", list(CHARTS))
def test_every_axis_says_what_it_shows(name: str) -> None:
    figure = CHARTS[name]()
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    for axes in figure.axes:
        if axes.get_label() == "<colorbar>":
            assert SAID.search(axes.get_ylabel()), axes.get_ylabel()
        elif not axes.images and axes.axison and name != "no zoom":
            assert SAID.search(axes.get_xlabel()), axes.get_xlabel()
            assert SAID.search(axes.get_ylabel()), axes.get_ylabel()


def test_search_draws_scores_and_drift_in_nanometres() -> None:
    left, right = figures.search_figure(search()).axes
    drawn, *mirrored = left.lines
    np.testing.assert_array_equal(drawn.get_xydata(), [[-3, 4], [0, 9], [3, 5]])
    assert len(mirrored) == 3 and all(set(one.get_ydata()) == {3.5} for one in mirrored)
    lines = {one.get_label(): one for one in right.lines}
    # The second Legendre polynomial is 1 at both ends and -1/2 in the middle.
    for axis, drift in (("y", 10), ("x", -20)):
        assert lines[axis].get_ydata()[[0, -1]] == pytest.approx([drift, drift])
        assert min(abs(lines[axis].get_ydata() / drift + 0.5)) < 0.01
        assert lines[axis].get_xdata()[-1] == 8
    _, right = figures.search_figure(search(drifts=False)).axes
    assert "no drift" in right.texts[0].get_text() and not right.lines


def shown(axes: Axes) -> np.ndarray:
    return np.asarray(axes.images[0].get_array())


def test_overlay_draws_both_maps_with_the_outlines_of_the_other_and_the_boxes() -> None:
    figure = figures.overlay_figure(LITHIUM_MAP, CURRENT, MASKS, BOXES)
    current, lithium = [axes for axes in figure.axes if axes.images]
    np.testing.assert_array_equal(shown(current), CURRENT)
    np.testing.assert_array_equal(shown(lithium), LITHIUM_MAP)
    for axes, colour, mask in ((current, LITHIUM, MASKS[1]), (lithium, figures.ORANGE, MASKS[0])):
        boxes = [one for one in axes.patches if isinstance(one, Rectangle)]
        assert [one.get_bbox().bounds for one in boxes] == [
            pytest.approx((b.left, b.top, b.width, b.height)) for b in BOXES
        ]
        assert {"1", "2"} <= {text.get_text() for text in axes.texts}
        (outline,) = [one for one in axes.collections if len(one.get_paths())]
        assert to_hex(outline.get_edgecolor()[0]) == to_hex(colour)
        corners = np.concatenate([path.vertices for path in outline.get_paths()])
        rows, columns = np.nonzero(mask.to_numpy())
        low, high = corners.min(0), corners.max(0)
        # A line half a pixel around what it outlines, in the frame that begins at the corner.
        reach = np.array([[columns.min(), rows.min()], [columns.max(), rows.max()]]) * PIXEL
        np.testing.assert_allclose([low, high], reach + PIXEL / 2, atol=PIXEL)


def test_a_mask_of_all_or_nothing_has_no_outline() -> None:
    for value in (True, False):
        even = MASKS[0].copy(data=np.full(CURRENT.shape, value))
        figure = figures.overlay_figure(LITHIUM_MAP, CURRENT, (even, even), [])
        assert not any(len(one.get_paths()) for a in figure.axes[:2] for one in a.collections)


def test_zooms_draw_the_pixels_of_their_box_in_the_colours_of_the_whole_map() -> None:
    figure = figures.zoom_figure(LITHIUM_MAP, CURRENT, MASKS, BOXES)
    drawn = [axes for axes in figure.axes if axes.images]
    parts = ((slice(5, 20), slice(10, 20)), (slice(30, 38), slice(20, 28)))
    for i, (axes, whole) in enumerate(zip(drawn, [CURRENT] * 2 + [LITHIUM_MAP] * 2, strict=True)):
        np.testing.assert_array_equal(shown(axes), whole.to_numpy()[parts[i % 2]])
        assert axes.get_title(loc="left") == (BOXES[i].name if i < 2 else "")
    limits = [axes.images[0].get_clim() for axes in drawn]
    assert limits[0] == limits[1] and limits[2] == limits[3]


def test_joint_histogram_holds_the_pixels_and_both_thresholds() -> None:
    axes, _ = figures.joint_figure(LITHIUM_MAP, CURRENT, LIMITS).axes
    counted = np.nansum(np.asarray(axes.collections[0].get_array().filled(0)))
    assert 0.995 * 2000 <= counted <= 2000  # all but the rarest
    vertical, horizontal = axes.lines
    assert set(vertical.get_xdata()) == {0.4} and set(horizontal.get_ydata()) == {5.0}
    assert axes.get_xscale() == "log"
    holes = CURRENT.copy(data=np.where(CURRENT > 1, np.nan, CURRENT))
    axes, _ = figures.joint_figure(LITHIUM_MAP, holes, LIMITS).axes
    fewer = np.nansum(np.asarray(axes.collections[0].get_array().filled(0)))
    assert fewer <= int((CURRENT <= 1).sum()) < counted


def test_null_is_drawn_with_the_observed_value() -> None:
    (axes,) = figures.null_figure(NULL).axes
    area = sum(one.get_width() * one.get_height() for one in axes.patches)
    assert area == pytest.approx(1)
    assert max(one.get_x() + one.get_width() for one in axes.patches) == pytest.approx(0.3)
    assert [set(line.get_xdata()) for line in axes.lines] == [{0.7}]
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["shifted maps", "observed"]


@pytest.mark.parametrize("start", [0.0, 3.0])
def test_places_are_drawn_where_they_lie_in_the_colour_of_their_kind(start: float) -> None:
    moved = OBJECTS.assign(x_um=OBJECTS["x_um"] + start, y_um=OBJECTS["y_um"] + start)
    current = image(CURRENT.to_numpy(), "current", "nA", start)
    left, right, *_ = figures.places_figure(current, moved).axes
    drawn = {one.get_label(): one for one in left.lines}
    assert set(drawn) == {*KINDS} - {KINDS[3]}  # the fourth kind is the first one seen from lithium
    for kind, x, y in OBJECTS[["kind", "x_um", "y_um"]].drop(3).to_numpy():
        np.testing.assert_allclose(drawn[kind].get_xydata(), [[x, y]])
        assert drawn[kind].get_markeredgecolor() == KIND_COLOURS[kind]
    points = [one for one in right.lines if one.get_marker() == "o"]
    np.testing.assert_allclose(
        [one.get_xydata()[0] for one in points], [[0.1, 2], [0.05, 0.1], [0.01, 0.5]]
    )
    assert [one.get_color() for one in points] == [KIND_COLOURS[kind] for kind in KINDS[:3]]
    assert len(set(KIND_COLOURS.values())) == len(KINDS)


@pytest.mark.filterwarnings("error")
def test_a_map_without_places_is_drawn_without_any() -> None:
    left, right, *_ = figures.places_figure(CURRENT, OBJECTS.iloc[:0]).axes
    assert not left.lines and [line.get_marker() for line in right.lines] == ["None"]


def test_compare_is_empty_outside_jupyterlab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert figures.compare(LITHIUM_MAP, CURRENT) is None
    monkeypatch.setenv("JPY_SESSION_NAME", "x")
    monkeypatch.setenv("LISCOPE_RUN", "x")
    assert figures.compare(LITHIUM_MAP, CURRENT) is None


def test_slider_is_linked_to_the_opacity_of_the_current_without_python() -> None:
    from bokeh.models import CustomJS, GlyphRenderer, LinearColorMapper, LogColorMapper, Plot
    from bokeh.models import Slider as BokehSlider

    models = list(figures.slider(LITHIUM_MAP, CURRENT).get_root().references())

    def of(kind: type) -> list:
        return [model for model in models if isinstance(model, kind)]

    (slider,), (plot,) = of(BokehSlider), of(Plot)
    drawn = {type(one.glyph.color_mapper): one.glyph for one in of(GlyphRenderer)}
    assert set(drawn) == {LinearColorMapper, LogColorMapper}  # lithium, current
    (callback,) = slider.js_property_callbacks["change:value"]
    assert isinstance(callback, CustomJS) and "glyph.global_alpha = source.value" in callback.code
    assert callback.args["source"] is slider
    assert callback.args["glyph"] is drawn[LogColorMapper]
    assert drawn[LogColorMapper].global_alpha == slider.value == 0.5
    assert (slider.start, slider.end) == (0, 1)
    assert plot.y_range.start > plot.y_range.end  # the first line on top
    assert (plot.xaxis[0].axis_label, plot.yaxis[0].axis_label) == ("x / um", "y / um")
