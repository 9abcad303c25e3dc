"""Affine or rigid registration by mutual information, from coarse to fine, through SimpleITK.

Mattes' mutual information (doi:10.1109/TMI.2003.809072) asks for no particular relation between
the two maps: counts may rise or fall with current or height.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import SimpleITK as sitk

from liscope.registration.placement import Array, Field, Placement

LEVELS = ((3, 2.0), (1, 0.0))  # shrink factor and smoothing (fixed pixels)
BINS = 32
STEPS = 150


def refine(
    fixed: tuple[Array, Field], moving: tuple[Array, Field], start: Placement, rigid: bool = False
) -> tuple[Placement, float]:
    """Return the placement of greatest mutual information near ``start``, and that (nats).

    Parameters
    ----------
    fixed, moving
        Maps (y, x) and their fields; NaN takes no part. The moving one must be as smooth as a pixel
        of the fixed one is wide.
    start
        Where the search begins; of a rigid one a turn and a shift.
    rigid
        Whether only turn and shift are sought, or all of an affine map.
    """
    still, mask = _image(*fixed)
    other, other_mask = _image(*moving)
    found: Any = sitk.Euler2DTransform() if rigid else sitk.AffineTransform(2)
    # SimpleITK counts x first.
    found.SetCenter(start.centre[::-1].tolist())
    found.SetMatrix(start.matrix[::-1, ::-1].ravel().tolist())
    found.SetTranslation(start.offset[::-1].tolist())
    # The sum in another order would be another number; a method's own setting misses some threads.
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricSamplingStrategy(method.NONE)
    if mask is not None:
        method.SetMetricFixedMask(mask)
    if other_mask is not None:
        method.SetMetricMovingMask(other_mask)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(0.05, 2e-4, STEPS, 0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([factor for factor, _ in LEVELS])
    method.SetSmoothingSigmasPerLevel([width * fixed[1].pixel[0] for _, width in LEVELS])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(found, inPlace=True)
    method.Execute(still, other)
    matrix = np.asarray(found.GetMatrix()).reshape(2, 2)[::-1, ::-1]
    offset = np.asarray(found.GetTranslation())[::-1]
    return replace(start, matrix=matrix, offset=offset), -float(method.GetMetricValue())


def _image(values: Array, field: Field) -> tuple[sitk.Image, sitk.Image | None]:
    valid = np.isfinite(values)
    image = sitk.GetImageFromArray(np.where(valid, values, np.nanmin(values)).astype(np.float32))
    mask = None if valid.all() else sitk.GetImageFromArray(valid.astype(np.uint8))
    for one in (image, mask):
        if one is not None:
            one.SetOrigin(field.origin[::-1])
            one.SetSpacing(field.pixel[::-1])
    return image, mask
