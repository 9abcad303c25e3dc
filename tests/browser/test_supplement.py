"""A supplement that was unpacked opens from the disk in a browser without a network."""

from __future__ import annotations

import shutil
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow"))
sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "share"))

import share_toy

ROOT = Path(__file__).parents[2]
HOVER = """() => {
  const figures = Bokeh.documents.flatMap(d => [...d._all_models.values()]);
  return figures.filter(model => model.type == 'HoverTool').length;
}"""


def unpacked(archive: Path, folder: Path) -> Path:
    """Unpack as a reader does, with another program than ours."""
    with zipfile.ZipFile(archive) as source:
        source.extractall(folder)
    return folder


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = share_toy.make(tmp_path_factory.mktemp("shared"))
    library = share_toy.install(tmp_path_factory.mktemp("library"))
    for arguments in (["run", "toy", "-f", "params/toy/own.yaml"], ["share", "--all"]):
        done = share_toy.command(root, library, *arguments)
        assert done.returncode == 0, done.stderr
    return unpacked(root / "supplement.zip", tmp_path_factory.mktemp("un packed"))


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The supplement of a workflow of this project, run in a copy of it."""
    root = tmp_path_factory.mktemp("project")
    for name in ("notebooks", "params"):
        shutil.copytree(ROOT / name, root / name)
    library = share_toy.install(tmp_path_factory.mktemp("library"))
    run = ["run", "tip_stress_maps", "-f", "params/tip_stress_maps/lmo.yaml"]
    for arguments in (run, ["share", "tip_stress_maps"]):
        done = share_toy.command(root, library, *arguments)
        assert done.returncode == 0, done.stderr
    return unpacked(root / "supplement.zip", tmp_path_factory.mktemp("unpacked"))


@contextmanager
def opened(browser: Browser, **options: object) -> Iterator[tuple[Page, list[str]]]:
    """Open a page that notes requests to elsewhere, failed ones, and complaints."""

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            noted.append(message.text)

    context = browser.new_context(offline=True, viewport={"width": 1100, "height": 900}, **options)
    page = context.new_page()
    noted: list[str] = []
    page.on("request", lambda one: noted.append(one.url) if _leaves(one.url) else None)
    page.on("requestfailed", lambda one: noted.append(f"failed: {one.url[:200]}"))
    page.on("console", note)
    page.on("pageerror", lambda error: noted.append(str(error)))
    yield page, noted
    context.close()


def _leaves(address: str) -> bool:
    return not address.startswith(("file://", "data:", "blob:"))


def _check(page: Page, figures: int, equations: int) -> None:
    widths = page.eval_on_selector_all("img", "all => all.map(one => one.naturalWidth)")
    assert len(widths) >= figures and all(width > 100 for width in widths)
    heights = page.eval_on_selector_all(
        "math", "all => all.map(one => one.getBoundingClientRect().height)"
    )
    assert len(heights) >= equations and all(height > 5 for height in heights)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def _links(page: Page) -> list[str]:
    return page.eval_on_selector_all("a", "all => all.map(one => one.getAttribute('href'))")


def _check_links(file: Path, links: list[str], folder: Path) -> None:
    for link in links:
        if not link.startswith(("#", "https://doi.org/", "https://raw.")):
            target = (file.parent / link.replace("%20", " ")).resolve()
            there = target.is_file() or (target / "zarr.json").is_file()  # a volume is a folder
            assert there and target.is_relative_to(folder), link


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_the_supplement_of_a_toy(browser: Browser, toy: Path, colours: str) -> None:
    with opened(browser, color_scheme=colours) as (page, noted):
        page.goto((toy / "index.html").as_uri())
        assert page.inner_text("h1") == "Sums of <toys>"
        _check(page, figures=1, equations=0)
        _check_links(toy / "index.html", _links(page), toy)
        text = page.inner_text("body")
        for part in (
            "Ada Example",
            "doi:10.1234/toys",
            "liscope rerun",
            "data/my scan.csv",
            "sha256",
        ):
            assert part in text
        page.click("h4 a >> nth=0")
        assert page.inner_text("h1 >> nth=0").startswith("Tip-stress maps")
        _check(page, figures=1, equations=2)
        (run,) = toy.glob("results/toy/own-*")
        _check_links(run / "index.html", _links(page), toy)
        page.click("#interactive a")
        page.wait_for_function("window.Bokeh && Bokeh.documents.length > 0")
        page.wait_for_selector("canvas")
        assert noted == []


def test_a_page_to_hover_over_shows_the_value_under_the_pointer(
    browser: Browser, toy: Path
) -> None:
    (file,) = toy.glob("results/toy/own-*/interactive/squares.html")
    with opened(browser) as (page, noted):
        page.goto(file.as_uri())
        page.wait_for_function("window.Bokeh && Bokeh.documents.length > 0")
        page.wait_for_selector("canvas")
        assert page.evaluate(HOVER) == 1
        box = page.locator(".bk-Canvas, canvas").first.bounding_box()
        assert box
        page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
        page.mouse.move(box["x"] + box["width"] * 0.55, box["y"] + box["height"] * 0.45)
        page.wait_for_selector(".bk-Tooltip", state="visible", timeout=10_000)
        assert page.locator(".bk-tooltip-row-value").first.inner_text() != "???"
        assert noted == []


def test_a_telephone_needs_no_sideways_scrolling(browser: Browser, toy: Path) -> None:
    with opened(browser) as (page, noted):
        page.set_viewport_size({"width": 360, "height": 700})
        page.goto((toy / "index.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert noted == []


def test_the_supplement_of_a_real_workflow(browser: Browser, real: Path) -> None:
    (run,) = real.glob("results/tip_stress_maps/lmo-*")
    figures = len(list(run.glob("figures/*.png")))
    with opened(browser) as (page, noted):
        page.goto((real / "index.html").as_uri())
        _check(page, figures=figures, equations=0)
        _check_links(real / "index.html", _links(page), real)
        page.goto((run / "index.html").as_uri())
        _check(page, figures=figures, equations=5)
        for file in run.glob("interactive/*.html"):
            page.goto(file.as_uri())
            page.wait_for_function("window.Bokeh && Bokeh.documents.length > 0")
            page.wait_for_selector("canvas")
        assert noted == []
