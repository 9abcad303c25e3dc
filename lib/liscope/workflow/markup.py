"""Turns a notebook into static HTML: equations become MathML, nothing in it can run or load."""

from __future__ import annotations

import html
import threading
from copy import deepcopy
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from latex2mathml.converter import convert
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

# What only JavaScript can show; a figure that matters is delivered as a picture as well.
_INTERACTIVE = ("application/vnd.", "application/javascript")
_exporters = threading.local()
_ACTIVE = ("script", "iframe", "object", "embed", "link", "meta", "base", "form", "noscript")


class _Renderer(IPythonRenderer):
    def inline_math(self, body: str) -> str:
        return _mathml(body, "inline")

    def block_math(self, body: str) -> str:
        return _mathml(body, "block")

    def latex_environment(self, name: str, body: str) -> str:
        return _mathml(rf"\begin{{{name}}}{body}\end{{{name}}}", "block")


def to_page(notebook: Any, templates: Path, page: dict[str, Any]) -> str:
    """Return a notebook as a page, by the template ``liscope`` in the folder ``templates``."""
    converted = _exporter(templates).from_notebook_node(_static(notebook), resources={"page": page})
    return str(converted[0])


def _exporter(templates: Path) -> Any:
    """Return this thread's exporter, whose templates are compiled once."""
    exporter: Any = HTMLExporter  # nbconvert has no types
    ours = _exporters.__dict__.setdefault("by_folder", {})
    if templates not in ours:
        ours[templates] = exporter(
            extra_template_basedirs=[str(templates)],
            template_name="liscope",
            filters={"markdown2html": markdown, "inert": inert},
        )
    return ours[templates]


def markdown(source: str) -> str:
    """Return Markdown as HTML, with its equations as MathML."""
    renderer = _Renderer(escape=False, exclude_anchor_links=True)
    return str(MarkdownWithMath(renderer=renderer).render(source))


def inert(source: str) -> str:
    """Return HTML without what runs, loads, or leads to code."""
    soup = BeautifulSoup(source, "html.parser")
    for element in soup.find_all(_ACTIVE):
        element.decompose()
    for element in soup.find_all(True):
        for name in [name for name in element.attrs if name.lower().startswith("on")]:
            del element[name]
        address = str(element.get("href", "")).strip().lower()
        if address.startswith(("javascript:", "data:", "vbscript:")):
            del element["href"]
    for element in soup.find_all("img"):
        if not str(element.get("src", "")).startswith("data:image/"):
            element.replace_with(str(element.get("alt") or ""))
    return str(soup)


def _mathml(tex: str, display: str) -> str:
    try:
        return str(convert(tex.strip(), display=display))
    except Exception:  # the converter fails in many ways on TeX that it does not know
        return f"<code>{html.escape(tex)}</code>"


def _static(notebook: Any) -> Any:
    """Return a copy of a notebook in which only what a page can show is left."""
    notebook = deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if _shows(output)]
    return notebook


def _shows(output: Any) -> bool:
    """Drop from an output what is interactive; tell whether a static form of it is left."""
    if "data" not in output:
        return True
    interactive = [kind for kind in output.data if kind.startswith(_INTERACTIVE)]
    if not interactive:
        return True
    for kind in (*interactive, "text/html", "text/plain"):
        output.data.pop(kind, None)
    return bool(output.data)
