"""Beams, spots and rings drawn at known places; lamellae whose camera is known; gold on carbon."""

from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import tifffile
import xarray as xr
from drawn_patterns import crystal, draw
from lamella_scans import OVAL, PIXEL, Scan, lamella

from liscope.diffraction.beam import CLEAR, beam_centres, drift
from liscope.diffraction.calibration import RingFit, fit_rings
from liscope.diffraction.structures import Crystal, open_crystal
from liscope.diffraction.sums import ring_sum, spot_sum
from liscope.errors import DataError

SIZE = (128, 128)
PT, LMNO = open_crystal("pt"), open_crystal("lmno")
NOMINAL = 1.02 * PIXEL
UNTUNED = [("lmno_pristine", 11), ("lmno_cycled_roi1", 12)]


def scan_of(patterns: np.ndarray) -> xr.Dataset:
    return xr.Dataset({"pattern": (("y", "x", "ky", "kx"), patterns)})


def centred(scan: xr.Dataset, x: float, y: float) -> xr.Dataset:
    """Return known centres for a scan."""
    there = xr.ones_like(scan["pattern"][..., 0, 0], float)
    return xr.Dataset({"centre_x": x * there, "centre_y": y * there})


@pytest.fixture(scope="module")
def beams() -> tuple[xr.Dataset, np.ndarray]:
    """Clipped, noisy beams that wander, with two brighter spots ten pixels away."""
    rng = np.random.default_rng(3)
    at = np.array([64.9, 62.2]) + np.stack(np.indices((6, 10)), -1) * [0.3, 0.12]
    at += 0.1 * rng.standard_normal(at.shape)
    patterns = []
    for place in at.reshape(-1, 2):
        picture = draw(place[None], np.array([600.0]), SIZE, 1.95)
        aside = rng.uniform(0, 2 * np.pi) + np.array([0, 0.9])
        beside = place + 10 * np.stack([np.cos(aside), np.sin(aside)], 1)
        picture += draw(beside, np.array([2500.0, 900.0]), SIZE)
        picture += 40 * np.exp(-np.hypot(*(np.indices(SIZE)[::-1].T - place).T) / 11)
        patterns.append(np.clip(4 * rng.poisson(picture / 4), 0, 255))
    return scan_of(np.reshape(patterns, (6, 10, *SIZE)).astype(np.uint8)), at


# ------------------------------------------------------------------------------------- the beam


def test_clipped_beams_are_found_beside_brighter_spots(
    beams: tuple[xr.Dataset, np.ndarray],
) -> None:
    scan, at = beams
    found = beam_centres(scan)
    off = np.stack([found.centre_x, found.centre_y], -1) - at
    assert np.abs(off).max() < 0.35
    assert np.abs(off.mean((0, 1))).max() < 0.05
    assert float(found.clear.min()) > 2 * CLEAR


@pytest.mark.parametrize("chunks", [(1, 10), (6, 3), (4, 7)])
def test_centres_are_lazy_and_the_same_in_any_blocks(
    beams: tuple[xr.Dataset, np.ndarray], chunks: tuple[int, int]
) -> None:
    scan, _ = beams
    lazy = scan.chunk(y=chunks[0], x=chunks[1], ky=64)
    found = beam_centres(lazy)
    assert isinstance(found.centre_x.data, da.Array)
    xr.testing.assert_equal(found.compute(), beam_centres(scan))


def test_the_drift_takes_over_where_a_centre_is_wrong() -> None:
    y, x = np.meshgrid(np.arange(30.0), np.arange(40.0), indexing="ij")
    plane = 64 + 0.02 * x - 0.03 * y
    rng = np.random.default_rng(0)
    noisy = plane + 0.08 * rng.standard_normal(plane.shape)
    wrong = rng.random(plane.shape) < 0.1
    unclear = ~wrong & (rng.random(plane.shape) < 0.05)
    noisy[wrong] += 5
    noisy[unclear] -= 9
    axes = ("y", "x")
    found = xr.Dataset(
        {
            "centre_x": (axes, noisy, {"units": "pixel"}),
            "centre_y": (axes, plane, {"units": "pixel"}),
            "clear": (axes, np.where(unclear, 1.0, 20.0)),
        }
    )
    used = drift(found, order=1)
    np.testing.assert_allclose(used.drift_x, plane, atol=0.03)
    assert not used.own.values[wrong | unclear].any()
    assert used.own.values[~wrong & ~unclear].mean() > 0.98
    assert np.abs(used.centre_x.values - plane).max() < 0.35
    assert used.attrs["modelled"] == pytest.approx(1 - float(used.own.mean()))


def test_no_beam_is_said_so(beams: tuple[xr.Dataset, np.ndarray]) -> None:
    scan, _ = beams
    dark = scan_of(np.random.default_rng(0).poisson(5, (6, 10, *SIZE)).astype(np.uint8))
    with pytest.raises(DataError, match="beam stop"):
        drift(beam_centres(dark))
    with pytest.raises(DataError, match="read_diffraction"):
        beam_centres(scan.rename(pattern="image"))


# ------------------------------------------------------------------------------------- the sums


def test_spots_are_counted_where_they_are_and_halos_are_not() -> None:
    """Clipped and weak spots, on the steep side of a halo that is higher than the weak ones."""
    rng = np.random.default_rng(1)
    angle = np.deg2rad(rng.uniform(0, 360, 12))
    centre = np.array([64.3, 62.8])
    y, x = np.indices(SIZE)
    away = np.hypot(x - centre[0], y - centre[1])
    halo = 5 + 90 * np.exp(-0.5 * ((away - 18) / 2.0) ** 2)
    patterns = []
    for one in angle:
        places = centre + np.array([[21.0], [38.0]]) * [np.cos(one), np.sin(one)]
        spots = draw(places, np.array([700.0, 60.0]), SIZE)
        patterns.append(np.clip(4 * rng.poisson((halo + spots) / 4), 0, 255))
    scan = scan_of(np.array(patterns, np.uint8)[None])
    total = spot_sum(scan, centred(scan, *centre))
    count = total.sum("azimuth")
    for radius in (21.0, 38.0):
        near = count.sel(radius=slice(radius - 1.2, radius + 1.2))
        assert float((near * near.radius).sum() / near.sum()) == pytest.approx(radius, abs=0.08)
    on_halo = count.sel(radius=slice(14, 19.4)).sum()
    assert float(on_halo) < 0.02 * float(count.sum())
    seen = total.sel(radius=slice(37, 39)).sum("radius")
    expected = np.unique(np.rint(np.rad2deg(angle) / 2) % 180) * 2
    nearest = np.abs((seen.azimuth.values[:, None] - expected + 180) % 360 - 180).min(1)
    assert float(seen[nearest > 4].sum()) < 0.05 * float(seen.sum())


def test_sums_are_lazy_and_count_what_is_asked_for(beams: tuple[xr.Dataset, np.ndarray]) -> None:
    scan, at = beams
    centres = xr.Dataset({f"centre_{n}": (("y", "x"), at[..., i]) for i, n in enumerate("xy")})
    where = xr.DataArray(np.arange(60).reshape(6, 10) % 3 == 0, dims=("y", "x"))
    for make in (ring_sum, spot_sum):
        lazy = make(scan.chunk(y=4, x=4), centres, where)
        assert isinstance(lazy.data, da.Array)
        assert lazy.attrs["patterns"] == 20
        np.testing.assert_allclose(lazy, make(scan, centres, where), rtol=1e-5)
    with pytest.raises(DataError, match="no pattern counts"):
        ring_sum(scan, centres, where & False)


# ------------------------------------------------------------------------------------ the rings


def rings_drawn(
    pixel: float, along: float, across: float, offset: tuple[float, float], strain: float = 0.0
) -> xr.DataArray:
    """Return a sum with the rings of platinum and of a strained LMNO on a falling background.

    The radius of a reflection g is where |g| lies on the image of a circle under the symmetric
    matrix of the ellipse, taken from that matrix and not from an expansion.
    """
    azimuth, radius = np.arange(180) * 2.0, np.arange(28, 280) / 4
    angle = np.deg2rad(azimuth)
    around = np.stack([np.cos(angle), np.sin(angle)])
    oval = np.array([[1 + along / 2, across / 2], [across / 2, 1 - along / 2]]) / pixel
    reach = 1 / np.linalg.norm(np.linalg.inv(oval) @ around, axis=0)
    values = 20 * np.exp(-radius / 15) * np.ones((180, 1))
    for one, height, grown in ((PT, 30.0, 0.0), (LMNO, 15.0, strain)):
        vectors, _ = one.reflections(1.3)
        for length in np.unique(np.linalg.norm(vectors, axis=1).round(5)):
            at = length * (1 + grown) * reach + np.array(offset) @ around
            share = height * (1.2 + np.sin(3 * angle + 40 * length))
            off = (radius - at[:, None]) / 0.5
            values = values + share[:, None] * np.exp(-0.5 * off**2)
    axes = {"azimuth": azimuth, "radius": radius}
    return xr.DataArray(values, axes, ("azimuth", "radius"))


@pytest.mark.parametrize(
    ("pixel", "along", "across", "offset", "strain"),
    [
        (0.022, 0.0, 0.0, (0.0, 0.0), 0.0),
        (0.0232, -0.03, 0.01, (-0.1, 0.4), -0.008),
    ],
)
def test_an_ellipse_is_found_with_two_crystals(
    pixel: float, along: float, across: float, offset: tuple[float, float], strain: float
) -> None:
    fit = fit_rings(rings_drawn(pixel, along, across, offset, strain), PT, 0.0222, (LMNO,))
    assert fit.pixel.value == pytest.approx(pixel, rel=1e-3)
    assert fit.along.value == pytest.approx(along, abs=1e-3)
    assert fit.across.value == pytest.approx(across, abs=1e-3)
    assert fit.ellipticity == pytest.approx(np.hypot(along, across), abs=1e-3)
    assert [one.value for one in fit.offset] == pytest.approx(offset, abs=0.05)
    assert fit.strain["lmno"].value == pytest.approx(strain, abs=1e-3)
    assert fit.residual < 0.05


@pytest.fixture(scope="module", params=UNTUNED, ids=lambda one: one[0])
def calibrated(request: pytest.FixtureRequest) -> tuple[Scan, xr.Dataset, xr.DataArray]:
    """A lamella with its centres and the sum of its spots."""
    one = lamella(*request.param)
    centres = drift(beam_centres(one.scan))
    return one, centres, spot_sum(one.scan, centres)


def test_a_lamellas_camera_is_found(calibrated: tuple[Scan, xr.Dataset, xr.DataArray]) -> None:
    one, centres, total = calibrated
    off = np.hypot(centres.centre_x - one.truth.centre_x, centres.centre_y - one.truth.centre_y)
    assert float(np.sqrt((off**2).mean())) < 0.2
    assert float(off.max()) < 1.0
    fit = fit_rings(total, PT, NOMINAL, (LMNO,))
    assert fit.pixel.value == pytest.approx(PIXEL, rel=3e-3)
    low, high = fit.pixel.interval()
    assert low < PIXEL < high
    assert fit.along.value == pytest.approx(OVAL, abs=3e-3)
    assert fit.across.value == pytest.approx(0, abs=3e-3)
    own = fit.rings[fit.rings["crystal"] == "pt"]
    assert (own["off"].abs()[own["weight"] > 0.02] < 0.15).all()


def test_without_the_crystal_nothing_is_told() -> None:
    one = lamella(*UNTUNED[1])
    centres = drift(beam_centres(one.scan))
    no_metal = (one.truth.phase == 0) & (one.truth.second_phase != 1)
    total = spot_sum(one.scan, centres, no_metal.drop_vars(no_metal.coords))
    with pytest.raises(DataError, match="rings of pt do not tell"):
        fit_rings(total, PT, NOMINAL, (LMNO,))


def test_an_absurd_size_is_refused() -> None:
    with pytest.raises(DataError, match="outside of the sum"):
        fit_rings(rings_drawn(PIXEL, 0, 0, (0, 0)), PT, 0.5)


def gold(folder: Path) -> Crystal:
    cell = (4.078, 4.078, 4.078, 90, 90, 90)
    return crystal(folder, "gold", ("F m -3 m", 225), cell, [("Au", 0.0, 0.0, 0.0)])


def test_the_rings_of_real_gold_agree(real: Path, tmp_path: Path) -> None:
    path = real / "diffraction" / "pyxem-demos" / "au_xgrating_20cm.tif"
    if not path.is_file():
        pytest.skip(f"no {path.name}")
    scan = scan_of(tifffile.imread(path)[None, None])
    centres = drift(beam_centres(scan))
    total = ring_sum(scan, centres)
    fits: list[RingFit] = [fit_rings(total, gold(tmp_path), start) for start in (0.0096, 0.0104)]
    assert fits[0].pixel.value == pytest.approx(fits[1].pixel.value, rel=1e-3)
    rings = fits[0].rings.query("weight > 0.05")
    radius = rings["radius"] / fits[0].pixel.value
    assert len(rings) == 4
    assert (rings["off"].abs() / radius < 0.01).all()
    # Read off the picture: the outer one of the two rings that stand alone, 220, about its beam.
    mean = total.mean("azimuth").sel(radius=slice(60, 75))
    assert float(mean.idxmax()) == pytest.approx(np.sqrt(8) / 4.078 / 0.0100, abs=1.0)
    assert fits[0].pixel.value == pytest.approx(0.0100, rel=0.01)
