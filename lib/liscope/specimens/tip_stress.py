"""Two electrodeposited films, mapped by C-AFM before and after a voltage stress by the tip.

What is simulated, in the order in which it happens:

1. The film: grains (a Voronoi pattern) with domed tops, each with its own conductance from a
   log-normal distribution; a share of them is inactive; narrow conductive paths cross the film.
2. The stress: three squares scanned at 3, 5 and 10 V. Each grain responds with its own factor,
   whose mean is the truth. The read-out scan itself changes the whole field a little.
3. The tip: current = bias x conductance, blurred by the contact, coupled to the topography through
   the contact area (more contact in the valleys), falling as the tip wears, with a gain that
   varies from scan line to scan line.
4. The scan: the second map is shifted and sheared against the first by drift; the height signal is
   tilted and jumps between scan lines.
5. The amplifier: offset, white noise, clipping at the end of its range.

The numbers of the films are those of the paper (thickness 260 and 250 nm; +69 % and +160 % at 3 and
5 V and a drop at 10 V on LMO; nothing, nothing and breakdown on MnO2; read-out at +1.5 V on the
sample); what it does not quote (grain size, currents, the size of the drop and of the breakdown)
is chosen.

Source: C-AFM with SIMS on LiMn2O4 and MnO2, Beilstein J. Nanotechnol., Fig. 1 and S1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

Image = NDArray[np.float64]

FIELD = 6.0  # um, side of the scanned square
PIXELS = 384
STRESS_BIAS = (3.0, 5.0, 10.0)  # V
SQUARE = 1.5  # um, side of a stressed square
SQUARE_X = (0.35, 2.25, 4.15)  # um, left edges
SQUARE_Y = 2.25  # um, upper edge
READOUT_BIAS = 1.5  # V, on the sample
MARGIN = 0.5  # um of film simulated beyond the field, for drift
FILM_STEP = 0.0125  # um, grid on which the film is simulated


@dataclass(frozen=True)
class Film:
    """A film and what stress does to it; lengths in um, heights in nm, conductance in nS."""

    name: str
    thickness: float  # nm
    grain: float  # mean grain diameter, um
    relief: float  # height of a grain's dome, nm
    conductance: float  # median of the grains, nS
    spread: float  # standard deviation of ln conductance between grains
    inactive: float  # share of grains that do not conduct
    paths: float  # conductive paths per um2
    path_gain: float  # median factor of a path's conductance over its grain's
    response: tuple[float, float, float]  # conductance factor at 3, 5, 10 V
    response_spread: tuple[float, float, float] = (0.20, 0.20, 0.20)  # sd of ln response
    swelling: tuple[float, float, float] = (0.0, 0.0, 0.0)  # height change, nm
    readout: float = 1.03  # conductance factor of the read-out scan, everywhere


@dataclass(frozen=True)
class Instrument:
    """What instrument and surroundings add; every defect can be switched off by its zero."""

    contact: float = 0.008  # radius of the tip's contact, um (standard deviation of the blur)
    coupling: float = 0.15  # change of ln current per standard deviation of local curvature
    wear: float = 0.010  # relative loss of contact per map
    stress_wear: float = 0.005  # the same for the three stress scans together
    line_gain: float = 0.02  # standard deviation of the gain from line to line
    shift: tuple[float, float] = (0.13, -0.09)  # drift between the maps (x, y), um
    creep: tuple[float, float] = (-0.05, 0.04)  # drift during the second map (x, y), um
    tilt: tuple[float, float] = (25.0, -40.0)  # nm over the field, along x and y
    line_step: float = 0.6  # standard deviation of height steps between lines, nm
    height_noise: float = 0.15  # nm
    offset: float = 0.006  # nA
    noise: float = 0.003  # nA
    range: float = 10.0  # nA, where the amplifier clips


IDEAL = Instrument(
    contact=0, coupling=0, wear=0, stress_wear=0, line_gain=0, shift=(0, 0), creep=(0, 0),
    tilt=(0, 0), line_step=0, height_noise=0, offset=0, noise=0, range=np.inf,
)  # fmt: skip

FILMS: Mapping[str, Film] = {
    "lmo": Film(
        name="electrodeposited LiMn2O4",
        thickness=260,
        grain=0.11,
        relief=18,
        conductance=0.22,
        spread=0.8,
        inactive=0.3,
        paths=4.0,
        path_gain=12.0,
        response=(1.69, 2.60, 0.35),
        swelling=(0.0, 0.0, 1.5),
    ),
    "mno2": Film(
        name="electrodeposited MnO2",
        thickness=250,
        grain=0.09,
        relief=12,
        conductance=0.03,
        spread=0.7,
        inactive=0.3,
        paths=2.0,
        path_gain=8.0,
        response=(1.0, 1.0, 20.0),
        response_spread=(0.20, 0.20, 0.40),
        swelling=(0.0, 0.0, 1.0),
    ),
}


def simulate(film: str, seed: int = 0, instrument: Instrument | None = None) -> xr.DataTree:
    """Return the two maps of a film, ``pristine`` and ``stressed``, and the ``truth``.

    Parameters
    ----------
    film
        A name in :data:`FILMS`.
    seed
        Of the film, the noise and everything else that is random.
    instrument
        What the instrument adds; a usual one by default.

    Returns
    -------
    Nodes ``pristine`` and ``stressed``: ``z`` (nm) and ``current`` (nA) over ``y, x`` (um). Node
    ``truth``: for each area its rectangle in the stressed map (um), the factor of the film's
    conductance by the stress, and the factor of the current at the same place (stress, read-out
    and wear of the tip together).
    """
    matter, tool = FILMS[film], instrument or Instrument()
    rng = np.random.default_rng([seed, *film.encode()])
    grains = _Grains.grow(matter, rng)
    before = _Surface(grains.height, grains.conductance(matter, rng))
    after = _stress(before, grains, matter, rng)
    # The squares are marked where the second map sees them, so its frame is the film's own and
    # the first map is the one that lies shifted.
    title = f"simulated C-AFM of {matter.name}, {matter.thickness:g} nm"
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs={"title": title, "seed": seed}),
            "/pristine": _scan(before, tool, rng, first=True),
            "/stressed": _scan(after, tool, rng, first=False),
            "/truth": _truth(matter, tool),
        },
        name=film,
    )


def without(**defects: Any) -> Instrument:
    """Return a usual instrument with the named defects set to other values."""
    return replace(Instrument(), **defects)


@dataclass(frozen=True)
class _Surface:
    """Height (nm) and conductance (nS) on the film's grid."""

    height: Image
    conductance: Image


@dataclass(frozen=True)
class _Grains:
    """A Voronoi film: which grain lies at each point, and how high it is."""

    label: NDArray[np.intp]
    edge: Image = field(repr=False)  # distance to the grain boundary, um
    count: int = 0
    relief: float = 0.0

    @classmethod
    def grow(cls, film: Film, rng: np.random.Generator) -> _Grains:
        side = FIELD + 2 * MARGIN
        cells = round(side / film.grain)
        corners = np.stack(np.meshgrid(np.arange(cells), np.arange(cells)), -1).reshape(-1, 2)
        seeds = (corners + rng.uniform(0.05, 0.95, corners.shape)) * side / cells
        axis = (np.arange(round(side / FILM_STEP)) + 0.5) * FILM_STEP
        points = np.stack(np.meshgrid(axis, axis), -1)
        distance, nearest = cKDTree(seeds).query(points, k=2)
        edge = (distance[..., 1] - distance[..., 0]) / 2
        return cls(nearest[..., 0], edge, len(seeds), film.relief)

    @property
    def height(self) -> Image:
        dome = 1 - np.exp(-self.edge / self.edge.mean())
        return np.asarray(self.relief * (dome - dome.mean()))

    def conductance(self, film: Film, rng: np.random.Generator) -> Image:
        log = np.log(film.conductance) + film.spread * rng.standard_normal(self.count)
        log[rng.random(self.count) < film.inactive] = -np.inf
        texture = ndimage.gaussian_filter(rng.standard_normal(self.label.shape), 2)
        return np.asarray(
            np.exp(log[self.label] + 0.2 * texture / texture.std()) * self._paths(film, rng)
        )

    def _paths(self, film: Film, rng: np.random.Generator) -> Image:
        """Return the factor of conductive paths: narrow, with gains that differ."""
        spots = np.zeros(self.label.shape)
        side = len(spots)
        number = rng.poisson(film.paths * (side * FILM_STEP) ** 2)
        gain = film.path_gain * np.exp(0.4 * rng.standard_normal(number))
        spots[rng.integers(0, side, number), rng.integers(0, side, number)] = gain
        radius = 0.02 / FILM_STEP
        return np.asarray(1 + ndimage.gaussian_filter(spots, radius) * 2 * np.pi * radius**2)

    def response(self, mean: float, spread: float, rng: np.random.Generator) -> Image:
        """Return one factor a grain, log-normal around ``mean``."""
        log = spread * rng.standard_normal(self.count) - spread**2 / 2
        return np.asarray(mean * np.exp(log)[self.label])


def _stress(surface: _Surface, grains: _Grains, film: Film, rng: np.random.Generator) -> _Surface:
    height = surface.height.copy()
    factor = grains.response(film.readout, 0.02, rng)
    axis = np.asarray((np.arange(len(height)) + 0.5) * FILM_STEP - MARGIN, dtype=float)
    for left, mean, spread, swelling in zip(
        SQUARE_X, film.response, film.response_spread, film.swelling, strict=True
    ):
        inside = np.outer(_inside(axis, SQUARE_Y), _inside(axis, left))
        factor *= 1 + inside * (grains.response(mean, spread, rng) - 1)
        height += inside * swelling * (1 + 0.5 * rng.standard_normal(grains.count)[grains.label])
    return _Surface(height, surface.conductance * factor)


def _inside(axis: Image, start: float, blur: float = 0.015) -> Image:
    """Return 1 inside the square's side and 0 outside; the tip's field softens the edge (um)."""
    return np.asarray(
        1 / (1 + np.exp((start - axis) / blur)) / (1 + np.exp((axis - start - SQUARE) / blur))
    )


def _scan(surface: _Surface, tool: Instrument, rng: np.random.Generator, first: bool) -> xr.Dataset:
    pixel = FIELD / PIXELS
    axis = np.asarray((np.arange(PIXELS) + 0.5) * pixel, dtype=float)
    progress = np.arange(PIXELS)[:, None] / PIXELS
    shift = np.zeros(2) if not first else -np.asarray(tool.shift)
    creep = np.zeros(2) if not first else -np.asarray(tool.creep)
    at_x = axis[None, :] + shift[0] + creep[0] * progress
    at_y = axis[:, None] + shift[1] + creep[1] * progress
    where = np.broadcast_arrays(
        (at_y + MARGIN) / FILM_STEP - 0.5, (at_x + MARGIN) / FILM_STEP - 0.5
    )

    height = ndimage.map_coordinates(surface.height, where, order=1)
    contact = _contact(surface, tool)
    current = READOUT_BIAS * ndimage.map_coordinates(contact, where, order=1)
    current *= _tip(progress, tool, first) * np.exp(
        tool.line_gain * rng.standard_normal((PIXELS, 1))
    )
    return _dataset(
        _height_signal(height, axis, tool, rng), _current_signal(current, tool, rng), axis, first
    )


def _contact(surface: _Surface, tool: Instrument) -> Image:
    """Return the conductance that the tip sees (nS): more contact in valleys, blurred by it."""
    curvature = ndimage.gaussian_laplace(surface.height, 2)
    curvature /= curvature.std()
    seen = surface.conductance * np.exp(tool.coupling * np.clip(curvature, -3, 3))
    return np.asarray(ndimage.gaussian_filter(seen, tool.contact / FILM_STEP))


def _tip(progress: Image, tool: Instrument, first: bool) -> Image:
    """Return the tip's contact along the slow axis; the second map finds it worn."""
    worn = 0.0 if first else tool.wear + tool.stress_wear
    return np.asarray(np.exp(-(worn + tool.wear * progress)))


def _height_signal(height: Image, axis: Image, tool: Instrument, rng: np.random.Generator) -> Image:
    tilt = (tool.tilt[0] * axis[None, :] + tool.tilt[1] * axis[:, None]) / FIELD
    steps = tool.line_step * rng.standard_normal((PIXELS, 1))
    return height + tilt + steps + tool.height_noise * rng.standard_normal(height.shape)


def _current_signal(current: Image, tool: Instrument, rng: np.random.Generator) -> Image:
    noisy = current + tool.offset + tool.noise * rng.standard_normal(current.shape)
    return np.clip(noisy, -tool.range, tool.range)


def _dataset(height: Image, current: Image, axis: Image, first: bool) -> xr.Dataset:
    name = "pristine" if first else "stressed"
    trace = {"direction": "trace"}
    return xr.Dataset(
        {
            "z": (("y", "x"), height, trace | {"units": "nm", "quantity": "height"}),
            "current": (("y", "x"), current, trace | {"units": "nA", "quantity": "current"}),
        },
        coords={
            "y": ("y", axis, {"units": "um", "long_name": "slow scan axis"}),
            "x": ("x", axis, {"units": "um", "long_name": "fast scan axis"}),
        },
        attrs={
            "source": f"simulated, {name}",
            "format": "specimen",
            "bias": READOUT_BIAS,
            "bias_units": "V",
            "bias_side": "sample",
            "slow_axis": "down",
            "history": f"simulated by {__name__}",
        },
    )


def _truth(film: Film, tool: Instrument) -> xr.Dataset:
    stress = np.asarray(film.response)
    tip = np.exp(-(tool.wear + tool.stress_wear))
    return xr.Dataset(
        {
            "stress": ("area", stress, {"units": "1", "long_name": "factor by the stress"}),
            "stress_percent": ("area", 100 * (stress - 1), {"units": "percent"}),
            "same_place": ("area", stress * film.readout * tip, {"units": "1"}),
            "left": ("area", list(SQUARE_X), {"units": "um"}),
            "top": ("area", [SQUARE_Y] * len(stress), {"units": "um"}),
            "side": ((), SQUARE, {"units": "um"}),
            "shift": ("axis", list(tool.shift), {"units": "um"}),
            "creep": ("axis", list(tool.creep), {"units": "um"}),
            "offset": ((), tool.offset, {"units": "nA"}),
            "noise": ((), tool.noise, {"units": "nA"}),
        },
        coords={"area": [f"{bias:g} V" for bias in STRESS_BIAS], "axis": ["x", "y"]},
    )
