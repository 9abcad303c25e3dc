"""Phase identification: the probability of each phase in each voxel, from all channels together.

Slices are worked on in slabs of a fixed number, with slices above and below that are read as well
and thrown away, so that the result does not depend on how the volume is chunked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.history import noted
from liscope.volume._alone import Unseen, on_workers
from liscope.volume.components import COATS, DENSITY, MARKS, STEPS, phase_components
from liscope.volume.relaxation import Model, relaxed_tiles, strips
from liscope.volume.response import Response, steps_of

Floats = NDArray[np.float32]

SLAB = 16  # slices that are identified together
LAP = 4  # slices read above and below them


def identify(
    volume: xr.DataArray,
    marks: Mapping[str, str] = MARKS,
    coats: Sequence[str] = COATS,
    responses: Mapping[str, Response] | None = None,
    density: Mapping[str, float] = DENSITY,
    components: xr.Dataset | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Return the probability of each phase in each voxel, and the most probable one's label.

    Parameters
    ----------
    volume
        (channel, z, y, x), counts; NaN where nothing was measured. A voxel takes part with the
        channels that it has.
    marks
        Phase, and the channel in which it is the brightest.
    coats
        Phases of ``marks`` thinner than the response: their shares are bounded in ``attrs``
        ``unresolved``, and their voxels go to what is beneath and beside them.
    responses
        Of channels; see :mod:`liscope.volume.response` for what the others have.
    density
        Of phases, g/cm3; 5 where there is none.
    components
        From :func:`~liscope.volume.components.phase_components`; None: fitted here, which reads
        part of the volume at once. The rest is lazy where the volume is.
    seed
        Of the choice of voxels for the fit.

    Returns
    -------
    xr.Dataset
        ``probability`` (phase, z, y, x), NaN where nothing was measured, and ``label`` (z, y, x): 0
        there, and 1 and on in the order of ``phase``.

    Raises
    ------
    ParameterError, DataError
        As :func:`~liscope.volume.components.phase_components`.
    """
    volume = volume.transpose("channel", "z", "y", "x")
    if components is None:
        components = phase_components(volume, marks, coats, responses, density, seed=seed)
    told = components.sel(channel=components["weight"] > 0)  # a coat's channel is not even read
    gain = told["gain"].to_numpy().astype(np.float32)
    counts = volume.sel(channel=told["channel"]).data
    probability = _in_slabs(counts, _model(told, volume), gain)
    axes = {axis: volume[axis] for axis in ("z", "y", "x")}
    coords = {"phase": components["phase"].to_numpy()} | axes
    found = xr.DataArray(probability, coords, ("phase", *axes), "probability", {"units": "1"})
    label = xr.DataArray(_labels(probability), axes, tuple(axes), "label")
    step = f"identify(marks={dict(marks)}, coats={list(coats)}, seed={seed})"
    attrs = {"unresolved": components.attrs["unresolved"]}
    history = noted(found, volume, step).attrs["history"]
    return xr.Dataset({"probability": found, "label": label}, attrs=attrs | {"history": history})


def _model(components: xr.Dataset, volume: xr.DataArray) -> Model:
    step = steps_of(volume)
    seen = zip(components["lateral"].to_numpy(), components["depth"].to_numpy(), strict=True)
    return Model(
        components["rate"].to_numpy().astype(np.float32),
        components["gain"].to_numpy().astype(np.float32),
        components["weight"].to_numpy().astype(np.float32),
        np.log(components["share"].to_numpy()).astype(np.float32),
        components["coupling"].to_numpy().astype(np.float32),
        tuple(Response(float(wide), float(deep)) for wide, deep in seen),
        components["density"].to_numpy(),
        step,
        STEPS,
    )


def _in_slabs(data: Any, model: Model, gain: Floats) -> Any:
    """Return probabilities of (channel, z, y, x) counts, a dask array where these are one."""
    slabs = []
    for start in range(0, data.shape[1], SLAB):
        stop = min(start + SLAB, data.shape[1])
        low, high = max(0, start - LAP), min(data.shape[1], stop + LAP)
        here, kept = model.at(gain[:, low:high]), slice(start - low, stop - low)
        slabs.append(_slab(data[:, low:high], here, kept))
    if isinstance(data, np.ndarray):
        return np.concatenate(slabs, axis=1)
    import dask.array as da

    return da.concatenate(slabs, axis=1)


def _slab(piece: Any, model: Model, kept: slice) -> Any:
    if isinstance(piece, np.ndarray):
        return relaxed_tiles([[piece]], model, kept)
    import dask.array as da
    from dask.delayed import delayed

    shape = (len(model.prior), kept.stop - kept.start, *piece.shape[2:])
    if on_workers(piece):
        whole = piece.rechunk({2: -1, 3: -1}).to_delayed(optimize_graph=False)
        task = delayed(relaxed_tiles)(whole[:, :, 0, 0].tolist(), model, kept)
    else:
        task = delayed(_alone)(Unseen(piece), model, kept)
    return da.from_delayed(task, shape, np.float32)


def _alone(piece: Unseen, model: Model, kept: slice) -> Floats:
    """Return a slab from its voxels, which are computed here and now, strip by strip."""
    _, _, high, wide = piece.shape
    out = np.empty((len(model.prior), kept.stop - kept.start, high, wide), np.float32)
    start = 0
    for rows, wanted in strips(high):
        stop = start + wanted.stop - wanted.start
        blocks = [[one] for one in piece.channels(rows)]
        out[:, :, start:stop] = relaxed_tiles(blocks, model, kept, wanted)
        start = stop
    return out


def _labels(probability: Any) -> Any:
    if isinstance(probability, np.ndarray):
        return _label(probability)
    return probability.rechunk({0: -1}).map_blocks(_label, dtype=np.uint8, drop_axis=0)


def _label(probability: Floats) -> NDArray[np.uint8]:
    label = np.zeros(probability.shape[1:], np.uint8)
    for plane, shares in zip(label, np.moveaxis(probability, 1, 0), strict=True):
        best = np.argmax(shares, axis=0).astype(np.uint8) + np.uint8(1)
        plane[...] = np.where(np.isnan(shares[0]), np.uint8(0), best)
    return label
