"""A browser without a network opens the pages from the disk."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow"))

import toy_project

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a run whose notebook also shows what only JavaScript could draw."""
    interactive = (
        "from IPython.display import HTML, display\n"
        "display({'text/html': '<script>alert(1)</script>interactive', "
        "'application/vnd.holoviews_exec.v0+json': ''}, raw=True)\n"
        'display(HTML(\'<script>throw 1</script><img src="http://a.example/x.png" alt="gone">\''
        "'<b onclick=\"alert(1)\">static</b>'))\n"
    )
    cells = {"work": interactive + toy_project.CELLS["work"]}
    root = toy_project.make(tmp_path_factory.mktemp("pages"), **cells)
    process = toy_project.command(root, "run", "--all")
    assert process.returncode == 0, process.stderr
    return root / "results"


@pytest.fixture(scope="session")
def real_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of the first workflow of this project, run in a copy of it."""
    root = tmp_path_factory.mktemp("project")
    for name in ("notebooks", "params"):
        shutil.copytree(ROOT / name, root / name)
    command = [sys.executable, "-m", "liscope", "run", "tip_stress_maps"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return root / "results"


def test_the_pages_of_a_real_workflow_open_offline(browser: Browser, real_results: Path) -> None:
    (folder,) = (real_results / "tip_stress_maps").glob("lmo-*")
    for page_file, equations in ((folder / "index.html", 5), (real_results / "index.html", 0)):
        page = browser.new_page(viewport={"width": 1100, "height": 900})
        seen: list[str] = []
        page.on("request", lambda request, seen=seen: seen.append(request.url))
        page.on("console", lambda message, seen=seen: seen.append(message.text))
        page.on("pageerror", lambda error, seen=seen: seen.append(str(error)))
        page.goto(page_file.as_uri())
        assert [entry for entry in seen if not entry.startswith(("file:", "data:"))] == []
        widths = page.eval_on_selector_all("img", "all => all.map(one => one.naturalWidth)")
        assert widths and all(width > 100 for width in widths)
        heights = page.eval_on_selector_all(
            "math", "all => all.map(one => one.getBoundingClientRect().height)"
        )
        assert len(heights) >= equations and all(height > 5 for height in heights)
        page.close()


@pytest.fixture(params=["light", "dark"])
def opened(request: pytest.FixtureRequest, browser: Browser) -> Iterator[tuple[Page, list[str]]]:
    """A page that notes every request to anywhere else, and every complaint of the browser."""
    page = browser.new_page(color_scheme=request.param, viewport={"width": 1100, "height": 900})
    noted: list[str] = []
    page.on("request", lambda asked: noted.append(asked.url) if _leaves(asked.url) else None)
    page.on("console", lambda message: noted.append(message.text))
    page.on("pageerror", lambda error: noted.append(str(error)))
    yield page, noted
    page.close()


def _leaves(address: str) -> bool:
    return not address.startswith(("file://", "data:image/"))


def _assert_images_and_width(page: Page) -> None:
    widths = page.eval_on_selector_all("img", "found => found.map(image => image.naturalWidth)")
    assert widths and all(width > 0 for width in widths)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_page_of_a_run(results: Path, opened: tuple[Page, list[str]]) -> None:
    page, noted = opened
    (file,) = results.glob("toy/first-*/index.html")
    page.goto(file.as_uri())
    _assert_images_and_width(page)
    boxes = [equation.bounding_box() for equation in page.query_selector_all("math")]
    assert len(boxes) == 2
    assert all(box and box["width"] > 10 and box["height"] > 10 for box in boxes)
    assert page.inner_text("h1 >> nth=0") == "Toy sums over a scan"
    code = page.query_selector("details.code pre")
    assert code and not code.is_visible()
    page.click("details.code summary >> nth=0")
    assert code.is_visible()
    assert page.query_selector("script") is None
    assert page.inner_text("main").count("static") == 1
    assert "interactive" not in page.inner_text("main")
    assert noted == []


def test_the_overview_leads_to_the_run(results: Path, opened: tuple[Page, list[str]]) -> None:
    page, noted = opened
    page.goto((results / "index.html").as_uri())
    _assert_images_and_width(page)
    page.click("article a >> nth=0")
    assert page.inner_text("h1 >> nth=0") == "Toy sums over a scan"
    assert noted == []


def test_a_telephone_needs_no_sideways_scrolling(
    results: Path, opened: tuple[Page, list[str]]
) -> None:
    page, noted = opened
    page.set_viewport_size({"width": 360, "height": 700})
    for file in [*results.glob("toy/first-*/index.html"), results / "index.html"]:
        page.goto(file.as_uri())
        _assert_images_and_width(page)
    assert noted == []
