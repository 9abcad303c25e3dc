"""Writes a plot that can be moved and hovered over as one page that needs no network."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from liscope.errors import RunError
from liscope.workflow.scenes import write_scene

if TYPE_CHECKING:
    import k3d
    from bokeh.models import LayoutDOM

FOLDER = "interactive"
# Scripts of the page itself may run (bokeh's own, and what links its plots); nothing is loaded.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
)
# Panel, where it is loaded, adds a script that lies on a server; these plots do not use it.
_LOADED = re.compile(r'<script[^>]*\ssrc="static/extensions/[^"]*"[^>]*>\s*</script>')
_RANDOM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def write_interactive(path: Path, plot: object, caption: str) -> None:
    """Write a plot of bokeh, HoloViews or k3d as ``<path>.html``, with all that it needs inside.

    What a plot asks of a kernel (a DynamicMap's callback) is not there any more: it stays as it
    is drawn first.

    Raises
    ------
    RunError
        If the plot is of another kind.
    """
    if _library(plot) == "k3d":
        return write_scene(path, cast("k3d.Plot", plot), caption)
    # Imported here: a run without such plots does without bokeh.
    from bokeh.embed import file_html
    from bokeh.resources import Resources
    from jinja2 import Environment, FileSystemLoader

    from liscope.workflow.pages import TEMPLATES, style

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    html = file_html(
        _as_bokeh(plot, path.name),
        Resources(mode="inline", log_level="error"),
        path.name,
        template=environment.get_template("interactive.html.j2"),
        template_variables={"caption": caption, "css": style(), "policy": POLICY},
    )
    Path(f"{path}.html").write_text(_renumbered(_LOADED.sub("", html)), encoding="utf-8")


def _as_bokeh(plot: Any, name: str) -> LayoutDOM:
    from bokeh.models import LayoutDOM

    if isinstance(plot, LayoutDOM):
        return plot
    if _library(plot) == "holoviews":
        import holoviews

        drawn = holoviews.renderer("bokeh").get_plot(plot).state
        if isinstance(drawn, LayoutDOM):
            return drawn
    raise RunError(f"interactive '{name}' is {type(plot).__name__}, not of bokeh, HoloViews or k3d")


def _library(plot: object) -> str:
    return type(plot).__module__.partition(".")[0]


def _renumbered(html: str) -> str:
    """Replace random names by numbers in order, so that the same plot gives the same bytes."""
    numbers = (f"id-{number:04d}" for number in count(1))
    known: dict[str, str] = {}

    def numbered(match: re.Match[str]) -> str:
        if match[0] not in known:
            known[match[0]] = next(numbers)
        return known[match[0]]

    return _RANDOM.sub(numbered, html)
