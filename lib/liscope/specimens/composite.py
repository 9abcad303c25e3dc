"""A pressed composite of two ceramics and carbon: bodies with flat and round walls.

Each particle is a ball cut by planes: facets of its own, and the planes in which it meets its
neighbours where two balls overlap (the radical plane, as in a Laguerre tessellation). Such a body
is convex, so that the distance of a place inside it to its surface is the smallest of those to the
ball and to the planes: exact, without a grid, also for the parts outside of what is looked at.
Places lie in the section's frame, (z, y, x) in um.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Image = NDArray[np.float32]
Labels = NDArray[np.uint8]
Plane = tuple[Array, Array, Array]

PHASES = ("carbon", "LLZTO", "LCO", "alumina", "crack")
CARBON, LLZTO, LCO, ALUMINA, CRACK = range(1, 6)


@dataclass(frozen=True)
class Composite:
    """What is pressed together; lengths in um unless told, shares of the volume.

    Sizes are the paper's; the shares follow from its 47.5 : 47.5 : 5 wt% and the densities 5.4,
    5.05, 1.9 (and 3.95 for 1 wt% of alumina) g/cm3. The other numbers are chosen.
    """

    llzto: float = 0.422
    lco: float = 0.446
    agglomerates: float = 0.05  # of carbon; the rest of it lies between the particles
    llzto_size: tuple[float, float] = (2.0, 8.0)  # diameter of a ball of the same volume
    lco_size: tuple[float, float] = (0.5, 3.0)
    agglomerate_size: tuple[float, float] = (1.5, 4.0)
    llzto_median: float = 3.6
    lco_median: float = 1.7
    agglomerate_median: float = 2.4
    spread: float = 0.4  # standard deviation of the logarithm of a diameter
    coat: tuple[float, float] = (10.0, 30.0)  # nm, where there is one
    coated: float = 0.22  # share of an LCO particle's surface: 1 wt% all around it were 4 nm
    cracked: float = 0.2  # share of LLZTO particles with a crack through them
    crack: tuple[float, float] = (40.0, 120.0)  # nm, width
    loosened: float = 0.04  # share of LLZTO facets from which the neighbours came off
    depth: tuple[float, float] = (300.0, 370.0)  # nm, 1/e depth of the loss of lithium
    loss: tuple[float, float] = (0.45, 0.55)  # of the lithium, at the surface of LLZTO
    llzto_lithium: float = 0.753  # atoms a volume, of those in LCO, from formula and density


class Bodies(NamedTuple):
    """Particles in the order in which they displace one another (a later one an earlier one).

    Attributes
    ----------
    centre, radius
        (body, 3) and (body,) of the ball, um.
    phase
        (body,) labels as in :data:`PHASES`, from 1.
    first
        (body + 1,) where a body's walls begin in the following two.
    wall, gap
        (wall, 4) normal and distance from the centre, um; (wall,) width of the crack outside it.
    crack
        (body, 5) normal, distance from the centre and half width of a crack, um; width 0: none.
    coat
        (body, 5) direction in which there is one, cosine of how far around, thickness, um.
    """

    centre: Array
    radius: Array
    phase: Labels
    first: Indices
    wall: Array
    gap: Array
    crack: Array
    coat: Array


def balls(centre: Array, radius: Array, phase: Labels) -> Bodies:
    """Return whole balls, without cracks and coats: centres (body, 3), um."""
    count = len(radius)
    return Bodies(
        np.asarray(centre, float), np.asarray(radius, float), np.asarray(phase, np.uint8),
        np.zeros(count + 1, np.int64), np.zeros((0, 4)), np.zeros(0), np.zeros((count, 5)),
        np.zeros((count, 5)),
    )  # fmt: skip


def near(bodies: Bodies, low: Array, high: Array) -> Indices:
    """Return the bodies that may meet the box between two corners (z, y, x), um, in order."""
    reach = bodies.radius[:, None]
    meets = (bodies.centre + reach >= low) & (bodies.centre - reach <= high)
    return np.flatnonzero(meets.all(1))


def labelled(bodies: Bodies, which: Indices, plane: Plane, shape: tuple[int, int]) -> Labels:
    """Return what lies at the points of a plane, as :func:`painted` does, and nothing else."""
    return _paint(bodies, which, plane, shape, deep=False)[0]


def painted(
    bodies: Bodies, which: Indices, plane: Plane, shape: tuple[int, int]
) -> tuple[Labels, NDArray[np.int32], Image]:
    """Return what lies at the points of a plane: label, body and depth below its surface.

    Parameters
    ----------
    bodies, which
        Particles, and those of them that may meet the plane, in order.
    plane
        Place of the first point, and the steps to the next row and the next column, (z, y, x) in
        um.
    shape
        Rows and columns.

    Returns
    -------
    Label uint8 as in :data:`PHASES`, body int32 (-1 for none) and depth float32, um, in LLZTO.
    """
    return _paint(bodies, which, plane, shape, deep=True)


def _paint(
    bodies: Bodies, which: Indices, plane: Plane, shape: tuple[int, int], deep: bool
) -> tuple[Labels, NDArray[np.int32], Image]:
    from liscope.specimens._composite_kernels import paint

    label = np.full(shape, CARBON, np.uint8)
    more = shape if deep else (0, 0)
    owner, depth = np.full(more, -1, np.int32), np.zeros(more, np.float32)
    paint(bodies, which, *plane, label, owner, depth)
    return label, owner, depth


def lithium(label: Labels, depth: Image, rich: float, loss: tuple[float, float]) -> Image:
    """Return atoms of lithium a volume, of those in LCO.

    In LLZTO, c(d) = c0 (1 - A exp(-d / l)) at the depth d below the particle's own surface.

    Parameters
    ----------
    label, depth
        As from :func:`painted`.
    rich
        c0, of what LCO has.
    loss
        Depth l (um) and amplitude A.
    """
    poor = rich * (1 - loss[1] * np.exp(-depth / loss[0]))
    found: Image = np.where(label == LLZTO, poor, label == LCO).astype(np.float32)
    return found
