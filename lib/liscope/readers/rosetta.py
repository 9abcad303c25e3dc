"""Diffraction scans that RosettaSciIO reads: Merlin, DigitalMicrograph, TVIPS, HyperSpy, EMD.

What stays in the file stays lazy. The two axes that RosettaSciIO calls signal are the detector's,
the others the scan's; where it calls all four signal (py4DSTEM), the first two are the scan's. A
series of frames without a known raster is one line of a scan. Of several signals in a file the one
with most patterns is taken, the others are named in ``left_aside``.

- Merlin ``.mib``: the raster is guessed from the times of the frames; an interrupted scan has its
  complete lines, and ``missing_frames`` counts the others.
- TVIPS: the calibration is left aside, the format has only whole numbers of 1/nm for it.
- ``.hspy``, EMD and py4DSTEM ``.h5`` are HDF5: nothing in them is unpickled or evaluated, and
  what points out of the file is refused.
- ``.zspy`` is a folder (Zarr); one that asks for the codec ``pickle`` is refused.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import xarray as xr

from liscope.errors import DataError, ReaderError
from liscope.readers.common import NAN, kind, readable_units
from liscope.readers.patterns import BLOCK, Setup, dataset, frame_chunks
from liscope.readers.rosetta_checks import (
    check_hdf5,
    check_merlin,
    check_micrograph,
    check_tags,
    check_zarr,
    walk,
)
from liscope.units import factor

FORM = "Merlin .mib, .dm3/.dm4, .tvips, .hspy, .zspy or EMD"
HDF5 = b"\x89HDF\r\n\x1a\n"
_DM = (b"\0\0\0\3", b"\0\0\0\4")
_TVIPS = (b"\0\1\0\0\1\0\0\0", b"\0\1\0\0\2\0\0\0")
STARTS = (HDF5, b"MQ1,", *_DM, *_TVIPS)
SUFFIXES = (r"\.mib", r"\.dm[34]", r"\.tvips", r"\.hspy", r"\.emd", r"\.h5", r"\.hdf5")


def read_path(path: Path) -> xr.Dataset:
    """Return the scan in the file, lazily."""
    with path.open("rb") as file:
        head = file.read(1024)
    if head.startswith(HDF5):
        return _hdf5(path)
    if head.startswith(_TVIPS):
        return _tvips(path)
    size = path.stat().st_size
    if head.startswith(_DM):
        check_tags(path)
        signals = _in_blocks("digitalmicrograph", path)
        check_micrograph(signals, size)
        return _scan(signals, "DigitalMicrograph")
    check_merlin(head, size)
    return _scan(_in_blocks("quantumdetector", path), "Merlin .mib")


def _in_blocks(plugin: str, path: Path) -> list[dict[str, Any]]:
    """Return what is memory-mapped, in blocks of whole frames; the first look tells the shape."""
    signals = _signals(plugin, path, chunks={})
    data = _largest([signal for signal in signals if _is_frames(signal)] or signals)["data"]
    if data.nbytes <= BLOCK or data.ndim < 3:
        return signals
    chunks = frame_chunks((*(1,) * (4 - data.ndim), *data.shape), data.dtype.itemsize)
    return _signals(plugin, path, chunks=dict(enumerate(chunks[-data.ndim :])))


def read_folder(path: Path) -> xr.Dataset:
    """Return the scan in a ``.zspy`` folder, lazily."""
    check_zarr(path)
    return _scan(_signals("zspy", path, mode="r"), "HyperSpy .zspy")


def _tvips(path: Path) -> xr.Dataset:
    if not re.search(r"_000\.tvips$", path.name, re.IGNORECASE):
        raise ReaderError("is not the first of its series, whose name ends in _000.tvips")
    signals = _signals("tvips", path)
    for axis in signals[0]["axes"][1:]:
        axis["units"] = ""
    return _scan(signals, "TVIPS .tvips")


def _hdf5(path: Path) -> xr.Dataset:
    if check_hdf5(path):
        return _scan(_signals("hspy", path), "HyperSpy .hspy")
    return _scan(_signals("emd", path, stack_group=False), "EMD")


def _signals(plugin: str, path: Path, **options: Any) -> list[dict[str, Any]]:
    """Return what RosettaSciIO finds in the file, lazily."""
    import dask  # here: they take their time to load

    reader = import_module(f"rsciio.{plugin}")
    with warnings.catch_warnings(), dask.config.set({"array.chunk-size": BLOCK}):
        warnings.simplefilter("ignore")
        found: list[dict[str, Any]] = reader.file_reader(str(path), lazy=True, **options)
    signals = [signal for signal in found if getattr(signal.get("data"), "ndim", 0) > 1]
    if not signals:
        raise ReaderError("holds no diffraction patterns")
    return signals


def _largest(signals: list[dict[str, Any]]) -> dict[str, Any]:
    return max(signals, key=lambda signal: int(signal["data"].size))


def _is_frames(signal: dict[str, Any]) -> bool:
    """Tell whether the detector's axes measure nothing, or an inverse length: no image."""
    units = [_plain(axis.get("units")) for axis in signal["axes"][-2:]]
    return all(_inverse_angstrom(unit) > 0 or not kind(readable_units(unit)[0]) for unit in units)


def _scan(signals: list[dict[str, Any]], form: str) -> xr.Dataset:
    """Return the Dataset of the largest of the signals."""
    frames = [signal for signal in signals if _is_frames(signal)]
    if not frames:
        units = _plain(signals[0]["axes"][-1].get("units"))
        raise ReaderError(f"holds images (their axes are in {units}), no diffraction patterns")
    taken = _largest(frames)
    order = _order(taken["axes"])
    pattern = taken["data"].transpose(order)
    pattern = pattern.reshape((1,) * (4 - pattern.ndim) + pattern.shape)
    pattern = pattern.astype(pattern.dtype.newbyteorder("="))
    pattern = pattern.rechunk(frame_chunks(pattern.shape, pattern.dtype.itemsize))
    axes = [{}] * (4 - len(order)) + [taken["axes"][i] for i in order]
    aside = tuple(_title(signal) for signal in signals if signal is not taken)
    setup = _setup(taken, axes, pattern.shape, aside)
    found = dataset(pattern, setup, _metadata(taken), __name__)
    return found.assign_attrs(format=form)


def _metadata(signal: Mapping[str, Any]) -> dict[str, Any]:
    told = {key: signal[key] for key in ("metadata", "original_metadata")}
    if isinstance(merlin := told["original_metadata"].get("mib_properties"), dict):
        merlin.pop("path", None)  # where the file lay is no property of the measurement
    return told


def _order(axes: list[dict[str, Any]]) -> list[int]:
    """Return the axes' numbers, those of the scan first."""
    detector = [i for i, axis in enumerate(axes) if not axis.get("navigate")]
    if len(detector) == 4:
        detector = [2, 3]
    scan = [i for i in range(len(axes)) if i not in detector]
    if len(detector) != 2 or len(scan) > 2:
        raise ReaderError(f"holds {len(detector)}-D signals over {len(scan)} axes, no 2-D patterns")
    return scan + detector


def _setup(
    signal: Mapping[str, Any], axes: list[dict[str, Any]], shape: tuple[int, ...], aside: Any
) -> Setup:
    y, x, ky, kx = axes
    return Setup(
        step=(_length(y, "scale"), _length(x, "scale")),
        start=(_length(y, "offset"), _length(x, "offset")),
        k_step=(_inverse(ky), _inverse(kx)),
        k_origin=(_origin(ky), _origin(kx)),
        calibrated_by="as the file tells",
        beam_energy=_told(signal, "TEM.beam_energy"),
        camera_length=_told(signal, "TEM.camera_length"),
        missing_frames=_missing(signal, shape),
        left_aside=aside,
    )


def _length(axis: Mapping[str, Any], key: str) -> float:
    """Return scale or offset of an axis in nm; NaN where it measures no length."""
    try:
        return _number(axis, key) * factor(readable_units(_plain(axis.get("units")))[0], "nm")
    except DataError:
        return NAN


def _inverse(axis: Mapping[str, Any]) -> float:
    return _number(axis, "scale") * _inverse_angstrom(_plain(axis.get("units")))


def _origin(axis: Mapping[str, Any]) -> float:
    """Return the pixel at which the axis has its origin."""
    return -_number(axis, "offset") / (_number(axis, "scale") or NAN)


def _number(axis: Mapping[str, Any], key: str) -> float:
    try:
        return float(axis.get(key, NAN))
    except (TypeError, ValueError):
        return NAN


def _plain(units: Any) -> str:
    """Return units without TeX and with pint's angstrom: "$A^{-1}$" becomes "A-1"."""
    text = re.sub(r"[$^{}\s]", "", str(units or ""))[:20]
    text = re.sub("[\u00c5\u212b]", "angstrom", text)
    return "" if text in ("<undefined>", "None", "px") else text


def _inverse_angstrom(units: str) -> float:
    """Return how many 1/angstrom the unit is; NaN where it is no inverse length."""
    match = re.fullmatch(r"(1/)?(A|angstrom|[npuf]?m)(-1)?", units)
    if not match or bool(match[1]) == bool(match[3]):
        return NAN
    return factor("1/" + match[2].replace("A", "angstrom"), "1/angstrom")


def _told(signal: Mapping[str, Any], name: str) -> float:
    """Return a number of the instrument, from the metadata or where the vendor has it."""
    place = f"Acquisition_instrument.{name}"
    value, change = walk(signal["metadata"], place), None
    for source, (target, converter) in signal.get("mapping", {}).items():
        if value is None and target == place:
            value, change = walk(signal["original_metadata"], source), converter
    try:
        return float(change(value) if change else value)
    except (TypeError, ValueError, AttributeError):
        return NAN


def _title(signal: Mapping[str, Any]) -> str:
    return f"{walk(signal['metadata'], 'General.title') or 'signal'} {signal['data'].shape}"


def _missing(signal: Mapping[str, Any], shape: tuple[int, ...]) -> int:
    """Return how many frames of a Merlin scan were announced but are not there."""
    header = signal["original_metadata"].get("hdr_file", {})
    announced = str(header.get("Frames in Acquisition (Number)", "")).strip()
    return max(int(announced) - shape[0] * shape[1], 0) if announced.isdecimal() else 0
