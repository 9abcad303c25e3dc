"""One page for a run: self-contained, static, and readable from a disk without a network."""

from __future__ import annotations

import base64
import io
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from liscope.ome_zarr_files import OME_ZARR
from liscope.workflow.deliver import CAPTIONS, SUMMARY, VOLUMES
from liscope.workflow.interactive import FOLDER as INTERACTIVE
from liscope.workflow.markup import to_page
from liscope.workflow.parameters import Parameters

TEMPLATES = Path(__file__).parent / "templates"
THUMBNAIL = "thumbnail.jpg"
# Nothing is loaded and nothing is executed, whatever a notebook's output holds.
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
_THUMBNAIL_WIDTH = 480


def write_page(
    folder: Path, record: dict[str, Any], notebook: Any, model: type[Parameters]
) -> None:
    """Write ``index.html`` and a thumbnail into the folder of a run."""
    names = list(captions(folder))
    page = {
        "record": record,
        "policy": POLICY,
        "css": style() + _highlighting(),
        "code": _code(record["code"]),
        "links": [*_outputs(folder), "notebook.ipynb", "record.json"],
        "summary": read_json(folder / SUMMARY),
        "figures": [_figure(folder, name, text) for name, text in captions(folder).items()],
        "interactive": captions(folder, INTERACTIVE),
        "parameters": [
            {"name": name, "value": value, **_meaning(model, name)}
            for name, value in record["parameters"].items()
        ],
        "shown": shown,
    }
    html = to_page(notebook, TEMPLATES, page)
    (folder / "index.html").write_text(html, encoding="utf-8")
    if names:
        first = thumbnail_of(picture(folder, names[0]))
        (folder / THUMBNAIL).write_bytes(first)


def captions(folder: Path, kind: str = "figures") -> dict[str, str]:
    """Return the figures of a run and their captions, in the notebook's order.

    With ``kind`` "interactive", what there is to hover over.
    """
    file = folder / kind / CAPTIONS
    return read_json(file) if file.is_file() else {}


def picture(folder: Path, name: str) -> Path:
    """Return the file of a run's figure that a page can show: a PNG, or an animation's GIF."""
    moving = folder / "figures" / f"{name}.gif"
    return moving if moving.is_file() else moving.with_suffix(".png")


def read_json(file: Path) -> dict[str, Any]:
    """Return a file that holds one JSON object."""
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def image(file: Path) -> str:
    """Return a PNG, GIF or JPEG file as an address that holds the image itself."""
    kind = {".png": "png", ".gif": "gif"}.get(file.suffix, "jpeg")
    return f"data:image/{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"


def shown(value: object) -> str:
    """Return a value for a reader: numbers with six significant digits."""
    if value is None:
        return "–"
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


@lru_cache(maxsize=1)
def style() -> str:
    """Return the style of all pages."""
    return (TEMPLATES / "page.css").read_text(encoding="utf-8")


def _highlighting() -> str:
    from pygments.formatters import HtmlFormatter

    light = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    flat = ".highlight, .highlight pre { background: var(--tint); }"
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n{flat}"


def _outputs(folder: Path) -> list[str]:
    found = [path for kind in ("tables", "arrays") for path in folder.glob(f"{kind}/*")]
    names = sorted(path.relative_to(folder).as_posix() for path in found)
    # A volume is a folder of many files: the link leads to the folder.
    volumes = sorted(f"{VOLUMES}/{path.name}/" for path in folder.glob(f"{VOLUMES}/*{OME_ZARR}"))
    return [*names, *volumes, SUMMARY]


def _figure(folder: Path, name: str, caption: str) -> dict[str, Any]:
    shown = picture(folder, name)
    forms = ["gif"] if shown.suffix == ".gif" else ["svg", "png"]
    return {"name": name, "caption": caption, "data": image(shown), "forms": forms}


def _meaning(model: type[Parameters], name: str) -> dict[str, str]:
    meaning = model.meaning(name)
    return {"unit": meaning.unit, "meaning": meaning.meaning.replace("`", "")}


def _code(version: dict[str, Any]) -> str:
    text = f"liscope {version['liscope']}"
    if commit := version.get("commit"):
        text += f", commit {commit[:10]}" + (" with changes" if version["modified"] else "")
    return text


def thumbnail_of(figure: Path) -> bytes:
    """Return a small JPEG of a figure."""
    from PIL import Image

    with Image.open(figure) as picture:
        small = picture.convert("RGBA")
        small.thumbnail((_THUMBNAIL_WIDTH, 4 * _THUMBNAIL_WIDTH))
        white = Image.new("RGBA", small.size, "white")
        buffer = io.BytesIO()
        Image.alpha_composite(white, small).convert("RGB").save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
