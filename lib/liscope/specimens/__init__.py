"""Reference specimens: what an instrument would have recorded, with the truth beside it.

A specimen is an :class:`xarray.DataTree` with one node a measurement, in the same form in which
:mod:`liscope.readers` hands over a real file, and a node ``truth`` that no analysis looks at. Its
name is that of the specimen, with a seed behind it where it is not the first one: ``lmo``,
``lmo#7``. A measurement is ``lmo/stressed``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from liscope.errors import ReaderError

if TYPE_CHECKING:
    import xarray as xr

# The names stand here, and the simulations are imported when one is opened: `liscope status` checks
# names alone, and arrays and crystallography take a second to load.
FILMS = ("lmo", "mno2")
LAMELLAE = ("lmno_pristine", "lmno_cycled_roi1", "lmno_cycled_roi2")


def _film(name: str, seed: int) -> xr.DataTree:
    from liscope.specimens import tip_stress

    return tip_stress.simulate(name, seed)


def _overlay(seed: int) -> xr.DataTree:
    from liscope.specimens import conductive_lithium

    return conductive_lithium.simulate(seed)


def _loops(seed: int) -> xr.DataTree:
    from liscope.specimens import ionic_loops

    return ionic_loops.simulate(seed)


def _lamella(name: str, seed: int) -> xr.DataTree:
    from liscope.specimens import lamella

    return lamella.simulate(name, seed)


def _stacks(seed: int) -> xr.DataTree:
    from liscope.specimens import llzto_lco

    return llzto_lco.simulate(seed)


SPECIMENS: Mapping[str, Callable[[int], xr.DataTree]] = {
    **{film: partial(_film, film) for film in FILMS},
    "rf_lmo": _overlay,
    "rf_lmo_iv": _loops,
    **{name: partial(_lamella, name) for name in LAMELLAE},
    "llzto_lco": _stacks,
}
MEASUREMENTS = (
    {film: ("pristine", "stressed") for film in FILMS}
    | {
        "rf_lmo": ("cafm", "cafm_later", "sims"),
        "rf_lmo_iv": ("curves", "rates", "reversal"),
        "llzto_lco": ("eds", "sims"),
    }
    | {name: ("scan",) for name in LAMELLAE}
)


_SEED = re.compile(r"[0-9]{1,9}")


def check(name: str) -> tuple[str, int, str]:
    """Return specimen, seed and measurement of a name such as ``lmo#7/stressed``.

    Raises
    ------
    ReaderError
        If there is no such specimen, or the name is not of this form.
    """
    whole, _, measurement = name.partition("/")
    specimen, mark, seed = whole.partition("#")
    if specimen not in SPECIMENS:
        raise ReaderError(f"no specimen '{specimen}'; there are {', '.join(SPECIMENS)}")
    if not measurement or measurement == "truth" or (mark and not _SEED.fullmatch(seed)):
        raise ReaderError(f"'{name}' is no measurement of a specimen, such as 'lmo#7/stressed'")
    if measurement not in MEASUREMENTS[specimen]:
        there = ", ".join(MEASUREMENTS[specimen])
        raise ReaderError(f"specimen '{specimen}' has no '{measurement}'; it has {there}")
    return specimen, int(seed or 0), measurement


def measurement(name: str) -> xr.Dataset:
    """Return one measurement of a specimen, by a name such as ``lmo/stressed``.

    Raises
    ------
    ReaderError
        If there is no such specimen or measurement.
    """
    specimen, seed, node = check(name)
    return open_specimen(specimen, seed)[node].to_dataset()


def truth(name: str) -> xr.Dataset:
    """Return the truth behind a measurement's name; for tests and the last part of a notebook."""
    specimen, seed, _ = check(name)
    return open_specimen(specimen, seed)["truth"].to_dataset()


@lru_cache(maxsize=2)
def open_specimen(specimen: str, seed: int = 0) -> xr.DataTree:
    """Return a specimen, simulated on demand."""
    return SPECIMENS[specimen](seed)
