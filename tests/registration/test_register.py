"""A place that is known is found, whatever the contrast; one that is none is not."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from analytic_maps import Pair, at, pair
from scipy import ndimage

from liscope import data
from liscope.errors import DataError
from liscope.registration import Field, contrast, distance, register
from liscope.registration.refine import refine

NEAR = 5.0  # nm: a tenth of the smaller pixel
BY_CHANCE = "a place as good is found by chance with probability"


@pytest.mark.parametrize(
    ("angle", "scale", "shift"),
    [
        (0.0, (1.0, 1.0), (0.0, 0.0)),
        (8.0, (1.02, 0.98), (0.4, -0.3)),
        (-25.0, (0.97, 1.03), (-0.8, 0.6)),
        (29.0, (1.0, 1.03), (0.3, 1.0)),
    ],
)
def test_a_known_place_is_found(
    angle: float, scale: tuple[float, float], shift: tuple[float, float]
) -> None:
    two = pair(seed=2, angle=angle, scale=scale, shift=shift)
    found = register(two.fixed, two.moving)
    assert found.found and found.reason == ""
    assert two.error(found.trusted()) < NEAR
    assert found.start is not None and found.start.chance < 1e-3
    assert found.placement.rotation == pytest.approx(angle, abs=0.2)


@pytest.mark.parametrize(
    "seen", [lambda v: -v, lambda v: np.exp(-v), lambda v: 3 * v**3 + 50], ids=["-v", "e^-v", "v^3"]
)
def test_how_the_values_are_related_does_not_matter(
    seen: Callable[[np.ndarray], np.ndarray],
) -> None:
    two = pair(seed=4, seen=seen)
    found = register(two.fixed, two.moving)
    assert found.found and two.error(found.placement) < 2 * NEAR


def test_noise_costs_some_nanometres_and_not_the_place() -> None:
    two = pair(seed=5, angle=-12, noise=1.0)  # as much noise as there is signal
    found = register(two.fixed, two.moving)
    assert found.found and two.error(found.placement) < 25


def test_units_of_length_are_converted() -> None:
    two = pair(seed=2)
    nm = {axis: (axis, 1000 * two.moving[axis].to_numpy(), {"units": "nm"}) for axis in ("y", "x")}
    in_nm = register(two.fixed, two.moving.assign_coords(nm))
    assert in_nm.found and two.error(in_nm.placement) < NEAR


def test_the_same_maps_give_the_same_bytes() -> None:
    two = pair(seed=6, noise=0.5, fixed_pixels=(72, 72), moving_pixels=(90, 90))
    first, second = (register(two.fixed, two.moving, drift_orders=2) for _ in range(2))
    assert first.found
    for name in ("matrix", "offset", "drift", "covariance"):
        one, other = (getattr(found.placement, name) for found in (first, second))
        assert one.tobytes() == other.tobytes(), name
    maps = [(one.to_numpy(), Field.of(one)) for one in (two.fixed, two.moving)]
    assert first.start is not None
    # Often, since sums of several threads differ only now and then.
    found = {refine(*maps, first.start.placement)[0].matrix.tobytes() for _ in range(25)}
    assert len(found) == 1


@pytest.mark.parametrize("across", [slice(None), slice(None, None, -1)], ids=["down", "both"])
def test_a_mirrored_map_has_no_place(across: slice) -> None:
    """Mirrored down only; turned by 180 degrees, which the search does not reach."""
    two = pair(seed=2)
    mirrored = two.moving.copy(data=two.moving.to_numpy()[::-1, across])
    found = register(two.fixed, mirrored)
    assert not found.found and found.reason.startswith(BY_CHANCE)
    with pytest.raises(DataError, match=f"the maps cannot be placed on each other: {BY_CHANCE}"):
        found.trusted()


def test_maps_of_two_landscapes_have_no_place() -> None:
    maps = [pair(seed=seed, fixed_pixels=(64, 64), moving_pixels=(80, 80)) for seed in range(5)]
    for one, other in pairwise(maps):
        found = register(one.fixed, other.moving, rotation=15)
        assert not found.found and found.reason, found.reason


def test_noise_has_no_place() -> None:
    two = pair(seed=2)
    noise = two.moving.copy(data=np.random.default_rng(0).standard_normal(two.moving.shape))
    assert not register(two.fixed, noise).found


def with_gaps(two: Pair) -> tuple[xr.DataArray, xr.DataArray]:
    fixed, moving = two.fixed.copy(deep=True), two.moving.copy(deep=True)
    fixed[:10], fixed[:, -7:], fixed[40:44, 50:54] = np.nan, np.nan, np.nan
    moving[:, :30], moving[-25:] = np.nan, np.nan
    return fixed, moving


def test_pixels_without_a_value_take_no_part() -> None:
    two = pair(seed=2)
    fixed, moving = with_gaps(two)
    found = register(fixed, moving, drift_orders=1)
    assert found.found and two.error(found.placement) < 2 * NEAR
    # What stands in the place of the gaps must not matter.
    assert np.isfinite(found.placement.covariance).all()


@pytest.mark.parametrize("share", [0.6, 0.8])
def test_a_map_that_is_mostly_empty_is_still_placed(share: float) -> None:
    two = pair(seed=2)
    moving = two.moving.copy(deep=True)
    moving[: int(share * len(moving))] = np.nan
    found = register(two.fixed, moving)
    assert found.found and found.placement.rotation == pytest.approx(8, abs=1)
    part = Pair(two.fixed, moving.dropna("y", how="all"), two.place)
    assert part.error(found.placement) < 4 * NEAR


def test_maps_that_never_overlap_enough_are_not_found() -> None:
    two = pair(seed=2)
    fixed, moving = two.fixed.copy(deep=True), two.moving.copy(deep=True)
    fixed[:, 40:], moving[:, :80] = np.nan, np.nan
    assert not register(fixed, moving, shift=0.3).found


def test_a_shift_beyond_the_searched_one_is_not_found() -> None:
    two = pair(seed=2, shift=(1.0, 0.8))
    assert register(two.fixed, two.moving, shift=1.5).found
    narrow = register(two.fixed, two.moving, shift=0.2)
    assert not narrow.found
    assert not register(two.fixed, two.moving, shift=0.001).found  # less than a step of the search


def test_a_field_of_any_size_may_be_placed() -> None:
    """What may be off is a share of the field, not a number of micrometres."""
    two = pair(seed=2, angle=10.4, scale=(1.03, 0.97))
    large = [
        one.assign_coords({d: (d, 10 * one[d].to_numpy(), {"units": "um"}) for d in ("y", "x")})
        for one in (two.fixed, two.moving)
    ]
    found = register(*large)
    assert found.found, found.reason
    assert Pair(*large, lambda p: 10 * two.place(p / 10)).error(found.placement) < 10 * NEAR


@pytest.mark.parametrize("value", [3.0, np.nan])
@pytest.mark.filterwarnings("ignore:Degrees of freedom")
def test_maps_that_say_nothing_are_refused(value: float) -> None:
    two = pair(fixed_pixels=(20, 20), moving_pixels=(20, 20))
    flat = two.moving.copy(data=np.full(two.moving.shape, value))
    for maps in ((two.fixed, flat), (flat, two.fixed)):
        with pytest.raises(DataError, match="'moving' is flat or empty"):
            register(*maps)


def test_maps_without_lengths_are_refused() -> None:
    two = pair(fixed_pixels=(20, 20), moving_pixels=(20, 20))
    pixels = two.fixed.assign_coords(x=("x", np.arange(20.0), {"units": "pixel"}))
    with pytest.raises(DataError, match="has no size: give the width of its field in um"):
        register(pixels, two.moving)
    with pytest.raises(DataError, match="no units"):
        register(two.fixed, two.moving.assign_coords(y=two.moving.y.drop_attrs()))


def creep(y: np.ndarray) -> np.ndarray:
    """A scanner that creeps by 150 nm in x and 90 nm in y as it begins, and ends at rest."""
    return np.exp(-(y - 1) / 1.2)[..., None] * np.array([0.15, -0.09])


def test_drift_along_the_scan_lines_is_found() -> None:
    two = pair(seed=7, drift=creep)
    left, taken = (register(two.fixed, two.moving, drift_orders=n) for n in (0, 3))
    assert left.found and taken.found
    without, with_it = two.error(left.placement), two.error(taken.placement)
    assert with_it < 5 < 10 < without
    # Beyond a straight line, which an affine map holds: the shape that was put in.
    lines = np.linspace(*taken.placement.slow, 60)
    put_in = creep(lines)[:, ::-1]
    straight = np.polynomial.polynomial.polyfit(lines, put_in, 1)
    expected = put_in - np.polynomial.polynomial.polyval(lines, straight).T
    found = taken.placement.drift_at(lines)
    found -= np.polynomial.polynomial.polyval(
        lines, np.polynomial.polynomial.polyfit(lines, found, 1)
    ).T
    np.testing.assert_allclose(found, expected, atol=0.012)
    assert np.abs(expected).max() > 0.04


def test_no_drift_is_found_where_there_is_none() -> None:
    two = pair(seed=7)
    found = register(two.fixed, two.moving, drift_orders=2)
    assert np.abs(found.placement.drift_at(np.linspace(*found.placement.slow))).max() < 0.005
    assert two.error(found.placement) < NEAR


def test_distance_of_two_placements() -> None:
    two = pair(seed=2)
    placement = register(two.fixed, two.moving).placement
    moved = placement.moved(np.array([0.003, 0.004, 0, 0, 0, 0]))
    stretch = np.sqrt(np.mean(np.sum((placement.matrix @ [0.003, 0.004]) ** 2)))
    assert distance(placement, moved, two.fixed, two.moving) == pytest.approx(stretch)
    assert distance(placement, placement, two.fixed, two.moving) == 0
    assert stretch == pytest.approx(0.005, rel=0.03)


# ------------------------------------------------------------------------------- real ion images

PIXEL = 41.402 / 512  # um


@pytest.mark.usefixtures("real")
def test_an_ion_image_that_was_turned_is_found_on_another_ion_of_the_same_file() -> None:
    """12C15N- and 12C14N- of hair cells by NanoSIMS: one kind of place, counted at once.

    The two detectors look at one place within about 0.15 pixel (phase correlation by scikit-image,
    as a whole and in quarters), so that this much is no error.
    """
    ions = data.open_ions("real:OpenMIMS_doc_040702_06-05mos-03a.im").counts
    fixed, sharp = (contrast(ions.sel(ion=name)) for name in ("12C 15N", "12C 14N"))
    turned = resampled(sharp, 11.0, 1.02, (1.7, -1.1))
    found = register(fixed, turned.moving, rotation=15, shift=4)
    assert found.found, found.reason
    assert turned.error(found.placement) < 1000 * PIXEL / 2
    assert np.isfinite(found.placement.covariance).all()


@pytest.mark.usefixtures("real")
def test_an_ion_image_of_another_sample_is_not() -> None:
    ions = data.open_ions("real:OpenMIMS_doc_040702_06-05mos-03a.im").counts
    other = data.open_ions("real:RTIimage.im").counts.isel(ion=0)
    axes = {d: (d, 8 * other[d].to_numpy(), {"units": "um"}) for d in ("y", "x")}
    as_large = contrast(other.assign_coords(axes))
    assert not register(contrast(ions.sel(ion="12C 15N")), as_large, rotation=15).found


def resampled(image: xr.DataArray, angle: float, scale: float, shift: tuple[float, float]) -> Pair:
    """Return a map as it looks on finer pixels of a frame that is turned, larger and elsewhere."""
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    matrix = scale * np.array([[cos, sin], [-sin, cos]])  # y, x
    middle, there = Field.of(image).centre + shift, np.array([30.0, 50.0])
    y, x = (there[i] + 0.075 * (np.arange(n) - (n - 1) / 2) for i, n in enumerate((400, 420)))
    points = np.stack(np.meshgrid(y, x, indexing="ij"), -1)
    origin = (points - there) @ np.linalg.inv(matrix).T + middle
    where = np.moveaxis(origin / PIXEL - 0.5, -1, 0)
    values = ndimage.map_coordinates(image.to_numpy(), where, order=3, cval=np.nan)
    return Pair(image, at(values, y, x), lambda p: (p - middle) @ matrix.T + there)
