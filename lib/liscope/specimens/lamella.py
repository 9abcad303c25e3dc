"""A lamella of LiMn1.5Ni0.5O4 on platinum by 4D-STEM with precession, before and after cycling.

What is simulated, in the order in which it happens:

1. The film (:mod:`liscope.specimens.columns`): columns that compete as they grow, pores and glass
   between them; after cycling smaller grains that diffract less, more glass, cracks from the
   surface down and a gap at the collector, so that grains are unconnected.
2. Orientations (:mod:`liscope.specimens.textures`): platinum with (111) along the growth in the 20
   nm at the interface; LMNO that continues it in places, some of it as its twin; elsewhere random,
   with a share of [001] along the growth; Sigma-3 boundaries; grains bent by some tenths of a
   degree.
3. The lamella: two crystals behind each other where a boundary is inclined, damaged skins, and the
   silicon nitride window behind everything, which alone is seen in a pore.
4. The scan: patterns of :mod:`liscope.specimens.spot_patterns` at one exposure for all; the
   incident beam lies off the middle of the screen and wanders with the scan, the screen is a little
   elliptical and turned against the scan, and the operator's camera constant is 2 % wrong.

Shares of the area (57 % LMNO, 18 % Pt, 25 % pores and glass; half of it glass in the first region
after cycling), the most frequent grain diameter (20 nm, 10 nm after cycling), thickness, step,
voltage and precession are those of the paper; what it does not quote is chosen. In the film, grains
are as short along the beam as across it; here, a column goes through the lamella, so that no more
than two overlap in most places.

Source: In situ liquid electrochemical TEM of LiMn1.5Ni0.5O4, Bhatia et al., Small Methods 6 (2022)
2100891, Fig. 4 and 7 (10.1002/smtd.202100891).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import dask.array as da
import numpy as np
import xarray as xr

from liscope.diffraction.structures import Crystal, open_crystal
from liscope.errors import ParameterError
from liscope.readers.blockfile_writer import write_blockfile
from liscope.readers.patterns import Setup, dataset
from liscope.specimens import columns, textures
from liscope.specimens.beam_path import CRYSTALS, Specimen, truth
from liscope.specimens.cells import Floats
from liscope.specimens.columns import Film
from liscope.specimens.spot_patterns import Camera, Content, Optics, record

LAMELLAE: Mapping[str, Film] = {
    "lmno_pristine": columns.PRISTINE,
    "lmno_cycled_roi1": columns.ROI1,
    "lmno_cycled_roi2": columns.ROI2,
}
SIZES = {"small": (72, 96), "paper": (240, 800)}  # rows and columns of the scan
ABSORPTION = (150.0, 70.0, 200.0, 250.0)  # nm, lengths of LMNO, Pt, glass and window
BLOCK = 4 << 20  # bytes of patterns that are simulated at a time

_OPTICS = Optics(rotation=12.0, tails=6.0)
_CAMERA = Camera(count=4.0, ellipticity=0.01, background=60.0, exposure=10000.0)


@dataclass(frozen=True)
class Scan:
    """Microscope and scan; a defect is off at zero. Lengths on the screen in pixels (x, y)."""

    step: float = 2.5  # nm
    optics: Optics = _OPTICS
    camera: Camera = _CAMERA
    window: float = 50.0  # nm of silicon nitride
    misjudged: float = 0.02  # relative error of the operator's camera constant
    offset: tuple[float, float] = (1.4, -0.9)  # of the incident beam from the middle
    wandering: tuple[float, float] = (1.2, 0.8)  # of the incident beam, from edge to edge
    jitter: float = 0.1  # of the incident beam, standard deviation
    camera_length: float = 200.0  # mm, nominal


IDEAL = Scan(
    optics=replace(_OPTICS, rotation=0), window=0, misjudged=0, offset=(0, 0), wandering=(0, 0),
    camera=replace(_CAMERA, count=0, scatter=0, ellipticity=0, background=0), jitter=0,
)  # fmt: skip


def simulate(
    name: str,
    seed: int = 0,
    size: Literal["small", "paper"] | tuple[int, int] = "small",
    scan: Scan | None = None,
    film: Film | None = None,
) -> xr.DataTree:
    """Return the scan of a lamella and the truth behind it.

    Parameters
    ----------
    name
        ``lmno_pristine``, ``lmno_cycled_roi1`` or ``lmno_cycled_roi2``.
    seed
        Of the film, the noise and everything else that is random.
    size
        ``small`` (72 x 96 positions), ``paper`` (240 x 800, 1.2 um2), or rows and columns.
    scan, film
        Usual ones by default.

    Returns
    -------
    Node ``scan``: ``pattern`` uint8 (y, x, ky, kx), as :func:`liscope.readers.read_diffraction`
    hands over a file: a dask array that is simulated line by line when it is asked for, with the
    same result in any order. Its attribute ``scan_rotation`` is by how many degrees the patterns
    are turned against the scan, from x towards y.

    Node ``truth``: an orientation map (``orientation``, ``phase``, ``phase_name``, ``point_group``,
    ``lattice``) of what is thickest; ``grain`` (y, x), 0 for none; the thicker crystal in the beam,
    also where glass or nothing is thicker (``crystal_phase``, ``crystal_orientation``,
    ``thickness``); the second one (``second_phase``, ``second_orientation``,
    ``second_thickness``); ``glass`` in nm; pixel of the incident beam (``centre_x``,
    ``centre_y``); and one row a grain (``label``): equivalent ``diameter``, phase, orientation,
    ``origin``, whether the edge of the map cuts it, whether crystals connect it to the platinum.
    The attributes have the true calibration.

    Raises
    ------
    ParameterError
        If there is no such lamella or size.
    """
    if name not in LAMELLAE:
        raise ParameterError(f"no lamella '{name}'; there are {', '.join(LAMELLAE)}")
    shape = SIZES.get(size) if isinstance(size, str) else size
    if shape is None:
        raise ParameterError(f"no size '{size}'; there are {', '.join(SIZES)}, or (rows, columns)")
    matter, tool = film or LAMELLAE[name], scan or Scan()
    rng = np.random.default_rng([seed, *name.encode()])
    section = columns.grow(matter, shape, tool.step, rng)
    specimen = Specimen.cut(textures.orient(section, matter, tool.step, rng), matter, tool.step)
    centre = _centres(shape, tool, rng)
    title = f"simulated LiMn1.5Ni0.5O4 on Pt, lamella of {matter.thickness:g} nm, {name}"
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs={"title": title, "seed": seed}),
            "/scan": _scan(specimen, centre, tool, [seed, *name.encode()], title),
            "/truth": truth(specimen, tool.step).merge(
                _calibration(centre, tool), combine_attrs="no_conflicts"
            ),
        },
        name=name,
    )


def write(
    name: str,
    path: str | Path,
    size: Literal["small", "paper"] | tuple[int, int] = "small",
    seed: int = 0,
) -> None:
    """Write the scan of a lamella as a NanoMEGAS blockfile, a few lines at a time.

    ``write("lmno_pristine", "pristine.blo", "paper")`` makes a file of 3 GB in some minutes. The
    truth is not in it: :func:`simulate` with the same name, size and seed has it.

    Raises
    ------
    ParameterError
        If there is no such lamella or size.
    """
    write_blockfile(simulate(name, seed, size)["scan"].to_dataset(), path)


# -------------------------------------------------------------------------------------- the scan


def _centres(shape: tuple[int, int], scan: Scan, rng: np.random.Generator) -> Floats:
    """Return the pixel of the incident beam (y, x, 2: x, y)."""
    along = np.stack(np.meshgrid(*(np.linspace(-0.5, 0.5, n) for n in shape[::-1])), -1)
    middle = (scan.optics.size - 1) / 2 + np.array(scan.offset)
    return np.asarray(
        middle + along * scan.wandering + scan.jitter * rng.standard_normal(along.shape)
    )


def _scan(
    specimen: Specimen, centre: Floats, scan: Scan, seed: list[int], title: str
) -> xr.Dataset:
    (ny, nx), side = specimen.glass.shape, scan.optics.size
    crystals = tuple(open_crystal(name) for name in CRYSTALS)

    def lines(rows: np.ndarray) -> np.ndarray:
        return np.stack([_line(specimen, int(y), crystals, centre, scan, seed) for y in rows])

    rows = da.arange(ny, chunks=max(1, BLOCK // (nx * side**2)))
    pattern = rows.map_blocks(
        lines,
        dtype=np.uint8,
        chunks=(rows.chunks[0], (nx,), (side,), (side,)),
        new_axis=[1, 2, 3],
        meta=np.empty((0, 0, 0, 0), np.uint8),
    )
    k_step = scan.optics.pixel * (1 + scan.misjudged)
    setup = Setup(
        step=(scan.step, scan.step),
        k_step=(k_step, k_step),
        calibrated_by="nominal, from the operator's camera constant",
        beam_energy=scan.optics.voltage,
        camera_length=scan.camera_length,
        scan_rotation=scan.optics.rotation,
        precession_angle=scan.optics.precession,
        camera_gamma="off",
    )
    return dataset(pattern, setup, {}, __name__).assign_attrs(title=title)


def _line(
    specimen: Specimen,
    y: int,
    crystals: tuple[Crystal, ...],
    centre: Floats,
    scan: Scan,
    seed: list[int],
) -> np.ndarray:
    """Return the patterns (x, ky, kx) of one line of the scan."""
    thickness, phase, glass = specimen.thickness[y], specimen.phase[y], specimen.glass[y]
    window = np.full(len(glass), scan.window)
    absorbed = glass / ABSORPTION[2] + window / ABSORPTION[3]
    absorbed += (thickness / np.take(ABSORPTION, np.maximum(phase, 0))).sum(-1)
    content = Content(
        phase,
        specimen.orientation[y],
        thickness,
        specimen.cell[y],
        glass,
        window,
        np.exp(-absorbed),
    )
    rng = np.random.Generator(np.random.SFC64([*seed, y]))  # the fastest, for the shot noise
    return record(content, crystals, scan.optics, scan.camera, rng, seed[0], centre[y])


def _calibration(centre: Floats, scan: Scan) -> xr.Dataset:
    """Return the true calibration: the incident beam's pixel, and the attributes."""
    pixels = {"units": "pixel"}
    return xr.Dataset(
        {
            "centre_x": (("y", "x"), centre[..., 0], pixels),
            "centre_y": (("y", "x"), centre[..., 1], pixels),
        },
        attrs={
            "k_pixel": scan.optics.pixel,
            "k_pixel_units": "1/angstrom",
            "ellipticity": scan.camera.ellipticity,
            "rotation": scan.optics.rotation,
            "rotation_units": "deg",
            "beam_energy": scan.optics.voltage,
            "beam_energy_units": "kV",
            "precession_angle": scan.optics.precession,
        },
    )
