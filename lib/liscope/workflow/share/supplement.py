"""Writes a supplement."""

from __future__ import annotations

from pathlib import Path

from liscope.errors import ParameterError
from liscope.workflow.project import Project
from liscope.workflow.share.contents import Supplement, gather
from liscope.workflow.share.crate import METADATA, describe
from liscope.workflow.share.digests import digests_of
from liscope.workflow.share.pack import pack
from liscope.workflow.share.selection import Selection
from liscope.workflow.share.site import PAGE, write_site


def write_supplement(
    project: Project, selection: Selection, archive: Path, with_inputs: bool = False
) -> Supplement:
    """Write the selected runs, and all that it takes to understand and repeat them, as a zip.

    The same runs give the same bytes, whenever and however often it is written.

    Parameters
    ----------
    project, selection
        What to share.
    archive
        The zip file, which is replaced if it is there.
    with_inputs
        Take data along also where it is large.

    Raises
    ------
    ParameterError
        If something cannot be shared: see `gather` and `pack`.
    """
    if archive.suffix.lower() != ".zip" or not archive.parent.is_dir():
        raise ParameterError(f"{archive}: should be a .zip file in a folder that exists")
    supplement = gather(project, selection, with_inputs)
    digests = digests_of(supplement.members)
    page = {PAGE: write_site(supplement, digests)}
    digests |= digests_of(page)
    metadata = {METADATA: describe(supplement, digests)}
    folders = dict.fromkeys(supplement.folders, b"")
    pack(archive, {**supplement.members, **page, **metadata, **folders})
    return supplement
