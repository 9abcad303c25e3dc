"""What other programs read from the same real files, number by number."""

from __future__ import annotations

from pathlib import Path

import gwyfile
import numpy as np
import pytest
from igor2 import binarywave

from liscope.readers import read_scan


@pytest.mark.parametrize("name", ["file_landscape.gwy", "gwyfile_test.gwy"])
def test_gwyddion_heights_equal_those_of_gwyfile(real: Path, name: str) -> None:
    path = real / "spm" / name
    channels = gwyfile.util.get_datafields(gwyfile.load(str(path)))
    field = next(iter(channels.values()))
    ours = next(iter(read_scan(path).data_vars.values()))
    assert ours.shape == (field["yres"], field["xres"])
    np.testing.assert_array_equal(ours, field["data"].reshape(field["yres"], field["xres"]))


def test_asylum_channels_equal_those_of_igor2(real: Path) -> None:
    path = real / "spm" / "P0089OP0027.ibw"
    wave = binarywave.load(path)["wave"]["wData"]  # x, y from the bottom, channel
    ours = read_scan(path)
    for channel, image in zip(np.moveaxis(wave, 2, 0), ours.data_vars.values(), strict=True):
        np.testing.assert_array_equal(image, channel.T[::-1])
