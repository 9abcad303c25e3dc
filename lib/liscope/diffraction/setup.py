"""What the templates need to know of the microscope, from the file, the rings and the user."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from liscope.diffraction.calibration import RingFit
from liscope.diffraction.polar import Geometry
from liscope.diffraction.templates import Beam
from liscope.errors import DataError
from liscope.units import to_units

PER_NM = 0.1  # 1/angstrom in 1/nm


def nominal_pixel(scan: xr.Dataset) -> float:
    """Return the size of a pixel in 1/angstrom as the file says.

    Raises
    ------
    DataError
        If the file says nothing that can be believed.
    """
    if scan["kx"].attrs.get("units") not in ("1/angstrom", "1/nm"):
        raise DataError("the file does not say how large a pixel is; give 'pixel' in 1/angstrom")
    return float(np.median(np.diff(to_units(scan["kx"], "1/angstrom").values)))


def geometry(
    fit: RingFit | None,
    scan: xr.Dataset,
    pixel: float | None,
    rotation: float | None,
) -> Geometry:
    """Return how reciprocal space lies on the camera.

    Parameters
    ----------
    fit
        Of rings; without one, pixels are square.
    pixel
        In 1/angstrom, in place of the fitted or nominal one.
    rotation
        From the scan's x axis to the camera's, in degrees, towards y; as the file says by default,
        and 0 where it says nothing.
    """
    told = scan.attrs.get("scan_rotation", np.nan) if rotation is None else rotation
    turn = np.deg2rad(told if np.isfinite(told) else 0.0)
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    oval, size = np.eye(2), pixel
    if fit is not None:
        along, across = fit.along.value / 2, fit.across.value / 2
        oval = np.array([[1 + along, across], [across, 1 - along]])
        size = pixel or fit.pixel.value
    if size is None:
        size = nominal_pixel(scan)
    shape = (scan.sizes["ky"], scan.sizes["kx"])
    return Geometry(oval @ turned / size, shape)


def beam_of(scan: xr.Dataset, voltage: float | None, precession: float, thickness: float) -> Beam:
    """Return the beam that the templates are made for.

    Parameters
    ----------
    voltage
        In kV; as the file says by default.
    precession
        Semi-angle in degrees.
    thickness
        Of the crystals in nm: the reflections' rods are as long as its inverse.

    Raises
    ------
    DataError
        If neither the file nor the parameter tells the voltage.
    """
    told = scan.attrs.get("beam_energy", np.nan) if voltage is None else voltage
    if not np.isfinite(told):
        raise DataError("the file does not tell the beam's energy; give 'voltage' in kV")
    return Beam(voltage=float(told), precession=precession, rod=PER_NM / thickness)


def calibration_table(
    fits: Mapping[str, RingFit],
    centres: Mapping[str, xr.Dataset],
    cameras: Mapping[str, Geometry],
) -> pd.DataFrame:
    """Return what was calibrated, one column a scan, with the residual of each step."""
    columns = {}
    for name, camera in cameras.items():
        column = {
            "pixel / (1/angstrom)": camera.pixel,
            "from the scan's x to the camera's / degree": camera.rotation,
            "beam off its drift / px": centres[name].attrs["residual"],
            "share of centres from the drift": centres[name].attrs["modelled"],
        }
        if name in fits:
            fit = fits[name]
            column |= {
                "pixel from rings / (1/angstrom)": fit.pixel.value,
                "its standard error": fit.pixel.error,
                "difference of the ellipse's axes": fit.ellipticity,
                "rings off the fit / px": fit.residual,
            }
        columns[name] = column
    return pd.DataFrame(columns)
