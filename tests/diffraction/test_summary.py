"""A scan in a few numbers and points, counted by hand."""

from types import SimpleNamespace

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from liscope.diffraction.structures import open_crystal
from liscope.diffraction.summary import index_summary, shown_points, spots_at, typical_points
from liscope.diffraction.templates import Beam

NAN = np.nan


@pytest.fixture
def om() -> xr.Dataset:
    """Two phases, glass, holes, and what is not known."""
    values = {
        "phase": [[0, 0, 0, 1], [-1, -1, -2, -3], [-2, 0, -1, -3]],
        "score": [[0.5, 0.6, 0.3, 0.4], [0.1, 0.1, 0.1, 0.9], [0.1, 0.7, 0.1, 0.1]],
        "reliability": [[0.96, 0.9, 1.0, 0.2], [0, 0, 0, 0], [0, 0.5, 0, 0]],
        "companion_reliability": [[0.0, 0.1, 0.0, 0.3], [1, 1, 1, 1], [1, 0.2, 1, 1]],
        "glass": [[NAN, NAN, NAN, NAN], [0.96, 0.99, 0.04, 0.5], [0.01, NAN, 0.97, 0.5]],
    }
    found = xr.Dataset({name: (("y", "x"), np.array(each)) for name, each in values.items()})
    quaternion = np.tile([1.0, 0, 0, 0], (3, 4, 1))
    return found.assign(
        orientation=(("y", "x", "quaternion"), quaternion),
        phase_name=("phase_id", ["lmno", "pt"]),
    )


def test_crystals_are_counted(om: xr.Dataset) -> None:
    assert index_summary(om) == pytest.approx(
        {
            "points": 12,
            "with a crystal": 5 / 12,
            "of those, orientation surer than 0.95": 2 / 5,
            "of those, a companion with more than 0.2": 2 / 5,
            "mean reliability": (0.96 + 0.9 + 1.0 + 0.2 + 0.5) / 5,
            "median score": 0.5,
        }
    )
    assert index_summary(om.assign(phase=0 * om.phase - 3)) == {"points": 12, "with a crystal": 0}


def test_the_best_point_of_each_kind(om: xr.Dataset) -> None:
    """Score times reliability: 0.48, 0.54, 0.3 and 0.35 for the first phase."""
    assert typical_points(om) == {
        "lmno": (0, 1),
        "pt": (0, 3),
        "amorphous": (1, 1),
        "empty": (2, 0),
    }


def test_what_is_nowhere_has_no_point(om: xr.Dataset) -> None:
    some = om.assign(phase=om.phase.where(om.phase == 0, -3))
    assert typical_points(some) == {"lmno": (0, 1)}
    assert typical_points(om.assign(phase=0 * om.phase - 3)) == {}


def test_glass_and_holes_have_no_spots(om: xr.Dataset) -> None:
    crystals = [open_crystal("lmno"), open_crystal("pt")]
    templates = SimpleNamespace(
        phases=[SimpleNamespace(crystal=one) for one in crystals], beam=Beam()
    )
    for row, column in ((1, 0), (1, 2), (1, 3)):
        assert spots_at(om, templates, row, column) == []
    for (row, column), name, shortest in (((0, 0), "lmno", 2), ((0, 3), "pt", 2)):
        (spots,) = spots_at(om, templates, row, column)
        assert spots.attrs["phase"] == name
        # A cube seen along [001]: F d -3 m begins with 220, F m -3 m with 200.
        cell = {"lmno": 8.17, "pt": 3.92}[name]
        nearest = np.hypot(spots.kx, spots.ky).min()
        order = np.hypot(2, 2) if name == "lmno" else shortest
        assert float(nearest) == pytest.approx(order / cell, rel=0.01)


def test_points_are_shown_with_their_beam() -> None:
    pattern = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    scan = xr.Dataset({"pattern": (("y", "x", "ky", "kx"), da.from_array(pattern))})
    centre = np.arange(6.0).reshape(2, 3)
    centres = xr.Dataset({"centre_x": (("y", "x"), centre), "centre_y": (("y", "x"), 10 + centre)})
    seen = shown_points({"pt": (1, 2), "empty": (0, 1)}, scan, centres)
    np.testing.assert_array_equal(seen["pt"], pattern[1, 2])
    np.testing.assert_array_equal(seen["empty"], pattern[0, 1])
    assert isinstance(seen["pt"].data, np.ndarray)
    assert (float(seen["pt"].centre_x), float(seen["pt"].centre_y)) == (5, 15)
