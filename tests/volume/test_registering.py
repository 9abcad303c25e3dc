"""A place that is known is found, with its error; one that is none is not."""

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from spheres import EDS, SIMS, Spheres, drifting, stack

from liscope.errors import DataError
from liscope.volume.frames import Frames
from liscope.volume.registering import Match, register_stacks

EDS_PIXEL, EDS_SHAPE = 0.0814, (120, 160)
SIMS_PIXEL, SIMS_SHAPE = 0.072, (190, 220)
COUNT, DEEPER = 12, 0.09  # um, that EDS sees below the face
TURN = np.deg2rad(2.0)
MATRIX = np.array([[np.cos(TURN), np.sin(TURN)], [-np.sin(TURN), np.cos(TURN)]])
OFFSET = np.array([2.1, 1.3])
POINTS = np.stack(np.meshgrid([1.0, 5.0, 9.0], [1.0, 6.0, 12.0]), -1).reshape(-1, 2)
CHANCE = "a place as good is found by chance"


def section() -> Frames:
    """Return frames of slices of 60 nm without drift."""
    return drifting(COUNT, 0.0, seed=0)


def seen(seed: int) -> tuple[xr.DataArray, xr.DataArray]:
    """Return EDS and SIMS of one specimen; SIMS slices are left with 20 nm of drift."""
    spheres = Spheres.random(seed, (0.06 * COUNT, 10.0, 13.0), room=3.5)
    deep = section().at_depths(section().depth + DEEPER)
    eds = stack(spheres, deep, EDS_PIXEL, EDS_SHAPE, EDS, seed, blur=1.5)
    sims = stack(spheres, truth(), SIMS_PIXEL, SIMS_SHAPE, SIMS, seed, channel="ion")
    return eds, sims


def truth() -> Frames:
    """Return where SIMS slices lie."""
    left = np.random.default_rng(5).normal(0, 0.02, (COUNT, 2))
    return section().after(MATRIX, OFFSET).moved(left)


def place(eds: xr.DataArray, sims: xr.DataArray, **options: float) -> Match:
    """Register with frames that know nothing of the place."""
    return register_stacks(eds, sims, section(), section(), **options)


def errors(frames: Frames) -> np.ndarray:
    """Return how far (slice, point) points of EDS are from where they lie in SIMS, nm."""
    away = frames.pictured(POINTS) - truth().pictured(POINTS)
    return np.asarray(1e3 * np.hypot(*np.moveaxis(away, -1, 0)))


@pytest.fixture(scope="module")
def pair() -> tuple[xr.DataArray, xr.DataArray]:
    """EDS and SIMS of one specimen."""
    return seen(1)


@pytest.fixture(scope="module")
def match(pair: tuple[xr.DataArray, xr.DataArray]) -> Match:
    """Their registration."""
    return place(*pair)


def test_a_known_place_is_found(match: Match) -> None:
    assert match.found and match.reason == ""
    assert match.rotation == pytest.approx(2.0, abs=0.1)
    assert np.median(errors(match.trusted())) < SIMS_PIXEL * 1e3 / 3
    assert match.start.chance < 1e-3


def test_each_slice_is_placed_better_than_by_turn_and_shift_alone(match: Match) -> None:
    common = replace(match.frames, offset=match.frames.offset.mean(0) + 0 * match.frames.offset)
    assert np.median(errors(match.frames)) < 0.7 * np.median(errors(common))


def test_the_reported_error_is_of_the_size_of_the_true_one(match: Match) -> None:
    table = match.corner_table()
    true = np.sqrt(np.mean(errors(match.frames) ** 2))
    assert true / 4 < table["error_nm"].mean() < 4 * true
    assert (table.loc["middle", "error_nm"] <= table["error_nm"]).all()


def test_the_depth_that_eds_sees_is_found(match: Match) -> None:
    assert match.depth_offset == pytest.approx(1e3 * DEEPER, abs=30)
    assert match.depth_error < 40


def test_the_depth_is_as_sure_as_it_is_said_to_be(match: Match) -> None:
    found = [match, *(place(*seen(seed)) for seed in (2, 3, 4))]
    off = [(one.depth_offset - 1e3 * DEEPER) / one.depth_error for one in found]
    assert 0.3 < np.sqrt(np.mean(np.square(off))) < 2


def test_lazy_stacks_give_the_same_place_less_the_tilt_of_the_beam(
    pair: tuple[xr.DataArray, xr.DataArray], match: Match
) -> None:
    lazy = [one.copy(data=da.from_array(one.to_numpy(), (1, 4, -1, -1))) for one in pair]
    tilted = place(*lazy, tilt=45.0)
    assert tilted.depth_offset == match.depth_offset  # to the last bit: another run, and lazily
    np.testing.assert_array_equal(tilted.residual, match.residual)
    np.testing.assert_array_equal(tilted.frames.matrix, match.frames.matrix)
    moved = match.frames.pictured(POINTS) - tilted.frames.pictured(POINTS)
    along = MATRIX @ [1e-3 * match.depth_offset, 0.0]
    np.testing.assert_allclose(moved, np.broadcast_to(along, moved.shape), atol=2e-4)


def test_slices_without_a_partner_are_placed_by_their_neighbours(
    pair: tuple[xr.DataArray, xr.DataArray],
) -> None:
    eds, sims = pair
    kept = np.delete(np.arange(COUNT), [4, 9])
    frames = section()
    some = Frames(frames.matrix[kept], frames.offset[kept], frames.depth[kept])
    found = register_stacks(eds.isel(slice=kept), sims, some, frames)
    assert found.found and np.median(errors(found.frames)) < SIMS_PIXEL * 1e3 / 3


def test_another_specimen_has_no_place(pair: tuple[xr.DataArray, xr.DataArray]) -> None:
    other = place(pair[0], seen(2)[1])
    assert not other.found and other.reason
    with pytest.raises(DataError, match="SIMS cannot be placed on EDS"):
        other.trusted()


def test_a_mirrored_stack_has_no_place(pair: tuple[xr.DataArray, xr.DataArray]) -> None:
    eds, sims = pair
    mirrored = place(eds, sims.copy(data=sims.to_numpy()[..., ::-1]))
    assert not mirrored.found and CHANCE in mirrored.reason


def test_a_group_of_something_else_has_no_say(
    pair: tuple[xr.DataArray, xr.DataArray], match: Match
) -> None:
    """The last third of SIMS lies 0.86 um off, or shows nothing: the others decide."""
    eds, sims = pair
    for last in (np.roll(sims.to_numpy()[:, 8:], 12, axis=2), np.zeros_like(sims[:, 8:])):
        counts = np.concatenate([sims.to_numpy()[:, :8], last], axis=1)
        found = place(eds, sims.copy(data=counts))
        assert found.found and list(found.groups["agrees"]) == [True, True, False]
        assert found.rotation == pytest.approx(match.rotation, abs=0.1)
        np.testing.assert_allclose(found.shift, match.shift, atol=0.05)
        assert np.rad2deg(np.sqrt(found.covariance[0, 0])) < 0.2


def test_what_has_no_contrast_is_refused(pair: tuple[xr.DataArray, xr.DataArray]) -> None:
    eds, sims = pair
    with pytest.raises(DataError, match="flat"):
        place(eds, sims.copy(data=np.full(sims.shape, 3, np.uint16)))
    away = section().at_depths(section().depth + 50)
    with pytest.raises(DataError, match="no depth in common"):
        register_stacks(eds, sims, section(), away)
