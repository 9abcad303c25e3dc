"""Phases against composites whose labels, rates and coats are known."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from composites import BEAM, CHANNELS, LATERAL, NAMES, RATES, balls, counted
from scipy import special

from liscope.errors import DataError, ParameterError
from liscope.volume.components import phase_components
from liscope.volume.frames import Frames, Grid
from liscope.volume.phases import identify
from liscope.volume.resample import onto_grid
from liscope.volume.response import X_RAYS, Response, ion_response, responses_of

SHAPE = (20, 56, 72)
SEEN = {name: Response(LATERAL) for name in CHANNELS[:-1]} | {"6Li+": Response(BEAM)}


@pytest.fixture(scope="module")
def label() -> np.ndarray:
    return balls(SHAPE, 1)[0]


@pytest.fixture(scope="module")
def volume(label: np.ndarray) -> xr.DataArray:
    return counted(label, 2)


@pytest.fixture(scope="module")
def components(volume: xr.DataArray) -> xr.Dataset:
    return phase_components(volume, responses=SEEN)


@pytest.fixture(scope="module")
def phases(volume: xr.DataArray, components: xr.Dataset) -> xr.Dataset:
    return identify(volume, components=components)


def test_rates_are_those_of_the_unmixed_phases(components: xr.Dataset) -> None:
    for name, rates in zip(NAMES, RATES, strict=True):
        found = components["rate"].sel(phase=name).to_numpy()
        np.testing.assert_allclose(found, rates, rtol=0.06, atol=0.25)


def test_dice_and_fractions(phases: xr.Dataset, label: np.ndarray) -> None:
    found = phases["label"].to_numpy()
    for number, name in enumerate(phases["phase"].to_numpy(), start=1):
        true = label == NAMES.index(name) + 1
        dice = 2 * np.sum(true & (found == number)) / (true.sum() + np.sum(found == number))
        assert dice > 0.97
        assert abs(float(phases["probability"].sel(phase=name).mean()) - true.mean()) < 0.01


def test_probabilities_are_honest(phases: xr.Dataset, label: np.ndarray) -> None:
    names = phases["phase"].to_numpy()
    true = np.array([0, *(1 + list(names).index(name) for name in NAMES)])[label]
    top, right = phases["probability"].max("phase").to_numpy(), phases["label"] == true
    np.testing.assert_allclose(phases["probability"].sum("phase"), 1, atol=1e-5)
    assert float(right.to_numpy()[top > 0.95].mean()) >= 0.95
    # Of those in doubt some are wrong: they are not just called so.
    assert 0.4 < float(right.to_numpy()[top < 0.8].mean()) < 0.95


def test_chunks_do_not_matter(volume: xr.DataArray, phases: xr.Dataset) -> None:
    lazy = volume.chunk(channel=1, z=3, y=25, x=72)
    found = identify(lazy, responses=SEEN)
    assert isinstance(found["probability"].data, da.Array)
    assert isinstance(found["label"].data, da.Array)
    np.testing.assert_array_equal(found["probability"], phases["probability"])
    np.testing.assert_array_equal(found["label"], phases["label"])


def test_names_follow_the_marks(volume: xr.DataArray, phases: xr.Dataset) -> None:
    marks = {"black": "C", "active": "Co", "electrolyte": "Zr"}
    found = identify(volume.isel(channel=[4, 3, 1, 0]), marks, (), SEEN_WITHOUT_AL)
    same = {"black": "carbon", "active": "LCO", "electrolyte": "LLZTO"}
    for name, other in same.items():
        one = found["label"] == list(found["phase"].to_numpy()).index(name) + 1
        two = phases["label"] == list(phases["phase"].to_numpy()).index(other) + 1
        assert float((one == two).mean()) > 0.99


SEEN_WITHOUT_AL = {name: seen for name, seen in SEEN.items() if name != "Al"}


def test_unmeasured_voxels(volume: xr.DataArray, phases: xr.Dataset) -> None:
    holes = volume.copy(deep=True)
    holes.data[:, :, :10] = np.nan  # nothing
    holes.data[4, :, 10:30] = np.nan  # no lithium, but elements
    found = identify(holes, responses=SEEN)
    assert int(found["label"][:, :10].max()) == 0
    assert bool(np.isnan(found["probability"][:, :, :10]).all())
    assert int(found["label"][:, 10:].min()) > 0
    names = found["phase"].to_numpy()
    assert list(names) == list(phases["phase"].to_numpy())
    assert float((found["label"] == phases["label"])[:, 10:].mean()) > 0.97


def test_a_coat_is_bounded_not_mapped(label: np.ndarray) -> None:
    from scipy import ndimage

    lco = label == 3
    rim = lco & ~ndimage.binary_erosion(lco, border_value=1)
    coat = np.where(rim, 0.25, 0.0)  # 20 nm of 80
    volume = counted(label, 3, coat=coat)
    found = identify(volume, responses=SEEN)
    assert "alumina" not in found["phase"]
    assert "alumina cannot be resolved: between" in found.attrs["unresolved"]
    least, most = phase_components(volume, responses=SEEN)["coat_share"].sel(coat="alumina")
    assert float(least) <= coat.mean() <= float(most) < 0.5
    kept = found["label"].to_numpy()[rim] == list(found["phase"].to_numpy()).index("LCO") + 1
    assert kept.mean() > 0.9


def test_a_gain_of_a_slice_is_found(label: np.ndarray) -> None:
    volume = counted(label, 4)
    volume.data[4, 7] = np.random.default_rng(0).binomial(volume.data[4, 7].astype(int), 0.5)
    gain = phase_components(volume, responses=SEEN)["gain"].sel(channel="6Li+").to_numpy()
    assert gain[7] / np.delete(gain, 7).mean() == pytest.approx(0.5, rel=0.05)


def test_light_matter_is_seen_through() -> None:
    # A layer of thickness t sends 1 - exp(-t density / (5 depth)) of what its matter would alone.
    from liscope.volume.relaxation import Model, View

    layers = np.array([0] * 3 + [1] * 9)  # three slices of carbon on the ceramic
    shares = np.zeros((2, 12, 4, 5), np.float32)
    for z, phase in enumerate(layers):
        shares[phase, z] = 1
    density = np.array([1.9, 5.0])
    rate = np.array([[10.0], [0.0]], np.float32)
    one = np.ones((1, 12), np.float32)
    rest = (np.ones(1, np.float32), np.zeros(2, np.float32), np.zeros(3, np.float32))
    seen = (Response(0.0, 70.0),)
    model = Model(rate, one, *rest, seen, density, (60.0, 80.0, 80.0), ())
    mean = np.empty(shares.shape[1:], np.float32)
    View(model, 0, mean.shape).expected(shares, rate[:, 0], mean)
    thick = 60 * (3 - np.arange(3)) - 30  # the face is in the middle of its slice
    np.testing.assert_allclose(
        mean[:3, 2, 2], 10 * (1 - np.exp(-thick * 1.9 / (5 * 70.0))), rtol=1e-5
    )
    assert float(np.abs(mean[3:]).max()) == 0


def test_what_cannot_be_done_is_said(volume: xr.DataArray) -> None:
    with pytest.raises(ParameterError, match="no channel"):
        identify(volume, {"LLZTO": "La", "LCO": "Co"}, ())
    with pytest.raises(ParameterError, match="at least two"):
        identify(volume, {"LLZTO": "Zr"}, ())
    with pytest.raises(ParameterError, match="coats"):
        identify(volume, {"LLZTO": "Zr", "LCO": "Co"}, ("alumina",))
    with pytest.raises(DataError, match="cannot be told"):
        identify(volume, {"LLZTO": "Zr", "LCO": "Co", "again": "Co", "carbon": "C"}, ())
    with pytest.raises(ParameterError, match="responses"):
        responses_of(volume, {"Fe": X_RAYS})
    with pytest.raises(ParameterError, match="widths"):
        Response(-1.0)


def test_strips_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from liscope.volume import relaxation

    volume = counted(balls((9, 70, 40), seed=2)[0], seed=2)
    monkeypatch.setattr(relaxation, "TILE", (16, 32))
    monkeypatch.setattr(relaxation, "STRIP", 32)
    components = phase_components(volume)
    lazy = identify(volume.chunk(channel=1, z=4), components=components)
    whole = identify(volume, components=components)
    np.testing.assert_array_equal(lazy["probability"], whole["probability"])


@pytest.mark.parametrize("pixel", [0.05, 0.1, 0.2])
def test_interpolation_blurs_by_the_recorded_pixel(pixel: float) -> None:
    """An edge recorded at all fractions of a pixel, and how wide it is on a finer grid."""
    beam, count = 0.1, int(12 / pixel)
    x = pixel * (np.arange(count) + 0.5)
    shifts = pixel * (np.arange(40) + 0.5) / 40
    edges = special.ndtr((x - 6.013 - shifts[:, None]) * 2.355 / beam)
    axes = {dim: (dim, x[:n], {"units": "um"}) for dim, n in (("y", 6), ("x", count))}
    stack = xr.DataArray(
        np.tile(edges[None, :, None].astype(np.float32), (1, 1, 6, 1)),
        {"ion": ["6Li+"], "slice": np.arange(40), **axes},
        ("ion", "slice", "y", "x"),
    )
    frames = Frames.of(stack, 60).moved(np.stack([0 * shifts, shifts], -1))
    grid = Grid((0.06, pixel, 0.01), (0.0, 2 * pixel, 4.0), (40, 2, 400))
    fall = np.diff(onto_grid(stack, frames, grid)[0, :, 0].mean("z"))
    place = 0.01 * np.arange(399)
    width = np.sqrt(np.average((place - np.average(place, weights=fall)) ** 2, weights=fall))
    assert ion_response(beam, stack).lateral == pytest.approx(1e3 * width, rel=0.02)
