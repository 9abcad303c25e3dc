"""Glass, window and what lies between: halos of known height, and a lamella's truth."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from scipy import stats

from liscope.diffraction.halo import halo, radial_profiles, with_glass
from liscope.diffraction.polar import Geometry
from liscope.errors import DataError
from liscope.specimens import lamella

K = np.arange(0.15, 1.2, 0.022)
RING, WIDTH = 0.40, 0.045  # 1/angstrom, a glass's first halo


def profiles(
    height: np.ndarray, k: np.ndarray = K, background: float = 200.0, fall: float = 0.25
) -> xr.DataArray:
    """Return an exponential background with a Gaussian ring of these heights (y, x)."""
    ring = np.exp(-0.5 * ((k - RING) / WIDTH) ** 2)
    values = background * np.exp(-k / fall) + height[..., None] * ring
    return xr.DataArray(
        values, dims=("y", "x", "k"), coords={"k": ("k", k, {"units": "1/angstrom"})}
    )


def found(phase: np.ndarray) -> xr.Dataset:
    """Return what is decided before glass is looked for."""
    both = ("y", "x")
    score = (both, np.full(phase.shape, 0.5), {"units": "1", "history": "made up"})
    return xr.Dataset({"phase": (both, phase.astype(np.int8)), "score": score})


def told(height: np.ndarray, phase: int = -3) -> xr.Dataset:
    return with_glass(found(np.full(height.shape, phase)), profiles(height))


# ------------------------------------------------------------------------------------ the halo


@pytest.mark.parametrize("fall", [0.15, 0.25, 0.6])
def test_a_background_that_falls_exponentially_is_no_halo(fall: float) -> None:
    none = halo(profiles(np.zeros((1, 1)), fall=fall))
    assert float(none[0, 0]) == pytest.approx(0, abs=0.02 * 200 * np.exp(-RING / fall))


def test_a_halo_is_as_high_as_its_ring() -> None:
    """The mean of the Gaussian between 0.36 and 0.44; its tails raise the background a little."""
    inside = np.diff(stats.norm.cdf((np.array([0.36, 0.44]) - RING) / WIDTH))[0]
    mean = inside * np.sqrt(2 * np.pi) * WIDTH / 0.08
    height = np.array([[10.0, 50.0, 130.0]])
    fine = np.arange(0.15, 1.2, 0.001)
    for k, near in ((fine, 0.05), (K, 0.08)):
        np.testing.assert_allclose(halo(profiles(height, k)), mean * height, rtol=near)
    in_nm = profiles(height).assign_coords(k=("k", 10 * K, {"units": "1/nm"}))
    np.testing.assert_allclose(halo(in_nm), halo(profiles(height)))


@pytest.mark.parametrize(
    "k", [np.arange(0.15, 0.5, 0.02), np.arange(0.3, 1.2, 0.02), np.arange(0.15, 1.2, 0.16)]
)
def test_profiles_that_show_no_halo_are_refused(k: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"rings from 0\.\d+ to \d\.\d+ 1/angstrom show no halo"):
        halo(profiles(np.ones((2, 2)), k))


# ------------------------------------------------------------------------------------ two levels


def scattered(middle: float, spread: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(middle, spread, (20, 20))


@pytest.mark.parametrize(("middle", "spread"), [(130, 10), (5, 1), (5, 0), (0, 0.2), (0, 3)])
def test_one_level_alone_cannot_be_told(middle: float, spread: float) -> None:
    """Be it all glass, all window, or nothing but noise where no window is."""
    om = told(scattered(middle, spread))
    assert set(np.unique(om.phase)) == {-3}
    assert om.glass.isnull().all()


@pytest.mark.parametrize("window", [0.0, 5.0])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_two_levels_are_glass_and_window(window: float, share: float) -> None:
    glass = np.random.default_rng(1).random((20, 20)) < share
    om = told(np.where(glass, scattered(130, 8), scattered(window, 0.5)))
    np.testing.assert_array_equal(om.phase, np.where(glass, -1, -2))
    assert om.phase.dtype == np.int8


def test_what_lies_between_is_not_known() -> None:
    height = np.where(np.arange(400).reshape(20, 20) % 2, 130.0, 5.0)
    height[0, 0], height[0, 2], height[0, 4] = 67.5, 95, 40
    om = told(height)
    assert om.phase.values[0, [0, 2, 4]].tolist() == [-3, -3, -3]
    dim, half, bright = om.glass.values[0, [4, 0, 2]]
    assert half == pytest.approx(0.5, abs=0.01)  # half glass, half window
    assert 0.05 < dim < 0.5 < bright < 0.95
    np.testing.assert_array_equal(om.phase[1:], np.where(height[1:] > 60, -1, -2))


def test_crystals_stay_and_take_no_part() -> None:
    height = np.where(np.arange(400).reshape(20, 20) % 2, 130.0, 5.0)
    phase = np.full(height.shape, -3)
    phase[5:10], height[5:10] = 1, 3000.0
    om = with_glass(found(phase).assign_attrs(title="a lamella"), profiles(height))
    assert np.all(om.phase[5:10] == 1) and om.glass[5:10].isnull().all()
    np.testing.assert_array_equal(om.phase[10:], np.where(height[10:] > 60, -1, -2))
    assert om.attrs["title"] == "a lamella" and "glass told" in om.attrs["history"]


def test_few_patterns_have_no_levels() -> None:
    phase = np.zeros((20, 20))
    phase[0, :19] = -3
    height = np.where(np.arange(400).reshape(20, 20) % 2, 130.0, 5.0)
    assert np.all(with_glass(found(phase), profiles(height)).phase[0, :19] == -3)
    phase[0, 19] = -3
    assert np.all(with_glass(found(phase), profiles(height)).phase[0] < 0)
    assert not np.any(with_glass(found(phase), profiles(height)).phase[0] == -3)
    assert np.all(with_glass(found(0 * phase), profiles(height)).phase == 0)


# ------------------------------------------------------------------------------------ patterns


def test_profiles_are_those_of_patterns_without_their_spots() -> None:
    """An elliptical, turned camera sees round halos as they are, wherever the beam is."""
    oval, turn = np.array([[1.02, 0.01], [0.01, 0.98]]), np.deg2rad(20)
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    camera = Geometry(oval @ turned / 0.022, (128, 128))
    centres = xr.Dataset(
        {"centre_x": (("y", "x"), [[63.5, 65.0]]), "centre_y": (("y", "x"), [[63.5, 61.25]])}
    )

    def expected(k: np.ndarray) -> np.ndarray:
        return np.asarray(200 * np.exp(-k / 0.25) + 60 * np.exp(-0.5 * ((k - RING) / WIDTH) ** 2))

    pixels = np.stack(np.meshgrid(np.arange(128), np.arange(128)), -1)
    pattern = np.empty((1, 2, 128, 128))
    for i, centre in enumerate(((63.5, 63.5), (65.0, 61.25))):
        k = np.hypot(*np.moveaxis((pixels - centre) @ np.linalg.inv(camera.matrix).T, -1, 0))
        pattern[0, i] = expected(k)
    for column, row in ((83, 63), (63, 40), (90, 90)):
        pattern[..., row : row + 2, column : column + 2] += 1000
    scan = xr.Dataset({"pattern": (("y", "x", "ky", "kx"), da.from_array(pattern))})
    seen = radial_profiles(scan, centres, camera)
    assert isinstance(seen.data, da.Array) and seen.k.attrs["units"] == "1/angstrom"
    for one in seen.compute()[0]:
        np.testing.assert_allclose(one, expected(seen.k.values), atol=1.5)


@pytest.mark.parametrize(("name", "seed"), [("lmno_pristine", 3), ("lmno_cycled_roi1", 5)])
def test_glass_of_a_lamella_is_what_it_is_called(name: str, seed: int) -> None:
    simulated = lamella.simulate(name, seed, (30, 50))
    true = simulated["truth"].to_dataset()
    angle, oval = np.deg2rad(true.attrs["rotation"]), true.attrs["ellipticity"] / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    camera = Geometry(np.diag([1 + oval, 1 - oval]) @ turn / true.attrs["k_pixel"], (128, 128))
    seen = radial_profiles(simulated["scan"].to_dataset(), true, camera).compute()
    put_in = true.phase.values
    om = with_glass(found(np.where(put_in >= 0, put_in, -3)), seen)
    for kind in (-1, -2):
        called = om.phase.values == kind
        assert called.sum() > 50
        assert np.mean(put_in[called] == kind) >= 0.95
    assert np.mean(om.phase.values[put_in < 0] == -3) < 0.15
