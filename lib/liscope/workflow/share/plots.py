"""What a page to hover over shows: the arrays in it, whichever version of bokeh wrote it."""

from __future__ import annotations

import base64
import html
import json
import math
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

_DATA = re.compile(r'<script type="application/json"[^>]*>(.*?)</script>', re.DOTALL)
_GZIP = 31  # zlib's number for "with gzip's head"


def arrays_of(page: Path) -> list[dict[str, Any]]:
    """Return the arrays in a page that bokeh wrote, in order and still packed."""
    texts = _DATA.findall(page.read_text(encoding="utf-8"))
    return [array for text in texts for array in _arrays(json.loads(html.unescape(text)))]


def values_of(array: dict[str, Any]) -> np.ndarray:
    """Return the values of one of these arrays; no more of them than its shape says.

    Raises
    ------
    ValueError
        If they are damaged.
    """
    dtype, shape = np.dtype(str(array["dtype"])), [int(side) for side in array["shape"]]
    size = dtype.itemsize * math.prod(shape)
    packed = base64.b64decode(array["array"]["data"])
    try:
        # At most one byte where there should be none, as 0 would mean no limit.
        raw = zlib.decompressobj(_GZIP).decompress(packed, max(size, 1))[:size]
    except (zlib.error, OverflowError) as error:
        raise ValueError(str(error)) from None
    return np.frombuffer(raw, dtype).reshape(shape)


def _arrays(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict) and part.get("type") == "ndarray":
        yield part
        return
    for inner in part.values() if isinstance(part, dict) else part:
        if isinstance(inner, dict | list):
            yield from _arrays(inner)
