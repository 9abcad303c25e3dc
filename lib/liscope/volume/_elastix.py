"""Elastix's rigid registration by mutual information, between two maps on the same pixels.

Its stock "rigid" parameter map (S. Klein et al., IEEE Trans. Med. Imaging 29, 196 (2010),
doi:10.1109/TMI.2009.2035616); seeded and on one thread, so that it repeats to the last bit.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from liscope.registration.placement import Array, Field


def rigid(fixed: xr.DataArray, moving: xr.DataArray, seed: int = 1) -> tuple[Array, Array]:
    """Return matrix (2, 2) and offset (2,) that map points of the fixed map to the moving one.

    Parameters
    ----------
    fixed, moving
        (y, x) on the same coordinates, um; where one of them is NaN, neither is looked at.
    seed
        Of the random samples.
    """
    import itk

    valid = np.isfinite(fixed.to_numpy()) & np.isfinite(moving.to_numpy())
    images = [_image(np.where(valid, m.to_numpy(), 0), fixed) for m in (fixed, moving)]
    mask = _image(valid, fixed)
    parameters = itk.ParameterObject.New()
    stock = parameters.GetDefaultParameterMap("rigid")
    stock["WriteResultImage"], stock["RandomSeed"] = ("false",), (str(seed),)
    parameters.AddParameterMap(stock)
    method = itk.ElastixRegistrationMethod.New(*images)
    method.SetFixedMask(mask)
    method.SetParameterObject(parameters)
    method.SetNumberOfThreads(1)
    method.SetLogToConsole(False)
    method.UpdateLargestPossibleRegion()
    found = method.GetTransformParameterObject().GetParameterMap(0)
    angle, *shift = (float(value) for value in found["TransformParameters"])
    centre = np.array([float(value) for value in found["CenterOfRotationPoint"]])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    offset = centre + shift - turn @ centre
    return turn[::-1, ::-1], offset[::-1]  # elastix counts x first


def _image(values: Array, like: xr.DataArray) -> object:
    import itk

    field = Field.of(like)
    kind = np.uint8 if values.dtype == bool else np.float32
    image = itk.image_from_array(np.ascontiguousarray(values, kind))
    image.SetOrigin(field.origin[::-1])
    image.SetSpacing(field.pixel[::-1])
    return image
