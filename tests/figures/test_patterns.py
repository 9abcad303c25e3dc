"""Patterns carry their spots where they lie, calibrations their residuals."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib_scalebar.scalebar import ScaleBar
from orientation_maps import film

from liscope import figures
from liscope.diffraction.polar import Geometry
from liscope.errors import DataError
from liscope.figures.browser import pattern_browser
from liscope.figures.patterns import area_of, miller
from liscope.statistics import Estimate

SIDE, PIXEL = 64, 0.04
TURN = np.array([[0.0, -1.0], [1.0, 0.0]])  # the camera is turned by 90 degrees
GEOMETRY = Geometry(TURN / PIXEL, (SIDE, SIDE))


def spots(phase: str = "lmno") -> xr.Dataset:
    k, units = 0.2 * np.array([[1, 0], [-1, 0], [0, 2], [9, 9]]), {"units": "1/angstrom"}
    return xr.Dataset(
        {
            "kx": ("spot", k[:, 0], units),
            "ky": ("spot", k[:, 1], units),
            "intensity": ("spot", [1.0, 0.9, 0.25, 0.5]),
            "h": ("spot", [1, -1, 0, 4]),
            "k": ("spot", [1, -1, 2, 4]),
            "l": ("spot", [-1, 1, 0, 4]),
        },
        attrs={"phase": phase},
    )  # fmt: skip


def pattern() -> xr.DataArray:
    """The direct beam at (30, 33), and the three spots that the camera sees, a pixel each."""
    image = np.zeros((SIDE, SIDE), np.uint8)
    for x, y in ((30, 33), (30, 38), (30, 28), (20, 33)):
        image[y, x] = 200
    return xr.DataArray(image, dims=("ky", "kx"), coords={"centre_x": 30.0, "centre_y": 33.0})


def test_circles_lie_on_the_spots_of_the_camera() -> None:
    figure = figures.pattern_figure(
        {"film": pattern(), "glass": pattern()}, GEOMETRY, {"film": [spots()]}
    )
    drawn, other = figure.axes
    (circles,) = drawn.collections
    centres = np.asarray(circles.get_offsets())
    np.testing.assert_allclose(centres, [[30, 38], [30, 28], [20, 33]])  # the fourth is off camera
    assert (pattern().to_numpy()[tuple(centres.astype(int).T[::-1])] == 200).all()
    sizes = circles.get_sizes()
    assert sizes[0] > sizes[1] > sizes[2] > 0
    assert [text.get_text() for text in drawn.texts] == [miller(0, 2, 0)]  # others too near
    assert not other.collections
    (bar,) = [one for one in drawn.get_children() if isinstance(one, ScaleBar)]
    assert (bar.dx, bar.units) == (pytest.approx(10 * PIXEL), "1/nm")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["lmno"]


def test_two_crystals_have_two_colours() -> None:
    both = {"overlap": [spots(), spots("pt")]}
    drawn = figures.pattern_figure({"overlap": pattern()}, GEOMETRY, both).axes[0]
    one, other = (tuple(circles.get_edgecolor()[0]) for circles in drawn.collections)
    assert one != other


def test_greys_are_not_set_by_the_direct_beam() -> None:
    glaring = pattern().astype(float)
    glaring[33, 30] = 1e6
    (plain,), (bright,) = (
        figures.pattern_figure({"": one}, GEOMETRY).axes[0].images for one in (pattern(), glaring)
    )
    assert plain.get_clim() == bright.get_clim()


def test_indices_have_bars_for_minus() -> None:
    assert miller(1, -2, 10) == r"$1$$\bar{2}$$10$"


def test_circles_grow_with_intensity_whatever_its_scale() -> None:
    np.testing.assert_allclose(area_of(np.array([1.0, 4.0])), area_of(np.array([10.0, 40.0])))
    assert area_of(np.array([])).size == 0


def test_spots_without_units_are_refused() -> None:
    bare = spots()
    bare["kx"].attrs = {}
    with pytest.raises(DataError, match="no units"):
        figures.pattern_figure({"film": pattern()}, GEOMETRY, {"film": [bare]})


# ------------------------------------------------------------------------------------ JupyterLab


@pytest.fixture
def scan() -> xr.Dataset:
    om = film()
    every = pattern().drop_vars(["centre_x", "centre_y"]).expand_dims(y=om.y, x=om.x).chunk(y=1)
    centre = (
        (("y", "x"), np.full(om.phase.shape, 30.0)),
        (("y", "x"), np.full(om.phase.shape, 33.0)),
    )
    return xr.Dataset({"pattern": every, "centre_x": centre[0], "centre_y": centre[1]})


def test_the_pointer_shows_the_pattern_and_spots_of_that_pixel(scan: xr.Dataset) -> None:
    import holoviews as hv

    asked = []

    def spots_of(row: int, column: int) -> list[xr.Dataset]:
        asked.append((row, column))
        return [spots()] if row > 5 else []

    scan["pattern"] = scan.pattern.copy(
        data=scan.pattern.data + (np.arange(12) == 9)[:, None, None, None]
    )
    shown = pattern_browser(film(), scan, GEOMETRY, spots_of)
    last = shown.traverse(lambda one: one, [hv.DynamicMap])[-1]
    last.streams[0].event(x=13.2, y=27.6)  # pixels begin at 10 nm, 2 nm apart
    image, circles = last[()]
    assert asked[-1] == (9, 2)
    np.testing.assert_allclose(
        circles.array(["kx / pixel", "ky / pixel"])[:3], [[30, 38], [30, 28], [20, 33]]
    )
    assert image.dimension_values(2).min() == 1  # of the row that was lifted by one
    last.streams[0].event(x=13.2, y=10.0)
    assert len(last[()].get(1)) == 0
    assert asked[-1] == (0, 2)
    hv.render(shown)


def test_nothing_interactive_outside_jupyterlab(
    scan: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert figures.explore_patterns(film(), scan, GEOMETRY, lambda y, x: []) is None


# ----------------------------------------------------------------------------------- calibration


def test_rings_are_drawn_where_the_fit_has_them() -> None:
    radius = np.linspace(8, 40, 129)
    total = xr.DataArray(
        np.ones((180, 129)), dims=("azimuth", "radius"),
        coords={"azimuth": 2.0 * np.arange(180), "radius": radius},
    )  # fmt: skip
    rings = pd.DataFrame(
        {"crystal": ["lmno", "pt", "pt"], "hkl": ["4 0 0", "1 1 1", "2 0 0"],
         "radius": [0.4, 0.5, 0.6], "weight": [0.6, 0.4, 0.0],
         "off": [0.1, -0.2, np.nan], "off_error": [0.05, 0.1, np.nan]}
    )  # fmt: skip
    one = Estimate(0.02, 1e-5, 9)
    fit = SimpleNamespace(
        pixel=one, along=Estimate(0.04, 0, 9), across=Estimate(0.0, 0, 9), residual=0.1,
        offset=(Estimate(0.5, 0, 9), Estimate(0, 0, 9)), strain={"pt": Estimate(0.01, 0, 9)},
        rings=rings, ellipticity=0.04,
    )  # fmt: skip
    above, below = figures.calibration_figure(total, fit).axes  # type: ignore[arg-type]
    film_ring, collector = (line.get_xdata() for line in above.lines)
    # 20 px, 2 % more along x and less along y, moved by half a pixel along x
    np.testing.assert_allclose(film_ring[[0, 45, 90]], [20.9, 19.6, 19.9])
    np.testing.assert_allclose(collector[0], 25.25 * 1.02 + 0.5)
    assert [text.get_text() for text in below.texts] == ["400", "111"]
    assert (below.get_xlabel(), below.get_ylabel()) == ("radius / pixel", "off the fit / pixel")
    assert "0.2000 ± 0.0001 1/nm" in above.get_title(loc="left")


def test_reliability_is_compared_with_the_truth() -> None:
    """Pixels of 0.3 are right in 3 of 10 cases, as is stated; those of 0.9 only in 6."""
    rng = np.random.default_rng(0)
    stated = np.where(np.arange(80)[:, None] < 40, 0.3, 0.9) * np.ones((80, 100))
    stated[0, 0] = np.nan
    right = rng.random(stated.shape) < np.where(stated > 0.5, 0.6, 0.3)
    arrays = [xr.DataArray(one, dims=("y", "x")) for one in (stated, right)]
    above, below = figures.reliability_figure(*arrays).axes
    points = {
        line.get_xdata()[0]: line.get_ydata()[0] for line in above.lines if line.get_marker() == "o"
    }
    assert list(points) == pytest.approx([0.3, 0.9])
    assert points[min(points)] == pytest.approx(0.3, abs=0.03)
    assert points[max(points)] == pytest.approx(0.6, abs=0.03)
    ends = [line.get_ydata() for line in above.lines if len(line.get_ydata()) == 2][:2]
    assert ends[0][0] < 0.3 < ends[0][1] and ends[1][0] < 0.6 < ends[1][1] < 0.9
    assert sum(bar.get_height() for bar in below.patches) == 80 * 100 - 1
