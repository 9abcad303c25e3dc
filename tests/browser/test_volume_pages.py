"""Pages of a volume open from the disk without a network: a scene that turns, cuts with sliders."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page

sys.path.insert(0, str(Path(__file__).parents[1] / "figures"))

import volume_phantom

from liscope.figures import render_volume, volume_slider
from liscope.workflow.interactive import write_interactive

SLIDE = """([dim, value]) => {
  const models = Bokeh.documents.flatMap(d => [...d._all_models.values()]);
  models.find(m => m.type == 'Slider' && m.title.startsWith(dim)).value = value;
}"""
TITLES = """() => Bokeh.documents.flatMap(d => [...d._all_models.values()])
  .filter(m => m.type == 'Slider').map(m => m.title).sort()"""


@pytest.fixture
def opened(browser: Browser) -> Iterator[tuple[Page, list[str]]]:
    """A page that notes what it asks of elsewhere, and every complaint."""

    def note(message: ConsoleMessage) -> None:
        # Chromium itself warns where the processor draws; K3D tells what it reads.
        if message.type == "error" or (message.type == "warning" and "GL" not in message.text):
            noted.append(message.text)

    context = browser.new_context(offline=True, viewport={"width": 900, "height": 700})
    page = context.new_page()
    noted: list[str] = []
    page.on("request", lambda one: noted.append(one.url) if _leaves(one.url) else None)
    page.on("console", note)
    page.on("pageerror", lambda error: noted.append(str(error)))
    yield page, noted
    context.close()


def _leaves(address: str) -> bool:
    return not (address.startswith(("data:", "blob:")) or address.endswith(".html"))


def _seen(page: Page, place: str) -> np.ndarray:
    picture = Image.open(io.BytesIO(page.locator(place).first.screenshot()))
    return np.asarray(picture.convert("RGB")).astype(int)


def _share(seen: np.ndarray, colour: tuple[int, int, int]) -> float:
    """The share of a picture in about this hue."""
    return float((np.abs(seen - colour).max(-1) < 40).mean())


def test_a_scene_turns_without_a_network(opened: tuple[Page, list[str]], tmp_path: Path) -> None:
    write_interactive(tmp_path / "volume", render_volume(volume_phantom.phases()), "phases")
    page, noted = opened
    page.goto((tmp_path / "volume.html").as_uri())
    page.wait_for_function("window.scene", timeout=60_000)
    page.wait_for_selector("#target canvas")
    page.get_by_text("LLZTO").first.wait_for(state="visible")
    page.wait_for_timeout(1500)  # drawn when the browser has time
    before = _seen(page, "#target")
    blue, orange = (0, 114, 178), (230, 159, 0)
    assert _share(before, blue) > 0.01 and _share(before, orange) > 0.02
    box = page.locator("#target").bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.55 * box["height"], steps=4)
    page.mouse.up()
    page.wait_for_timeout(1500)
    after = _seen(page, "#target")
    assert (np.abs(after - before).max(-1) > 60).mean() > 0.01
    assert _share(after, orange) > 0.005
    assert noted == []


def test_a_scale_bar_and_the_axes_are_labelled_from_the_start(
    opened: tuple[Page, list[str]], tmp_path: Path
) -> None:
    write_interactive(tmp_path / "volume", render_volume(volume_phantom.phases()), "phases")
    page, _ = opened
    page.goto((tmp_path / "volume.html").as_uri())
    page.wait_for_function("window.scene", timeout=60_000)
    # K3D parks what it has found no place for at -1000 px.
    shown = """text => {
      const frame = document.getElementById('target').getBoundingClientRect();
      const texts = [...document.querySelectorAll('#target div[style*="translate"]')];
      return texts.some(one => {
        const box = one.getBoundingClientRect();
        return one.innerText.includes(text) && box.width > 0 && box.left > frame.left
          && box.right < frame.right && box.top > frame.top && box.bottom < frame.bottom;
      });
    }"""
    for text in ("1μm", "x/μm", "y/μm", "LCO"):  # the bar's, the axes', the legend's
        page.wait_for_function(shown, arg=text, timeout=10_000)


def test_a_slider_moves_the_cut_its_line_and_its_title(
    opened: tuple[Page, list[str]], tmp_path: Path
) -> None:
    layout = volume_slider(volume_phantom.phases())
    write_interactive(tmp_path / "cuts", layout, "cuts")
    page, noted = opened
    page.goto((tmp_path / "cuts.html").as_uri())
    page.wait_for_function("window.Bokeh && Bokeh.documents.length > 0")
    page.wait_for_selector("canvas")
    page.wait_for_timeout(500)
    assert page.evaluate(TITLES) == ["x = 2.00 um", "y = 1.20 um", "z = 0.60 um"]
    blue = (0, 114, 178)
    middle = _share(_seen(page, ".interactive"), blue)
    page.evaluate(SLIDE, ["z", 0])  # 0.6 um above the middle of a ball of 0.45 um
    page.wait_for_timeout(500)
    assert page.evaluate(TITLES)[2] == "z = 0.00 um"
    edge = _share(_seen(page, ".interactive"), blue)
    assert 0 < edge < 0.8 * middle  # gone from above, still there in the other cuts
    page.evaluate(SLIDE, ["y", 0])
    page.evaluate(SLIDE, ["x", 49])
    page.wait_for_timeout(500)
    legend = _share(_seen(page, ".interactive"), blue)
    assert legend < edge
    page.evaluate(SLIDE, ["x", 20])  # through the ball again
    page.wait_for_timeout(500)
    assert _share(_seen(page, ".interactive"), blue) > legend
    assert noted == []
