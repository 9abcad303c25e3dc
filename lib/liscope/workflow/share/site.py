"""The page by which a supplement opens: from the disk, without a network, whole."""

from __future__ import annotations

import base64
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from liscope.workflow.deliver import SUMMARY
from liscope.workflow.pages import (
    POLICY,
    TEMPLATES,
    captions,
    picture,
    read_json,
    shown,
    style,
    thumbnail_of,
)
from liscope.workflow.share.contents import Supplement
from liscope.workflow.share.digests import Digests
from liscope.workflow.share.inputs import Data
from liscope.workflow.share.selection import SharedRun

PAGE = "index.html"


def write_site(supplement: Supplement, digests: Digests) -> bytes:
    """Return the content of the supplement's ``index.html``; all its links are relative."""
    from jinja2 import Environment, FileSystemLoader  # here: a moment to load

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    by_title = groupby(supplement.runs, key=lambda run: run.workflow.title)
    first = supplement.runs[0].record
    page = environment.get_template("supplement.html.j2").render(
        policy=POLICY,
        css=style(),
        shown=shown,
        citation=supplement.citation,
        groups=[(title, list(map(_card, runs))) for title, runs in by_title],
        batches=supplement.batches,
        inputs=[_input(one, digests) for one in supplement.data.values()],
        record=first,
        licence=_link("LICENSE", digests),
        locked="requirements.lock" in digests,
        installable="pyproject.toml" in digests,
        number=len(supplement.runs),
    )
    return f"{page}\n".encode()


def _card(run: SharedRun) -> dict[str, Any]:
    folder = f"results/{quote(run.name)}"
    return {
        "record": run.record,
        "page": f"{folder}/index.html",
        "summary": read_json(run.folder / SUMMARY),
        "figures": [
            {"image": _image(picture(run.folder, name)), "caption": caption or name}
            for name, caption in captions(run.folder).items()
        ],
        "interactive": [
            {"page": f"{folder}/interactive/{name}.html", "caption": caption or name}
            for name, caption in captions(run.folder, "interactive").items()
        ],
    }


def _image(figure: Path) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(thumbnail_of(figure)).decode()}"


def _input(data: Data, digests: Digests) -> dict[str, Any]:
    files = [{"name": name, "link": quote(name), "sha256": digests[name][0]} for name in data.files]
    return {"data": data, "files": files}


def _link(name: str, digests: Digests) -> str:
    return name if name in digests else ""
