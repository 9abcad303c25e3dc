"""The same numbers on threads, on two worker processes, and when one of these is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
from composites import balls, counted
from spheres import EDS, SIMS, Spheres, drifting, stack

from liscope import cluster_kinds as kinds
from liscope import volume
from liscope.cluster import connect, started
from liscope.volume.components import phase_components

Found = dict[str, Any]
PAIR = ("Zr", "6Li+")
COUNT, THICK = 12, 60.0  # slices, nm
TURN = np.array([[0.9994, 0.0349], [-0.0349, 0.9994]])  # 2 degrees
BLOCK = 1.5  # um: enough of them for an interval


@dataclass(frozen=True)
class Specimen:
    """Lazy stacks and voxels, in several slabs each, and the phases' components."""

    eds: xr.DataArray
    sims: xr.DataArray
    voxels: xr.DataArray
    components: xr.Dataset

    def phases(self) -> xr.Dataset:
        return volume.identify(self.voxels, components=self.components)

    def frames(self) -> volume.Frames:
        """Return the frames of either stack, as recorded."""
        return volume.Frames.of(self.eds, THICK)

    def deadly(self, trap: Path) -> Specimen:
        """Return a copy whose values kill the first worker that asks for those in the middle."""
        lazy = {name: getattr(self, name) for name in ("eds", "sims", "voxels")}
        copies = {name: one.copy(data=_trapped(one.data, trap)) for name, one in lazy.items()}
        return replace(self, **copies)


def _trapped(data: Any, trap: Path) -> Any:
    middle, here = data.numblocks[1] // 2, os.getpid()

    def block(values: np.ndarray, block_id: tuple[int, ...]) -> np.ndarray:
        if block_id[1] == middle and os.getpid() != here:
            with suppress(FileNotFoundError):  # another one was there before
                trap.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
        return values

    return data.map_blocks(block, dtype=data.dtype, meta=data._meta)


def drift(made: Specimen) -> Found:
    drift = volume.slice_drift(made.eds)
    return {"reason": drift.reason} | {
        name: getattr(drift, name) for name in ("shift", "sigma", "steady", "steady_error")
    }


def registration(made: Specimen) -> Found:
    match = volume.register_stacks(made.eds, made.sims, made.frames(), made.frames())
    assert match.found
    left_out = ("frames", "start", "groups")
    numbers = {name: one for name, one in vars(match).items() if name not in left_out}
    return numbers | vars(match.frames) | dict(match.groups)


def grid(made: Specimen) -> Found:
    frames = made.frames()
    where = volume.Grid.over(made.eds, frames, (0.05, 0.09, 0.085))
    turned = frames.after(TURN, np.zeros(2))
    return {
        "linear": volume.onto_grid(made.eds, frames, where),
        "lanczos": volume.onto_grid(made.sims, turned, where, "lanczos"),
    }


def phases(made: Specimen) -> Found:
    return dict(made.phases().compute().data_vars)


def statistics(made: Specimen) -> Found:
    moments, histograms = volume.joint_statistics(made.voxels, [PAIR], 16)
    return dict(moments.data_vars) | {"histogram": histograms[0]}


def particles(made: Specimen) -> Found:
    found = made.phases()
    label = found["label"].assign_attrs(phase_names=list(found["phase"].to_numpy()))
    return {"numbers": volume.label_components(label)} | dict(volume.contact_table(label))


def edges(made: Specimen) -> Found:
    return dict(volume.edge_profile(made.voxels, made.phases(), block=BLOCK).data_vars)


def beam(made: Specimen) -> Found:
    found = volume.beam_width(made.voxels, made.phases(), block=BLOCK)
    assert found.verdict == "measured"
    return asdict(found)


def depletion(made: Specimen) -> Found:
    width = volume.Width(42.0, 38.0, 46.0, 9, "measured")
    found = volume.depletion(made.voxels, made.phases(), width, block=BLOCK)
    assert found.verdict == "found"
    return asdict(found)


def correlations(made: Specimen) -> Found:
    pairs = [PAIR, ("Co", "Zr")]
    return dict(volume.correlation_table(made.voxels, pairs, error_nm=50.0))


STEPS: tuple[Callable[[Specimen], Found], ...] = (
    drift, registration, grid, phases, statistics, particles, edges, beam, depletion, correlations,
)  # fmt: skip


@pytest.fixture(scope="module")
def specimen() -> Specimen:
    spheres = Spheres.random(1, (COUNT * THICK / 1e3, 9.0, 11.5), room=2.0)
    ions = drifting(COUNT, 0.01, 2).after(TURN, np.array([0.6, 0.4]))
    eds = stack(spheres, drifting(COUNT, 0.01, 1), 0.0814, (110, 140), EDS, 1, blur=1.5)
    sims = stack(spheres, ions, 0.072, (140, 180), SIMS, 1, channel="ion")
    label, inside = balls((32, 70, 80), seed=1)
    voxels = counted(label, 1, 0.5 * np.exp(-inside / 300))
    return Specimen(
        eds.chunk(element=1, slice=4),
        sims.chunk(ion=1, slice=4),
        voxels.chunk(channel=1, z=3),
        phase_components(voxels),
    )


@pytest.fixture(scope="module")
def alone(specimen: Specimen) -> dict[str, Found]:
    """What each step finds in this process, one task after the other."""
    with dask.config.set(scheduler="synchronous"):
        return {step.__name__: _values(step(specimen)) for step in STEPS}


@pytest.fixture(scope="module")
def connected(alone: dict[str, Found]) -> Iterator[Any]:
    """This process as a notebook that computes on two worker processes, after ``alone``."""
    # Or dask gives up a worker that is down 15 s after it was killed: it may be so once more.
    lasting = dask.config.set({"distributed.deploy.lost-worker-timeout": "1h"})
    with lasting, pytest.MonkeyPatch.context() as patch, started("local", 2, "2 GB") as compute:
        for name, value in compute.environment.items():
            patch.setenv(name, value)
        assert connect() == "2 worker processes"
        client = kinds.default()
        assert client is not None
        with client:
            yield client


def _values(found: Mapping[str, Any]) -> Found:
    return {name: np.asarray(one) for name, one in found.items()}


def _same(found: Mapping[str, Any], expected: Found) -> None:
    """Compare numbers but for rounding; labels, counts and words exactly."""
    assert found.keys() == expected.keys()
    for name, one in _values(found).items():
        if one.dtype.kind == "f":
            np.testing.assert_allclose(one, expected[name], rtol=1e-9, err_msg=name)
        else:
            np.testing.assert_array_equal(one, expected[name], name)


def test_there_is_something_to_compare(alone: dict[str, Found]) -> None:
    assert len(np.unique(alone["phases"]["label"])) == 3
    assert alone["particles"]["numbers"].max() > 10


@pytest.mark.parametrize("step", STEPS)
def test_threads_change_nothing(
    step: Callable[[Specimen], Found], specimen: Specimen, alone: dict[str, Found]
) -> None:
    with dask.config.set(scheduler="threads", num_workers=4):
        _same(step(specimen), alone[step.__name__])


@pytest.mark.parametrize("step", STEPS)
def test_workers_change_nothing(
    step: Callable[[Specimen], Found], specimen: Specimen, alone: dict[str, Found], connected: Any
) -> None:
    _same(step(specimen), alone[step.__name__])


@pytest.mark.parametrize("step", [one for one in STEPS if one is not phases])  # part of particles
def test_a_killed_worker_changes_nothing(
    step: Callable[[Specimen], Found],
    specimen: Specimen,
    alone: dict[str, Found],
    connected: Any,
    tmp_path: Path,
) -> None:
    trap = tmp_path / "trap"
    trap.touch()
    connected.wait_for_workers(2, timeout=60)
    _same(step(specimen.deadly(trap)), alone[step.__name__])
    assert not trap.exists()  # a worker ran into it
