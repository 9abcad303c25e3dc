"""Data by name: what a parameter may say, and the file or specimen behind it.

A name is one of three things:

- ``real:old_bruker.002``: a real instrument file of ``data/registry.yaml``, which lists address,
  sha256, size and licence; taken from a folder on disk, or from its public address;
- ``specimen:lmo/stressed``: a node of a simulated specimen;
- anything else: the path of a file, from the project's root where it is not absolute.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from liscope import specimens
from liscope.checksums import sha256 as checksum
from liscope.errors import ReaderError
from liscope.places import find_root

if TYPE_CHECKING:
    import xarray as xr

_SIDECAR = "stack.yaml"  # of slice files, see `liscope.readers.stack_sidecar`
_ZARR = ("zarr.json", ".zgroup", ".zarray")
_STACKED = (".tif", ".tiff")


def project_root() -> Path:
    """Return the project around the current folder, or the checkout of this package."""
    return find_root() or Path(__file__).resolve().parents[2]


def files_of(path: Path) -> list[Path]:
    """Return all files of a measurement, sorted: those of its folder, or that a file belongs with.

    A folder's own folders count for Zarr and for slice files with ``stack.yaml`` only, one of whose
    files stands for all; hidden files do not count, but for Zarr's.
    """
    if path.name == _SIDECAR or (
        path.suffix.lower() in _STACKED and _has_any(path.parent, (_SIDECAR,))
    ):
        path = path.parent
    if path.is_dir():
        deep = path.suffix.lower() == ".zspy" or _has_any(path, (*_ZARR, _SIDECAR))
        found = path.rglob("*") if deep else path.iterdir()
        kept = (one for one in found if one.name.startswith(".z") or one.name[:1] != ".")
        return sorted(one for one in kept if one.is_file())
    others = path.parent.iterdir() if path.suffix.lower() in (".mib", ".tvips") else ()
    return sorted({path, *(one for one in others if belongs(one.name, path.name))})


def _has_any(folder: Path, names: Iterable[str]) -> bool:
    return any((folder / name).is_file() for name in names)


def belongs(name: str, first: str) -> bool:
    """Tell whether the file ``name`` is read with the file ``first`` of the same folder.

    The header of a Merlin ``.mib``, and the further files of a TVIPS series.
    """
    series = re.fullmatch(r"(.*)_000\.tvips", first, re.IGNORECASE)
    if series:
        return bool(re.fullmatch(rf"{re.escape(series[1])}_\d{{3}}\.tvips", name, re.IGNORECASE))
    return first.lower().endswith(".mib") and name.lower() == f"{first.lower()[:-4]}.hdr"


def locate(name: str, download: bool = True) -> Path | None:
    """Return the file (or folder) behind a data name; None where a specimen is simulated.

    Raises
    ------
    ReaderError
        If there is no such file or specimen, or it cannot be downloaded (or must not be).
    """
    kind, _, rest = name.partition(":")
    if kind == "specimen":
        specimens.check(rest)
        return None
    if kind == "real":
        return fetch(rest, download)
    path = project_root() / name
    try:
        there = path.exists()
    except (OSError, ValueError):  # a name that no file can have
        there = False
    if not there:
        raise ReaderError(f"no file '{name}'; give its path, 'real:...' or 'specimen:...'")
    return path


def open_scan(name: str) -> xr.Dataset:
    """Return the scanning-probe image behind a data name (see :func:`liscope.readers.read_scan`).

    Raises
    ------
    ReaderError
        If there is none, or the file is damaged or of another kind.
    """
    from liscope.readers import read_scan  # here: arrays take their time to load

    path = locate(name)
    return read_scan(path) if path else specimens.measurement(name.partition(":")[2])


def open_curves(name: str) -> xr.Dataset:
    """Return the I-V curves behind a data name (see :func:`liscope.readers.read_curves`).

    Raises
    ------
    ReaderError
        If there are none, or the file is damaged or of another kind.
    """
    from liscope.readers import read_curves  # here: arrays take their time to load

    path = locate(name)
    return read_curves(path) if path else specimens.measurement(name.partition(":")[2])


def open_ions(name: str) -> xr.Dataset:
    """Return the SIMS images behind a data name (see :func:`liscope.readers.read_ions`).

    A path may also name the folder of one measurement, exported as one ASCII image a peak.

    Raises
    ------
    ReaderError
        If there are none, or the file is damaged or of another kind.
    """
    from liscope.readers import read_ions  # here: arrays take their time to load

    path = locate(name)
    return read_ions(path) if path else specimens.measurement(name.partition(":")[2])


def open_stack(name: str, missing: Literal["refuse", "leave out"] = "refuse") -> xr.Dataset:
    """Return the stack of slices behind a data name (see :func:`liscope.readers.read_stack`).

    Parameters
    ----------
    name
        A path may also name a folder: slice files with ``stack.yaml``, OME-Zarr or Zarr.
    missing
        What to do about slices that are missing, or whose files are not whole: "refuse" the stack
        or "leave out" them. It holds for specimens as well.

    Raises
    ------
    ReaderError
        If there is none, a file is damaged or of another kind, or slices are refused: with all
        their numbers.
    """
    from liscope.readers.stacks import complete, read_stack  # here: arrays take their time to load

    path = locate(name)
    if path:
        return read_stack(path, missing=missing)
    return complete(specimens.measurement(name.partition(":")[2]), name, missing)


def open_segmented(name: str) -> xr.Dataset:
    """Return the segmented volume behind a data name (see `liscope.readers.read_segmented`).

    Raises
    ------
    ReaderError
        If there is none, or the file is damaged or of another kind.
    """
    from liscope.readers import read_segmented  # here: arrays take their time to load

    path = locate(name)
    if path is None:
        raise ReaderError(f"'{name}' is a specimen as recorded, no segmented volume")
    return read_segmented(path)


def open_diffraction(name: str) -> xr.Dataset:
    """Return the diffraction scan behind a data name (see `liscope.readers.read_diffraction`).

    Raises
    ------
    ReaderError
        If there is none, or the file is damaged or of another kind.
    """
    from liscope.readers import read_diffraction  # here: arrays take their time to load

    path = locate(name)
    return read_diffraction(path) if path else specimens.measurement(name.partition(":")[2])


def open_orientations(name: str) -> xr.Dataset:
    """Return the orientation map behind a data name (see `liscope.readers.read_orientations`).

    Raises
    ------
    ReaderError
        If there is none, or the file is damaged or of another kind.
    """
    from liscope.readers import read_orientations  # here: arrays take their time to load

    path = locate(name)
    return read_orientations(path) if path else specimens.measurement(name.partition(":")[2])


def is_orientation_map(name: str) -> bool:
    """Return whether a data name is that of an orientation map rather than of patterns.

    ``.ang`` and ``.ctf`` files are, and HDF5 files that orix wrote.
    """
    path = locate(name)
    if path is None or path.suffix.lower() not in (".ang", ".ctf", ".h5", ".hdf5"):
        return False
    if path.suffix.lower() in (".ang", ".ctf"):
        return True
    import h5py  # here: it takes its time to load

    try:
        with h5py.File(path) as file:
            return "crystal_map" in file
    except OSError:  # damaged, or of another kind: who opens it says so
        return False


def truth(name: str) -> xr.Dataset | None:
    """Return what was put into the specimen behind a data name; None for what is real.

    For tests, and for the last part of a notebook: no analysis looks at it.
    """
    kind, _, rest = name.partition(":")
    return specimens.truth(rest) if kind == "specimen" else None


def fetch(name: str, download: bool = True) -> Path:
    """Return the path of the real file `name`, downloading it where it is not on disk.

    The folder that the environment variable LISCOPE_REAL names is searched first, then
    ``data/real/`` of the project, where downloads are kept.

    Raises
    ------
    ReaderError
        If the name is not in the registry, or the file can neither be found nor downloaded as
        the registry describes it.
    """
    entry = _entry(name)
    found = _on_disk(name, entry["sha256"])
    if not found and not download:
        raise ReaderError(f"'{name}' is not on disk yet; a run downloads it")
    return found or _download(name, entry)


@lru_cache(maxsize=4)
def registry(path: Path | None = None) -> dict[str, dict[str, Any]]:
    """Return the registry: name -> address, sha256, bytes, licence, what.

    Raises
    ------
    ReaderError
        If ``data/registry.yaml`` is missing or no YAML.
    """
    own, ours = (
        root / "data" / "registry.yaml"
        for root in (project_root(), Path(__file__).resolve().parents[2])
    )
    path = path or (own if own.is_file() else ours)
    try:
        return dict(YAML(typ="safe").load(path.read_text(encoding="utf-8")))
    except (OSError, YAMLError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ReaderError(f"'data/{path.name}' cannot be read: {reason}") from None


def _entry(name: str) -> dict[str, Any]:
    files = registry()
    if name in files:
        return files[name]
    near = difflib.get_close_matches(name, files, n=3, cutoff=0.3) or sorted(files)
    raise ReaderError(f"no real file is called '{name}'; near it: {', '.join(near)}")


def _on_disk(name: str, sha256: str) -> Path | None:
    """Return the first file of that name and content below the folders for real files."""
    given = os.environ.get("LISCOPE_REAL")
    folders = [Path(given)] if given else []
    for folder in [*folders, project_root() / "data" / "real"]:
        for path in sorted(folder.rglob(name)) if folder.is_dir() else ():
            if path.is_file() and checksum(path) == sha256:
                return path
    return None


def _download(name: str, entry: dict[str, Any]) -> Path:
    """Download into ``data/real/``; pooch keeps the file only if its sha256 is right."""
    import pooch  # here: it takes its time to load, and is needed once for each file

    folder = project_root() / "data" / "real"
    pooch.get_logger().setLevel(logging.WARNING)
    try:
        return Path(pooch.retrieve(entry["address"], f"sha256:{entry['sha256']}", name, folder))
    except Exception as error:  # whatever the network, the server or the disk come up with
        reason = " ".join(f"{type(error).__name__} {error}".split())[:120]
        raise ReaderError(
            f"'{name}' is not on disk and cannot be downloaded ({reason}); "
            f"get it from {entry['address']} and set LISCOPE_REAL to its folder"
        ) from None
