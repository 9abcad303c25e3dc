"""A scene to turn has the specimen's own lengths, and surfaces that close around what they show."""

from __future__ import annotations

import itertools
from collections import Counter

import dask.array as da
import numpy as np
import pytest
import volume_phantom
import xarray as xr

from liscope.errors import DataError
from liscope.figures import block_figure, render_volume, surface_figure
from liscope.figures.volume_3d import coarsening, round_length, shares_of, surface_of
from liscope.figures.volume_blocks import projected
from liscope.figures.volume_style import colour_of

FACTORS = {"z": 1, "y": 1, "x": 1}
VOXEL = 0.06 * 0.08 * 0.08


@pytest.fixture
def phases() -> xr.Dataset:
    return volume_phantom.phases()


def _enclosed(vertices: np.ndarray, triangles: np.ndarray) -> float:
    """The volume inside, by the theorem of Gauss; positive where triangles face outwards."""
    a, b, c = (vertices[triangles[:, i]].astype(float) for i in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


@pytest.mark.parametrize("name", volume_phantom.NAMES)
def test_a_surface_is_closed_faces_outwards_and_holds_the_phase(
    phases: xr.Dataset, name: str
) -> None:
    surface = surface_of(shares_of(phases, FACTORS)[name])
    assert surface is not None
    vertices, triangles, normals = surface
    edges = Counter(
        frozenset(pair) for t in triangles.tolist() for pair in itertools.combinations(t, 2)
    )
    assert all(count % 2 == 0 for count in edges.values())
    voxels = int((phases["label"] == volume_phantom.NAMES.index(name) + 1).sum()) * VOXEL
    assert _enclosed(vertices, triangles) == pytest.approx(voxels, rel=0.06)
    faces = np.cross(
        vertices[triangles[:, 1]] - vertices[triangles[:, 0]],
        vertices[triangles[:, 2]] - vertices[triangles[:, 0]],
    )
    assert (np.einsum("ij,ij->i", faces, normals[triangles].sum(1)) > 0).mean() > 0.95


def test_the_ball_lies_where_it_is_and_is_as_large_as_it_is(phases: xr.Dataset) -> None:
    surface = surface_of(shares_of(phases, FACTORS)["LLZTO"])
    assert surface is not None
    middle = [volume_phantom.CENTRE[dim] for dim in "xyz"]
    low, high = surface[0].min(0), surface[0].max(0)
    np.testing.assert_allclose((low + high) / 2, middle, atol=0.03)
    np.testing.assert_allclose((high - low) / 2, volume_phantom.RADIUS, atol=0.05)


def test_a_scene_has_a_mesh_a_phase_in_its_colour_a_scale_bar_and_um_at_its_axes(
    phases: xr.Dataset,
) -> None:
    plot = render_volume(phases)
    meshes = {one.name: one for one in plot.objects if one.type == "Mesh"}
    assert list(meshes) == volume_phantom.NAMES
    for name, mesh in meshes.items():
        assert f"#{mesh.color:06x}" == colour_of(name).lower()
    assert not meshes["carbon"].visible and meshes["LCO"].visible
    (bar,) = [one for one in plot.objects if one.type == "Line"]
    assert np.ptp(bar.vertices[:, 0]) == pytest.approx(1.0)  # of 4 um
    texts = [one.text for one in plot.objects if one.type in ("Text", "Text2d")]
    assert any(r"1\,\mu m" in text for text in texts)
    assert any("LLZTO" in text and "50 x 30 x 20 voxels" in text for text in texts)
    assert all(r"\mu m" in axis for axis in plot.axes)


def test_the_camera_sees_x_to_the_right_and_y_downwards(phases: xr.Dataset) -> None:
    place, target, up = np.array(render_volume(phases).camera).reshape(3, 3)
    forwards = target - place
    right = np.cross(forwards, up)
    assert right[0] > 0.7 * np.linalg.norm(right) and up[1] < 0 and forwards[2] > 0
    eye = np.eye(3)
    seen = projected(eye)
    assert seen[0, 0] > 0.7 and seen[1, 1] > 0.7 and seen[2, 2] > 0.7
    np.testing.assert_allclose(seen @ seen.T, eye, atol=1e-12)  # one scale along all axes
    assert np.linalg.det(seen) > 0  # no mirror image


def test_no_more_voxels_than_the_budget_and_the_picture_says_so(phases: xr.Dataset) -> None:
    factors = coarsening(phases, 2000)
    counts = [volume_phantom.SHAPE[dim] // factors[dim] for dim in "zyx"]
    assert np.prod(counts) <= 2000
    sides = [volume_phantom.STEP[dim] * factors[dim] for dim in "zyx"]
    assert max(sides) < 2 * min(sides)  # about cubes
    (told,) = [one.text for one in render_volume(phases, 2000).objects if one.name == "legend"]
    assert f"each the mean of {np.prod(list(factors.values()))}" in told


def test_what_is_thinner_than_the_voxels_drawn_is_said_to_be(phases: xr.Dataset) -> None:
    label = phases["label"].copy()
    label[{"x": 10}] = 3
    phases = phases.assign(label=label.where(label["x"] < 3, 1))
    (told,) = [one.text for one in render_volume(phases, 2000).objects if one.name == "legend"]
    assert "LCO (mostly thinner than what is drawn)" in told


def test_a_name_in_a_legend_is_text(phases: xr.Dataset) -> None:
    phases = phases.assign_coords(phase=["a", "<img src=x onerror=alert(1)>", "c"])
    texts = [one.text for one in render_volume(phases).objects if one.type == "Text2d"]
    assert not any("<img" in text for text in texts)


def test_a_lazy_volume_gives_the_same_scene(phases: xr.Dataset) -> None:
    lazy = phases.chunk(z=7)
    assert isinstance(lazy["label"].data, da.Array)
    for one, other in zip(render_volume(phases).objects, render_volume(lazy).objects, strict=True):
        if one.type == "Mesh":
            np.testing.assert_array_equal(one.vertices, other.vertices)


def test_a_channel_becomes_a_cloud_that_is_clear_where_nothing_was_measured() -> None:
    counts = volume_phantom.channel()
    (cloud,) = [one for one in render_volume(counts).objects if one.type == "Volume"]
    assert cloud.volume.shape == counts.shape
    assert (cloud.volume[np.isnan(counts.to_numpy())] == 0).all()
    measured = counts.to_numpy()[np.isfinite(counts.to_numpy())]
    values = cloud.volume[np.isfinite(counts.to_numpy())]
    inside = (values > 0.01) & (values < 0.99)
    assert np.corrcoef(measured[inside], values[inside])[0, 1] > 0.9999
    np.testing.assert_allclose(np.diag(cloud.model_matrix)[:3], [4.0, 2.4, 1.2], rtol=1e-5)


def test_what_cannot_be_turned_is_refused(phases: xr.Dataset) -> None:
    counts = volume_phantom.channel()
    with pytest.raises(DataError, match="choose one channel"):
        render_volume(counts.isel(z=0))
    with pytest.raises(DataError, match="no phases"):
        render_volume(counts.to_dataset())
    with pytest.raises(DataError, match="units"):
        render_volume(counts.assign_coords(x=np.arange(50.0)))


@pytest.mark.parametrize(("most", "length"), [(7.1, 5), (5.0, 5), (0.3, 0.2), (19.9, 10)])
def test_a_scale_bar_has_a_round_length(most: float, length: float) -> None:
    assert round_length(most) == pytest.approx(length)


def test_on_paper_faces_and_surfaces_have_one_scale_and_a_bar(phases: xr.Dataset) -> None:
    from matplotlib_scalebar.scalebar import ScaleBar

    for figure in (
        surface_figure(phases),
        block_figure({"Zr": volume_phantom.channel(), "phases": phases}),
    ):
        pictures = [axis for axis in figure.axes if axis.get_aspect() == 1.0]
        assert pictures
        for axis in pictures:
            assert [one for one in axis.artists if isinstance(one, ScaleBar)]


def test_the_faces_of_a_block_meet_at_their_edges() -> None:
    figure = block_figure({"Zr": volume_phantom.channel()})
    axis = next(axis for axis in figure.axes if axis.images)
    corners = []
    for image in axis.images:
        left, right, bottom, top = image.get_extent()
        ends = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        corners.append((image.get_transform() - axis.transData).transform(ends))
    front, above, beside = corners
    np.testing.assert_allclose(front[:2], above[:2], atol=1e-9)  # the front's upper edge
    np.testing.assert_allclose(front[[1, 2]], beside[[0, 3]], atol=1e-9)  # and its right one
    np.testing.assert_allclose(above[2], beside[1], atol=1e-9)
    depth = np.linalg.norm(above[3] - above[0])
    assert depth == pytest.approx(20 * 0.06)  # along z as long as it is
