"""The composite cathode of a solid-state battery, slice by slice: elements by EDS, lithium by SIMS.

What is simulated, in the order in which it happens:

1. The composite: LLZTO particles that lost lithium at their edges, LCO with a patchy coat of
   alumina thinner than a pixel, agglomerates and films of carbon, cracks (:mod:`.composite`,
   :mod:`.packing`).
2. An ion beam mills slices of uneven thickness from it, and both pictures drift
   (:mod:`.section_series`).
3. Before each one, EDS with electrons of 5 kV maps the face, and what shines through it from below;
   then SIMS maps lithium on a larger, turned field, with a yield that depends on the matrix and a
   gain that drifts. Both see stripes, EDS the shadow of the pit and charging, and of each some
   slices are missing (:mod:`.section_instruments`).

39 slices in 2.3 um, 216 x 352 pixels of 81.4 nm, 500 x 500 of 72 nm, the sizes of the particles,
their mass fractions and 5 kV are the paper's. What it does not quote (counts, drift, the loss of
lithium) is chosen; the seed varies the loss, the turn and the overlap of the fields.

Source: Y. Sun et al., Micron, 103746 (online 2024), doi:10.1016/j.micron.2024.103746.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from liscope.errors import ParameterError
from liscope.specimens.composite import PHASES, Composite
from liscope.specimens.section_instruments import Shape
from liscope.specimens.section_scene import STEP, Scene, lazily
from liscope.specimens.section_series import (
    EDS_PIXEL,
    IDEAL,
    SIMS_PIXEL,
    Instrument,
    with_defects,
)  # fmt: skip
from liscope.volume.frames import Frames

__all__ = ["IDEAL", "Composite", "Instrument", "simulate", "stacks", "with_defects", "write"]

SLICES, EDS_SHAPE = 39, (216, 352)
ELEMENTS = ("Co", "Zr", "Al", "C")
THICKNESS = 60.0  # nm, nominal
ANGLE, GAP = 50.0, 6000.0  # degrees between the fiducial lines; nm between them at the first slice


def simulate(
    seed: int = 0, instrument: Instrument | None = None, composite: Composite | None = None
) -> xr.DataTree:
    """Return the stacks ``eds`` and ``sims`` of the paper's size, and the ``truth``.

    Parameters
    ----------
    seed
        Of the composite, the noise and everything else that is random.
    instrument, composite
        Usual ones by default.

    Returns
    -------
    Node ``eds``: ``counts`` (element, slice, y, x), ``bse`` (slice, y, x) and ``fiducial_gap``
    (slice, nm); ``y`` and ``x`` are those of the picture, um. Its ``total_depth`` (um) is that of
    all ``slice_count`` slices, from the first face to the floor that milling left. Node ``sims``:
    ``counts`` (ion, slice, y, x).

    Node ``truth``, in the section's frame, whose origin is the corner of the first EDS picture:
    ``label`` (z, y, x), 1.. as in ``phase_names``; ``lithium``, atoms a volume of those in LCO;
    ``particle``, 0 for none; and where each picture lies, picture = matrix @ section + offset (y,
    x; um) at depth: ``eds_matrix``, ``eds_offset``, ``eds_depth``, and likewise ``sims_...``, over
    all slices. Attributes: ``depletion_depth`` (nm) and ``depletion_amplitude`` of the loss of
    lithium, ``volume_fraction`` of each phase on this grid.
    """
    tree = stacks(seed, instrument=instrument, composite=composite).compute()
    shares = tree["truth"]["volume_fraction"].to_numpy()
    tree["truth"] = tree["truth"].to_dataset().drop_vars(["volume_fraction", "phase"])
    tree["truth"].attrs["volume_fraction"] = [float(share) for share in shares]
    return tree


def write(path: str | Path, seed: int = 0, **size: Any) -> None:
    """Write the stacks and the truth's labels as groups of a Zarr store, block by block.

    Parameters
    ----------
    path
        Of the store.
    seed, size
        As of :func:`stacks`. The memory needed is that of a few blocks and of the list of
        particles.

    Raises
    ------
    ParameterError
        If there is something of this name already.
    """
    from zarr.codecs import BloscCodec

    if Path(path).exists():
        raise ParameterError(f"'{path}' is there already; take another name, or remove it")
    tree = stacks(seed, **size)
    tree["truth"] = tree["truth"].to_dataset().drop_vars(["lithium", "particle"])
    tree = tree.map_over_datasets(_plain_names)
    pack = BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle")
    encoding = {
        f"/{node}": {
            name: {"chunks": _one_channel(variable), "compressors": [pack]}
            for name, variable in tree[node].data_vars.items()
            if variable.chunks
        }
        for node in ("eds", "sims", "truth")
    }
    tree.to_zarr(Path(path), mode="w-", encoding=encoding, consolidated=False)


def stacks(
    seed: int = 0,
    slices: int = SLICES,
    shape: Shape = EDS_SHAPE,
    elements: tuple[str, ...] = ELEMENTS,
    instrument: Instrument | None = None,
    composite: Composite | None = None,
) -> xr.DataTree:
    """Return what :func:`simulate` does, of any size, as dask arrays in blocks of slices.

    Parameters
    ----------
    seed, instrument, composite
        As of :func:`simulate`. Each slice has random numbers of its own, so that the result does
        not depend on the order in which blocks are computed, nor on their size.
    slices, shape
        How many, and rows and columns of the EDS pictures; the SIMS field is the larger one by as
        much as the paper's is.
    elements
        Of Co, Zr, Al, C and O.

    Returns
    -------
    The nodes of :func:`simulate`; the shares are a variable ``volume_fraction`` (phase) of
    ``truth``.
    """
    scene = Scene.of(
        seed, slices, shape, elements, composite or Composite(), instrument or Instrument()
    )
    title = "simulated composite cathode of LLZTO, LCO and carbon"
    nodes = {"/eds": _eds(scene), "/sims": _sims(scene), "/truth": _truth(scene)}
    root = xr.Dataset(attrs={"title": title, "seed": seed})
    return xr.DataTree.from_dict({"/": root, **nodes}, name="llzto_lco")


def _plain_names(node: xr.Dataset) -> xr.Dataset:
    """Return a node whose names are strings of any length: those of a fixed one are not in Zarr."""
    names = {
        name: text.astype(object) for name, text in node.coords.items() if text.dtype.kind == "U"
    }
    return node.assign_coords(names)


def _one_channel(variable: xr.DataArray) -> tuple[int, ...]:
    first = tuple(sizes[0] for sizes in variable.chunks or ())
    return (1, *first[1:]) if len(first) == 4 else first


def _eds(scene: Scene) -> xr.Dataset:
    tool, kept, thickness = scene.tool, scene.series.eds_kept, scene.series.thickness
    rng = np.random.default_rng([scene.seed, *b"depths"])
    shapes = (len(scene.elements), *scene.shape), scene.shape
    counts, electrons = lazily(scene, "x_rays", kept, [(shape, _type(tool)) for shape in shapes])
    gap = GAP - 2 * np.tan(np.deg2rad(ANGLE / 2)) * scene.series.eds.depth[kept] * 1e3
    gap = gap + tool.gap_noise * rng.standard_normal(len(gap))
    total = thickness.sum() / 1e3 + tool.depth_error * rng.standard_normal()
    return xr.Dataset(
        {
            "counts": (("element", "slice", "y", "x"), counts, {"units": "count"}),
            "bse": (("slice", "y", "x"), electrons, {"units": "count"}),
            "fiducial_gap": ("slice", gap, {"units": "nm"}),
        },
        _pixels(scene.shape, EDS_PIXEL) | {"slice": kept, "element": list(scene.elements)},
        _attrs("EDS", tool.eds_tilt)
        | {"total_depth": float(total), "total_depth_error": tool.depth_error}
        | {"slice_count": len(thickness), "fiducial_angle": ANGLE},
    )


def _sims(scene: Scene) -> xr.Dataset:
    kept, shape = scene.series.sims_kept, scene.sims_shape
    (counts,) = lazily(scene, "ions", kept, [((1, *shape), _type(scene.tool))])
    return xr.Dataset(
        {"counts": (("ion", "slice", "y", "x"), counts, {"units": "count"})},
        _pixels(shape, SIMS_PIXEL) | {"slice": kept, "ion": ["6Li+"]},
        _attrs("SIMS", scene.tool.sims_tilt),
    )


def _truth(scene: Scene) -> xr.Dataset:
    import dask.array as da

    number = np.arange(len(scene.series.thickness))
    types = (np.uint8, np.float32, np.int32)
    label, atoms, particle = lazily(scene, "matter", number, [(scene.grid, t) for t in types])
    shares = da.stack([(label == k + 1).mean() for k in range(len(PHASES))])
    depth = ("z", number * STEP, {"units": "um", "long_name": "z"})
    grid = ("z", "y", "x")
    return xr.Dataset(
        {
            "label": (grid, label),
            "lithium": (grid, atoms, {"units": "1"}),
            "particle": (grid, particle),
            "volume_fraction": ("phase", shares, {"units": "1"}),
        }
        | _placed("eds", scene.series.eds)
        | _placed("sims", scene.series.sims),
        _pixels(scene.grid, EDS_PIXEL) | {"z": depth, "slice": number, "phase": list(PHASES)},
        {
            "depletion_depth": 1e3 * scene.loss[0],
            "depletion_amplitude": scene.loss[1],
            "phase_names": list(PHASES),
        },
    )


def _placed(name: str, frames: Frames) -> dict[str, Any]:
    return {
        f"{name}_matrix": (("slice", "to", "from"), frames.matrix),
        f"{name}_offset": (("slice", "to"), frames.offset, {"units": "um"}),
        f"{name}_depth": ("slice", frames.depth, {"units": "um"}),
    }


def _pixels(shape: Shape, pixel: float) -> dict[str, Any]:
    return {
        dim: (dim, (np.arange(count) + 0.5) * pixel, {"units": "um", "long_name": dim})
        for dim, count in zip("yx", shape, strict=True)
    }


def _type(tool: Instrument) -> Any:
    return np.uint16 if tool.shot_noise else np.float32


def _attrs(name: str, tilt: float) -> dict[str, Any]:
    return {
        "source": f"simulated, {name}",
        "format": "specimen",
        "history": f"simulated by {__name__}",
        "tilt": tilt,
        "slice_thickness": THICKNESS,
    }
