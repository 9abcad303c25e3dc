"""Who made a project, under which licence, and what to cite: read from CITATION.cff."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liscope.errors import ParameterError

_DOI = re.compile(r"10\.\d{4,9}/\S+")


@dataclass(frozen=True)
class Author:
    """A person, or a group of people."""

    name: str
    orcid: str = ""
    person: bool = True


@dataclass(frozen=True)
class Work:
    """A paper or another work to cite."""

    title: str
    doi: str


@dataclass(frozen=True)
class Citation:
    """What a supplement says of its origin."""

    title: str = "Supplement"
    licence: str = ""
    authors: tuple[Author, ...] = ()
    works: tuple[Work, ...] = ()


def read_citation(file: Path | None) -> Citation:
    """Return what ``CITATION.cff`` says; little where there is none.

    Raises
    ------
    ParameterError
        If it is not as the format describes it.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if file is None:
        return Citation()
    try:
        found = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
        works = [found, found.get("preferred-citation") or {}, *(found.get("references") or [])]
        return Citation(
            title=str(found["title"]),
            licence=str(found.get("license") or ""),
            authors=tuple(_author(one) for one in found.get("authors") or []),
            works=tuple(_work(one) for one in works if _DOI.fullmatch(str(one.get("doi", "")))),
        )
    except (OSError, ValueError, YAMLError, KeyError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())[:100]
        raise ParameterError(f"CITATION.cff cannot be read ({reason})") from None


def _author(entry: dict[str, Any]) -> Author:
    parts = [entry.get(part, "") for part in ("given-names", "name-particle", "family-names")]
    name = " ".join(filter(None, parts))
    return Author(name or str(entry["name"]), str(entry.get("orcid", "")), person=bool(name))


def _work(entry: dict[str, Any]) -> Work:
    return Work(str(entry.get("title", "")), str(entry["doi"]))
