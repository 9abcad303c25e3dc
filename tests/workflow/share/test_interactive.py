from __future__ import annotations

import html
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bokeh.layouts import column
from bokeh.models import CustomJS, Slider
from bokeh.plotting import figure as plot
from bs4 import BeautifulSoup
from share_toy import CELLS, contents

from liscope.errors import RunError
from liscope.parameters.tip_stress_maps import TipStressMaps
from liscope.workflow.deliver import deliver

DRAW = """
import sys
from pathlib import Path
import holoviews as hv
import numpy as np
from liscope.workflow.interactive import write_interactive
hv.extension("bokeh")
image = hv.Image(np.arange(64.0).reshape(8, 8)).opts(tools=["hover"])
write_interactive(Path(sys.argv[1]), image + image, "two maps")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LISCOPE_RUN", str(tmp_path))
    return tmp_path


def test_plots_become_pages_with_all_that_they_need(folder: Path) -> None:
    slider = Slider(start=0, end=1, value=0, step=0.1)
    slider.js_on_change("value", CustomJS(code="document.title = 'moved'"))
    drawn = plot(width=200, height=200)
    drawn.line([0, 1], [0, 1])
    shown = {"plain": drawn, "titled": (column(slider, plot(width=100, height=100)), "<A & B>")}
    deliver(TipStressMaps(), summary={"a": 1}, interactive=shown)
    captions = json.loads((folder / "interactive/captions.json").read_text())
    assert captions == {"plain": "", "titled": "<A & B>"}
    page = (folder / "interactive/titled.html").read_text()
    assert "<h1>&lt;A &amp; B&gt;</h1>" in page and "<title>titled</title>" in page
    assert "default-src 'none'" in html.unescape(page)
    loading = BeautifulSoup(page, "html.parser").select("[src], link, iframe, object")
    assert loading == []


@pytest.mark.parametrize("item", ["text", 5, None, np.zeros(3), {"a": 1}])
def test_what_is_no_plot_is_refused(folder: Path, item: object) -> None:
    with pytest.raises(RunError, match=r"interactive 'x' is .*, not of bokeh, HoloViews or k3d"):
        deliver(TipStressMaps(), interactive={"x": item})
    with pytest.raises(RunError, match="no name for a result"):
        deliver(TipStressMaps(), interactive={"../x": plot()})


def test_by_hand_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LISCOPE_RUN", raising=False)
    monkeypatch.chdir(tmp_path)
    deliver(TipStressMaps(), interactive={"x": plot()})
    assert list(tmp_path.iterdir()) == []


def test_a_holoviews_plot_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        command = [sys.executable, "-c", DRAW, str(tmp_path / name / "maps")]
        subprocess.run(command, check=True, capture_output=True)
    pages = [(tmp_path / name / "maps.html").read_bytes() for name in ("one", "two")]
    assert pages[0] == pages[1] and b"two maps" in pages[0]


def test_the_page_of_the_run_and_the_supplement_lead_there(supplement: Path) -> None:
    assert "Squares to hover over" in CELLS["deliver"]
    members = contents(supplement)
    (page,) = (name for name in members if name.endswith("interactive/squares.html"))
    run = members[page.replace("interactive/squares", "index")].decode()
    assert '<a href="interactive/squares.html">Squares to hover over</a>' in run
    assert f'<a href="{page}">Squares to hover over</a>' in members["index.html"].decode()
