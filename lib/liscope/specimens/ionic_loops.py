"""I-V curves of a sputtered LiMn2O4 film, whose ions move under the tip while they are measured.

What is simulated, in the order in which it happens:

1. The places: each has its own conductance, mobility, relaxation time and rectification; a share of
   them conducts in both directions alike, a few are hot, a few insulate.
2. The history: before each curve of a preconditioned place a scan at -10 V has pushed the lithium
   away from the tip; until the sweep starts, some has come back.
3. The sweep: bias on the sample moves ions, and they diffuse back,

       dn/dt = k sinh(V/Vi) s(n) - (n - 1)/tau,   s = N - n for V > 0,   s = n for V < 0,

   with the concentration n of lithium under the tip in units of that at rest and N the sites there
   are. The current of electrons follows it: I = g n Ve sinh(V/Ve), times r for V < 0. It vanishes
   at V = 0 whatever n is, so the loop is pinched there, and where r is not small its two lobes run
   in opposite senses.
4. The contact: its noise is proportional to the current; for part of a curve it may be lost. A
   sweep may be broken off.
5. The amplifier: displacement current C dV/dt of a stray capacitance, offset, white noise,
   clipping at the end of its range.

The paper gives the number of curves (145), the sweep rate (0.2 Hz), the 10 V of the preconditioning
and that about half of the curves had it; all else, the bias of the sweep included, is chosen.

Source: C-AFM with SIMS on LiMn2O4 and MnO2, Beilstein J. Nanotechnol., Fig. 3.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

GROUPS = ("pristine", "preconditioned")
PLACES = (15, 14)  # in each group
CURVES = 5  # at each place: 145 in all
RATE = 0.2  # Hz
PEAK_BIAS = 5.0  # V
POINTS = 400  # recorded in one cycle
SUBSTEPS = 8  # of the simulation in each
RATES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # Hz, at each place of `rates`
RATE_PLACES = 6
MAXIMA = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0)  # V, of the cycles of `reversal`
REVERSAL_PLACES = 8


@dataclass(frozen=True)
class Film:
    """Medians over the places, and how the places differ (standard deviations of the logarithm)."""

    conductance: float = 0.08  # g, nS
    conductance_spread: float = 0.6
    contact_spread: float = 0.08  # of g, from curve to curve of one place
    electronic_bias: float = 2.0  # Ve, V
    ionic_bias: float = 1.6  # Vi, V
    mobility: float = 0.035  # k, 1/s
    mobility_spread: float = 0.5
    relaxation: float = 6.0  # tau, s
    relaxation_spread: float = 0.4
    sites: float = 3.0  # N
    rest_spread: float = 0.25  # of n before the sweep, where nothing was preconditioned
    depleted: float = 0.3  # n at the end of the preconditioning
    depleted_spread: float = 0.3  # from curve to curve
    wait: float = 1.5  # s, from the preconditioning to the sweep
    rectification: float = 0.06  # r where one direction conducts better
    rectification_spread: float = 0.5
    symmetric: float = 0.3  # share of the places that conduct alike in both directions
    hot: float = 0.03  # share of the places with `hot_gain` times the conductance
    hot_gain: float = 40.0
    insulating: float = 0.05  # share of the places without any current


@dataclass(frozen=True)
class Instrument:
    """What instrument and contact add; every defect can be switched off by its zero."""

    capacitance: float = 1.0  # pF
    contact_noise: float = 0.004  # standard deviation, share of the current
    contact_lost: float = 0.05  # share of the curves
    broken_off: float = 0.03  # share of the curves
    offset: float = 0.006  # nA
    noise: float = 0.003  # nA
    range: float = 10.0  # nA, where the amplifier clips


TOLD = 25.0  # times the noise: the least current whose loss makes a curve a bad one

IDEAL = Instrument(
    capacitance=0, contact_noise=0, contact_lost=0, broken_off=0, offset=0, noise=0, range=np.inf
)


@dataclass(frozen=True)
class _Curves:
    """The film under the tip, one value a curve."""

    place: Ints
    depleted: NDArray[np.bool_]  # by the preconditioning
    conductance: Floats  # nS
    mobility: Floats  # 1/s
    relaxation: Floats  # s
    rectification: Floats
    start: Floats  # n when the sweep starts

    @classmethod
    def grow(
        cls, film: Film, places: tuple[int, int], curves: int, rng: np.random.Generator
    ) -> _Curves:
        """Return ``curves`` curves at each place, of which there are so many in either group."""
        number = sum(places)
        place = np.repeat(np.arange(number), curves)
        depleted = place >= places[0]

        def spread(median: float, of_ln: float, count: int = number) -> Floats:
            return np.asarray(median * np.exp(of_ln * rng.standard_normal(count)))

        conductance = spread(film.conductance, film.conductance_spread)
        kind = rng.permutation(number) / number
        conductance[kind < film.hot] *= film.hot_gain
        conductance[kind >= 1 - film.insulating] = 0
        rectification = spread(film.rectification, film.rectification_spread)
        symmetric = rng.random(number) < film.symmetric
        rectification[symmetric] = rng.uniform(0.6, 1.0, number)[symmetric]
        relaxation = spread(film.relaxation, film.relaxation_spread)[place]
        low = np.minimum(spread(film.depleted, film.depleted_spread, len(place)), 1)
        left = (1 - low) * np.exp(-film.wait / relaxation)
        rest = spread(1, film.rest_spread)[place]
        return cls(
            place=place,
            depleted=depleted,
            conductance=conductance[place] * spread(1, film.contact_spread, len(place)),
            mobility=spread(film.mobility, film.mobility_spread)[place],
            relaxation=relaxation,
            rectification=np.minimum(rectification, 1)[place],
            start=np.where(depleted, 1 - left, np.minimum(rest, film.sites)),
        )

    def take(self, chosen: NDArray[np.intp]) -> _Curves:
        return _Curves(*(getattr(self, one.name)[chosen] for one in fields(self)))


def simulate(
    seed: int = 0, instrument: Instrument | None = None, film: Film | None = None
) -> xr.DataTree:
    """Return I-V curves of pristine and preconditioned places, and the ``truth``.

    Parameters
    ----------
    seed
        Of the places, the noise and everything else that is random.
    instrument, film
        What contact and amplifier add, and the film; usual ones by default.

    Returns
    -------
    Nodes ``curves`` (145 of them), ``rates`` (a few places, each at several sweep rates) and
    ``reversal`` (a few places, cycles of rising maximal bias in one curve): ``bias`` (V),
    ``current`` (nA) and ``time`` (s) over ``curve, point`` in the order of acquisition, with the
    coordinates ``place``, ``group``, ``x`` and ``y`` (um) of each curve. Node ``truth``: of each
    of the ``curves`` its group, what went wrong, whether it is ``bad`` or ``good`` (neither, where
    the contact was lost for a current that is hardly above the noise), and the relative loop areas
    (V) of the film's current alone, without instrument; the difference of the groups' areas in the
    film at large (``shift``, V, the median of all pairs, and ``cliffs_delta``); the amplifier and
    the stray capacitance.
    """
    tool, matter = instrument or Instrument(), film or Film()
    film_rng, *others = (np.random.default_rng([seed, 5, part]) for part in range(4))
    grown = _Curves.grow(matter, PLACES, CURVES, film_rng)
    title = "simulated point-contact I-V curves of sputtered LiMn2O4, 100 nm"
    curves, truth = _loops(grown, tool, matter, others[0])
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs={"title": title, "seed": seed}),
            "/curves": curves,
            "/rates": _rates(tool, matter, others[1]),
            "/reversal": _reversal(tool, matter, others[2]),
            "/truth": truth.merge(_effect(matter)),
        },
        name="rf_lmo_iv",
    )


def triangle(peak: float, points: int = POINTS) -> Floats:
    """Return the bias (V) of one cycle 0, +peak, 0, -peak, 0, without its last point."""
    phase = np.arange(points) / points
    return np.asarray(peak * (np.abs((4 * phase - 1) % 4 - 2) - 1))


def concentration(curves: _Curves, film: Film, bias: Floats, step: Floats) -> Floats:
    """Return n (curve, point) while the bias (point) is swept, with ``step`` s (curve,) a point.

    The equation is linear in n while the bias stands still; each step is its exact solution with
    the bias half way.
    """
    n = np.empty((len(curves.start), len(bias)))
    n[:, 0] = now = curves.start
    back = 1 / curves.relaxation
    for i, volts in enumerate((bias[1:] + bias[:-1]) / 2, start=1):
        drift = curves.mobility * abs(np.sinh(volts / film.ionic_bias))
        speed = drift + back
        goal = (back + drift * film.sites * (volts > 0)) / speed
        now = goal + (now - goal) * np.exp(-speed * step)
        n[:, i] = now
    return n


def film_current(curves: _Curves, film: Film, bias: Floats, n: Floats) -> Floats:
    """Return the current (nA) of electrons through the film, (curve, point)."""
    volts = film.electronic_bias * np.sinh(bias / film.electronic_bias)
    way = np.where(bias < 0, curves.rectification[:, None], 1.0)
    return np.asarray(curves.conductance[:, None] * way * n * volts)


def _sweep(
    curves: _Curves, film: Film, peaks: tuple[float, ...], rate: Floats, substeps: int = SUBSTEPS
) -> tuple[Floats, Floats]:
    """Return bias (point,) and current (curve, point) on the fine grid, back at 0 at its end."""
    fine = POINTS * substeps
    bias = np.append(np.concatenate([triangle(peak, fine) for peak in peaks]), 0.0)
    n = concentration(curves, film, bias, 1 / rate / fine)
    return bias, film_current(curves, film, bias, n)


def _loops(
    curves: _Curves, tool: Instrument, film: Film, rng: np.random.Generator
) -> tuple[xr.Dataset, xr.Dataset]:
    rate = np.full(len(curves.place), RATE)
    bias, current = _sweep(curves, film, (PEAK_BIAS,), rate)
    recorded, wrong = _record(bias, current, rate, tool, rng)
    hidden = wrong.pop("hidden")
    wrong["insulating"] = curves.conductance == 0
    sure = np.any([wrong["clipped"], wrong["broken_off"], wrong["insulating"]], axis=0)
    wrong["bad"] = sure | (hidden > TOLD * tool.noise)
    wrong["good"] = ~(sure | wrong["contact_lost"])
    areas = relative_areas(bias, current)
    truth = xr.Dataset(
        {name: ("curve", value) for name, value in wrong.items()}
        | {f"{name}_V": ("curve", value, {"units": "V"}) for name, value in areas.items()}
        | {
            "group": ("curve", _group(curves)),
            "capacitance": ((), tool.capacitance, {"units": "pF"}),
            "offset": ((), tool.offset, {"units": "nA"}),
            "noise": ((), tool.noise, {"units": "nA"}),
        }
    )
    return _dataset(recorded, curves, rate, rng), truth


def relative_areas(bias: Floats, current: Floats) -> dict[str, Floats]:
    """Return the loop areas (V) over the peak current, of one symmetric cycle from 0 to 0.

    The way back passes through the very same biases as the way there, so their difference needs no
    interpolation. Positive areas run counter-clockwise in the plane of V and I.
    """
    quarter = len(bias) // 4
    up = np.concatenate([current[:, 3 * quarter :], current[:, 1 : quarter + 1]], axis=1)
    down = current[:, quarter : 3 * quarter + 1][:, ::-1]
    volts = bias[quarter : 3 * quarter + 1][::-1]
    peak = np.abs(current).max(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        opening = np.where(peak[:, None] > 0, (down - up) / peak[:, None], np.nan)

    def integral(part: NDArray[np.bool_], values: Floats) -> Floats:
        return np.asarray(np.trapezoid(values[:, part], volts[part], axis=1))

    positive, negative = (integral(part, opening) for part in (volts >= 0, volts <= 0))
    return {
        "enclosed": np.abs(positive + negative),
        "signed": positive + negative,
        "unsigned": integral(volts <= np.inf, np.abs(opening)),
        "positive": positive,
        "negative": negative,
    }


def _rates(tool: Instrument, film: Film, rng: np.random.Generator) -> xr.Dataset:
    """Return curves of a few pristine places, each at all sweep rates."""
    places = _conducting(film, RATE_PLACES, rng)
    curves = places.take(np.repeat(np.arange(RATE_PLACES), len(RATES)))
    rate = np.tile(RATES, RATE_PLACES)
    bias, current = _sweep(curves, film, (PEAK_BIAS,), rate)
    recorded, _ = _record(bias, current, rate, _steady(tool), rng)
    return _dataset(recorded, curves, rate, rng)


def _reversal(tool: Instrument, film: Film, rng: np.random.Generator) -> xr.Dataset:
    """Return one curve a pristine place: cycles of rising maximal bias, one after another."""
    curves = _conducting(film, REVERSAL_PLACES, rng)
    rate = np.full(REVERSAL_PLACES, RATE)
    bias, current = _sweep(curves, film, MAXIMA, rate)
    recorded, _ = _record(bias, current, rate, _steady(tool), rng)
    return _dataset(recorded, curves, rate, rng)


def _conducting(film: Film, number: int, rng: np.random.Generator) -> _Curves:
    """Return one curve at each of so many pristine places that the amplifier can follow."""
    grown = _Curves.grow(film, (8 * number, 0), 1, rng)
    usable = (grown.conductance > 0) & (grown.conductance < 3 * film.conductance)
    chosen = grown.take(np.flatnonzero(usable)[:number])
    return _Curves(np.arange(number), *(getattr(chosen, one.name) for one in fields(chosen)[1:]))


def _steady(tool: Instrument) -> Instrument:
    """Return the same instrument in the hands of somebody who repeats a curve that went wrong."""
    kept = {one.name: getattr(tool, one.name) for one in fields(tool)}
    return Instrument(**kept | {"contact_lost": 0.0, "broken_off": 0.0})


def _record(
    bias: Floats, current: Floats, rate: Floats, tool: Instrument, rng: np.random.Generator
) -> tuple[tuple[Floats, Floats], dict[str, NDArray[Any]]]:
    """Return bias and current (curve, point) as recorded, and what went wrong with each curve."""
    seen, film = bias[::SUBSTEPS], current[:, ::SUBSTEPS]
    number, points = film.shape
    gone, broken = _gone(number, points, tool, rng)
    lost = _lost(number, points, tool, rng) & ~gone
    noise = rng.standard_normal((2, *film.shape))
    speed = np.gradient(seen) * rate[:, None] * POINTS  # V/s
    signal = np.where(lost, 0, film) * (1 + tool.contact_noise * noise[0])
    # A picofarad at one volt a second carries 1e-3 nA.
    signal = signal + 1e-3 * tool.capacitance * speed + tool.offset + tool.noise * noise[1]
    signal[gone] = np.nan
    volts = np.where(gone, np.nan, seen)
    wrong = {
        "clipped": (np.abs(signal) > tool.range).any(axis=1),
        "contact_lost": lost.any(axis=1),
        "hidden": np.abs(np.where(lost, film, 0)).max(axis=1),  # nA, largest current of those lost
        "broken_off": broken,
    }
    return (volts, np.clip(signal, -tool.range, tool.range)), wrong


def _gone(
    number: int, points: int, tool: Instrument, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return where (curve, point) a sweep was broken off before, and which (curve,) were."""
    broken = rng.random(number) < tool.broken_off
    end = rng.uniform(0.3, 0.9, number) * points
    return broken[:, None] & (np.arange(points) >= end[:, None]), broken


def _lost(
    number: int, points: int, tool: Instrument, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return where (curve, point) the tip has no contact: a stretch of some per cent of a sweep."""
    loses = rng.random(number) < tool.contact_lost
    length = rng.uniform(0.03, 0.15, number) * POINTS
    start = rng.uniform(0, 0.85, number) * points
    at = np.arange(points)
    return np.asarray(loses[:, None] & (at >= start[:, None]) & (at < (start + length)[:, None]))


def _group(curves: _Curves) -> NDArray[np.str_]:
    return np.asarray(np.asarray(GROUPS)[curves.depleted.astype(int)])


def _dataset(
    recorded: tuple[Floats, Floats], curves: _Curves, rate: Floats, rng: np.random.Generator
) -> xr.Dataset:
    bias, current = recorded
    number = curves.place.max() + 1
    where = rng.uniform(0, 5, (2, number))[:, curves.place]
    time = np.arange(bias.shape[1])[None, :] / (rate[:, None] * POINTS)
    dims = ("curve", "point")
    return xr.Dataset(
        {
            "bias": (dims, bias, {"units": "V"}),
            "current": (dims, current, {"units": "nA"}),
            "time": (dims, time, {"units": "s"}),
        },
        coords={
            "place": ("curve", curves.place),
            "group": ("curve", _group(curves)),
            "sweep_rate": ("curve", rate, {"units": "Hz"}),
            "x": ("curve", where[0], {"units": "um"}),
            "y": ("curve", where[1], {"units": "um"}),
        },
        attrs={
            "source": "simulated",
            "format": "specimen",
            "bias_side": "sample",
            "sweep_rate": RATE,
            "history": f"simulated by {__name__}",
        },
    )


@lru_cache(maxsize=4)
def _effect(film: Film, places: int = 2500) -> xr.Dataset:
    """Return how the areas of the two groups differ in a film of very many places."""
    rng = np.random.default_rng(20)
    curves = _Curves.grow(film, (places, places), 1, rng)
    curves = curves.take(np.flatnonzero(curves.conductance > 0))
    bias, current = _sweep(curves, film, (PEAK_BIAS,), np.full(len(curves.place), RATE), substeps=1)
    values: dict[str, tuple[str, list[float]]] = {
        "shift": ("area", []),
        "cliffs_delta": ("area", []),
    }
    areas = relative_areas(bias, current)
    for area in areas.values():
        pairs = area[curves.depleted][:, None] - area[~curves.depleted]
        values["shift"][1].append(float(np.median(pairs)))
        values["cliffs_delta"][1].append(float(np.sign(pairs).mean()))
    effect = xr.Dataset(values, coords={"area": [f"{name}_V" for name in areas]})
    effect["shift"].attrs["units"] = "V"
    return effect
