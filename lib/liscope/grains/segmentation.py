"""Grains: neighbours whose crystals are turned against each other by less than a threshold.

Then two rules clean up, each of which can be switched off: grains of too few pixels dissolve, and
single pixels without an orientation are filled where a grain surrounds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage, sparse

from liscope.conventions import UNKNOWN
from liscope.errors import DataError, ParameterError
from liscope.grains.disorientation import Floats, Mask, angle_between, operators
from liscope.grains.maps import Pixels, pixels_of

Labels = NDArray[np.int64]
Small = Literal["neighbour", "nothing", "stay"]

THRESHOLD = 5.0  # degrees
SMALLEST = 4  # pixels; fewer are as often misindexed as not
SURROUNDED = 3  # of four neighbours, to fill a pixel

# A pixel and its neighbour on the right, and below, as slices.
RIGHT = (np.s_[:, :-1], np.s_[:, 1:])
DOWN = (np.s_[:-1, :], np.s_[1:, :])


def keep_mask(orientations: xr.Dataset, floors: Mapping[str, float]) -> xr.DataArray:
    """Return where (y, x) each of the named variables reaches its floor.

    Parameters
    ----------
    floors
        Variable (``score``, ``reliability``, or whatever the instrument's map holds, such as an
        intensity of 52) and the least value to keep. NaN is not kept.

    Raises
    ------
    DataError
        If the map has no such variable.
    """
    kept = xr.ones_like(orientations["phase"], dtype=bool).drop_attrs()
    for name, floor in floors.items():
        if name not in orientations:
            raise DataError(f"the orientation map has no '{name}' to set a floor for")
        kept = kept & (orientations[name] >= floor)
    return kept.rename("keep").assign_attrs(
        floors=", ".join(f"{n} >= {f:g}" for n, f in floors.items())
    )


def segment(
    orientations: xr.Dataset,
    threshold_deg: float = THRESHOLD,
    keep: xr.DataArray | None = None,
    smallest: int = SMALLEST,
    small: Small = "neighbour",
    fill: bool = False,
) -> xr.DataArray:
    """Return the number of the grain of each pixel (y, x); 0 where there is none.

    Of four neighbours, those of one phase whose disorientation is below the threshold are
    connected. Phases never merge, neither here nor in cleaning.

    Parameters
    ----------
    orientations
        Orientation map; pixels without phase or orientation belong to no grain.
    threshold_deg
        Degrees.
    keep
        (y, x), False where an orientation is not to be trusted, from :func:`keep_mask`.
    smallest
        Pixels of the smallest grain that counts.
    small
        What becomes of smaller ones: they go to the ``neighbour`` of their phase with which they
        share most of their border (and to nothing where there is none), to ``nothing``, or
        ``stay``.
    fill
        Whether a single pixel without a grain takes the number of the grain that holds three or
        four of its neighbours. Amorphous and empty pixels, and those of another phase, never do.

    Raises
    ------
    ParameterError
        If the threshold is not within 0 and 90 degrees, or ``small`` is none of the three.
    """
    if not 0 < threshold_deg <= 90:
        raise ParameterError(f"threshold_deg: {threshold_deg:g} is not within 0 and 90 degrees")
    if small not in ("neighbour", "nothing", "stay"):
        raise ParameterError(f"small: '{small}' is none of neighbour, nothing, stay")
    pixels = pixels_of(orientations)
    use = pixels.indexed
    if keep is not None:
        use = use & keep.transpose("y", "x").to_numpy().astype(bool)
    label = _connected(pixels, use, threshold_deg)
    if small != "stay":
        label = _dissolved(label, pixels.phase, smallest, small == "neighbour")
    if fill:
        label = _filled(label, pixels.phase)
    return _labelled(label, orientations, threshold_deg, smallest if small != "stay" else 1)


def _labelled(
    label: Labels, orientations: xr.Dataset, threshold_deg: float, smallest: int
) -> xr.DataArray:
    axes = {axis: orientations[axis] for axis in ("y", "x")}
    attrs = {
        "long_name": "grain, 0 where there is none",
        "threshold_deg": threshold_deg,
        "smallest_px": smallest,
        "history": f"segment(threshold_deg={threshold_deg:g}, smallest={smallest})",
    }
    return xr.DataArray(label.astype(np.int32), axes, ("y", "x"), "grain", attrs)


def neighbour_angles(pixels: Pixels, use: Mask) -> tuple[Floats, Floats]:
    """Return the disorientation (degrees) with the pixel on the right, and with the one below.

    NaN where one of the two is not used, or they are of different phases.
    """
    found = []
    for here, there in (RIGHT, DOWN):
        same = use[here] & use[there] & (pixels.phase[here] == pixels.phase[there])
        angle = np.full(same.shape, np.nan)
        one, two = pixels.quaternion[here], pixels.quaternion[there]
        for number, group in enumerate(pixels.groups):
            of_phase = same & (pixels.phase[here] == number)
            if of_phase.any():
                angle[of_phase] = angle_between(one[of_phase], two[of_phase], operators(group))
        found.append(angle)
    return found[0], found[1]


def _connected(pixels: Pixels, use: Mask, threshold: float) -> Labels:
    shape = use.shape
    node = np.arange(use.size, dtype=np.int32).reshape(shape)
    ends: list[list[NDArray[np.int32]]] = [[], []]
    for angle, (here, there) in zip(neighbour_angles(pixels, use), (RIGHT, DOWN), strict=True):
        with np.errstate(invalid="ignore"):
            joined = angle < threshold
        ends[0].append(node[here][joined])
        ends[1].append(node[there][joined])
    one, two = np.concatenate(ends[0]), np.concatenate(ends[1])
    graph = sparse.coo_array((np.ones(one.size, bool), (one, two)), shape=(use.size, use.size))
    _, component = sparse.csgraph.connected_components(graph.tocsr(), directed=False)
    return renumbered(np.where(use, component.reshape(shape) + 1, 0))


def renumbered(label: Labels) -> Labels:
    """Return labels without gaps, in the order in which their first pixels come; 0 stays."""
    flat = label.ravel()
    first = np.full(flat.max(initial=0) + 1, flat.size, dtype=np.int64)
    first[flat[::-1]] = np.arange(flat.size - 1, -1, -1)  # the last one written is the first pixel
    there = np.flatnonzero(first < flat.size)
    there = there[there > 0]
    number = np.zeros(first.size, dtype=np.int64)
    number[there[np.argsort(first[there])]] = np.arange(1, there.size + 1)
    return np.asarray(number[label])


def shared_borders(label: Labels) -> tuple[Labels, Labels, Labels]:
    """Return pairs of touching labels above 0, the lower first, and how many edges they share."""
    lower, upper = [], []
    for here, there in (RIGHT, DOWN):
        one, two = label[here], label[there]
        at = (one != two) & (one > 0) & (two > 0)
        lower.append(np.minimum(one[at], two[at]))
        upper.append(np.maximum(one[at], two[at]))
    return _counted(np.concatenate(lower), np.concatenate(upper))


def _counted(
    lower: Labels, upper: Labels, weight: Labels | None = None
) -> tuple[Labels, Labels, Labels]:
    base = int(upper.max(initial=0)) + 1
    key, at = np.unique(lower.astype(np.int64) * base + upper, return_inverse=True)
    count = np.bincount(at, weight, key.size).astype(np.int64)
    return key // base, key % base, count


def _dissolved(label: Labels, phase: Labels, smallest: int, into: bool) -> Labels:
    """Return labels in which grains of too few pixels went to a neighbour, or to nothing."""
    size = np.bincount(label.ravel())
    size[0] = smallest
    becomes = np.arange(size.size)
    if into and (size < smallest).any():
        phase_of = np.zeros(size.size, dtype=np.int64)
        phase_of[label.ravel()] = phase.ravel()
        one, two, count = shared_borders(label)
        alike = phase_of[one] == phase_of[two]
        becomes = _into_neighbours(one[alike], two[alike], count[alike], size, smallest)
    left = np.bincount(becomes, size, size.size) < smallest
    left[0] = False
    becomes[left[becomes]] = 0
    return renumbered(becomes[label])


def _into_neighbours(
    one: Labels, two: Labels, count: Labels, size: Labels, smallest: int
) -> Labels:
    """Return what each label becomes; large ones draw in the small ones around, then the next."""
    becomes, is_small = np.arange(size.size), size < smallest
    while True:
        ends = np.concatenate([one, two]), np.concatenate([two, one])
        at = is_small[ends[0]] & ~is_small[ends[1]]
        if not at.any():
            return becomes
        weak, strong, shared = ends[0][at], ends[1][at], np.tile(count, 2)[at]
        order = np.lexsort((strong, -shared, weak))
        weak, first = np.unique(weak[order], return_index=True)
        goes = np.arange(size.size)
        goes[weak] = strong[order][first]
        becomes, is_small[weak] = goes[becomes], False
        one, two = goes[one], goes[two]
        apart = one != two
        one, two, count = _counted(
            np.minimum(one, two)[apart], np.maximum(one, two)[apart], count[apart]
        )


def _filled(label: Labels, phase: Labels) -> Labels:
    """Return labels in which single pixels without one took that of the grain around them."""
    phase_of = np.full(label.max(initial=0) + 1, UNKNOWN)
    phase_of[label.ravel()] = np.where(label > 0, phase, UNKNOWN).ravel()
    padded = np.pad(label, 1)
    around = np.stack([padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]])
    most = np.sort(around, axis=0)[1:3].max(axis=0)  # three of four alike fill both middle places
    often = (around == most).sum(axis=0) >= SURROUNDED
    alone = ndimage.convolve((label == 0).astype(np.int8), _CROSS, mode="constant") == 1
    fits = (phase == UNKNOWN) | (phase == phase_of[most])
    return np.where((label == 0) & alone & often & fits, most, label)


_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=np.int8)
