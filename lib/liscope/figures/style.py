"""The look that all figures share, and how one is shown with its caption."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

BLUE, ORANGE, GREY, GREEN = "#0072B2", "#D55E00", "#666666", "#009E73"  # Okabe & Ito

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "figure.dpi": 100,
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "image.interpolation": "nearest",
}
mpl.rcParams.update(STYLE)

COLOURS = {
    "height": "cividis",
    "current": "inferno",
    "change": "PuOr_r",
    "counts": "viridis",
    "ions": "cividis",
}


def show(figure: Figure, caption: str) -> tuple[Figure, str]:
    """Display a figure with its caption below, and return both for `deliver`."""
    from IPython.display import Image, Markdown, display

    buffer = io.BytesIO()
    # Without the version of matplotlib, the same figure is the same bytes.
    figure.savefig(buffer, dpi=100, bbox_inches="tight", metadata={"Software": None})
    display(Image(_small(buffer.getvalue())))  # type: ignore[no-untyped-call]
    display(Markdown(f"*{caption}*"))  # type: ignore[no-untyped-call]
    return figure, caption


def _small(png: bytes) -> bytes:
    """Return a PNG with a palette of 256 colours: a third of the size, the same to the eye."""
    from PIL import Image

    buffer = io.BytesIO()
    image = Image.open(io.BytesIO(png)).convert("RGB")
    # Maximum coverage keeps rare colours, which a median cut would merge into other hues.
    palette = image.quantize(
        256, method=Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE
    )
    palette.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def axes_row(width: float, height: float, columns: int = 1, **ratios: Any) -> tuple[Figure, Any]:
    """Return a figure of that size in inches and its axes in one row."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(1, columns, squeeze=False, gridspec_kw=ratios)[0]
