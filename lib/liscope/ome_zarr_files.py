"""Volumes that are results, as OME-Zarr folders: written, and taken apart to be compared.

Folders may be of whatever origin: nothing in them is unpickled, and no link is followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liscope.checksums import sha256
from liscope.errors import DataError, ReaderError

if TYPE_CHECKING:
    import xarray as xr
    import zarr

    Part = zarr.Array[Any] | zarr.Group

OME_ZARR = ".ome.zarr"  # how their names end
# How levels were made names versions of packages; how bright to show a channel follows from its
# voxels; a history is no result.
_ASIDE = ("metadata", "window", "history")


def write_volume(volume: xr.DataArray | xr.Dataset, path: Path) -> None:
    """Write a volume, or phases, to a new OME-Zarr folder, whose name ends in ``.ome.zarr``.

    Raises
    ------
    DataError
        That names the volume, if it is none that OME-Zarr can hold.
    """
    from liscope.readers.ome_zarr_writer import write_ome_zarr  # here, as below

    try:
        write_ome_zarr(volume, path)
    except DataError as error:  # it does not know the name
        name = path.name.removesuffix(OME_ZARR)
        raise DataError(f"volume '{name}': {error}") from error


def digests_of(folder: Path) -> dict[str, str]:
    """Return the sha256 of all files below a folder.

    Raises
    ------
    ReaderError
        If there is a link, which could lead anywhere.
    """
    from liscope.readers.common import one_line  # here: slow to import

    paths = sorted(folder.rglob("*"))
    for path in (folder, *paths):
        if path.is_symlink():
            raise ReaderError(f"holds a link, '{one_line(path.name)}'")
    files = [path for path in paths if path.is_file()]
    return {path.relative_to(folder).as_posix(): sha256(path) for path in files}


def parts_of(folder: Path) -> dict[str, Part]:
    """Return all groups and arrays of a Zarr folder, opened but not read.

    Raises
    ------
    ReaderError
        If it asks for unpickling, or for blocks of an absurd size.
    """
    import zarr  # here, as above

    from liscope.readers.rosetta_checks import check_zarr

    check_zarr(folder)
    # Consolidated metadata would take the place of those that were checked.
    group = zarr.open_group(str(folder), mode="r", use_consolidated=False)
    members = group.members(max_depth=None, use_consolidated_for_children=False)
    return {"": group, **dict(sorted(members))}


def told_of(part: Part) -> dict[str, list[Any]]:
    """Return shape and type of an array, and what it or a group says: lists of values by place."""
    import zarr

    form: list[tuple[str, list[Any]]] = []
    if isinstance(part, zarr.Array):  # as texts: no tolerance holds for them
        form = [("shape", [str(part.shape)]), ("dtype", [str(part.dtype)])]
    return dict([*form, *_leaves("", part.attrs.asdict())])


def _leaves(place: str, tree: Any) -> Iterator[tuple[str, list[Any]]]:
    if isinstance(tree, dict):
        branches = {key: value for key, value in tree.items() if key not in _ASIDE}
    elif isinstance(tree, list) and any(isinstance(one, dict | list) for one in tree):
        branches = {str(number): value for number, value in enumerate(tree)}
    else:
        yield place, tree if isinstance(tree, list) else [tree]
        return
    for key, value in branches.items():
        yield from _leaves(f"{place}/{key}".lstrip("/"), value)


def blocks_of(array: zarr.Array[Any]) -> Iterator[tuple[slice, ...]]:
    """Yield the places of an array's blocks, each of which fits into memory."""
    sides = zip(array.shape, array.chunks, strict=True)
    yield from product(*([slice(i, i + n) for i in range(0, side, n)] for side, n in sides))
