"""What many patterns show together: their spots, or their rings, about the beam."""

from __future__ import annotations

from collections.abc import Callable

import dask.array as da
import numpy as np
import xarray as xr
from scipy import ndimage

from liscope.diffraction import polar
from liscope.diffraction.polar import AZIMUTHS, Geometry
from liscope.diffraction.virtual import BATCH, patterns_of, ring_means
from liscope.errors import DataError

SAMPLE = 4000  # patterns, evenly spread, in which spots are looked for
INNER = 7.0  # px, where the direct beam's halo ends
SPOT = 1.4  # px, standard deviation of a spot
REACH = 3  # px about a spot, to which it belongs
BROADEST = 1.3  # px, standard deviation of the upper half of a single spot
STRONG = 4.0  # standard deviations by which a spot rises above the noise
FINE = 4  # bins a pixel in a sum of spots

Array = np.ndarray


def ring_sum(
    scan: xr.Dataset, centres: xr.Dataset, where: xr.DataArray | None = None
) -> xr.DataArray:
    """Return the mean of patterns about their beams, for patterns that show whole rings.

    Parameters
    ----------
    scan, centres
        ``pattern`` (y, x, ky, kx), and ``centre_x``, ``centre_y`` (y, x) in pixels.
    where
        (y, x), true for the patterns that count; all by default.

    Returns
    -------
    (azimuth, radius), azimuth in degrees from x towards y, radius in pixels; lazily where the
    scan is.

    Raises
    ------
    DataError
        If no pattern counts.
    """
    about = _about(centres, where)
    size = scan.pattern.sizes["ky"], scan.pattern.sizes["kx"]
    grid = polar.grid(Geometry(np.eye(2), size), INNER, _reach(size, about))

    def total(patterns: Array, at: Array) -> Array:
        return np.asarray(polar.unrolled(patterns, at, grid).sum(0, np.float64).T)

    return _summed(scan, about, total, grid.radius.astype(float), "ring_sum")


def spot_sum(
    scan: xr.Dataset, centres: xr.Dataset, where: xr.DataArray | None = None
) -> xr.DataArray:
    """Return how many spots lie where, a pattern, for patterns of single or few grains.

    Each spot counts by the square root of its height, at its centre to a fraction of a pixel. Halos
    leave no trace, and neighbouring rings stay apart. ``SAMPLE`` patterns at most are searched,
    evenly spread over those that count.

    Parameters
    ----------
    scan, centres
        ``pattern`` (y, x, ky, kx), and ``centre_x``, ``centre_y`` (y, x) in pixels.
    where
        (y, x), true for the patterns that count; all by default.

    Returns
    -------
    (azimuth, radius), azimuth in degrees from x towards y, radius in pixels; lazily where the
    scan is.

    Raises
    ------
    DataError
        If no pattern counts.
    """
    about = _about(centres, where)
    counted = np.flatnonzero(about[..., 2])
    thin = np.zeros(about[..., 2].size)
    thin[counted[np.linspace(0, len(counted) - 1, min(len(counted), SAMPLE)).astype(int)]] = 1
    about[..., 2] = thin.reshape(about.shape[:2])
    size = scan.pattern.sizes["ky"], scan.pattern.sizes["kx"]
    edges = np.arange(INNER, _reach(size, about), 1 / FINE)

    def total(patterns: Array, at: Array) -> Array:
        x, y, height = _spots(patterns, at, edges[-1])
        place = np.rint(np.arctan2(y, x) * AZIMUTHS / (2 * np.pi)) % AZIMUTHS
        bins = [np.arange(AZIMUTHS + 1) - 0.5, edges]
        count = np.histogram2d(place, np.hypot(x, y), bins, weights=np.sqrt(height))[0]
        return np.asarray(ndimage.gaussian_filter1d(count, 1.0, axis=1, mode="constant"))

    return _summed(scan, about, total, 0.5 * (edges[1:] + edges[:-1]), "spot_sum")


def _about(centres: xr.Dataset, where: xr.DataArray | None) -> Array:
    """Return centre x, y and whether the pattern counts (y, x, 3)."""
    x, y = (centres[name].transpose("y", "x").to_numpy() for name in ("centre_x", "centre_y"))
    counts = np.ones(x.shape) if where is None else where.transpose("y", "x").to_numpy()
    about = np.stack([x, y, counts], axis=-1).astype(np.float64)
    about[..., 2] *= np.isfinite(about).all(-1)
    if not about[..., 2].any():
        raise DataError("no pattern counts: 'where' is false, or centres are NaN, everywhere")
    return about


def _reach(size: tuple[int, int], about: Array) -> float:
    """Return the largest radius in pixels that lies on the camera all around every beam."""
    at = about[about[..., 2] > 0][:, :2]
    return float(np.min([at.min(0), np.array(size[::-1]) - 2 - at.max(0)]))


def _summed(
    scan: xr.Dataset,
    about: Array,
    total: Callable[[Array, Array], Array],
    radius: Array,
    name: str,
) -> xr.DataArray:
    """Return the mean over the patterns that count of what ``total`` makes of some of them."""

    def block(patterns: Array, about: Array) -> Array:
        chosen = about[..., 2, 0] > 0
        flat, at = patterns[chosen], about[chosen][:, :2, 0].astype(np.float32)
        parts = [total(flat[i : i + BATCH], at[i : i + BATCH]) for i in range(0, len(flat), BATCH)]
        return np.asarray(sum(parts, np.zeros((AZIMUTHS, len(radius)))))[None, None]

    pattern = patterns_of(scan)
    if pattern.chunks is None:
        values = block(pattern.to_numpy(), about[..., None])[0, 0]
    else:
        along = pattern.chunks[:2]
        values = da.map_blocks(
            block,
            pattern.data,
            da.from_array(about[..., None], chunks=(*along, 3, 1)),
            dtype=np.float64,
            chunks=(*((1,) * len(c) for c in along), AZIMUTHS, len(radius)),
        ).sum((0, 1))
    azimuth = np.arange(AZIMUTHS) * 360 / AZIMUTHS
    return xr.DataArray(
        values / about[..., 2].sum(),
        dims=("azimuth", "radius"),
        coords={
            "azimuth": ("azimuth", azimuth, {"units": "deg"}),
            "radius": ("radius", radius, {"units": "pixel"}),
        },
        name=name,
        attrs={"units": "1", "patterns": int(about[..., 2].sum()), "history": f"liscope {name}"},
    )


def _spots(patterns: Array, at: Array, outer: float) -> tuple[Array, Array, Array]:
    """Return x and y from the beam, in pixels, and height of the spots in patterns (n, ky, kx).

    The place of a spot is the centre of gravity of what is above half its height, over the
    background of its ring. A spot that the camera clips is cut at one height all over, as it would
    lean to where the background is lower; one that is not round is two, and left out.
    """
    n, y, x = _peaks(patterns)
    side = np.arange(-REACH, REACH + 1)
    under = _rings_only(patterns, at, outer)
    window = n[:, None, None], (y[:, None] + side)[:, :, None], (x[:, None] + side)[:, None, :]
    base = np.where(np.hypot(*np.meshgrid(side, side)) <= REACH + 0.5, under[window], np.inf)
    full = np.iinfo(patterns.dtype).max if patterns.dtype.kind in "iu" else np.inf
    clipped = full - np.where(np.isfinite(base), base, 0).max((1, 2), keepdims=True)
    seen = np.clip(patterns[window] - base, 0, np.maximum(clipped, 0))
    weight = np.clip(seen - 0.5 * seen.max((1, 2), keepdims=True), 0, None)
    weight /= np.maximum(weight.sum((1, 2), keepdims=True), 1e-6)
    dx, dy = weight.sum(1) @ side, weight.sum(2) @ side
    xx, yy = weight.sum(1) @ side**2 - dx**2, weight.sum(2) @ side**2 - dy**2
    xy = np.einsum("nyx,y,x->n", weight, side, side) - dx * dy
    long = 0.5 * (xx + yy) + np.sqrt(0.25 * (xx - yy) ** 2 + xy**2)
    single = (long < BROADEST**2) & (np.hypot(dx, dy) < 1.5)
    x, y, height = x + dx - at[n, 0], y + dy - at[n, 1], seen.max((1, 2))
    return x[single], y[single], height[single]


def _peaks(patterns: Array) -> tuple[Array, Array, Array]:
    """Return pattern, row and column of what is a maximum along every direction, as no halo is."""
    even = np.sqrt(np.maximum(patterns, 0), dtype=np.float32)  # of the same noise everywhere
    image = ndimage.gaussian_filter(even, SPOT, axes=(1, 2), truncate=3)
    xx, yy, xy = (np.zeros_like(image) for _ in range(3))
    xx[:, :, 1:-1] = 2 * image[:, :, 1:-1] - image[:, :, :-2] - image[:, :, 2:]
    yy[:, 1:-1] = 2 * image[:, 1:-1] - image[:, :-2] - image[:, 2:]
    xy[:, :, 1:-1] = image[:, :, 2:] - image[:, :, :-2]
    xy[:, 1:-1] = 0.25 * (xy[:, 2:] - xy[:, :-2])
    least = 0.5 * (xx + yy) - np.sqrt(0.25 * (xx - yy) ** 2 + xy**2)
    noise = 1.4826 * np.median(np.abs(xx), axis=(1, 2), keepdims=True)
    curved = xx + yy
    peak = (curved == ndimage.maximum_filter(curved, (1, 5, 5))) & (least > STRONG * noise)
    peak[:, :REACH] = peak[:, -REACH:] = peak[:, :, :REACH] = peak[:, :, -REACH:] = False
    n, y, x = np.nonzero(peak)
    return n, y, x


def _rings_only(patterns: Array, at: Array, outer: float) -> Array:
    """Return patterns without their spots."""
    size = patterns.shape[1:]
    grid = polar.grid(Geometry(np.eye(2), size), 0.0, outer + 1)
    calm = ring_means(polar.unrolled(patterns, at, grid))
    y, x = np.indices(size, np.float32)
    radius = np.hypot(x - at[:, 0, None, None], y - at[:, 1, None, None])
    whole = np.minimum(radius.astype(int), calm.shape[1] - 2)
    number = np.arange(len(at))[:, None, None]
    low, high = calm[number, whole], calm[number, whole + 1]
    return np.asarray(low + np.minimum(radius - whole, 1) * (high - low))
