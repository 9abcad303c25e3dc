"""The same volume on one thread, on two worker processes, and when one of these is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
from composites import balls, counted

from liscope import cluster_kinds as kinds
from liscope import volume
from liscope.cluster import connect, started
from liscope.volume.components import phase_components

PAIR = ("Zr", "6Li+")


@pytest.fixture(scope="module")
def voxels() -> xr.DataArray:
    """A lazy volume of several slabs."""
    return counted(balls((32, 70, 80), seed=1)[0], seed=1).chunk(channel=1, z=3)


@pytest.fixture(scope="module")
def components(voxels: xr.DataArray) -> xr.Dataset:
    return phase_components(voxels.compute())


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """This process as a notebook that computes on two worker processes."""
    with started("local", 2, "2 GB") as compute:
        for name, value in compute.environment.items():
            monkeypatch.setenv(name, value)
        assert connect() == "2 worker processes"
        client = kinds.default()
        assert client is not None
        with client:
            yield client


def results(voxels: xr.DataArray, components: xr.Dataset) -> dict[str, np.ndarray]:
    """Return what does not depend on the order of sums, and what does but for rounding."""
    phases = volume.identify(voxels, components=components)
    moments, histograms = volume.joint_statistics(voxels, [PAIR], 16)
    label = phases["label"].assign_attrs(phase_names=list(phases["phase"].to_numpy()))
    numbers = volume.label_components(label)
    contacts = volume.contact_table(label)["per_volume_per_um"]
    return {
        "label": label.to_numpy(),
        "numbers": numbers.to_numpy(),
        "histogram": histograms[0].to_numpy(),
        "covariance": moments["covariance"].to_numpy(),
        "contacts": contacts.to_numpy(),
    }


def test_a_killed_worker_changes_nothing(
    voxels: xr.DataArray, components: xr.Dataset, connected: Any
) -> None:
    with dask.config.set(scheduler="synchronous"):
        alone = results(voxels, components)
    assert len(np.unique(alone["label"])) == 3  # there is something to compare
    before, lost = connected.run(os.getpid), []

    def kill() -> None:
        while not any(connected.processing().values()):
            time.sleep(0.02)
        address = max(before, key=lambda one: len(connected.processing().get(one, ())))
        lost.append(address)
        os.kill(before[address], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    found = results(voxels, components)
    killer.join()
    assert lost
    for name in ("label", "numbers", "histogram"):
        np.testing.assert_array_equal(found[name], alone[name])
    for name in ("covariance", "contacts"):
        np.testing.assert_allclose(found[name], alone[name], rtol=1e-10)
