"""The figures of a volume: colours that can be told apart, and what they say about numbers."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import volume_phantom
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib_scalebar.scalebar import ScaleBar
from skimage.color import rgb2lab

from liscope import figures
from liscope.figures.volume_checks import FIXED, MOVING, blend, ellipse_of
from liscope.figures.volume_histograms import ENCLOSED, FEW_TO_MANY
from liscope.figures.volume_results import law_of
from liscope.figures.volume_style import (
    NO_VALUE,
    NOTHING,
    PHASE_COLOURS,
    TERMS,
    channel_title,
    colour_of,
    phase_colours,
)
from liscope.volume.depletion import RIM, Depletion

# Machado, Oliveira & Fernandes 2009 (10.1109/TVCG.2009.113), severity 1, of linear RGB.
BLINDNESS = {
    "none": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
               [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def _seen(colour: str, blindness: str) -> np.ndarray:
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(BLINDNESS[blindness]) @ linear, 0, 1)
    back = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(rgb2lab(back[None, None])[0, 0])


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_phases_can_be_told_apart_with_all_kinds_of_eyes(blindness: str) -> None:
    colours = [*PHASE_COLOURS.values(), NOTHING]
    for one, other in itertools.combinations(colours, 2):
        apart = np.linalg.norm(_seen(one, blindness) - _seen(other, blindness))
        assert apart > 18, (one, other)


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_no_value_looks_like_no_grey_and_like_no_difference(blindness: str) -> None:
    for name in ("gray", TERMS):
        for colour in colormaps[name](np.linspace(0, 1, 64)):
            apart = np.linalg.norm(_seen(NO_VALUE, blindness) - _seen(to_hex(colour), blindness))
            assert apart > 18, (name, colour)


def test_a_phase_keeps_its_colour_whatever_else_there_is() -> None:
    colours, norm = phase_colours(["LCO", "LLZTO", "graphite", "silicon"])
    shown = [colours(norm(n))[:3] for n in range(5)]
    assert shown[1] == pytest.approx(to_rgb(PHASE_COLOURS["LCO"]))
    assert shown[2] == pytest.approx(to_rgb(PHASE_COLOURS["LLZTO"]))
    assert len({tuple(one) for one in shown}) == 5
    assert colour_of("LLZTO") == colour_of("LLZTO", ["crack", "LLZTO"])


@pytest.mark.parametrize(
    ("channel", "title"),
    [("6Li+", "$^{6}$Li$^{+}$"), ("Zr", "Zr"), ("bse", "BSE"), ("Cl-", "Cl$^{-}$")],
)
def test_ions_are_written_as_chemists_do(channel: str, title: str) -> None:
    assert channel_title(channel) == title


def _image(values: np.ndarray, units: str = "count") -> xr.DataArray:
    coords = {
        dim: xr.DataArray(0.1 * np.arange(n), dims=dim, attrs={"units": "um"})
        for dim, n in zip("yx", values.shape, strict=True)
    }
    return xr.DataArray(values, coords, ("y", "x"), attrs={"units": units})


@pytest.fixture
def counts() -> xr.DataArray:
    values = np.random.default_rng(0).poisson(6, (40, 60)).astype(np.float32)
    values[:, 50:] = np.nan
    return _image(values)


def _told(figure: Figure) -> list[str]:
    return [text.get_text() for one in figure.legends for text in one.get_texts()]


def _pictures(figure: Figure) -> list[Axes]:
    return [axis for axis in figure.axes if axis.images]


def _has_bar(axis: Axes) -> bool:
    return any(isinstance(one, ScaleBar) for one in axis.artists)


def test_every_channel_has_its_scale_and_the_electrons_are_grey(counts: xr.DataArray) -> None:
    figure = figures.channel_plate({"bse": counts, "Zr": 3 * counts, "6Li+": counts})
    pictures = _pictures(figure)
    assert len(pictures) == 3 and all(map(_has_bar, pictures))
    assert pictures[0].images[0].get_cmap().name == "gray"
    assert pictures[1].images[0].norm.vmax == pytest.approx(3 * pictures[0].images[0].norm.vmax)
    assert sum(axis.get_ylabel() == "count" for axis in figure.axes) == 3


def test_greyscale_tells_what_is_lost(counts: xr.DataArray) -> None:
    # Of 2000 pixels, 100 that counted 1 and more come out black, and 60 more without a value.
    scaled = (10 * counts).clip(10, 255)
    flat = scaled.copy()
    flat[:10, :10] = 0
    flat[20:26, :10] = np.nan
    counted = counts.clip(1, None)
    counted[39, 0] = 0
    zoom = (slice(0.5, 2.0), slice(1.0, 3.0))
    figure = figures.greyscale_figure(counted, {"flat": flat, "all": scaled}, zoom)
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    share = 100 * 160 / 2400
    assert any(f"flat − raw; {share:.1f} % lost" in title for title in titles)
    assert any("all − raw; 0.0 % lost" in title for title in titles)
    parts = [axis.images[0].get_extent() for axis in _pictures(figure)][3:]
    np.testing.assert_allclose(parts[0], (0.95, 3.05, 2.05, 0.45))


def test_pixels_without_a_value_are_told_from_bright_ones() -> None:
    counts = _image(np.full((20, 30), 9.0))
    counts[:10] = 0
    log = xr.full_like(counts, 196.0).where(counts > 0)
    zoom = (slice(0.5, 1.5), slice(0.5, 1.5))
    figure = figures.greyscale_figure(counts, {"log": log}, zoom)
    figure.set_dpi(100)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    seen = np.asarray(canvas.buffer_rgba())[..., :3] / 255
    for axis in (figure.axes[1], figure.axes[3], figure.axes[5]):  # whole, part, difference
        x, y = axis.transData.transform((1.0, 0.7)).astype(int)
        np.testing.assert_allclose(seen[len(seen) - 1 - y, x], to_rgb(NO_VALUE), atol=0.01)
    (legend,) = [axis.get_legend() for axis in figure.axes if axis.get_legend()]
    assert "no value (0 counts)" in [text.get_text() for text in legend.get_texts()]
    whole = figures.greyscale_figure(counts, {"min-max": log.fillna(0)}, zoom)
    (legend,) = [axis.get_legend() for axis in whole.axes if axis.get_legend()]
    assert [text.get_text() for text in legend.get_texts()] == ["part, drawn larger"]


def test_what_was_not_measured_is_told_only_where_it_is(counts: xr.DataArray) -> None:
    assert _told(figures.channel_plate({"Zr": counts})) == ["not measured"]
    assert len(_told(figures.channel_plate({"Zr": counts, "bse": counts}))) == 2
    assert not _told(figures.channel_plate({"Zr": counts.fillna(0)}))
    volume = volume_phantom.channel()
    assert _told(figures.block_figure({"Zr": volume})) == ["not measured"]
    assert not _told(figures.block_figure({"Zr": volume.fillna(0)}))
    assert _told(figures.section_figure(volume)) == ["not measured"]
    assert not _told(figures.section_figure(volume.fillna(0)))
    told = _told(figures.block_figure({"Zr": volume, "phases": volume_phantom.phases()}))
    assert sorted(told) == sorted([*volume_phantom.NAMES, "not measured"])


def test_a_bin_of_one_voxel_is_not_white() -> None:
    assert np.linalg.norm(_seen(to_hex(FEW_TO_MANY(0)), "none") - _seen("#ffffff", "none")) > 6
    often = xr.DataArray([[1, 0], [100, 10]], {"Li": [0.5, 1.5], "Zr": [0.5, 1.5]}, ("Li", "Zr"))
    often["Zr"].attrs["units"] = "count"
    figure = figures.joint_histogram_figure(often)
    labels = [axis.get_xlabel() for axis in figure.axes]
    assert "Zr / count" in labels and "voxels in a bin" in labels


def test_histograms_hold_all_pixels_and_tell_those_without_a_value(counts: xr.DataArray) -> None:
    grey = counts.where(counts > 4)
    figure = figures.normalisation_figure({"Zr": counts}, {"log": {"Zr": grey}})
    raw, log = figure.axes
    assert raw.patches[0].get_data().values.sum() == 2000
    missing = 100 * float((counts <= 4).sum()) / counts.size
    assert f"{missing:.0f} % without a value" in log.get_title(loc="left")
    assert raw.get_xlabel() == "counts per pixel" and log.get_xlabel() == "grey level"


def test_a_contour_encloses_four_fifths_of_a_normal_law() -> None:
    middles = np.arange(-40, 41) / 10
    y, x = np.meshgrid(middles, middles, indexing="ij")
    often = 1e5 * np.exp(-(x**2 + y**2) / 2) * 0.01 / (2 * np.pi)
    one = xr.DataArray(often.round(), {"Li": middles, "Zr": middles}, ("Li", "Zr"))
    figure = figures.joint_histogram_figure(one, {"LLZTO": one})
    joint = next(axis for axis in figure.axes if axis.get_xlabel().startswith("Zr"))
    (line,) = [c for c in joint.collections if type(c).__name__ == "QuadContourSet"]
    corners = line.get_paths()[0].vertices
    # A share of 1 - exp(-r^2 / 2) lies within r; smoothing by one bin of 0.1 adds half a percent.
    radius = np.sqrt(-2 * np.log(1 - ENCLOSED)) * np.hypot(1, 0.1)
    np.testing.assert_allclose(np.hypot(*corners.T), radius, rtol=0.05)
    sides = [axis for axis in figure.axes if "voxels" in (axis.get_xlabel(), axis.get_ylabel())]
    assert len(sides) >= 2


def test_agreement_is_grey_and_so_is_what_one_does_not_see() -> None:
    np.testing.assert_allclose(np.add(FIXED, MOVING), 1)
    ramp = np.tile(np.linspace(0, 1, 50), (4, 1))
    one, hidden = _image(ramp), _image(np.where(np.arange(50) < 25, np.nan, ramp))
    both = blend(one, one)
    np.testing.assert_allclose(both, both.mean(-1, keepdims=True).repeat(3, -1), atol=1e-12)
    np.testing.assert_allclose(
        blend(one, hidden)[:, :25], np.broadcast_to(to_rgb(NOTHING), (4, 25, 3))
    )


def test_the_ellipse_is_that_of_the_covariance() -> None:
    # Half axes of 3 and 1 nm, the longer one 30 degrees from x towards y.
    turn = np.deg2rad(30)
    along, across = np.array([np.sin(turn), np.cos(turn)]), np.array([np.cos(turn), -np.sin(turn)])
    covariance = 9 * np.outer(along, along) + np.outer(across, across)
    half, angle = ellipse_of(covariance)
    scale = np.sqrt(-2 * np.log(0.05))  # of two dimensions
    np.testing.assert_allclose(np.sort(half), [scale, 3 * scale])
    longer = angle + (0 if half[0] > half[1] else 90)
    assert longer % 180 == pytest.approx(30)


def test_registration_is_drawn_beside_its_error(counts: xr.DataArray) -> None:
    figure = figures.registration_figure(
        counts, counts.shift(x=3), counts, np.diag([1e-4, 4e-4]), 72.0
    )
    before, after, error = figure.axes
    assert _has_bar(before) and _has_bar(after)
    assert error.get_xlabel() == "x / nm" and len(error.patches) == 2
    assert error.patches[1].width == pytest.approx(48)  # twice a third of a pixel
    assert abs(np.diff(error.get_xlim())[0]) > 2 * 1.96 * 20


def test_drift_shows_bands_of_95_percent_and_bad_slices() -> None:
    number = np.array([0, 1, 2, 4])
    drift = SimpleNamespace(
        slices=number,
        shift=np.array([[0.0, 0.1], [0.01, 0.1], [0.02, 0.1], [0.03, 0.1]]),
        sigma=np.full((4, 2), 0.005),
        bad=np.array([False, True, False, False]),
    )
    (axis,) = figures.slice_drift_figure(drift).axes  # type: ignore[arg-type]
    np.testing.assert_allclose(axis.lines[0].get_ydata(), [0, 10, 20, 30])
    band = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx(30 + 1.96 * 5) and band.min() == pytest.approx(-1.96 * 5)
    assert [patch.get_x() for patch in axis.patches] == [0.5]
    assert axis.get_ylabel().endswith("/ nm")


def test_depths_are_told_against_even_slices() -> None:
    thickness = np.array([50.0, 70.0, 60.0, 60.0])
    depth = np.array([0.0, 0.05, 0.12, 0.18])
    table = {"thickness": (thickness, 5.0), "depth": (depth, 0.01)}
    data = {
        f"{name}{end}": ("slice", values + sign * half)
        for name, (values, half) in table.items()
        for end, sign in (("", 0), ("_low", -1), ("_high", 1))
    }
    depths = xr.Dataset(data, {"slice": [3, 4, 5, 6]}, {"mean_thickness": 60.0, "told_by": "x"})
    left, right = figures.depth_figure(depths, np.array([3, 4, 6])).axes
    np.testing.assert_allclose(right.lines[0].get_ydata(), [0, -10, 0, 0], atol=1e-9)
    np.testing.assert_allclose(left.lines[0].get_ydata(), thickness)
    assert [patch.get_x() for patch in left.patches if patch.get_width() == 1] == [4.5]


def test_phases_of_one_slice_with_how_sure_they_are() -> None:
    phases = volume_phantom.phases()
    figure = figures.phase_figure(phases, 0.31)
    phase, sure = _pictures(figure)
    np.testing.assert_array_equal(phase.images[0].get_array(), phases["label"].isel(z=5))
    assert np.nanmin(sure.images[0].get_array().filled(np.nan)) == 1.0
    told = [text.get_text() for text in figure.legends[0].get_texts()]
    assert told == [*volume_phantom.NAMES, "not measured"]
    assert len(_pictures(figures.phase_figure(phases.drop_vars("probability")))) == 1


def test_a_product_is_drawn_with_its_terms_and_its_line(counts: xr.DataArray) -> None:
    terms = xr.concat([counts - 6, counts], xr.Variable("term", ["as meant", "product"]))
    place = np.linspace(0, 2, 9)
    lines = [
        pd.DataFrame({"term": name, "y_um": 1.0, "x_um": 1 + place, "distance_um": place,
                      "value": factor * place, "low": factor * (place - 1),
                      "high": factor * (place + 1)})
        for name, factor in (("as meant", -2.0), ("product", 5.0))
    ]  # fmt: skip
    figure = figures.product_figure({"6Li+": counts}, terms, pd.concat(lines))
    pictures = _pictures(figure)
    assert len(pictures) == 3 and all(map(_has_bar, pictures))
    norm = pictures[1].images[0].norm
    assert norm.vmin == -norm.vmax  # around zero, but for the product
    assert pictures[2].images[0].norm.vmin >= 0
    np.testing.assert_allclose(pictures[0].lines[0].get_xdata(), 1 + place)
    profile = next(axis for axis in figure.axes if axis.get_xlabel() == "along the line / um")
    np.testing.assert_allclose(profile.lines[0].get_ydata(), -place / 2)
    titles = [axis.get_title(loc="left") for axis in pictures[1:]]
    assert titles == ["b   Eq. 3 as meant", "c   plain product"]
    assert _told(figure) == ["not measured"]
    FigureCanvasAgg(figure).draw()
    box, within = profile.get_legend().get_window_extent(), profile.get_window_extent()
    assert box.y0 >= within.y1 - 1  # above the curves, not over them
    assert box.y1 <= profile._left_title.get_window_extent().y0 + 1


def test_the_edge_profile_has_bands_and_marks_the_depth_if_it_is_known() -> None:
    place = np.linspace(-0.5, 1, 7)
    table = pd.DataFrame(
        {"quantity": "Li / counts", "distance_um": place, "value": 5.0, "low": 4.0, "high": 6.0}
    )
    (axis,) = figures.edge_profile_figure(table, depth=0.35).axes
    assert axis.get_ylabel() == "Li / counts" and "um" in axis.get_xlabel()
    assert 0.35 in [line.get_xdata()[0] for line in axis.lines]
    band = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (4, 6)
    assert len(figures.edge_profile_figure(table, depth=np.nan).axes[0].lines) == 2


PLACE = np.linspace(-0.6, 1.1, 35)
FOUND = Depletion(300.0, 250.0, 380.0, 0.5, 0.4, 0.6, 20, "found")


def _edges() -> pd.DataFrame:
    """Counts as the law has them inside, 20 in the depth of a particle; other counts outside."""
    law = 20 * (1 - 0.5 * np.exp(-PLACE / 0.3))
    value = np.where(PLACE > RIM / 1e3, law, 12.0)
    value[-1] = np.nan
    kinds = {"6Li+ / counts": value, "Zr / counts": 2 * value, "Zr / 6Li+": 2 + 0 * value}
    return pd.concat(
        pd.DataFrame({"quantity": name, "distance_um": PLACE, "value": of, "low": of, "high": of})
        for name, of in kinds.items()
    ).reset_index(drop=True)


def test_the_law_of_the_depletion_lies_on_the_counts_that_follow_it() -> None:
    figure = figures.edge_profile_figure(_edges(), FOUND)
    lithium, _, ratio = figure.axes
    fits = [[one for one in axis.lines if one.get_linestyle() == "--"] for axis in figure.axes]
    assert [len(one) for one in fits] == [1, 0, 0]
    x, y = fits[0][0].get_data()
    assert x[0] == pytest.approx(RIM / 1e3) and x[-1] == pytest.approx(PLACE[-2])
    np.testing.assert_allclose(y, 20 * (1 - 0.5 * np.exp(-x / 0.3)), rtol=1e-6)
    assert any("300 nm (250 to 380, 95 %), 50 % lost" in text for text in _told(figure))
    assert 0.3 in [line.get_xdata()[0] for line in lithium.lines]
    assert lithium.get_ylabel() == "$^{6}$Li$^{+}$ / counts"
    assert ratio.get_ylabel() == "Zr / $^{6}$Li$^{+}$"


def test_the_level_of_the_law_is_that_of_the_inside() -> None:
    part = _edges()[:35]
    value = part["value"].to_numpy().copy()
    value[(PLACE > 0) & (PLACE < 0.4)] *= 3  # another phase's counts at the surface
    _, drawn = law_of(FOUND, PLACE, value)
    assert drawn[-1] == pytest.approx(20 * (1 - 0.5 * np.exp(-PLACE[-2] / 0.3)), rel=1e-6)
    assert not len(law_of(FOUND, PLACE[:5], value[:5])[0])  # nothing inside


def test_no_law_is_drawn_where_the_depletion_cannot_be_told() -> None:
    nothing = Depletion(*[np.nan] * 3, 0.1, -0.1, 0.3, 20, "cannot tell: the amplitude may be none")
    figure = figures.edge_profile_figure(_edges(), nothing)
    assert not [one for axis in figure.axes for one in axis.lines if one.get_linestyle() != "-"]
    assert _told(figure) == ["mean of all particles, 95 % band"]


def test_the_product_by_distance_is_drawn_where_the_table_has_it() -> None:
    table = _edges()
    product = np.tile(40.0 + PLACE, 3)
    table = table.assign(product=product, product_low=product - 1, product_high=product + 2)
    figure = figures.edge_profile_figure(table, FOUND)
    assert len(figure.axes) == 4
    axis = figure.axes[-1]
    assert axis.get_ylabel() == "product / counts$^2$"
    np.testing.assert_allclose(axis.lines[0].get_ydata(), 40 + PLACE)
    band = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((40 + PLACE[0] - 1, 40 + PLACE[-1] + 2))


def test_fractions_sizes_and_an_early_stop() -> None:
    fractions = pd.DataFrame(
        {"fraction": [0.6, 0.4], "low": [0.5, np.nan], "high": [0.7, np.nan]},
        index=pd.Index(["LLZTO", "LCO"], name="phase"),
    )
    (axis,) = figures.fraction_figure(fractions, pd.Series({"LCO": 0.41, "LLZTO": 0.59})).axes
    bars = [patch.get_height() for patch in axis.patches if patch.get_height()]
    assert bars == pytest.approx([60, 40])
    early = pd.DataFrame(
        {"phase": ["LLZTO"] * 2 + ["LCO"] * 2, "slices": [1, 2] * 2, "depth_um": [0.1, 0.2] * 2,
         "fraction": [0.5, 0.6, 0.5, 0.4], "low": 0.3, "high": 0.7}
    ).set_index(["phase", "slices"])  # fmt: skip
    panels = figures.convergence_figure(early).axes
    assert [panel.get_title(loc="left") for panel in panels] == ["LLZTO", "LCO"]
    np.testing.assert_allclose(panels[0].lines[0].get_ydata(), [50, 60])
    bins = pd.DataFrame(
        {"from_um": [0.0, 0.5], "to_um": [0.5, 1.0], "by_number": [0.25, 0.75], "law": [0.3, 0.7],
         "by_number_low": 0.1, "by_number_high": 0.9}
    )  # fmt: skip
    (axis,) = figures.particle_size_figure({"LLZTO": bins}, "by_number").axes
    assert [patch.get_height() for patch in axis.patches] == pytest.approx([25, 75])
    assert "um" in axis.get_xlabel()
