"""How wide the ion beam is, measured where a step of lithium is known to be sharp.

At the boundaries of phases that lose no lithium counts go from one level to the other; how fast
tells how wide the beam is, with all else that blurs: pixels, interpolation, slices misplaced, and
doubtful labels. The likelihood (Poisson) of a range of widths is tabulated, the phases' levels free
in each slice; blocks of the volume drawn again and again say how sure its maximum is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from liscope.errors import ParameterError
from liscope.statistics import LEVEL
from liscope.volume.profiles import FEWEST, RESAMPLED
from liscope.volume.response import steps_of
from liscope.volume.surface import BLOCK, Cells, Visit, block_of, columns_in, number_of, visited

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

WIDTHS = np.geomspace(15.0, 240.0, 24)  # nm, that are tried
FINE = np.geomspace(15.0, 240.0, 3000)  # nm, between which it is decided
NEAR = 400.0  # nm from a boundary: what tells the width
AWAY = 800.0  # nm from the host, which may have lost lithium
ENOUGH = 300  # voxels of a slice
ROUNDS = 4  # of weighted least squares
FAINT = 0.05  # counts a voxel, the least that is predicted
STEPPED = 9.0  # by which minus twice the log-likelihood must rise towards either end: 3 sigma


@dataclass(frozen=True)
class Width:
    """Standard deviation of what blurs the channel in the plane, nm, with limits of 95 %.

    ``blocks`` is how many of the volume the limits rest on; ``verdict`` is ``measured``, or
    ``cannot tell`` with the reason, and then the widths are NaN.
    """

    lateral: float
    low: float
    high: float
    blocks: int
    verdict: str

    @property
    def error(self) -> float:
        """Half of the interval of 95 % over 1.96: a standard deviation, nm."""
        return (self.high - self.low) / 3.92


def beam_width(
    volume: xr.DataArray,
    phases: xr.Dataset,
    host: str = "LLZTO",
    channel: str = "6Li+",
    block: float = BLOCK,
    seed: int = 0,
) -> Width:
    """Return how wide the beam is, from boundaries of the other phases away from the host.

    Parameters
    ----------
    volume
        (channel, z, y, x), counts.
    phases
        ``probability`` and ``label`` on the same grid.
    host
        Phase that may have lost lithium, which is left out, with 800 nm around it.
    channel
        Whose beam.
    block
        Side of the blocks that are drawn, um.
    seed
        Of the drawing.

    Raises
    ------
    ParameterError
        If there is no such phase or channel.
    """
    if channel not in [str(name) for name in volume["channel"].to_numpy()]:
        raise ParameterError(f"channel '{channel}' is not in the volume")
    number, voxel = number_of(phases, host), steps_of(volume)
    work = partial(_by_width, number=number, voxel=voxel, size=columns_in(volume, block))
    slabs = visited(volume, phases, AWAY + max(voxel), work, [channel], shares=True)
    return _judged(np.sum(slabs, axis=0), np.random.default_rng(seed))


def _by_width(
    counts: Floats,
    shares: Floats,
    visits: Any,
    number: int,
    voxel: tuple[float, float, float],
    size: Cells,
) -> Array:
    """Return minus twice the log-likelihood (block, width)."""
    shares = np.nan_to_num(np.asarray(shares, np.float32))
    use, blocks = np.zeros(counts.shape[1:], bool), np.zeros(counts.shape[1:], np.int64)
    for visit in visits:
        use[visit.core] = _telling(visit, number, voxel)
        blocks[visit.core] = block_of(visit, size)
    use &= np.isfinite(counts[0])
    use &= (use.sum((1, 2)) >= ENOUGH)[:, None, None]
    others = np.delete(shares, number - 1, 0)
    length = int(np.prod(size[0]))
    found = np.zeros((length, len(WIDTHS)))
    for k, width in enumerate(WIDTHS):
        blur = (0, 0, width / voxel[1], width / voxel[2])
        seen = ndimage.gaussian_filter(others, blur, mode="nearest")
        for z in np.flatnonzero(use.any((1, 2))):
            here = use[z]
            deviance = _deviance(seen[:, z, here].T.astype(float), counts[0, z, here].astype(float))
            found[:, k] += np.bincount(blocks[z, here], deviance, length)
    return found


def _telling(visit: Visit, number: int, voxel: tuple[float, float, float]) -> NDArray[np.bool_]:
    """Return which voxels of a visit are near a boundary of others, and away from the host."""
    import edt

    spaced: dict[str, Any] = {"anisotropy": voxel, "parallel": 1}
    to_other = edt.edt(visit.label, **spaced)  # the nearest voxel of another label
    to_host = edt.edt(np.ascontiguousarray(visit.label != number), **spaced)
    to_nothing = edt.edt(np.ascontiguousarray(visit.label != 0), **spaced)
    near = (to_other < NEAR) & (to_host > AWAY) & (to_nothing > NEAR)
    return np.asarray(near[visit.inner])


def _deviance(seen: Array, counts: Array) -> Array:
    """Return each voxel's minus twice log-likelihood (up to a constant), the levels fitted."""
    from scipy.linalg import lstsq

    level = lstsq(seen, counts)[0]
    for _ in range(ROUNDS):
        root = 1 / np.sqrt(np.maximum(seen @ level, FAINT))
        level = lstsq(seen * root[:, None], counts * root)[0]
    mean = np.maximum(seen @ level, FAINT)
    return np.asarray(2 * (mean - counts * np.log(mean)))


def _judged(deviance: Array, random: np.random.Generator) -> Width:
    deviance = deviance[np.abs(deviance).sum(1) > 0]
    blocks = len(deviance)
    if blocks < FEWEST:
        return _nothing(blocks, f"only {blocks} blocks hold boundaries of other phases")
    total = deviance.sum(0)
    rise = total[[0, -1]] - total.min()
    if rise.max() < STEPPED:
        return _nothing(blocks, "no step of lithium at the boundaries of other phases")
    if rise.min() < STEPPED:
        beyond = f"below {WIDTHS[0]:g}" if rise[0] < STEPPED else f"above {WIDTHS[-1]:g}"
        return _nothing(blocks, f"the width is {beyond} nm, where it is not looked for")
    drawn = random.multinomial(blocks, np.full(blocks, 1 / blocks), RESAMPLED)
    again = _lowest(drawn.astype(float) @ deviance)
    tail = (1 - LEVEL) / 2
    wider = np.sqrt(blocks / (blocks - 1))  # drawing blocks scatters less than blocks do
    lateral = float(_lowest(total[None])[0])
    low, high = lateral + wider * (np.quantile(again, [tail, 1 - tail]) - lateral)
    return Width(lateral, float(low), float(high), blocks, "measured")


def _nothing(blocks: int, reason: str) -> Width:
    return Width(np.nan, np.nan, np.nan, blocks, f"cannot tell: {reason}")


def _lowest(deviance: Array) -> Array:
    """Return at which width tables (table, width) are lowest, between the widths tried, nm."""
    from scipy.interpolate import CubicSpline

    curve = CubicSpline(np.log(WIDTHS), deviance, axis=1)
    return np.asarray(FINE[np.argmin(curve(np.log(FINE)), axis=1)])
