"""Where the direct beam lies in each pattern of a scan."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import ndimage
from scipy.optimize import least_squares

from liscope.diffraction.virtual import BATCH, patterns_of
from liscope.errors import DataError

WINDOW = 6  # px, half the side of the square in which the direct beam is looked for, at least
STEPS = 5  # of the window after the beam
CLEAR = 2.0  # standard deviations by which the beam must rise above its surroundings
FAR = 3.0  # standard deviations from the drift beyond which a centre is not believed
LEAST = 0.1  # px, by which a centre is uncertain anyway; grey levels, by which its surroundings are

Array = np.ndarray


def beam_centres(scan: xr.Dataset) -> xr.Dataset:
    """Return the direct beam's pixel in each pattern of a scan, lazily where the scan is.

    The centre of gravity of what is brighter than half the beam, in a small window that follows it;
    it starts where the mean of some lines of the scan has its beam, so that strong spots nearby
    mislead no pattern.

    Parameters
    ----------
    scan
        ``pattern`` (y, x, ky, kx).

    Returns
    -------
    ``centre_x`` and ``centre_y`` (y, x) in pixels, and ``clear`` (y, x), by how many standard
    deviations of its surroundings the beam rises above them.

    Raises
    ------
    DataError
        If there are no patterns.
    """
    pattern = patterns_of(scan)
    lines = np.unique(np.linspace(0, pattern.sizes["y"] - 1, 5).astype(int))
    mean = pattern.isel(y=lines).mean(("y", "x"))
    found = xr.apply_ufunc(
        _centres,
        pattern,
        mean,
        input_core_dims=[["ky", "kx"], ["ky", "kx"]],
        output_core_dims=[["beam"]],
        dask="parallelized",
        output_dtypes=[np.float32],
        dask_gufunc_kwargs={"output_sizes": {"beam": 3}},
    )
    about = {"units": "pixel", "history": "liscope.diffraction.beam_centres"}
    names = ("centre_x", "centre_y", "clear")
    out = xr.Dataset({name: found.isel(beam=i) for i, name in enumerate(names)})
    for name in names[:2]:
        out[name].attrs = about
    out["clear"].attrs = {"units": "1", "long_name": "height of the beam, standard deviations"}
    return out


def _centres(patterns: Array, mean: Array) -> Array:
    """Return x, y and clearness (..., 3) of the beams."""
    flat = patterns.reshape(-1, *patterns.shape[-2:])
    start, radius = _start(mean.reshape(mean.shape[-2:]))
    half = max(WINDOW, int(np.ceil(2 * radius)))
    parts = range(0, len(flat), 8 * BATCH)
    found = [_followed(flat[i : i + 8 * BATCH], start, half) for i in parts]
    return np.concatenate(found).reshape(*patterns.shape[:-2], 3)


def _start(mean: Array) -> tuple[Array, float]:
    """Return x, y and radius in pixels of the beam in the mean pattern, in the camera's middle."""
    rows, columns = mean.shape
    inner = np.zeros(mean.shape, bool)
    inner[rows // 4 : -(rows // 4), columns // 4 : -(columns // 4)] = True
    bright = np.where(inner, np.clip(mean - 0.5 * mean[inner].max(), 0, None), 0)
    patch, count = ndimage.label(bright)
    size = ndimage.sum_labels(bright, patch, np.arange(1, count + 1))
    weight = np.where(patch == 1 + np.argmax(size), bright, 0) if count else bright
    y, x = np.indices(mean.shape)
    at = np.array([(weight * x).sum(), (weight * y).sum()]) / max(weight.sum(), 1e-6)
    return at, float(np.sqrt((weight > 0).sum() / np.pi))


def _followed(patterns: Array, start: Array, half: int) -> Array:
    """Return x, y and clearness (n, 3) of beams that are within reach of ``start``."""
    side = np.arange(-half, half + 1)
    radius = np.hypot(*np.meshgrid(side, side))
    within, rim = radius <= half, (radius <= half) & (radius > half - 1.2)
    rows, columns = patterns.shape[1:]
    at = np.tile(start.astype(np.float32), (len(patterns), 1))
    number = np.arange(len(patterns))[:, None, None]
    for _ in range(STEPS):
        middle = np.clip(np.rint(at).astype(int), half, np.array([columns, rows]) - half - 1)
        x, y = middle[:, 0, None] + side, middle[:, 1, None] + side
        seen = patterns[number, y[:, :, None], x[:, None, :]].astype(np.float32)
        around = np.sort(seen[:, rim], axis=1)
        base = around[:, around.shape[1] // 2]
        top = np.where(within, seen, 0).max((1, 2)) - base
        rest = (at - middle)[:, :, None]
        away = (side - rest[:, :1]) ** 2 + np.swapaxes((side - rest[:, 1:]) ** 2, 1, 2)
        near = np.clip(1 - away / half**2, 0, None)  # what is at the rim may be a spot's
        weight = np.clip(seen - (base + 0.5 * top)[:, None, None], 0, None) * near
        total = np.maximum(weight.sum((1, 2)), 1e-6)
        shift = np.stack([(weight.sum(1) * side).sum(1), (weight.sum(2) * side).sum(1)], 1)
        at = (middle + shift / total[:, None]).astype(np.float32)
    spread = np.maximum(base - around[:, around.shape[1] // 6], LEAST)
    inner = near > 1 - (2 / half) ** 2  # some dozen pixels, so that noise alone is not clear
    height = (seen * inner).sum((1, 2)) / np.maximum(inner.sum((1, 2)), 1) - base
    return np.column_stack([at, height / spread]).astype(np.float32)


def drift(found: xr.Dataset, order: int = 2) -> xr.Dataset:
    """Return centres to be used: each pattern's own, or a smooth model's where that is no good.

    The model is a polynomial over the scan, fitted robustly. A pattern's own centre is used where
    the beam is clear and no further from the model than ``FAR`` times what is usual.

    Parameters
    ----------
    found
        What :func:`beam_centres` returns, computed.
    order
        Of the polynomial.

    Returns
    -------
    ``centre_x``, ``centre_y``, the model's ``drift_x``, ``drift_y``, and ``own`` (y, x), true where
    the centre is the pattern's own. The attribute ``residual`` is the standard deviation in pixels,
    along x or y, of centres about the model, ``modelled`` the share of patterns that use it.

    Raises
    ------
    DataError
        If the beam is clear in less than half of the patterns.
    """
    clear = found.clear.to_numpy() > CLEAR
    if 2 * clear.sum() < clear.size:
        raise DataError(
            f"the direct beam is clear in {clear.mean():.0%} of the patterns only: is it "
            "behind a beam stop? Then give centre_x and centre_y (y, x) yourself"
        )
    terms = _terms(clear.shape, order)
    own = np.stack([found.centre_x.to_numpy(), found.centre_y.to_numpy()], axis=-1)
    model = np.stack([_smooth(terms, own[..., i], clear) for i in (0, 1)], axis=-1)
    off = own - model
    residual = 1.4826 * float(np.median(np.abs(off[clear])))
    good = clear & np.all(np.abs(off) <= FAR * max(residual, LEAST), axis=-1)
    used = np.where(good[..., None], own, model)
    layers = {"centre_x": used[..., 0], "centre_y": used[..., 1]}
    layers |= {"drift_x": model[..., 0], "drift_y": model[..., 1]}
    out = xr.Dataset({name: found.centre_x.copy(data=values) for name, values in layers.items()})
    out["own"] = (("y", "x"), good, {"long_name": "centre is the pattern's own"})
    return out.assign_attrs(
        residual=residual, residual_units="pixel", modelled=float(1 - good.mean()), order=order
    )


def _terms(shape: tuple[int, ...], order: int) -> Array:
    """Return the polynomial's terms (y, x, term) over a scan."""
    y, x = (np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape)
    powers = [(i, j) for i in range(order + 1) for j in range(order + 1 - i)]
    return np.stack([y[:, None] ** i * x[None, :] ** j for i, j in powers], axis=-1)


def _smooth(terms: Array, values: Array, valid: Array) -> Array:
    """Return the polynomial (y, x) that goes through most of the values."""
    a, b = terms[valid], values[valid]
    start = np.zeros(a.shape[1])
    start[0] = np.median(b)
    fit = least_squares(lambda c: a @ c - b, start, jac=lambda _: a, loss="soft_l1", f_scale=LEAST)
    return np.asarray(terms @ fit.x)
