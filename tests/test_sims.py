"""Counts: dead time against a vendor's own correction, and sums by name."""

import numpy as np
import pytest
import xarray as xr

from liscope import sims
from liscope.errors import DataError
from liscope.specimens import conductive_lithium as films

SHOTS = 917_504  # of the peak list below


def counts(values: object, name: str = "Li+") -> xr.DataArray:
    return xr.DataArray(
        np.atleast_2d(np.asarray(values, float)), dims=("y", "x"), name=name,
        attrs={"units": "count", "quantity": "counts"},
    )  # fmt: skip


def images_of(image: xr.DataArray) -> xr.Dataset:
    return xr.Dataset({"counts": image.expand_dims(ion=["Li+"])})


def ions(frames: int = 0) -> xr.Dataset:
    """Four ions on 3 x 4 pixels; the last one is the sum of the others."""
    shape = (3, frames, 3, 4) if frames else (3, 3, 4)
    each = np.random.default_rng(0).poisson(5, shape)
    dims = ("ion", "frame", "y", "x") if frames else ("ion", "y", "x")
    values = np.concatenate([each, each.sum(0, keepdims=True)])
    attrs = {"units": "count", "quantity": "counts"}
    return xr.Dataset(
        {"counts": (dims, values, attrs)}, {"ion": ["Li+", "Mn+", "O+", "total"]},
        {"source": "a.bif6"},
    )  # fmt: skip


# ------------------------------------------------------------------------------------ dead time


@pytest.mark.parametrize(
    ("ion", "share", "reported"),
    [("OH-", 0.370, 1.250), ("C2-", 0.242, 1.147), ("O-", 0.663, 1.643), ("C2H-", 0.619, 1.569)],
)
def test_dead_time_is_corrected_as_by_a_vendor(ion: str, share: float, reported: float) -> None:
    """Area over uncorrected area of isolated peaks of a battery electrode, by SurfaceLab.

    Shares are known to three digits, and the vendor takes the counts within the preceding dead time
    off the shots too, which for these peaks comes to 0.7 % at most.
    """
    measured = counts(share * SHOTS, ion)
    corrected = sims.dead_time_corrected(measured, SHOTS)
    gain = float((corrected / measured).item())
    assert gain == pytest.approx(reported, rel=0.007)
    assert gain == pytest.approx(-np.log(1 - share) / share)
    assert corrected.name == ion and corrected.attrs["units"] == "count"
    assert corrected.attrs["history"] == "dead time corrected, 917504 shots a pixel"


@pytest.mark.parametrize("mean", [2.0, 10.0, 40.0])
def test_counts_of_a_detector_are_brought_back_to_what_arrived(mean: float) -> None:
    """Each shot of 64 counts one ion at most, however many of them a Poisson draw lets arrive."""
    rng, shots = np.random.default_rng(0), 64
    arrived = rng.poisson(mean / shots, (shots, 200, 200))
    counted = counts((arrived > 0).sum(0))
    corrected = float(sims.dead_time_corrected(counted, shots).mean())
    # The curve bends, so that counts that scatter come out somewhat too high.
    bias = np.expm1(mean / shots) / 2
    error = np.sqrt(np.expm1(mean / shots) * shots / 200**2)
    assert corrected == pytest.approx(mean + bias, abs=4 * error + 0.1 * bias)
    table = sims.saturation_table(images_of(counted), ["Li+"], shots)
    missed = table.loc["Li+", "missed_by_dead_time_percent"]
    expected = 100 * (1 - shots * -np.expm1(-mean / shots) / mean)
    assert missed == pytest.approx(expected, abs=1.5)


def test_counts_of_the_specimen_are_brought_back_to_the_mean_put_in() -> None:
    tool = films.replace(films.IDEAL, counts=30.0, shots=64)
    tree = films.simulate(0, tool, films.Film(blur=0))
    inside = tree["truth"].lithium.to_numpy() == 1
    counted = tree["sims"].to_dataset().counts.sel(ion="Li+")
    corrected = sims.dead_time_corrected(counted, 64).to_numpy()[inside]
    assert counted.to_numpy()[inside].mean() < 25
    assert corrected.mean() == pytest.approx(30, rel=0.02)


def test_a_pixel_in_which_every_shot_counted_is_infinite() -> None:
    corrected = sims.dead_time_corrected(counts([[0, 63, 64]]), 64)
    np.testing.assert_allclose(corrected, [[0, 64 * np.log(64), np.inf]])


@pytest.mark.parametrize("shots", [63, 0, -5])
def test_more_counts_than_shots_are_refused(shots: int) -> None:
    message = f"64 counts in a pixel of {shots} shots: is the number of shots right"
    image = counts([[1, 64]])
    with pytest.raises(DataError, match=message):
        sims.dead_time_corrected(image, shots)
    with pytest.raises(DataError, match=message):
        sims.saturation_table(images_of(image), ["Li+"], shots)


def test_saturation_is_told_in_numbers() -> None:
    image = counts([[0, 10, 20, 40, 60]])
    table = sims.saturation_table(images_of(image), ["Li+"], 100).loc["Li+"]
    arrived = -100 * np.log(1 - np.array([0, 0.1, 0.2, 0.4, 0.6]))
    expected = {
        "ions_per_pixel": 26,
        "highest_counts_per_shot": 0.6,
        "pixels_to_watch_percent": 60,  # more than 0.1
        "pixels_unreliable_percent": 20,  # more than 0.5
        "missed_by_dead_time_percent": 100 * (1 - 130 / arrived.sum()),
    }
    assert table.to_dict() == pytest.approx(expected)


def test_each_ion_is_judged_by_itself_with_the_shots_of_all_frames() -> None:
    """Three ions of 40 counts each are more than the 64 shots of 4 frames; none of them is."""
    values = np.full((3, 4, 2, 2), 10)
    images = xr.Dataset({"counts": (("ion", "frame", "y", "x"), values)}, {"ion": ["a", "b", "c"]})
    table = sims.saturation_table(images, ["a", "c"], 16)
    assert list(table.index) == ["a", "c"]
    np.testing.assert_allclose(table["highest_counts_per_shot"], 40 / 64)


# ----------------------------------------------------------------------------------------- sums


def test_ions_are_summed_by_name() -> None:
    images = ions()
    found = sims.summed(images, ["Li+", "O+"])
    np.testing.assert_array_equal(found, images.counts[0] + images.counts[2])
    assert found.name == "Li+ + O+" and found.dims == ("y", "x") and found.dtype == float
    assert (found.attrs["units"], found.attrs["quantity"]) == ("count", "counts")
    assert found.attrs["history"] == "summed to Li+ + O+"


def test_ions_are_taken_off_a_sum_that_holds_them() -> None:
    images = ions()
    found = sims.summed(images, ["total"], ["Li+", "Mn+"])
    np.testing.assert_array_equal(found, images.counts[2])
    assert found.name == "total - Li+ - Mn+"


def test_all_frames_are_summed() -> None:
    images = ions(frames=5)
    for without, expected in ((None, [3]), (["Li+"], [1, 2])):
        found = sims.summed(images, ["total"], without)
        np.testing.assert_array_equal(found, images.counts.to_numpy()[expected].sum((0, 1)))
        assert found.dims == ("y", "x")


@pytest.mark.parametrize(("names", "without"), [(["Na+"], None), (["total"], ["Na+"])])
def test_an_ion_that_is_not_there_is_named_with_those_that_are(
    names: list[str], without: list[str] | None
) -> None:
    with pytest.raises(DataError, match=r"no ion 'Na\+' in 'a.bif6': Li\+, Mn\+, O\+, total"):
        sims.summed(ions(), names, without)
