"""Series of EDS files, one a slice: maps that are stored, and maps made of spectra."""

import shutil

import numpy as np
import pytest
from synthetic_oina import oina

from liscope.errors import ReaderError
from liscope.readers import line_maps, read_eds, read_stack

COUNTS = np.random.default_rng(0).poisson(7, (2, 3, 6, 8))
HYPERMAP = "30x30_instructively_packed_16bit_compressed.bcf"
SIDECAR = """kind: eds
channels: {{{channels}}}
pixel_size: {pixel}
slice_thickness: 60
tilt: 52
"""


def sidecar(folder, names, suffix, pixel=0.0814):
    """Write a stack.yaml whose channels are in one file a slice."""
    channels = ", ".join(f'{name}: "s_{{slice}}{suffix}"' for name in names)
    (folder / "stack.yaml").write_text(SIDECAR.format(channels=channels, pixel=pixel))
    return folder


@pytest.fixture
def maps(tmp_path):
    """Three slices of Oxford's files with stored maps."""
    for i in range(3):
        stored = [{"Co": COUNTS[0, i], "Zr": COUNTS[1, i]}]
        (tmp_path / f"s_{i + 1}.h5oina").write_bytes(oina(stored, np.full((6, 8), 0.5)))
    return tmp_path


def test_maps_that_are_stored(maps):
    found = read_stack(sidecar(maps, ["Zr", "Co"], ".h5oina"))
    assert found.counts.dims == ("element", "slice", "y", "x") and found.counts.chunks
    np.testing.assert_allclose(found.counts.sel(element=["Co", "Zr"]), COUNTS, atol=1e-3)
    assert list(found.slice) == [1, 2, 3] and found.attrs["tilt"] == 52
    np.testing.assert_allclose(np.diff(found.x), 0.0814)


def test_a_file_that_is_no_slice_is_named(maps):
    sidecar(maps, ["Co"], ".h5oina")
    path = maps / "s_2.h5oina"
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(
        ReaderError, match=r"slice 2: 's_2\.h5oina' .*leave these slices out"
    ) as caught:
        read_stack(maps)
    assert "\n" not in str(caught.value)
    assert list(read_stack(maps, missing="leave out").slice) == [1, 3]
    path.unlink()
    with pytest.raises(ReaderError, match=r"slice 2: 's_2\.h5oina' is missing"):
        read_stack(maps)


@pytest.mark.parametrize(
    ("names", "pixel", "why"),
    [
        (["Ni"], 0.0814, r"has no map of Ni, and no spectra to make one of: .*Co"),
        (["Co"], 0.1, r"has pixels of 0\.0814 um along y, stack\.yaml says 0\.1"),
    ],
)
def test_what_does_not_fit_is_said(maps, names, pixel, why):
    with pytest.raises(ReaderError, match=why):
        read_stack(sidecar(maps, names, ".h5oina", pixel))


def test_a_file_of_several_slices_is_no_slice(tmp_path):
    both = [{"Co": COUNTS[0, i]} for i in range(2)]
    (tmp_path / "s_1.h5oina").write_bytes(oina(both, np.full((6, 8), 0.5)))
    with pytest.raises(ReaderError, match="holds 2 slices; give the file itself"):
        read_stack(sidecar(tmp_path, ["Co"], ".h5oina"))


def test_a_link_out_of_the_folder_is_refused(maps, tmp_path_factory):
    away = tmp_path_factory.mktemp("away") / "s_4.h5oina"
    shutil.copy(maps / "s_1.h5oina", away)
    (maps / "s_4.h5oina").symlink_to(away)
    with pytest.raises(ReaderError, match="is a link out of the folder"):
        read_stack(sidecar(maps, ["Co"], ".h5oina"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('kind: sims\nchannels: {Co: "s_{slice}.bcf"}', "is an EDS file: kind is eds"),
        ('kind: eds\nchannels: {Co: "s.bcf"}', "holds one slice; its name needs"),
        ('kind: eds\nbse: "s_{slice}.emd"\nchannels: {Co: "{slice}.tif"}', "bse is no EDS file"),
    ],
)
def test_sidecars_that_are_wrong(tmp_path, text, why):
    more = "\npixel_size: 0.1\nslice_thickness: 60\ntilt: 0\n"
    (tmp_path / "stack.yaml").write_text(text + more)
    with pytest.raises(ReaderError, match=why):
        read_stack(tmp_path)


def test_real_hypermaps_become_maps_of_their_lines(real, tmp_path):
    """Bruker's: the window of a line beside the sum of the spectra's own channels."""
    path = real / "volume" / "rosettasciio" / "bruker" / HYPERMAP
    for i in (1, 2):
        shutil.copy(path, tmp_path / f"s_{i}.bcf")
    pixel = float(np.diff(read_eds(path).x)[0])
    found = read_stack(sidecar(tmp_path, ["Si", "Fe"], ".bcf", pixel))
    spectrum = read_eds(path).spectrum.compute()
    near = np.abs(spectrum.energy - 1.74) <= 0.065
    silicon = spectrum[..., near.to_numpy()].sum("energy")
    for i in (0, 1):
        stacked = found.counts.sel(element="Si")[i]
        assert np.corrcoef(stacked.to_numpy().ravel(), silicon.to_numpy().ravel())[0, 1] > 0.99
        made = line_maps(read_eds(path), ["Si", "Fe"]).counts
        np.testing.assert_array_equal(found.counts[:, i], made)
