"""What the templates are told of the microscope, by hand."""

import numpy as np
import pandas as pd
import pytest
import synthetic_diffraction as files
import xarray as xr

from liscope.diffraction.calibration import RingFit
from liscope.diffraction.polar import Geometry
from liscope.diffraction.setup import beam_of, calibration_table, geometry, nominal_pixel
from liscope.errors import DataError
from liscope.readers import read_diffraction
from liscope.statistics import Estimate

PIXEL = 0.02  # 1/angstrom


def scan(units: str | None = "1/angstrom", step: float = PIXEL, **attrs: float) -> xr.Dataset:
    """Return a scan of patterns of 6 rows and 8 columns."""
    said = {"units": units} if units else {}
    coords = {
        name: (name, step * (np.arange(n) - (n - 1) / 2), said)
        for name, n in (("ky", 6), ("kx", 8))
    }
    pattern = np.zeros((1, 1, 6, 8), np.uint8)
    return xr.Dataset({"pattern": (("y", "x", "ky", "kx"), pattern)}, coords, attrs)


def fit(along: float = 0.0, across: float = 0.0, pixel: float = 0.025) -> RingFit:
    def sure(value: float, error: float = 1e-4) -> Estimate:
        return Estimate(value, error, 30)

    none = (sure(0), sure(0))
    return RingFit(
        sure(pixel), sure(along), sure(across), none, 1.3, {}, pd.DataFrame(), 0.12
    )  # fmt: skip


def seen(camera: Geometry, kx: float, ky: float) -> list[float]:
    """Return the pixel (x, y) from the direct beam."""
    return [float(one) for one in camera.matrix @ (kx, ky)]


@pytest.mark.parametrize(
    ("degrees", "place"),
    [
        (0, (5, 0)),
        (90, (0, 5)),  # from x towards y, down the screen
        (-90, (0, -5)),
        (30, (5 * np.sqrt(3) / 2, 2.5)),
    ],
)
def test_a_turned_camera(degrees: float, place: tuple[float, float]) -> None:
    camera = geometry(None, scan(), None, degrees)
    assert seen(camera, 0.1, 0) == pytest.approx(place, abs=1e-9)
    assert camera.size == (6, 8) and camera.pixel == pytest.approx(PIXEL)


def test_an_ellipse_is_along_the_camera_whatever_the_rotation() -> None:
    """The axes of a ring differ by what the fit says: 1.01 and 0.99 of the mean radius."""
    upright = geometry(fit(along=0.02), scan(), None, 0)
    assert seen(upright, 0.1, 0) == pytest.approx((4.04, 0))
    assert seen(upright, 0, 0.1) == pytest.approx((0, 3.96))
    turned = geometry(fit(along=0.02), scan(), None, 90)
    assert seen(turned, 0.1, 0) == pytest.approx((0, 3.96), abs=1e-9)
    oblique, half = geometry(fit(across=0.02), scan(), None, 0), 0.1 / np.sqrt(2)
    assert np.hypot(*seen(oblique, half, half)) == pytest.approx(4.04)
    assert np.hypot(*seen(oblique, half, -half)) == pytest.approx(3.96)


def test_a_rings_azimuth_is_that_of_its_fit() -> None:
    """A circle in k becomes the ellipse whose long axis the fit names."""
    ring = fit(along=0.03, across=0.04)
    circle = np.linspace(0, np.pi, 3600)
    points = geometry(ring, scan(), None, 33).matrix @ (np.cos(circle), np.sin(circle))
    radius, azimuth = np.hypot(*points), np.rad2deg(np.arctan2(points[1], points[0]))
    assert azimuth[radius.argmax()] % 180 == pytest.approx(ring.angle, abs=0.2)
    assert np.ptp(radius) / radius.mean() == pytest.approx(ring.ellipticity, rel=1e-3)


def test_the_user_knows_better_than_the_rings_and_these_than_the_file() -> None:
    assert geometry(fit(), scan(), 0.05, 0).pixel == pytest.approx(0.05)
    assert geometry(fit(), scan(), None, 0).pixel == pytest.approx(0.025)
    assert geometry(None, scan(), None, 0).pixel == pytest.approx(PIXEL)
    turned = scan(scan_rotation=90.0)
    assert seen(geometry(None, turned, None, None), 0.1, 0) == pytest.approx((0, 5), abs=1e-9)
    assert seen(geometry(None, turned, None, 0), 0.1, 0) == pytest.approx((5, 0))
    for silent in (scan(), scan(scan_rotation=np.nan)):
        assert seen(geometry(None, silent, None, None), 0.1, 0) == pytest.approx((5, 0))


def test_the_nominal_pixel_is_in_reciprocal_angstrom() -> None:
    assert nominal_pixel(scan()) == pytest.approx(PIXEL)
    assert nominal_pixel(scan("1/nm", 0.2)) == pytest.approx(PIXEL)


@pytest.mark.parametrize("units", ["pixel", "mrad", None])
def test_a_file_that_does_not_know_its_pixel_says_what_to_give(units: str | None) -> None:
    with pytest.raises(DataError, match="give 'pixel' in 1/angstrom"):
        nominal_pixel(scan(units))
    with pytest.raises(DataError, match="give 'pixel' in 1/angstrom"):
        geometry(None, scan(units), None, 0)
    assert geometry(None, scan(units), PIXEL, 0).pixel == pytest.approx(PIXEL)


def test_a_blockfile_without_a_calibration_is_refused_in_one_line(tmp_path) -> None:
    frames = files.patterns((3, 4, 5, 5))
    path = tmp_path / "a.blo"
    path.write_bytes(files.blockfile(frames, sdp=0))
    with pytest.raises(DataError) as caught:
        nominal_pixel(read_diffraction(path))
    assert "\n" not in str(caught.value) and "give 'pixel'" in str(caught.value)
    path.write_bytes(files.blockfile(frames))
    # 62.26 px/cm seen from 20 cm with 0.02508 angstrom
    assert nominal_pixel(read_diffraction(path)) == pytest.approx(
        1 / 62.26 / 20 / 0.02508, rel=1e-3
    )


def test_the_beam_is_what_file_and_user_say() -> None:
    told = beam_of(scan(beam_energy=300.0), None, 0.7, 80.0)
    assert (told.voltage, told.precession) == (300.0, 0.7)
    assert told.rod == pytest.approx(1 / 800)  # 1/angstrom, 80 nm
    assert beam_of(scan(beam_energy=300.0), 80.0, 0, 10).voltage == 80.0


@pytest.mark.parametrize("said", [scan(), scan(beam_energy=np.nan)])
def test_without_an_energy_there_are_no_templates(said: xr.Dataset) -> None:
    with pytest.raises(DataError, match=r"give 'voltage' in kV$"):
        beam_of(said, None, 0.7, 80.0)
    assert beam_of(said, 200, 0.7, 80.0).voltage == 200


def test_calibration_of_two_scans_stands_side_by_side() -> None:
    one, other = fit(along=0.03, across=0.04), None
    cameras = {"a": geometry(one, scan(), None, 0), "b": geometry(other, scan(), None, 0)}
    centres = {name: xr.Dataset(attrs={"residual": 0.1, "modelled": 0.2}) for name in cameras}
    table = calibration_table({"a": one}, centres, cameras)
    assert list(table.columns) == ["a", "b"]
    assert table.loc["pixel from rings / (1/angstrom)", "a"] == 0.025
    assert table.loc["difference of the ellipse's axes", "a"] == pytest.approx(0.05)
    assert table.loc["pixel / (1/angstrom)", "b"] == pytest.approx(PIXEL)
    assert table.loc["rings off the fit / px"].isna().tolist() == [False, True]
