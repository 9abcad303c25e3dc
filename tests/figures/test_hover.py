"""Maps to hover over hold the numbers that they show, in the places where they are."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from bokeh.models import GlyphRenderer, HoverTool, LinearColorMapper, LogColorMapper

from liscope.errors import DataError
from liscope.figures import hover_maps
from liscope.workflow.interactive import write_interactive


def image(values: np.ndarray, **attrs: str) -> xr.DataArray:
    coords = {
        "y": ("y", 0.5 + np.arange(values.shape[0]), {"units": "um"}),
        "x": ("x", 1.0 + 2 * np.arange(values.shape[1]), {"units": "um"}),
    }
    return xr.DataArray(values, coords, ("y", "x"), attrs=attrs)


@pytest.fixture
def panels() -> dict[str, xr.DataArray]:
    values = np.arange(12.0).reshape(3, 4)
    values[2, 1] = np.nan
    current = image(values + 1, units="nA", quantity="current")
    return {"current at 1 V": current, "reliability": image(values / 12, units="1")}


def test_every_map_reads_all_values_at_the_cursor(panels: dict[str, xr.DataArray]) -> None:
    drawn = list(hover_maps(panels).select({"type": GlyphRenderer}))
    assert {one.glyph.image for one in drawn} == set(panels)
    for one in drawn:
        for title, values in panels.items():
            np.testing.assert_allclose(one.data_source.data[title][0], values, rtol=1e-6)
    for tool in hover_maps(panels).select({"type": HoverTool}):
        shown = dict(tool.tooltips)
        assert shown["current at 1 V / nA"] == "@{current at 1 V}"
        assert shown["reliability"] == "@{reliability}"


def test_pixels_lie_where_their_coordinates_say(panels: dict[str, xr.DataArray]) -> None:
    for one in hover_maps(panels).select({"type": GlyphRenderer}):
        box = {name: getattr(one.glyph, name) for name in ("x", "y", "dw", "dh")}
        assert box == {"x": 0.0, "y": 0.0, "dw": 8.0, "dh": 3.0}  # four of 2 um, three of 1 um
    plots = [plot for plot, *_ in hover_maps(panels).children]
    for plot in plots:
        assert (plot.y_range.start, plot.y_range.end) == (3.0, 0.0)  # rows run downwards
        assert plot.x_range is plots[0].x_range and plot.y_range is plots[0].y_range
        assert plot.frame_height / plot.frame_width == pytest.approx(3 / 4, abs=0.01)


def test_currents_are_on_a_logarithmic_scale(panels: dict[str, xr.DataArray]) -> None:
    kinds = [
        type(one.glyph.color_mapper) for one in hover_maps(panels).select({"type": GlyphRenderer})
    ]
    assert sorted(kinds, key=str) == [LinearColorMapper, LogColorMapper]


def test_a_page_of_them_asks_for_nothing_from_elsewhere(
    panels: dict[str, xr.DataArray], tmp_path: Path
) -> None:
    import hvplot.xarray  # noqa: F401  which has bokeh add scripts of its own

    write_interactive(tmp_path / "maps", hover_maps(panels), "")
    page = (tmp_path / "maps.html").read_text()
    assert "<script src=" not in page and "<link" not in page


def test_maps_of_different_grids_are_refused(panels: dict[str, xr.DataArray]) -> None:
    panels["reliability"] = panels["reliability"].isel(x=slice(3))
    with pytest.raises(DataError, match="one grid"):
        hover_maps(panels)
