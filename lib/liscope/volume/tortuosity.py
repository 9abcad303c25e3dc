"""Tortuosity of phases in a whole volume: diffusion through blocks, corrected at full resolution.

Tortuosity tau says how much a phase's winding and necks slow diffusion down:
D_eff = D fraction / tau (as TauFactor has it: S. J. Cooper et al., SoftwareX 5, 203 (2016),
doi:10.1016/j.softx.2016.09.002). Steady diffusion between two opposite faces is solved on a lattice
of blocks of voxels, for subvolumes of as many voxels cut the paths through the whole. Between the
centres of two blocks the contacts of voxels conduct side by side in each plane, and plane after
plane (Rayleigh's shorted planes: too good where a block holds branches that do not meet, too bad
where a path leaves it sideways). What this does to the flow is measured in subvolumes that are
solved by blocks and by voxels, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import ParameterError
from liscope.statistics import LEVEL
from liscope.volume._voxels import (
    DIMS,
    SLAB,
    blocks_of,
    labels_of,
    names_of,
    number_of,
    pairs_of_slabs,
    slabs,
    steps_of,
)
from liscope.volume.labels import label_components

MOST = 100_000  # blocks of the volume and voxels of a subvolume: some 0.5 s a phase and axis
COARSER = 3  # times fewer blocks, to see what they change
MOST_UNMEASURED = 0.01  # of a subvolume, or of a volume that is said not to percolate
FEWEST = 3  # subvolumes with a flow, for an interval
# What tau's logarithm was off by where all voxels were solved, too: some 0.1 in blobs (5 % too
# high in the mean), and 0.3 of the correction's in a cathode: subvolumes' faces cut more paths
# of voxels than of blocks.
OFF, CARRIED = 0.1, 0.3
SPREAD = 1.2207440846 ** -np.arange(1, 4)  # of points that fill a cube evenly (M. Roberts' R3)
TOLERANCE = 1e-5  # of the residual; the flow's error is smaller

Labels = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]
Counts = tuple[int, ...]
Edges = list[NDArray[np.int64]]  # where blocks begin along z, y, x, and where the last ones end
Box = tuple[slice, ...]


@dataclass(frozen=True)
class _Job:
    numbers: list[int]  # the phases' labels
    axes: list[int]
    steps: tuple[float, ...]  # the voxel's sides z, y, x, um


def tortuosity_table(
    phases: xr.Dataset | xr.DataArray,
    of: Sequence[str] | None = None,
    along: str = "zyx",
    subvolumes: int = 8,
    most_voxels: int = MOST,
) -> pd.DataFrame:
    """Return the tortuosity of phases along axes, of the whole volume.

    With 60 000 blocks and 8 subvolumes a volume of 256^3 voxels and three phases takes 8 s on one
    core. Measured against solving all voxels: in a segmented NMC cathode (TauFactor's
    ``electrode.tiff``, NMC's tau 9 to 10) tau was off by -12 % to +12 %, in the simulated
    ``llzto_lco`` by -2 % to +15 % up to tau 4, and by +29 % where carbon hardly percolates (59).
    All of these lay within ``low`` and ``high``, whose width they helped to choose.

    Parameters
    ----------
    phases
        Phases, or labels (z, y, x) with ``attrs["phase_names"]``.
    of
        Names of phases; None: all.
    along
        Axes.
    subvolumes
        How many at most are solved both by blocks and by voxels, spread evenly.
    most_voxels
        Blocks of the volume, and voxels of a subvolume. A volume of no more voxels is solved as it
        is, and nothing is corrected.

    Returns
    -------
    DataFrame
        One row a phase and axis. ``tau``, ``low``, ``high``: for this volume, not for all of the
        material (in quadrature: a Student interval of the correction, leaving out one subvolume
        after the other; by how much it is another along this axis; 0.3 of its logarithm and 10 %,
        by experience; and what larger blocks change. NaN with a flow in fewer than three of them);
        ``relative_diffusivity``, D_eff / D; ``fraction``; ``verdict``: "percolates", "does not
        percolate" (``tau`` is infinite), or "cannot tell: ..." (NaN), of paths at full resolution.
        ``covered``: share of the volume that was measured; all of it was solved, what was not
        measured as walls. ``voxel_um``: cube root of a block's volume. ``correction``: flow in the
        subvolumes by voxels over flow by blocks, of all axes asked for. ``coarsening``: ``tau`` by
        three times fewer blocks, over ``tau``. ``subvolumes``: how many (all but 1 % measured);
        ``percolating``: how many of them have a flow; ``checked``: their share of the volume.

    Raises
    ------
    ParameterError
        If there is no such phase or axis, or a number is too small.
    """
    from dask.base import compute

    label, names = labels_of(phases), names_of(phases)
    if not along or not set(along) <= set(DIMS) or subvolumes < 1 or most_voxels < 1000:
        raise ParameterError(
            f"along={along!r}, subvolumes={subvolumes}, most_voxels={most_voxels}; "
            "axes of zyx, 1 or more, and 1000 or more are needed"
        )
    wanted = {name: number_of(phases, name) for name in (names if of is None else of)}
    job = _Job(list(wanted.values()), [DIMS.index(dim) for dim in along], steps_of(label))
    ways = [_counts(label.shape, job.steps, most) for most in (most_voxels, most_voxels // COARSER)]
    ways = ways[: 1 if ways[0] == label.shape else 2]
    boxes = list(_boxes(label.shape, job.steps, subvolumes, most_voxels)) if len(ways) > 1 else []
    whole, parts, voxels, paths = compute(
        [_whole(label, job, way) for way in ways],
        [_subvolume(label, job, box, ways) for box in boxes],
        _voxels(label, job),
        _paths(label, job),
    )
    flows = np.array(whole, float)  # (way, phase, axis)
    inside = np.array(parts, float).reshape(-1, len(wanted), 1 + len(ways), len(along))
    kept = np.isfinite(inside).all((1, 2, 3))
    *fractions, seen = np.sum(voxels, axis=0) / label.size
    rows = [
        {"phase": name, "along": dim}
        | _row(flows[:, i, k], inside[kept, i], k, fractions[i], seen, wanted[name] in paths[k])
        for i, name in enumerate(wanted)
        for k, dim in enumerate(along)
    ]
    checked = sum(_size(box) for box, used in zip(boxes, kept, strict=True) if used) / label.size
    block = np.prod(np.multiply(label.shape, job.steps) / ways[0])
    table = pd.DataFrame(rows).set_index(["phase", "along"])
    return table.assign(
        covered=seen, voxel_um=np.cbrt(block), subvolumes=int(kept.sum()), checked=checked
    )


def _counts(shape: Counts, steps: tuple[float, ...], most: int) -> Counts:
    """Return how many blocks there are along each axis, nearly cubes and ``most`` in all."""
    side, counts = min(steps), shape
    while np.prod(counts) > most:
        side *= 1.02
        counts = tuple(
            min(n, max(2, round(n * step / side))) for n, step in zip(shape, steps, strict=True)
        )
    return counts


def _boxes(shape: Counts, steps: tuple[float, ...], number: int, most: int) -> Iterator[Box]:
    """Yield subvolumes of ``most`` voxels, nearly cubes, spread evenly over the volume."""
    parts = np.ones(3, int)
    while np.prod(shape // parts) > most or np.prod(parts) < number:
        longest = int(np.argmax(np.multiply(shape, steps) / parts))
        if shape[longest] // parts[longest] < 8:
            break
        parts[longest] += 1
    # Steps of equal length through the list of all would fall onto one side again and again.
    places = (0.5 + np.arange(100 * number)[:, None] * SPREAD) % 1
    chosen = dict.fromkeys(map(tuple, (places * parts).astype(int).tolist()))
    for place in list(chosen)[:number]:
        yield tuple(
            slice(at * count // part, (at + 1) * count // part)
            for at, count, part in zip(place, shape, parts, strict=True)
        )


def _size(box: Box) -> int:
    return int(np.prod([side.stop - side.start for side in box]))


def _edges(shape: Counts, counts: Counts) -> Edges:
    return [np.arange(count + 1) * n // count for n, count in zip(shape, counts, strict=True)]


def _whole(label: xr.DataArray, job: _Job, counts: Counts) -> list[Any]:
    """Return, delayed, D_eff / D along axes of each phase; slabs are whole layers of blocks."""
    from dask.delayed import delayed

    edges = _edges(label.shape, counts)
    layers = max(1, SLAB * counts[0] // label.size)
    cuts = [edges[0][i : i + layers + 1] for i in range(0, counts[0], layers)]
    data = slabs(label).rechunk({0: tuple(int(cut[-1] - cut[0]) for cut in cuts)})
    parts = [
        (block, [cut - cut[0], *edges[1:]])
        for block, cut in zip(pairs_of_slabs(data), cuts, strict=True)
    ]
    return [
        delayed(_flows)([delayed(_contacts)(block, n, own) for block, own in parts], edges, job)
        for n in job.numbers
    ]


def _subvolume(label: xr.DataArray, job: _Job, box: Box, ways: list[Counts]) -> Any:
    """Return, delayed, D_eff / D (phase, way, axis): by voxels, then by blocks as in the whole."""
    import dask.array as da
    from dask.delayed import delayed

    part = label[box]
    scaled = [np.multiply(way, part.shape) / label.shape for way in ways]
    counts = [part.shape, *(tuple(max(2, round(n)) for n in way) for way in scaled)]
    crop = da.asarray(part.data).rechunk(-1).to_delayed().ravel()[0]
    return delayed(_every_way)(crop, job, [_edges(part.shape, count) for count in counts])


def _every_way(label: Labels, job: _Job, ways: list[Edges]) -> Floats:
    """Return D_eff / D (phase, way, axis) of labels; NaN where much was not measured."""
    if np.count_nonzero(label) < (1 - MOST_UNMEASURED) * label.size:
        return np.full((len(job.numbers), len(ways), len(job.axes)), np.nan)
    return np.array(
        [[_flows([_contacts(label, n, edges)], edges, job) for edges in ways] for n in job.numbers]
    )


def _voxels(label: xr.DataArray, job: _Job) -> list[Any]:
    """Return, delayed, how many voxels of slabs each phase has, and how many were measured."""
    from dask.delayed import delayed

    def counted(block: Labels) -> list[int]:
        return [*(int((block == n).sum()) for n in job.numbers), int((block != 0).sum())]

    return [delayed(counted)(block) for block in blocks_of(slabs(label))]


def _paths(label: xr.DataArray, job: _Job) -> list[Any]:
    """Return, delayed, the labels that hang together from the first to the last voxels of axes."""
    from dask.delayed import delayed

    def through(first: Labels, last: Labels, number: Labels) -> set[int]:
        return set(number[np.isin(first, last) & (first > 0)].tolist())

    component = label_components(label)
    ends = [[{DIMS[axis]: end} for end in (0, -1)] for axis in job.axes]
    return [
        delayed(through)(component[one].data, component[other].data, label[one].data)
        for one, other in ends
    ]


def _contacts(label: Labels, number: int, edges: Edges) -> list[Floats]:
    """Return what conducts between blocks along z, y and x; along z still plane by plane.

    ``label`` may have one slice more than ``edges``, the next slab's first.
    """
    own = label == number
    along_z = _sums(own[:-1] & own[1:], edges, (1, 2))
    own = own[: edges[0][-1]]
    along_y = _series(_sums(own[:, :-1] & own[:, 1:], edges, (0, 2)), edges[1], 1)
    along_x = _series(_sums(own[..., :-1] & own[..., 1:], edges, (0, 1)), edges[2], 2)
    return [along_z, along_y, along_x]


def _sums(joined: NDArray[np.bool_], edges: Edges, axes: tuple[int, int]) -> Floats:
    found: NDArray[Any] = joined.view(np.uint8)
    for axis in axes:
        found = np.add.reduceat(found, edges[axis][:-1], axis=axis, dtype=np.int32)
    return found.astype(float)


def _centres(edges: NDArray[np.int64]) -> NDArray[np.int64]:
    return (edges[:-1] + edges[1:] - 1) // 2


def _series(contacts: Floats, edges: NDArray[np.int64], axis: int) -> Floats:
    """Return the conductance of planes of contacts one after the other, from centre to centre."""
    at = _centres(edges)
    with np.errstate(divide="ignore"):
        resistance = 1 / contacts.take(range(at[0], at[-1]), axis)
        return np.asarray(1 / np.add.reduceat(resistance, at[:-1] - at[0], axis=axis))


def _flows(parts: list[list[Floats]], edges: Edges, job: _Job) -> list[float]:
    """Return D_eff / D along axes from the contacts in slabs of blocks."""
    along_z, along_y, along_x = (np.concatenate(one) for one in zip(*parts, strict=True))
    steps = job.steps
    volume = float(np.prod(steps))
    links = [
        found * volume / step**2
        for found, step in zip(
            (_series(along_z, edges[0], 0), along_y, along_x), steps, strict=True
        )
    ]
    found = []
    for axis in job.axes:
        first, *_, last = _centres(edges[axis])
        length = (last - first) * steps[axis]
        across = np.prod([edges[k][-1] * steps[k] for k in range(3) if k != axis])
        found.append(_conductance(links, axis) * length / float(across))
    return found


def _conductance(links: list[Floats], axis: int) -> float:
    """Return what flows from the first to the last blocks for a unit of potential."""
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components, laplacian

    shape = (len(links[1]), links[2].shape[1], links[0].shape[2])
    index = np.arange(np.prod(shape)).reshape(shape)
    ends = [[index.take(range(k, n - 1 + k), a) for k in (0, 1)] for a, n in enumerate(shape)]
    value = np.concatenate([link.ravel() for link in links])
    one, other = (np.concatenate([pair[k].ravel() for pair in ends])[value > 0] for k in (0, 1))
    graph = sparse.coo_array((value[value > 0], (one, other)), (index.size, index.size)).tocsr()
    graph = graph + graph.T
    _, part = connected_components(graph, directed=False)
    joined = np.intersect1d(part[index.take(0, axis)], part[index.take(-1, axis)])
    kept = np.flatnonzero(np.isin(part, joined))
    if not kept.size:
        return 0.0
    place = np.unravel_index(kept, shape)[axis] / (shape[axis] - 1)
    return _flow(laplacian(graph[kept][:, kept]).tocsr(), 1 - place)


def _flow(laplace: Any, potential: Floats) -> float:
    """Return the flow where ``potential`` is held at 0 and 1, and a first guess elsewhere.

    It is what is dissipated, whose error is of second order.
    """
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import cg

    free = (potential > 0) & (potential < 1)
    if free.any():
        inner = laplace[free][:, free]
        step, failed = cg(
            inner,
            -(laplace @ potential)[free],
            rtol=TOLERANCE,
            M=diags_array(1 / inner.diagonal()),
        )
        potential = potential.copy()
        potential[free] += np.nan if failed else step
    return float(potential @ (laplace @ potential))


def _row(
    flows: Floats, inside: Floats, axis: int, fraction: float, seen: float, path: bool
) -> dict[str, Any]:
    """Return a row of the table; ``inside``: flows (subvolume, voxels and blocks, axis)."""
    through = int(np.count_nonzero(inside[:, 0, axis]))
    row: dict[str, Any] = dict.fromkeys(("tau", "low", "high", "relative_diffusivity"), np.nan)
    row |= {"fraction": fraction / seen if seen else np.nan, "verdict": "percolates"}
    row |= {"correction": np.nan, "coarsening": np.nan, "percolating": through}
    pooled = inside.sum(2)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = pooled[:, 0].sum() / pooled[:, 1:].sum(0) if len(flows) > 1 else np.ones(1)
        tau = fraction / (flows * ratio)
    if not path and fraction and seen >= 1 - MOST_UNMEASURED:
        row |= {"tau": np.inf, "relative_diffusivity": 0.0, "verdict": "does not percolate"}
    elif why := _unknown(fraction, seen, path, flows[0], ratio[0]):
        row["verdict"] = f"cannot tell: {why}"
    else:
        row |= {"tau": max(1.0, tau[0]), "correction": ratio[0], "coarsening": tau[-1] / tau[0]}
        reach = _reach(inside, axis, tau) if len(flows) > 1 else 0.0
        row |= {"low": max(1.0, row["tau"] * np.exp(-reach)), "high": row["tau"] * np.exp(reach)}
        row["relative_diffusivity"] = row["fraction"] / row["tau"]
    return row


def _unknown(fraction: float, seen: float, path: bool, flow: float, ratio: float) -> str:
    """Return why there is no number, if there is none."""
    if not fraction:
        return "there is nothing of it"
    if not path:
        return f"{1 - seen:.0%} of the volume was not measured"
    if not flow > 0:
        return "blocks close its necks, give more voxels"
    return "" if 0 < ratio < np.inf else "no subvolume has a path, give more voxels"


def _reach(inside: Floats, axis: int, tau: Floats) -> float:
    """Return the half width of the interval of tau's logarithm; NaN with too few subvolumes."""
    from scipy import stats

    number = len(inside)
    if np.count_nonzero(inside[:, 0, axis]) < FEWEST:
        return np.nan
    pooled = inside.sum(2)
    rest = pooled.sum(0) - pooled  # with each subvolume left out in turn
    logs = np.log(rest[:, 0] / rest[:, 1])
    student = stats.t.ppf((1 + LEVEL) / 2, number - 1) * np.sqrt((number - 1) * logs.var())
    correction, own = (np.log(one[0] / one[1]) for one in (pooled.sum(0), inside[..., axis].sum(0)))
    coarsening = np.log(tau[-1] / tau[0])
    terms = [student, coarsening, own - correction, CARRIED * correction, OFF]
    return float(np.linalg.norm(terms))
