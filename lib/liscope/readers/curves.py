"""The data model of I-V curves: dims ``("curve", "point")``, points in order of acquisition.

A reader hands over `Channel` objects, one a quantity, in which a backward sweep already follows
the forward sweep, and `Places`, what the file says about each curve. `dataset` puts them together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import ReaderError
from liscope.readers.common import (
    MAX_CHANNELS,
    free_name,
    guess_quantity,
    kind,
    one_line,
    readable_units,
    slug,
)

DIMS = ("curve", "point")


@dataclass(frozen=True)
class Channel:
    """One quantity of all curves; `data` has dims ``("curve", "point")``, NaN where nothing is."""

    label: str
    data: NDArray[Any]
    units: str


@dataclass(frozen=True)
class Places:
    """What a file says about each curve; all of length ``curve``.

    Attributes
    ----------
    curve
        Its number in the file, or its label in a table.
    x, y
        Where the tip stood, in um of the scanner's frame (y upwards); NaN: not told.
    group
        To which group the curve belongs; None: there are no groups.
    more
        What else the file tells of each curve: label, values, unit.
    """

    curve: NDArray[Any]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    group: NDArray[Any] | None = None
    more: tuple[tuple[str, NDArray[np.float64], str], ...] = ()


def there_and_back(forward: NDArray[Any], backward: NDArray[Any] | None) -> NDArray[Any]:
    """Return both sweeps in order of acquisition, from two that are stored along one bias axis.

    The backward sweep is turned: its last stored value was measured first.
    """
    if backward is None:
        return forward
    return np.concatenate([forward, backward[..., ::-1]], axis=-1)


def regular_time(step: NDArray[np.float64], points: int) -> NDArray[np.float64] | None:
    """Return the time of each point, (curve, point), from each curve's time per point, s.

    None where no curve has one.
    """
    if not np.any(step > 0):
        return None
    return np.where(step > 0, step, np.nan)[:, None] * np.arange(points)


def dataset(
    bias: Channel,
    channels: Sequence[Channel],
    places: Places,
    attrs: Mapping[str, Any],
    metadata: Mapping[str, Any],
    time: NDArray[np.float64] | None = None,
) -> xr.Dataset:
    """Return the Dataset of I-V curves.

    Parameters
    ----------
    bias
        The voltage at each point.
    channels
        Everything else that was measured; the first one that holds a current is ``current``.
    places
        What the file says about each curve.
    attrs
        ``bias_side`` and what else the format tells; ``history`` is the reader's ``__name__``.
    metadata
        The file's own metadata; kept as one JSON text.
    time
        Seconds since the curve's first point, (curve, point); None: the file does not tell.

    Raises
    ------
    ReaderError
        If there is no curve, no current, or the bias is no voltage.
    """
    if not bias.data.size:
        raise ReaderError("holds no finished curve; copy it again after the measurement")
    if len(channels) > MAX_CHANNELS:
        raise ReaderError(f"declares more than {MAX_CHANNELS} channels; its header is damaged")
    coords = _coordinates(places)
    variables = {"bias": _variable(bias, "V"), "current": _variable(_current(channels), "A")}
    if time is not None:
        about = {"units": "s", "long_name": "time since the curve's first point"}
        variables["time"] = xr.DataArray(time, dims=DIMS, attrs=about)
    for channel in channels:
        if channel is not _current(channels):
            variables[free_name(slug(channel.label), variables | coords)] = _variable(channel)
    told = {
        "sweep_time": _duration(time),
        "metadata": json.dumps(metadata, ensure_ascii=False, default=str),
    }
    return xr.Dataset(variables, coords, {**attrs, **told})


def _current(channels: Sequence[Channel]) -> Channel:
    """Return the channel called current, else the first that holds one."""
    held = [c for c in channels if _quantity(c) == "current"]
    found = [c for c in held if slug(c.label) == "current"] or held
    if not found:
        names = ", ".join(f"{one_line(c.label)} ({c.units or '1'})" for c in channels) or "none"
        raise ReaderError(f"holds no I-V curve: no current besides the bias, its channels: {names}")
    return found[0]


def _quantity(channel: Channel) -> str:
    return guess_quantity(channel.label, readable_units(channel.units)[0])


def _variable(channel: Channel, wanted: str = "") -> xr.DataArray:
    units, unreadable = readable_units(channel.units)
    if wanted and kind(units) != kind(wanted):
        label = one_line(channel.label)
        raise ReaderError(f"gives '{label}' in '{one_line(channel.units)}', not in {wanted}")
    about = {"units": units, "long_name": one_line(channel.label), "quantity": _quantity(channel)}
    if wanted == "V":
        about["quantity"] = "bias"
    if unreadable:
        about["vendor_units"] = unreadable
    return xr.DataArray(channel.data, dims=DIMS, attrs=about)


def _duration(time: NDArray[np.float64] | None) -> float:
    """Return the median time from first to last point of a curve, s; NaN where not told."""
    if time is None or np.isnan(time).all():
        return float("nan")
    return float(np.median([np.nanmax(t) - np.nanmin(t) for t in time if np.isfinite(t).any()]))


def _coordinates(places: Places) -> dict[str, Any]:
    def position(values: NDArray[np.float64], name: str) -> tuple[str, NDArray[np.float64], Any]:
        return "curve", values, {"units": "um", "long_name": f"{name} in the scanner's frame"}

    coords: dict[str, Any] = {
        "curve": ("curve", places.curve, {"long_name": "curve of the file"}),
        "x": position(places.x, "x"),
        "y": position(places.y, "y"),
    }
    if places.group is not None:
        coords["group"] = ("curve", places.group, {"long_name": "group of the curve"})
    for label, values, units in places.more:
        about = {"units": readable_units(units)[0], "long_name": one_line(label)}
        coords[free_name(slug(label), coords)] = ("curve", values, about)
    return coords
