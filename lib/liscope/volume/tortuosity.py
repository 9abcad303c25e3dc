"""Tortuosity of phases by diffusion through them, in subvolumes whose spread is the uncertainty.

Tortuosity tau says how much a phase's winding and necks slow diffusion down:
D_eff = D fraction / tau (as TauFactor has it: S. J. Cooper et al., SoftwareX 5, 203 (2016),
doi:10.1016/j.softx.2016.09.002). PoreSpy solves the steady diffusion between two opposite faces on
a cubic lattice (``porespy.simulations.tortuosity_fd``); so voxels are first brought to cubes by the
nearest voxel. A phase that no path crosses has none: it does not percolate, and nothing flows.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import ParameterError
from liscope.statistics import LEVEL
from liscope.volume._voxels import DIMS, labels_of, names_of, number_of, steps_of

MOST = 1_000_000  # voxels of a subvolume: some 10 s and 1 GB
MOST_UNMEASURED = 0.01  # of a subvolume: nothing flows there
FEWEST = 3  # subvolumes that percolate, for an interval

Mask = NDArray[np.bool_]

# OpenPNM keeps its networks in one workspace a process, by names that two threads may both take.
_ONE_AT_A_TIME = threading.Lock()


def tortuosity_table(
    phases: xr.Dataset | xr.DataArray,
    of: Sequence[str] | None = None,
    along: str = "zyx",
    subvolumes: int = 4,
    most_voxels: int = MOST,
) -> pd.DataFrame:
    """Return the tortuosity of phases along axes, from subvolumes side by side.

    Parameters
    ----------
    phases
        Phases, or labels (z, y, x) with ``attrs["phase_names"]``.
    of
        Names of phases; None: all.
    along
        Axes.
    subvolumes
        How many at most, spread evenly; each spans the volume along the axis where it fits.
    most_voxels
        Cubic voxels of a subvolume. A longer volume is cut along the axis, too: ``length_um``.

    Returns
    -------
    DataFrame
        One row a phase and axis: ``tau`` (the phase's mean fraction over its mean relative
        diffusivity; infinite where it percolates in no subvolume), ``low``, ``high`` (a Student
        interval over the subvolumes' logarithms; NaN with fewer than three that percolate),
        ``relative_diffusivity``, D_eff / D, ``fraction`` in the subvolumes; ``percolating`` and
        ``subvolumes``, how many were measured (all but 1 %); ``voxel_um``, ``length_um`` and
        ``width_um``, ``height_um`` of the subvolumes across it.

    Raises
    ------
    ParameterError
        If there is no such phase or axis, or a number is not above 0.
    """
    from dask.base import compute
    from dask.delayed import delayed

    label, names = labels_of(phases), names_of(phases)
    if not set(along) <= set(DIMS) or subvolumes < 1 or most_voxels < 1000:
        raise ParameterError(
            f"along={along!r}, subvolumes={subvolumes}, most_voxels={most_voxels}; "
            "axes of zyx, 1 or more, and 1000 or more are needed"
        )
    wanted = {name: number_of(phases, name) for name in (names if of is None else of)}
    steps = steps_of(label)
    rows: list[dict[str, Any]] = []
    tasks = []
    for axis in (DIMS.index(dim) for dim in along):
        boxes = list(_boxes(label.shape, steps, axis, subvolumes, most_voxels))
        crops = [delayed(_cubes)(_delayed(label[box]), steps) for box in boxes]
        for name, number in wanted.items():
            tasks.append([delayed(_solved)(crop, number, axis) for crop in crops])
            rows.append({"phase": name, "along": DIMS[axis]} | _sides(boxes[0], steps, axis))
    found = compute(tasks)[0]
    table = [row | _row(np.array(one, float)) for row, one in zip(rows, found, strict=True)]
    return pd.DataFrame(table).set_index(["phase", "along"])


def _delayed(part: xr.DataArray) -> Any:
    import dask.array as da

    return da.asarray(part.data).rechunk(-1).to_delayed().ravel()[0]


def _boxes(
    shape: tuple[int, ...], steps: tuple[float, ...], axis: int, number: int, most: int
) -> Iterator[tuple[slice, ...]]:
    """Yield the subvolumes, as long as the volume along the axis where ``most`` voxels allow it."""
    cube = max(steps)
    size = np.maximum(np.round(np.multiply(shape, steps) / cube), 1)
    across = [k for k in range(3) if k != axis]
    parts = np.ones(3, int)
    while np.prod(size // parts) > most or np.prod(parts) < number:
        sides = size / parts
        # The longest side across is halved, the one along only where it is twice as long.
        longest = max(across, key=lambda k: sides[k])
        if sides[axis] > 2 * sides[longest] and np.prod(size // parts) > most:
            longest = axis
        if sides[longest] < 8:
            break
        parts[longest] += 1
    every = list(np.ndindex(*parts))
    chosen = np.unique(np.linspace(0, len(every) - 1, min(number, len(every))).round().astype(int))
    for i in chosen:
        yield tuple(
            slice(at * count // part, (at + 1) * count // part)
            for at, count, part in zip(every[i], shape, parts, strict=True)
        )


def _sides(box: tuple[slice, ...], steps: tuple[float, ...], axis: int) -> dict[str, float]:
    sides = [(s.stop - s.start) * step for s, step in zip(box, steps, strict=True)]
    across = [side for k, side in enumerate(sides) if k != axis]
    return {
        "voxel_um": max(steps), "length_um": sides[axis],
        "height_um": across[0], "width_um": across[1],
    }  # fmt: skip


def _cubes(label: NDArray[Any], steps: tuple[float, ...]) -> NDArray[Any]:
    """Return labels on cubes of the longest side, each by the nearest voxel."""
    cube = max(steps)
    picks = []
    for count, step in zip(label.shape, steps, strict=True):
        number = max(1, round(count * step / cube))
        picks.append(((np.arange(number) + 0.5) * count / number).astype(int))
    return np.asarray(label[np.ix_(*picks)])


def _solved(label: NDArray[Any], number: int, axis: int) -> tuple[float, float]:
    """Return fraction of a phase and its relative diffusivity; NaN where much was not measured."""
    if np.count_nonzero(label) < (1 - MOST_UNMEASURED) * label.size:
        return np.nan, np.nan
    own = label == number
    return float(own.mean()), _diffusivity(own, axis) if _percolates(own, axis) else 0.0


def _percolates(own: Mask, axis: int) -> bool:
    import cc3d

    part = np.asarray(cc3d.connected_components(np.ascontiguousarray(own), connectivity=6))
    first, last = (set(part.take(end, axis=axis).ravel().tolist()) - {0} for end in (0, -1))
    return bool(first & last)


def _diffusivity(own: Mask, axis: int) -> float:
    from porespy.simulations import tortuosity_fd

    with _ONE_AT_A_TIME, _quiet(), np.errstate(divide="ignore"):
        return 1 / float(tortuosity_fd(own, axis).formation_factor)


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out the warning that parts lead nowhere: it is what the numbers say."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(level)


def _row(found: NDArray[np.float64]) -> dict[str, float]:
    from scipy import stats

    fraction, flow = found[np.isfinite(found).all(1)].T
    used, through = fraction.size, int(np.count_nonzero(flow))
    row = dict.fromkeys(("tau", "low", "high", "relative_diffusivity", "fraction"), np.nan)
    row |= {"percolating": float(through), "subvolumes": float(used)}
    if not used:
        return row
    row |= {"relative_diffusivity": float(flow.mean()), "fraction": float(fraction.mean())}
    row["tau"] = row["fraction"] / row["relative_diffusivity"] if through else np.inf
    if through == used >= FEWEST:
        logs = np.log(fraction / flow)
        reach = stats.t.ppf((1 + LEVEL) / 2, used - 1) * logs.std(ddof=1) / np.sqrt(used)
        row |= {
            "low": min(row["tau"], max(1.0, row["tau"] * np.exp(-reach))),
            "high": row["tau"] * np.exp(reach),
        }
    return row
