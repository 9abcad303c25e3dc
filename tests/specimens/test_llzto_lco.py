"""A composite in slices is what its seed says; every defect can be switched off alone."""

from dataclasses import fields, replace
from pathlib import Path

import dask.array
import numpy as np
import pytest
import xarray as xr
from scipy import ndimage

from liscope import specimens
from liscope.errors import ParameterError, ReaderError
from liscope.specimens import composite as matter
from liscope.specimens import llzto_lco, packing, section_scene
from liscope.specimens import section_instruments as tools
from liscope.specimens.composite import LCO, LLZTO, Bodies, Composite, balls, lithium, painted
from liscope.specimens.section_series import IDEAL, LAYER, Instrument, milled, with_defects

SLICES, SHAPE = 7, (24, 40)
DATA = (
    ("eds", "counts"),
    ("eds", "bse"),
    ("eds", "fiducial_gap"),
    ("sims", "counts"),
)
NOISY = replace(IDEAL, shot_noise=True)


@pytest.fixture(scope="module")
def bodies() -> Bodies:
    """What the small pictures below show, wherever they lie."""
    low, high = np.array([0.0, -11.0, -3.0]), np.array([1.1, 15.0, 15.0])
    return packing.grow(Composite(), low, high, np.random.default_rng(3))


@pytest.fixture
def _same_bodies(bodies: Bodies, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small scenes need not grow a composite each."""
    monkeypatch.setattr(section_scene, "grow", lambda *_: bodies)


def small(tool: Instrument | None = None, seed: int = 3, **size: object) -> xr.DataTree:
    size = {"slices": SLICES, "shape": SHAPE, "instrument": tool} | size
    return llzto_lco.stacks(seed, **size)


def only(**defect: object) -> Instrument:
    return replace(IDEAL, **defect)


def one_ball(phase: int, centre: tuple[float, float, float], radius: float) -> Bodies:
    return balls(np.array([centre]), np.array([radius]), np.array([phase]))


def everywhere(phase: int) -> Bodies:
    return one_ball(phase, (500.0, 9.0, 9.0), 1000.0)


# -------------------------------------------------------------------- form, seeds and switches


def test_a_composite_has_its_name_seed_and_measurements() -> None:
    assert specimens.check("llzto_lco#7/eds") == ("llzto_lco", 7, "eds")
    assert specimens.MEASUREMENTS["llzto_lco"] == ("eds", "sims")
    with pytest.raises(ReaderError, match="it has eds, sims"):
        specimens.measurement("llzto_lco/bse")


@pytest.mark.usefixtures("_same_bodies")
def test_the_papers_size_is_the_default() -> None:
    scene = section_scene.Scene.of(
        0, llzto_lco.SLICES, llzto_lco.EDS_SHAPE, ("Co",), Composite(), Instrument()
    )
    assert (len(scene.series.thickness), scene.shape, scene.sims_shape) == (
        39, (216, 352), (500, 500),
    )  # fmt: skip
    assert scene.series.thickness.sum() == pytest.approx(2300, abs=50)  # nm, as printed
    assert len(scene.series.eds_kept) == len(scene.series.sims_kept) == 37


@pytest.mark.usefixtures("_same_bodies")
def test_stacks_are_as_a_reader_hands_them_over() -> None:
    tree = small().compute()
    eds, sims, truth = (tree[node].to_dataset() for node in ("eds", "sims", "truth"))
    assert eds.counts.dims == ("element", "slice", "y", "x") and eds.counts.dtype.kind == "u"
    assert list(eds.element.to_numpy()) == ["Co", "Zr", "Al", "C"]
    assert sims.counts.dims == ("ion", "slice", "y", "x") and list(sims.ion) == ["6Li+"]
    assert eds.bse.dims == ("slice", "y", "x") and eds.fiducial_gap.attrs["units"] == "nm"
    for stack, pixel in ((eds, 0.0814), (sims, 0.072)):
        assert stack.counts.attrs["units"] == "count" and stack.y.attrs["units"] == "um"
        assert float(stack.x[0]) == pixel / 2 and np.allclose(np.diff(stack.y), pixel)
        assert stack.sizes["slice"] == SLICES - 2 and stack.attrs["slice_thickness"] == 60
        assert {"tilt", "source", "format", "history"} <= set(stack.attrs)
    assert not set(eds.slice.to_numpy()) >= set(sims.slice.to_numpy())
    assert truth.label.dims == ("z", "y", "x") and truth.label.dtype == np.uint8
    assert truth.attrs["phase_names"] == ["carbon", "LLZTO", "LCO", "alumina", "crack"]
    assert np.allclose(np.diff(truth.z), 0.06) and np.allclose(np.diff(truth.y), 0.0814)
    # A picture of 24 rows at 12 degrees shows 24.5 rows of the specimen.
    assert truth.label.shape == (SLICES, 25, 40) and truth.eds_matrix.shape == (SLICES, 2, 2)


@pytest.mark.usefixtures("_same_bodies")
def test_truth_is_apart_from_what_was_recorded() -> None:
    tree = small()
    secret = ("depletion", "volume_fraction", "phase", "matrix", "offset", "depth")
    for node in ("eds", "sims"):
        names = {*tree[node].attrs, *tree[node].data_vars, *tree[node].coords}
        known = names - {"total_depth", "total_depth_error"}
        assert not [name for name in known for word in secret if word in name]


def test_same_seed_gives_the_same_bytes_and_another_seed_another_composite() -> None:
    one, same, other = (small(seed=seed).compute() for seed in (5, 5, 6))
    xr.testing.assert_identical(one, same)
    same_label = (one["truth"].label == other["truth"].label).mean()
    assert same_label < 0.7 and not one["eds"].equals(other["eds"])


@pytest.mark.usefixtures("_same_bodies")
def test_a_slice_does_not_depend_on_the_block_it_is_in(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = small().compute()
    alone = small()["eds"].counts.isel(slice=3, element=1).compute()
    monkeypatch.setattr(section_scene, "BLOCK", 2)
    xr.testing.assert_identical(whole, small().compute())
    xr.testing.assert_identical(whole["eds"].counts.isel(slice=3, element=1), alone)


def test_every_defect_is_off_in_the_ideal_instrument() -> None:
    for defect in fields(Instrument):
        if defect.name in ("counts", "lithium"):
            assert getattr(IDEAL, defect.name) == defect.default
            continue
        assert np.all(np.asarray(getattr(IDEAL, defect.name)) == 0), defect.name
        assert np.all(np.asarray(defect.default) != 0), defect.name
    assert with_defects(drift=0.5) == replace(Instrument(), drift=0.5)


CASES = [
    ("eds_tilt", 12.0, DATA[:2]),
    ("sims_tilt", 20.0, DATA[3:]),
    ("rotation", 5.0, DATA[3:]),
    ("shift", (-1.0, 1.0), DATA[3:]),
    ("drift", 0.1, (*DATA[:2], DATA[3])),
    ("trend", (0.5, -0.3), (*DATA[:2], DATA[3])),
    ("uneven", 8.0, DATA),
    ("depth_error", 0.03, ()),
    ("gap_noise", 3.0, DATA[2:3]),
    ("interaction", 1.0, DATA[:2]),
    ("counts", 2.0, DATA[:2]),
    ("background", 1.0, (DATA[0], DATA[3])),
    ("shadowing", 0.15, DATA[:2]),
    ("curtaining", 0.05, (*DATA[:2], DATA[3])),
    ("charging", 0.25, DATA[:2]),
    ("lithium", 7.0, DATA[3:]),
    ("beam", 0.1, DATA[3:]),
    ("sputtered", 30.0, DATA[3:]),
    ("matrix", 0.45, DATA[3:]),
    ("grain", 0.06, DATA[3:]),
    ("gain_drift", 0.04, DATA[3:]),
    ("missing", 1, DATA),
    ("bad", 0.85, DATA[:2]),
    ("shot_noise", True, (*DATA[:2], DATA[3])),
]


@pytest.fixture(scope="module")
def ideal(bodies: Bodies) -> xr.DataTree:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(section_scene, "grow", lambda *_: bodies)
        return small(IDEAL, seed=30).compute()


@pytest.mark.parametrize(("defect", "value", "changed"), CASES)
@pytest.mark.usefixtures("_same_bodies")
def test_one_defect_alone_changes_only_what_it_is_of(
    defect: str, value: object, changed: tuple[tuple[str, str], ...], ideal: xr.DataTree
) -> None:
    found = small(only(**{defect: value}), seed=30).compute()  # of which one slice charges
    for node, name in DATA:
        same = found[node][name].equals(ideal[node][name])
        assert same != ((node, name) in changed), (node, name)
    assert found["truth"].attrs == ideal["truth"].attrs
    moved = defect in ("eds_tilt", "drift", "trend", "uneven")
    placed = ("eds_matrix", "eds_offset", "eds_depth")
    assert moved != all(found["truth"][name].equals(ideal["truth"][name]) for name in placed)
    total = defect in ("uneven", "depth_error")
    assert total == (found["eds"].attrs["total_depth"] != ideal["eds"].attrs["total_depth"])


def test_all_defects_are_tested() -> None:
    assert {case[0] for case in CASES} == {defect.name for defect in fields(Instrument)}


# -------------------------------------------------------------------------------- the composite


def test_shares_of_the_phases_follow_from_the_papers_mass_fractions() -> None:
    """47.5 : 47.5 : 5 wt%, 1 wt% of alumina on LCO, densities 5.4, 5.05, 1.9 and 3.95 g/cm3."""
    mass = {"carbon": 5, "LLZTO": 47.5, "LCO": 47.5 * 0.99, "alumina": 0.475, "crack": 0}
    density = {"carbon": 1.9, "LLZTO": 5.4, "LCO": 5.05, "alumina": 3.95, "crack": 1}
    volume = np.array([mass[name] / density[name] for name in matter.PHASES])
    seen = np.zeros(6)
    low, high = np.array([0.0, 0.0, 0.0]), np.array([3.0, 40.0, 40.0])
    for seed in range(3):
        grown = packing.grow(Composite(), low, high, np.random.default_rng(seed))
        for z in (0.2, 2.8):
            at = np.array([z, 0, 0]), np.array([0, 0.1, 0]), np.array([0, 0, 0.1])
            which = matter.near(grown, at[0], np.array([z, 40, 40]))
            seen += np.bincount(matter.labelled(grown, which, at, (400, 400)).ravel(), minlength=6)
    shares = seen[1:] / seen.sum()
    # Six sections hold some 600 sections of LLZTO particles: their share is known to about 2 %.
    assert shares[:3] == pytest.approx(volume[:3] / volume.sum(), abs=0.05)
    assert shares[3] == pytest.approx(volume[3] / volume.sum(), abs=0.002)
    assert 0 < shares[4] < 0.01


def diameters(bodies: Bodies, phase: int, count: int) -> np.ndarray:
    """Return diameters of balls of the same volume, from places strewn in the bodies' balls."""
    rng = np.random.default_rng(0)
    found = []
    for b in np.flatnonzero(bodies.phase == phase)[:count]:
        places = rng.uniform(-1, 1, (20000, 3))
        places = places[np.sum(places**2, 1) < 1] * bodies.radius[b]
        walls = bodies.wall[bodies.first[b] : bodies.first[b + 1]]
        inside = np.all(places @ walls[:, :3].T < walls[:, 3], axis=1)
        found.append(2 * bodies.radius[b] * np.cbrt(inside.mean()))
    return np.array(found)


def test_particles_have_the_papers_sizes(bodies: Bodies) -> None:
    """LLZTO 2 to 8 um, LCO sub-micrometre to 3 um; contacts make some of them smaller."""
    llzto, lco = diameters(bodies, LLZTO, 60), diameters(bodies, LCO, 300)
    assert llzto.max() < 8.2 and np.mean(llzto > 1.9) > 0.95
    assert np.ptp(llzto) > 3 and 3 < np.median(llzto) < 4.5
    assert lco.max() < 3.1 and np.mean(lco < 1) > 0.05 and 1 < np.median(lco) < 2


def test_depth_is_the_distance_to_a_particles_own_surface(bodies: Bodies) -> None:
    """Beside the Euclidean distance transform of the particle, painted on a grid of 50 nm."""
    walls = np.diff(bodies.first)
    inside = (bodies.phase == LLZTO) & (walls > 8) & (bodies.crack[:, 4] == 0)
    body = np.flatnonzero(inside)[0]
    reach, step = bodies.radius[body] + 0.1, 0.05
    start = bodies.centre[body] - reach
    count = int(2 * reach / step)
    down, right = np.array([0, step, 0]), np.array([0, 0, step])
    layers = [
        painted(
            bodies,
            np.array([body]),
            (start + np.array([k * step, 0, 0]), down, right),
            (count, count),
        )
        for k in range(count)
    ]
    there = np.array([layer[1] == body for layer in layers])
    depth = np.array([layer[2] for layer in layers])
    distance = ndimage.distance_transform_edt(there, sampling=step)
    # To the next place outside it is half a step or so farther than to the surface.
    difference = (distance - depth)[there]
    assert 0 < difference.mean() < step and np.abs(difference).max() < 1.8 * step
    assert there.sum() * step**3 == pytest.approx(
        np.pi / 6 * diameters(bodies._replace(phase=np.arange(len(walls))), body, 1)[0] ** 3,
        rel=0.03,
    )


def test_lithium_is_lost_at_the_edge_of_llzto_only() -> None:
    """c(d) = c0 (1 - A exp(-d / l)) in a ball: d is what its radius has over the distance."""
    at = np.zeros(3), np.array([0, 0.1, 0]), np.array([0, 0, 0.1])
    label, _, depth = painted(one_ball(LLZTO, (0, 0, 0), 3.0), np.array([0]), at, (1, 40))
    found = lithium(label, depth, 0.75, (0.4, 0.5))[0]
    radius = 0.1 * np.arange(30)
    expected = 0.75 * (1 - 0.5 * np.exp(-(3 - radius) / 0.4))
    np.testing.assert_allclose(found[:30], expected, rtol=1e-5)
    assert (found[31:] == 0).all()
    label, _, depth = painted(one_ball(LCO, (0, 0, 0), 3.0), np.array([0]), at, (1, 40))
    assert (lithium(label, depth, 0.75, (0.4, 0.5))[0, :30] == 1).all()


def test_coats_and_cracks_are_as_thick_as_they_are_said_to_be() -> None:
    """Along a line through the middle, at steps of 1 nm."""
    at = np.array([0, 0, -3.0]), np.array([0, 1.0, 0]), np.array([0, 0, 0.001])
    coated = one_ball(LCO, (0, 0, 0), 2.0)
    coated.coat[0] = [0, 0, 1, -2, 0.02]  # all around
    label = matter.labelled(coated, np.array([0]), at, (1, 6001))[0]
    assert (label == matter.ALUMINA).sum() == pytest.approx(40, abs=2)
    coated.coat[0, 3] = 0.0  # one half, where x is larger
    label = matter.labelled(coated, np.array([0]), at, (1, 6001))[0]
    assert (label == matter.ALUMINA).sum() == pytest.approx(20, abs=2) and label[4995] != LCO
    cracked = one_ball(LLZTO, (0, 0, 0), 2.0)
    cracked.crack[0] = [0, 0, 1, 0.5, 0.05]
    label = matter.labelled(cracked, np.array([0]), at, (1, 6001))[0]
    assert np.flatnonzero(label == matter.CRACK).mean() == pytest.approx(3500, abs=2)
    assert (label == matter.CRACK).sum() == pytest.approx(100, abs=2)


# ------------------------------------------------------------------------------ where things lie


@pytest.mark.parametrize(
    "tool",
    [
        IDEAL,
        only(eds_tilt=30.0, sims_tilt=20.0),
        only(rotation=20.0, shift=(-1.0, 0.5)),
        only(drift=0.2, trend=(0.5, -0.3), uneven=8.0),
    ],
)
def test_the_truth_tells_where_a_picture_has_a_particle(tool: Instrument) -> None:
    series = milled(tool, 9, (100, 110), 2)
    centre = np.array([0.2, 2.5, 3.5])
    ball = one_ball(LLZTO, tuple(centre), 1.0)
    pictures = (
        (series.eds, 0.0814, tools.x_rays(ball, tool, series, 6, (70, 90), ("Zr",))[0]),
        (series.sims, 0.072, tools.ions(
            ball, tool, series, 6, (100, 110), Composite(), (0.35, 0.5)
        )),
    )  # fmt: skip
    for frames, pixel, picture in pictures:
        found = (np.array(ndimage.center_of_mass(picture)) + 0.5) * pixel
        expected = frames.pictured(centre[1:])[6]
        np.testing.assert_allclose(found, expected, atol=0.005)  # um, a sixteenth of a pixel


def test_a_tilted_picture_is_foreshortened_along_y() -> None:
    tool = only(eds_tilt=40.0)
    series = milled(tool, 9, (100, 110), 2)
    ball = one_ball(LLZTO, (0.0, 3.5, 3.5), 2.0)
    picture = tools.x_rays(ball, tool, series, 0, (80, 90), ("Zr",))[0]
    there = np.argwhere(picture > 8)
    assert np.ptp(there[:, 0]) / np.ptp(there[:, 1]) == pytest.approx(np.cos(np.deg2rad(40)), 0.03)


def test_depths_follow_from_fiducials_and_the_total() -> None:
    tree = small(only(uneven=8.0))
    eds, truth = tree["eds"].to_dataset(), tree["truth"].to_dataset()
    depth = (6000 - eds.fiducial_gap) / (2 * np.tan(np.deg2rad(eds.attrs["fiducial_angle"] / 2)))
    np.testing.assert_allclose(depth / 1e3, truth.eds_depth, atol=1e-9)
    last = eds.attrs["total_depth"] - float(truth.eds_depth[-1])
    assert eds.attrs["slice_count"] == SLICES and 0.03 < last < 0.09  # um, of the last slice


def test_slices_are_uneven_and_drift_as_told() -> None:
    series = milled(with_defects(trend=(0, 0), missing=0), 3000, (500, 500), 4)
    assert series.thickness.std() == pytest.approx(8.0, rel=0.06)
    assert series.thickness.mean() == pytest.approx(LAYER, rel=0.01)
    for frames in (series.eds, series.sims):
        steps = np.diff(frames.offset, axis=0)
        assert steps.std(0) == pytest.approx([0.1, 0.1], rel=0.06)
        assert np.abs(frames.offset - frames.offset.mean(0)).max() < 2.5  # stays in the field
    trend = milled(only(trend=(0.5, -0.3)), 200, (500, 500), 4).eds.offset
    np.testing.assert_allclose(trend[-1] - trend[0], (0.5, -0.3), rtol=1e-3)
    assert np.log(series.sims_gain).std() == pytest.approx(0.04, rel=0.15)


# ----------------------------------------------------------------------------------- instruments


def test_counts_are_poisson() -> None:
    series = milled(NOISY, 9, (100, 100), 0)
    counts = tools.x_rays(everywhere(LLZTO), NOISY, series, 0, (150, 150), ("Zr", "Co"))
    number = counts[0].size
    assert counts[0].mean() == pytest.approx(16, abs=4 * np.sqrt(16 / number))
    dispersion = counts[0].var() / counts[0].mean()
    assert dispersion == pytest.approx(1, abs=4 * np.sqrt(2 / number))
    assert not counts[1].any()
    ions = tools.ions(everywhere(LCO), NOISY, series, 0, (150, 150), Composite(), (0.35, 0.5))
    assert ions.var() / ions.mean() == pytest.approx(1, abs=4 * np.sqrt(2 / ions.size))
    assert ions.mean() == pytest.approx(14, abs=4 * np.sqrt(14 / ions.size))


def test_x_ray_ranges_are_andersons_and_haslers() -> None:
    """By hand: 5^1.68 = 14.94, 2.222^1.68 = 3.825, 0.284^1.68 = 0.1206."""
    found = tools.excited(("Zr", "C"))
    assert found == pytest.approx([0.064 * 11.12, 0.064 * 14.82], rel=2e-3)


@pytest.mark.parametrize("covered", [0.0, 0.11, 0.215])
def test_llzto_shines_through_carbon(covered: float) -> None:
    """Mean mass depth of Zr L 0.37 x 0.711 um g/cm3; carbon has 1.9 g/cm3."""
    tool = only(interaction=1.0)
    series = milled(tool, 9, (100, 100), 0)
    radius = 10000.0
    below = one_ball(LLZTO, (radius + covered, 1.6, 1.6), radius)
    signal = tools.x_rays(below, tool, series, 0, (40, 40), ("Zr",))[0, 20, 20]
    expected = 16 * np.exp(-1.9 * covered / (0.37 * 0.7114))
    assert signal == pytest.approx(expected, rel=0.01)
    above = one_ball(LLZTO, (-radius - 0.001, 1.6, 1.6), radius)  # milled away already
    assert not tools.x_rays(above, tool, series, 0, (40, 40), ("Zr",)).any()


def test_blur_is_as_wide_as_told() -> None:
    """Across a straight edge, the slope is a Gaussian: that of the beam, and the pixel's."""
    edge = one_ball(LCO, (0.0, 3.6, 1003.6), 1000.0)
    for picture, sigma, pixel in (
        (_seen(edge, only(interaction=1.0)), 0.45 * 0.9137 / 5.2, 0.0814),
        (_lithium_seen(edge, only(beam=0.3)), 0.3 / 2.3548, 0.072),
    ):
        slope = np.diff(picture[40])
        place = np.arange(len(slope)) * pixel
        middle = np.average(place, weights=slope)
        width = np.sqrt(np.average((place - middle) ** 2, weights=slope))
        assert width == pytest.approx(np.hypot(sigma, pixel / np.sqrt(12)), rel=0.1)


def _seen(bodies: Bodies, tool: Instrument, number: int = 0) -> np.ndarray:
    series = milled(tool, 25, (100, 100), 0)
    return tools.x_rays(bodies, tool, series, number, (80, 90), ("Co",))[0].astype(float)


def _lithium_seen(bodies: Bodies, tool: Instrument, number: int = 0) -> np.ndarray:
    series = milled(tool, 25, (100, 100), 0)
    picture = tools.ions(bodies, tool, series, number, (100, 100), Composite(), (0.35, 0.5))
    return np.asarray(picture, float)


def test_shading_stripes_and_charging_are_as_large_as_told() -> None:
    shadow = _seen(everywhere(LCO), only(shadowing=0.15))
    assert shadow[-1, 0] / shadow[0, 0] == pytest.approx(0.85, rel=1e-5)
    stripes = np.array([_seen(everywhere(LCO), only(curtaining=0.05), k)[0] for k in range(25)])
    assert np.std(stripes / 24) == pytest.approx(0.05, rel=0.3)
    ions = _lithium_seen(everywhere(LCO), only(curtaining=0.05), 3)[0]
    same = np.interp((np.arange(90) + 0.5) * 0.0814, (np.arange(100) + 0.5) * 0.072, ions)
    assert np.corrcoef(same[:85], stripes[3, :85])[0, 1] > 0.99  # the curtain hangs in the section
    charged = milled(IDEAL, 25, (100, 100), 0).charged
    pictures = [_seen(everywhere(LCO), only(charging=0.25), k) / 24 - 1 for k in range(25)]
    worst = np.array([np.abs(picture).max() for picture in pictures])
    assert charged.any() and np.allclose(worst[charged], 0.25, atol=0.02)
    assert not worst[~charged].any()


def test_one_slice_of_x_rays_is_bad_and_lithium_ionises_less_in_llzto() -> None:
    means = np.array([_seen(everywhere(LCO), only(bad=0.85), k).mean() for k in range(25)])
    assert np.sum(np.isclose(means, 24)) == 24 and means.min() == pytest.approx(0.15 * 24)
    core = one_ball(LLZTO, (0.0, 3.6, 3.6), 20.0)  # its surface is too far away to be poor
    rich, poor = (_lithium_seen(core, only(matrix=m))[50, 50] for m in (0.0, 0.45))
    assert rich == pytest.approx(14 * 0.753, rel=1e-4) and poor == pytest.approx(0.55 * rich)


def test_too_few_slices_are_refused() -> None:
    with pytest.raises(ParameterError, match="6 slices are too few where 2 of each are missing"):
        small(slices=6)


# ---------------------------------------------------------------------------------------- larger


def test_a_store_holds_what_the_stacks_are_in_chunks_of_a_channel(tmp_path: Path) -> None:
    path = tmp_path / "large.zarr"
    elements = ("Co", "Zr", "Al", "C", "O")
    llzto_lco.write(path, 4, slices=9, shape=SHAPE, elements=elements)
    stored = xr.open_datatree(path, engine="zarr", chunks={}, consolidated=False)
    expected = small(None, seed=4, slices=9, elements=elements).compute()
    for node in ("eds", "sims"):
        assert isinstance(stored[node].counts.data, dask.array.Array)
        xr.testing.assert_identical(
            stored[node].to_dataset().compute(), expected[node].to_dataset()
        )
    assert stored["eds"].counts.chunks == ((1,) * 5, (4, 3), (24,), (40,))
    truth = stored["truth"].to_dataset().compute()
    xr.testing.assert_identical(truth.label, expected["truth"].label)
    assert truth.label.dtype == np.uint8 and "lithium" not in truth
    counted = np.bincount(truth.label.to_numpy().ravel(), minlength=6)[1:] / truth.label.size
    np.testing.assert_allclose(truth.volume_fraction, counted)
    with pytest.raises(ParameterError, match="there already"):
        llzto_lco.write(path, 4, slices=9, shape=SHAPE)


def test_a_larger_picture_shows_the_same_particles_alike(bodies: Bodies) -> None:
    tool = with_defects(shadowing=0, shot_noise=False, charging=0)
    series = milled(tool, 9, (100, 100), 0)
    little, large = (
        tools.x_rays(bodies, tool, series, 4, shape, ("Co", "Zr")) for shape in ((40, 50), (70, 80))
    )
    inner = (slice(None), slice(10, 30), slice(10, 40))  # a blur's reach from the border
    np.testing.assert_allclose(little[inner], large[inner], rtol=1e-5)


@pytest.mark.usefixtures("_same_bodies")
def test_stacks_are_lazy(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    make = section_scene.Scene.x_rays
    monkeypatch.setattr(
        section_scene.Scene, "x_rays", lambda scene, k: asked.append(k) or make(scene, k)
    )
    tree = small(slices=30)
    assert not asked
    tree["eds"].counts.isel(slice=0).compute()
    assert len(asked) == section_scene.BLOCK
