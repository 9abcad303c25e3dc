"""Thermo Fisher Velox, ``.emd``: counts as they came, element maps and electron images.

HDF5: ``Data/SpectrumStream`` has one stream a detector (their counts are added), ``Data/Image``
the images, each with its metadata as JSON. It is read here, since RosettaSciIO needs the package
sparse for any file with a spectrum image, even for its images alone. A file that Velox pruned has
maps and images only. Net and atomic-fraction maps are no counts; which kind a map is, the file
does not tell.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from liscope.errors import DataError, ReaderError
from liscope.readers.common import NAN, guard, readable_units
from liscope.readers.eds import TOLD, Measured, Picture, dataset, in_blocks, later
from liscope.readers.rosetta_checks import walk
from liscope.units import factor

if TYPE_CHECKING:
    import h5py

FORM = "Velox .emd"
_PIECE = 1 << 22  # values of a stream that are read at once
_MAX_IMAGES = 1000


def is_mine(file: h5py.File) -> bool:
    """Tell whether Velox wrote the file."""
    return "Data" in file and "Version" in file and b"Velox" in bytes(file["Version"][0])


def is_lazy(data: h5py.Dataset) -> bool:
    """Tell whether a data set stays in the file."""
    return str(data.name).startswith("/Data/")


def read_path(path: Path) -> xr.Dataset:
    """Return the spectra and images, lazily."""
    import h5py

    with h5py.File(path, "r") as file:
        images = {name: _metadata(group) for name, group in file.get("Data/Image", {}).items()}
        if len(images) > _MAX_IMAGES or not images:
            raise ReaderError(f"holds {len(images)} images; it is no spectrum image")
        shapes = {name: file[f"Data/Image/{name}/Data"].shape for name in images}
        titles = _titles(file)
        streams = {n: _settings(g) for n, g in file.get("Data/SpectrumStream", {}).items()}
        lengths = [file[f"Data/SpectrumStream/{name}/Data"].shape[0] for name in streams]
        about = {n: _metadata(file[f"Data/SpectrumStream/{n}"]) for n in streams}
    labels = {name: titles.get(name) or _detector(told) for name, told in images.items()}
    computed = [name for name in images if _is_map(images[name])]
    maps = [name for name in computed if "EELS" not in labels[name]]
    others = [name for name in images if name not in computed and len(shapes[name]) == 3]
    if not (maps or streams):
        raise ReaderError("holds images only, no spectra and no element maps; export them as TIFF")
    first = next(iter(about.values()), images[(maps or others)[0]])
    step = _step(first)
    pictures = {name: _frame(path, name, shapes[name]) for name in [*maps, *others]}
    whole = shapes[(maps or others)[0]][:2]
    if any(length + 1 < whole[0] * whole[1] for length in lengths):
        raise ReaderError(
            f"has {min(lengths)} values for {whole[0]} x {whole[1]} spectra: cut short"
        )
    shape = (*whole, int(next(iter(streams.values()), {}).get("bincount", 0)))
    found = Measured(
        step,
        _spectra(path, [*streams], shape) if streams else None,
        (tuple(labels[n] for n in maps), _stack([pictures[n] for n in maps])) if maps else None,
        tuple(Picture(labels[n], pictures[n], _step(images[n])) for n in others),
        _energy(first),
    )
    voltage = float(walk(first, "Optics.AccelerationVoltage") or NAN) / 1e3
    tilt = math.degrees(float(walk(first, "Stage.AlphaTilt") or NAN))
    attrs = {"beam_energy": voltage, "tilt": tilt, "detectors": len(streams)}
    return dataset(found, TOLD | attrs, first, __name__)


def _metadata(group: h5py.Group) -> dict[str, Any]:
    """Return the metadata of the first frame."""
    raw = bytes(group["Metadata"][:, 0]).rstrip(b"\0")
    found = json.loads(raw.decode("utf-8"))
    return found if isinstance(found, dict) else {}


def _settings(group: h5py.Group) -> dict[str, Any]:
    found = json.loads(group["AcquisitionSettings"][0])
    return found if isinstance(found, dict) else {}


def _titles(file: h5py.File) -> dict[str, str]:
    """Return the names under which the program shows the images."""
    titles = {}
    places = ("Displays/ImageDisplay", "Presentation/Displays/ImageDisplay")
    for display in (json.loads(shown[0]) for at in places for shown in file.get(at, {}).values()):
        told = display
        if str(display.get("data")) in file:
            told = json.loads(file[display["data"]][0])
        name = str(told.get("dataPath", "")).rpartition("/")[2]
        label = display.get("id") or walk(display, "display.label")
        if name and label:
            titles[name] = str(label)
    return titles


def _detector(told: dict[str, Any]) -> str:
    return str(walk(told, "BinaryResult.Detector") or "image")


def _is_map(told: dict[str, Any]) -> bool:
    """Tell whether an image was computed from spectra: its detector counts X-rays."""
    name = _detector(told)
    detectors = (told.get("Detectors") or {}).values()
    kinds = {d.get("DetectorType") for d in detectors if name in str(d.get("DetectorName"))}
    return kinds == {"AnalyticalDetector"}


def _step(told: dict[str, Any]) -> tuple[float, float]:
    """Return the size of a pixel along y and x, um."""
    units = str(walk(told, "BinaryResult.PixelUnitX") or "")
    try:
        um = factor(readable_units(units)[0], "um")
    except DataError:
        return NAN, NAN
    size = walk(told, "BinaryResult.PixelSize") or {}
    return float(size.get("height", NAN)) * um, float(size.get("width", NAN)) * um


def _energy(told: dict[str, Any]) -> tuple[float, float]:
    """Return the energy of channel 0 and the width of a channel, keV."""
    for detector in (told.get("Detectors") or {}).values():
        if _detector(told) in str(detector.get("DetectorName")) and "Dispersion" in detector:
            return float(detector["OffsetEnergy"]) / 1e3, float(detector["Dispersion"]) / 1e3
    return NAN, NAN


def _stack(images: list[Any]) -> Any:
    import dask.array as da

    if len({image.shape for image in images}) > 1:
        raise ReaderError("has element maps of different sizes; it is damaged")
    return da.stack(images)


def _frame(path: Path, name: str, shape: tuple[int, ...]) -> Any:
    """Return the first frame of an image, lazily; of maps it is the only one."""
    import h5py

    with h5py.File(path, "r") as file:
        kind = file[f"Data/Image/{name}/Data"].dtype
    if kind.kind not in "uif" or len(shape) != 3:
        raise ReaderError(f"has an image of {kind} numbers {shape}; it holds no EDS map")
    return later(shape[:2], kind, _read_frame, path, name)


def _read_frame(path: Path, name: str) -> NDArray[Any]:
    import h5py

    with guard(path.name, FORM), h5py.File(path, "r") as file:
        found: NDArray[Any] = file[f"Data/Image/{name}/Data"][:, :, 0]
        return found


def _spectra(path: Path, streams: list[str], shape: tuple[int, ...]) -> Any:
    """Return the lazy array (y, x, energy), in blocks of rows."""
    from dask.delayed import delayed

    starts = [delayed(_starts)(path, stream, shape[:2]) for stream in streams]
    return in_blocks(shape, _rows, path, streams, starts)


def _starts(path: Path, stream: str, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return where each row of each frame begins in a stream, (frame, row and end)."""
    from liscope.readers._eds_kernels import velox_starts

    ny, nx = shape
    with guard(path.name, FORM):
        ends = sum(int(np.count_nonzero(piece == 65535)) for piece in _pieces(path, stream))
        frames = -(-ends // (nx * ny)) or 1
        found, pixel, at = np.full(frames * ny + 1, -1, np.int64), 0, 0
        found[0] = 0
        for piece in _pieces(path, stream):
            pixel = velox_starts(piece, at, pixel, nx, found)
            at += len(piece)
    found[found < 0] = at  # a frame that was never finished
    rows = found[:-1].reshape(frames, ny)
    return np.column_stack([rows, np.append(rows[1:, 0], at)])


def _rows(
    path: Path,
    streams: list[str],
    starts: list[NDArray[np.int64]],
    first: int,
    shape: tuple[int, ...],
) -> NDArray[np.uint32]:
    """Return a block of rows, of all detectors."""
    import h5py

    from liscope.readers._eds_kernels import velox_rows

    count, nx, channels = shape
    found = np.zeros((count * nx, channels), np.uint32)
    with guard(path.name, FORM), h5py.File(path, "r") as file:
        for stream, begins in zip(streams, starts, strict=True):
            data = file[f"Data/SpectrumStream/{stream}/Data"]
            for frame in begins:
                velox_rows(data[frame[first] : frame[first + count], 0], found)
    return found.reshape(shape)


def _pieces(path: Path, stream: str) -> Iterator[NDArray[np.uint16]]:
    import h5py

    with h5py.File(path, "r") as file:
        data = file[f"Data/SpectrumStream/{stream}/Data"]
        if data.dtype != np.uint16 or data.ndim != 2:
            raise ReaderError(f"has a stream of {data.dtype} numbers; it is damaged")
        for at in range(0, data.shape[0], _PIECE):
            yield data[at : at + _PIECE, 0]
