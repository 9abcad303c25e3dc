"""The phases' signals: a mixture of Poisson counts fitted to part of the voxels, named by marks.

First voxels spread over all slices are shared out among the phases and the phases' rates and the
slices' gains follow (expectation and maximisation; A. P. Dempster et al., J. R. Stat. Soc. B 39, 1
(1977), doi:10.1111/j.2517-6161.1977.tb01600.x). Then bricks of whole voxels, relaxed as the volume
will be, free the rates from what blur mixes into them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError, ParameterError
from liscope.volume.relaxation import Model
from liscope.volume.response import USUAL_DENSITY, Response, responses_of, steps_of
from liscope.volume.unmixing import FAINT, refined

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

MARKS = {"LLZTO": "Zr", "LCO": "Co", "carbon": "C", "alumina": "Al"}
COATS = ("alumina",)
DENSITY = {"LLZTO": 5.4, "LCO": 5.05, "carbon": 1.9}

SPREAD = 48  # rows and columns of each slice that the mixture sees
BRICKS, BRICK = 8, (20, 48, 64)  # voxels z, y, x
ROUNDS = 30
TOP = 0.98  # quantile of a channel that stands for its bright phase

COUPLING = 1.0
STEPS = (0.6, 0.5, 0.5, 0.4, 0.4, 0.3, 0.3, 0.3, 0.2, 0.2)


def phase_components(
    volume: xr.DataArray,
    marks: Mapping[str, str] = MARKS,
    coats: Sequence[str] = COATS,
    responses: Mapping[str, Response] | None = None,
    density: Mapping[str, float] = DENSITY,
    coupling: float = COUPLING,
    seed: int = 0,
) -> xr.Dataset:
    """Return what each phase sends in each channel, from some of the voxels (computed at once).

    Parameters
    ----------
    volume
        (channel, z, y, x), counts; NaN where nothing was measured.
    marks
        Phase, and the channel in which it is the brightest.
    coats
        Phases of ``marks`` that are thinner than the response: bounded, never mapped.
    responses
        Of channels, see :mod:`liscope.volume.response` for what the others have.
    density
        Of phases, g/cm3: X-rays come from deeper in a light one; 5 where there is none.
    coupling
        Of neighbours in the Potts prior, the mean over the axes; near ones count for more.
    seed
        Of the choice of voxels.

    Returns
    -------
    xr.Dataset
        ``rate`` (phase, channel), counts a voxel; ``share`` (phase,), of the voxels seen; ``gain``
        (channel, z); ``weight`` (channel,), what a count tells beside a Poisson count: 0 for a
        coat's channel, else the mean of sums over a few voxels beside their variance, so that noise
        which neighbours share counts, and at most 1; ``lateral`` and ``depth``
        (channel,), nm; ``coat_share`` (coat, bound), see :func:`coat_bounds`.

    Raises
    ------
    ParameterError
        If a mark is no channel, or fewer than two phases are left to tell apart.
    DataError
        If a phase is not the brightest in the channel that marks it.
    """
    phases, channels = _checked(volume, marks, coats)
    seen = responses_of(volume, responses)
    spread, bricks = _sampled(volume, np.random.default_rng(seed))
    rate, gain, share = _mixture(spread, [channels.index(marks[name]) for name in phases])
    step = steps_of(volume)
    nearness = 1 / np.asarray(step)
    model = Model(
        rate.astype(np.float32),
        np.ones((len(channels), 1), np.float32),
        np.ones(len(channels), np.float32),
        np.log(share).astype(np.float32),
        (coupling * nearness / nearness.mean()).astype(np.float32),
        tuple(seen[name] for name in channels),
        np.array([density.get(name, USUAL_DENSITY) for name in phases]),
        step,
        STEPS,
    )
    model, bounds = refined(model, bricks, gain, [channels.index(marks[name]) for name in coats])
    _brightest(model.rate, phases, channels, marks)
    return _table(volume, phases, coats, seen, model, gain, bounds)


def _checked(
    volume: xr.DataArray, marks: Mapping[str, str], coats: Sequence[str]
) -> tuple[list[str], list[str]]:
    channels = [str(name) for name in volume["channel"].to_numpy()]
    absent = {name: mark for name, mark in marks.items() if mark not in channels}
    if absent:
        raise ParameterError(f"phases: no channel for {absent}; there are {channels}")
    if set(coats) - set(marks):
        raise ParameterError(f"coats: {sorted(set(coats) - set(marks))} have no mark")
    phases = [name for name in marks if name not in coats]
    if len(phases) < 2:
        raise ParameterError("phases: at least two beside the coats must be marked")
    return phases, channels


def _sampled(
    volume: xr.DataArray, random: np.random.Generator
) -> tuple[Floats, list[tuple[int, Floats]]]:
    """Return voxels (channel, z, n) of all slices, and bricks with the slice they start at."""
    from dask.base import compute

    volume = volume.transpose("channel", "z", "y", "x")
    size = volume.shape[1:]
    rows, columns = (np.sort(random.choice(n, min(n, SPREAD), replace=False)) for n in size[1:])
    side = [min(n, m) for n, m in zip(size, BRICK, strict=True)]
    enough = min(BRICKS, -(-int(np.prod(size)) // int(np.prod(side))))
    corners = [
        [random.integers(n - m + 1) for n, m in zip(size, side, strict=True)] for _ in range(enough)
    ]
    data = volume.data
    picks = [data[:, :, rows][..., columns]]
    for corner in corners:
        at = tuple(slice(int(c), int(c) + m) for c, m in zip(corner, side, strict=True))
        picks.append(data[(slice(None), *at)])
    got = [np.ascontiguousarray(part, np.float32) for part in compute(*picks)]
    spread = got[0].reshape(*got[0].shape[:2], -1)
    return spread, [(int(c[0]), brick) for c, brick in zip(corners, got[1:], strict=True)]


def _mixture(spread: Floats, marks: list[int]) -> tuple[Array, Array, Array]:
    """Return rates (phase, channel), gains (channel, z) and shares (phase,)."""
    there = np.isfinite(spread)
    if not there.any((1, 2)).all():
        raise DataError("a channel has no measured voxel among those seen; leave it out")
    counts = np.where(there, spread, 0).astype(float)
    member = _first_members(counts, there, marks)
    gain = np.ones(counts.shape[:2])
    share = member.mean((1, 2))
    for _ in range(ROUNDS):
        rate = _rates(counts, there, member, gain)
        gain = _gains(counts, there, member, rate)
        member, share = _members(counts, there, rate, gain, share)
    return rate, gain, share


def _first_members(counts: Array, there: NDArray[np.bool_], marks: list[int]) -> Array:
    """Give each voxel to the phase whose mark is the brightest for that channel."""
    score = []
    for c in marks:
        bright = np.quantile(counts[c][there[c]], TOP)
        score.append(counts[c] / max(bright, FAINT))
    best = np.argmax(score, 0) == np.arange(len(marks))[:, None, None]
    return np.asarray(best, float)


def _rates(counts: Array, there: NDArray[np.bool_], member: Array, gain: Array) -> Array:
    total = np.einsum("pzn,czn->pc", member, counts)
    exposure = np.einsum("pzn,czn,cz->pc", member, there.astype(float), gain)
    return np.asarray(np.maximum(total / np.maximum(exposure, 1), FAINT))


def _gains(counts: Array, there: NDArray[np.bool_], member: Array, rate: Array) -> Array:
    expected = np.einsum("pzn,czn,pc->cz", member, there.astype(float), rate)
    gain = np.where(expected > 0, counts.sum(2) / np.maximum(expected, FAINT), 1.0)
    return np.asarray(gain / gain.mean(1, keepdims=True))


def _members(
    counts: Array, there: NDArray[np.bool_], rate: Array, gain: Array, share: Array
) -> tuple[Array, Array]:
    log = np.einsum("pc,czn->pzn", np.log(rate), counts)
    log -= np.einsum("pc,cz,czn->pzn", rate, gain, there.astype(float))
    log += np.log(np.maximum(share, 1e-6))[:, None, None]
    member = np.exp(log - log.max(0))
    member /= member.sum(0)
    return member, member.mean((1, 2))


def _brightest(
    rate: Floats, phases: list[str], channels: list[str], marks: Mapping[str, str]
) -> None:
    for name in phases:
        top = phases[int(np.argmax(rate[:, channels.index(marks[name])]))]
        if top != name:
            raise DataError(
                f"'{name}' cannot be told: its channel {marks[name]} is brighter in '{top}'; "
                "leave it out of the phases, or mark it by another channel"
            )


def _table(
    volume: xr.DataArray,
    phases: list[str],
    coats: Sequence[str],
    seen: Mapping[str, Response],
    model: Model,
    gain: Array,
    bounds: Array,
) -> xr.Dataset:
    channels = [str(name) for name in volume["channel"].to_numpy()]
    coords = {"phase": phases, "channel": channels, "z": volume["z"], "coat": list(coats)}
    return xr.Dataset(
        {
            "rate": (("phase", "channel"), model.rate.astype(float), {"units": "count"}),
            "share": ("phase", np.exp(model.prior.astype(float))),
            "gain": (("channel", "z"), gain),
            "weight": ("channel", model.weight.astype(float)),
            "lateral": ("channel", [seen[name].lateral for name in channels], {"units": "nm"}),
            "depth": ("channel", [seen[name].depth for name in channels], {"units": "nm"}),
            "density": ("phase", model.density, {"units": "g/cm^3"}),
            "coupling": ("axis", model.coupling.astype(float)),
            "coat_share": (("coat", "bound"), bounds),
        },
        coords | {"bound": ["least", "most"], "axis": ["z", "y", "x"]},
        {"unresolved": "; ".join(_bound_line(n, b) for n, b in zip(coats, bounds, strict=True))},
    )


def _bound_line(name: str, bound: Array) -> str:
    return f"{name} cannot be resolved: between {bound[0]:.1%} and {bound[1]:.1%} of the volume"
