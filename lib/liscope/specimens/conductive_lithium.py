"""An RF-sputtered film seen twice: its conduction by C-AFM, its lithium by ToF-SIMS.

What is simulated, in the order in which it happens:

1. The film: sub-micrometre domains rich in lithium in a film poor in it. Most of them conduct; some
   do not, and some conductive spots have no lithium. The surface is rough, independently of both.
2. C-AFM at -8 V on the sample, in its own frame: rotated, of other scale, sheared, with drift
   along its slow axis; the amplifier has offset, noise and a ceiling.
3. Relaxation: the current of each domain and spot changes by a factor of its own, and the rims of
   the lithium blur. A second C-AFM map of the same field shows how well conduction repeats.
4. ToF-SIMS of a larger field with a Bi3 beam of some 70 nm: the yield depends on the matrix and on
   the slope of the surface, ions are few, and one shot counts an ion of one kind at most once.

Spot sizes, bias, and the kinds of disagreement are those of the paper (C-AFM 3-5 nm, SIMS 70 nm,
-8 V, scale bar 2 um); what it does not quote (counts, currents, shares) is chosen.

Source: C-AFM with SIMS on LiMn2O4 and MnO2, Beilstein J. Nanotechnol., Fig. 2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

Image = NDArray[np.float64]

STEP = 0.0125  # um, grid on which the film is simulated
SIDE = 14.0  # um, side of the simulated film: holds both fields at any rotation to 25 degrees
SIMS_FIELD, SIMS_PIXELS = 10.0, 256  # um
CAFM_FIELD, CAFM_PIXELS = 8.0, 512  # um
BIAS = -8.0  # V, on the sample


@dataclass(frozen=True)
class Film:
    """The film; lengths in um, conductance in nS."""

    density: float = 0.9  # domains per um2
    diameter: float = 0.42  # median diameter of a domain
    diameter_spread: float = 0.35  # standard deviation of its logarithm
    lithium_poor: float = 0.05  # lithium between the domains, of that inside
    dead: float = 0.13  # share of domains that do not conduct
    spots: float = 0.30  # conductive spots without lithium per um2
    spot_diameter: float = 0.30  # median
    conductance: float = 0.35  # median inside a conducting domain
    conductance_poor: float = 0.002  # median between them
    spread: float = 0.7  # standard deviation of ln conductance from domain to domain
    texture: float = 0.5  # the same from place to place
    relaxation: float = 0.35  # standard deviation of ln conductance factor of a domain by relaxing
    blur: float = 0.02  # by which the lithium's rims soften (standard deviation)
    related: bool = True  # False: the conductive places have nothing to do with the lithium


@dataclass(frozen=True)
class Instrument:
    """Frames and defects of the two instruments; every one can be switched off by its zero."""

    rotation: float = 8.0  # degrees, of the C-AFM's frame against the film
    shift: tuple[float, float] = (0.55, -0.40)  # um, x and y
    scale: tuple[float, float] = (1.015, 0.985)  # of the C-AFM's x and y
    shear: float = 0.008
    creep: tuple[float, float] = (0.12, -0.09)  # um, drift that dies out along the slow axis
    later_shift: tuple[float, float] = (0.07, 0.05)  # um, of the second C-AFM map
    line_gain: float = 0.03  # standard deviation of the gain from line to line
    wear: float = 0.10  # relative loss of contact over a map
    offset: float = 0.004  # nA
    noise: float = 0.003  # nA
    range: float = 10.0  # nA, where the amplifier clips
    height_noise: float = 0.2  # nm
    tilt: tuple[float, float] = (30.0, -20.0)  # nm over the field
    beam: float = 0.07  # um, full width at half maximum of the ion beam
    counts: float = 6.0  # lithium ions per pixel inside a domain
    others: float = 40.0  # other ions per pixel
    shape: float = 0.25  # change of the yield for a standard deviation that a place stands out by
    facing: float = 0.02  # the same by what faces the ion gun, which stands at one side
    matrix: float = 0.3  # how much better lithium ionises where there is much of it
    vignetting: float = 0.1  # loss of yield at the corners
    shots: int = 64  # per pixel; each counts an ion of a kind at most once; 0: no dead time


IDEAL = Instrument(
    rotation=0, shift=(0, 0), scale=(1, 1), shear=0, creep=(0, 0), later_shift=(0, 0), line_gain=0,
    wear=0, offset=0, noise=0, range=np.inf, height_noise=0, tilt=(0, 0), beam=0, shape=0,
    facing=0, matrix=0, vignetting=0, shots=0,
)  # fmt: skip


def with_defects(**defects: Any) -> Instrument:
    """Return usual instruments with the named properties set to other values."""
    return replace(Instrument(), **defects)


def simulate(
    seed: int = 0, instrument: Instrument | None = None, film: Film | None = None
) -> xr.DataTree:
    """Return the measurements ``cafm``, ``cafm_later`` and ``sims``, and the ``truth``.

    Parameters
    ----------
    seed
        Of the film, the noise and everything else that is random.
    instrument, film
        Usual ones by default.

    Returns
    -------
    Nodes ``cafm`` and ``cafm_later``: ``z`` (nm) and ``current`` (nA) over ``y, x`` (um). Node
    ``sims``: ``counts`` over ``ion, y, x``. Node ``truth``: where each SIMS pixel lies in the frame
    of the C-AFM maps (``cafm_x``, ``cafm_y``, um), and what is there: ``lithium`` (share of that in
    a domain) and ``conductance`` (nS), neither blurred nor noisy; and the shares of domains.
    """
    matter, tool = film or Film(), instrument or Instrument()
    rng = np.random.default_rng([seed, *b"rf_lmo"])
    surface = _Surface.grow(matter, rng)
    later = surface.relaxed(matter, rng)
    frame = _Frame.of(tool, (0.0, 0.0))
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(
                attrs={"title": "simulated RF-sputtered LiMn2O4, 100 nm", "seed": seed}
            ),
            "/cafm": _cafm(surface, frame, tool, rng, "C-AFM"),
            "/cafm_later": _cafm(
                later, _Frame.of(tool, tool.later_shift), tool, rng, "C-AFM later"
            ),
            "/sims": _sims(later, tool, rng),
            "/truth": _truth(later, frame, matter),
        },
        name="rf_lmo",
    )


# ------------------------------------------------------------------------------------- the film


@dataclass(frozen=True)
class _Surface:
    """What the film is made of, on its own grid (y, x)."""

    label: NDArray[np.intp]  # 0 between domains, then domains, then spots
    lithium: Image  # relative to the inside of a domain
    conductance: Image  # nS
    height: Image  # nm
    standing_out: Image  # of the mean around, in standard deviations; saturates at 1.5
    facing: Image  # slope towards the ion gun, likewise

    @classmethod
    def grow(cls, film: Film, rng: np.random.Generator) -> _Surface:
        domains, count = _blobs(film.density, film.diameter, film.diameter_spread, rng)
        spots, more = _blobs(film.spots, film.spot_diameter, film.diameter_spread, rng)
        if not film.related:
            unrelated, _ = _blobs(film.density, film.diameter, film.diameter_spread, rng)
        label = np.where(domains > 0, domains, np.where(spots > 0, spots + count, 0))
        alive = np.concatenate([[False], rng.random(count) >= film.dead, [True] * more])
        carries = alive[label] if film.related else unrelated > 0
        log = film.spread * _each(count + more, rng)[label]
        log += film.texture * _field(0.03, rng)
        inside = np.where(carries, film.conductance, film.conductance_poor)
        lithium = np.where((label > 0) & (label <= count), 1.0, film.lithium_poor)
        return cls(label, lithium, inside * np.exp(log), *_relief(rng))

    def relaxed(self, film: Film, rng: np.random.Generator) -> _Surface:
        """Return the film some time later."""
        factor = np.exp(film.relaxation * _each(int(self.label.max()), rng))
        lithium = ndimage.gaussian_filter(self.lithium, film.blur / STEP)
        return replace(self, lithium=lithium, conductance=self.conductance * factor[self.label])


def _each(count: int, rng: np.random.Generator) -> Image:
    """Return a normal number for each label from 1 on, and zero for the film between them."""
    return np.concatenate([[0.0], rng.standard_normal(count)])


def _field(length: float, rng: np.random.Generator) -> Image:
    """Return a smooth random field of unit variance (y, x); ``length`` in um."""
    side = round(SIDE / STEP)
    field = ndimage.gaussian_filter(rng.standard_normal((side, side)), length / STEP, mode="wrap")
    return np.asarray(field / field.std())


def _blobs(
    density: float, diameter: float, spread: float, rng: np.random.Generator
) -> tuple[NDArray[np.intp], int]:
    """Return labels (y, x) of irregular round places, 0 between them, and their number."""
    side = round(SIDE / STEP)
    count = int(rng.poisson(density * SIDE**2))
    label = np.zeros((side, side), np.intp)
    ragged = 1 + 0.25 * _field(0.08, rng)
    centres = rng.uniform(0, side, (count, 2))
    radii = 0.5 * diameter * np.exp(spread * rng.standard_normal(count)) / STEP
    stretch = np.exp(0.25 * rng.standard_normal(count))
    turns = rng.uniform(0, np.pi, count)
    for i, (centre, radius, ratio, turn) in enumerate(
        zip(centres, radii, stretch, turns, strict=True), 1
    ):
        box = tuple(
            slice(max(0, int(c - 2.5 * radius)), min(side, int(c + 2.5 * radius) + 1))
            for c in centre
        )
        y, x = np.ogrid[box]
        y, x = y - centre[0], x - centre[1]
        along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        inside = np.hypot(along / ratio, across * ratio) < radius * ragged[box]
        label[box][inside] = i
    return label, count


def _relief(rng: np.random.Generator) -> tuple[Image, Image, Image]:
    """Return height (nm), fine grains on hillocks, and the two shapes that change the ions' yield.

    What stands out of its surroundings emits more, since more of each collision cascade reaches a
    surface; and what faces the ion gun, which stands at 45 degrees to one side, is hit by more.
    The second looks as if the map were shifted by some nm, which no comparison with the topography
    can tell from a real shift.
    """
    height = 6 * np.exp(0.8 * _field(0.12, rng)) + 1.5 * _field(0.025, rng)
    reach = 2 * round(0.125 / STEP) + 1  # odd, or the mean would lie half a step aside
    above = height - ndimage.uniform_filter(height, reach, mode="wrap")
    slope = ndimage.gaussian_filter(np.gradient(height, STEP, axis=1), 0.03 / STEP)
    saturating = (1.5 * np.tanh(one / one.std() / 1.5) for one in (above, slope))
    return height, *saturating


# ------------------------------------------------------------------------------ the instruments


@dataclass(frozen=True)
class _Frame:
    """Where the C-AFM's scanner looks: film = turn (p - centre) + shift + creep exp(-t / 0.2)."""

    turn: Image
    shift: Image
    creep: Image

    @classmethod
    def of(cls, tool: Instrument, further: tuple[float, float]) -> _Frame:
        angle = np.deg2rad(tool.rotation)
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        stretch = np.array([[tool.scale[0], tool.shear], [0.0, tool.scale[1]]])
        shift = np.add(tool.shift, further)
        return cls(rotation @ stretch, shift, np.asarray(tool.creep, float))

    def to_film(self, points: Image) -> Image:
        """Return film coordinates (..., 2: x, y in um from its centre) of scanner coordinates."""
        return np.asarray((points - CAFM_FIELD / 2) @ self.turn.T + self._offset(points))

    def from_film(self, film: Image) -> Image:
        """Return scanner coordinates (um) of film coordinates."""
        points = np.full(film.shape, CAFM_FIELD / 2)
        back = np.linalg.inv(self.turn).T
        for _ in range(40):  # the creep depends on the time, which depends on the place
            points = (film - self._offset(points)) @ back + CAFM_FIELD / 2
        return points

    def _offset(self, points: Image) -> Image:
        time = np.clip(points[..., 1:] / CAFM_FIELD, 0, 1)
        return self.shift + self.creep * np.exp(-time / 0.2)


def _grid(field: float, pixels: int) -> tuple[Image, Image]:
    """Return pixel centres along one side, and all of them as (y, x, 2: x, y), um."""
    axis = np.asarray((np.arange(pixels) + 0.5) * field / pixels, dtype=float)
    return axis, np.stack(np.meshgrid(axis, axis), -1)


def _at(image: Image, film: Image) -> Image:
    """Return the film's property at film coordinates (..., 2)."""
    where = (film[..., ::-1] + SIDE / 2) / STEP - 0.5
    return np.asarray(
        ndimage.map_coordinates(image, np.moveaxis(where, -1, 0), order=1, mode="nearest")
    )


def _cafm(
    surface: _Surface, frame: _Frame, tool: Instrument, rng: np.random.Generator, name: str
) -> xr.Dataset:
    axis, points = _grid(CAFM_FIELD, CAFM_PIXELS)
    film = frame.to_film(points)
    lines = np.exp(tool.line_gain * rng.standard_normal((CAFM_PIXELS, 1)))
    lines *= np.exp(-tool.wear * axis[:, None] / CAFM_FIELD)
    current = BIAS * _at(surface.conductance, film) * lines + tool.offset
    current = current + tool.noise * rng.standard_normal(current.shape)
    slant = (tool.tilt[0] * axis[None, :] + tool.tilt[1] * axis[:, None]) / CAFM_FIELD
    height = _at(surface.height, film) + slant
    height += tool.height_noise * rng.standard_normal(height.shape)
    trace = {"direction": "trace"}
    return xr.Dataset(
        {
            "z": (("y", "x"), height, trace | {"units": "nm", "quantity": "height"}),
            "current": (
                ("y", "x"),
                np.clip(current, -tool.range, tool.range),
                trace | {"units": "nA", "quantity": "current"},
            ),
        },
        _coords(axis),
        _attrs(name)
        | {"bias": BIAS, "bias_units": "V", "bias_side": "sample", "slow_axis": "down"},
    )


def _sims(surface: _Surface, tool: Instrument, rng: np.random.Generator) -> xr.Dataset:
    axis, points = _grid(SIMS_FIELD, SIMS_PIXELS)
    spot = tool.beam / np.sqrt(8 * np.log(2)) / STEP
    lithium = surface.lithium * (1 + tool.matrix * surface.lithium) / (1 + tool.matrix)
    shape = np.clip(1 + tool.shape * surface.standing_out + tool.facing * surface.facing, 0.1, None)
    centred = points - SIMS_FIELD / 2
    loss = 1 - tool.vignetting * np.sum(centred**2, -1) / (SIMS_FIELD**2 / 2)
    means = {
        "Li+": tool.counts * lithium * shape,
        "Mn+": tool.others / 4 * shape * (1.1 - 0.2 * surface.lithium),
        "others": 3 * tool.others / 4 * shape,
    }
    detected = {
        name: _detected(_at(ndimage.gaussian_filter(mean, spot), centred) * loss, tool, rng)
        for name, mean in means.items()
    }
    detected["total"] = sum(detected.values(), np.zeros(loss.shape, np.int64))
    kept = ["Li+", "Mn+", "total"]
    counts = np.stack([detected[name] for name in kept])
    attributes = {"units": "count", "quantity": "counts"}
    return xr.Dataset(
        {"counts": (("ion", "y", "x"), counts, attributes)},
        _coords(axis) | {"ion": kept, "mass": ("ion", [7.016, 54.938, np.nan], {"units": "u"})},
        _attrs("ToF-SIMS")
        | {"polarity": "positive", "shots_per_pixel": tool.shots, "dead_time_corrected": "no"},
    )


def _detected(mean: Image, tool: Instrument, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return counts: after each shot the detector sees one ion of a kind, however many came."""
    if not tool.shots:
        return rng.poisson(mean)
    return rng.binomial(tool.shots, 1 - np.exp(-mean / tool.shots))


def _coords(axis: Image) -> dict[str, Any]:
    return {
        "y": ("y", axis, {"units": "um", "long_name": "y"}),
        "x": ("x", axis, {"units": "um", "long_name": "x"}),
    }


def _attrs(name: str) -> dict[str, Any]:
    return {
        "source": f"simulated, {name}",
        "format": "specimen",
        "history": f"simulated by {__name__}",
    }


def _truth(surface: _Surface, frame: _Frame, film: Film) -> xr.Dataset:
    axis, points = _grid(SIMS_FIELD, SIMS_PIXELS)
    place = points - SIMS_FIELD / 2
    cafm = frame.from_film(place)
    return xr.Dataset(
        {
            "cafm_x": (("y", "x"), cafm[..., 0], {"units": "um"}),
            "cafm_y": (("y", "x"), cafm[..., 1], {"units": "um"}),
            "lithium": (("y", "x"), _at(surface.lithium, place), {"units": "1"}),
            "conductance": (("y", "x"), _at(surface.conductance, place), {"units": "nS"}),
            "dead": ((), film.dead, {"units": "1"}),
        },
        _coords(axis),
    )
