"""Opens files of scanning-probe and SIMS instruments as labelled `xarray.Dataset` objects.

One function for each kind of measurement; each recognises the file by its first bytes:

`read_scan`, scanning-probe images of five instrument families:

- dims ``("y", "x")``; the coordinates are pixel centres in um, counted from the top-left corner
  of the picture as the vendor's own program shows it, y downwards. Retrace images and upward
  scans are turned into this frame.
- one variable a channel and direction, retrace with the suffix ``_retrace``, with ``units``,
  ``long_name``, ``direction`` and ``quantity`` in its attributes;
- the scan's bias, set-point, angle, centre and line time in the attributes of the Dataset.

`read_curves`, I-V curves:

- dims ``("curve", "point")``, the points in order of acquisition: a backward sweep follows the
  forward sweep in one curve of twice as many points. Shorter curves end with NaN.
- variables ``bias`` (V), ``current`` (units of the file), ``time`` (s since the curve's first
  point, where the file tells; nominal, without slewing) and one for every other channel;
- coordinates ``curve`` (its number or label in the file), ``x``, ``y`` (um, in the scanner's own
  frame, y upwards; NaN where not told) and ``group`` where the file has groups;
- attributes ``bias_side`` and ``sweep_time`` (s from the first point of a curve to its last,
  the median over the curves).

`read_ions`, SIMS images:

- one variable ``counts`` (unit ``count``), dims ``("ion", "y", "x")``, or ``("ion", "frame", "y",
  "x")`` where the file has several frames or depth slices; lazy where the file is HDF5;
- coordinates ``ion`` (the file's own names), ``mass`` (u, NaN where not told), ``y`` and ``x``:
  pixel centres in um from the top-left corner, or in pixels (unit ``pixel``) where the file does
  not tell the size of the raster, which `with_field` then sets;
- attributes ``polarity`` (of the secondary ions), ``primary_beam``, ``shots_per_pixel`` and
  ``dwell_time`` (s) of a frame, and ``dead_time_corrected`` (yes, no or unknown).

`read_diffraction`, scans of diffraction patterns (4D-STEM, precession electron diffraction):

- ``pattern`` (unit ``1``, type as in the file), dims ``("y", "x", "ky", "kx")``, always lazy, in
  blocks of whole detector frames; a single pattern is a scan of 1 x 1. ``vbf``, the virtual
  bright field, where the file holds one;
- coordinates ``y``, ``x`` in nm and ``ky``, ``kx`` in 1/angstrom; in pixels (unit ``pixel``)
  where the file tells no calibration, or one that no instrument has. The origin of ``ky``, ``kx``
  is the middle of the frame unless the file tells where the beam is;
- attributes ``beam_energy`` (kV), ``camera_length`` (mm), ``scan_rotation``, ``precession_angle``
  (degrees), ``camera_gamma`` (on, off or unknown), ``notes``, ``missing_frames``, and
  ``k_calibration``, which says where the detector's coordinates come from.

`read_orientations`, orientation maps: see :mod:`liscope.readers.orientations`.

`read_eds`, energy-dispersive X-ray maps (EDS):

- ``spectrum`` (unit ``count``), dims ``("y", "x", "energy")``, always lazy, in blocks of rows; and
  ``counts``, maps of elements, ``("element", "y", "x")``, where the file holds them. Of a file with
  several slices ``("slice", "y", "x", "energy")`` and ``("element", "slice", "y", "x")``;
- coordinates ``energy`` in keV, ``y`` and ``x`` in um from the top-left corner, or in pixels (unit
  ``pixel``) where the file tells no calibration;
- ``bse``, ``se``, ``haadf`` and other electron images; where their grid is another one, on
  dimensions of their own, such as ``y_bse`` and ``x_bse``, in the same frame;
- attributes ``beam_energy`` (kV), ``tilt`` (degrees, of the stage or as told), ``live_time`` (s).

`line_maps` makes ``counts`` from ``spectrum``.

`read_sem`, pictures of electron microscopes: ``image``, dims ``("y", "x")`` or ``("slice", "y",
"x")``, lazy, coordinates as above; attributes ``beam_energy`` (kV), ``tilt`` and
``tilt_correction`` (degrees), ``dwell_time`` (s), ``working_distance`` (mm), ``detector``, and
``data_bar`` (rows at the bottom that show no specimen).

`read_stack`, slices of a volume as recorded (EDS or SIMS), always lazy where they come from files:
see :func:`liscope.readers.stacks.read_stack`. `read_ome_zarr` and `write_ome_zarr` keep volumes.

All keep the file's own metadata as JSON in ``metadata``, and ``source``, ``format`` and
``history`` in the attributes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from liscope.errors import DataError
from liscope.readers import (
    ang,
    asylum,
    asylum_curves,
    bif6,
    blockfile,
    bruker,
    ctf,
    eds_hdf5,
    gwyddion,
    hdf5,
    iontof,
    jeol,
    nanonis,
    nanonis_dat,
    nanonis_grid,
    nanoscope,
    nanosims,
    orix_hdf5,
    park,
    rosetta,
    segmented,
    sem_tiff,
    surfacelab,
    tables,
)
from liscope.readers.blockfile_writer import write_blockfile
from liscope.readers.common import guard, one_line
from liscope.readers.crystal_maps import to_crystal_map
from liscope.readers.eds_lines import line_maps
from liscope.readers.ions import with_field
from liscope.readers.ome_zarr import read_ome_zarr
from liscope.readers.ome_zarr_writer import write_ome_zarr
from liscope.readers.opening import Family, open_file, with_origin
from liscope.readers.orientations import from_crystal_map
from liscope.readers.orientations_writer import write_orientations
from liscope.readers.stacks import read_stack

__all__ = [
    "channel",
    "from_crystal_map",
    "line_maps",
    "read_curves",
    "read_diffraction",
    "read_eds",
    "read_ions",
    "read_ome_zarr",
    "read_orientations",
    "read_scan",
    "read_segmented",
    "read_sem",
    "read_stack",
    "to_crystal_map",
    "with_field",
    "write_blockfile",
    "write_ome_zarr",
    "write_orientations",
]

_SCANS = Family(
    "scan",
    "read_scan",
    ".gwy, .spm/.000, .ibw, .sxm, Park .tiff",
    "export it as .gwy",
    (gwyddion, nanoscope, asylum, nanonis, park),
)
_CURVES = Family(
    "I-V curve",
    "read_curves",
    "Nanonis .dat and .3ds, Asylum .ibw, .csv, .tsv",
    "export it as .csv",
    (nanonis_dat, nanonis_grid, asylum_curves, tables),
)
_IONS = Family(
    "SIMS image",
    "read_ions",
    "Cameca .im, .bif6, SurfaceLab ASCII .txt, ION-TOF .ita/.itm, TOFWERK .h5, SIMS-H5",
    "export it as BIF6 or ASCII",
    (nanosims, bif6, iontof, hdf5, surfacelab),
)
_DIFFRACTION = Family(
    "diffraction scan",
    "read_diffraction",
    "NanoMEGAS .blo, Merlin .mib, .dm3/.dm4, .tvips, .hspy, .zspy, EMD",
    "export it as .blo or .hspy",
    (blockfile, rosetta),
)
_ORIENTATIONS = Family(
    "orientation map",
    "read_orientations",
    ".ang, .ctf, orix .h5",
    "export it as .ctf or .ang",
    (ctf, orix_hdf5, ang),
)
_EDS = Family(
    "EDS map",
    "read_eds",
    "Bruker .bcf, Velox .emd, JEOL .pts/.map/.img, Oxford .h5oina",
    "export the map as one of these; of JEOL's .asw give the folder with its files",
    (bruker, jeol, eds_hdf5),
)
_SEM = Family("SEM picture", "read_sem", ".tif", "save it as .tif", (sem_tiff,))
_SEGMENTED = Family(
    "segmented volume", "read_segmented", ".tif", "save its labels as a TIFF of pages", (segmented,)
)
_ALL = (_SCANS, _CURVES, _IONS, _DIFFRACTION, _ORIENTATIONS, _EDS, _SEM)


def read_scan(path: str | os.PathLike[str]) -> xr.Dataset:
    """Return the scan in a Gwyddion, NanoScope, Asylum, Nanonis or Park file.

    Parameters
    ----------
    path
        The file; its content decides on the reader, its name does not.

    Returns
    -------
    xarray.Dataset
        Channels with dims ``("y", "x")``, as the package's docstring describes.

    Raises
    ------
    ReaderError
        If the file is missing, damaged, of another format, or holds no image.
    """
    return open_file(path, _SCANS, _ALL)


def read_curves(path: str | os.PathLike[str]) -> xr.Dataset:
    """Return the I-V curves in a Nanonis or Asylum file, or in a table.

    Parameters
    ----------
    path
        The file. Its content decides on the reader; only a table, which has no first bytes of
        its own, is known by its name: ``.csv`` or ``.tsv`` (columns: see
        :mod:`liscope.readers.tables`).

    Returns
    -------
    xarray.Dataset
        ``bias``, ``current`` and further channels with dims ``("curve", "point")``, as the
        package's docstring describes.

    Raises
    ------
    ReaderError
        If the file is missing, damaged, of another format, or holds no I-V curve.
    """
    return open_file(path, _CURVES, _ALL)


def read_ions(path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> xr.Dataset:
    """Return the SIMS images in a file, or in the files of one SurfaceLab measurement.

    Parameters
    ----------
    path
        The file; its content decides on the reader, its name does not. Or, for SurfaceLab's
        ASCII images, the folder of one measurement, or a list of its files (one a peak).

    Returns
    -------
    xarray.Dataset
        ``counts`` with dims ``("ion", "y", "x")`` or ``("ion", "frame", "y", "x")``, as the
        package's docstring describes. Lazy (dask) where the file is HDF5.

    Raises
    ------
    ReaderError
        If a file is missing, damaged, of another format, or holds no SIMS image; when the counts
        are computed as well, where they are lazy (TOFWERK: OSError of h5py).
    """
    if isinstance(path, (str, os.PathLike)):
        where = Path(path)
        if not where.is_dir():
            return open_file(where, _IONS, _ALL)
        with guard(where.name, surfacelab.FORM):
            return with_origin(surfacelab.read_folder(where), where.name, surfacelab.FORM)
    files = [Path(file) for file in path]
    name = f"{files[0].name} and {len(files) - 1} more" if files else "no file"
    with guard(name, surfacelab.FORM):
        return with_origin(surfacelab.read_files(files), name, surfacelab.FORM)


def read_diffraction(path: str | os.PathLike[str]) -> xr.Dataset:
    """Return the scan of diffraction patterns in a file, lazily.

    Parameters
    ----------
    path
        The file; its content decides on the reader, its name does not. Or a ``.zspy`` folder.

    Returns
    -------
    xarray.Dataset
        ``pattern`` with dims ``("y", "x", "ky", "kx")``, a dask array, as the package's docstring
        describes.

    Raises
    ------
    ReaderError
        If the file is missing, damaged, cut short, of another format, or holds no pattern.
    """
    where = Path(path)
    if not where.is_dir():
        return open_file(where, _DIFFRACTION, _ALL)
    with guard(where.name, rosetta.FORM):
        return with_origin(rosetta.read_folder(where), where.name, rosetta.FORM)


def read_orientations(path: str | os.PathLike[str]) -> xr.Dataset:
    """Return the orientation map in a file.

    Parameters
    ----------
    path
        The file. Its content decides on the reader; only ``.ang``, which has no first bytes of
        its own, is known by its name.

    Returns
    -------
    xarray.Dataset
        ``orientation``, ``phase`` and the table of phases with dims ``("y", "x")``, as
        :mod:`liscope.readers.orientations` describes. Of a map of ASTAR's program also
        ``astar_index`` (which is ``score`` as well) and ``astar_reliability``.

    Raises
    ------
    ReaderError
        If the file is missing, damaged, of another format, or its grid is hexagonal.
    """
    return open_file(path, _ORIENTATIONS, _ALL)


def read_eds(path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> xr.Dataset:
    """Return the EDS spectra, element maps and electron images in a file, lazily.

    Parameters
    ----------
    path
        The file; its content decides on the reader, its name does not. Or, for JEOL, which has one
        file a map, the folder of one measurement, or a list of its files.

    Returns
    -------
    xarray.Dataset
        ``spectrum``, ``counts`` and electron images, as the package's docstring describes.

    Raises
    ------
    ReaderError
        If a file is missing, damaged, of another format, or holds no EDS map; when the values are
        computed as well, since they are lazy.
    """
    if isinstance(path, (str, os.PathLike)):
        where = Path(path)
        if not where.is_dir():
            return open_file(where, _EDS, _ALL)
        with guard(where.name, jeol.FORM):
            return with_origin(jeol.read_folder(where), where.name, jeol.FORM)
    files = [Path(file) for file in path]
    name = f"{files[0].name} and {len(files) - 1} more" if files else "no file"
    with guard(name, jeol.FORM):
        return with_origin(jeol.read_files(files), name, jeol.FORM)


def read_sem(path: str | os.PathLike[str]) -> xr.Dataset:
    """Return the picture, or stack of pictures, that an electron microscope saved as TIFF, lazily.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    xarray.Dataset
        ``image`` with dims ``("y", "x")`` or ``("slice", "y", "x")``, as the package's docstring
        describes. In pixels where the file tells no calibration that is read here: those of
        FEI/Thermo Fisher, Zeiss and ImageJ are.

    Raises
    ------
    ReaderError
        If the file is missing, damaged, of another format, or its picture is coloured; when the
        pixels are computed as well, since they are lazy.
    """
    return open_file(path, _SEM, _ALL)


def channel(scan: xr.Dataset, quantity: str, direction: str = "trace") -> xr.DataArray:
    """Return the first channel of `scan` that holds `quantity` in `direction`.

    Raises
    ------
    DataError
        If there is none; the message lists what there is.
    """
    for array in scan.data_vars.values():
        if (array.attrs.get("quantity"), array.attrs.get("direction")) == (quantity, direction):
            return array
    source = scan.attrs.get("source", "the scan")
    found = [(a.attrs.get("quantity"), a.attrs.get("direction")) for a in scan.data_vars.values()]
    others = ", ".join(sorted({f"'{way}'" for what, way in found if what == quantity}))
    if others:
        why = f"no {quantity} in direction '{direction}'; it has direction {others}"
    else:
        why = f"no {quantity} channel; it has " + ", ".join(
            f"{name} ({what})" for name, (what, _) in zip(scan.data_vars, found, strict=True)
        )
    raise DataError(one_line(f"'{source}' has {why}"))


def read_segmented(path: str | os.PathLike[str]) -> xr.Dataset:
    """Return the labels of a volume that another program segmented: ``label`` (z, y, x), lazily.

    Parameters
    ----------
    path
        A TIFF of several pages. Coordinates are in pixels, for the file knows no size.

    Raises
    ------
    ReaderError
        If the file is missing, damaged, or holds no labels of three dimensions.
    """
    return open_file(path, _SEGMENTED, _ALL)
