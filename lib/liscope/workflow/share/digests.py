"""Checksum and size of every member of a supplement."""

from __future__ import annotations

import hashlib
from pathlib import Path

from liscope.checksums import sha256
from liscope.workflow.share.pack import Members, size_of

Digests = dict[str, tuple[str, int]]


def digests_of(members: Members) -> Digests:
    """Return sha256 and bytes by name."""
    return {name: (_sha256(one), size_of(one)) for name, one in members.items()}


def _sha256(member: Path | bytes) -> str:
    return hashlib.sha256(member).hexdigest() if isinstance(member, bytes) else sha256(member)
