"""Which names the members of a supplement may have: those that mean the same on every machine."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

WORKFLOW = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,100}$"
LONGEST = 255  # bytes, as most file systems allow for a name


def fault_of(name: str) -> str:
    """Say why a name has no place in a supplement; nothing if it has."""
    parts = name.removesuffix("/").split("/")
    faults = {
        "an empty name": not name,
        f"a name of more than {LONGEST} bytes": len(name.encode("utf-8", "replace")) > LONGEST,
        "control characters": any(map(_is_control, name)),
        "a backslash or a colon": "\\" in name or ":" in name,
        "an absolute path": name.startswith("/"),
        "'.' or '..' or nothing between slashes": any(part in ("", ".", "..") for part in parts),
        "a blank or dot at an end": any(part != part.strip() or part[-1:] == "." for part in parts),
    }
    return next((fault for fault, found in faults.items() if found), "")


def clashes(names: Iterable[str]) -> Iterator[str]:
    """Return the names that would fall on another one, also where case does not count."""
    seen: set[str] = set()
    folders: set[str] = set()
    for name in names:
        plain = unicodedata.normalize("NFC", name).casefold()
        above = {plain[:at] for at, letter in enumerate(plain) if letter == "/"}
        if plain in seen or plain in folders or above & seen:
            yield name
        seen.add(plain)
        folders |= above


def _is_control(letter: str) -> bool:
    category = unicodedata.category(letter)
    return category.startswith("C") or category in ("Zl", "Zp")
