"""Writes a scene of k3d, which can be turned, as one page that needs no network."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import k3d

# K3D is made for a loader of modules; this is all of one that it needs.
# Fonts are inside once; their other forms lie on a server, and are asked for although not needed.
_ELSEWHERE = re.compile(r",url\(fonts/[\w-]+\.(?:woff|ttf)\) format\(\"\w+\"\)")
_BEFORE = "function define(name, needs, make) { window.K3D = make(); }"
_START = """
const packed = atob(document.getElementById("scene").textContent);
const bytes = Uint8Array.from(packed, one => one.charCodeAt(0));
const target = document.getElementById("target");
K3D.CreateK3DAndLoadBinarySnapshot(bytes.buffer, target).then(scene => {
  window.scene = scene;
  scene.setCamera(scene.parameters.camera);  // until the camera is set again, no text is in sight
  scene.render();
});
"""


def write_scene(path: Path, plot: k3d.Plot, caption: str) -> None:
    """Write a scene as ``<path>.html``, with K3D and all that it shows inside."""
    import k3d
    from jinja2 import Environment, FileSystemLoader

    from liscope.workflow.pages import TEMPLATES, style

    library = (Path(k3d.__file__).parent / "static" / "standalone.js").read_text(encoding="utf-8")
    scripts = [_BEFORE, _ELSEWHERE.sub("", library), _START]
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    html = environment.get_template("scene.html.j2").render(
        title=path.name,
        caption=caption,
        css=style(),
        policy=policy(scripts),
        scripts=scripts,
        scene=base64.b64encode(_packed(plot)).decode(),
    )
    Path(f"{path}.html").write_text(f"{html}\n", encoding="utf-8", newline="\n")


def _packed(plot: k3d.Plot) -> bytes:
    """Return the scene as K3D reads it, the same bytes for the same scene."""
    import msgpack

    scene = msgpack.unpackb(zlib.decompress(plot.get_binary_snapshot(compression_level=0)))
    # K3D names each object by its address in memory.
    numbers = {one["id"]: number for number, one in enumerate(scene["objects"], 1)}
    for one in scene["objects"]:
        one["id"] = numbers[one["id"]]
    scene["plot"] = {
        name: numbers.get(value, value) if isinstance(value, int) else value
        for name, value in scene["plot"].items()
    }
    return zlib.compress(msgpack.packb(scene), 9)


def policy(scripts: list[str]) -> str:
    """Return a policy under which these very scripts run, no other does, and nothing is loaded."""
    digests = (hashlib.sha256(one.encode()).digest() for one in scripts)
    allowed = " ".join(f"'sha256-{base64.b64encode(one).decode()}'" for one in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data: blob:; worker-src blob:; font-src data:; base-uri 'none'; form-action 'none'"
    )
