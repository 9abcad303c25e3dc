"""A whole scan through the index, block by block, on one core or on a cluster."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from liscope.conventions import CELL, CONVENTION, QUATERNION
from liscope.diffraction.index import KEPT, index
from liscope.diffraction.library import Library
from liscope.diffraction.second import index_second
from liscope.errors import DataError
from liscope.history import noted


def match(scan: xr.Dataset, library: Library, centres: xr.Dataset | None = None) -> xr.Dataset:
    """Return the candidates of every pattern of a scan, lazily where the scan is lazy.

    Parameters
    ----------
    scan
        ``pattern`` (y, x, ky, kx), as :func:`liscope.data.open_diffraction` gives it.
    library
        Templates for this camera.
    centres
        ``centre_x`` and ``centre_y`` (y, x) of the direct beam in pixels; found in each pattern
        by default.

    Returns
    -------
    Dataset
        ``orientation`` (y, x, candidate, quaternion), ``phase`` and ``score`` (y, x, candidate),
        best first, and ``norm`` (y, x), how much of spots a pattern holds.

    Raises
    ------
    DataError
        If the camera is not the library's.
    """
    pattern = scan["pattern"]
    if pattern.shape[2:] != tuple(library.geometry.size):
        raise DataError(
            f"patterns of {pattern.shape[2:]} px, templates for {library.geometry.size}"
        )
    middle = None if centres is None else _stacked(centres, ("centre_x", "centre_y"))
    packed = _blockwise(_matched, pattern, 6 * KEPT + 1, library, middle)
    return _unpacked(packed, scan, library, "indexed")


def match_second(
    scan: xr.Dataset, library: Library, first: xr.Dataset, centres: xr.Dataset | None = None
) -> xr.Dataset:
    """Return the candidates of what is left of each pattern without the spots of a first crystal.

    Two crystals lie on top of each other where a boundary is inclined to the beam.

    Parameters
    ----------
    first
        ``orientation`` (y, x, quaternion) and ``phase`` (y, x) of the first crystal.
    """
    pattern = scan["pattern"]
    given = xr.concat(
        [
            first["orientation"].fillna(0.0),
            first["phase"].expand_dims(quaternion=["phase"], axis=-1),
        ],
        "quaternion",
    ).transpose("y", "x", ...)
    middle = None if centres is None else _stacked(centres, ("centre_x", "centre_y"))
    packed = _blockwise(_matched_second, pattern, 6 * KEPT + 1, library, middle, given)
    return _unpacked(packed, scan, library, "indexed what the first crystal leaves")


def _blockwise(
    function: Any,
    pattern: xr.DataArray,
    width: int,
    library: Library,
    *fields: xr.DataArray | None,
) -> Any:
    """Return ``function`` of every block of patterns and of the same block of the fields."""
    values = [None if field is None else field.data for field in fields]
    if not isinstance(pattern.data, da.Array):
        return function(pattern.values, *map(_numpy, values), library=library)
    whole = pattern.data.rechunk({2: -1, 3: -1})
    # A last axis of one, because blocks are paired from the last axis on.
    blocks = [
        None if value is None else da.asarray(value).rechunk((*whole.chunks[:2], -1))[..., None]
        for value in values
    ]
    given = [block for block in blocks if block is not None]
    there = tuple(block is not None for block in blocks)
    return da.map_blocks(
        _spread,
        whole,
        *given,
        function=function,
        there=there,
        library=library,
        dtype=np.float32,
        drop_axis=3,
        chunks=(*whole.chunks[:2], (width,)),
        meta=np.empty((0, 0, 0), np.float32),
    )


def _spread(
    patterns: Any, *given: Any, function: Any, there: tuple[bool, ...], library: Library
) -> Any:
    """Call ``function`` with None where no field was given."""
    fields = iter(given)
    return function(patterns, *(next(fields) if is_ else None for is_ in there), library=library)


def _numpy(value: Any) -> np.ndarray | None:
    return None if value is None else np.asarray(value)


def _matched(patterns: np.ndarray, centres: np.ndarray | None, *, library: Library) -> np.ndarray:
    """Return the packed candidates (rows, columns, 6 KEPT + 1) of a block."""
    flat = patterns.reshape(-1, *patterns.shape[2:])
    middle = None if centres is None else centres.reshape(-1, 2).astype(np.float32)
    with one_thread_each():
        return _packed(index(flat, library, middle), patterns.shape[:2])


def _matched_second(
    patterns: np.ndarray, centres: np.ndarray | None, first: np.ndarray, *, library: Library
) -> np.ndarray:
    """Return the packed candidates of what is left of a block's patterns."""
    flat = patterns.reshape(-1, *patterns.shape[2:])
    middle = None if centres is None else centres.reshape(-1, 2).astype(np.float32)
    given = np.asarray(first, float).reshape(-1, 5)
    with one_thread_each():
        found = index_second(flat, library, given[:, :4], given[:, 4].astype(int), middle)
        return _packed(found, patterns.shape[:2])


def _packed(found: Any, shape: tuple[int, int]) -> np.ndarray:
    """Return orientation, phase, score and norm as one array."""
    parts = [
        found.orientation.reshape(*shape, -1),
        found.phase.reshape(*shape, -1),
        found.score.reshape(*shape, -1),
        found.norm.reshape(*shape, 1),
    ]
    return np.concatenate(parts, axis=-1).astype(np.float32)


def _unpacked(packed: Any, scan: xr.Dataset, library: Library, step: str) -> xr.Dataset:
    """Return packed candidates as a labelled dataset."""
    dims, n = ("y", "x", "candidate"), KEPT
    orientation = packed[..., : 4 * n].reshape(*packed.shape[:2], n, 4)
    crystals = [phase.crystal for phase in library.phases]
    lattices = [crystal.phase.structure.lattice.abcABG() for crystal in crystals]
    out = xr.Dataset(
        {
            "orientation": ((*dims, "quaternion"), orientation, {"convention": CONVENTION}),
            "phase": (dims, packed[..., 4 * n : 5 * n].astype(np.int8)),
            "score": (dims, packed[..., 5 * n : 6 * n], {"units": "1"}),
            "norm": (dims[:2], packed[..., -1], {"units": "1"}),
            "phase_name": ("phase_id", [crystal.name for crystal in crystals]),
            "point_group": ("phase_id", [crystal.point_group for crystal in crystals]),
            "lattice": (("phase_id", "cell"), np.array(lattices), {"units": "angstrom, degree"}),
        },
        {
            "y": scan["y"],
            "x": scan["x"],
            "quaternion": QUATERNION,
            "cell": CELL,
        },
    )
    names = ", ".join(crystal.name for crystal in crystals)
    line = f"{step} against {names} in steps of {library.step:g} degrees"
    return out.assign_attrs(noted(out["score"], scan["pattern"], line).attrs)


def _stacked(fields: xr.Dataset, names: tuple[str, ...]) -> xr.DataArray:
    return xr.concat([fields[name] for name in names], "part").transpose("y", "x", "part")


_lock = threading.Lock()
_running: list[Any] = []


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Keep matrix products to one thread while any block runs: blocks run side by side instead."""
    with _lock:
        if not _running:
            _running.append(threadpool_limits(limits=1, user_api="blas"))
        _running.append(None)
    try:
        yield
    finally:
        with _lock:
            _running.pop()
            if len(_running) == 1:
                _running.pop().restore_original_limits()
