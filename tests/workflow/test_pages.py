from __future__ import annotations

import json
import os
import re
import shutil
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from toy_project import command, shown_folders

from liscope.workflow.markup import inert, markdown
from liscope.workflow.overview import write_overview
from liscope.workflow.project import Project


class Addresses(HTMLParser):
    """Collects tags and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.found: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [(tag, value or "") for name, value in attrs if name in ("src", "href")]
        assert not [name for name, _ in attrs if name.startswith("on")]


def test_pages_are_self_contained_and_their_links_lead_somewhere(done: Path) -> None:
    (folder,) = shown_folders(done)
    for page in (folder / "index.html", done / "results/index.html"):
        text = page.read_text()
        found = Addresses(text)
        assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in unescape(text)
        assert not {"script", "link", "iframe", "object"} & found.tags
        images = [address for tag, address in found.found if tag == "img"]
        assert images and all(address.startswith("data:image/") for address in images)
        links = [address for tag, address in found.found if tag == "a"]
        if page.parent == folder:
            assert {"tables/terms.csv", "figures/growth.svg", "record.json"} <= set(links)
        assert links and all((page.parent / address).is_file() for address in links)
        assert "url(" not in text and "@import" not in text


def test_the_page_shows_parameters_summary_equations_and_folded_code(done: Path) -> None:
    (folder,) = shown_folders(done)
    text = (folder / "index.html").read_text()
    rows = {re.sub(r"(<[^>]+>\s*)+", "|", row) for row in text.split("<tr>")}
    assert "|bias|2|V|bias during read-out|" in rows
    assert "|total_V|42|" in rows
    assert text.count("<math") == 2 and "<mfrac>" in text and "$" not in text
    assert text.count('<details class="code">') == 6 and "<details open" not in text
    assert "How the sum grows" in text and "Toy sums over a scan" in text
    with Image.open(folder / "thumbnail.jpg") as thumbnail:
        assert max(thumbnail.size) <= 480 or thumbnail.width == 480


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<IMG SRC='http://a.example/x.png' alt='picture'>",
        "<a href=' javascript:alert(1)'>x</a>",
        "<iframe src='data:text/html,x'></iframe>",
        "<svg onload=alert(1)><circle/></svg>",
        "<link rel=stylesheet href=http://a.example/x.css>",
        "<meta http-equiv=refresh content='0;http://a.example'>",
        "<form action=http://a.example><object data=x></object></form>",
    ],
)
def test_nothing_in_an_output_runs_or_loads(hostile: str) -> None:
    clean = inert(f"<b>before</b>{hostile}<b>after</b>").lower()
    for word in ("script", "alert", "http:", "onerror", "onload", "iframe", "<object", "data:"):
        assert word not in clean
    assert "before" in clean and "after" in clean


def test_static_html_stays_as_it_is() -> None:
    kept = '<table><tr style="color:red"><td>1 &lt; 2</td></tr></table><a href="x.csv">x</a>'
    assert inert(kept) == kept


def test_equations_and_what_is_no_equation() -> None:
    assert '<math xmlns="http://www.w3.org/1998/Math/MathML" display="inline">' in markdown("$x$")
    assert 'display="block"' in markdown("$$\\frac{a}{b}$$")
    assert "<mtable" in markdown("\\begin{align}a &= b\\\\ c &= d\\end{align}")
    assert "<math" not in markdown("costs \\$5 and `$x$`")
    assert "<code>a_b_&lt;</code>" in markdown("$a_b_<$")


def test_the_overview_shows_the_newest_run_of_each_sample(done: Path, tmp_path: Path) -> None:
    root = shutil.copytree(done, tmp_path / "copy")
    (new,) = shown_folders(root)
    old = shutil.copytree(new, new.with_name("first-000000000000"))
    record = json.loads((old / "record.json").read_text())
    record |= {"key": "000000000000", "ended": "2020-01-01T00:00:00+00:00"}
    (old / "record.json").write_text(json.dumps(record))
    hidden = shutil.copytree(new, new.with_name(".running-first-0123456789ab-token"))
    half = new.with_name("half-0123456789ab")
    half.mkdir()
    text = write_overview(Project(root)).read_text()
    assert text.count('<article class="card">') == 1
    assert text.index(new.name) < text.index("Earlier runs") < text.index(old.name)
    assert "1 samples" not in text and "1 sample, 1 earlier run" in text
    assert hidden.name not in text and half.name not in text
    assert not list((root / "results").glob(".index-*"))


def test_the_overview_is_written_by_every_run(done: Path, tmp_path: Path) -> None:
    root = shutil.copytree(done, tmp_path / "copy")
    page = root / "results/index.html"
    os.truncate(page, 0)
    assert command(root, "run", "--all").returncode == 0
    assert "<article" in page.read_text()
