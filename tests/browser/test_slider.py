"""The slider between the two maps of an overlay moves the opacity in the browser alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from bokeh.resources import INLINE
from playwright.sync_api import Browser

from liscope import figures

ALPHA = """() => {
  const models = [...Bokeh.documents.flatMap(d => [...d._all_models.values()])];
  const drawn = models.filter(m => m.type == 'GlyphRenderer').map(m => m.glyph.global_alpha);
  return drawn.map(alpha => alpha.value ?? alpha);
}"""
MOVE = """value => {
  const models = [...Bokeh.documents.flatMap(d => [...d._all_models.values()])];
  models.find(m => m.type == 'Slider').value = value;
}"""


def _map(quantity: str, units: str) -> xr.DataArray:
    axis = ("x", np.arange(8) + 0.5, {"units": "um"})
    values = np.random.default_rng(0).uniform(1, 9, (8, 8))
    coords = {"y": ("y", *axis[1:]), "x": axis}
    return xr.DataArray(
        values, coords, ("y", "x"), quantity, {"quantity": quantity, "units": units}
    )


def test_the_slider_between_two_maps_moves_the_opacity(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "slider.html"
    figures.slider(_map("counts", "count"), _map("current", "nA")).save(file, resources=INLINE)
    page = browser.new_page()
    seen: list[str] = []
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.goto(file.as_uri())
    page.wait_for_function("window.Bokeh && Bokeh.documents.length > 0")
    page.wait_for_function(f"({ALPHA})().length == 2")
    assert sorted(page.evaluate(ALPHA)) == [0.5, 1.0]
    page.evaluate(MOVE, 0.2)
    assert sorted(page.evaluate(ALPHA)) == [0.2, 1.0]
    assert not seen
