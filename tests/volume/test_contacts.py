"""Contact areas: balls, tilted planes and a published electrode."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent))
from labelled_volumes import STEPS, blobs, distances, labelled

from liscope.errors import ParameterError
from liscope.volume import _voxels
from liscope.volume.contacts import STEPS as WAYS
from liscope.volume.contacts import coarsening_table, contact_table, direction_weights


@pytest.mark.parametrize("steps", [(1.0, 1.0, 1.0), STEPS, (2.0, 1.0, 1.0)])
@pytest.mark.parametrize("voxels", [6, 12])
def test_balls_have_their_surface(steps: tuple[float, ...], voxels: int) -> None:
    radius = voxels * np.cbrt(np.prod(steps))
    shape = np.ceil(2 * radius / np.array(steps)).astype(int) + 5
    centre = (shape / 2 - 0.3) * steps
    label = np.where(distances(shape, centre, steps) < radius, 2, 1).astype(np.uint8)
    row = contact_table(labelled(label, steps=steps)).loc[("balls", "matrix")]
    sphere = 4 * np.pi * radius**2
    assert row["area_um2"] == pytest.approx(sphere, rel=0.02)
    assert row["faces_per_um"] * label.size * np.prod(steps) > 1.45 * sphere


def test_shares_of_a_surface_that_two_phases_cover() -> None:
    """A ball in two half spaces; the plane is far less than the ball's own surface."""
    shape, radius = (60, 50, 50), 1.3
    centre = np.array([30, 25, 25]) * STEPS
    ball = distances(shape, centre) < radius
    label = np.ones(shape, np.uint8)
    cut = centre[1] + 0.4 * radius  # a cap of (1 - 0.4) / 2 of the surface is beyond
    label[:, int(np.ceil(cut / STEPS[1])) :, :] = 2
    label[ball] = 3
    table = contact_table(labelled(label, ("below", "above", "ball")))
    assert table.loc[("ball", "above"), "share"] == pytest.approx(0.3, abs=0.02)
    shares = table.loc["ball", "share"].drop("any other")
    assert shares.sum() == pytest.approx(1)
    both = [table.loc[pair, "per_volume_per_um"] for pair in (("ball", "above"), ("above", "ball"))]
    assert both[0] == both[1]


def test_weights_are_even_on_the_sphere() -> None:
    """A plane of any tilt comes out within 10 %, their mean over all tilts exactly."""
    for steps in ((1, 1, 1), STEPS):
        weight = direction_weights(steps)
        assert weight.sum() == pytest.approx(1)
        ways = WAYS * np.array(steps, float)
        ways /= np.linalg.norm(ways, axis=1, keepdims=True)
        normal = np.random.default_rng(0).standard_normal((20000, 3))
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        seen = 2 * np.abs(normal @ ways.T) @ weight
        assert seen.mean() == pytest.approx(1, abs=0.002)
        assert abs(seen - 1).max() < 0.1


def test_only_measured_pairs_count() -> None:
    """Slabs of 5 voxels, half of the volume not measured: 1 interface in 5 voxels all the same."""
    label = np.ones((30, 40, 60), np.uint8)
    label[:, :, np.arange(60) % 10 >= 5] = 2
    whole = contact_table(labelled(label)).loc[("matrix", "balls"), "per_volume_per_um"]
    label[:, 20:] = 0
    half = contact_table(labelled(label)).loc[("matrix", "balls")]
    assert half["per_volume_per_um"] == pytest.approx(whole, rel=0.01)
    assert half["faces_per_um"] == pytest.approx(11 / 59 / STEPS[2])


def test_intervals_hold_the_mean_of_many_volumes() -> None:
    rows = []
    for seed in range(30):
        label = blobs((12, 60, 60), seed, smooth=2.0) // 2 + 1
        rows.append(contact_table(labelled(label.astype(np.uint8))).loc[("matrix", "balls")])
    mean = np.mean([row["per_volume_per_um"] for row in rows])
    assert np.mean([row["low"] <= mean <= row["high"] for row in rows]) >= 0.85


def test_coarser_voxels_see_a_smooth_ball_and_miss_a_thin_shell() -> None:
    shape = (90, 66, 66)
    centre = np.array([45, 33, 33]) * STEPS
    away = distances(shape, centre)
    label = np.select([away < 1.6, away < 1.68], [2, 3], 1).astype(np.uint8)
    table = coarsening_table(labelled(label, ("matrix", "core", "shell")))
    core = table.loc[("core", "any other"), "per_volume_per_um"]
    volume = np.array([label[::n, ::n, ::n].size * n**3 for n in (1, 2, 3)]) * np.prod(STEPS)
    np.testing.assert_allclose(core * volume, 4 * np.pi * 1.6**2, rtol=0.1)
    shell = table.loc[("shell", "core"), "per_volume_per_um"]
    assert shell[3] < 0.7 * shell[1]
    with pytest.raises(ParameterError, match="leaves too few"):
        coarsening_table(labelled(label), [95])


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    label = blobs((16, 30, 40), 1, phases=3)
    names = ("a", "b", "c")
    whole = contact_table(labelled(label, names))
    monkeypatch.setattr(_voxels, "SLAB", 3 * 30 * 40)
    lazy = contact_table(labelled(label, names, chunks=(5, 7, 40)))
    np.testing.assert_allclose(lazy.to_numpy(), whole.to_numpy(), rtol=1e-9)


def test_published_electrode(real: Path) -> None:
    """TauFactor's electrode (MIT): surfaces by faces of its documentation's notebook, 1/m.

    They are divided by the whole box, where pairs of voxels are 255 of 256 along each axis.
    """
    import tifffile

    path = real / "volume" / "taufactor" / "electrode.tiff"
    if not path.is_file():
        pytest.skip(f"no {path.name}")
    label = (tifffile.imread(path) // 85 + 1).astype(np.uint8)
    table = contact_table(labelled(label, ("pore", "NMC", "CBD"), (100 / 256,) * 3))
    faces = table.xs("any other", level="other")["faces_per_um"] * 1e6 * 255 / 256
    np.testing.assert_allclose(faces, [785502.47, 374027.56, 876099.55], rtol=1e-7)
