"""Segmented volumes: a published one, and files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from liscope.errors import ParameterError, ReaderError
from liscope.readers import read_segmented
from liscope.volume import fraction_table, labelled


def test_published_electrode(real: Path) -> None:
    """Voxel counts and fractions of TauFactor's own notebook."""
    found = read_segmented(real / "volume" / "taufactor" / "electrode.tiff")
    phases = labelled(found["label"], {"pore": 0, "NMC": 85, "CBD": 170}, (390.625,) * 3)
    counts = np.bincount(phases["label"].to_numpy().ravel(), minlength=4)
    assert counts.tolist() == [0, 7_548_361, 6_718_710, 2_510_145]
    shares = fraction_table(phases)["fraction"].to_numpy()
    assert shares == pytest.approx([0.449917, 0.400466, 0.149616], abs=1e-6)


def test_pages_are_read_when_asked_for(tmp_path: Path) -> None:
    labels = np.arange(84, dtype=np.uint16).reshape(2, 6, 7) % 5
    tifffile.imwrite(tmp_path / "a.tif", labels)
    found = read_segmented(tmp_path / "a.tif")["label"]
    assert found.chunks and found.dims == ("z", "y", "x")
    np.testing.assert_array_equal(found, labels)


def test_labels_without_a_name_are_not_measured(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.array([[[3, 7]], [[9, 3]]], np.uint8))
    phases = labelled(
        read_segmented(tmp_path / "a.tif")["label"], {"a": 7, "b": 3}, (1e3, 2e3, 3e3)
    )
    np.testing.assert_array_equal(phases["label"], [[[2, 1]], [[0, 2]]])
    assert phases["x"].to_numpy() == pytest.approx([1.5, 4.5])


def test_no_labels(tmp_path: Path) -> None:
    (tmp_path / "text.tif").write_bytes(b"II*\0 no tiff at all")
    tifffile.imwrite(tmp_path / "grey.tif", np.zeros((4, 5), np.uint8))
    tifffile.imwrite(tmp_path / "real.tif", np.zeros((2, 4, 5), np.float32))
    whole = tmp_path / "whole.tif"
    tifffile.imwrite(whole, np.zeros((8, 50, 50), np.uint8))
    (tmp_path / "cut.tif").write_bytes(whole.read_bytes()[:9000])
    for name in ("text", "grey", "real", "cut", "absent"):
        with pytest.raises(ReaderError, match=name):
            read_segmented(tmp_path / f"{name}.tif")


def test_marks_that_the_file_cannot_have(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2, 2, 2), np.uint8))
    label = read_segmented(tmp_path / "a.tif")["label"]
    for marks in ({"a": 1, "b": 1}, {"a": 300}):
        with pytest.raises(ParameterError, match="distinct labels"):
            labelled(label, marks, (1.0, 1.0, 1.0))
