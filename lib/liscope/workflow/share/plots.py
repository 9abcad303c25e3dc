"""What an interactive page shows: the arrays in it, whichever version of bokeh or k3d wrote it."""

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
_SCENE = re.compile(r'<script type="text/plain" id="scene">([\w+/=]*)</script>')
_LARGEST = 1 << 28  # bytes of a scene; larger ones no browser shows
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


def scene_of(page: Path) -> list[np.ndarray]:
    """Return the arrays of a scene to turn, in order; none where the page holds no scene.

    Raises
    ------
    ValueError
        If they are damaged, or absurdly large.
    """
    import msgpack

    found = _SCENE.search(page.read_text(encoding="utf-8"))
    if found is None:
        return []
    unpacking = zlib.decompressobj()
    try:
        raw = unpacking.decompress(base64.b64decode(found[1]), _LARGEST)
        scene = msgpack.unpackb(raw) if unpacking.eof else None
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if scene is None:
        raise ValueError("a scene is cut off or too large")
    return [
        np.frombuffer(one["data"], one["dtype"]).reshape(one["shape"]) for one in _packed(scene)
    ]


def _packed(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict) and {"data", "dtype", "shape"} <= part.keys():
        yield part
        return
    for inner in part.values() if isinstance(part, dict) else part:
        if isinstance(inner, dict | list):
            yield from _packed(inner)


def _arrays(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict) and part.get("type") == "ndarray":
        yield part
        return
    for inner in part.values() if isinstance(part, dict) else part:
        if isinstance(inner, dict | list):
            yield from _arrays(inner)
