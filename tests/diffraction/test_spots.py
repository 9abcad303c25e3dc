"""Spots that a crystal should show, with the names that orix gives them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn_patterns import random_orientations, titanium, triclinic, uranium
from orix.quaternion import Rotation
from orix.vector import Miller, Vector3d

from liscope.diffraction.spots import expected_spots
from liscope.diffraction.structures import Crystal, open_crystal
from liscope.diffraction.templates import Beam


@pytest.mark.parametrize("make", [titanium, uranium, triclinic, lambda _: open_crystal("lmno")])
def test_spots_have_the_indices_of_orix(make: Callable[[Path], Crystal], tmp_path: Path) -> None:
    crystal, orientation = make(tmp_path), random_orientations(1, 4)[0]
    own = expected_spots(crystal, orientation, Beam(rod=0.02))
    hkl = np.stack([own[name].values for name in "hkl"], axis=-1)
    assert len(hkl) > 10
    vectors = Vector3d(Miller(hkl=hkl, phase=crystal.phase).data)
    seen = (~Rotation(orientation) * vectors).data
    np.testing.assert_allclose(own["kx"], seen[:, 0], atol=1e-6)
    np.testing.assert_allclose(own["ky"], seen[:, 1], atol=1e-6)


def test_a_cube_seen_along_an_edge_shows_400_on_the_axes() -> None:
    own = expected_spots(open_crystal("lmno"), np.array([1.0, 0, 0, 0]), Beam())
    where = {
        (int(s["h"]), int(s["k"]), int(s["l"])): (float(s["kx"]), float(s["ky"]))
        for s in (own.isel(spot=i) for i in range(own.sizes["spot"]))
    }
    assert where[4, 0, 0] == pytest.approx((4 / 8.16, 0))
    assert where[0, 4, 0] == pytest.approx((0, 4 / 8.16))
    assert all(l == 0 for _, _, l in where)  # noqa: E741
    assert float(own["intensity"][0]) == 1
    assert np.all(np.diff(own["intensity"]) <= 0)
    assert own["kx"].attrs["units"] == own["ky"].attrs["units"] == "1/angstrom"


def test_a_turn_of_the_sample_turns_the_spots() -> None:
    # Passive, sample to crystal: a crystal turned by +30 degrees about the beam, from x to y, has
    # the inverse turn as its orientation.
    turned = (~Rotation.from_axes_angles([0, 0, 1], 30, degrees=True)).data[0]
    own = expected_spots(open_crystal("lmno"), turned, Beam())
    names = [own[name].values for name in "hkl"]
    here = int(np.flatnonzero(np.all(np.stack(names) == [[4], [0], [0]], axis=0))[0])
    angle = np.rad2deg(np.arctan2(own["ky"][here], own["kx"][here]))
    assert float(angle) == pytest.approx(30)
