"""Cuts show the voxels that they say, in the specimen's proportions; pages and films likewise."""

from __future__ import annotations

import io

import dask
import dask.array as da
import numpy as np
import pytest
import volume_phantom
import xarray as xr
from bokeh.models import ColumnDataSource, GlyphRenderer, Slider, Span
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib_scalebar.scalebar import ScaleBar
from PIL import Image

from liscope.errors import DataError
from liscope.figures import animation, explore_volume, section_figure, volume_slider
from liscope.figures.style import ORANGE
from liscope.figures.volume_sections import sliding
from liscope.figures.volume_style import NOTHING, scale_of

AT = {"x": 1.03, "y": 0.5, "z": 0.31}  # um; the voxels next to it are 13, 6 and 5


def _pictures(figure: Figure) -> dict[str, object]:
    return dict(zip(("xy", "xz", "yz"), [a for a in figure.axes if a.images], strict=False))


def test_three_cuts_show_the_voxels_at_the_point() -> None:
    counts = volume_phantom.channel()
    shown = _pictures(section_figure(counts, AT))
    expected = {
        "xy": counts.isel(z=5),
        "xz": counts.isel(y=6),
        "yz": counts.isel(x=13).transpose("y", "z"),
    }
    for view, axis in shown.items():
        np.testing.assert_array_equal(axis.images[0].get_array().data, expected[view].to_numpy())
    upright, level = shown["xy"].lines
    assert upright.get_xdata()[0] == pytest.approx(13 * 0.08)
    assert level.get_ydata()[0] == pytest.approx(6 * 0.08)
    assert shown["yz"].lines[0].get_xdata()[0] == pytest.approx(5 * 0.06)


def test_cuts_have_one_scale_units_and_a_bar() -> None:
    figure = section_figure(volume_phantom.channel(), AT)
    shown, size = _pictures(figure), figure.get_size_inches()
    scales = []
    for axis in shown.values():
        box = axis.get_position()
        wide, high = (abs(np.diff(limits)[0]) for limits in (axis.get_xlim(), axis.get_ylim()))
        scales += [size[0] * box.width / wide, size[1] * box.height / high]
    np.testing.assert_allclose(scales, scales[0], rtol=1e-6)  # inches a um
    assert shown["xy"].get_ylabel() == "y / um" and shown["xz"].get_xlabel() == "x / um"
    assert shown["xz"].get_ylabel() == "z / um" == shown["yz"].get_xlabel()
    assert [one for one in shown["xy"].artists if isinstance(one, ScaleBar)]
    top, bottom = shown["xy"].get_ylim()[::-1]
    assert top < bottom  # y runs downwards


def test_what_was_not_measured_is_grey() -> None:
    figure = section_figure(volume_phantom.channel())
    figure.set_dpi(100)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=100)
    axis = _pictures(figure)["xy"]
    x, y = axis.transData.transform((3.0, 2.3))
    image = Image.open(buffer).convert("RGB")
    seen = image.getpixel((int(x), int(image.height - y)))
    np.testing.assert_allclose(np.array(seen) / 255, to_rgb(NOTHING), atol=0.01)


def test_a_scale_of_colours_of_nothing_is_no_error() -> None:
    nothing = xr.full_like(volume_phantom.channel(), np.nan)
    assert scale_of(nothing).vmin == 0
    section_figure(nothing).savefig(io.BytesIO())


@pytest.mark.parametrize("make", [section_figure, volume_slider, animation])
def test_other_axes_are_refused(make: object) -> None:
    with pytest.raises(DataError, match="choose one channel"):
        make(volume_phantom.channel().isel(z=0))  # type: ignore[operator]


def test_moving_a_slider_reads_one_slice() -> None:
    counts = volume_phantom.channel()
    read: list[int] = []

    def slice_of(block_id: tuple[int, ...]) -> np.ndarray:
        read.append(block_id[0])
        return counts.to_numpy()[block_id[0]][None]

    lazy = da.map_blocks(
        slice_of, chunks=((1,) * 20, (30,), (50,)), dtype=np.float32, meta=np.empty((0, 0, 0))
    )
    with dask.config.set(scheduler="synchronous"):
        plots = list(sliding(counts.copy(data=lazy)))
        read.clear()
        image = plots[0][float(counts["z"][7])]
    assert set(read) == {7}
    # HoloViews turns what it is given by its bounds: the first row is the one with the least y.
    np.testing.assert_array_equal(image.dimension_values(2, flat=False), counts.isel(z=7))


def test_sliders_are_for_jupyterlab_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert explore_volume(volume_phantom.channel()) is None


def _stack(layout: object) -> np.ndarray:
    sources = layout.select({"type": ColumnDataSource})  # type: ignore[attr-defined]
    found = [one.data["volume"][0] for one in sources if "volume" in one.data]
    callbacks = [
        one.args["stack"].data["volume"][0]
        for slider in layout.select({"type": Slider})  # type: ignore[attr-defined]
        for one in slider.js_property_callbacks["change:value"]
    ]
    return (found or callbacks)[0]


def test_the_bytes_in_a_page_are_the_counts_within_half_a_step() -> None:
    counts = volume_phantom.channel()
    codes = _stack(volume_slider(counts)).reshape(counts.shape)
    norm, values = scale_of(counts), counts.to_numpy()
    assert (codes[np.isnan(values)] == 255).all() and (codes[np.isfinite(values)] < 255).all()
    back = norm.vmin + codes / 254 * (norm.vmax - norm.vmin)
    inside = (values > norm.vmin) & (values < norm.vmax)
    half = (norm.vmax - norm.vmin) / 254 / 2
    assert np.abs(back - values)[inside].max() <= half * 1.001


def test_a_page_of_phases_holds_their_labels_and_no_more_voxels_than_asked() -> None:
    phases = volume_phantom.phases()
    layout = volume_slider(phases)
    np.testing.assert_array_equal(_stack(layout), phases["label"].to_numpy().ravel())
    assert _stack(volume_slider(phases, 4000)).size <= 4000


def test_the_cuts_of_a_page_lie_where_their_coordinates_say() -> None:
    boxes = []
    for one in volume_slider(volume_phantom.phases()).select({"type": GlyphRenderer}):
        boxes.append({name: round(getattr(one.glyph, name), 6) for name in ("x", "y", "dw", "dh")})
    assert {"x": -0.04, "y": -0.04, "dw": 4.0, "dh": 2.4} in boxes  # xy
    assert {"x": -0.04, "y": -0.03, "dw": 4.0, "dh": 1.2} in boxes  # xz
    assert {"x": -0.03, "y": -0.04, "dw": 1.2, "dh": 2.4} in boxes  # yz
    marks = list(volume_slider(volume_phantom.phases()).select({"type": Span}))
    assert len(marks) == 6


def _line_of(frame: np.ndarray) -> float:
    """The middle row of what is orange."""
    away = np.abs(frame.astype(float) / 255 - to_rgb(ORANGE)).sum(-1)
    return float(np.flatnonzero((away < 0.15).mean(1) > 0.5).mean())


def test_a_film_runs_through_the_slices_in_their_proportions() -> None:
    counts = volume_phantom.channel()
    film = Image.open(io.BytesIO(animation(counts)))
    assert film.n_frames == 20 and film.info["loop"] == 0
    rows = []
    for number in range(film.n_frames):
        film.seek(number)
        rows.append(_line_of(np.asarray(film.convert("RGB"))))
    # From slice to slice the line goes down by as many pixels as the slice is thick.
    steps = np.diff(rows)
    assert steps.mean() == pytest.approx(film.width * 0.06 / 4.0, rel=0.05)
    assert steps.min() > 0


def test_a_film_is_the_same_bytes_and_of_a_bounded_size() -> None:
    rng = np.random.default_rng(0)
    counts = volume_phantom.channel()
    noise = counts.copy(data=rng.poisson(50, counts.shape).astype(np.float32))
    one, other = animation(noise), animation(noise.chunk(z=3))
    assert one == other and len(one) < 4_500_000
    assert len(animation(volume_phantom.phases())) < len(one)


def test_a_long_stack_makes_a_film_of_sixty_pictures() -> None:
    label = volume_phantom.phases()["label"]
    deep = xr.concat([label] * 5, "z").assign_coords(
        z=xr.DataArray(0.06 * np.arange(100), dims="z", attrs={"units": "um"})
    )
    film = Image.open(io.BytesIO(animation(xr.Dataset({"label": deep, "phase": ["a", "b", "c"]}))))
    assert film.n_frames == 60
