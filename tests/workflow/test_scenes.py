"""Scenes to turn and films leave a notebook whole, and are compared by what they show."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import k3d
import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image
from test_parameters import Scan

from liscope.errors import RunError
from liscope.workflow.deliver import deliver
from liscope.workflow.interactive import write_interactive
from liscope.workflow.pages import _figure, picture, thumbnail_of
from liscope.workflow.share.comparison import CLOSE, DIFFERS, SAME, compare
from liscope.workflow.share.plots import scene_of

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
SIDES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.uint32)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setenv("LISCOPE_RUN", str(folder))
    return folder


def scene(corners: np.ndarray = CORNERS) -> k3d.Plot:
    plot = k3d.plot()
    plot += k3d.mesh(corners, SIDES, color=0x0072B2)
    plot += k3d.text2d("a", is_html=True)
    return plot


def film(*greys: int) -> bytes:
    frames = [Image.new("L", (20, 10), grey) for grey in greys]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=50)
    return buffer.getvalue()


def test_a_scene_becomes_a_page_whose_scripts_alone_may_run(folder: Path) -> None:
    deliver(Scan(), interactive={"volume": (scene(), "<A & B>")})
    assert json.loads((folder / "interactive/captions.json").read_text()) == {"volume": "<A & B>"}
    text = (folder / "interactive/volume.html").read_text()
    page = BeautifulSoup(text, "html.parser")
    assert page.h1.get_text() == "<A & B>"
    assert page.select("[src], link, iframe, object") == []
    policy = html.unescape(page.find("meta", {"http-equiv": True})["content"])
    rules = dict(rule.split(maxsplit=1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'" and "unsafe" not in rules["script-src"]
    scripts = [one.string for one in page.find_all("script") if one.get("type") is None]
    digests = [base64.b64encode(hashlib.sha256(one.encode()).digest()) for one in scripts]
    assert rules["script-src"].split() == [f"'sha256-{one.decode()}'" for one in digests]
    assert "url(fonts/" not in re.sub(r"sourcesContent:\[.*?\]\}", "", scripts[1])


def test_the_same_scene_is_the_same_bytes(tmp_path: Path) -> None:
    kept = []  # so that the second one has other addresses in memory
    for name in ("one", "two"):
        kept.append(scene())
        write_interactive(tmp_path / name, kept[-1], "caption")
    one, two = ((tmp_path / f"{name}.html").read_bytes() for name in ("one", "two"))
    assert one == two.replace(b"<title>two", b"<title>one")
    assert len({one.id for plot in kept for one in plot.objects}) == 4  # JupyterLab needs them


def test_what_a_page_shows_is_what_was_drawn(tmp_path: Path) -> None:
    write_interactive(tmp_path / "volume", scene(), "")
    arrays = scene_of(tmp_path / "volume.html")
    assert any(np.array_equal(one, CORNERS) for one in arrays)
    assert any(np.array_equal(one, SIDES) for one in arrays)


@pytest.fixture
def verdict(tmp_path: Path) -> Callable[[str, object, object], tuple[str, str]]:
    def judged(name: str, one: object, other: object) -> tuple[str, str]:
        for side, content in (("old", one), ("new", other)):
            path = tmp_path / side / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                write_interactive(path.with_suffix(""), content, "")
        (found,) = compare(tmp_path / "old", tmp_path / "new")
        return found.state, found.detail

    return judged


def test_scenes_are_compared_by_their_numbers(
    verdict: Callable[[str, object, object], tuple[str, str]],
) -> None:
    assert verdict("interactive/v.html", scene(), scene())[0] == SAME
    close = verdict("interactive/v.html", scene(), scene(CORNERS * np.float32(1 + 2e-7)))
    assert close[0] == CLOSE
    apart = verdict("interactive/v.html", scene(), scene(CORNERS * 1.1))
    assert apart == (DIFFERS, "largest relative difference 9.1e-02")
    more = verdict("interactive/v.html", scene(), scene(np.concatenate([CORNERS, CORNERS])))
    assert more == (DIFFERS, "shows surfaces of other shapes")


def test_a_damaged_or_absurd_scene_differs(
    verdict: Callable[[str, object, object], tuple[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = b'<script type="text/plain" id="scene">eJzzz==</script>'
    state, detail = verdict("interactive/v.html", broken, broken + b" ")
    assert state == DIFFERS and "cannot be read" in detail
    write_interactive(tmp_path / "large", scene(), "")
    monkeypatch.setattr("liscope.workflow.share.plots._LARGEST", 1000)
    with pytest.raises(ValueError, match="cut off or too large"):
        scene_of(tmp_path / "large.html")


def test_films_are_compared_picture_by_picture(
    verdict: Callable[[str, object, object], tuple[str, str]],
) -> None:
    assert verdict("figures/f.gif", film(10, 100), film(10, 100))[0] == SAME
    assert verdict("figures/f.gif", film(10, 100), film(10, 103))[0] == CLOSE
    assert verdict("figures/f.gif", film(10, 100), film(10, 150))[0] == DIFFERS
    assert verdict("figures/f.gif", film(10, 100), film(10, 50, 100)) == (
        DIFFERS,
        "2 -> 3 pictures",
    )


def test_a_film_is_written_as_it_is_and_shown_on_the_page(folder: Path) -> None:
    gif = film(10, 200)
    deliver(Scan(), figures={"slices": (gif, "through the slices")})
    assert (folder / "figures/slices.gif").read_bytes() == gif
    assert picture(folder, "slices").name == "slices.gif"
    shown = _figure(folder, "slices", "through the slices")
    assert shown["data"] == "data:image/gif;base64," + base64.b64encode(gif).decode()
    assert shown["forms"] == ["gif"]
    assert Image.open(io.BytesIO(thumbnail_of(folder / "figures/slices.gif"))).format == "JPEG"


@pytest.mark.parametrize(
    ("item", "fault"),
    [(b"text", "is bytes, but no GIF"), (b"GIF89a" + bytes(5_000_000), "has 5.0 MB, more than 5")],
)
def test_what_is_no_film_or_too_long_a_one_is_refused(
    folder: Path, item: bytes, fault: str
) -> None:
    with pytest.raises(RunError, match=fault):
        deliver(Scan(), figures={"slices": item})


def test_without_scenes_a_run_does_without_k3d() -> None:
    code = "import liscope.workflow.deliver, liscope.figures, sys; print('k3d' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
